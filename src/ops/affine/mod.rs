//! Images turned, shifted, scaled and mirrored.

use serde::Serialize;

use super::pointwise::Pointwise;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::Meta;

/// Each image of `[N, H, W, C]` read where its row of `[N, 6]` (a, b, c, d, e, f) says: pixel (x, y) of the result at (a x + b y + c, d x + e y + f), between
/// the four pixels around that place by their distance, and 0 beyond the edges (`keras.ops.image.affine_transform` with `interpolation="bilinear"`,
/// `fill_mode="constant"`; the sampler of Jaderberg et al. 2015). No gradient reaches the six numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "affine_transform")]
pub struct AffineTransform {
    /// Whether the pixels are handed back instead, from the places of the result to those that they were read from: the gradient.
    pub adjoint: bool,
}

impl Graph {
    /// Images `x` read where the rows of `transform` say.
    pub fn affine_transform(&mut self, x: NodeId, transform: NodeId) -> Result<NodeId> {
        self.push(AffineTransform { adjoint: false }.into(), &[x, transform])
    }
}

/// The four pixels around the place that pixel (x, y) reads, with their weights; pixels beyond the edges are left out.
fn around<T: Real>(row: &[T], [height, width]: [usize; 2], x: usize, y: usize) -> impl Iterator<Item = (usize, T)> {
    let [a, b, c, d, e, f] = [row[0], row[1], row[2], row[3], row[4], row[5]];
    let (x, y) = (T::of(x as f64), T::of(y as f64));
    let (x, y) = (a * x + b * y + c, d * x + e * y + f);
    let (left, top) = (x.double().floor(), y.double().floor());
    let corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
    corners.into_iter().filter_map(move |(down, right)| {
        let (i, j) = (top + down, left + right);
        let inside = i >= 0.0 && j >= 0.0 && i < height as f64 && j < width as f64;
        let near = |place: T, pixel: f64| T::ONE - (place - T::of(pixel)).abs();
        inside.then(|| (i as usize * width + j as usize, near(y, i) * near(x, j)))
    })
}

/// max(0, 1 − |place − pixel|).
fn near(place: Expr, pixel: usize) -> Expr {
    let distance = Expr::call(Pointwise::Abs, [Expr::call(Pointwise::Sub, [place, Expr::Constant(pixel as f64)])]);
    Expr::Max(vec![Expr::Constant(0.0), Expr::call(Pointwise::Sub, [Expr::Constant(1.0), distance])])
}

/// Where pixel (x, y) of image `image` reads, along the axis whose three numbers begin at `first`. A factor of 0 names nothing.
fn place(image: usize, first: usize, x: usize, y: usize) -> Expr {
    let element = |k: usize| Expr::element(1, image * 6 + first + k);
    let times = |k: usize, number: usize| (number > 0).then(|| Expr::Product(vec![element(k), Expr::Constant(number as f64)]));
    Expr::Sum([times(0, x), times(1, y), Some(element(2))].into_iter().flatten().collect())
}

