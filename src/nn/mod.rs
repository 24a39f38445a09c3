//! Models: specs with Keras's names, the layers, the losses, and the graphs that they make. Knows graphs and operations, never a backend.

mod adversarial;
mod args;
mod augment;
mod build;
mod counted;
mod decode;
mod describe;
pub mod layers;
mod loss;
mod presets;
mod probabilities;
mod spec;
mod vocabulary;
mod weights;

pub use adversarial::{Adversarial, Game};
pub use args::{Activation, Interpolation, Margins, Padding, Pair, SequencePadding};
pub use augment::augment;
pub use build::{Built, BuiltLayer, MIDDLE, Mode, build, build_from};
pub use decode::TOKENS;
pub use describe::{LayerDescription, ModelDescription, describe};
pub use layers::UNMASKED;
pub use loss::{LossSpec, Reduction, Target};
pub use presets::{Preset, preset, presets};
pub use spec::{LayerSpec, ModelSpec};
pub use weights::{Init, Regularizer};

pub use crate::fields::recover;
pub use crate::optim::OptimizerSpec;
