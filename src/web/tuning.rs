//! What suits this device's GPU, found out once and kept by the browser.

use js_sys::global;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::js;
use crate::backend::webgpu::Gpu;
use crate::ops::kernel::{Products, Tuning};

/// Where the browser keeps it; what another version found out is of other kernels.
const STORE: &str = concat!("gradscope-tuning-", env!("CARGO_PKG_VERSION"));

/// Tunes the kernels of a GPU, or takes what was found out before; whether it was. Where it can be neither timed nor kept, the kernels stay those that
/// suit most devices.
pub(super) async fn tune(gpu: &mut Gpu) -> bool {
    let name = gpu.adapter_info().name.clone();
    if let Some(products) = recall(&name).await.ok().flatten().and_then(|text| Products::named(&text)) {
        gpu.set_tuning(Tuning { products, ..gpu.tuning() });
        return true;
    }
    if let Ok(products) = gpu.tune(js::now).await {
        // Without a store it is found out again the next time.
        let _ = keep(&name, &products.to_string()).await;
    }
    false
}

/// The browser's store for addresses and answers, which workers have and which asks for no callbacks.
async fn store() -> Result<web_sys::Cache, JsValue> {
    let scope: web_sys::WorkerGlobalScope = global().unchecked_into();
    Ok(JsFuture::from(scope.caches()?.open(STORE)).await?.unchecked_into())
}

/// An address that nobody has; it only serves as a key.
fn address(name: &str) -> String {
    format!("https://gradscope.invalid/{}", String::from(js_sys::encode_uri_component(name)))
}

async fn recall(name: &str) -> Result<Option<String>, JsValue> {
    let found = JsFuture::from(store().await?.match_with_str(&address(name))).await?;
    let Ok(response) = found.dyn_into::<web_sys::Response>() else { return Ok(None) };
    Ok(JsFuture::from(response.text()?).await?.as_string())
}

async fn keep(name: &str, text: &str) -> Result<(), JsValue> {
    let response = web_sys::Response::new_with_opt_str(Some(text))?;
    JsFuture::from(store().await?.put_with_str(&address(name), &response)).await.map(drop)
}