impl OpDef for AffineTransform {
    fn name(&self) -> &'static str {
        if self.adjoint { "affine_transform_grad" } else { "affine_transform" }
    }

    fn formula(&self) -> String {
        let sampled = r"\max(0, 1 - |a x + b y + c - j|) \, \max(0, 1 - |d x + e y + f - i|)";
        match self.adjoint {
            false => format!(r"y_{{n,y,x,k}} = \sum_{{i,j}} x_{{n,i,j,k}} \, {sampled}"),
            true => format!(r"\bar x_{{n,i,j,k}} = \sum_{{y,x}} \bar y_{{n,y,x,k}} \, {sampled}"),
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let (images, transform) = (&inputs[0].shape, &inputs[1].shape);
        match (&images[..], &transform[..]) {
            (&[batch, _, _, _], &[rows, 6]) if batch == rows => Ok(Meta::f32(images.clone())),
            _ => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", images), ("right", transform)])),
        }
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let back = Self { adjoint: !self.adjoint };
        Ok(vec![Some(cx.graph.push(back.into(), &[cx.dy, cx.inputs[1]])?), None])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let [_, height, width, channels] = inputs[0].shape[..] else { return };
        let size = height * width * channels;
        out.fill(T::ZERO);
        for ((from, to), row) in inputs[0].data.chunks_exact(size).zip(out.chunks_exact_mut(size)).zip(inputs[1].data.chunks_exact(6)) {
            for pixel in 0..height * width {
                for (other, weight) in around(row, [height, width], pixel % width, pixel / width) {
                    let (source, target) = if self.adjoint { (pixel, other) } else { (other, pixel) };
                    let from = &from[source * channels..][..channels];
                    to[target * channels..][..channels].iter_mut().zip(from).for_each(|(to, &from)| *to += weight * from);
                }
            }
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let [_, height, width, channels] = cx.out.shape[..] else { return Vec::new() };
        let (pixels, size) = (height * width, height * width * channels);
        let prelude = "
fn near(place: f32, pixel: u32) -> f32 { return max(0.0, 1.0 - abs(place - f32(pixel))); }
";
        let start = format!(
            "let n = i / {size}u;
    let pixel = (i / {channels}u) % {pixels}u;
    let channel = i % {channels}u;
    let row = n * 6u;
    var sum = 0.0;"
        );
        let place = |x: &str, y: &str| {
            format!(
                "let to_x = load1(row) * f32({x}) + load1(row + 1u) * f32({y}) + load1(row + 2u);
    let to_y = load1(row + 3u) * f32({x}) + load1(row + 4u) * f32({y}) + load1(row + 5u);"
            )
        };
        let load = |pixel: &str| format!("load0(n * {size}u + ({pixel}) * {channels}u + channel)");
        let code = match self.adjoint {
            // A place that is no number, or far outside, reads nothing: the range of the loops is what is left of the image.
            false => format!(
                "{start}
    {}
    let top = u32(clamp(floor(to_y), 0.0, {height}.0));
    let left = u32(clamp(floor(to_x), 0.0, {width}.0));
    for (var y = top; y < min(top + 2u, {height}u); y++) {{
        for (var x = left; x < min(left + 2u, {width}u); x++) {{ sum += near(to_y, y) * near(to_x, x) * {}; }}
    }}
    store(i, sum);",
                place(&format!("pixel % {width}u"), &format!("pixel / {width}u")),
                load(&format!("y * {width}u + x"))
            ),
            true => format!(
                "{start}
    for (var other = 0u; other < {pixels}u; other++) {{
        {}
        let weight = near(to_y, pixel / {width}u) * near(to_x, pixel % {width}u);
        if (weight > 0.0) {{ sum += weight * {}; }}
    }}
    store(i, sum);",
                place(&format!("other % {width}u"), &format!("other / {width}u")),
                load("other")
            ),
        };
        vec![Pass::elementwise_with(cx.out.shape.numel(), &[0, 1], prelude, &code)]
    }

    /// As a sum over all pixels: which four count depends on the six numbers.
    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let [_, height, width, channels] = inputs[0].shape[..] else { return Expr::Sum(Vec::new()) };
        let (image, pixel, channel) = (out / (height * width * channels), out / channels % (height * width), out % channels);
        let term = |other: usize| {
            let (read, written) = if self.adjoint { (pixel, other) } else { (other, pixel) };
            let place = |first: usize| place(image, first, written % width, written / width);
            let value = Expr::element(0, (image * height * width + other) * channels + channel);
            Expr::Product(vec![value, near(place(0), read % width), near(place(3), read / width)])
        };
        Expr::Sum((0..height * width).map(term).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(16 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for adjoint in [false, true] {
            let mut sample = |name: &str, shape: [usize; 4], transforms: &[[f32; 6]]| {
                let name = format!("affine {name}{}", if adjoint { ", handed back" } else { "" });
                let mut sample = Sample::new(&name, AffineTransform { adjoint }, &[&shape, &[shape[0], 6]], (-1.0, 1.0));
                sample.inputs[1].0.data.iter_mut().zip(transforms.iter().cycle().flatten()).for_each(|(cell, &number)| *cell = number);
                samples.push(sample);
            };
            // No place lies on a pixel, where a weight has no derivative.
            sample("turned", [2, 3, 4, 2], &[[0.8, -0.55, 0.63, 0.55, 0.8, -0.71], [1.1, 0.2, -0.35, -0.1, 0.9, 0.45]]);
            sample("shifted beyond the edge", [1, 2, 3, 1], &[[1.0, 0.0, 1.25, 0.0, 1.0, -0.5]]);
            sample("far away", [1, 2, 2, 1], &[[1.0, 0.0, 1e9, 0.0, 1.0, 0.3]]);
            sample("of many channels", [2, 3, 3, 30], &[[-1.02, 0.01, 2.1, 0.03, 0.97, 0.2], [0.5, 0.0, 0.3, 0.0, 1.6, -0.6]]);
        }
        samples
    }
}
