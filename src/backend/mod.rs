//! Where plans run. The contract is small: make the flat buffers, put the data set there, compile a plan, run a range of its steps, read.
//! Only opening a device, compiling and reading are asynchronous.

pub mod cpu;
mod device;
pub mod webgpu;

pub use device::{Device, DeviceExec};

use std::future::Future;
use std::ops::Range;
use std::rc::Rc;

use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, NodeId};
use crate::plan::{Place, Plan};
use crate::tensor::Cells;

/// Numbers that a step may change without compiling anew.
#[derive(Clone, Debug, Default)]
pub struct StepData {
    /// Seed of the session.
    pub seed: u32,
    /// Step number: with the seed it keys all random numbers.
    pub step: u32,
    /// Values of the plan's scalars, in the graph's order.
    pub scalars: Vec<f32>,
    /// Where the batch comes from.
    pub feed: Feed,
}

/// Where a step's batch comes from.
#[derive(Clone, Debug, Default)]
pub enum Feed {
    /// The inputs stay as they were last written or gathered.
    #[default]
    Kept,
    /// Rows of a resident part of the data set, one an example.
    Rows {
        /// Which part, as numbered by [`Backend::set_data`].
        part: usize,
        /// Which rows.
        rows: Vec<u32>,
    },
}

/// One column of a resident part: rows of `width` cells.
#[derive(Clone, Debug)]
pub struct Column {
    /// Cells of a row.
    pub width: usize,
    /// Cells from the beginning of a row to that of the next; less than the width where rows overlap.
    pub stride: usize,
    /// The cells.
    pub cells: Cells,
}

impl Column {
    /// Writes these rows, one after another; `out` has room for them.
    fn gather(&self, rows: &[u32], out: &mut [f32]) -> Result<()> {
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.width.max(1))) {
            let first = row as usize * self.stride;
            let range = first..first + self.width;
            match &self.cells {
                Cells::Floats(data) => out.copy_from_slice(data.get(range).ok_or_else(|| outside(row))?),
                Cells::Bytes { data, scale } => {
                    let bytes = data.get(range).ok_or_else(|| outside(row))?;
                    out.iter_mut().zip(bytes).for_each(|(out, &byte)| *out = f32::from(byte) * scale);
                }
            }
        }
        Ok(())
    }
}

/// There is no such row.
fn outside(row: u32) -> Error {
    Error::new(ErrorCode::BadValue, &[("name", &"row"), ("expected", &"a row of the data"), ("got", &row)])
}

/// A place where plans run. It owns the flat buffers (parameters, gradients, optimizer's slots, statistics) and the data; compiled plans own
/// their slots, inputs and kernels, and free them when dropped.
#[allow(async_fn_in_trait)]
pub trait Backend {
    /// A compiled plan.
    type Exec;

    /// `"cpu"` or `"webgpu"`.
    fn name(&self) -> &'static str;

    /// The adapter's name, or the kind of SIMD.
    fn adapter(&self) -> String;

    /// Most cells that one value can have.
    fn most_cells(&self) -> usize;

    /// Makes flat buffers, zeroed; the lengths in cells by group. A buffer of the same group that was there before is freed.
    fn allocate(&mut self, groups: &[(Group, usize)]) -> Result<()>;

    /// Writes cells of a flat buffer.
    fn write(&mut self, group: Group, offset: usize, values: &[f32]) -> Result<()>;

    /// How often weights may have changed so far, by whatever was written or run: what was made with them when it was less is out of date.
    fn changes(&self) -> usize;

    /// Reads a whole flat buffer.
    async fn read(&self, group: Group) -> Result<Vec<f32>>;

    /// Puts the columns of part `part` where steps can gather from them; frees what was there.
    fn set_data(&mut self, part: usize, columns: &[Column]) -> Result<()>;

    /// Compiles a plan. `metrics` are scalar nodes whose values are kept for every step until they are drained.
    async fn compile(&mut self, plan: Rc<Plan>, metrics: &[NodeId]) -> Result<Self::Exec>;

    /// Dispatches (kernel calls) of one run of the whole plan, gathering included.
    fn dispatches(&self, exec: &Self::Exec) -> usize;

    /// Writes an input column directly.
    fn write_input(&mut self, exec: &mut Self::Exec, column: usize, values: &[f32]) -> Result<()>;

    /// Runs steps `range` of the plan. Where the range begins at 0 the feed is gathered first; where it ends at the last step the metrics are
    /// kept. Returns without waiting for a GPU.
    fn run(&mut self, exec: &mut Self::Exec, step: &StepData, range: Range<usize>) -> Result<()>;

    /// The metrics of the runs since the last call (at most [`RING`]), one run after another, as many numbers a run as there are metrics. What
    /// is to be read is fixed at the call; the future only waits for it.
    fn drain(&mut self, exec: &mut Self::Exec) -> impl Future<Output = Result<Vec<f32>>> + 'static;

    /// Writes cells of a place of the plan.
    fn write_place(&mut self, exec: &Self::Exec, place: Place, values: &[f32]) -> Result<()>;

    /// Reads a place of the plan.
    async fn read_place(&self, exec: &Self::Exec, place: Place) -> Result<Vec<f32>>;
}

/// Most runs whose metrics are held between two calls of [`Backend::drain`].
pub const RING: usize = 256;

/// Whether there are as many values as the place has cells.
fn check_len(place: Place, values: &[f32]) -> Result<()> {
    match values.len() == place.len {
        true => Ok(()),
        false => Err(Error::new(ErrorCode::WrongLength, &[("what", &"a value"), ("expected", &place.len), ("got", &values.len())])),
    }
}
