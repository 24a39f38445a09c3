//! Data sets: examples as columns in memory, read from files or generated, with the checks that training relies on. A batch is a list of
//! row numbers; the backend gathers the rows where the columns live.

mod bpe;
mod cifar;
mod documents;
mod encoding;
mod generated;
mod given;
mod gzip;
mod idx;
mod manifest;
mod order;
mod tasks;
mod text;
mod vocabulary;
mod words;

use std::ops::Range;
use std::rc::Rc;

pub use documents::{Corpus, Document, DocumentForm, DocumentOptions, Documents, PADDING, Piece, PieceKind, Reading, UNKNOWN};
pub use encoding::{Encoding, Learned, Tokenization, Tokenizer};
pub use given::Given;
pub use idx::{Idx, gunzip};
pub use manifest::{Contents, Manifest, catalogue};
pub use order::{epoch_order, random_windows, validation_start};
pub use tasks::{END, START};

use crate::error::{Error, ErrorCode, Result};
use crate::tensor::Cells;

asked! {
    /// A part of a data set.
    #[derive(Copy, Eq)]
    pub enum Split {
        /// What is trained on.
        Train,
        /// The end of the training part, held out.
        Validation,
        /// The test part.
        Test,
    }
}

wire! {
    /// What the examples are, and so how the page draws them.
    #[derive(Copy, Eq)]
    pub enum DataKind {
        /// Images `[height, width, channels]` with a class each.
        Image,
        /// Points of the plane with a class each.
        Points,
        /// Numbers.
        Values,
        /// One text, which a model learns to go on with.
        Text,
        /// Texts with a class each.
        Documents,
        /// Short texts, each with the text that answers it.
        Pairs,
    }

    /// What the page says of a data set.
    pub struct DatasetInfo {
        /// `"mnist"`.
        pub name: String,
        /// In a few words.
        pub title: String,
        /// What the examples are.
        pub kind: DataKind,
        /// Whether it can be loaded: the set-up has put it there, or it is generated.
        pub installed: bool,
        /// Where it comes from.
        pub source: String,
        /// Its licence.
        pub licence: String,
        /// Examples in the training part; the characters of a text.
        pub train: usize,
        /// Examples in the test part.
        pub test: usize,
        /// Shape of one example.
        pub shape: Vec<usize>,
        /// Names of the classes, empty for regression.
        pub classes: Vec<String>,
    }
}

impl Split {
    /// The word for errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// One value an example: all images, or all labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Shape of one example's value; `[]` is a number.
    pub shape: Vec<usize>,
    /// All values.
    pub cells: Cells,
    /// Cells from the beginning of a row to that of the next: the width, or less where rows are windows that overlap.
    pub stride: usize,
}

impl Column {
    /// One row behind the other.
    pub fn new(shape: &[usize], cells: Cells) -> Self {
        Self { shape: shape.to_vec(), cells, stride: shape.iter().product() }
    }

    /// Numbers of that shape an example.
    pub fn floats(shape: &[usize], data: Vec<f32>) -> Self {
        Self::new(shape, data.into())
    }

    /// Whole numbers from 0 to 255, such as labels, of that shape an example.
    pub fn bytes(shape: &[usize], data: Vec<u8>) -> Self {
        Self::new(shape, data.into())
    }

    /// Cells an example.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// Cells in all.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cell `index`, counted over all cells.
    pub fn cell(&self, index: usize) -> f32 {
        match &self.cells {
            Cells::Bytes { data, scale } => f32::from(data[index]) * scale,
            Cells::Floats(data) => data[index],
        }
    }

    /// Cell `index` of a row.
    pub fn value(&self, row: usize, index: usize) -> f32 {
        self.cell(row * self.stride + index)
    }

    /// The first cell that is no whole number below `count`, and its row.
    fn first_beyond(&self, count: usize) -> Option<(f32, usize)> {
        let good = |cell: f32| cell >= 0.0 && cell.fract() == 0.0 && (cell as usize) < count;
        (0..self.len()).find(|&index| !good(self.cell(index))).map(|index| (self.cell(index), index / self.stride.max(1)))
    }

