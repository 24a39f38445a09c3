//! Shapes, host tensors and random numbers: what everything else is made of, knowing nothing of it.

mod cells;
mod host;
mod order;
mod rng;
mod shape;

pub use cells::Cells;
pub use host::HostTensor;
pub use order::falling_order;
pub use rng::{Rng, threefry2x32, uniform};
pub use shape::{DType, Meta, Shape};
