use super::{Build, bad_input};
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Init, Mode, Regularizer};

spec! {
    /// γ (x − mean) / √(variance + ε) + β for each channel of the last axis; mean and variance are the batch's in training and moving
    /// averages otherwise (Keras's `BatchNormalization`; Ioffe and Szegedy 2015).
    pub struct BatchNormalization: Default {
        /// How much of the moving averages stays at each step.
        momentum: f64 = 0.99;
        /// ε.
        epsilon: f64 = 1e-3;
        /// Whether β is added.
        center: bool = true;
        /// Whether γ multiplies.
        scale: bool = true;
        /// How β begins.
        beta_initializer: Init = Init(Initializer::Zeros);
        /// How γ begins.
        gamma_initializer: Init = Init(Initializer::Ones);
        /// How the moving mean begins.
        moving_mean_initializer: Init = Init(Initializer::Zeros);
        /// How the moving variance begins.
        moving_variance_initializer: Init = Init(Initializer::Ones);
        /// Penalty on β.
        beta_regularizer: Option<Regularizer> = None;
        /// Penalty on γ.
        gamma_regularizer: Option<Regularizer> = None;
    }

    /// γ (x − mean) / √(variance + ε) + β over the last axis of each example (Keras's `LayerNormalization`; Ba et al. 2016).
    pub struct LayerNormalization: Default {
        /// ε.
        epsilon: f64 = 1e-3;
        /// Whether β is added.
        center: bool = true;
        /// Whether γ multiplies.
        scale: bool = true;
        /// How β begins.
        beta_initializer: Init = Init(Initializer::Zeros);
        /// How γ begins.
        gamma_initializer: Init = Init(Initializer::Ones);
        /// Penalty on β.
        beta_regularizer: Option<Regularizer> = None;
        /// Penalty on γ.
        gamma_regularizer: Option<Regularizer> = None;
    }
}
