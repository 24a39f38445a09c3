//! Convolution.

use super::{Build, image, positive};
use crate::error::Result;
use crate::fields::{LARGEST, out_of_range, spec};
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Activation, Init, Padding, Pair, Regularizer};
use crate::ops::conv2d::Conv2d;

spec! {
    /// activation(x ∗ W + b): images `[N, H, W, C]` -> `[N, H', W', filters]`, with kernel W `[kh, kw, C / groups, filters]` and bias b
    /// `[filters]` (Keras's `Conv2D`).
    pub struct Conv2D {
        /// Output channels.
        filters: usize;
        /// Rows and columns of the window.
        kernel_size: Pair;
        /// Steps of the window.
        strides: Pair = 1.into();
        /// What happens at the border.
        padding: Padding = Padding::Valid;
        /// Distance of the window's taps.
        dilation_rate: Pair = 1.into();
        /// Blocks of channels that do not see each other.
        groups: usize = 1;
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

impl Conv2D {
    /// With Keras's defaults.
    pub fn new(filters: usize, kernel_size: usize, activation: Activation) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.into(),
            strides: 1.into(),
            padding: Padding::Valid,
            dilation_rate: 1.into(),
            groups: 1,
            activation,
            use_bias: true,
            kernel_initializer: Init(Initializer::GlorotUniform),
            bias_initializer: Init(Initializer::Zeros),
            kernel_regularizer: None,
            bias_regularizer: None,
        }
    }
}

impl Build for Conv2D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, channels] = image("Conv2D", cx.graph.shape(x))?;
        let (Pair([rows, cols]), Pair(stride), Pair(dilation)) = (self.kernel_size, self.strides, self.dilation_rate);
        positive(&[
            ("filters", self.filters),
            ("kernel_size", rows.min(cols)),
            ("strides", stride[0].min(stride[1])),
            ("dilation_rate", dilation[0].min(dilation[1])),
            ("groups", self.groups),
        ])?;
        for (name, divided) in [("groups", channels), ("filters", self.filters)] {
            if divided % self.groups != 0 {
                let (expected, got) = match name {
                    "groups" => (format!("a divisor of the {channels} input channels"), self.groups),
                    _ => (format!("a multiple of the {} groups", self.groups), self.filters),
                };
                return Err(out_of_range(name, &expected, got));
            }
        }
        let reach = |taps: usize, distance: usize| (taps - 1).checked_mul(distance).is_some_and(|reach| reach < LARGEST);
        if !reach(rows, dilation[0]) || !reach(cols, dilation[1]) {
            let got = format!("{}×{}", dilation[0], dilation[1]);
            return Err(out_of_range("dilation_rate", &format!("so small that the window spans less than {LARGEST}"), got));
        }
        let conv = Conv2d { stride, padding: self.padding.op(), dilation, groups: self.groups };
        conv.padding.place([height, width], [rows, cols], stride, dilation)?;
        let kernel = [rows, cols, channels / self.groups, self.filters];
        let kernel = cx.parameter("kernel", &kernel, &self.kernel_initializer, self.kernel_regularizer)?;
        let bias = match self.use_bias {
            true => Some(cx.parameter("bias", &[self.filters], &self.bias_initializer, self.bias_regularizer)?),
            false => None,
        };
        let product = cx.graph.conv2d(x, kernel, conv)?;
        let sum = match bias {
            Some(bias) => cx.graph.add(product, bias)?,
            None => product,
        };
        self.activation.build(cx.graph, sum)
    }
}
