//! Convolutions: over sequences, over images, and the transposed one, which makes images larger.

use super::{Build, as_image, as_sequence, image, positive, sequence, spread};
use crate::error::Result;
use crate::fields::{LARGEST, out_of_range, spec};
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Activation, Init, Padding, Pair, Regularizer, SequencePadding};
use crate::ops::conv2d::{Conv2d, Conv2dInputGrad};

spec! {
    /// activation(x ∗ W + b): sequences `[N, T, C]` -> `[N, T', filters]`, with kernel W `[k, C / groups, filters]` and bias b `[filters]`
    /// (Keras's `Conv1D`): a convolution over images of one row.
    pub struct Conv1D {
        /// Output channels.
        filters: usize;
        /// Steps under the window.
        kernel_size: usize;
        /// Steps from one window to the next.
        strides: usize = 1;
        /// What happens at the ends.
        padding: SequencePadding = SequencePadding::Valid;
        /// Distance of the window's taps.
        dilation_rate: usize = 1;
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

    /// activation(x ∗ᵀ W + b): images `[N, H, W, C]` -> `[N, H', W', filters]`, with kernel W `[kh, kw, filters, C]` and bias b `[filters]` (Keras's
    /// `Conv2DTranspose`): what a convolution with these strides and this padding hands back to its input. Padding `same` gives H' = H · stride,
    /// `valid` H' = H · stride + max(kh − stride, 0).
    pub struct Conv2DTranspose {
        /// Output channels.
        filters: usize;
        /// Rows and columns of the window.
        kernel_size: Pair;
        /// How many rows and columns one becomes.
        strides: Pair = 1.into();
        /// The padding of the convolution that is transposed.
        padding: Padding = Padding::Valid;
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

impl Conv2DTranspose {
    /// With Keras's defaults.
    pub fn new(filters: usize, kernel_size: usize, activation: Activation) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.into(),
            strides: 1.into(),
            padding: Padding::Valid,
            activation,
            use_bias: true,
            kernel_initializer: Init(Initializer::GlorotUniform),
            bias_initializer: Init(Initializer::Zeros),
            kernel_regularizer: None,
            bias_regularizer: None,
        }
    }
}

/// Checks the numbers of a convolution over that many channels.
fn check(filters: usize, [rows, cols]: [usize; 2], channels: usize, Conv2d { stride, dilation, groups, .. }: &Conv2d) -> Result<()> {
    positive(&[
        ("filters", filters),
        ("kernel_size", rows.min(cols)),
        ("strides", stride[0].min(stride[1])),
        ("dilation_rate", dilation[0].min(dilation[1])),
        ("groups", *groups),
    ])?;
    if !channels.is_multiple_of(*groups) {
        return Err(out_of_range("groups", &format!("a divisor of the {channels} input channels"), groups));
    }
    if !filters.is_multiple_of(*groups) {
        return Err(out_of_range("filters", &format!("a multiple of the {groups} groups"), filters));
    }
    let reach = |taps: usize, distance: usize| (taps - 1).checked_mul(distance).is_some_and(|reach| reach < LARGEST);
    if !reach(rows, dilation[0]) || !reach(cols, dilation[1]) {
        let got = format!("{}×{}", dilation[0], dilation[1]);
        return Err(out_of_range("dilation_rate", &format!("so small that the window spans less than {LARGEST}"), got));
    }
    Ok(())
}

/// product + b, where there is a bias b `[filters]`.
fn biased(
    cx: &mut LayerCx,
    product: NodeId,
    (use_bias, filters): (bool, usize),
    initializer: &Init,
    regularizer: Option<Regularizer>,
) -> Result<NodeId> {
    if !use_bias {
        return Ok(product);
    }
    let bias = cx.parameter("bias", &[filters], initializer, regularizer)?;
    cx.graph.add(product, bias)
}

impl Conv1D {
    /// Such a layer with a window of `kernel_size` steps.
    pub fn new(filters: usize, kernel_size: usize, activation: Activation) -> Self {
        Self {
            filters,
            kernel_size,
            strides: 1,
            padding: SequencePadding::Valid,
            dilation_rate: 1,
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

impl Build for Conv1D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [length, channels] = sequence("Conv1D", cx.graph.shape(x))?;
        let back = self.kernel_size.saturating_sub(1).saturating_mul(self.dilation_rate);
        let (stride, dilation) = ([1, self.strides], [1, self.dilation_rate]);
        let conv = Conv2d { stride, padding: self.padding.op(back), dilation, groups: self.groups, ..Conv2d::default() };
        check(self.filters, [1, self.kernel_size], channels, &conv)?;
        let row = as_image(cx, x, length, back + 1, conv.padding)?;
        let group_in = channels / self.groups;
        let shape = [self.kernel_size, group_in, self.filters];
        let kernel = cx.parameter("kernel", &shape, &self.kernel_initializer, self.kernel_regularizer)?;
        let kernel = cx.graph.reshape(kernel, [1, self.kernel_size, group_in, self.filters])?;
        let product = cx.graph.conv2d(row, kernel, conv)?;
        let product = as_sequence(cx, product)?;
        let sum = biased(cx, product, (self.use_bias, self.filters), &self.bias_initializer, self.bias_regularizer)?;
        self.activation.build(cx.graph, sum)
    }
}

impl Build for Conv2D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, channels] = image("Conv2D", cx.graph.shape(x))?;
        let (Pair([rows, cols]), Pair(stride), Pair(dilation)) = (self.kernel_size, self.strides, self.dilation_rate);
        let conv = Conv2d { stride, padding: self.padding.op(), dilation, groups: self.groups, ..Conv2d::default() };
        check(self.filters, [rows, cols], channels, &conv)?;
        conv.padding.place([height, width], [rows, cols], stride, dilation)?;
        let kernel = [rows, cols, channels / self.groups, self.filters];
        let kernel = cx.parameter("kernel", &kernel, &self.kernel_initializer, self.kernel_regularizer)?;
        let product = cx.graph.conv2d(x, kernel, conv)?;
        let sum = biased(cx, product, (self.use_bias, self.filters), &self.bias_initializer, self.bias_regularizer)?;
        self.activation.build(cx.graph, sum)
    }
}

impl Build for Conv2DTranspose {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, channels] = image("Conv2DTranspose", cx.graph.shape(x))?;
        let (Pair([rows, cols]), Pair(stride)) = (self.kernel_size, self.strides);
        let conv = Conv2d { stride, padding: self.padding.op(), ..Conv2d::default() };
        check(self.filters, [rows, cols], channels, &conv)?;
        let beyond = |taps: usize, stride: usize| match self.padding {
            Padding::Valid => taps.saturating_sub(stride),
            Padding::Same => 0,
        };
        let input = spread("strides", [height, width], stride, [beyond(rows, stride[0]), beyond(cols, stride[1])])?;
        let kernel = [rows, cols, self.filters, channels];
        let kernel = cx.parameter("kernel", &kernel, &self.kernel_initializer, self.kernel_regularizer)?;
        let product = cx.graph.push(Conv2dInputGrad { conv, input }.into(), &[x, kernel])?;
        cx.name(product, "conv2d_transpose");
        let sum = biased(cx, product, (self.use_bias, self.filters), &self.bias_initializer, self.bias_regularizer)?;
        self.activation.build(cx.graph, sum)
    }
}
