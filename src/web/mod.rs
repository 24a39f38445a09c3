//! The wasm surface: one engine in one worker. Requests wait in an inbox; a single task answers them in order and, while a run is under way,
//! takes it on chunk by chunk in between, so that nothing waits longer than a chunk, or than the request before it.

pub mod protocol;

#[cfg(target_arch = "wasm32")]
mod answer;
#[cfg(target_arch = "wasm32")]
mod driving;
#[cfg(target_arch = "wasm32")]
mod engine;
#[cfg(target_arch = "wasm32")]
mod evaluating;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod js;
#[cfg(target_arch = "wasm32")]
mod live;
#[cfg(target_arch = "wasm32")]
mod looking;
#[cfg(target_arch = "wasm32")]
mod open;
#[cfg(target_arch = "wasm32")]
mod replicas;
#[cfg(all(target_arch = "wasm32", feature = "selftest"))]
mod selftest;
#[cfg(target_arch = "wasm32")]
mod travelling;
#[cfg(target_arch = "wasm32")]
mod tuning;
#[cfg(target_arch = "wasm32")]
mod walking;

#[cfg(target_arch = "wasm32")]
pub use engine::Engine;
