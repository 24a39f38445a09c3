//! The gradients of a convolution, as operations. Each is linear in both of its operands, so that its own gradients are again convolutions.

use serde::Serialize;

use super::{Conv2d, flops, geometry, kernel, samples};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::window::image;
use crate::ops::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::simd::ConvShape;
use crate::tensor::{Meta, Shape};

/// dx[n, y, x, c] = Σ dy[n, i, j, o] w[p, q, c, o] over the windows (i, j) whose tap (p, q) reads the pixel: dy `[N, H', W', O]`,
/// w `[kh, kw, C / groups, O]`, dx `[N, H, W, C]` (`torch.nn.grad.conv2d_input`; a transposed convolution).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "conv2d_input_grad")]
pub struct Conv2dInputGrad {
    /// The convolution.
    pub conv: Conv2d,
    /// Rows and columns of its input.
    pub input: [usize; 2],
}

/// dw[p, q, c, o] = Σ x[n, i·s + p·d − pad, j·s + q·d − pad, c] dy[n, i, j, o] over n, i, j: x `[N, H, W, C]`, dy `[N, H', W', O]`,
/// dw `[kh, kw, C / groups, O]` (`torch.nn.grad.conv2d_weight`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "conv2d_kernel_grad")]
pub struct Conv2dKernelGrad {
    /// The convolution.
    pub conv: Conv2d,
    /// Rows and columns of its kernel.
    pub kernel: [usize; 2],
}

/// The convolution's extents, if `dy` is of the shape that it gives.
fn checked(s: ConvShape, op: &str, dy: &Shape, other: &Shape) -> Result<ConvShape> {
    if dy[..] == [s.batch, s.out_h, s.out_w, s.out_c] {
        return Ok(s);
    }
    Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &op), ("left", dy), ("right", other)]))
}

impl Conv2dInputGrad {
    fn shape(&self, dy: &Shape, w: &Shape) -> Result<ConvShape> {
        let [batch, ..] = image(self.name(), dy)?;
        let channels = w.get(2).map_or(0, |&group_in| group_in * self.conv.groups);
        let x = Shape::from([batch, self.input[0], self.input[1], channels]);
        checked(self.conv.shape(&x, w)?, self.name(), dy, w)
    }
}

impl OpDef for Conv2dInputGrad {
    fn name(&self) -> &'static str {
        "conv2d_input_grad"
    }

    fn formula(&self) -> String {
        r"\partial x_{n,\,s i + p,\,s j + q,\,c} = \sum_{p,q,o} \partial y_{nijo} \, w_{pqco}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let s = self.shape(&inputs[0].shape, &inputs[1].shape)?;
        Ok(Meta::f32([s.batch, s.in_h, s.in_w, s.in_c]))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, dy, w, upstream) = (&mut *cx.graph, cx.inputs[0], cx.inputs[1], cx.dy);
        let kernel = g.shape(w).clone();
        let to_dy = g.conv2d(upstream, w, self.conv.clone())?;
        let to_w = g.push(Conv2dKernelGrad { conv: self.conv.clone(), kernel: [kernel[0], kernel[1]] }.into(), &[upstream, dy])?;
        Ok(vec![Some(to_dy), Some(to_w)])
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.shape(inputs[0].shape, inputs[1].shape) else { return };
        T::conv2d_dx(&s, inputs[0].data, inputs[1].data, out, &mut cx.scratch);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let Ok(s) = self.shape(&cx.inputs[0].shape, &cx.inputs[1].shape) else { return Vec::new() };
        kernel::input_grad(&s, cx.tuning)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.shape(&inputs[0].shape, &inputs[1].shape) else { return Expr::Sum(Vec::new()) };
        geometry::products_of_input(&s, out)
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let flops = self.shape(&inputs[0].shape, &inputs[1].shape).map_or(0, |s| flops(&s));
        Cost::new(flops, inputs, out)
    }

    fn by_rows(&self) -> &'static [bool] {
        &[true, false]
    }

    fn samples() -> Vec<Sample> {
        let sample = |case: samples::Case| {
            let (name, input) = (case.name("conv2d_input_grad"), [case.x[1], case.x[2]]);
            let (y, w) = (case.y(), case.w);
            Sample::new(&name, Conv2dInputGrad { conv: case.conv, input }, &[&y, &w], (-1.0, 1.0))
        };
        samples::cases().into_iter().map(sample).collect()
    }
}

impl Conv2dKernelGrad {
    fn shape(&self, x: &Shape, dy: &Shape) -> Result<ConvShape> {
        let ([.., channels], [.., filters]) = (image(self.name(), x)?, image(self.name(), dy)?);
        let w = Shape::from([self.kernel[0], self.kernel[1], channels / self.conv.groups.max(1), filters]);
        checked(self.conv.shape(x, &w)?, self.name(), dy, x)
    }
}

impl OpDef for Conv2dKernelGrad {
    fn name(&self) -> &'static str {
        "conv2d_kernel_grad"
    }

    fn formula(&self) -> String {
        r"\partial w_{pqco} = \sum_{n,i,j} x_{n,\,s i + p,\,s j + q,\,c} \, \partial y_{nijo}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let s = self.shape(&inputs[0].shape, &inputs[1].shape)?;
        Ok(Meta::f32([s.k_h, s.k_w, s.in_c / s.groups, s.out_c]))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, x, dy, upstream) = (&mut *cx.graph, cx.inputs[0], cx.inputs[1], cx.dy);
        let image = g.shape(x).clone();
        let to_x = g.push(Conv2dInputGrad { conv: self.conv.clone(), input: [image[1], image[2]] }.into(), &[dy, upstream])?;
        let to_dy = g.conv2d(x, upstream, self.conv.clone())?;
        Ok(vec![Some(to_x), Some(to_dy)])
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.shape(inputs[0].shape, inputs[1].shape) else { return };
        T::conv2d_dw(&s, inputs[0].data, inputs[1].data, out, &mut cx.scratch);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let Ok(s) = self.shape(&cx.inputs[0].shape, &cx.inputs[1].shape) else { return Vec::new() };
        kernel::kernel_grad(&s, cx.tuning)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.shape(&inputs[0].shape, &inputs[1].shape) else { return Expr::Sum(Vec::new()) };
        geometry::products_of_kernel(&s, out)
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let flops = self.shape(&inputs[0].shape, &inputs[1].shape).map_or(0, |s| flops(&s));
        Cost::new(flops, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |case: samples::Case| {
            let (name, kernel) = (case.name("conv2d_kernel_grad"), [case.w[0], case.w[1]]);
            let (x, y) = (case.x, case.y());
            Sample::new(&name, Conv2dKernelGrad { conv: case.conv, kernel }, &[&x, &y], (-1.0, 1.0))
        };
        samples::cases().into_iter().map(sample).collect()
    }
}
