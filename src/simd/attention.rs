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

    fn check(&self, s: &AttentionShape) {
        assert!(s.groups > 0 && s.heads.is_multiple_of(s.groups) && s.keys > 0 && s.dim > 0 && s.value_dim > 0, "no attention: {s:?}");
        assert_eq!(self.q.len(), s.query_rows() * s.dim, "queries of {s:?}");
        assert_eq!(self.k.len(), s.key_rows() * s.dim, "keys of {s:?}");
        assert_eq!(self.v.len(), s.key_rows() * s.value_dim, "values of {s:?}");
        assert!(self.mask.is_none_or(|mask| mask.len() == s.batch * s.keys), "mask of {s:?}");
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
pub fn attention(s: &AttentionShape, x: AttentionInputs, out: &mut [f32], scratch: &mut Scratch) {
    x.check(s);
    assert_eq!(out.len(), s.out_len(), "result of {s:?}");
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
            let mut totals = [0.0; BLOCK];
            for (r, row) in scores.chunks_exact_mut(width).enumerate() {
                let seen = s.seen(from + r);
                scaled(&mut row[..seen], s.scale, 0.0, mask);
                let (most, total) = powers(row, seen, &c);
                totals[r] = total;
                lse[query.0 + (from + r) * query.1] = most + total.ln();
            }
            let first = query.0 + from * query.1;
            let (attended, stride) = (&mut attended[first * s.value_dim..], query.1 * s.value_dim);
            let weights = Mat { data: &*scores, rows, cols: keys, row_stride: width, col_stride: 1 };
            gemm_into(weights, rows_of(x.v, s.value_dim, key, 0, keys), attended, stride, false, scratch);
            for (row, total) in attended.chunks_mut(stride).zip(&totals[..rows]) {
                let share = 1.0 / total;
                row[..s.value_dim].iter_mut().for_each(|x| *x *= share);
            }
        }
    }
    scratch.scores = memory;
}

/// Every head of every example.
fn heads(s: &AttentionShape) -> impl Iterator<Item = (usize, usize)> + use<> {
    let heads = s.heads;
    (0..s.batch).flat_map(move |n| (0..heads).map(move |h| (n, h)))
}

/// row = scale · row − less, and that much lower where a key is hidden, unless all of them are. As where scores are nodes, rounding leaves nothing of a score that was
/// so low: the weights are equal then.
fn scaled(row: &mut [f32], scale: f32, less: f32, mask: Option<&[f32]>) {
    let Some(mask) = mask else { return row.iter_mut().for_each(|x| *x = scale * *x - less) };
    let mask = &mask[..row.len()];
    let top = if mask.iter().all(|&counts| counts == 0.0) { HIDDEN } else { 0.0 };
    row.iter_mut().zip(mask).for_each(|(x, &counts)| *x = scale * *x + if counts == 0.0 { HIDDEN } else { 0.0 } - top - less);
}

/// The first `seen` scores become e^(score − m) with their maximum m, the others 0; gives m and the sum.
fn powers(row: &mut [f32], seen: usize, c: &Exp) -> (f32, f32) {
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
    for lanes in vectors {
        let power = exp_v(V::read(lanes).sub(peak), c);
        total = total.add(power);
        power.write(lanes);
    }
    rest.as_flattened_mut().fill(0.0);
    (most, total.sum())
}

/// out = the gradients with respect to queries, keys and values, one behind the other, given the forward pass's result `saved` and the gradient `dy`
/// with respect to all of that, or to the attended values alone.
///
/// # Panics
/// Unless all slices are of the shape's extents.
pub fn attention_grad(s: &AttentionShape, x: AttentionInputs, saved: &[f32], dy: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    x.check(s);
    let attended = s.query_rows() * s.value_dim;
    assert_eq!(saved.len(), s.out_len(), "result of {s:?}");
    assert!(dy.len() == attended || dy.len() == s.out_len(), "its gradient of {s:?}");
    assert_eq!(out.len(), s.grads_len(), "gradients of {s:?}");
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
                scaled(&mut weights[..seen], s.scale, lse[at], mask);
                score_slopes(weights, slopes, seen, level, s.scale, &c);
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

/// The first `seen` of `weights` become e of what they were, p, and those of `slopes` p (what they were − level) scale; the others 0.
fn score_slopes(weights: &mut [f32], slopes: &mut [f32], seen: usize, level: f32, scale: f32, c: &Exp) {
    let vectors = seen.div_ceil(LANES);
    let (level, scale) = (V::splat(level), V::splat(scale));
    let pairs = weights.as_chunks_mut::<LANES>().0.iter_mut().zip(slopes.as_chunks_mut::<LANES>().0);
    for (weight, slope) in pairs.take(vectors) {
        let power = exp_v(V::read(weight), c);
        power.mul(V::read(slope).sub(level)).mul(scale).write(slope);
        power.write(weight);
    }
    weights[seen..].fill(0.0);
    slopes[seen..].fill(0.0);
}
