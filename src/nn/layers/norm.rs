//! Normalisation by the batch and by the example.

use super::{Build, bad_input};
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Init, Mode, Regularizer};

spec! {
    /// γ (x − mean) / √(variance + ε) + β for each channel of the last axis; mean and variance are the batch's in training and moving
    /// averages otherwise, and in a frozen layer (Keras's `BatchNormalization`; Ioffe and Szegedy 2015).
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

    /// γ x / √(mean of x² + ε) over the last axis of each example (Keras's `RMSNormalization`; Zhang and Sennrich 2019).
    pub struct RMSNormalization: Default {
        /// ε.
        epsilon: f64 = 1e-6;
    }
}

impl Build for BatchNormalization {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let channels = last_axis("BatchNormalization", cx, x)?;
        check_epsilon(self.epsilon)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(out_of_range("momentum", "between 0 and 1", self.momentum));
        }
        let scale = scale(cx, channels, self.scale, &self.gamma_initializer, self.gamma_regularizer)?;
        let shift = shift(cx, channels, self.center, &self.beta_initializer, self.beta_regularizer)?;
        let moving_mean = cx.statistic("moving_mean", &[channels], &self.moving_mean_initializer)?;
        let moving_variance = cx.statistic("moving_variance", &[channels], &self.moving_variance_initializer)?;
        let epsilon = self.epsilon as f32;
        match cx.mode {
            Mode::Train if cx.trainable => {
                let norm = cx.graph.batch_norm(x, scale, shift, epsilon)?;
                cx.move_average(moving_mean, norm.mean, self.momentum)?;
                cx.move_average(moving_variance, norm.variance, self.momentum)?;
                Ok(norm.y)
            }
            Mode::Train | Mode::Infer | Mode::Prefill | Mode::Decode => {
                cx.graph.batch_norm_by(x, [moving_mean, moving_variance], scale, shift, epsilon)
            }
        }
    }
}

impl Build for LayerNormalization {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let extent = last_axis("LayerNormalization", cx, x)?;
        check_epsilon(self.epsilon)?;
        let scale = scale(cx, extent, self.scale, &self.gamma_initializer, self.gamma_regularizer)?;
        let shift = shift(cx, extent, self.center, &self.beta_initializer, self.beta_regularizer)?;
        cx.graph.layer_norm(x, scale, shift, self.epsilon as f32)
    }
}

impl Build for RMSNormalization {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let extent = last_axis("RMSNormalization", cx, x)?;
        check_epsilon(self.epsilon)?;
        let scale = cx.parameter("scale", &[extent], &Init(Initializer::Ones), None)?;
        let last = cx.graph.shape(x).rank() - 1;
        let squares = cx.graph.mul(x, x)?;
        let mean = cx.graph.mean(squares, &[last], true)?;
        let epsilon = cx.graph.constant(self.epsilon as f32);
        let sum = cx.graph.add(mean, epsilon)?;
        let spread = cx.graph.sqrt(sum)?;
        let normalized = cx.graph.div(x, spread)?;
        cx.graph.mul(normalized, scale)
    }
}

fn last_axis(kind: &str, cx: &LayerCx, x: NodeId) -> Result<usize> {
    match cx.graph.shape(x)[..] {
        [_, .., last] => Ok(last),
        _ => Err(bad_input(kind, "at least one axis", cx.graph.shape(x))),
    }
}

fn check_epsilon(epsilon: f64) -> Result<()> {
    if epsilon > 0.0 { Ok(()) } else { Err(out_of_range("epsilon", "above 0", epsilon)) }
}

fn scale(cx: &mut LayerCx, extent: usize, used: bool, init: &Init, regularizer: Option<Regularizer>) -> Result<Option<NodeId>> {
    used.then(|| cx.parameter("gamma", &[extent], init, regularizer)).transpose()
}

fn shift(cx: &mut LayerCx, extent: usize, used: bool, init: &Init, regularizer: Option<Regularizer>) -> Result<Option<NodeId>> {
    used.then(|| cx.parameter("beta", &[extent], init, regularizer)).transpose()
}
