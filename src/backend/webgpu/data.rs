//! Data sets on the GPU, and the kernels that gather a batch from them. A column larger than the buffers that WebGPU promises of every adapter stays where
//! it is, and its batches are sent: some devices could not hold it, and on the others a page would hold it twice.

use super::STEP_HEAD;
use super::device::Context;
use super::memory::Memory;
use super::source::{Module, Resource, Source};
use crate::backend::Column;
use crate::error::{Error, ErrorCode, Result};
use crate::ops::Pass;
use crate::ops::kernel::literal;
use crate::plan::{Place, Plan};
use crate::tensor::Cells;

/// `maxStorageBufferBindingSize` of every adapter, in bytes.
const MOST_RESIDENT: usize = 128 << 20;

/// A resident part of the data set.
pub(super) struct Part {
    pub columns: Vec<Resident>,
    /// Tells it from what was in its place before.
    pub generation: u64,
}

/// A column, where steps can gather from it.
pub(super) struct Resident {
    store: Store,
    width: usize,
    stride: usize,
    rows: usize,
}

enum Store {
    /// On the GPU, with what a byte of 1 stands for; none where the cells are floats.
    Device(Memory, Option<f32>),
    Host(Column),
}

impl Resident {
    pub fn new(context: &Context, column: &Column) -> Result<Self> {
        let (bytes, scale) = match &column.cells {
            Cells::Floats(data) => (bytemuck::cast_slice(&data[..]), None),
            Cells::Bytes { data, scale } => (&data[..], Some(*scale)),
        };
        let store = if bytes.len() <= MOST_RESIDENT {
            let memory = Memory::new(context, bytes.len().div_ceil(4), "data")?;
            let whole = bytes.len() / 4 * 4;
            memory.write(context, 0, &bytes[..whole]);
            if whole < bytes.len() {
                let mut last = [0; 4];
                last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
                memory.write(context, whole / 4, &last);
            }
            Store::Device(memory, scale)
        } else {
            Store::Host(column.clone())
        };
        let (width, stride, cells) = (column.width, column.stride, column.cells.len());
        let rows = if cells < width { 0 } else { (cells - width) / stride.max(1) + 1 };
        Ok(Self { store, width, stride, rows })
    }

    /// The column on the GPU, if it is there.
    pub fn memory(&self) -> Option<&Memory> {
        match &self.store {
            Store::Device(memory, _) => Some(memory),
            Store::Host(_) => None,
        }
    }
}

impl Part {
    /// Whether these rows exist and fill the inputs of the plan.
    pub fn check(&self, plan: &Plan, rows: &[u32]) -> Result<()> {
        for (index, column) in self.columns.iter().enumerate() {
            let Some(buffer) = plan.input(index) else { continue };
            let (expected, got) = (plan.buffers[buffer].len, rows.len() * column.width);
            if expected != got {
                let what = format!("input {index}");
                return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &expected), ("got", &got)]));
            }
            if let Some(row) = rows.iter().find(|&&row| row as usize >= column.rows) {
                return Err(Error::new(ErrorCode::BadValue, &[("name", &"row"), ("expected", &"a row of the data"), ("got", row)]));
            }
        }
        Ok(())
    }

    /// Rows of the columns that are not on the GPU and that the plan reads, with their columns.
    pub fn sent(&self, plan: &Plan, rows: &[u32]) -> Result<Vec<(usize, Vec<f32>)>> {
        let mut sent = Vec::new();
        for (index, resident) in self.columns.iter().enumerate() {
            let (Store::Host(column), Some(buffer)) = (&resident.store, plan.input(index)) else { continue };
            let mut values = vec![0.0; plan.buffers[buffer].len];
            column.gather(rows, &mut values)?;
            sent.push((index, values));
        }
        Ok(sent)
    }

    /// Kernels that gather each column that is on the GPU and that the plan reads: a thread a cell, its row from the step's numbers.
    pub fn sources(&self, part: usize, plan: &Plan) -> Vec<Source> {
        let mut sources = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let (Store::Device(_, scale), Some(buffer)) = (&column.store, plan.input(index)) else { continue };
            let len = plan.buffers[buffer].len;
            let mut module = Module::default();
            let out = module.bind(Resource::Place(Place { buffer, offset: 0, len }), true);
            module.bind(Resource::Data(part, index), false);
            let value = match *scale {
                None => format!("bitcast<f32>(data{index}[at])"),
                Some(scale) => format!("f32((data{index}[at / 4u] >> (at % 4u * 8u)) & 255u) * {}", literal(scale)),
            };
            let (first, width, stride) = (STEP_HEAD + plan.graph.scalars().len(), column.width, column.stride);
            let code = format!(
                "let at = step_data[{first}u + i / {width}u] * {stride}u + i % {width}u;
    memory{out}[i] = {value};"
            );
            let pass = Pass::elementwise(len, &[], &code);
            sources.push(module.pass(&pass, &[]));
        }
        sources
    }
}
