//! Optimizers and learning-rate schedules, with Keras's names, defaults and formulas. An optimizer is a few ordinary nodes over the flat
//! vectors of all parameters, all gradients and its own memory, so that it costs the same number of kernels whatever the model.

mod build;
mod schedule;
mod spec;

pub use build::{Share, append, append_shares, scalars_at};
pub use schedule::{ConstantRate, CosineDecay, ExponentialDecay, LearningRate, PiecewiseConstantDecay};
pub use spec::{Adam, AdamW, OptimizerSpec, RmsProp, Sgd};
