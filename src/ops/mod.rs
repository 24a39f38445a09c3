//! The operations. A folder an op, holding everything about it: shape rule, gradient, CPU code, WGSL, explanation, cost and the samples that
//! every test suite runs. This file is the registry: adding an op is its folder and one line here; a rule that is missing does not compile.

pub mod affine;
pub mod argmax;
pub mod attention;
pub mod broadcast;
mod build;
pub mod concat;
pub mod conv2d;
pub mod cross_entropy;
pub mod cumsum;
pub mod dropout;
pub mod eval;
pub mod explain;
pub mod gather;
pub mod kernel;
pub mod mask_tokens;
pub mod matmul;
pub mod normalize;
pub mod pad;
pub mod pointwise;
pub mod pool2d;
pub mod random;
pub mod real;
pub mod reduce;
pub mod reference;
pub mod reshape;
pub mod rows;
pub mod slice;
pub mod softmax;
mod strided;
pub mod top_k;
pub mod transpose;
pub mod tril;
pub mod window;

use serde::Serialize;

pub use explain::Expr;
pub use kernel::{KernelCx, Pass};
pub use real::{CpuCx, Real, View};

use crate::error::Result;
use crate::graph::{self, NodeId, Operation};
use crate::tensor::{DType, HostTensor, Meta};

/// The graph over the registered operations.
pub type Graph = graph::Graph<Op>;
/// One of its nodes.
pub type Node = graph::Node<Op>;

/// Everything about an operation.
pub trait OpDef: Clone + Into<Op> {
    /// The field's name: `"conv2d"`.
    fn name(&self) -> &'static str;

    /// What it computes, as TeX, with the inputs called `a`, `b`, ... or by their usual letters: `y = \max(0, x)`.
    fn formula(&self) -> String;

    /// Shape and dtype of the result, or an error that names both shapes.
    fn infer(&self, inputs: &[&Meta]) -> Result<Meta>;

    /// Emits the nodes of the gradient with respect to each input (none where no gradient flows).
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>>;

    /// Computes the result; generic, so that the gradient check can run in double precision. Hot loops go through [`Real`]'s kernels, which
    /// are SIMD code for `f32`. `out` has unspecified contents at first.
    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]);

    /// The GPU passes that compute the result (see [`kernel`] for the conventions).
    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass>;

    /// Element `out` (row-major) as an expression over elements of the inputs.
    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr;

    /// Floating-point operations and elements moved.
    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost;

    /// Where each example of the result is made from that example of some inputs, and from the others whole: which inputs are the former.
    fn by_rows(&self) -> &'static [bool] {
        &[]
    }

    /// Shapes, values and attributes that every suite runs.
    fn samples() -> Vec<Sample>;
}

/// What a gradient rule may use.
pub struct GradCx<'a> {
    /// Where to emit.
    pub graph: &'a mut Graph,
    /// Inputs of the node.
    pub inputs: &'a [NodeId],
    /// The node itself: its value may be cheaper to keep than its inputs.
    pub out: NodeId,
    /// Gradient of the loss with respect to the node.
    pub dy: NodeId,
}

/// Work of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations; a multiply-add is two.
    pub flops: f64,
    /// Bytes read and written, each input and output once.
    pub bytes: f64,
}

impl Cost {
    /// Cost of `flops` operations over these operands.
    pub fn new(flops: usize, inputs: &[&Meta], out: &Meta) -> Self {
        let elements: usize = inputs.iter().map(|meta| meta.shape.numel()).sum::<usize>() + out.shape.numel();
        Self { flops: flops as f64, bytes: 4.0 * elements as f64 }
    }
}

/// An operation with inputs, which every suite runs: gradient check, golden values, CPU against GPU, explanation.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Unique: `"conv2d stride 2 same"`.
    pub name: String,
    /// The operation.
    pub op: Op,
    /// Its inputs with their meaning.
    pub inputs: Vec<(HostTensor, DType)>,
}

