//! Data sets by name: generated ones are made here, installed ones are fetched with progress.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::js::{Post, failure};
use super::protocol::Event;
use crate::data::{self, Dataset, DatasetInfo};
use crate::error::{Error, ErrorCode, Result};

/// Every data set: the generated ones, and those that the server lists.
pub(super) async fn datasets(base: &str) -> Vec<DatasetInfo> {
    let mut all = data::known();
    let listed = match fetch(&format!("{base}index.json"), |_, _| {}).await {
        Ok(bytes) => data::read_index(&bytes).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    for info in listed {
        match all.iter_mut().find(|known| known.name == info.name) {
            Some(known) => *known = info,
            None => all.push(info),
        }
    }
    all
}

/// The data set of that name.
pub(super) async fn dataset(base: &str, name: &str, seed: u32, post: &Post) -> Result<Dataset> {
    if let Some(generated) = data::generate(name, seed) {
        return Ok(generated);
    }
    let missing = || Error::new(ErrorCode::DatasetMissing, &[("name", &name)]);
    if !data::known().iter().any(|known| known.name == name) && !datasets(base).await.iter().any(|info| info.name == name) {
        return Err(Error::new(ErrorCode::UnknownName, &[("kind", &"data set"), ("got", &name)]));
    }
    let folder = format!("{base}{name}/");
    let manifest = fetch(&format!("{folder}dataset.json"), |_, _| {}).await.map_err(|_| missing())?;
    let manifest = data::Manifest::parse(&manifest)?;
    let total = manifest.bytes as f64;
    let mut files = Vec::new();
    let mut before = 0.0;
    for file in manifest.files() {
        let bytes = fetch(&format!("{folder}{file}"), |loaded, _| {
            post.event(&Event::Loading { data: name.into(), loaded: before + loaded, total }, Vec::new());
        })
        .await?;
        before += bytes.len() as f64;
        files.push((file.to_owned(), bytes));
    }
    post.event(&Event::Loading { data: name.into(), loaded: before, total: before }, Vec::new());
    manifest.read(&files)
}

/// The bytes at an address; `progress(loaded, total)` is called as they come.
async fn fetch(url: &str, mut progress: impl FnMut(f64, f64)) -> Result<Vec<u8>> {
    let broken = |exception: &JsValue| failure(url, exception);
    let scope: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_str(url)).await.map_err(|e| broken(&e))?;
    let response: web_sys::Response = response.unchecked_into();
    if !response.ok() {
        let reason = format!("status {}", response.status());
        return Err(Error::new(ErrorCode::BadFile, &[("file", &url), ("format", &"data"), ("reason", &reason)]));
    }
    let length = response.headers().get("content-length").ok().flatten().and_then(|text| text.parse().ok());
    let total: f64 = length.unwrap_or(0.0);
    let Some(body) = response.body() else { return Ok(Vec::new()) };
    let reader: web_sys::ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(|e| broken(&e))?;
        if Reflect::get(&chunk, &"done".into()).is_ok_and(|done| done.is_truthy()) {
            return Ok(bytes);
        }
        let value = Reflect::get(&chunk, &"value".into()).map_err(|e| broken(&e))?;
        bytes.extend(Uint8Array::new(&value).to_vec());
        progress(bytes.len() as f64, total);
    }
}
