//! The gradient of a two-dimensional convolution with respect to its kernel.

use super::conv_shape::{ConvShape, Frame, Runs, Windows};
use super::depthwise;
use super::pack::{Mat, pack_b, packed_b_len};
use super::scratch::{Scratch, grown};
use super::tile::{TILE_COLS, TILE_ROWS, Tile};

/// Output pixels to sum over before dw is touched again: a tile's loads and stores are then a few per cent.
const BLOCK_PIXELS: usize = 128;

/// dw[ky, kx, c, f] = Σ_{n, oy, ox} x[n, oy·s − p + ky·d, ox·s − p + kx·d, c] · dy[n, oy, ox, f]: x [N, H, W, C], dy [N, OH, OW, F],
/// dw [KH, KW, C / groups, F], overwritten.
///
/// A product with pixels as the inner extent: a tile is six neighbours of a window's row by eight output channels. Some images at a time,
/// so that they stay in the caches; the images' sums are added up in order.
///
/// # Panics
/// Unless the slices have the shape's extents.
pub fn conv2d_dw(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut Scratch) {
    s.check(x.len(), dw.len(), dy.len());
    if s.is_empty() {
        return dw.fill(0.0);
    }
    let frame = Frame::new(s);
    let depthwise = s.is_depthwise();
    if depthwise {
        dw.fill(0.0);
    }
    let image_out = s.out_h * s.out_w * s.out_c;
    let at_once = BLOCK_PIXELS.div_ceil(s.out_h * s.out_w).min(frame.images_at_once(s));
    for from in (0..s.batch).step_by(at_once) {
        let images = at_once.min(s.batch - from);
        let x = frame.read(s, x, from, images, &mut scratch.frame);
        let dy = &dy[from * image_out..][..images * image_out];
        if depthwise {
            depthwise::dw(s, &frame, x, dy, dw);
        } else {
            block(s, &frame, images, x, dy, dw, from > 0, &mut scratch.a, &mut scratch.b, &mut scratch.skips);
        }
    }
}

/// dw (+)= the sum over some images.
#[allow(clippy::too_many_arguments)]
fn block(
    s: &ConvShape,
    frame: &Frame,
    images: usize,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    accumulate: bool,
    gathered: &mut Vec<f32>,
    packed: &mut Vec<f32>,
    skips: &mut Vec<isize>,
) {
    let (group_in, group_out, depth) = (s.group_in(), s.group_out(), s.depth());
    let pixels = images * s.out_h * s.out_w;
    let panels = packed_b_len(pixels, group_out);
    let runs = Runs::new(s, frame);
    assert!(Windows::last(s, frame, images) + runs.end() + (s.groups - 1) * group_in <= x.len());
    for g in 0..s.groups {
        let packed = grown(packed, panels);
        pack_b(Mat { data: &dy[g * group_out..], rows: pixels, cols: group_out, row_stride: s.out_c, col_stride: 1 }, packed);
        // A row of the window shorter than a tile: gather whole windows instead, [pixels, depth].
        let short = runs.len < TILE_ROWS && depth > runs.len;
        let walk = if short {
            let gathered = grown(gathered, pixels * depth);
            gather(s, frame, &runs, &x[g * group_in..], gathered);
            skips.clear();
            skips.push(0);
            Walk { a: gathered, starts: &[0], len: depth, step: depth, run: pixels }
        } else {
            skips.clear();
            let row = (s.stride[0] * frame.w) as isize - (s.out_w * s.stride[1]) as isize;
            let image = (frame.h * frame.w) as isize - ((s.out_h - 1) * s.stride[0] * frame.w + s.out_w * s.stride[1]) as isize;
            let ends = (1..=images * s.out_h).map(|end| if end.is_multiple_of(s.out_h) { image } else { row });
            skips.extend(ends.map(|skip| skip * s.in_c as isize));
            Walk { a: &x[g * group_in..], starts: &runs.starts, len: runs.len, step: s.stride[1] * s.in_c, run: s.out_w }
        };
        for col in (0..group_out).step_by(TILE_COLS) {
            for (i, start) in walk.starts.iter().enumerate() {
                for row in (0..walk.len).step_by(TILE_ROWS) {
                    let m = TILE_ROWS.min(walk.len - row);
                    let cols = TILE_COLS.min(group_out - col);
                    let c = &mut dw[(i * walk.len + row) * s.out_c + g * group_out + col..][..(m - 1) * s.out_c + cols];
                    let t = Tile {
                        a: walk.a[start + row..].as_ptr(),
                        a_step: walk.step,
                        run: walk.run,
                        skips,
                        b: packed[col * pixels..].as_ptr(),
                        c: core::array::from_fn(|r| c.as_mut_ptr().wrapping_add(r * s.out_c)),
                        cols,
                        accumulate,
                    };
                    // SAFETY: windows and their runs lie in x by the assertion above, gathered ones in `gathered` by its length; the panel
                    // has a step for each pixel; rows of dw are walk.starts.len() · walk.len = KH · KW · C / groups in all.
                    unsafe { t.run(m) }
                }
            }
        }
    }
}

/// How the micro-kernel goes over the pixels.
struct Walk<'a> {
    a: &'a [f32],
    /// Where rows of dw begin: one entry for `len` of them.
    starts: &'a [usize],
    len: usize,
    /// From a pixel to the next.
    step: usize,
    /// Pixels in a run.
    run: usize,
}

/// Copies windows: [pixels, KH · KW · C / groups].
fn gather(s: &ConvShape, frame: &Frame, runs: &Runs, x: &[f32], out: &mut [f32]) {
    let mut windows = Windows::new(s, frame);
    for window in out.chunks_exact_mut(s.depth()) {
        let mut at = [0];
        windows.next(&mut at);
        for (run, start) in window.chunks_exact_mut(runs.len).zip(&runs.starts) {
            for (to, from) in run.iter_mut().zip(&x[at[0] + start..]) {
                *to = *from;
            }
        }
    }
}
