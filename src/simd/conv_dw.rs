//! The gradient of a two-dimensional convolution with respect to its kernel.

use super::conv_shape::{ConvShape, Frame, Runs, Windows};
use super::depthwise;
use super::pack::{Mat, pack_b, pack_columns, packed_b_len};
use super::scratch::{Scratch, grown};
use super::tile::{TILE_ROWS, Tile, columns_at_once};

/// Output pixels to sum over before dw is touched again: a tile's loads and stores of it are then few, a panel of dy 4 KiB.
const PIXELS: usize = 128;
/// Elements of the window to pack at a time: with the pixels, 192 KiB that stay in the second cache. A multiple of the tile's rows.
const ROWS: usize = 384;

/// dw[ky, kx, c, f] = Σ_{n, oy, ox} x[n, oy·s − p + ky·d, ox·s − p + kx·d, c] · dy[n, oy, ox, f]: x [N, H, W, C], dy [N, OH, OW, F],
/// dw [KH, KW, C / groups, F], overwritten.
///
/// A product whose inner extent are the pixels, some at a time, in order; their windows are packed straight from the images.
///
/// # Panics
/// Unless the slices have the shape's extents.
#[inline(never)]
pub fn conv2d_dw(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut Scratch) {
    s.check(x.len(), dw.len(), dy.len());
    dw.fill(0.0);
    if s.is_empty() {
        return;
    }
    let frame = Frame::new(s);
    let runs = Runs::new(s, &frame);
    let image_out = s.out_h * s.out_w * s.out_c;
    let at_once = frame.images_at_once(s);
    for from in (0..s.batch).step_by(at_once) {
        let images = at_once.min(s.batch - from);
        let x = frame.read(s, x, from, images, &mut scratch.frame);
        let dy = &dy[from * image_out..][..images * image_out];
        if s.is_depthwise() {
            depthwise::dw(s, &frame, x, dy, dw);
            continue;
        }
        let mut windows = Windows::new(s, &frame);
        let mut at = [0; PIXELS];
        for dy in dy.chunks(PIXELS * s.out_c) {
            let at = &mut at[..dy.len() / s.out_c];
            windows.next(at);
            for g in 0..s.groups {
                add_block(s, g, at, &runs.offsets, x, dy, dw, &mut scratch.a, &mut scratch.b);
            }
        }
    }
}

/// Adds the products of group `g` over the pixels whose windows start at `at`.
#[allow(clippy::too_many_arguments)]
fn add_block(
    s: &ConvShape,
    g: usize,
    at: &[usize],
    offsets: &[usize],
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    packed_a: &mut Vec<f32>,
    packed_b: &mut Vec<f32>,
) {
    let (group_in, group_out, pixels) = (s.group_in(), s.group_out(), at.len());
    let columns = columns_at_once(pixels);
    let packed_b = grown(packed_b, packed_b_len(pixels, group_out));
    pack_b(Mat { data: &dy[g * group_out..], rows: pixels, cols: group_out, row_stride: s.out_c, col_stride: 1 }, packed_b);
    for (offsets, dw) in offsets.chunks(ROWS).zip(dw.chunks_mut(ROWS * s.out_c)) {
        let packed_a = grown(packed_a, offsets.len() * pixels);
        for (offsets, panel) in offsets.chunks(TILE_ROWS).zip(packed_a.chunks_mut(TILE_ROWS * pixels)) {
            pack_columns(&x[g * group_in..], at, offsets, panel);
        }
        for col in (0..group_out).step_by(columns) {
            let cols = columns.min(group_out - col);
            for (a, dw) in packed_a.chunks(TILE_ROWS * pixels).zip(dw.chunks_mut(TILE_ROWS * s.out_c)) {
                let m = a.len() / pixels;
                let c = dw[g * group_out + col..][..(m - 1) * s.out_c + cols].as_mut_ptr();
                let t = Tile {
                    a: a.as_ptr(),
                    b: packed_b[col * pixels..].as_ptr(),
                    depth: pixels,
                    c: core::array::from_fn(|r| c.wrapping_add(r * s.out_c)),
                    cols,
                    accumulate: true,
                };
                // SAFETY: `a` is a panel [pixels, m], `packed_b` holds those of dy, and the slice of dw reaches to the end of its last row.
                unsafe { t.run(m) }
            }
        }
    }
}
