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
        BackendChoice::Webgpu => gpu().await,
        BackendChoice::Auto => match webgpu::probe().await {
            Ok(adapter) if !adapter.software => match gpu().await {
                Ok(gpu) => Ok(gpu),
                Err(_) => Ok(Device::Cpu(Cpu::new())),
            },
            _ => Ok(Device::Cpu(Cpu::new())),
        },
    }
}

/// The GPU, with the kernels that suit it. What suits programs on the CPU is known.
async fn gpu() -> Result<Device> {
    let mut gpu = Gpu::open().await?;
    if !gpu.adapter_info().software {
        super::tuning::tune(&mut gpu).await;
        if gpu.check().is_err() {
            gpu = Gpu::open().await?;
        }
    }
    Ok(Device::Gpu(gpu))
}
