//! Pooling over windows of images, [N, H, W, C], and its gradients. Channels are the lanes. Padding is never the maximum nor counted.

use super::vector::{LANES, V};

/// Extents of a pooling: input [N, H, W, C], output [N, OH, OW, C].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// N.
    pub batch: usize,
    /// H.
    pub in_h: usize,
    /// W.
    pub in_w: usize,
    /// C.
    pub channels: usize,
    /// OH.
    pub out_h: usize,
    /// OW.
    pub out_w: usize,
    /// Rows of a window.
    pub k_h: usize,
    /// Columns of a window.
    pub k_w: usize,
    /// From a window to the next, down and to the right.
    pub stride: [usize; 2],
    /// Rows of padding above the image.
    pub pad_top: usize,
    /// Columns of padding left of the image.
    pub pad_left: usize,
}

/// The part of a window that lies in the image.
#[derive(Clone, Copy)]
struct Window {
    /// First element, and that of its output pixel.
    x: usize,
    y: usize,
    rows: usize,
    cols: usize,
}

impl PoolShape {
    /// Elements of the input.
    pub fn x_len(&self) -> usize {
        self.batch * self.in_h * self.in_w * self.channels
    }

    /// Elements of the output.
    pub fn y_len(&self) -> usize {
        self.batch * self.out_h * self.out_w * self.channels
    }

    fn check(&self, x: usize, y: usize) {
        assert_eq!(x, self.x_len(), "input of {self:?}");
        assert_eq!(y, self.y_len(), "output of {self:?}");
    }

    /// No two windows share an element.
    fn disjoint(&self) -> bool {
        self.stride[0] >= self.k_h && self.stride[1] >= self.k_w
    }

    /// Every element lies in a window of one of the sizes that have code of their own: all of the input's gradient is written by these.
    fn tiled(&self) -> bool {
        let tiles = |stride: usize, k: usize, out: usize, len: usize| stride == k && out * k == len;
        let whole = tiles(self.stride[0], self.k_h, self.out_h, self.in_h) && tiles(self.stride[1], self.k_w, self.out_w, self.in_w);
        whole
            && matches!((self.k_h, self.k_w), (2, 2) | (3, 3))
            && self.channels.is_multiple_of(LANES)
            && (self.pad_top, self.pad_left) == (0, 0)
    }

    /// The windows of image `n`, row by row.
    fn windows(&self, n: usize, mut visit: impl FnMut(Window)) {
        for oy in 0..self.out_h {
            let (top, rows) = clip(oy * self.stride[0], self.pad_top, self.k_h, self.in_h);
            for ox in 0..self.out_w {
                let (left, cols) = clip(ox * self.stride[1], self.pad_left, self.k_w, self.in_w);
                visit(Window {
                    x: ((n * self.in_h + top) * self.in_w + left) * self.channels,
                    y: ((n * self.out_h + oy) * self.out_w + ox) * self.channels,
                    rows,
                    cols,
                });
            }
        }
    }

    /// Offsets, from the window's first, of its elements, in order.
    #[inline(always)]
    fn taps(&self, w: Window) -> impl Iterator<Item = usize> + Clone {
        let (c, row) = (self.channels, self.in_w * self.channels);
        (0..w.rows).flat_map(move |y| (0..w.cols).map(move |x| y * row + x * c))
    }
}

/// The part of `at - pad .. at - pad + k` within `0..extent`: its start and length.
fn clip(at: usize, pad: usize, k: usize, extent: usize) -> (usize, usize) {
    let end = (at + k).saturating_sub(pad).min(extent);
    let start = at.saturating_sub(pad).min(end);
    (start, end - start)
}

