//! Layer norm and batch norm over ordinary nodes.

use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::Graph;
use crate::ops::reduce::Reduction;

/// Batch norm in training: the result, and the statistics of the batch `[C]` that moving averages are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchNorm {
    /// The result.
    pub y: NodeId,
    /// Mean of each channel.
    pub mean: NodeId,
    /// Population variance of each channel.
    pub variance: NodeId,
}

impl Graph {
    /// Layer norm over the last axis, then scale and shift `[C]` where given (`keras.layers.LayerNormalization`).
    pub fn layer_norm(&mut self, x: NodeId, scale: Option<NodeId>, shift: Option<NodeId>, epsilon: f32) -> Result<NodeId> {
        let last = self.shape(x).rank().saturating_sub(1);
        let normalized = self.normalize(x, &[last], epsilon)?;
        self.scale_and_shift(normalized, scale, shift)
    }

    /// Batch norm over all axes but the last, by the statistics of the batch, then scale and shift `[C]` where given
    /// (`keras.layers.BatchNormalization` in training; Keras's moving variance is of the population variance, as here).
    pub fn batch_norm(&mut self, x: NodeId, scale: Option<NodeId>, shift: Option<NodeId>, epsilon: f32) -> Result<BatchNorm> {
        let axes: Vec<usize> = (0..self.shape(x).rank().saturating_sub(1)).collect();
        let normalized = self.normalize(x, &axes, epsilon)?;
        let y = self.scale_and_shift(normalized, scale, shift)?;
        let mean = self.mean(x, &axes, false)?;
        let variance = self.reduce(Reduction::Variance, x, &axes, false)?;
        Ok(BatchNorm { y, mean, variance })
    }

    /// Batch norm by given statistics `[C]`, then scale and shift where given (`keras.layers.BatchNormalization` in inference).
    pub fn batch_norm_by(
        &mut self,
        x: NodeId,
        [mean, variance]: [NodeId; 2],
        scale: Option<NodeId>,
        shift: Option<NodeId>,
        epsilon: f32,
    ) -> Result<NodeId> {
        let centred = self.sub(x, mean)?;
        let epsilon = self.constant(epsilon);
        let square = self.add(variance, epsilon)?;
        let spread = self.sqrt(square)?;
        let normalized = self.div(centred, spread)?;
        self.scale_and_shift(normalized, scale, shift)
    }

    fn scale_and_shift(&mut self, x: NodeId, scale: Option<NodeId>, shift: Option<NodeId>) -> Result<NodeId> {
        let scaled = scale.map_or(Ok(x), |scale| self.mul(x, scale))?;
        shift.map_or(Ok(scaled), |shift| self.add(scaled, shift))
    }
}
