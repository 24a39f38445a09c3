//! Pure kernels over slices of f32: what the ops' CPU side computes with. Nothing in here knows of graphs, tensors or threads.
//!
//! Images are NHWC, convolution kernels HWIO, matrices row-major unless a [`Mat`] says otherwise. Sums are taken in an order that depends on
//! extents alone, so the same call gives the same bits each time on the same build and machine.
//!
//! - `vector`: four lanes on each instruction set. `tile`: the micro-kernels, on which rest
//! - `gemm` (matrix products), `conv` (convolution and its dX) and `conv_dw`; `pack` lays operands out for them, `conv_shape` finds windows
//!   in memory, `depthwise` is the convolution that is no product of matrices.
//! - `attention`, whose scores are never stored as a whole.
//! - `pool`, `norm`, `reduce` (sums), `lanes` (arithmetic), `math` (exp, log, tanh, sigmoid, normal_cdf, gelu).
//! - `checks`: each of them against plain loops in f64, natively and, under the `selftest` feature, in the browser.
//!
//! Whatever goes over whole arrays is never inlined: a function of its own to the browser's compiler, compiled for speed as this crate is and not for size
//! as its callers are.

mod attention;
#[cfg(any(test, feature = "selftest"))]
pub mod checks;
mod conv;
mod conv_dw;
mod conv_shape;
mod depthwise;
mod gemm;
mod lanes;
mod math;
mod norm;
mod pack;
mod pool;
mod reduce;
mod scratch;
mod tile;
mod vector;

pub use attention::{AttentionInputs, AttentionShape, HIDDEN, attention, attention_grad};
pub use conv::{conv2d, conv2d_dx};
pub use conv_dw::conv2d_dw;
pub use conv_shape::ConvShape;
pub use gemm::{dot, gemm};
pub use lanes::{Lanes, lanes};
pub use math::{exp, gelu, log, normal_cdf, sigmoid, tanh};
pub use norm::{normalize, normalize_dx};
pub use pack::Mat;
pub use pool::{PoolShape, avg_pool2d, avg_pool2d_dx, max_pool2d, max_pool2d_dx};
pub use reduce::{sum, sum_cols, sum_rows};
pub use scratch::Scratch;
