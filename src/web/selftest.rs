//! The checks of a backend, in a browser: Tint and the browser's drivers differ from naga and the native ones. Only in the binary of the
//! browser tests.

use wasm_bindgen::prelude::*;

use crate::backend::Device;
use crate::backend::cpu::Cpu;
use crate::backend::webgpu::{Allowed, Gpu};
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
            let mut outcomes = Vec::new();
            // Threads work in one of two ways, whatever the adapter; and adapters differ in what they allow.
            for (allowed, threads) in [(Allowed::All, Threads::Alone), (Allowed::Least, Threads::Together)] {
                let mut gpu = Gpu::open_within(allowed).await.map_err(|error| JsError::new(&error.to_string()))?;
                gpu.set_tuning(threads.into());
                let mut gpu = Device::Gpu(gpu);
                outcomes.extend(selftest::features::all(&mut gpu).await);
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

/// Tunes the GPU as a session on hardware does, also where there is none: `{ products, known }`, the kernels taken and whether they were known already.
#[wasm_bindgen]
pub async fn tune_adapter() -> Result<JsValue, JsValue> {
    let mut gpu = Gpu::open().await.map_err(|error| JsError::new(&error.to_string()))?;
    let known = super::tuning::tune(&mut gpu).await;
    serde_wasm_bindgen::to_value(&Tuned { products: gpu.tuning().products.to_string(), known }).map_err(JsValue::from)
}

#[derive(serde::Serialize)]
struct Tuned {
    products: String,
    known: bool,
}
