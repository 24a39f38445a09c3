//! A fully connected layer.

use super::{Build, bad_input, positive};
use crate::error::Result;
use crate::fields::spec;
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Activation, Init, Regularizer};

spec! {
    /// y = activation(x W + b) over the last axis: `[N, ..., in]` -> `[N, ..., units]`, with kernel W `[in, units]` and bias b `[units]`
    /// (Keras's `Dense`).
    pub struct Dense {
        /// Outputs.
        units: usize;
        /// Applied to the result.
        activation: Activation = Activation::Linear;
        /// Whether b is added.
        use_bias: bool = true;
        /// How W begins.
        kernel_initializer: Init = Init(Initializer::GlorotUniform);
        /// How b begins.
        bias_initializer: Init = Init(Initializer::Zeros);
        /// Penalty on W.
        kernel_regularizer: Option<Regularizer> = None;
        /// Penalty on b.
        bias_regularizer: Option<Regularizer> = None;
    }
}

impl Dense {
    /// With Keras's defaults.
    pub fn new(units: usize, activation: Activation) -> Self {
        Self {
            units,
            activation,
            use_bias: true,
            kernel_initializer: Init(Initializer::GlorotUniform),
            bias_initializer: Init(Initializer::Zeros),
            kernel_regularizer: None,
            bias_regularizer: None,
        }
    }
}

impl Build for Dense {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        positive(&[("units", self.units)])?;
        let shape = cx.graph.shape(x).clone();
        let &[_, .., fan_in] = &shape[..] else {
            return Err(bad_input("Dense", "at least one axis", &shape));
        };
        let kernel = cx.parameter("kernel", &[fan_in, self.units], &self.kernel_initializer, self.kernel_regularizer)?;
        let bias = match self.use_bias {
            true => Some(cx.parameter("bias", &[self.units], &self.bias_initializer, self.bias_regularizer)?),
            false => None,
        };
        let product = cx.graph.matmul(x, kernel, false, false)?;
        let sum = match bias {
            Some(bias) => cx.graph.add(product, bias)?,
            None => product,
        };
        self.activation.build(cx.graph, sum)
    }
}
