//! Attention and its gradient against plain loops.

use super::super::{AttentionInputs, AttentionShape, Scratch, attention, attention_grad};
use super::{Lcg, Sum, compare};

fn shape(random: &mut Lcg) -> AttentionShape {
    let groups = random.range(1, 3);
    AttentionShape {
        batch: random.range(1, 2),
        queries: random.range(1, 70),
        keys: random.range(1, 70),
        heads: groups * random.range(1, 2),
        groups,
        dim: random.range(1, 20),
        value_dim: random.range(1, 20),
        heads_first: random.below(2) == 0,
        causal: random.below(2) == 0,
        scale: 0.1 + random.below(5) as f32 / 10.0,
    }
}

/// Σ aᵢ bᵢ of two rows.
fn dot(a: &[f32], b: &[f32], [row_a, row_b]: [usize; 2], cols: usize) -> Sum {
    let mut sum = Sum::default();
    (0..cols).for_each(|col| sum.add(f64::from(a[row_a * cols + col]) * f64::from(b[row_b * cols + col])));
    sum
}

/// Adds `factor` times a row to a row of sums; `size` is what the factor was summed from.
fn add(sums: &mut [Sum], to: usize, x: &[f32], from: usize, cols: usize, factor: f64, size: f64) {
    for col in 0..cols {
        let x = f64::from(x[from * cols + col]);
        let sum = &mut sums[to * cols + col];
        *sum = Sum { value: sum.value + factor * x, size: sum.size + size * x.abs() };
    }
}

/// What attention and its gradient come to: the result, and the gradients one behind the other.
fn plain(s: &AttentionShape, x: AttentionInputs, dy: &[f32]) -> [Vec<Sum>; 2] {
    let attended = s.query_rows() * s.value_dim;
    let (mut out, in_q, in_k) = (vec![Sum::default(); s.out_len()], s.query_rows() * s.dim, s.key_rows() * s.dim);
    let mut grads = vec![Sum::default(); s.grads_len()];
    for (n, h, i) in (0..s.batch * s.heads * s.queries).map(|at| (at / s.queries / s.heads, at / s.queries % s.heads, at % s.queries)) {
        let ((query, step), (key, key_step)) = (s.query(n, h), s.key(n, h));
        let query = query + i * step;
        let keys: Vec<usize> = (0..s.seen(i)).map(|j| key + j * key_step).collect();
        let score = |j: usize| {
            let shown = |mask: &[f32]| mask[j] != 0.0 || mask[..keys.len()].iter().all(|&counts| counts == 0.0);
            match x.mask_of(n, s.keys).is_none_or(shown) {
                true => f64::from(s.scale) * dot(x.q, x.k, [query, keys[j]], s.dim).value,
                false => f64::NEG_INFINITY,
            }
        };
        let total: f64 = (0..keys.len()).map(|j| score(j).exp()).sum();
        let weights: Vec<f64> = (0..keys.len()).map(|j| score(j).exp() / total).collect();
        for (weight, &key) in weights.iter().zip(&keys) {
            add(&mut out, query, x.v, key, s.value_dim, *weight, *weight);
        }
        out[attended + query] = Sum { value: total.ln(), size: 1.0 + total.ln().abs() };

        // The logarithm's gradient joins where dy has it.
        let products: Vec<Sum> = keys.iter().map(|&key| dot(dy, x.v, [query, key], s.value_dim)).collect();
        let level: f64 = weights.iter().zip(&products).map(|(weight, product)| weight * product.value).sum();
        let level = level - dy.get(attended + query).map_or(0.0, |&x| f64::from(x));
        let size: f64 = 1.0 + weights.iter().zip(&products).map(|(weight, product)| weight * product.size).sum::<f64>();
        let (dq, rest) = grads.split_at_mut(in_q);
        let (dk, dv) = rest.split_at_mut(in_k);
        for ((weight, product), &key) in weights.iter().zip(&products).zip(&keys) {
            let factor = weight * f64::from(s.scale);
            let (slope, size) = (factor * (product.value - level), factor * (product.size + size));
            add(dq, query, x.k, key, s.dim, slope, size);
            add(dk, key, x.q, query, s.dim, slope, size);
            add(dv, key, dy, query, s.value_dim, *weight, *weight);
        }
    }
    [out, grads]
}

pub(super) fn attentions() -> Result<(), String> {
    let (random, scratch) = (&mut Lcg(9), &mut Scratch::default());
    for case in 0..80 {
        let s = shape(random);
        let (q, k, v) =
            (random.values(s.query_rows() * s.dim), random.values(s.key_rows() * s.dim), random.values(s.key_rows() * s.value_dim));
        // At least the first of what any query sees counts: where nothing does, single precision is not double.
        let mask: Vec<f32> = (0..s.batch * s.keys).map(|at| if at % s.keys == 0 { 1.0 } else { random.below(2) as f32 }).collect();
        let x = AttentionInputs { q: &q, k: &k, v: &v, mask: (case % 2 == 0).then_some(&mask) };
        let dy = random.values(if case % 3 == 0 { s.out_len() } else { s.query_rows() * s.value_dim });
        let [expected, expected_grads] = plain(&s, x, &dy);
        let mut out = random.values(s.out_len());
        attention(&s, x, &mut out, scratch);
        compare(|| format!("{s:?}"), &out, &expected)?;
        let mut grads = random.values(s.grads_len());
        attention_grad(&s, x, &out, &dy, &mut grads, scratch);
        compare(|| format!("gradients of {s:?}"), &grads, &expected_grads)?;
    }
    Ok(())
}
