//! Opening the GPU, what it is, and what goes wrong with it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use serde::Serialize;

use super::join::Room;
use crate::error::{Error, ErrorCode, Result};
use crate::ops::kernel::{Threads, Tuning};

/// What the browser or the driver says of the adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// The best description to be had; never empty.
    pub name: String,
    /// Whether it is a program on the CPU (SwiftShader, llvmpipe): the SIMD backend is many times faster then.
    pub software: bool,
}

/// How much of an adapter is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All that it offers.
    All,
    /// What every adapter offers: 8 buffers a kernel, 128 MiB each, 16 KiB of workgroup memory. What runs so runs everywhere.
    Least,
}

/// An open device.
pub(super) struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub limits: wgpu::Limits,
    pub adapter: Adapter,
    /// What suits it.
    pub tuning: Tuning,
    pub state: Arc<State>,
}

/// What the device's callbacks record, and the bytes that are alive on it.
#[derive(Default)]
pub(super) struct State {
    lost: Mutex<Option<String>>,
    /// Who waits for that.
    watcher: Mutex<Option<Waker>>,
    failure: Mutex<Option<Error>>,
    /// Bytes asked for last: what an out-of-memory error that arrives later is about.
    asked: AtomicU64,
    bytes: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The reason why nothing works any more, or the first failure since the last call, if there is one.
    pub fn check(&self) -> Result<()> {
        self.lost()?;
        lock(&self.failure).take().map_or(Ok(()), Err)
    }

    fn lost(&self) -> Result<()> {
        lock(&self.lost).as_ref().map_or(Ok(()), |reason| Err(Error::new(ErrorCode::DeviceLost, &[("reason", reason)])))
    }

    fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
    }

    fn lose(&self, reason: String) {
        lock(&self.lost).get_or_insert(reason);
        if let Some(watcher) = lock(&self.watcher).take() {
            watcher.wake();
        }
    }

    /// Resolves once nothing works any more, with the reason.
    pub async fn loss(&self) -> Error {
        poll_fn(|cx| match self.lost() {
            Err(error) => Poll::Ready(error),
            Ok(()) => {
                *lock(&self.watcher) = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    pub fn grow(&self, bytes: u64) {
        self.asked.store(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn shrink(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// An error of the GPU's, as one of ours; `what` is what was being done, `bytes` what was asked for.
pub(super) fn describe(error: &wgpu::Error, what: &str, bytes: u64) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::new(ErrorCode::OutOfMemory, &[("bytes", &bytes), ("what", &what)]),
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            Error::new(ErrorCode::Gpu, &[("what", &what), ("reason", description)])
        }
    }
}

impl Context {
    /// What passes that share a dispatch may use.
    pub fn room(&self) -> Room {
        Room {
            buffers: self.limits.max_storage_buffers_per_shader_stage as usize,
            shared: self.limits.max_compute_workgroup_storage_size as usize,
        }
    }

    /// Opens the fastest adapter with all that it allows, or with what WebGPU promises of every adapter.
    pub async fn open(allowed: Allowed) -> Result<Self> {
        let adapter = request_adapter().await?;
        let limits = match allowed {
            Allowed::All => adapter.limits(),
            Allowed::Least => wgpu::Limits::default(),
        };
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("gradscope"), required_limits: limits.clone(), ..wgpu::DeviceDescriptor::default() };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(unavailable)?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            shared.fail(describe(&error, "a GPU call", shared.asked.load(Ordering::Relaxed)));
        }));
        let shared = Arc::clone(&state);
        device.set_device_lost_callback(move |reason, message| {
            shared.lose(if message.is_empty() { format!("{reason:?}").to_ascii_lowercase() } else { message });
        });
        let adapter = describe_adapter(&adapter.get_info(), details(&device));
        let tuning = Tuning::from(if adapter.software { Threads::Alone } else { Threads::Together });
        Ok(Self { device, queue, limits, adapter, tuning, state })
    }

    /// Lets the driver finish what it can (a browser does so by itself), then says whether anything went wrong.
    pub fn check(&self) -> Result<()> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Err(error) = self.device.poll(wgpu::PollType::Poll) {
            self.state.check()?;
            return Err(Error::new(ErrorCode::Gpu, &[("what", &"polling"), ("reason", &error)]));
        }
        self.state.check()
    }

    /// Frees everything on the device; nothing works any more.
    pub fn destroy(&self) {
        // A driver reports the loss only once it is asked.
        self.state.lose("it was given up".into());
        self.device.destroy();
    }

    /// Most bytes of a buffer that kernels bind whole.
    pub fn most_bytes(&self) -> u64 {
        self.limits.max_buffer_size.min(self.limits.max_storage_buffer_binding_size)
    }

    /// Refuses what no buffer of this device can hold.
    pub fn check_size(&self, bytes: u64, what: &str) -> Result<()> {
        let most = self.most_bytes();
        if bytes > most {
            return Err(Error::new(ErrorCode::BufferTooLarge, &[("bytes", &bytes), ("most_bytes", &most), ("what", &what)]));
        }
        Ok(())
    }
}

/// What adapter there is, without keeping it.
pub async fn probe() -> Result<Adapter> {
    Ok(Context::open(Allowed::All).await?.adapter.clone())
}

impl Drop for Context {
    fn drop(&mut self) {
        self.destroy();
    }
}

fn unavailable(reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::NoWebGpu, &[("reason", &reason)])
}

async fn request_adapter() -> Result<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::BROWSER_WEBGPU | wgpu::Backends::PRIMARY;
    // wgpu hides drivers that have not passed the conformance tests, software ones among them.
    descriptor.flags |= wgpu::InstanceFlags::ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER;
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..wgpu::RequestAdapterOptions::default() };
    // What wgpu says names its own backends, most of which a browser does not have.
    let none = |_| unavailable("there is no adapter for it");
    wgpu::Instance::new(descriptor).request_adapter(&options).await.map_err(none)
}

/// Names of drivers that run on the CPU.
const SOFTWARE: [&str; 5] = ["swiftshader", "llvmpipe", "lavapipe", "softpipe", "basic render"];

fn describe_adapter(info: &wgpu::AdapterInfo, details: Vec<String>) -> Adapter {
    let own = [info.name.clone(), info.driver.clone()];
    let mut parts: Vec<String> = Vec::new();
    for part in own.into_iter().chain(details).filter(|part| !part.trim().is_empty()) {
        if !parts.iter().any(|known| known.to_ascii_lowercase().contains(&part.to_ascii_lowercase())) {
            parts.push(part);
        }
    }
    let name = if parts.is_empty() { "WebGPU".to_owned() } else { parts.join(" ") };
    let lower = name.to_ascii_lowercase();
    let software = info.device_type == wgpu::DeviceType::Cpu || SOFTWARE.iter().any(|known| lower.contains(known));
    Adapter { name, software }
}

/// What a browser tells beside the description, which is often empty.
#[cfg(target_arch = "wasm32")]
fn details(device: &wgpu::Device) -> Vec<String> {
    let text = |object: &wasm_bindgen::JsValue, key: &str| js_sys::Reflect::get(object, &key.into()).ok();
    let Some(device) = device.as_webgpu() else { return Vec::new() };
    let Some(info) = text(device.as_ref(), "adapterInfo").filter(wasm_bindgen::JsValue::is_object) else { return Vec::new() };
    ["description", "vendor", "architecture", "device"].iter().filter_map(|key| text(&info, key)?.as_string()).collect()
}

#[cfg(not(target_arch = "wasm32"))]
fn details(_: &wgpu::Device) -> Vec<String> {
    Vec::new()
}
