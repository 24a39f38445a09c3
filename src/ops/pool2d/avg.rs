//! The mean of each window, and what its gradient hands back.

use serde::Serialize;

use super::{Windows, check_result, covering, image, kernel, pixels, result, samples};
use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::window;
use crate::ops::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::simd::PoolShape;
use crate::tensor::{Meta, Shape};

/// y[n, i, j, c] = mean of x[n, i·s + p − pad, j·s + q − pad, c] over the window's pixels, padding not counted: x `[N, H, W, C]`,
/// y `[N, H', W', C]` (`keras.layers.AveragePooling2D`; `torch.nn.functional.avg_pool2d(count_include_pad=False)`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "avg_pool2d")]
pub struct AvgPool2d {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
}

/// dx `[N, H, W, C]` from dy `[N, H', W', C]`: each window's pixels share its dy evenly.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "avg_pool2d_grad")]
pub struct AvgPool2dGrad {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
    /// Rows and columns of the input.
    pub input: [usize; 2],
}

impl OpDef for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn formula(&self) -> String {
        r"y_{nijc} = \frac{1}{|w|} \sum_{p,q} x_{n,\,s i + p,\,s j + q,\,c}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        Ok(Meta::f32(result(&self.windows.shape(self.name(), &inputs[0].shape)?)))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let shape = cx.graph.shape(cx.inputs[0]).clone();
        let op = AvgPool2dGrad { windows: self.windows, input: [shape[1], shape[2]] };
        Ok(vec![Some(cx.graph.push(op.into(), &[cx.dy])?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.windows.shape(self.name(), inputs[0].shape) else { return };
        T::avg_pool2d(&s, inputs[0].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        self.windows.shape(self.name(), &cx.inputs[0].shape).map_or_else(|_| Vec::new(), |s| kernel::avg(&s))
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.windows.shape(self.name(), &inputs[0].shape) else { return Expr::Sum(Vec::new()) };
        let pixels = pixels(&s, out);
        let share = Expr::Constant(1.0 / pixels.len() as f64);
        Expr::Product(vec![share, Expr::Sum(pixels.into_iter().map(|pixel| Expr::element(0, pixel)).collect())])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(out.shape.numel() * self.windows.window.iter().product::<usize>(), inputs, out)
    }

    fn by_rows(&self) -> &'static [bool] {
        &[true]
    }

    fn samples() -> Vec<Sample> {
        let sample =
            |(label, windows, x): samples::Case| Sample::new(&format!("avg_pool2d {label}"), AvgPool2d { windows }, &[&x], (-1.0, 1.0));
        samples::cases().into_iter().map(sample).collect()
    }
}

impl AvgPool2dGrad {
    fn shape(&self, dy: &Shape) -> Result<PoolShape> {
        let [batch, _, _, channels] = window::image(self.name(), dy)?;
        let s = self.windows.shape(self.name(), &[batch, self.input[0], self.input[1], channels].into())?;
        check_result(self.name(), &s, dy)?;
        Ok(s)
    }
}

impl OpDef for AvgPool2dGrad {
    fn name(&self) -> &'static str {
        "avg_pool2d_grad"
    }

    fn formula(&self) -> String {
        r"\partial x_a = \sum_{\text{windows } w \ni a} \frac{\partial y_w}{|w|}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        Ok(Meta::f32(image(&self.shape(&inputs[0].shape)?)))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![Some(cx.graph.push(AvgPool2d { windows: self.windows }.into(), &[cx.dy])?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.shape(inputs[0].shape) else { return };
        T::avg_pool2d_dx(&s, inputs[0].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        self.shape(&cx.inputs[0].shape).map_or_else(|_| Vec::new(), |s| kernel::avg_grad(&s))
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.shape(&inputs[0].shape) else { return Expr::Sum(Vec::new()) };
        let share = |window: usize| {
            let part = Expr::Constant(1.0 / pixels(&s, window).len() as f64);
            Expr::Product(vec![part, Expr::element(0, window)])
        };
        Expr::Sum(covering(&s, out).into_iter().map(share).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(inputs[0].shape.numel() * self.windows.window.iter().product::<usize>(), inputs, out)
    }

    fn by_rows(&self) -> &'static [bool] {
        &[true]
    }

    fn samples() -> Vec<Sample> {
        let sample = |(label, windows, x): samples::Case| {
            let op = AvgPool2dGrad { windows, input: [x[1], x[2]] };
            Sample::new(&format!("avg_pool2d_grad {label}"), op, &[&samples::result_of(&windows, x)], (-1.0, 1.0))
        };
        samples::cases().into_iter().map(sample).collect()
    }
}
