//! Memory of a buffer, handed out in slices by the plan's word.

use std::cell::UnsafeCell;

use crate::error::{Error, ErrorCode, Result};

/// Zeroed cells. Slices are handed out unchecked against each other: the plan says which ranges are in use at a time.
pub(super) struct Arena {
    cells: UnsafeCell<Vec<f32>>,
    len: usize,
}

impl Arena {
    /// Memory of `len` cells, or an error where it cannot be had; `what` names it.
    pub fn zeroed(len: usize, what: &str) -> Result<Self> {
        let mut cells = Vec::new();
        cells.try_reserve_exact(len).map_err(|_| Error::new(ErrorCode::OutOfMemory, &[("bytes", &(4 * len as u64)), ("what", &what)]))?;
        cells.resize(len, 0.0);
        Ok(Self { cells: UnsafeCell::new(cells), len })
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.len
    }

    /// A range to read.
    ///
    /// # Safety
    /// While the slice lives, nobody writes the range.
    pub unsafe fn slice(&self, offset: usize, len: usize) -> &[f32] {
        assert!(offset + len <= self.len, "a place outside its buffer");
        // SAFETY: within bounds; the caller keeps writers away.
        unsafe { std::slice::from_raw_parts((*self.cells.get()).as_ptr().add(offset), len) }
    }

    /// A range to write.
    ///
    /// # Safety
    /// While the slice lives, nobody else reads or writes the range.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice_mut(&self, offset: usize, len: usize) -> &mut [f32] {
        assert!(offset + len <= self.len, "a place outside its buffer");
        // SAFETY: within bounds; the caller keeps others away.
        unsafe { std::slice::from_raw_parts_mut((*self.cells.get()).as_mut_ptr().add(offset), len) }
    }
}
