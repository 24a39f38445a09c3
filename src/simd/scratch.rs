//! Buffers that kernels reuse between calls.

/// Packing buffers, grown on demand and never shrunk: one for each thread, passed to every call.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Packed A.
    pub(super) a: Vec<f32>,
    /// Packed B.
    pub(super) b: Vec<f32>,
    /// Images with their padding.
    pub(super) frame: Vec<f32>,
    /// Scores of a few queries.
    pub(super) scores: Vec<f32>,
}

/// The first `len` elements of `buffer`, which grows to hold them; what they held before is still there.
pub(super) fn grown(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
