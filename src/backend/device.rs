//! Either backend, chosen at run time, so that what runs on it need not be generic.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;

use super::cpu::{Cpu, CpuExec};
use super::webgpu::{Gpu, GpuExec};
use super::{Backend, Column, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, NodeId};
use crate::plan::{Place, Plan};

/// A backend.
#[allow(clippy::large_enum_variant)]
pub enum Device {
    /// SIMD.
    Cpu(Cpu),
    /// WebGPU.
    Gpu(Gpu),
}

/// A plan compiled on a [`Device`].
#[allow(clippy::large_enum_variant)]
pub enum DeviceExec {
    /// On the CPU.
    Cpu(CpuExec),
    /// On the GPU.
    Gpu(GpuExec),
}

fn foreign() -> Error {
    Error::new(ErrorCode::WrongState, &[("what", &"running"), ("reason", &"the plan was compiled on another backend")])
}

/// The same call on whichever backend it is.
macro_rules! each {
    ($device:expr, $backend:ident => $call:expr) => {
        match $device {
            Device::Cpu($backend) => $call,
            Device::Gpu($backend) => $call,
        }
    };
    ($device:expr, $exec:expr, $backend:ident, $plan:ident => $call:expr, else $wrong:expr) => {
        match ($device, $exec) {
            (Device::Cpu($backend), DeviceExec::Cpu($plan)) => $call,
            (Device::Gpu($backend), DeviceExec::Gpu($plan)) => $call,
            _ => $wrong,
        }
    };
}

impl Device {
    /// Resolves once the device is lost, with the error that every later call gets: never, on the CPU.
    pub async fn loss(&self) -> Error {
        match self {
            Device::Cpu(_) => std::future::pending().await,
            Device::Gpu(gpu) => gpu.loss().await,
        }
    }
}

impl Backend for Device {
    type Exec = DeviceExec;

    fn name(&self) -> &'static str {
        each!(self, backend => backend.name())
    }

    fn adapter(&self) -> String {
        each!(self, backend => backend.adapter())
    }

    fn most_cells(&self) -> usize {
        each!(self, backend => backend.most_cells())
    }

    fn allocate(&mut self, groups: &[(Group, usize)]) -> Result<()> {
        each!(self, backend => backend.allocate(groups))
    }

    fn write(&mut self, group: Group, offset: usize, values: &[f32]) -> Result<()> {
        each!(self, backend => backend.write(group, offset, values))
    }

    fn changes(&self) -> usize {
        each!(self, backend => backend.changes())
    }

    async fn read(&self, group: Group) -> Result<Vec<f32>> {
        each!(self, backend => backend.read(group).await)
    }

    fn set_data(&mut self, part: usize, columns: &[Column]) -> Result<()> {
        each!(self, backend => backend.set_data(part, columns))
    }

    async fn compile(&mut self, plan: Rc<Plan>, metrics: &[NodeId]) -> Result<DeviceExec> {
        Ok(match self {
            Device::Cpu(cpu) => DeviceExec::Cpu(cpu.compile(plan, metrics).await?),
            Device::Gpu(gpu) => DeviceExec::Gpu(gpu.compile(plan, metrics).await?),
        })
    }

    fn dispatches(&self, exec: &DeviceExec) -> usize {
        each!(self, exec, backend, plan => backend.dispatches(plan), else 0)
    }

    fn write_input(&mut self, exec: &mut DeviceExec, column: usize, values: &[f32]) -> Result<()> {
        each!(self, exec, backend, plan => backend.write_input(plan, column, values), else Err(foreign()))
    }

    fn run(&mut self, exec: &mut DeviceExec, step: &StepData, range: Range<usize>) -> Result<()> {
        each!(self, exec, backend, plan => backend.run(plan, step, range), else Err(foreign()))
    }

    fn drain(&mut self, exec: &mut DeviceExec) -> impl Future<Output = Result<Vec<f32>>> + 'static {
        let future: Pin<Box<dyn Future<Output = Result<Vec<f32>>>>> = match (self, exec) {
            (Device::Cpu(cpu), DeviceExec::Cpu(exec)) => Box::pin(cpu.drain(exec)),
            (Device::Gpu(gpu), DeviceExec::Gpu(exec)) => Box::pin(gpu.drain(exec)),
            _ => Box::pin(std::future::ready(Err(foreign()))),
        };
        future
    }

    fn write_place(&mut self, exec: &DeviceExec, place: Place, values: &[f32]) -> Result<()> {
        each!(self, exec, backend, plan => backend.write_place(plan, place, values), else Err(foreign()))
    }

    async fn read_place(&self, exec: &DeviceExec, place: Place) -> Result<Vec<f32>> {
        each!(self, exec, backend, plan => backend.read_place(plan, place).await, else Err(foreign()))
    }
}
