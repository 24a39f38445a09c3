//! The gradient of a normalisation.

use serde::Serialize;

use super::layout::Layout;
use super::{Normalize, Statistics, cases, cpu, kernel};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::pointwise::Pointwise;
use crate::ops::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::tensor::Meta;

/// dx = s (dy − mean(dy) − h mean(dy h)), with s = 1 / √(σ² + ε), h = s (x − μ), and means over the axes: x and dy of one shape, which is
/// dx's too (`torch.ops.aten.native_layer_norm_backward` without scale).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "normalize_grad")]
pub struct NormalizeGrad {
    /// The normalisation.
    pub of: Normalize,
}

impl OpDef for NormalizeGrad {
    fn name(&self) -> &'static str {
        "normalize_grad"
    }

    fn formula(&self) -> String {
        r"\partial x = \frac{\partial y - \overline{\partial y} - y \, \overline{\partial y \, y}}{\sqrt{\sigma^2 + \epsilon}}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let (x, dy) = (&inputs[0].shape, &inputs[1].shape);
        self.of.check(self.name(), x)?;
        if x != dy {
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", x), ("right", dy)]));
        }
        Ok(Meta::f32(x.clone()))
    }

    /// With u upstream, a = dy and m the mean: to dy, this operation on u, since it is symmetric. To x, through h, this operation on
    /// −s (u m(a h) + a m(u h)); and through s, −s² h (m(u a) − m(u) m(a) − m(u h) m(a h)).
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, x, a, u) = (&mut *cx.graph, cx.inputs[0], cx.inputs[1], cx.dy);
        let axes = &self.of.axes;
        let to_dy = g.push(self.clone().into(), &[x, u])?;

        let h = g.push(self.of.clone().into(), &[x])?;
        let variance = g.reduce(crate::ops::reduce::Reduction::Variance, x, axes, true)?;
        let epsilon = g.constant(self.of.epsilon);
        let square = g.add(variance, epsilon)?;
        let spread = g.sqrt(square)?;
        let mut mean_of_product = |left: NodeId, right: NodeId| {
            let product = g.mul(left, right)?;
            g.mean(product, axes, true)
        };
        let (m_ah, m_uh, m_ua) = (mean_of_product(a, h)?, mean_of_product(u, h)?, mean_of_product(u, a)?);
        let (m_a, m_u) = (g.mean(a, axes, true)?, g.mean(u, axes, true)?);

        let (left, right) = (g.mul(u, m_ah)?, g.mul(a, m_uh)?);
        let both = g.add(left, right)?;
        let through_h = g.div(both, spread)?;
        let through_h = g.push(self.clone().into(), &[x, through_h])?;

        let (levels, slopes) = (g.mul(m_u, m_a)?, g.mul(m_uh, m_ah)?);
        let rest = g.sub(m_ua, levels)?;
        let rest = g.sub(rest, slopes)?;
        let rest = g.div(rest, square)?;
        let through_s = g.mul(h, rest)?;
        let sum = g.add(through_h, through_s)?;
        Ok(vec![Some(g.neg(sum)?), Some(to_dy)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let layout = Layout::new(inputs[0].shape, &self.of.axes);
        cpu::backward(&layout, T::of(f64::from(self.of.epsilon)), inputs[0].data, inputs[1].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        kernel::backward(&Layout::new(&cx.inputs[0].shape, &self.of.axes), self.of.epsilon, cx.tuning.threads)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Statistics { members, share, mean, spread } = self.of.statistics(&inputs[0].shape, out);
        let dy = |at: usize| Expr::element(1, at);
        let average = |terms: Vec<Expr>| Expr::Product(vec![share.clone(), Expr::Sum(terms)]);
        let level = average(members.iter().map(|&at| dy(at)).collect());
        // The mean of dy (x − μ) is that of dy x less μ times that of dy.
        let products = average(members.iter().map(|&at| Expr::Product(vec![dy(at), Expr::element(0, at)])).collect());
        let slope = Expr::call(Pointwise::Sub, [products, Expr::Product(vec![mean.clone(), level.clone()])]);
        let over_spread = |value: Expr| Expr::call(Pointwise::Div, [value, spread.clone()]);
        let h = over_spread(Expr::call(Pointwise::Sub, [Expr::element(0, out), mean]));
        let centred = Expr::call(Pointwise::Sub, [dy(out), level]);
        over_spread(Expr::call(Pointwise::Sub, [centred, Expr::Product(vec![h, over_spread(slope)])]))
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(11 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |(shape, axes, epsilon): (&[usize], &[usize], f32)| {
            let op = NormalizeGrad { of: Normalize { axes: axes.to_vec(), epsilon } };
            Sample::new(&format!("normalize_grad {axes:?} of {shape:?}"), op, &[shape, shape], (-1.0, 2.0))
        };
        cases().into_iter().map(sample).collect()
    }
}
