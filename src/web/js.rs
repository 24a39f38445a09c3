//! The few things of the browser that the engine needs.

use std::rc::Rc;

use js_sys::{Array, Float32Array, Object, Reflect, Uint8Array, Uint32Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Exact, FromValue};
use crate::tensor::Cells;
use crate::web::protocol::Event;

/// The way back to the page.
pub(super) struct Post {
    function: js_sys::Function,
}

/// An array that travels beside a message.
pub(super) enum Buffer {
    Floats(Vec<f32>),
    Bytes(Vec<u8>),
    Indices(Vec<u32>),
}

impl Post {
    pub fn new(function: js_sys::Function) -> Self {
        Self { function }
    }

    /// The answer to a request.
    pub fn answer(&self, id: u32, result: Result<(JsValue, Vec<Buffer>)>) {
        let message = Object::new();
        set(&message, "id", &id.into());
        match result {
            Ok((value, buffers)) => {
                set(&message, "ok", &value);
                self.send(&message, buffers);
            }
            Err(error) => {
                set(&message, "error", &to_js(&error));
                self.send(&message, Vec::new());
            }
        }
    }

    /// An event.
    pub fn event(&self, event: &Event, buffers: Vec<Buffer>) {
        let message = Object::new();
        set(&message, "event", &to_js(event));
        self.send(&message, buffers);
    }

    fn send(&self, message: &Object, buffers: Vec<Buffer>) {
        let (arrays, transfer) = (Array::new(), Array::new());
        for buffer in buffers {
            match buffer {
                Buffer::Floats(values) => {
                    let array = Float32Array::from(&values[..]);
                    transfer.push(&array.buffer());
                    arrays.push(&array);
                }
                Buffer::Indices(indices) => {
                    let array = Uint32Array::from(&indices[..]);
                    transfer.push(&array.buffer());
                    arrays.push(&array);
                }
                Buffer::Bytes(bytes) => {
                    let array = Uint8Array::from(&bytes[..]);
                    transfer.push(&array.buffer());
                    arrays.push(&array);
                }
            }
        }
        set(message, "buffers", &arrays);
        // A page that is gone cannot be told so.
        let _ = self.function.call2(&JsValue::NULL, message, &transfer);
    }
}

fn set(object: &Object, key: &str, value: &JsValue) {
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(object, &key.into(), value);
}

/// A plain JavaScript value.
pub(super) fn to_js<T: Serialize + ?Sized>(value: &T) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
    value.serialize(&serializer).unwrap_or(JsValue::NULL)
}

/// What a plain JavaScript value says.
pub(super) fn from_js<T: FromValue>(value: &JsValue) -> Result<T> {
    let read: Result<Exact, _> = serde_wasm_bindgen::from_value(value.clone());
    let Exact(value) = read.map_err(|error| Error::new(ErrorCode::BadSpec, &[("reason", &error)]))?;
    T::from_value(&value, "request", "")
}

/// Numbers of a typed array of any kind.
pub(super) fn floats(array: &JsValue) -> Vec<f32> {
    match array.dyn_ref::<Float32Array>() {
        Some(floats) => floats.to_vec(),
        None => Float32Array::new(array).to_vec(),
    }
}

/// The same as the cells of a column: bytes stay bytes, each of which stands for byte · scale.
pub(super) fn cells(array: &JsValue, scale: f32) -> Cells {
    match array.dyn_ref::<Uint8Array>() {
        Some(bytes) => Cells::Bytes { data: Rc::new(bytes.to_vec()), scale },
        None => floats(array).into(),
    }
}

/// An exception as a typed error.
pub(super) fn failure(what: &str, exception: &JsValue) -> Error {
    let reason = exception.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{exception:?}"), |error| String::from(error.message()));
    Error::new(ErrorCode::BadFile, &[("file", &what), ("format", &"data"), ("reason", &reason)])
}

/// Milliseconds of a steady clock.
pub(super) fn now() -> f64 {
    let performance = Reflect::get(&js_sys::global(), &"performance".into()).ok();
    performance.and_then(|object| object.dyn_into::<web_sys::Performance>().ok()).map_or(0.0, |clock| clock.now())
}

/// Lets the worker take in messages: a turn of the event loop, by a message channel, since timers are held back to 4 ms.
pub(super) async fn breathe() {
    let Ok(channel) = web_sys::MessageChannel::new() else { return };
    let turn = js_sys::Promise::new(&mut |resolve, _| channel.port1().set_onmessage(Some(&resolve)));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        let _ = wasm_bindgen_futures::JsFuture::from(turn).await;
    }
    channel.port1().set_onmessage(None);
    channel.port1().close();
}

/// Size of the wasm memory.
pub(super) fn wasm_bytes() -> f64 {
    const PAGE: f64 = 65_536.0;
    core::arch::wasm32::memory_size(0) as f64 * PAGE
}
