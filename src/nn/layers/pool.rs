//! Pooling by windows, and over whole sequences and images.

use super::{Build, as_image, as_sequence, image, positive, sequence};
use crate::error::Result;
use crate::fields::spec;
use crate::graph::NodeId;
use crate::nn::build::LayerCx;
use crate::nn::{Padding, Pair};
use crate::ops::reduce::Reduction;
use crate::ops::{Graph, window};

spec! {
    /// The largest of each window: `[N, T, C]` -> `[N, T', C]` (Keras's `MaxPooling1D`).
    pub struct MaxPooling1D: Default {
        /// Steps under the window.
        pool_size: usize = 2;
        /// Steps from one window to the next; its size if absent.
        strides: Option<usize> = None;
        /// What happens at the ends.
        padding: Padding = Padding::Valid;
    }

    /// The mean of each window, padding not counted: `[N, T, C]` -> `[N, T', C]` (Keras's `AveragePooling1D`).
    pub struct AveragePooling1D: Default {
        /// Steps under the window.
        pool_size: usize = 2;
        /// Steps from one window to the next; its size if absent.
        strides: Option<usize> = None;
        /// What happens at the ends.
        padding: Padding = Padding::Valid;
    }

    /// The mean of each channel, of the time steps that are not padding: `[N, T, C]` -> `[N, C]` (Keras's `GlobalAveragePooling1D`). Where all are
    /// padding it is 0 (NaN in Keras).
    pub struct GlobalAveragePooling1D: Default {
        /// Whether the length stays, as 1.
        keepdims: bool = false;
    }

    /// The largest of each channel: `[N, T, C]` -> `[N, C]` (Keras's `GlobalMaxPooling1D`).
    pub struct GlobalMaxPooling1D: Default {
        /// Whether the length stays, as 1.
        keepdims: bool = false;
    }

    /// The largest of each window: `[N, H, W, C]` -> `[N, H', W', C]` (Keras's `MaxPooling2D`).
    pub struct MaxPooling2D: Default {
        /// Rows and columns of the window.
        pool_size: Pair = 2.into();
        /// Steps of the window; its size if absent.
        strides: Option<Pair> = None;
        /// What happens at the border.
        padding: Padding = Padding::Valid;
    }

    /// The mean of each window, padding not counted: `[N, H, W, C]` -> `[N, H', W', C]` (Keras's `AveragePooling2D`).
    pub struct AveragePooling2D: Default {
        /// Rows and columns of the window.
        pool_size: Pair = 2.into();
        /// Steps of the window; its size if absent.
        strides: Option<Pair> = None;
        /// What happens at the border.
        padding: Padding = Padding::Valid;
    }

    /// The mean of each channel: `[N, H, W, C]` -> `[N, C]` (Keras's `GlobalAveragePooling2D`).
    pub struct GlobalAveragePooling2D: Default {
        /// Whether height and width stay, as 1.
        keepdims: bool = false;
    }

    /// The largest of each channel: `[N, H, W, C]` -> `[N, C]` (Keras's `GlobalMaxPooling2D`).
    pub struct GlobalMaxPooling2D: Default {
        /// Whether height and width stay, as 1.
        keepdims: bool = false;
    }
}

impl MaxPooling2D {
    /// With Keras's defaults.
    pub fn new(pool_size: usize) -> Self {
        Self { pool_size: pool_size.into(), strides: None, padding: Padding::Valid }
    }
}

/// Window and strides, checked.
fn windows(kind: &str, cx: &LayerCx, x: NodeId, pool_size: Pair, strides: Option<Pair>) -> Result<[[usize; 2]; 2]> {
    image(kind, cx.graph.shape(x))?;
    let (Pair(window), Pair(stride)) = (pool_size, strides.unwrap_or(pool_size));
    positive(&[("pool_size", window[0].min(window[1])), ("strides", stride[0].min(stride[1]))])?;
    Ok([window, stride])
}

/// Pools a sequence as an image of one row.
fn pool_sequence(
    kind: &str,
    cx: &mut LayerCx,
    x: NodeId,
    (size, strides, padding): (usize, Option<usize>, Padding),
    op: Pool,
) -> Result<NodeId> {
    let [length, _] = sequence(kind, cx.graph.shape(x))?;
    let stride = strides.unwrap_or(size);
    positive(&[("pool_size", size), ("strides", stride)])?;
    let row = as_image(cx, x, length, size, padding.op())?;
    let pooled = op(cx.graph, row, [1, size], [1, stride], padding.op())?;
    as_sequence(cx, pooled)
}

/// A method of the graph that pools.
type Pool = fn(&mut Graph, NodeId, [usize; 2], [usize; 2], window::Padding) -> Result<NodeId>;

impl Build for MaxPooling1D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        pool_sequence("MaxPooling1D", cx, x, (self.pool_size, self.strides, self.padding), Graph::max_pool2d)
    }
}

impl Build for AveragePooling1D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        pool_sequence("AveragePooling1D", cx, x, (self.pool_size, self.strides, self.padding), Graph::avg_pool2d)
    }
}

impl Build for GlobalAveragePooling1D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [length, _] = sequence("GlobalAveragePooling1D", cx.graph.shape(x))?;
        let Some(mask) = cx.mask else { return cx.graph.mean(x, &[1], self.keepdims) };
        let batch = cx.graph.shape(x)[0];
        let steps = cx.graph.reshape(mask, [batch, length, 1])?;
        let counted = cx.graph.mul(x, steps)?;
        let sum = cx.graph.sum(counted, &[1], self.keepdims)?;
        let count = cx.graph.sum(steps, &[1], self.keepdims)?;
        let one = cx.graph.constant(1.0);
        let count = cx.graph.maximum(count, one)?;
        cx.graph.div(sum, count)
    }
}

impl Build for GlobalMaxPooling1D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        sequence("GlobalMaxPooling1D", cx.graph.shape(x))?;
        cx.graph.reduce(Reduction::Max, x, &[1], self.keepdims)
    }
}

impl Build for MaxPooling2D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [window, stride] = windows("MaxPooling2D", cx, x, self.pool_size, self.strides)?;
        cx.graph.max_pool2d(x, window, stride, self.padding.op())
    }
}

impl Build for AveragePooling2D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [window, stride] = windows("AveragePooling2D", cx, x, self.pool_size, self.strides)?;
        cx.graph.avg_pool2d(x, window, stride, self.padding.op())
    }
}

impl Build for GlobalAveragePooling2D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        image("GlobalAveragePooling2D", cx.graph.shape(x))?;
        cx.graph.mean(x, &[1, 2], self.keepdims)
    }
}

impl Build for GlobalMaxPooling2D {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        image("GlobalMaxPooling2D", cx.graph.shape(x))?;
        cx.graph.reduce(Reduction::Max, x, &[1, 2], self.keepdims)
    }
}
