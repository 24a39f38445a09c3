//! Methods of the graph that append the common operations by name.

use super::Graph;
use super::matmul::MatMul;
use super::pointwise::Pointwise;
use super::reduce::{Reduce, Reduction};
use crate::error::Result;
use crate::graph::NodeId;
use crate::tensor::Shape;

macro_rules! pointwise_methods {
    ($($(#[$meta:meta])* $name:ident($($argument:ident),*) => $op:ident;)*) => {
        impl Graph {$(
            $(#[$meta])*
            pub fn $name(&mut self, $($argument: NodeId),*) -> Result<NodeId> {
                self.push(Pointwise::$op.into(), &[$($argument),*])
            }
        )*}
    };
}

pointwise_methods! {
    /// a + b
    add(a, b) => Add;
    /// a − b
    sub(a, b) => Sub;
    /// a · b
    mul(a, b) => Mul;
    /// a / b
    div(a, b) => Div;
    /// The larger of the two.
    maximum(a, b) => Max;
    /// The smaller of the two.
    minimum(a, b) => Min;
    /// aᵇ
    pow(a, b) => Pow;
    /// 1 where a > b, else 0.
    greater(a, b) => Greater;
    /// 1 where a = b, else 0.
    equal(a, b) => Equal;
    /// a where `condition` is not 0, else b.
    select(condition, a, b) => Where;
    /// −a
    neg(a) => Neg;
    /// eᵃ
    exp(a) => Exp;
    /// ln a
    log(a) => Log;
    /// √a
    sqrt(a) => Sqrt;
    /// |a|
    abs(a) => Abs;
    /// sin a
    sin(a) => Sin;
    /// cos a
    cos(a) => Cos;
    /// −1, 0 or 1
    sign(a) => Sign;
    /// 1 / (1 + e⁻ᵃ)
    sigmoid(a) => Sigmoid;
    /// tanh a
    tanh(a) => Tanh;
    /// max(0, a)
    relu(a) => Relu;
    /// a Φ(a)
    gelu(a) => Gelu;
    /// a σ(a)
    silu(a) => Silu;
    /// ln(1 + eᵃ)
    softplus(a) => Softplus;
    /// Φ(a), the standard normal distribution's integral
    normal_cdf(a) => NormalCdf;
}

impl Graph {
    /// A product of matrices; leading axes are batches and broadcast.
    pub fn matmul(&mut self, a: NodeId, b: NodeId, transpose_a: bool, transpose_b: bool) -> Result<NodeId> {
        self.push(MatMul { transpose_a, transpose_b }.into(), &[a, b])
    }

    /// A reduction over some axes.
    pub fn reduce(&mut self, reduction: Reduction, a: NodeId, axes: &[usize], keep_dims: bool) -> Result<NodeId> {
        self.push(Reduce { reduction, axes: axes.to_vec(), keep_dims }.into(), &[a])
    }

    /// Sum over some axes.
    pub fn sum(&mut self, a: NodeId, axes: &[usize], keep_dims: bool) -> Result<NodeId> {
        self.reduce(Reduction::Sum, a, axes, keep_dims)
    }

    /// Mean over some axes.
    pub fn mean(&mut self, a: NodeId, axes: &[usize], keep_dims: bool) -> Result<NodeId> {
        self.reduce(Reduction::Mean, a, axes, keep_dims)
    }

    /// a times a fixed number.
    pub fn scale(&mut self, a: NodeId, factor: f32) -> Result<NodeId> {
        let factor = self.constant(factor);
        self.mul(a, factor)
    }

    /// Undoes broadcasting: sums `a` over the axes along which `shape` was repeated.
    pub fn sum_to(&mut self, a: NodeId, shape: &Shape) -> Result<NodeId> {
        if self.shape(a) == shape {
            return Ok(a);
        }
        let missing = self.shape(a).rank() - shape.rank();
        let from = self.shape(a).clone();
        let repeated = |axis: &usize| *axis < missing || (shape[*axis - missing] == 1 && from[*axis] != 1);
        let axes: Vec<usize> = (0..from.rank()).filter(repeated).collect();
        let summed = self.sum(a, &axes, false)?;
        if self.shape(summed) == shape { Ok(summed) } else { self.reshape(summed, shape.clone()) }
    }
}