impl Sample {
    /// A sample over real inputs of these shapes, with values drawn from `range` by a generator keyed by the name.
    pub fn new(name: &str, op: impl Into<Op>, shapes: &[&[usize]], range: (f32, f32)) -> Self {
        let key = name.bytes().fold(17u32, |key, byte| key.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let mut rng = crate::tensor::Rng::new(key, 0);
        let inputs = shapes.iter().map(|&shape| {
            let (low, high) = range;
            (HostTensor::from_fn(shape, |_| low + (high - low) * rng.uniform()), DType::F32)
        });
        Self { name: name.to_owned(), op: op.into(), inputs: inputs.collect() }
    }

    /// The same with whole numbers as input `position`.
    #[must_use]
    pub fn with_index(mut self, position: usize, shape: &[usize], values: &[usize]) -> Self {
        let tensor = HostTensor::from_fn(shape, |i| values[i % values.len()] as f32);
        self.inputs.insert(position, (tensor, DType::Index));
        self
    }

    /// Metas of the inputs.
    pub fn metas(&self) -> Vec<Meta> {
        self.inputs.iter().map(|(tensor, dtype)| Meta { shape: tensor.shape.clone(), dtype: *dtype }).collect()
    }
}

macro_rules! registry {
    ($($variant:ident($definition:path)),* $(,)?) => {
        /// Any registered operation.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Op {
            $(#[allow(missing_docs)] $variant($definition)),*
        }

        $(impl From<$definition> for Op {
            fn from(op: $definition) -> Self {
                Op::$variant(op)
            }
        })*

        impl Operation for Op {
            fn name(&self) -> &'static str {
                match self { $(Op::$variant(op) => op.name()),* }
            }

            fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
                match self { $(Op::$variant(op) => op.infer(inputs)),* }
            }
        }

        impl Op {
            /// See [`OpDef::formula`].
            pub fn formula(&self) -> String {
                match self { $(Op::$variant(op) => op.formula()),* }
            }

            /// See [`OpDef::grad`].
            pub fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
                match self { $(Op::$variant(op) => op.grad(cx)),* }
            }

            /// See [`OpDef::cpu`].
            pub fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
                match self { $(Op::$variant(op) => op.cpu(cx, inputs, out)),* }
            }

            /// See [`OpDef::wgsl`].
            pub fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
                match self { $(Op::$variant(op) => op.wgsl(cx)),* }
            }

            /// See [`OpDef::explain`].
            pub fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
                match self { $(Op::$variant(op) => op.explain(inputs, out)),* }
            }

            /// See [`OpDef::cost`].
            pub fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
                match self { $(Op::$variant(op) => op.cost(inputs, out)),* }
            }

            /// See [`OpDef::by_rows`].
            pub fn by_rows(&self) -> &'static [bool] {
                match self { $(Op::$variant(op) => op.by_rows()),* }
            }

            /// The samples of every operation.
            pub fn samples() -> Vec<Sample> {
                let mut all = Vec::new();
                $(all.extend(<$definition as OpDef>::samples());)*
                all
            }
        }
    };
}

registry! {
    Broadcast(broadcast::Broadcast),
    Pointwise(pointwise::Pointwise),
    MatMul(matmul::MatMul),
    Reduce(reduce::Reduce),
    Reshape(reshape::Reshape),
    Conv2d(conv2d::Conv2d),
    Conv2dInputGrad(conv2d::Conv2dInputGrad),
    Conv2dKernelGrad(conv2d::Conv2dKernelGrad),
    MaxPool2d(pool2d::MaxPool2d),
    MaxPool2dGrad(pool2d::MaxPool2dGrad),
    MaxPool2dGather(pool2d::MaxPool2dGather),
    AvgPool2d(pool2d::AvgPool2d),
    AvgPool2dGrad(pool2d::AvgPool2dGrad),
    Softmax(softmax::Softmax),
    LogSoftmax(softmax::LogSoftmax),
    SoftmaxCrossEntropy(cross_entropy::SoftmaxCrossEntropy),
    SoftmaxCrossEntropyGrad(cross_entropy::SoftmaxCrossEntropyGrad),
    Transpose(transpose::Transpose),
    Tril(tril::Tril),
    Slice(slice::Slice),
    Pad(pad::Pad),
    Concat(concat::Concat),
    AffineTransform(affine::AffineTransform),
    Gather(gather::Gather),
    GatherGrad(gather::GatherGrad),
    ArgMax(argmax::ArgMax),
    TopK(top_k::TopK),
    CumSum(cumsum::CumSum),
    Dropout(dropout::Dropout),
    RandomUniform(random::RandomUniform),
    MaskTokens(mask_tokens::MaskTokens),
    Normalize(normalize::Normalize),
    NormalizeGrad(normalize::NormalizeGrad),
    Attention(attention::Attention),
    AttentionGrad(attention::AttentionGrad),
}
