//! Attention of one head and a few of its queries at a time, so that their scores stay in the first caches and are never stored as a whole (Dao et
//! al. 2022, "FlashAttention"); backward, they are computed again.

use core::hint::black_box;
use core::mem;

use super::gemm::{dot, gemm_into};
use super::math::{EXP, Exp, exp_v};
use super::pack::Mat;
use super::scratch::{Scratch, grown};
use super::vector::{LANES, V};

/// Queries of a head that are worked on together.
const BLOCK: usize = 32;

/// What is added to the scores of a key that is hidden.
pub const HIDDEN: f32 = -1e9;

/// Extents of attention: queries [N, T, H, D], keys [N, S, G, D] and values [N, S, G, E], or with heads in front of positions [N, H, T, D] and so
/// on. H / G heads of queries that follow each other share a head of keys and values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionShape {
    /// N.
    pub batch: usize,
    /// T.
    pub queries: usize,
    /// S.
    pub keys: usize,
    /// H.
    pub heads: usize,
    /// G, a divisor of H.
    pub groups: usize,
    /// D.
    pub dim: usize,
    /// E.
    pub value_dim: usize,
    /// Whether heads come before positions.
    pub heads_first: bool,
    /// Whether query i sees only keys 0 to i.
    pub causal: bool,
    /// What products of queries and keys are multiplied by.
    pub scale: f32,
}

impl AttentionShape {
    /// Rows of all queries.
    pub fn query_rows(&self) -> usize {
        self.batch * self.queries * self.heads
    }

    /// Rows of all keys, and of all values.
    pub fn key_rows(&self) -> usize {
        self.batch * self.keys * self.groups
    }

    /// Elements of the result: a row of E for each query, and then the logarithm of its sum of powers.
    pub fn out_len(&self) -> usize {
        self.query_rows() * (self.value_dim + 1)
    }

    /// Elements of the gradients of queries, keys and values.
    pub fn grads_len(&self) -> usize {
        self.query_rows() * self.dim + self.key_rows() * (self.dim + self.value_dim)
    }

    /// Row of head `h` of example `n` at position 0, and rows from a position to the next: of queries.
    pub fn query(&self, n: usize, h: usize) -> (usize, usize) {
        self.place(n, h, self.heads, self.queries)
    }

    /// The same of the keys and values that head `h` of the queries looks at.
    pub fn key(&self, n: usize, h: usize) -> (usize, usize) {
        self.place(n, h / (self.heads / self.groups), self.groups, self.keys)
    }

    fn place(&self, n: usize, h: usize, heads: usize, length: usize) -> (usize, usize) {
        if self.heads_first { ((n * heads + h) * length, 1) } else { (n * length * heads + h, heads) }
    }

    /// How many keys query `i` sees: the first ones.
    pub fn seen(&self, i: usize) -> usize {
        if self.causal { self.keys.min(i + 1) } else { self.keys }
    }
}

/// What attention reads.
#[derive(Clone, Copy, Debug)]
pub struct AttentionInputs<'a, T = f32> {
    /// Queries.
    pub q: &'a [T],
    /// Keys.
    pub k: &'a [T],
    /// Values.
    pub v: &'a [T],
    /// 0 for each key that is hidden, [N, S]. Where all that a query sees are, none is.
    pub mask: Option<&'a [T]>,
}

impl<'a, T> AttentionInputs<'a, T> {
    /// The mask of the keys of an example.
    pub fn mask_of(&self, n: usize, keys: usize) -> Option<&'a [T]> {
        self.mask.map(|mask| &mask[n * keys..][..keys])
    }

    fn fits(&self, s: &AttentionShape) -> bool {
        let sound = s.groups > 0 && s.heads.is_multiple_of(s.groups) && s.keys > 0 && s.dim > 0 && s.value_dim > 0;
        let lengths =
            [self.q.len(), self.k.len(), self.v.len()] == [s.query_rows() * s.dim, s.key_rows() * s.dim, s.key_rows() * s.value_dim];
        sound && lengths && self.mask.is_none_or(|mask| mask.len() == s.batch * s.keys)
    }
}