/// y = the maximum over each window, as `MaxPooling2D` of Keras: x [N, H, W, C], y [N, OH, OW, C], overwritten. A NaN wins, as in PyTorch;
/// a window outside the image gives −∞.
///
/// # Panics
/// Unless the slices have the shape's extents.
#[inline(never)]
pub fn max_pool2d(s: &PoolShape, x: &[f32], y: &mut [f32]) {
    s.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    let row = s.in_w * s.channels;
    for n in 0..s.batch {
        s.windows(n, |w| {
            let y = &mut y[w.y..][..s.channels];
            let done = match (w.rows, w.cols) {
                (2, 2) => maxima::<4, 2>(&x[w.x..], row, y),
                (3, 3) => maxima::<9, 3>(&x[w.x..], row, y),
                _ => 0,
            };
            let mut at = w.x + done;
            each_lanes(&mut y[done..], |lanes| {
                let mut max = V::splat(f32::NEG_INFINITY);
                for tap in s.taps(w) {
                    let v = read(x, at + tap, lanes.len());
                    max = wins(v, max).select(v, max);
                }
                write(max, lanes);
                at += lanes.len();
            });
        });
    }
}

/// The gradient of [`max_pool2d`]: dy goes to each window's first maximum (the last NaN if there is one), as in PyTorch; x [N, H, W, C],
/// dy [N, OH, OW, C], dx [N, H, W, C], overwritten.
///
/// # Panics
/// Unless the slices have the shape's extents.
#[inline(never)]
pub fn max_pool2d_dx(s: &PoolShape, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    s.check(x.len(), dy.len());
    assert_eq!(dx.len(), s.x_len(), "gradient of {s:?}");
    let (row, image) = (s.in_w * s.channels, s.in_h * s.in_w * s.channels);
    let (disjoint, tiled) = (s.disjoint(), s.tiled());
    for n in 0..s.batch {
        if !tiled {
            dx[n * image..][..image].fill(0.0);
        }
        s.windows(n, |w| {
            let dy = &dy[w.y..][..s.channels];
            let done = match (w.rows, w.cols, disjoint) {
                (2, 2, true) => maxima_dx::<4, 2>(&x[w.x..], row, dy, &mut dx[w.x..]),
                (3, 3, true) => maxima_dx::<9, 3>(&x[w.x..], row, dy, &mut dx[w.x..]),
                _ => 0,
            };
            for c in (done..s.channels).step_by(LANES) {
                let len = LANES.min(s.channels - c);
                let mut max = V::splat(f32::NEG_INFINITY);
                // The element that holds the maximum, counted from 0 in bits: the first one where all are −∞.
                let mut best = V::splat_bits(0);
                for (i, tap) in s.taps(w).enumerate() {
                    let v = read(x, w.x + c + tap, len);
                    let better = wins(v, max);
                    max = better.select(v, max);
                    best = better.select(V::splat_bits(i as i32), best);
                }
                let dy = read(dy, c, len);
                for (i, tap) in s.taps(w).enumerate() {
                    let to = &mut dx[w.x + c + tap..][..len];
                    let share = best.eq_bits(V::splat_bits(i as i32)).and(dy);
                    write(read(to, 0, len).add(share), to);
                }
            }
        });
    }
}

/// Where v replaces the maximum of those before it.
#[inline(always)]
fn wins(v: V, max: V) -> V {
    v.gt(max).or(v.is_nan())
}

/// [`max_pool2d`] of one window of `TAPS` elements in rows of `COLS`, in whole vectors of channels; returns how many channels those are.
#[inline(always)]
fn maxima<const TAPS: usize, const COLS: usize>(x: &[f32], row: usize, y: &mut [f32]) -> usize {
    let channels = y.len();
    let taps: [usize; TAPS] = core::array::from_fn(|i| i / COLS * row + i % COLS * channels);
    assert!(taps[TAPS - 1] + channels <= x.len());
    for (i, y) in y.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        // SAFETY: each tap's channels lie in x, the last one's by the assertion above.
        let v = taps.map(|tap| unsafe { V::load(x.as_ptr().add(tap + i * LANES)) });
        let mut max = v[0];
        for v in &v[1..] {
            max = wins(*v, max).select(*v, max);
        }
        max.write(y);
    }
    channels / LANES * LANES
}

