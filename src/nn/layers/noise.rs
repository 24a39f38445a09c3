//! Noise that a generator begins with.

use super::{Build, positive};
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::NodeId;
use crate::nn::build::LayerCx;
use crate::tensor::Shape;

spec! {
    /// Random numbers, uniform in [minval, maxval), new ones at every step: `[N, ...]` -> `[N, ...shape]` (`keras.random.uniform` as a layer; the noise of
    /// Radford et al. 2016). What it reads only says how many examples there are; no gradient flows.
    pub struct RandomUniform {
        /// Shape of one example.
        shape: Vec<usize>;
        /// The least.
        minval: f64 = -1.0;
        /// What no number reaches.
        maxval: f64 = 1.0;
    }
}

impl RandomUniform {
    /// `width` numbers an example, between -1 and 1.
    pub fn new(width: usize) -> Self {
        Self { shape: vec![width], minval: -1.0, maxval: 1.0 }
    }
}

impl Build for RandomUniform {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        positive(&[("shape", self.shape.iter().copied().min().unwrap_or(1))])?;
        if self.minval >= self.maxval {
            return Err(out_of_range("maxval", &format!("above {}", self.minval), self.maxval));
        }
        let batch = cx.graph.shape(x)[0];
        let shape: Shape = std::iter::once(batch).chain(self.shape.iter().copied()).collect();
        cx.graph.random_uniform(shape, self.minval as f32, self.maxval as f32)
    }
}
