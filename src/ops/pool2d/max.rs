//! The largest of each window; where it came from; and what its gradient hands back.

use serde::Serialize;

use super::{Windows, check_result, covering, image, kernel, pixels, result, samples};
use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::tensor::Meta;

/// y[n, i, j, c] = max x[n, i·s + p − pad, j·s + q − pad, c] over the window: x `[N, H, W, C]`, y `[N, H', W', C]`
/// (`keras.layers.MaxPooling2D`, `torch.nn.functional.max_pool2d`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "max_pool2d")]
pub struct MaxPool2d {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
}

/// dx from x `[N, H, W, C]` and dy `[N, H', W', C]`: each window's first largest pixel gets the window's dy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "max_pool2d_grad")]
pub struct MaxPool2dGrad {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
}

/// From x and v, both `[N, H, W, C]`: the element of v at the place of x's first largest pixel in each window, `[N, H', W', C]`; the
/// transpose of [`MaxPool2dGrad`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "max_pool2d_gather")]
pub struct MaxPool2dGather {
    /// The windows.
    #[serde(flatten)]
    pub windows: Windows,
}

impl OpDef for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn formula(&self) -> String {
        r"y_{nijc} = \max_{p,q} \, x_{n,\,s i + p,\,s j + q,\,c}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        Ok(Meta::f32(result(&self.windows.shape(self.name(), &inputs[0].shape)?)))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![Some(cx.graph.push(MaxPool2dGrad { windows: self.windows }.into(), &[cx.inputs[0], cx.dy])?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.windows.shape(self.name(), inputs[0].shape) else { return };
        T::max_pool2d(&s, inputs[0].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        self.windows.shape(self.name(), &cx.inputs[0].shape).map_or_else(|_| Vec::new(), |s| kernel::max(&s))
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.windows.shape(self.name(), &inputs[0].shape) else { return Expr::Max(Vec::new()) };
        Expr::Max(pixels(&s, out).into_iter().map(|pixel| Expr::element(0, pixel)).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(out.shape.numel() * self.windows.window.iter().product::<usize>(), inputs, out)
    }

    fn by_rows(&self) -> &'static [bool] {
        &[true]
    }

    fn samples() -> Vec<Sample> {
        let sample = |(label, windows, x): samples::Case| {
            let op = MaxPool2d { windows };
            samples::distinct(Sample::new(&format!("max_pool2d {label}"), op, &[&x], (-1.0, 1.0)))
        };
        samples::cases().into_iter().map(sample).collect()
    }
}

impl OpDef for MaxPool2dGrad {
    fn name(&self) -> &'static str {
        "max_pool2d_grad"
    }

    fn formula(&self) -> String {
        r"\partial x_a = \sum_{\text{windows } w} [a = \operatorname{argmax}_w x] \, \partial y_w".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let s = self.windows.shape(self.name(), &inputs[0].shape)?;
        check_result(self.name(), &s, &inputs[1].shape)?;
        Ok(Meta::f32(image(&s)))
    }

    /// Nothing flows to x: it only chooses.
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let to_dy = cx.graph.push(MaxPool2dGather { windows: self.windows }.into(), &[cx.inputs[0], cx.dy])?;
        Ok(vec![None, Some(to_dy)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.windows.shape(self.name(), inputs[0].shape) else { return };
        T::max_pool2d_dx(&s, inputs[0].data, inputs[1].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        self.windows.shape(self.name(), &cx.inputs[0].shape).map_or_else(|_| Vec::new(), |s| kernel::max_grad(&s))
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.windows.shape(self.name(), &inputs[0].shape) else { return Expr::Sum(Vec::new()) };
        let share = |window: usize| {
            let pixels = pixels(&s, window);
            let candidate = pixels.iter().position(|&pixel| pixel == out).unwrap_or(pixels.len());
            let among = pixels.into_iter().map(|pixel| Expr::element(0, pixel)).collect();
            Expr::Product(vec![Expr::first_max(candidate, among), Expr::element(1, window)])
        };
        Expr::Sum(covering(&s, out).into_iter().map(share).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(inputs[1].shape.numel() * self.windows.window.iter().product::<usize>(), inputs, out)
    }

    fn by_rows(&self) -> &'static [bool] {
        &[true, true]
    }

    fn samples() -> Vec<Sample> {
        let sample = |(label, windows, x): samples::Case| {
            let (op, y) = (MaxPool2dGrad { windows }, samples::result_of(&windows, x));
            samples::distinct(Sample::new(&format!("max_pool2d_grad {label}"), op, &[&x, &y], (-1.0, 1.0)))
        };
        samples::cases().into_iter().map(sample).collect()
    }
}

impl OpDef for MaxPool2dGather {
    fn name(&self) -> &'static str {
        "max_pool2d_gather"
    }

    fn formula(&self) -> String {
        r"y_w = v_{\operatorname{argmax}_w x}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let s = self.windows.shape(self.name(), &inputs[0].shape)?;
        if inputs[0].shape != inputs[1].shape {
            let args: [(&str, &dyn std::fmt::Display); 3] = [("op", &self.name()), ("left", &inputs[0].shape), ("right", &inputs[1].shape)];
            return Err(crate::error::Error::new(crate::error::ErrorCode::ShapeMismatch, &args));
        }
        Ok(Meta::f32(result(&s)))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let to_v = cx.graph.push(MaxPool2dGrad { windows: self.windows }.into(), &[cx.inputs[0], cx.dy])?;
        Ok(vec![None, Some(to_v)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Ok(s) = self.windows.shape(self.name(), inputs[0].shape) else { return };
        let (x, v) = (inputs[0].data, inputs[1].data);
        for (window, y) in out.iter_mut().enumerate() {
            let first = |best: usize, pixel: usize| if x[pixel] > x[best] { pixel } else { best };
            *y = pixels(&s, window).into_iter().reduce(first).map_or(T::ZERO, |best| v[best]);
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        self.windows.shape(self.name(), &cx.inputs[0].shape).map_or_else(|_| Vec::new(), |s| kernel::max_gather(&s))
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Ok(s) = self.windows.shape(self.name(), &inputs[0].shape) else { return Expr::Sum(Vec::new()) };
        let pixels = pixels(&s, out);
        let among: Vec<Expr> = pixels.iter().map(|&pixel| Expr::element(0, pixel)).collect();
        let share =
            |(candidate, &pixel): (usize, &usize)| Expr::Product(vec![Expr::first_max(candidate, among.clone()), Expr::element(1, pixel)]);
        Expr::Sum(pixels.iter().enumerate().map(share).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(out.shape.numel() * self.windows.window.iter().product::<usize>(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |(label, windows, x): samples::Case| {
            let op = MaxPool2dGather { windows };
            samples::distinct(Sample::new(&format!("max_pool2d_gather {label}"), op, &[&x, &x], (-1.0, 1.0)))
        };
        samples::cases().into_iter().take(5).map(sample).collect()
    }
}
