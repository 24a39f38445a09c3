//! The checks of a backend, in a browser: Tint and the browser's drivers differ from naga and the native ones. Only in the binary of the
//! browser tests.

use wasm_bindgen::prelude::*;

use crate::backend::Device;
use crate::backend::cpu::Cpu;
use crate::backend::webgpu::Gpu;
use crate::ops::kernel::Threads;
use crate::selftest::{self, Outcome};
use crate::simd::checks::{self, Check};

/// Runs every op's samples on `"cpu"` or `"webgpu"`, and beside them the SIMD kernels' own checks, or what plans need of WebGPU. Resolves to a list of
/// `{ name, difference, failure }`; rejects where there is no such backend.
#[wasm_bindgen]
pub async fn run_suite(backend: String) -> Result<JsValue, JsValue> {
    console_error_panic_hook::set_once();
    let outcomes = match backend.as_str() {
        "cpu" => {
            let kernels = checks::ALL.iter();
            let outcome = |&(name, check): &(&str, Check)| Outcome { name: name.into(), difference: 0.0, failure: check().err() };
            let mut outcomes: Vec<Outcome> = kernels.map(outcome).collect();
            outcomes.extend(selftest::samples(&mut Device::Cpu(Cpu::new())).await);
            outcomes
        }
        "webgpu" => {
            let gpu = Gpu::open().await.map_err(|error| JsError::new(&error.to_string()))?;
            let mut gpu = Device::Gpu(gpu);
            let mut outcomes = selftest::features::all(&mut gpu).await;
            // Threads work in one of two ways, whatever the adapter.
            for threads in [Threads::Alone, Threads::Together] {
                if let Device::Gpu(gpu) = &mut gpu {
                    gpu.set_threads(threads);
                }
                outcomes.extend(selftest::samples(&mut gpu).await);
            }
            outcomes
        }
        other => return Err(JsError::new(&format!("there is no backend {other}")).into()),
    };
    serde_wasm_bindgen::to_value(&outcomes).map_err(JsValue::from)
}

/// The adapter's description: `{ name, software }`.
#[wasm_bindgen]
pub async fn probe_adapter() -> Result<JsValue, JsValue> {
    let adapter = crate::backend::webgpu::probe().await.map_err(|error| JsError::new(&error.to_string()))?;
    serde_wasm_bindgen::to_value(&adapter).map_err(JsValue::from)
}
