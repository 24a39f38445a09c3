//! Pointwise functions of one to three tensors, with NumPy broadcasting: a table. One row holds a function's name, formula, CPU code, WGSL and
//! derivative; everything else about pointwise ops follows from the rows.

mod chain;
mod op;
mod samples;

use serde::Serialize;

pub use chain::{Arg, Chain, Instr};

use super::{Graph, Real};
use crate::error::Result;
use crate::graph::{Kind, Leaf, NodeId};
use crate::simd::Lanes;
use crate::tensor::Shape;

/// Gradients with respect to the operands, before broadcasting is undone. A function of one has none for a second.
type Partials<const OPERANDS: usize = 2> = Result<[Option<NodeId>; OPERANDS]>;

/// How many gradients a row emits.
const fn partials(arity: usize) -> usize {
    if arity > 2 { arity } else { 2 }
}

macro_rules! table {
    ($($(#[$meta:meta])* $variant:ident $name:literal $arity:literal $tex:literal
        cpu |$a:ident, $b:ident $(, $c:ident)?| $cpu:expr;
        wgsl $wgsl:literal;
        grad |$g:ident, $x:ident, $w:ident, $y:ident, $dy:ident| $grad:expr;)*) => {
        /// A row of the table. The operands are called a, b and c.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(tag = "op", rename_all = "snake_case")]
        pub enum Pointwise {
            $($(#[$meta])* $variant,)*
        }

        impl Pointwise {
            /// Every row.
            pub const ALL: &[Pointwise] = &[$(Pointwise::$variant,)*];

            /// Name of the function.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Number of operands.
            pub const fn arity(self) -> usize {
                match self { $(Self::$variant => $arity,)* }
            }

            /// Formula, as TeX.
            pub const fn tex(self) -> &'static str {
                match self { $(Self::$variant => $tex,)* }
            }

            /// WGSL expression over `a`, `b` and `c`; it may call the functions of [`WGSL_FUNCTIONS`].
            pub const fn wgsl_expression(self) -> &'static str {
                match self { $(Self::$variant => $wgsl,)* }
            }

            /// f of the operands' elements at each place; those beyond the function's arity are not read.
            pub fn apply<T: Real>(self, [a, b, c]: [&[T]; 3], out: &mut [T]) {
                match self {
                    Self::Exp => return T::exp_all(a, out),
                    Self::Tanh => return T::tanh_all(a, out),
                    Self::Sigmoid => return T::sigmoid_all(a, out),
                    Self::NormalCdf => return T::normal_cdf_all(a, out),
                    Self::Gelu => return T::gelu_all(a, out),
                    _ => {}
                }
                if self.lanes().is_some_and(|function| T::lanes(function, a, b, out)) {
                    return;
                }
                match self { $(Self::$variant => {
                    if $arity == 1 {
                        for (out, &$a) in out.iter_mut().zip(a) {
                            #[allow(unused_variables)]
                            let $b = $a;
                            $(let $c = $a;)?
                            *out = $cpu;
                        }
                    } else if $arity == 2 {
                        for ((out, &$a), &$b) in out.iter_mut().zip(a).zip(b) {
                            $(let $c = $b;)?
                            *out = $cpu;
                        }
                    } else {
                        for (((out, &$a), &$b), &_c) in out.iter_mut().zip(a).zip(b).zip(c) {
                            $(let $c = _c;)?
                            *out = $cpu;
                        }
                    }
                })* }
            }

            /// Emits the gradients, given the first two operands, the result and the result's gradient.
            fn partials(self, graph: &mut Graph, x: [NodeId; 2], out: NodeId, upstream: NodeId) -> Partials<3> {
                let mut all = [None; 3];
                match self { $(Self::$variant => {
                    #[allow(unused_variables)]
                    fn row($g: &mut Graph, [$x, $w]: [NodeId; 2], $y: NodeId, $dy: NodeId) -> Partials<{ partials($arity) }> {
                        $grad
                    }
                    let own = row(graph, x, out, upstream)?;
                    all[..own.len()].copy_from_slice(&own);
                })* }
                Ok(all)
            }
        }
    };
}

/// What the operands are called.
const OPERANDS: [&str; 3] = ["a", "b", "c"];

/// WGSL functions that rows use.
pub const WGSL_FUNCTIONS: &str = include_str!("functions.wgsl");

table! {
    /// a + b
    Add "add" 2 r"a + b"
        cpu |a, b| a + b; wgsl "a + b";
        grad |_g, _a, _b, _y, dy| Ok([Some(dy), Some(dy)]);
    /// a − b
    Sub "sub" 2 r"a - b"
        cpu |a, b| a - b; wgsl "a - b";
        grad |g, _a, _b, _y, dy| Ok([Some(dy), Some(g.neg(dy)?)]);
    /// a · b
    Mul "mul" 2 r"a \cdot b"
        cpu |a, b| a * b; wgsl "a * b";
        grad |g, a, b, _y, dy| Ok([Some(g.mul(dy, b)?), Some(g.mul(dy, a)?)]);
    /// a / b
    Div "div" 2 r"\frac{a}{b}"
        cpu |a, b| a / b; wgsl "a / b";
        grad |g, _a, b, y, dy| {
            let da = g.div(dy, b)?;
            let slope = g.mul(da, y)?;
            Ok([Some(da), Some(g.neg(slope)?)])
        };
    /// aᵇ; the gradient with respect to b is defined for a > 0
    Pow "pow" 2 r"a^{b}"
        cpu |a, b| a.powf(b); wgsl "pow_(a, b)";
        grad |g, a, b, y, dy| {
            let one = g.constant(1.0);
            let less = g.sub(b, one)?;
            let power = g.pow(a, less)?;
            let slope = g.mul(b, power)?;
            let da = g.mul(dy, slope)?;
            // Nobody asks for a written exponent's gradient, which is not even a number where a < 0.
            if matches!(g.node(b).kind, Kind::Leaf(Leaf::Constant(_))) {
                return Ok([Some(da), None]);
            }
            let log = g.log(a)?;
            let db = g.mul(y, log)?;
            Ok([Some(da), Some(g.mul(dy, db)?)])
        };
    /// The larger of a and b; at a tie each gets half of the gradient, as in PyTorch
    Max "maximum" 2 r"\max(a, b)"
        cpu |a, b| a.maximum(b); wgsl "max(a, b)";
        grad |g, a, b, _y, dy| share(g, a, b, dy);
    /// The smaller of a and b; at a tie each gets half of the gradient
    Min "minimum" 2 r"\min(a, b)"
        cpu |a, b| a.minimum(b); wgsl "min(a, b)";
        grad |g, a, b, _y, dy| {
            let [db, da] = share(g, a, b, dy)?;
            Ok([da, db])
        };
    /// 1 where a > b, else 0
    Greater "greater" 2 r"[a > b]"
        cpu |a, b| T::flag(a > b); wgsl "select(0.0, 1.0, a > b)";
        grad |_g, _a, _b, _y, _dy| Ok([None, None]);
    /// 1 where a = b, else 0
    Equal "equal" 2 r"[a = b]"
        cpu |a, b| T::flag(a == b); wgsl "select(0.0, 1.0, a == b)";
        grad |_g, _a, _b, _y, _dy| Ok([None, None]);
    /// a where a > 0, else b · a: leaky ReLU with slope b (Keras's `negative_slope`)
    LeakyRelu "leaky_relu" 2 r"\max(0, a) + b \min(0, a)"
        cpu |a, b| if a > T::ZERO { a } else { a * b }; wgsl "select(a * b, a, a > 0.0)";
        grad |g, a, b, _y, dy| {
            let zero = g.constant(0.0);
            let one = g.constant(1.0);
            let open = g.greater(a, zero)?;
            let closed = g.sub(one, open)?;
            let leak = g.mul(closed, b)?;
            let slope = g.add(open, leak)?;
            let negative = g.mul(closed, a)?;
            Ok([Some(g.mul(dy, slope)?), Some(g.mul(dy, negative)?)])
        };
    /// b where a is not 0, else c: `torch.where` of a condition and two values
    Where "where" 3 r"\begin{cases} b & a \ne 0 \\ c & a = 0 \end{cases}"
        cpu |a, b, c| if a == T::ZERO { c } else { b }; wgsl "select(b, c, a == 0.0)";
        grad |g, a, _b, _y, dy| {
            let zero = g.constant(0.0);
            Ok([None, Some(g.select(a, dy, zero)?), Some(g.select(a, zero, dy)?)])
        };
    /// Huber's loss of an error a with threshold b: a²/2 near 0, b (|a| − b/2) beyond
    Huber "huber" 2 r"\begin{cases} a^2 / 2 & |a| \le b \\ b\,(|a| - b/2) & |a| > b \end{cases}"
        cpu |a, b| if a.abs() > b { b * (a.abs() - T::of(0.5) * b) } else { T::of(0.5) * a * a };
        wgsl "select(0.5 * a * a, b * (abs(a) - 0.5 * b), abs(a) > b)";
        grad |g, a, b, _y, dy| {
            let low = g.neg(b)?;
            let above = g.maximum(a, low)?;
            let slope = g.minimum(above, b)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// −a
    Neg "neg" 1 r"-a"
        cpu |a, _b| -a; wgsl "-a";
        grad |g, _a, _b, _y, dy| Ok([Some(g.neg(dy)?), None]);
    /// eᵃ
    Exp "exp" 1 r"e^{a}"
        cpu |a, _b| a.exp(); wgsl "exp(a)";
        grad |g, _a, _b, y, dy| Ok([Some(g.mul(dy, y)?), None]);
    /// ln a
    Log "log" 1 r"\ln a"
        cpu |a, _b| a.ln(); wgsl "log(a)";
        grad |g, a, _b, _y, dy| Ok([Some(g.div(dy, a)?), None]);
    /// √a
    Sqrt "sqrt" 1 r"\sqrt{a}"
        cpu |a, _b| a.sqrt(); wgsl "sqrt(a)";
        grad |g, _a, _b, y, dy| {
            let half = g.scale(dy, 0.5)?;
            Ok([Some(g.div(half, y)?), None])
        };
    /// |a|
    Abs "abs" 1 r"|a|"
        cpu |a, _b| a.abs(); wgsl "abs(a)";
        grad |g, a, _b, _y, dy| {
            let sign = g.sign(a)?;
            Ok([Some(g.mul(dy, sign)?), None])
        };
    /// sin a
    Sin "sin" 1 r"\sin a"
        cpu |a, _b| a.sin(); wgsl "sin_(a)";
        grad |g, a, _b, _y, dy| {
            let slope = g.cos(a)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// cos a
    Cos "cos" 1 r"\cos a"
        cpu |a, _b| a.cos(); wgsl "cos_(a)";
        grad |g, a, _b, _y, dy| {
            let sine = g.sin(a)?;
            let slope = g.neg(sine)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// −1, 0 or 1
    Sign "sign" 1 r"\operatorname{sign} a"
        cpu |a, _b| T::flag(a > T::ZERO) - T::flag(a < T::ZERO); wgsl "sign(a)";
        grad |_g, _a, _b, _y, _dy| Ok([None, None]);
    /// 1 / (1 + e⁻ᵃ)
    Sigmoid "sigmoid" 1 r"\frac{1}{1 + e^{-a}}"
        cpu |a, _b| T::ONE / (T::ONE + (-a).exp()); wgsl "1.0 / (1.0 + exp(-a))";
        grad |g, _a, _b, y, dy| {
            let one = g.constant(1.0);
            let rest = g.sub(one, y)?;
            let slope = g.mul(y, rest)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// tanh a
    Tanh "tanh" 1 r"\tanh a"
        cpu |a, _b| a.tanh(); wgsl "tanh_(a)";
        grad |g, _a, _b, y, dy| {
            let one = g.constant(1.0);
            let square = g.mul(y, y)?;
            let slope = g.sub(one, square)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// max(0, a); the gradient at 0 is 0
    Relu "relu" 1 r"\max(0, a)"
        cpu |a, _b| a.maximum(T::ZERO); wgsl "max(a, 0.0)";
        grad |g, _a, _b, y, dy| {
            let zero = g.constant(0.0);
            let open = g.greater(y, zero)?;
            Ok([Some(g.mul(dy, open)?), None])
        };
    /// a Φ(a), exact (not the tanh approximation)
    Gelu "gelu" 1 r"a \, \Phi(a)"
        cpu |a, _b| a * cdf(a); wgsl "a * 0.5 * (1.0 + erf_(a * 0.70710678))";
        grad |g, a, _b, _y, dy| {
            let cdf = g.normal_cdf(a)?;
            let density = density(g, a)?;
            let rise = g.mul(a, density)?;
            let slope = g.add(cdf, rise)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// a σ(a), also called swish
    Silu "silu" 1 r"a \, \sigma(a)"
        cpu |a, _b| a / (T::ONE + (-a).exp()); wgsl "a / (1.0 + exp(-a))";
        grad |g, a, _b, y, dy| {
            let one = g.constant(1.0);
            let sigmoid = g.sigmoid(a)?;
            let rest = g.sub(one, sigmoid)?;
            let rise = g.mul(y, rest)?;
            let slope = g.add(sigmoid, rise)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// ln(1 + eᵃ)
    Softplus "softplus" 1 r"\ln(1 + e^{a})"
        cpu |a, _b| a.maximum(T::ZERO) + (-a.abs()).exp().ln_1p(); wgsl "log1p_exp_(a)";
        grad |g, a, _b, _y, dy| {
            let slope = g.sigmoid(a)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// Φ(a): the share of a standard normal distribution below a
    NormalCdf "normal_cdf" 1 r"\Phi(a)"
        cpu |a, _b| cdf(a); wgsl "0.5 * (1.0 + erf_(a * 0.70710678))";
        grad |g, a, _b, _y, dy| {
            let slope = density(g, a)?;
            Ok([Some(g.mul(dy, slope)?), None])
        };
    /// Binary cross-entropy of a logit a with a target b in [0, 1]: ln(1 + eᵃ) − a b
    /// (`binary_cross_entropy_with_logits`)
    LogitCrossEntropy "binary_cross_entropy_with_logits" 2 r"\ln(1 + e^{a}) - a b"
        cpu |a, b| a.maximum(T::ZERO) + (-a.abs()).exp().ln_1p() - a * b; wgsl "log1p_exp_(a) - a * b";
        grad |g, a, b, _y, dy| {
            let probability = g.sigmoid(a)?;
            let slope = g.sub(probability, b)?;
            let da = g.mul(dy, slope)?;
            let db = g.mul(dy, a)?;
            Ok([Some(da), Some(g.neg(db)?)])
        };
}

pub(super) fn cdf<T: Real>(x: T) -> T {
    T::of(0.5) * (T::ONE + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// Density of the standard normal distribution at a.
fn density(g: &mut Graph, a: NodeId) -> Result<NodeId> {
    let square = g.mul(a, a)?;
    let exponent = g.scale(square, -0.5)?;
    let bell = g.exp(exponent)?;
    g.scale(bell, 0.398_942_3)
}

/// Gradients of a maximum: 1 to the larger, half to each at a tie.
fn share(g: &mut Graph, a: NodeId, b: NodeId, dy: NodeId) -> Partials {
    let larger = g.greater(a, b)?;
    let tie = g.equal(a, b)?;
    let half = g.scale(tie, 0.5)?;
    let to_a = g.add(larger, half)?;
    let one = g.constant(1.0);
    let to_b = g.sub(one, to_a)?;
    Ok([Some(g.mul(dy, to_a)?), Some(g.mul(dy, to_b)?)])
}

impl Pointwise {
    /// The function of the SIMD kernels that it is, if it is one.
    fn lanes(self) -> Option<Lanes> {
        Some(match self {
            Self::Add => Lanes::Add,
            Self::Sub => Lanes::Sub,
            Self::Mul => Lanes::Mul,
            Self::Div => Lanes::Div,
            Self::Greater => Lanes::Greater,
            Self::Relu => Lanes::Relu,
            Self::Sqrt => Lanes::Sqrt,
            _ => return None,
        })
    }

    /// The shape that all operands broadcast to.
    fn shape<'a>(self, mut operands: impl Iterator<Item = &'a Shape>) -> Result<Shape> {
        operands.try_fold(Shape::scalar(), |shape, operand| Shape::broadcast(self.label(), &shape, operand))
    }
}
