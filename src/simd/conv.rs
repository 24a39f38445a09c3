//! Two-dimensional convolution and its gradient with respect to the input.
//!
//! Both are matrix products whose rows are output pixels. The windows of a few pixels at a time are packed straight from the image's rows,
//! and never all of them (im2col). A tile takes any six pixels, across the ends of rows and images, so small images waste nothing.

use super::conv_shape::{ConvShape, Frame, PIXELS, Runs, Windows};
use super::depthwise;
use super::pack::{Mat, pack_a, pack_b, pack_windows, packed_b_len};
use super::scratch::{Scratch, grown};
use super::tile::{TILE_ROWS, Tile, columns_at_once};

/// y[n, oy, ox, f] = Σ_{ky, kx, c} x[n, oy·s − p + ky·d, ox·s − p + kx·d, c] · w[ky, kx, c, f], a cross-correlation as `Conv2D` of Keras:
/// x [N, H, W, C], w [KH, KW, C / groups, F], y [N, OH, OW, F], overwritten.
///
/// # Panics
/// Unless the slices have the shape's extents.
#[inline(never)]
pub fn conv2d(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], scratch: &mut Scratch) {
    s.check(x.len(), w.len(), y.len());
    if s.is_empty() {
        return y.fill(0.0);
    }
    let frame = Frame::new(s);
    let runs = Runs::new(s, &frame);
    let (depth, group_in, group_out) = (s.depth(), s.group_in(), s.group_out());
    let depthwise = s.is_depthwise();
    let panels = packed_b_len(depth, group_out);
    let columns = columns_at_once(depth);
    if !depthwise {
        let packed = grown(&mut scratch.b, s.groups * panels);
        for (g, packed) in packed.chunks_exact_mut(panels).enumerate() {
            let w = Mat { data: &w[g * group_out..], rows: depth, cols: group_out, row_stride: s.out_c, col_stride: 1 };
            pack_b(w, packed);
        }
    }
    let at_once = frame.images_at_once(s);
    let image_out = s.out_h * s.out_w * s.out_c;
    for from in (0..s.batch).step_by(at_once) {
        let images = at_once.min(s.batch - from);
        let x = frame.read(s, x, from, images, &mut scratch.frame);
        let y = &mut y[from * image_out..][..images * image_out];
        if depthwise {
            depthwise::forward(s, &frame, x, w, y);
            continue;
        }
        let pixels = images * s.out_h * s.out_w;
        let mut windows = Windows::new(s, &frame);
        let mut at = [0; PIXELS];
        for first in (0..pixels).step_by(PIXELS) {
            let at = &mut at[..PIXELS.min(pixels - first)];
            windows.next(at);
            let y = &mut y[first * s.out_c..][..at.len() * s.out_c];
            for g in 0..s.groups {
                let packed_a = grown(&mut scratch.a, at.len() * depth);
                for (at, panel) in at.chunks(TILE_ROWS).zip(packed_a.chunks_mut(TILE_ROWS * depth)) {
                    pack_windows(&x[g * group_in..], at, &runs, panel);
                }
                for col in (0..group_out).step_by(columns) {
                    let b = &scratch.b[g * panels + col * depth..];
                    for (i, a) in packed_a.chunks(TILE_ROWS * depth).enumerate() {
                        let m = a.len() / depth;
                        let y = y[i * TILE_ROWS * s.out_c + g * group_out + col..].as_mut_ptr();
                        let t = Tile {
                            a: a.as_ptr(),
                            b: b.as_ptr(),
                            depth,
                            c: core::array::from_fn(|r| y.wrapping_add(r * s.out_c)),
                            cols: columns.min(group_out - col),
                            accumulate: false,
                        };
                        // SAFETY: `a` holds [depth, m], `b` the panels of these columns, and y a row for each of the block's pixels.
                        unsafe { t.run(m) }
                    }
                }
            }
        }
    }
}

