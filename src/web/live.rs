//! Watched values as one small atlas of bytes.

use super::protocol::{Tile, View};
use crate::train::Watched;

/// Pictures in one array, a byte a cell.
#[derive(Default)]
pub(super) struct Atlas {
    pub tiles: Vec<Tile>,
    pub bytes: Vec<u8>,
}

impl Atlas {
    /// A tile for each value, of at most as many pictures as its view asks for.
    pub fn new(views: &[View], watched: &[Watched]) -> Self {
        let mut atlas = Atlas::default();
        for (view, value) in views.iter().zip(watched) {
            atlas.add(view, value);
        }
        atlas
    }

    /// Maps `[H, W, C]` become pictures channel by channel, kernels `[h, w, in, out]` filter by filter, anything else one picture.
    fn add(&mut self, view: &View, value: &Watched) {
        let (height, width, pictures) = match value.shape[..] {
            [h, w, c_in, c_out] => (h, w, c_in * c_out),
            [h, w, c] => (h, w, c),
            [r, c] => (r, c, 1),
            _ => (1, value.values.len(), 1),
        };
        let count = pictures.min(view.most.max(1));
        let finite = value.values.iter().filter(|value| value.is_finite());
        let scale = finite.fold(0.0f32, |most, value| most.max(value.abs()));
        let offset = self.bytes.len();
        for picture in 0..count {
            for cell in 0..height * width {
                self.bytes.push(quantise(value.values[cell * pictures + picture], scale));
            }
        }
        self.tiles.push(Tile { node: view.node.clone(), count, height, width, offset, scale });
    }
}

/// 128 is 0, 1 and 255 are the ends of the scale, 0 is NaN or infinite.
fn quantise(value: f32, scale: f32) -> u8 {
    if !value.is_finite() {
        return 0;
    }
    let unit = if scale > 0.0 { value / scale } else { 0.0 };
    (128.0 + 127.0 * unit).round().clamp(1.0, 255.0) as u8
}
