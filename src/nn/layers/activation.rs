//! Layers that are a function alone.

use super::Build;
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::NodeId;
use crate::nn::Activation;
use crate::nn::args::leaky_relu;
use crate::nn::build::LayerCx;

spec! {
    /// A function of each element, or softmax over the last axis (Keras's `Activation`).
    pub struct ActivationLayer {
        /// Which.
        activation: Activation;
    }

    /// x, or slope · x where x < 0 (Keras's `LeakyReLU`).
    pub struct LeakyReLU: Default {
        /// The slope.
        negative_slope: f64 = 0.3;
    }
}

impl Build for ActivationLayer {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        self.activation.build(cx.graph, x)
    }
}

impl Build for LeakyReLU {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        if self.negative_slope < 0.0 {
            return Err(out_of_range("negative_slope", "at least 0", self.negative_slope));
        }
        leaky_relu(cx.graph, x, self.negative_slope)
    }
}