    /// Checks that every value is a whole number below `classes`.
    pub fn check_labels(&self, classes: usize) -> Result<()> {
        match self.first_beyond(classes) {
            Some((label, index)) => {
                Err(Error::new(ErrorCode::LabelOutOfRange, &[("label", &label), ("index", &index), ("classes", &classes)]))
            }
            None => Ok(()),
        }
    }

    /// Checks that every value is a row of an embedding's table.
    pub fn check_tokens(&self, vocabulary: usize) -> Result<()> {
        match self.first_beyond(vocabulary) {
            Some((token, index)) => {
                Err(Error::new(ErrorCode::TokenOutOfRange, &[("token", &token), ("index", &index), ("vocabulary", &vocabulary)]))
            }
            None => Ok(()),
        }
    }

    /// The values of these rows, one after another.
    pub fn gather(&self, rows: &[u32]) -> Vec<f32> {
        let width = self.width();
        rows.iter().flat_map(|&row| (0..width).map(move |i| self.value(row as usize, i))).collect()
    }
}

/// Examples and their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What goes in.
    pub x: Column,
    /// What should come out: a class, or values.
    pub y: Column,
    /// Number of examples.
    pub count: usize,
    /// Rows from one example to the next: 1, or more where rows are windows that overlap, of which examples are those that do not.
    pub step: usize,
}

impl Part {
    /// The row of an example.
    pub fn row(&self, example: usize) -> usize {
        example * self.step
    }

    /// The examples that rows are, unless one of them is a window between two examples.
    pub fn examples(&self, rows: &[u32]) -> Option<Vec<u32>> {
        let step = self.step as u32;
        rows.iter().map(|row| (row % step == 0).then_some(row / step)).collect()
    }

    /// Checks that both columns hold `count` examples.
    pub fn new(x: Column, y: Column, count: usize) -> Result<Self> {
        for (what, column) in [("x", &x), ("y", &y)] {
            if Some(column.len()) != count.checked_mul(column.width()) {
                let what = format!("{what}, {count} examples of shape {:?},", column.shape);
                let expected = count as f64 * column.width() as f64;
                return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &expected), ("got", &column.len())]));
            }
        }
        Ok(Self { x, y, count, step: 1 })
    }

    /// Checks that every label is a whole number below `classes`.
    pub fn check_labels(&self, classes: usize) -> Result<()> {
        self.y.check_labels(classes)
    }

    /// The labels in the form that a loss wants: as they are where each example has so many values, one-hot where a class is given and a
    /// vector is wanted.
    pub fn targets(&self, wanted: &[usize]) -> Result<Column> {
        let width: usize = wanted.iter().product();
        match (&wanted, self.y.width()) {
            (_, given) if given == width => Ok(Column { shape: wanted.to_vec(), ..self.y.clone() }),
            (&&[classes], 1) => {
                self.check_labels(classes)?;
                let mut hot = vec![0.0; self.count * classes];
                (0..self.count).for_each(|row| hot[row * classes + self.y.cell(row) as usize] = 1.0);
                Ok(Column::floats(wanted, hot))
            }
            _ => {
                let given = format!("{:?}", self.y.shape);
                let wanted = format!("{wanted:?}");
                Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &"the loss"), ("left", &wanted), ("right", &given)]))
            }
        }
    }
}

/// A data set in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// What is said of it.
    pub info: DatasetInfo,
    /// To train on, validation included.
    pub train: Part,
    /// To test on; may be empty.
    pub test: Part,
    /// What the rows were made of, where that is documents.
    pub documents: Option<Rc<Documents>>,
    /// What its tokens are, where that is a text.
    pub encoding: Option<Rc<Encoding>>,
}

impl Dataset {
    /// The part that a split lies in, and its rows there; an error if there are none.
    pub fn rows(&self, split: Split, validation_split: f32) -> Result<(&Part, Range<usize>)> {
        let start = validation_start(self.train.count, validation_split)?;
        let (part, rows) = match split {
            Split::Train => (&self.train, 0..start),
            Split::Validation => (&self.train, start..self.train.count),
            Split::Test => (&self.test, 0..self.test.count),
        };
        match rows.is_empty() {
            true => Err(Error::new(ErrorCode::EmptySplit, &[("split", &split.name())])),
            false => Ok((part, rows)),
        }
    }
}
