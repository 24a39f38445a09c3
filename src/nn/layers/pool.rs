//! Pooling by windows, and over whole images.

use super::{Build, image, positive};
use crate::error::Result;
use crate::fields::spec;
use crate::graph::NodeId;
use crate::nn::build::LayerCx;
use crate::nn::{Padding, Pair};
use crate::ops::reduce::Reduction;

spec! {
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
