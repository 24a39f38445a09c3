//! Data sets on the GPU, and the kernels that gather a batch from them.

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

/// A resident part of the data set.
pub(super) struct Part {
    pub columns: Vec<Resident>,
    /// Tells it from what was in its place before.
    pub generation: u64,
}

/// A column on the GPU.
pub(super) struct Resident {
    pub memory: Memory,
    width: usize,
    stride: usize,
    rows: usize,
    /// What a byte of 1 stands for; none where the cells are floats.
    scale: Option<f32>,
}

impl Resident {
    pub fn new(context: &Context, column: &Column) -> Result<Self> {
        let (memory, cells, scale) = match &column.cells {
            Cells::Floats(data) => {
                let memory = Memory::new(context, data.len(), "data")?;
                memory.write(context, 0, bytemuck::cast_slice(data));
                (memory, data.len(), None)
            }
            Cells::Bytes { data, scale } => {
                let memory = Memory::new(context, data.len().div_ceil(4), "data")?;
                let whole = data.len() / 4 * 4;
                memory.write(context, 0, &data[..whole]);
                if whole < data.len() {
                    let mut last = [0; 4];
                    last[..data.len() - whole].copy_from_slice(&data[whole..]);
                    memory.write(context, whole / 4, &last);
                }
                (memory, data.len(), Some(*scale))
            }
        };
        let (width, stride) = (column.width, column.stride);
        let rows = if cells < width { 0 } else { (cells - width) / stride.max(1) + 1 };
        Ok(Self { memory, width, stride, rows, scale })
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

    /// Kernels that gather each column that the plan reads: a thread a cell, its row from the step's numbers.
    pub fn sources(&self, part: usize, plan: &Plan) -> Vec<Source> {
        let mut sources = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let Some(buffer) = plan.input(index) else { continue };
            let len = plan.buffers[buffer].len;
            let mut module = Module::default();
            let out = module.bind(Resource::Place(Place { buffer, offset: 0, len }), true);
            module.bind(Resource::Data(part, index), false);
            let value = match column.scale {
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