/// [`max_pool2d_dx`] of one window that shares no element with another, as [`maxima`].
#[inline(always)]
fn maxima_dx<const TAPS: usize, const COLS: usize>(x: &[f32], row: usize, dy: &[f32], dx: &mut [f32]) -> usize {
    let channels = dy.len();
    let taps: [usize; TAPS] = core::array::from_fn(|i| i / COLS * row + i % COLS * channels);
    assert!(taps[TAPS - 1] + channels <= x.len() && x.len() == dx.len());
    for (i, dy) in dy.as_chunks::<LANES>().0.iter().enumerate() {
        // SAFETY: each tap's channels lie in x, the last one's by the assertion above.
        let v = taps.map(|tap| unsafe { V::load(x.as_ptr().add(tap + i * LANES)) });
        let mut max = v[0];
        let mut won = [V::zero(); TAPS];
        for tap in 1..TAPS {
            won[tap] = wins(v[tap], max);
            max = won[tap].select(v[tap], max);
        }
        // The last to win has it.
        let mut left = V::read(dy);
        for tap in (0..TAPS).rev() {
            let share = if tap > 0 { won[tap].and(left) } else { left };
            left = won[tap].select(V::zero(), left);
            // SAFETY: as above, dx being as long as x.
            unsafe { share.store(dx.as_mut_ptr().add(taps[tap] + i * LANES)) }
        }
    }
    channels / LANES * LANES
}

/// y = the mean over the part of each window that lies in the image, as `AveragePooling2D` of Keras: x [N, H, W, C], y [N, OH, OW, C],
/// overwritten; 0 for a window outside.
///
/// # Panics
/// Unless the slices have the shape's extents.
#[inline(never)]
pub fn avg_pool2d(s: &PoolShape, x: &[f32], y: &mut [f32]) {
    s.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    for n in 0..s.batch {
        s.windows(n, |w| {
            let count = V::splat((w.rows * w.cols).max(1) as f32);
            let mut at = w.x;
            each_lanes(&mut y[w.y..][..s.channels], |lanes| {
                let mut sum = V::zero();
                for tap in s.taps(w) {
                    sum = sum.add(read(x, at + tap, lanes.len()));
                }
                write(sum.div(count), lanes);
                at += lanes.len();
            });
        });
    }
}

/// The gradient of [`avg_pool2d`]: dy, divided by the number of elements, goes to every element of its window; dy [N, OH, OW, C],
/// dx [N, H, W, C], overwritten.
///
/// # Panics
/// Unless the slices have the shape's extents.
#[inline(never)]
pub fn avg_pool2d_dx(s: &PoolShape, dy: &[f32], dx: &mut [f32]) {
    s.check(dx.len(), dy.len());
    let image = s.in_h * s.in_w * s.channels;
    for n in 0..s.batch {
        dx[n * image..][..image].fill(0.0);
        s.windows(n, |w| {
            let count = V::splat((w.rows * w.cols).max(1) as f32);
            for c in (0..s.channels).step_by(LANES) {
                let len = LANES.min(s.channels - c);
                let share = read(dy, w.y + c, len).div(count);
                for tap in s.taps(w) {
                    let to = &mut dx[w.x + c + tap..][..len];
                    write(read(to, 0, len).add(share), to);
                }
            }
        });
    }
}

/// Calls `visit` for every four channels, the last ones fewer.
#[inline(always)]
fn each_lanes(y: &mut [f32], mut visit: impl FnMut(&mut [f32])) {
    let (whole, rest) = y.as_chunks_mut::<LANES>();
    for lanes in whole {
        visit(lanes);
    }
    if !rest.is_empty() {
        visit(rest);
    }
}

/// `len` elements from `at`, at most four.
#[inline(always)]
fn read(x: &[f32], at: usize, len: usize) -> V {
    match x[at..].first_chunk::<LANES>() {
        Some(lanes) if len == LANES => V::read(lanes),
        _ => V::read_part(&x[at..][..len], 0.0),
    }
}

#[inline(always)]
fn write(v: V, to: &mut [f32]) {
    match to.first_chunk_mut::<LANES>() {
        Some(lanes) => v.write(lanes),
        None => v.write_part(to),
    }
}