/// The gradient with respect to x: dx[n, iy, ix, c] = Σ dy[n, oy, ox, f] · w[ky, kx, c, f] over the windows that read x[n, iy, ix, c];
/// dy [N, OH, OW, F], w [KH, KW, C / groups, F], dx [N, H, W, C], overwritten.
///
/// For each element of the window, dy · wᵀ is added where the windows read it: no product with padding is computed, as would be by a
/// convolution of dy with the rotated kernel.
///
/// # Panics
/// Unless the slices have the shape's extents.
#[inline(never)]
pub fn conv2d_dx(s: &ConvShape, dy: &[f32], w: &[f32], dx: &mut [f32], scratch: &mut Scratch) {
    s.check(dx.len(), w.len(), dy.len());
    if s.is_empty() {
        return dx.fill(0.0);
    }
    let frame = Frame::new(s);
    let depthwise = s.is_depthwise();
    if !depthwise {
        pack_transposed(s, w, &mut scratch.b);
    }
    let at_once = frame.images_at_once(s);
    let (image_out, image_in) = (s.out_h * s.out_w * s.out_c, s.in_h * s.in_w * s.in_c);
    for from in (0..s.batch).step_by(at_once) {
        let images = at_once.min(s.batch - from);
        let dy = &dy[from * image_out..][..images * image_out];
        let dx = &mut dx[from * image_in..][..images * image_in];
        let target = if frame.padded { grown(&mut scratch.frame, images * frame.image(s)) } else { &mut *dx };
        target.fill(0.0);
        if depthwise {
            depthwise::dx(s, &frame, dy, w, target);
        } else {
            scatter(s, &frame, images, dy, &mut scratch.a, &scratch.b, target);
        }
        if frame.padded {
            frame.crop(s, &scratch.frame, dx, images);
        }
    }
}

/// Packs, for each group and element of the window, its kernel transposed: [F / groups, C / groups].
fn pack_transposed(s: &ConvShape, w: &[f32], out: &mut Vec<f32>) {
    let (group_in, group_out) = (s.group_in(), s.group_out());
    let panels = packed_b_len(group_out, group_in);
    let out = grown(out, s.groups * s.k_h * s.k_w * panels);
    for (i, out) in out.chunks_exact_mut(panels).enumerate() {
        let (g, tap) = (i / (s.k_h * s.k_w), i % (s.k_h * s.k_w));
        let data = &w[tap * group_in * s.out_c + g * group_out..];
        pack_b(Mat { data, rows: group_out, cols: group_in, row_stride: 1, col_stride: s.out_c }, out);
    }
}

/// Adds dy · wᵀ to `target`, the images that windows read.
fn scatter(s: &ConvShape, frame: &Frame, images: usize, dy: &[f32], packed_a: &mut Vec<f32>, packed_b: &[f32], target: &mut [f32]) {
    let (group_in, group_out) = (s.group_in(), s.group_out());
    let panels = packed_b_len(group_out, group_in);
    let columns = columns_at_once(group_out);
    let (down, right) = (s.dilation[0] * frame.w * s.in_c, s.dilation[1] * s.in_c);
    let pixels = images * s.out_h * s.out_w;
    let last_tap = (s.k_h - 1) * down + (s.k_w - 1) * right;
    assert!(Windows::last(s, frame, images) + last_tap + s.in_c <= target.len());
    let target = target.as_mut_ptr();
    let mut windows = Windows::new(s, frame);
    let mut at = [0; PIXELS];
    for first in (0..pixels).step_by(PIXELS) {
        let at = &mut at[..PIXELS.min(pixels - first)];
        windows.next(at);
        for g in 0..s.groups {
            let dy = &dy[first * s.out_c + g * group_out..];
            let packed_a = grown(packed_a, at.len() * group_out);
            let rows = Mat { data: dy, rows: at.len(), cols: group_out, row_stride: s.out_c, col_stride: 1 };
            pack_a(rows, packed_a);
            for tap in 0..s.k_h * s.k_w {
                let to = g * group_in + tap / s.k_w * down + tap % s.k_w * right;
                let b = &packed_b[(g * s.k_h * s.k_w + tap) * panels..][..panels];
                for col in (0..group_in).step_by(columns) {
                    for (at, a) in at.chunks(TILE_ROWS).zip(packed_a.chunks(TILE_ROWS * group_out)) {
                        let t = Tile {
                            a: a.as_ptr(),
                            b: b[col * group_out..].as_ptr(),
                            depth: group_out,
                            c: core::array::from_fn(|r| target.wrapping_add(at.get(r).map_or(0, |at| at + to + col))),
                            cols: columns.min(group_in - col),
                            accumulate: true,
                        };
                        // SAFETY: `a` and `b` hold their panels; windows lie in `target` by the assertion above, and those of different
                        // pixels differ, so their rows of C do.
                        unsafe { t.run(at.len()) }
                    }
                }
            }
        }
    }
}
