//! Data sets by name: generated ones are made here, installed ones are fetched with progress.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::js::{Post, failure};
use super::protocol::Event;
use crate::data::{self, Dataset, DatasetInfo, Manifest, Reading};
use crate::error::{Error, ErrorCode, Result};

/// Every data set: the generated ones, and those that the server lists.
pub(super) async fn datasets(base: &str) -> Vec<DatasetInfo> {
    data::catalogue(&installed(base).await)
}

/// The sets that the server lists; none where it lists nothing.
async fn installed(base: &str) -> Vec<Manifest> {
    let listed = fetch(&format!("{base}index.json"), |_| {}).await.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    listed.and_then(|text| Manifest::parse_index(&text).ok()).unwrap_or_default()
}

/// The data set of that name; texts as the model reads them.
pub(super) async fn dataset(base: &str, name: &str, reading: Reading, post: &Post) -> Result<Dataset> {
    if let Ok(generated) = Dataset::generated(name) {
        return Ok(generated);
    }
    let installed = installed(base).await;
    let Some(manifest) = installed.iter().find(|manifest| manifest.info.name == name) else {
        let known = data::catalogue(&installed).iter().any(|info| info.name == name);
        return Err(match known {
            true => Error::new(ErrorCode::DatasetMissing, &[("name", &name)]),
            false => Error::new(ErrorCode::UnknownName, &[("kind", &"data set"), ("got", &name)]),
        });
    };
    let mut files = Vec::new();
    let mut before = 0.0;
    for file in manifest.files() {
        let progress = |loaded: f64| {
            post.event(&Event::Loading { data: name.into(), loaded: before + loaded, total: manifest.bytes }, Vec::new());
        };
        let bytes = fetch(&format!("{base}{name}/{file}"), progress).await?;
        before += bytes.len() as f64;
        files.push(bytes);
    }
    Dataset::from_files(manifest, files, reading)
}

/// The bytes at an address; `progress(loaded)` is called as they come.
async fn fetch(url: &str, progress: impl Fn(f64)) -> Result<Vec<u8>> {
    let broken = |exception: &JsValue| failure(url, exception);
    let scope: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_str(url)).await.map_err(|e| broken(&e))?;
    let response: web_sys::Response = response.unchecked_into();
    if !response.ok() {
        let reason = format!("status {}", response.status());
        return Err(Error::new(ErrorCode::BadFile, &[("file", &url), ("format", &"data"), ("reason", &reason)]));
    }
    let Some(body) = response.body() else { return Ok(Vec::new()) };
    let reader: web_sys::ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    // Room for all of it at once, where the server says how much that is: memory that is grown again and again is not given back.
    let announced = response.headers().get("content-length").ok().flatten().and_then(|length| length.parse().ok()).unwrap_or(0usize);
    let mut bytes: Vec<u8> = Vec::new();
    bytes.try_reserve_exact(announced).map_err(|_| Error::new(ErrorCode::OutOfMemory, &[("bytes", &announced), ("what", &url)]))?;
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(|e| broken(&e))?;
        if Reflect::get(&chunk, &"done".into()).is_ok_and(|done| done.is_truthy()) {
            return Ok(bytes);
        }
        let value = Reflect::get(&chunk, &"value".into()).map_err(|e| broken(&e))?;
        let chunk = Uint8Array::new(&value);
        let before = bytes.len();
        bytes.resize(before + chunk.length() as usize, 0);
        chunk.copy_to(&mut bytes[before..]);
        progress(bytes.len() as f64);
    }
}
