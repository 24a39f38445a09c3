//! Gradscope's core: graphs of tensor operations, their gradients, plans and backends. ARCHITECTURE.md says what lies where.

#[macro_use]
mod wire;

pub mod autograd;
pub mod backend;
pub mod data;
pub mod error;
mod fields;
pub mod graph;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod plan;
pub mod scratch;
#[cfg(any(feature = "selftest", not(target_arch = "wasm32")))]
pub mod selftest;
pub mod tensor;
pub mod trace;
pub mod train;
pub mod web;

pub use gradscope_simd as simd;
