//! Which backend a session gets.

use super::protocol::{BackendChoice, BackendReport};
use crate::backend::cpu::Cpu;
use crate::backend::webgpu::{self, Gpu};
use crate::backend::{Backend, Device};
use crate::error::Result;

/// What the machine offers.
pub(super) async fn report() -> BackendReport {
    let cpu = Cpu::new().adapter();
    match webgpu::probe().await {
        Ok(adapter) => BackendReport { webgpu: Some(adapter.name), software_adapter: adapter.software, cpu },
        Err(_) => BackendReport { webgpu: None, software_adapter: false, cpu },
    }
}

/// The backend asked for: `auto` takes a hardware adapter, else the CPU, where SIMD code is some twenty times faster than a software adapter.
pub(super) async fn device(choice: BackendChoice) -> Result<Device> {
    match choice {
        BackendChoice::Cpu => Ok(Device::Cpu(Cpu::new())),
        BackendChoice::Webgpu => Gpu::open().await.map(Device::Gpu),
        BackendChoice::Auto => match webgpu::probe().await {
            Ok(adapter) if !adapter.software => match Gpu::open().await {
                Ok(gpu) => Ok(Device::Gpu(gpu)),
                Err(_) => Ok(Device::Cpu(Cpu::new())),
            },
            _ => Ok(Device::Cpu(Cpu::new())),
        },
    }
}
