//! Dropout.

use super::Build;
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::NodeId;
use crate::nn::Mode;
use crate::nn::build::LayerCx;

spec! {
    /// In training, each element is 0 with probability `rate`, else x / (1 − rate); otherwise x (Keras's `Dropout`). The rate is a scalar
    /// of the graph, `"dropout:<layer>"`, which may change while training.
    pub struct Dropout {
        /// Share that is dropped.
        rate: f64;
    }
}

impl Build for Dropout {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(out_of_range("rate", "at least 0 and below 1", self.rate));
        }
        match cx.mode {
            Mode::Infer | Mode::Prefill | Mode::Decode => Ok(x),
            Mode::Train => {
                let name = format!("dropout:{}", cx.name);
                let rate = cx.graph.scalar(&name, self.rate as f32);
                cx.graph.dropout(x, rate)
            }
        }
    }
}