/// Rows `from..from + rows` of a head: [rows, cols], the first of the head's at row `place.0`, the next `place.1` rows further.
fn rows_of(data: &[f32], cols: usize, place: (usize, usize), from: usize, rows: usize) -> Mat<'_> {
    Mat { data: &data[(place.0 + from * place.1) * cols..], rows, cols, row_stride: place.1 * cols, col_stride: 1 }
}

/// out = [softmax(scale Q Kᵀ) V, ln Σ e^(scale Q Kᵀ)] over the keys that are seen: the attended values in the queries' order, and behind them a number
/// for each of their rows.
///
/// # Panics
/// Unless all slices are of the shape's extents.
#[inline(never)]
pub fn attention(s: &AttentionShape, x: AttentionInputs, out: &mut [f32], scratch: &mut Scratch) {
    assert!(x.fits(s) && out.len() == s.out_len(), "attention of other extents");
    let c = black_box(EXP);
    let mut memory = mem::take(&mut scratch.scores);
    let (attended, lse) = out.split_at_mut(s.query_rows() * s.value_dim);
    for (n, h) in heads(s) {
        let (query, key, mask) = (s.query(n, h), s.key(n, h), x.mask_of(n, s.keys));
        for from in (0..s.queries).step_by(BLOCK) {
            let rows = BLOCK.min(s.queries - from);
            let keys = s.seen(from + rows - 1);
            let width = keys.next_multiple_of(LANES);
            let scores = grown(&mut memory, rows * width);
            let (q, k) = (rows_of(x.q, s.dim, query, from, rows), rows_of(x.k, s.dim, key, 0, keys));
            gemm_into(q, k.t(), scores, width, false, scratch);
            for (r, row) in scores.chunks_exact_mut(width).enumerate() {
                let seen = s.seen(from + r);
                to_scores(row, seen, s.scale, mask);
                lse[query.0 + (from + r) * query.1] = softmax(row, seen, &c);
            }
            let first = query.0 + from * query.1;
            let weights = Mat { data: &*scores, rows, cols: keys, row_stride: width, col_stride: 1 };
            let values = rows_of(x.v, s.value_dim, key, 0, keys);
            gemm_into(weights, values, &mut attended[first * s.value_dim..], query.1 * s.value_dim, false, scratch);
        }
    }
    scratch.scores = memory;
}

/// Every head of every example.
fn heads(s: &AttentionShape) -> impl Iterator<Item = (usize, usize)> + use<> {
    let heads = s.heads;
    (0..s.batch).flat_map(move |n| (0..heads).map(move |h| (n, h)))
}

/// The first `seen` of a row of products become scores: `scale` times as large, and that much lower where a key is hidden, unless all of them are. As where scores
/// are nodes, rounding leaves nothing of a score that was so low: the weights are equal then. What lies behind is anything.
fn to_scores(row: &mut [f32], seen: usize, scale: f32, mask: Option<&[f32]>) {
    let scale = V::splat(scale);
    for lanes in &mut row.as_chunks_mut::<LANES>().0[..seen.div_ceil(LANES)] {
        V::read(lanes).mul(scale).write(lanes);
    }
    if let Some(mask) = mask {
        let mask = &mask[..seen];
        let top = if mask.iter().all(|&counts| counts == 0.0) { HIDDEN } else { 0.0 };
        for (x, _) in row.iter_mut().zip(mask).filter(|(_, counts)| **counts == 0.0) {
            *x = *x + HIDDEN - top;
        }
    }
}

/// The first `seen` scores become their softmax, the others 0; gives the logarithm of the sum of powers.
fn softmax(row: &mut [f32], seen: usize, c: &Exp) -> f32 {
    row[seen..].fill(f32::NEG_INFINITY);
    let (vectors, rest) = row.as_chunks_mut::<LANES>().0.split_at_mut(seen.div_ceil(LANES));
    let mut most = V::splat(f32::NEG_INFINITY);
    for lanes in &*vectors {
        let x = V::read(lanes);
        most = x.gt(most).select(x, most);
    }
    let mut lanes = [0.0; LANES];
    most.write(&mut lanes);
    let most = lanes.into_iter().fold(f32::NEG_INFINITY, |most, x| if x > most { x } else { most });
    let (mut total, peak) = (V::zero(), V::splat(most));
    for lanes in &mut *vectors {
        let power = exp_v(V::read(lanes).sub(peak), c);
        total = total.add(power);
        power.write(lanes);
    }
    let total = total.sum();
    let share = V::splat(1.0 / total);
    for lanes in vectors {
        V::read(lanes).mul(share).write(lanes);
    }
    rest.as_flattened_mut().fill(0.0);
    most + total.ln()
}

