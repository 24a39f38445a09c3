//! Two-dimensional pooling: the largest or the mean of each window, padding left out, and the gradients as operations of their own.

mod avg;
mod kernel;
mod max;
mod samples;

use serde::Serialize;

pub use avg::{AvgPool2d, AvgPool2dGrad};
pub use max::{MaxPool2d, MaxPool2dGather, MaxPool2dGrad};

use super::Graph;
use super::window::{self, Padding};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::simd::PoolShape;
use crate::tensor::Shape;

/// The windows of a pooling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Windows {
    /// Rows and columns of a window.
    pub window: [usize; 2],
    /// Pixels from one window to the next: down, across.
    pub stride: [usize; 2],
    /// What surrounds the image; never part of a maximum or a mean.
    pub padding: Padding,
}

impl Graph {
    /// The largest of each window of images `[N, H, W, C]`.
    pub fn max_pool2d(&mut self, x: NodeId, window: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<NodeId> {
        self.push(MaxPool2d { windows: Windows { window, stride, padding } }.into(), &[x])
    }

    /// The mean of each window of images `[N, H, W, C]`, padding not counted.
    pub fn avg_pool2d(&mut self, x: NodeId, window: [usize; 2], stride: [usize; 2], padding: Padding) -> Result<NodeId> {
        self.push(AvgPool2d { windows: Windows { window, stride, padding } }.into(), &[x])
    }
}

impl Windows {
    /// Rows and columns of images that windows without padding reach, where they leave some out.
    pub fn reach(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let placed = self.padding.place(size, self.window, self.stride, [1, 1]).ok().filter(|_| self.padding == Padding::Valid)?;
        let reach = [0, 1].map(|axis| (placed.out[axis] - 1) * self.stride[axis] + self.window[axis]);
        (reach != size).then_some(reach)
    }

    /// Extents over images `x`. Padding is smaller than the window, so that every window holds a pixel.
    fn shape(&self, op: &str, x: &Shape) -> Result<PoolShape> {
        let [batch, in_h, in_w, channels] = window::image(op, x)?;
        let placed = self.padding.place([in_h, in_w], self.window, self.stride, [1, 1])?;
        for axis in 0..2 {
            let most = placed.before[axis].max(placed.after[axis]);
            if most >= self.window[axis] {
                let expected = format!("less than the window's {}", self.window[axis]);
                return Err(Error::new(ErrorCode::BadValue, &[("name", &"padding"), ("expected", &expected), ("got", &most)]));
            }
        }
        let ([k_h, k_w], [out_h, out_w], [pad_top, pad_left]) = (self.window, placed.out, placed.before);
        Ok(PoolShape { batch, in_h, in_w, channels, out_h, out_w, k_h, k_w, stride: self.stride, pad_top, pad_left })
    }
}

fn image(s: &PoolShape) -> Shape {
    [s.batch, s.in_h, s.in_w, s.channels].into()
}

fn result(s: &PoolShape) -> Shape {
    [s.batch, s.out_h, s.out_w, s.channels].into()
}

/// Flat positions of the pixels under the window of result `out`, in order.
fn pixels(s: &PoolShape, out: usize) -> Vec<usize> {
    let index = result(s).unravel(out);
    let span = |window: usize, stride: usize, taps: usize, before: usize, extent: usize| {
        let start = window * stride;
        start.saturating_sub(before)..(start + taps).saturating_sub(before).min(extent)
    };
    let rows = span(index[1], s.stride[0], s.k_h, s.pad_top, s.in_h);
    let cols = span(index[2], s.stride[1], s.k_w, s.pad_left, s.in_w);
    rows.flat_map(|row| cols.clone().map(move |col| [row, col])).map(|[row, col]| image(s).ravel(&[index[0], row, col, index[3]])).collect()
}

/// Flat positions of the results whose windows cover pixel `pixel`, in the order of its place in them.
fn covering(s: &PoolShape, pixel: usize) -> Vec<usize> {
    let index = image(s).unravel(pixel);
    let windows = |position, taps, count, stride, before| -> Vec<usize> {
        (0..taps).filter_map(|tap| window::window_of(position, tap, count, stride, 1, before)).collect()
    };
    let rows = windows(index[1], s.k_h, s.out_h, s.stride[0], s.pad_top);
    let cols = windows(index[2], s.k_w, s.out_w, s.stride[1], s.pad_left);
    rows.iter().flat_map(|&i| cols.iter().map(move |&j| [i, j])).map(|[i, j]| result(s).ravel(&[index[0], i, j, index[3]])).collect()
}

/// An error unless `dy` has the shape of the pooling's result.
fn check_result(op: &str, s: &PoolShape, dy: &Shape) -> Result<()> {
    if *dy == result(s) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &op), ("left", &image(s)), ("right", dy)]))
}
