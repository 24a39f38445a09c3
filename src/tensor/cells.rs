//! Cells of many examples, shared by whoever holds the data set.

use std::rc::Rc;

/// The cells of a column, one example after another; a clone shares them.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// A byte stands for byte · scale; they stay bytes in memory, on the device too.
    Bytes {
        /// The bytes.
        data: Rc<Vec<u8>>,
        /// Factor.
        scale: f32,
    },
    /// Numbers as they are.
    Floats(Rc<Vec<f32>>),
}

impl From<Vec<f32>> for Cells {
    fn from(values: Vec<f32>) -> Self {
        Self::Floats(Rc::new(values))
    }
}

impl From<Vec<u8>> for Cells {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes { data: Rc::new(bytes), scale: 1.0 }
    }
}

impl Cells {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes { data, .. } => data.len(),
            Self::Floats(data) => data.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes off the cells from number `at` on, of which there are at least as many.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Bytes { data, scale } => Self::Bytes { data: Rc::new(Rc::make_mut(data).split_off(at)), scale: *scale },
            Self::Floats(data) => Self::Floats(Rc::new(Rc::make_mut(data).split_off(at))),
        }
    }
}
