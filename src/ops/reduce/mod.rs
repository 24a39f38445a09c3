//! Sum, mean, maximum and variance over any axes.

mod kernel;

use serde::Serialize;

use super::pointwise::Pointwise;
use super::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// What is made of the elements along the reduced axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest; ties share the gradient evenly (`torch.amax`).
    Max,
    /// Mean squared distance from their mean (`torch.var(unbiased=False)`, Keras's `var`).
    Variance,
}

/// `reduce(a)` over `axes`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "reduce")]
pub struct Reduce {
    /// What.
    pub reduction: Reduction,
    /// Over which axes, ascending.
    pub axes: Vec<usize>,
    /// Whether the reduced axes stay, with extent 1.
    pub keep_dims: bool,
}

impl Reduce {
    /// Elements that make one result.
    fn count(&self, shape: &Shape) -> usize {
        self.axes.iter().map(|&axis| shape[axis]).product()
    }

    /// Positions of the elements that make result `out`, in order: a base and the offsets along the reduced axes.
    fn sources(&self, shape: &Shape, out: usize) -> (usize, Vec<usize>) {
        let strides = shape.strides();
        let kept: Vec<usize> = (0..shape.rank()).filter(|axis| !self.axes.contains(axis)).collect();
        let position = |axes: &[usize], flat: usize| -> usize {
            let extents: Shape = axes.iter().map(|&axis| shape[axis]).collect();
            extents.unravel(flat).iter().zip(axes).map(|(i, &axis)| i * strides[axis]).sum()
        };
        let offsets = (0..self.count(shape)).map(|r| position(&self.axes, r)).collect();
        (position(&kept, out), offsets)
    }

    /// Where the reduced axes lie side by side, the tensor as `[outer, count, inner]`, of which the middle is reduced.
    fn as_blocks(&self, shape: &Shape) -> Option<[usize; 3]> {
        let (&first, &last) = (self.axes.first()?, self.axes.last()?);
        let side_by_side = self.axes.len() == last + 1 - first;
        side_by_side.then(|| [&shape[..first], &shape[first..=last], &shape[last + 1..]].map(|extents| extents.iter().product()))
    }
}

impl OpDef for Reduce {
    fn name(&self) -> &'static str {
        match self.reduction {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Max => "max",
            Reduction::Variance => "variance",
        }
    }

    fn formula(&self) -> String {
        match self.reduction {
            Reduction::Sum => r"y = \sum_i a_i",
            Reduction::Mean => r"y = \frac{1}{n} \sum_i a_i",
            Reduction::Max => r"y = \max_i a_i",
            Reduction::Variance => r"y = \frac{1}{n} \sum_i (a_i - \bar a)^2",
        }
        .into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        let ascending = self.axes.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || self.axes.iter().any(|&axis| axis >= shape.rank()) {
            let expected = format!("axes {:?} to exist", self.axes);
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", shape)]));
        }
        Ok(Meta::f32(shape.reduced(&self.axes, self.keep_dims)))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, x) = (&mut *cx.graph, cx.inputs[0]);
        let shape = g.shape(x).clone();
        let kept = shape.reduced(&self.axes, true);
        let dy = g.reshape(cx.dy, kept.clone())?;
        let share = 1.0 / self.count(&shape) as f32;
        let dx = match self.reduction {
            Reduction::Sum => dy,
            Reduction::Mean => g.scale(dy, share)?,
            Reduction::Max => {
                let y = g.reshape(cx.out, kept)?;
                let winners = g.equal(x, y)?;
                let ties = g.sum(winners, &self.axes, true)?;
                let each = g.div(dy, ties)?;
                g.mul(winners, each)?
            }
            Reduction::Variance => {
                let mean = g.mean(x, &self.axes, true)?;
                let distance = g.sub(x, mean)?;
                let slope = g.scale(distance, 2.0 * share)?;
                g.mul(slope, dy)?
            }
        };
        Ok(vec![Some(g.broadcast_to(dx, shape)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let View { data, shape } = inputs[0];
        let n = T::of(self.count(shape) as f64);
        if let (Reduction::Sum | Reduction::Mean, Some([outer, count, inner])) = (self.reduction, self.as_blocks(shape)) {
            match inner {
                1 if self.axes[0] > 0 => T::sum_cols(data, outer, count, out),
                _ => {
                    let blocks = data.chunks_exact((count * inner).max(1)).zip(out.chunks_exact_mut(inner.max(1)));
                    blocks.for_each(|(block, out)| T::sum_rows(block, count, inner, out));
                }
            }
            if self.reduction == Reduction::Mean {
                out.iter_mut().for_each(|y| *y = *y / n);
            }
            return;
        }
        let (_, offsets) = self.sources(shape, 0);
        for (position, y) in out.iter_mut().enumerate() {
            let base = self.base(shape, position);
            let elements = || offsets.iter().map(|offset| data[base + offset]);
            *y = match self.reduction {
                Reduction::Sum => elements().sum(),
                Reduction::Mean => elements().sum::<T>() / n,
                Reduction::Max => elements().fold(T::NEG_INFINITY, T::maximum),
                Reduction::Variance => {
                    let mean = elements().sum::<T>() / n;
                    elements().map(|x| (x - mean) * (x - mean)).sum::<T>() / n
                }
            };
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        kernel::passes(self, cx)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (base, offsets) = self.sources(&inputs[0].shape, out);
        let share = Expr::Constant(1.0 / offsets.len() as f64);
        let elements: Vec<Expr> = offsets.iter().map(|offset| Expr::element(0, base + offset)).collect();
        let mean = |terms: Vec<Expr>| Expr::Product(vec![share.clone(), Expr::Sum(terms)]);
        match self.reduction {
            Reduction::Sum => Expr::Sum(elements),
            Reduction::Mean => mean(elements),
            Reduction::Max => Expr::Max(elements),
            // The mean of the squares less the square of the mean: as many terms as elements, not as many squared.
            Reduction::Variance => {
                let squares = elements.iter().map(|x| Expr::Product(vec![x.clone(), x.clone()])).collect();
                let middle = mean(elements);
                Expr::call(Pointwise::Sub, [mean(squares), Expr::Product(vec![middle.clone(), middle])])
            }
        }
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let per_element = if self.reduction == Reduction::Variance { 4 } else { 1 };
        Cost::new(per_element * inputs[0].shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Variance] {
            for (shape, axes, keep_dims) in [
                (&[3, 4, 5][..], &[0, 1][..], false),
                (&[3, 4, 5], &[2], true),
                (&[3, 4, 5], &[1], false),
                (&[2, 3, 4, 5], &[1, 3], true),
                (&[4, 3], &[0, 1], false),
                (&[2, 300], &[1], false),
                (&[700, 3], &[0], false),
            ] {
                let op = Reduce { reduction, axes: axes.to_vec(), keep_dims };
                let name = format!("{} {axes:?} of {shape:?}", op.name());
                samples.push(Sample::new(&name, op, &[shape], (-1.0, 1.0)));
            }
        }
        samples
    }
}

impl Reduce {
    fn base(&self, shape: &Shape, out: usize) -> usize {
        let strides = shape.strides();
        let kept: Vec<usize> = (0..shape.rank()).filter(|axis| !self.axes.contains(axis)).collect();
        let extents: Shape = kept.iter().map(|&axis| shape[axis]).collect();
        extents.unravel(out).iter().zip(&kept).map(|(i, &axis)| i * strides[axis]).sum()
    }
}
