//! What stands in the place of hidden tokens.

use serde::Serialize;

use super::kernel::literal;
use super::pointwise::Pointwise;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{DType, Meta};

/// y = x where `hidden` is at most ½. Elsewhere, with u uniform in [0, 1): the token `mask` where u < `mask_rate`, one of `first..vocabulary` where u is within the
/// next `random_rate`, and x above (Devlin et al. 2019). Tokens x and `hidden` have one shape, as y. Which random token it is u says too, by where
/// in its range it lies. u is a function of seed, stream, step and position. No gradient flows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "mask_tokens")]
pub struct MaskTokens {
    /// Tells the random numbers of a graph's operations apart.
    pub stream: u32,
    /// The token that says that something is hidden.
    pub mask: usize,
    /// Share of hidden tokens that become it.
    pub mask_rate: f32,
    /// Share of hidden tokens that become any.
    pub random_rate: f32,
    /// The first of those.
    pub first: usize,
    /// One behind the last of those.
    pub vocabulary: usize,
}

impl Graph {
    /// The tokens `x` with others in the place of those that are `hidden`; `mask` says which, but for its stream.
    pub fn mask_tokens(&mut self, x: NodeId, hidden: NodeId, mask: MaskTokens) -> Result<NodeId> {
        let stream = self.fresh_stream();
        self.push(MaskTokens { stream, ..mask }.into(), &[x, hidden])
    }
}

impl MaskTokens {
    /// Random tokens that there are.
    fn choices(&self) -> usize {
        self.vocabulary - self.first
    }

    /// What stands in the place of the hidden token `x`.
    fn replaced(&self, u: f32, x: f64) -> f64 {
        if u < self.mask_rate {
            self.mask as f64
        } else if u < self.mask_rate + self.random_rate {
            let chosen = ((u - self.mask_rate) / self.random_rate * self.choices() as f32).floor();
            self.first as f64 + f64::from(chosen.min(self.choices() as f32 - 1.0))
        } else {
            x
        }
    }
}

impl OpDef for MaskTokens {
    fn name(&self) -> &'static str {
        "mask_tokens"
    }

    fn formula(&self) -> String {
        let percent = |share: f32| format!(r"{}\%", (100.0 * share).round());
        let (mask, kept) = (percent(self.mask_rate), percent(self.mask_rate + self.random_rate));
        let cases = [
            format!(r"{} & h_i = 1, u_i < {mask}", self.mask),
            format!(r"\text{{random}} & h_i = 1, {mask} \le u_i < {kept}"),
            r"x_i & \text{else}".into(),
        ];
        format!(r"y_i = \begin{{cases}} {} \end{{cases}}", cases.join(r" \\ "))
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, hidden] = [0, 1].map(|input: usize| &inputs[input].shape);
        match inputs[0].dtype {
            DType::Index if x == hidden => Ok(Meta::index(x.clone())),
            _ => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", x), ("right", hidden)])),
        }
    }

    fn grad(&self, _: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None, None])
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        for (index, (y, (&x, &hidden))) in out.iter_mut().zip(inputs[0].data.iter().zip(inputs[1].data)).enumerate() {
            *y = if hidden.double() > 0.5 { T::of(self.replaced(cx.random(self.stream, index), x.double())) } else { x };
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let choices = self.choices();
        let code = format!(
            "var token = load0(i);
    if (load1(i) > 0.5) {{
        let u = random({stream}u, i);
        if (u < {mask_rate}) {{ token = {mask}.0; }}
        else if (u < {kept}) {{ token = {first}.0 + min(floor((u - {mask_rate}) / {random_rate} * {choices}.0), {last}.0); }}
    }}
    store(i, token);",
            stream = self.stream,
            mask_rate = literal(self.mask_rate),
            mask = self.mask,
            kept = literal(self.mask_rate + self.random_rate),
            first = self.first,
            random_rate = literal(self.random_rate.max(f32::MIN_POSITIVE)),
            last = choices - 1,
        );
        vec![Pass::elementwise(cx.out.shape.numel(), &[0, 1], &code)]
    }

    /// The random token is the first plus as many as u has passed of the equal parts of its range.
    fn explain(&self, _: &[&Meta], out: usize) -> Expr {
        let u = Expr::Random { stream: self.stream, index: out };
        let above = |expr: &Expr, bound: f64| Expr::call(Pointwise::Greater, [expr.clone(), Expr::Constant(bound)]);
        let not = |expr: &Expr| Expr::call(Pointwise::Sub, [Expr::Constant(1.0), expr.clone()]);
        let (mask, random) = (f64::from(self.mask_rate), f64::from(self.random_rate));
        let hidden = above(&Expr::element(1, out), 0.5);
        let (beyond_mask, beyond_random) = (above(&u, mask), above(&u, f64::from(self.mask_rate + self.random_rate)));
        let parts = (1..self.choices()).map(|k| above(&u, mask + random * k as f64 / self.choices() as f64));
        let token = Expr::Sum(std::iter::once(Expr::Constant(self.first as f64)).chain(parts).collect());
        let kept = not(&Expr::Product(vec![hidden.clone(), not(&beyond_random)]));
        Expr::Sum(vec![
            Expr::Product(vec![kept, Expr::element(0, out)]),
            Expr::Product(vec![hidden.clone(), not(&beyond_mask), Expr::Constant(self.mask as f64)]),
            Expr::Product(vec![hidden, beyond_mask, not(&beyond_random), token]),
        ])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(2 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |shape: &[usize], mask_rate: f32, random_rate: f32| {
            let op = MaskTokens { stream: 1 << 17, mask: 12, mask_rate, random_rate, first: 2, vocabulary: 12 };
            let mut sample = Sample::new(&format!("mask_tokens {mask_rate} and {random_rate} of {shape:?}"), op, &[shape], (-1.0, 1.0));
            sample.inputs[0].0.data.iter_mut().for_each(|hidden| *hidden = f32::from(u8::from(*hidden > 0.0)));
            sample.with_index(0, shape, &[0, 7, 3, 11, 5, 2, 9])
        };
        vec![sample(&[4, 9], 0.8, 0.1), sample(&[3, 40], 0.25, 0.5), sample(&[70], 0.0, 1.0), sample(&[2, 3], 1.0, 0.0)]
    }
}
