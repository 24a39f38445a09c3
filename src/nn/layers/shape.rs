//! Layers that move elements without computing.

use super::{Build, image, positive, sequence, spread};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{out_of_range, spec};
use crate::graph::NodeId;
use crate::nn::build::LayerCx;
use crate::nn::{Interpolation, Margins, Pair};
use crate::tensor::Shape;

spec! {
    /// Each example as one vector: `[N, ...]` -> `[N, product]` (Keras's `Flatten`).
    pub struct Flatten {}

    /// The same elements of each example under another shape (Keras's `Reshape`).
    pub struct Reshape {
        /// Shape of one example; one extent may be -1: what is left.
        target_shape: Vec<i64>;
    }

    /// A sequence without so many steps at its beginning and at its end: `[N, T, C]` -> `[N, T - a - b, C]` (Keras's `Cropping1D`). What says
    /// which steps are padding is cut with it.
    pub struct Cropping1D: Default {
        /// a and b.
        cropping: Pair = 1.into();
    }

    /// Rows and columns of zeros around an image: `[N, H, W, C]` -> `[N, top + H + bottom, left + W + right, C]` (Keras's `ZeroPadding2D`).
    pub struct ZeroPadding2D: Default {
        /// How many.
        padding: Margins = Margins([[1; 2]; 2]);
    }

    /// Each pixel repeated: `[N, H, W, C]` -> `[N, a H, b W, C]` (Keras's `UpSampling2D`).
    pub struct UpSampling2D: Default {
        /// a and b.
        size: Pair = 2.into();
        /// How it is filled in.
        interpolation: Interpolation = Interpolation::Nearest;
    }
}

impl Build for Flatten {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let shape = cx.graph.shape(x);
        let flat = [shape[0], shape[1..].iter().product()];
        cx.graph.reshape(x, flat)
    }
}

impl Build for Reshape {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let from = cx.graph.shape(x).clone();
        let target = self.extents(from[1..].iter().product()).ok_or_else(|| {
            let target = format!("{:?}", self.target_shape);
            let from = Shape::from(&from[1..]);
            Error::new(ErrorCode::ShapeMismatch, &[("op", &"Reshape"), ("left", &from), ("right", &target)])
        })?;
        let shape: Shape = std::iter::once(from[0]).chain(target).collect();
        cx.graph.reshape(x, shape)
    }
}

impl Reshape {
    /// The target shape for so many elements, if they fit.
    fn extents(&self, elements: usize) -> Option<Vec<usize>> {
        let unknown = self.target_shape.iter().filter(|&&extent| extent == -1).count();
        let known = self.target_shape.iter().filter(|&&extent| extent != -1);
        let product = known.clone().try_fold(1usize, |product, &extent| product.checked_mul(usize::try_from(extent).ok()?))?;
        let rest = match unknown {
            0 => 1,
            1 if product > 0 => elements / product,
            _ => return None,
        };
        let fits = product.checked_mul(rest) == Some(elements);
        fits.then(|| self.target_shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(rest)).collect())
    }
}

impl Build for Cropping1D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [length, _] = sequence("Cropping1D", cx.graph.shape(x))?;
        let Pair([first, last]) = self.cropping;
        match first.checked_add(last) {
            Some(cut) if cut < length => {}
            _ => return Err(out_of_range("cropping", "together less than the length", first.saturating_add(last))),
        }
        if let Some(mask) = cx.mask {
            cx.mask = Some(cx.graph.slice_axis(mask, 1, first, length - last)?);
        }
        cx.graph.slice_axis(x, 1, first, length - last)
    }
}

impl Build for ZeroPadding2D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        image("ZeroPadding2D", cx.graph.shape(x))?;
        let Margins([[top, bottom], [left, right]]) = self.padding;
        cx.graph.pad(x, &[[0, 0], [top, bottom], [left, right], [0, 0]])
    }
}

impl Build for UpSampling2D {
    /// Rows first, then columns: the gradients of both are sums along one axis.
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, channels] = image("UpSampling2D", cx.graph.shape(x))?;
        let Pair([a, b]) = self.size;
        positive(&[("size", a.min(b))])?;
        let [tall, wide] = spread("size", [height, width], [a, b], [0, 0])?;
        let batch = cx.graph.shape(x)[0];
        let g = &mut *cx.graph;
        let rows = g.reshape(x, [batch, height, 1, width * channels])?;
        let rows = g.broadcast_to(rows, [batch, height, a, width * channels])?;
        let pixels = g.reshape(rows, [batch, tall * width, 1, channels])?;
        let pixels = g.broadcast_to(pixels, [batch, tall * width, b, channels])?;
        g.reshape(pixels, [batch, tall, wide, channels])
    }
}
