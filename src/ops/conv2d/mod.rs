//! Two-dimensional convolution (cross-correlation, as every framework has it), with strides, padding, dilation and groups. Its two gradients
//! are operations of their own; the three express one another's gradients.

mod geometry;
mod grads;
mod kernel;
mod samples;

use serde::Serialize;

pub use grads::{Conv2dInputGrad, Conv2dKernelGrad};

use super::window::{self, Padding};
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::simd::ConvShape;
use crate::tensor::{Meta, Shape};

/// y[n, i, j, o] = Σ x[n, i·s + p·d − pad, j·s + q·d − pad, c] w[p, q, c, o] over p, q, c: x `[N, H, W, C]`, w `[kh, kw, C / groups, O]`,
/// y `[N, H', W', O]` (`keras.layers.Conv2D`; `torch.nn.functional.conv2d` in other layouts). With groups, output channels are in as many
/// blocks, each of which sees its own block of input channels.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "conv2d")]
pub struct Conv2d {
    /// Pixels from one window to the next: down, across.
    pub stride: [usize; 2],
    /// What surrounds the image.
    pub padding: Padding,
    /// Pixels from one tap to the next: down, across.
    pub dilation: [usize; 2],
    /// Blocks of channels that do not see one another; C of them make a depthwise convolution.
    pub groups: usize,
    /// Rows and columns of the result that are computed, from the top left, where not all are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<[usize; 2]>,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: [1, 1], padding: Padding::Valid, dilation: [1, 1], groups: 1, only: None }
    }
}

impl Graph {
    /// The convolution of images `[N, H, W, C]` with a kernel `[kh, kw, C / groups, O]`.
    pub fn conv2d(&mut self, x: NodeId, kernel: NodeId, conv: Conv2d) -> Result<NodeId> {
        self.push(conv.into(), &[x, kernel])
    }
}

impl Conv2d {
    /// Extents for images `x` and kernel `w`.
    fn shape(&self, x: &Shape, w: &Shape) -> Result<ConvShape> {
        let [batch, in_h, in_w, in_c] = window::image("conv2d", x)?;
        let mismatch = || Error::new(ErrorCode::ShapeMismatch, &[("op", &"conv2d"), ("left", x), ("right", w)]);
        let &[k_h, k_w, group_in, out_c] = &w[..] else { return Err(mismatch()) };
        if self.groups == 0 || !out_c.is_multiple_of(self.groups) {
            let expected = format!("a divisor of {out_c} filters");
            return Err(Error::new(ErrorCode::BadValue, &[("name", &"groups"), ("expected", &expected), ("got", &self.groups)]));
        }
        if group_in * self.groups != in_c {
            return Err(mismatch());
        }
        let placed = self.padding.place([in_h, in_w], [k_h, k_w], self.stride, self.dilation)?;
        let ([out_h, out_w], [pad_top, pad_left]) = (self.only.unwrap_or(placed.out), placed.before);
        if out_h > placed.out[0] || out_w > placed.out[1] {
            return Err(mismatch());
        }
        let (stride, dilation, groups) = (self.stride, self.dilation, self.groups);
        Ok(ConvShape { batch, in_h, in_w, in_c, out_h, out_w, out_c, k_h, k_w, stride, pad_top, pad_left, dilation, groups })
    }
}

/// Multiply-adds count twice; taps in the padding are counted, as is usual.
fn flops(s: &ConvShape) -> usize {
    2 * s.batch * s.out_h * s.out_w * s.out_c * s.k_h * s.k_w * (s.in_c / s.groups)
}

impl OpDef for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn formula(&self) -> String {
        r"y_{nijo} = \sum_{p,q,c} x_{n,\,s i + p,\,s j + q,\,c} \, w_{pqco}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let s = self.shape(&inputs[0].shape, &inputs[1].shape)?;
        Ok(Meta::f32([s.batch, s.out_h, s.out_w, s.out_c]))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, x, w, dy) = (&mut *cx.graph, cx.inputs[0], cx.inputs[1], cx.dy);
        let (image, kernel) = (g.shape(x).clone(), g.shape(w).clone());
        let dx = g.push(Conv2dInputGrad { conv: self.clone(), input: [image[1], image[2]] }.into(), &[dy, w])?;
        let dw = g.push(Conv2dKernelGrad { conv: self.clone(), kernel: [kernel[0], kernel[1]] }.into(), &[x, dy])?;
        Ok(vec![Some(dx), Some(dw)])
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.shape(inputs[0].shape, inputs[1].shape) else { return };
        T::conv2d(&s, inputs[0].data, inputs[1].data, out, &mut cx.scratch);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let Ok(s) = self.shape(&cx.inputs[0].shape, &cx.inputs[1].shape) else { return Vec::new() };
        kernel::forward(&s, cx.tuning)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.shape(&inputs[0].shape, &inputs[1].shape) else { return Expr::Sum(Vec::new()) };
        geometry::products_of_output(&s, out)
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let flops = self.shape(&inputs[0].shape, &inputs[1].shape).map_or(0, |s| flops(&s));
        Cost::new(flops, inputs, out)
    }

    fn by_rows(&self) -> &'static [bool] {
        &[true, false]
    }

    fn samples() -> Vec<Sample> {
        let sample = |case: samples::Case| Sample::new(&case.name("conv2d"), case.conv, &[&case.x, &case.w], (-1.0, 1.0));
        samples::cases().into_iter().map(sample).collect()
    }
}
