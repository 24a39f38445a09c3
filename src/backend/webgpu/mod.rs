//! WebGPU, by `wgpu`: in a browser, and natively over Vulkan, Metal or Direct3D, which is how kernels are tested without one.
//!
//! A step is one write of its numbers, one command encoder, one compute pass over prebuilt pipelines and bind groups, one submission. Batches
//! are gathered and metrics kept on the device within that pass; nothing waits for a reading.

mod data;
mod device;
mod exec;
mod join;
mod kernels;
mod memory;
mod source;
mod tune;

use std::future::Future;
use std::ops::Range;
use std::rc::Rc;

pub use device::{Adapter, Allowed, probe};
pub use exec::GpuExec;

use litemap::LiteMap;

use super::{Backend, Column, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, NodeId};
use crate::ops::kernel::Tuning;
use crate::plan::{Place, Plan};
use data::{Part, Resident};
use device::Context;
use kernels::Kernels;
use memory::Memory;

/// Words in front of the scalars in a step's numbers: seed, step, position in the ring of metrics, number of rows.
const STEP_HEAD: usize = 4;

/// The WebGPU backend.
pub struct Gpu {
    shared: Shared,
    kernels: Kernels,
    changes: usize,
    // Last: the device is destroyed after everything that lives on it.
    context: Context,
}

/// What all plans of a session share.
#[derive(Default)]
struct Shared {
    flats: LiteMap<Group, Memory>,
    parts: LiteMap<usize, Part>,
    /// Counts the allocations of the flat buffers and of parts.
    generation: u64,
    part_generation: u64,
}

impl Shared {
    fn flat(&self, group: Group) -> Result<&Memory> {
        self.flats.get(&group).ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"buffer"), ("got", &group.name())]))
    }

    fn part(&self, part: usize) -> Result<&Part> {
        self.parts.get(&part).ok_or_else(|| Error::new(ErrorCode::EmptySplit, &[("split", &part)]))
    }
}

impl Gpu {
    /// Opens the fastest adapter that there is.
    pub async fn open() -> Result<Self> {
        Self::open_within(Allowed::All).await
    }

    /// The same with no more than is `allowed`.
    pub async fn open_within(allowed: Allowed) -> Result<Self> {
        Ok(Self { shared: Shared::default(), kernels: Kernels::default(), changes: 0, context: Context::open(allowed).await? })
    }

    /// What it runs on.
    pub fn adapter_info(&self) -> &Adapter {
        &self.context.adapter
    }

    /// What the kernels are made for.
    pub fn tuning(&self) -> Tuning {
        self.context.tuning
    }

    /// Makes kernels for something else than the adapter's kind suggests, in plans that are compiled from now on.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        self.context.tuning = tuning;
    }

    /// Most bytes of a buffer, and of a workgroup's memory.
    pub fn limits(&self) -> (u64, u32) {
        (self.context.limits.max_buffer_size, self.context.limits.max_compute_workgroup_storage_size)
    }

    /// Whether it works: else the error that every later call gets.
    pub fn check(&self) -> Result<()> {
        self.context.check()
    }

    /// Pipelines compiled so far.
    pub fn pipelines(&self) -> usize {
        self.kernels.len()
    }

    /// Bytes of all buffers that are alive.
    pub fn gpu_bytes(&self) -> u64 {
        self.context.state.bytes()
    }

    /// Resolves once the device is lost, with the error that every later call gets.
    pub async fn loss(&self) -> Error {
        self.context.state.loss().await
    }

    /// Gives the device up, as if it were lost: every later call fails.
    pub fn destroy(&self) {
        self.context.destroy();
    }
}

impl Backend for Gpu {
    type Exec = GpuExec;

    fn name(&self) -> &'static str {
        "webgpu"
    }

    fn adapter(&self) -> String {
        self.context.adapter.name.clone()
    }

    fn most_cells(&self) -> usize {
        usize::try_from(self.context.most_bytes() / 4).unwrap_or(usize::MAX)
    }

    fn allocate(&mut self, groups: &[(Group, usize)]) -> Result<()> {
        self.context.check()?;
        self.shared.generation += 1;
        for &(group, len) in groups {
            // What was there goes first: both might not fit.
            self.shared.flats.remove(&group);
            self.shared.flats.insert(group, Memory::new(&self.context, len, group.name())?);
        }
        self.context.check()
    }

    fn write(&mut self, group: Group, offset: usize, values: &[f32]) -> Result<()> {
        self.changes += 1;
        self.context.check()?;
        let memory = self.shared.flat(group)?;
        let (expected, got) = (memory.cells(), offset + values.len());
        if got > expected {
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &group.name()), ("expected", &expected), ("got", &got)]));
        }
        memory.write(&self.context, offset, bytemuck::cast_slice(values));
        Ok(())
    }

    fn changes(&self) -> usize {
        self.changes
    }

    async fn read(&self, group: Group) -> Result<Vec<f32>> {
        self.context.check()?;
        let memory = self.shared.flat(group)?;
        memory.read(&self.context, &[(0, memory.cells())])?.floats().await
    }

    fn set_data(&mut self, part: usize, columns: &[Column]) -> Result<()> {
        self.context.check()?;
        self.shared.parts.remove(&part);
        let columns = columns.iter().map(|column| Resident::new(&self.context, column)).collect::<Result<Vec<_>>>()?;
        self.shared.part_generation += 1;
        self.shared.parts.insert(part, Part { columns, generation: self.shared.part_generation });
        self.context.check()
    }

    async fn compile(&mut self, plan: Rc<Plan>, metrics: &[NodeId]) -> Result<GpuExec> {
        self.context.check()?;
        let exec = GpuExec::new(&self.context, &self.kernels, plan, metrics).await?;
        self.context.check()?;
        Ok(exec)
    }

    fn dispatches(&self, exec: &GpuExec) -> usize {
        exec.dispatches()
    }

    fn write_input(&mut self, exec: &mut GpuExec, column: usize, values: &[f32]) -> Result<()> {
        self.context.check()?;
        exec.write_input(&self.context, column, values)
    }

    fn run(&mut self, exec: &mut GpuExec, step: &StepData, range: Range<usize>) -> Result<()> {
        self.context.check()?;
        self.changes += usize::from(exec.plan.writes_weights(range.clone()));
        exec.run(&self.context, &self.shared, &self.kernels, step, range)
    }

    fn drain(&mut self, exec: &mut GpuExec) -> impl Future<Output = Result<Vec<f32>>> + 'static {
        let reading = self.context.check().and_then(|()| exec.drain(&self.context));
        async move {
            match reading? {
                Some(reading) => reading.floats().await,
                None => Ok(Vec::new()),
            }
        }
    }

    fn write_place(&mut self, exec: &GpuExec, place: Place, values: &[f32]) -> Result<()> {
        super::check_len(place, values)?;
        self.changes += 1;
        exec.memory(&self.shared, place.buffer)?.write(&self.context, place.offset, bytemuck::cast_slice(values));
        self.context.check()
    }

    async fn read_place(&self, exec: &GpuExec, place: Place) -> Result<Vec<f32>> {
        self.context.check()?;
        exec.memory(&self.shared, place.buffer)?.read(&self.context, &[(place.offset, place.len)])?.floats().await
    }
}