/// out = the gradients with respect to queries, keys and values, one behind the other, given the forward pass's result `saved` and the gradient `dy`
/// with respect to all of that, or to the attended values alone.
///
/// # Panics
/// Unless all slices are of the shape's extents.
#[inline(never)]
pub fn attention_grad(s: &AttentionShape, x: AttentionInputs, saved: &[f32], dy: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    let attended = s.query_rows() * s.value_dim;
    assert!(x.fits(s) && saved.len() == s.out_len() && out.len() == s.grads_len(), "attention of other extents");
    assert!(dy.len() == attended || dy.len() == s.out_len(), "attention of other extents");
    let c = black_box(EXP);
    let mut memory = mem::take(&mut scratch.scores);
    let ((attended, lse), (dy, d_lse)) = (saved.split_at(attended), dy.split_at(attended));
    out.fill(0.0);
    let (dq, rest) = out.split_at_mut(s.query_rows() * s.dim);
    let (dk, dv) = rest.split_at_mut(s.key_rows() * s.dim);
    for (n, h) in heads(s) {
        let (query, key, mask) = (s.query(n, h), s.key(n, h), x.mask_of(n, s.keys));
        for from in (0..s.queries).step_by(BLOCK) {
            let rows = BLOCK.min(s.queries - from);
            let keys = s.seen(from + rows - 1);
            let width = keys.next_multiple_of(LANES);
            let (weights, slopes) = grown(&mut memory, 2 * rows * width).split_at_mut(rows * width);
            let (q, dy_rows) = (rows_of(x.q, s.dim, query, from, rows), rows_of(dy, s.value_dim, query, from, rows));
            let (k, v) = (rows_of(x.k, s.dim, key, 0, keys), rows_of(x.v, s.value_dim, key, 0, keys));
            gemm_into(q, k.t(), weights, width, false, scratch);
            gemm_into(dy_rows, v.t(), slopes, width, false, scratch);
            for (r, (weights, slopes)) in weights.chunks_exact_mut(width).zip(slopes.chunks_exact_mut(width)).enumerate() {
                let (at, seen) = (query.0 + (from + r) * query.1, s.seen(from + r));
                let range = at * s.value_dim..(at + 1) * s.value_dim;
                let level = dot(&dy[range.clone()], &attended[range]) - d_lse.get(at).copied().unwrap_or(0.0);
                to_scores(weights, seen, s.scale, mask);
                to_slopes(weights, slopes, seen, [lse[at], level, s.scale], &c);
            }
            let view = |data| Mat { data, rows, cols: keys, row_stride: width, col_stride: 1 };
            let (weights, slopes) = (view(&*weights), view(&*slopes));
            let first = query.0 + from * query.1;
            gemm_into(weights.t(), dy_rows, &mut dv[key.0 * s.value_dim..], key.1 * s.value_dim, true, scratch);
            gemm_into(slopes.t(), q, &mut dk[key.0 * s.dim..], key.1 * s.dim, true, scratch);
            gemm_into(slopes, k, &mut dq[first * s.dim..], query.1 * s.dim, false, scratch);
        }
    }
    scratch.scores = memory;
}

/// The first `seen` scores become weights, p = e^(score − l), and as many products of dy and v their slopes, p (product − level) scale; the others 0.
fn to_slopes(weights: &mut [f32], slopes: &mut [f32], seen: usize, numbers: [f32; 3], c: &Exp) {
    let [lse, level, scale] = numbers.map(V::splat);
    let pairs = weights.as_chunks_mut::<LANES>().0.iter_mut().zip(slopes.as_chunks_mut::<LANES>().0);
    for (weight, slope) in pairs.take(seen.div_ceil(LANES)) {
        let power = exp_v(V::read(weight).sub(lse), c);
        power.mul(V::read(slope).sub(level)).mul(scale).write(slope);
        power.write(weight);
    }
    weights[seen..].fill(0.0);
    slopes[seen..].fill(0.0);
}
