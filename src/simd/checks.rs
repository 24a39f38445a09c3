//! Every kernel against plain loops in f64, over tables of extents and random ones. A native test runs each check; under the `selftest` feature
//! a browser can, where the instructions are others.

mod attention;
mod norm;
mod pooling;

use super::*;

/// A check: the first difference that it finds is its error.
pub type Check = fn() -> Result<(), String>;

/// Name and check of each suite.
pub const ALL: &[(&str, Check)] = &[
    ("gemm", gemms),
    ("gemm of extreme extents", extreme_gemms),
    ("conv2d, dx, dw over a table", convolutions),
    ("conv2d, dx, dw at random", random_convolutions),
    ("pooling", pooling::poolings),
    ("pooling of NaN and ties", pooling::pooling_order),
    ("attention", attention::attentions),
    ("reductions", reductions),
    ("normalised rows", norm::normalised),
    ("arithmetic", arithmetic),
    ("exp, log, tanh, sigmoid", functions),
    ("limits of functions", limits),
    ("same bits each time", repeats),
];

/// Numerical Recipes' 32-bit generator.
struct Lcg(u32);

impl Lcg {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }
    fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }
    fn range(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to + 1 - from)
    }
    fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next() as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

/// A sum and the sum of its terms' magnitudes, to which its rounding errors are proportional.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    size: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        self.value += term;
        self.size += term.abs();
    }
}

fn compare(what: impl Fn() -> String, got: &[f32], expected: &[Sum]) -> Result<(), String> {
    if got.len() != expected.len() {
        return Err(format!("{}: {} elements, expected {}", what(), got.len(), expected.len()));
    }
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(*got) - expected.value).abs();
        if error.is_nan() || error > 3e-6 * expected.size + 1e-30 {
            return Err(format!("{}: element {i} is {got}, expected {}", what(), expected.value));
        }
    }
    Ok(())
}

fn check_gemm(random: &mut Lcg, m: usize, k: usize, n: usize, scratch: &mut Scratch) -> Result<(), String> {
    let form = random.below(9);
    // Row-major, transposed, or with a stride in both directions.
    let mut view = |rows: usize, cols: usize, form: usize| match form {
        0 => (random.values(rows * cols), cols, 1),
        1 => (random.values(rows * cols), 1, rows),
        _ => (random.values(rows * (2 * cols + 3)), 2 * cols + 3, 2),
    };
    let (a, a_row, a_col) = view(m, k, form % 3);
    let (b, b_row, b_col) = view(k, n, form / 3);
    for accumulate in [false, true] {
        let mut c = random.values(m * n);
        let expected: Vec<Sum> = (0..m * n)
            .map(|at| {
                let mut sum = Sum::default();
                if accumulate {
                    sum.add(f64::from(c[at]));
                }
                for p in 0..k {
                    sum.add(f64::from(a[at / n * a_row + p * a_col]) * f64::from(b[p * b_row + at % n * b_col]));
                }
                sum
            })
            .collect();
        let a = Mat { data: &a, rows: m, cols: k, row_stride: a_row, col_stride: a_col };
        let b = Mat { data: &b, rows: k, cols: n, row_stride: b_row, col_stride: b_col };
        gemm(a, b, &mut c, accumulate, scratch);
        compare(|| format!("gemm [{m}, {k}] [{k}, {n}], form {form}, accumulate {accumulate}"), &c, &expected)?;
    }
    Ok(())
}

fn gemms() -> Result<(), String> {
    let (random, scratch) = (&mut Lcg(1), &mut Scratch::default());
    for _ in 0..200 {
        let (m, k, n) = (random.range(1, 40), random.range(1, 60), random.range(1, 40));
        check_gemm(random, m, k, n, scratch)?;
    }
    for (m, k, n) in [(97, 300, 33), (200, 257, 70), (64, 576, 64), (6, 8, 8), (12, 512, 16)] {
        for _ in 0..9 {
            check_gemm(random, m, k, n, scratch)?;
        }
    }
    Ok(())
}

fn extreme_gemms() -> Result<(), String> {
    let (random, scratch) = (&mut Lcg(2), &mut Scratch::default());
    for (m, k, n) in
        [(1, 1, 1), (1, 700, 130), (130, 700, 1), (3, 40, 1100), (1, 5, 2049), (2, 1, 2), (5, 3, 4), (0, 4, 5), (4, 0, 5), (4, 5, 0)]
    {
        for _ in 0..9 {
            check_gemm(random, m, k, n, scratch)?;
        }
    }
    let x = random.values(67);
    let mut expected = Sum::default();
    x.iter().for_each(|x| expected.add(f64::from(x * x)));
    compare(|| "dot".to_owned(), &[dot(&x, &x)], &[expected])
}

/// A shape from its input, kernel, stride, dilation and groups, and padding at all four sides.
fn conv_shape(x: [usize; 4], k: [usize; 3], stride: [usize; 2], dilation: [usize; 2], groups: usize, pad: [usize; 4]) -> Option<ConvShape> {
    let [batch, in_h, in_w, in_c] = x;
    let [k_h, k_w, out_c] = k;
    let [pad_top, pad_left, bottom, right] = pad;
    let out = |extent: usize, k: usize, i: usize| Some(extent.checked_sub((k - 1) * dilation[i] + 1)? / stride[i] + 1);
    let (out_h, out_w) = (out(in_h + pad_top + bottom, k_h, 0)?, out(in_w + pad_left + right, k_w, 1)?);
    Some(ConvShape { batch, in_h, in_w, in_c, out_h, out_w, out_c, k_h, k_w, stride, pad_top, pad_left, dilation, groups })
}

fn check_conv(random: &mut Lcg, s: &ConvShape, scratch: &mut Scratch) -> Result<(), String> {
    let (x, w, dy) = (random.values(s.x_len()), random.values(s.w_len()), random.values(s.y_len()));
    let mut y_expected = vec![Sum::default(); s.y_len()];
    let mut dx_expected = vec![Sum::default(); s.x_len()];
    let mut dw_expected = vec![Sum::default(); s.w_len()];
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    for (yi, y) in y_expected.iter_mut().enumerate() {
        let (n, oy, ox, f) = (yi / (s.out_c * s.out_w * s.out_h), yi / (s.out_c * s.out_w) % s.out_h, yi / s.out_c % s.out_w, yi % s.out_c);
        for (ky, kx) in (0..s.k_h).flat_map(|ky| (0..s.k_w).map(move |kx| (ky, kx))) {
            let (iy, ix) = (oy * s.stride[0] + ky * s.dilation[0], ox * s.stride[1] + kx * s.dilation[1]);
            let inside = iy >= s.pad_top && ix >= s.pad_left && iy - s.pad_top < s.in_h && ix - s.pad_left < s.in_w;
            if !inside {
                continue;
            }
            for c in 0..group_in {
                let xi = ((n * s.in_h + iy - s.pad_top) * s.in_w + ix - s.pad_left) * s.in_c + f / group_out * group_in + c;
                let wi = ((ky * s.k_w + kx) * group_in + c) * s.out_c + f;
                let (x, w, dy) = (f64::from(x[xi]), f64::from(w[wi]), f64::from(dy[yi]));
                y.add(x * w);
                dx_expected[xi].add(dy * w);
                dw_expected[wi].add(dy * x);
            }
        }
    }
    let mut y = vec![f32::NAN; s.y_len()];
    conv2d(s, &x, &w, &mut y, scratch);
    compare(|| format!("conv2d {s:?}"), &y, &y_expected)?;
    let mut dx = vec![f32::NAN; s.x_len()];
    conv2d_dx(s, &dy, &w, &mut dx, scratch);
    compare(|| format!("conv2d_dx {s:?}"), &dx, &dx_expected)?;
    let mut dw = vec![f32::NAN; s.w_len()];
    conv2d_dw(s, &x, &dy, &mut dw, scratch);
    compare(|| format!("conv2d_dw {s:?}"), &dw, &dw_expected)
}

fn convolutions() -> Result<(), String> {
    let (random, scratch) = (&mut Lcg(3), &mut Scratch::default());
    let none = [0; 4];
    let one = [1, 1];
    let table = [
        // The layers of mnist-cnn.
        conv_shape([3, 28, 28, 1], [3, 3, 32], one, one, 1, none),
        conv_shape([3, 13, 13, 32], [3, 3, 64], one, one, 1, none),
        conv_shape([20, 5, 5, 64], [3, 3, 64], one, one, 1, none),
        // Padding: same, more than the kernel reaches, uneven.
        conv_shape([2, 9, 7, 8], [3, 3, 12], one, one, 1, [1; 4]),
        conv_shape([2, 4, 4, 3], [3, 3, 5], one, one, 1, [4; 4]),
        conv_shape([2, 8, 8, 4], [3, 3, 16], [2, 2], one, 1, [0, 0, 1, 1]),
        conv_shape([2, 8, 8, 4], [4, 2, 9], [2, 1], one, 1, [1, 0, 2, 1]),
        // 1 x 1, with and without a stride; kernel as large as the input; rows left unread.
        conv_shape([2, 5, 6, 7], [1, 1, 9], one, one, 1, none),
        conv_shape([2, 5, 6, 7], [1, 1, 9], [2, 3], one, 1, none),
        conv_shape([5, 6, 4, 3], [6, 4, 10], one, one, 1, none),
        conv_shape([2, 11, 10, 5], [3, 3, 8], [3, 3], one, 1, none),
        // Dilation, groups, depthwise.
        conv_shape([2, 9, 10, 6], [3, 3, 8], one, [2, 2], 1, none),
        conv_shape([2, 9, 10, 6], [3, 2, 8], [1, 2], [2, 3], 1, [2, 1, 2, 1]),
        conv_shape([2, 7, 7, 8], [3, 3, 12], one, one, 4, none),
        conv_shape([2, 7, 7, 8], [3, 3, 8], [2, 2], one, 8, [1; 4]),
        conv_shape([2, 7, 7, 4], [3, 3, 8], one, one, 4, none),
        // A sequence, as one row of an image; a padded batch of more than one frame.
        conv_shape([3, 1, 20, 10], [1, 5, 6], one, one, 1, [0, 4, 0, 0]),
        conv_shape([40, 16, 16, 8], [3, 3, 4], one, one, 1, [1; 4]),
    ];
    for (i, s) in table.iter().enumerate() {
        check_conv(random, s.as_ref().ok_or_else(|| format!("row {i} is no convolution"))?, scratch)?;
    }
    Ok(())
}

fn random_convolutions() -> Result<(), String> {
    let (random, scratch) = (&mut Lcg(4), &mut Scratch::default());
    let mut done = 0;
    while done < 150 {
        let groups = [1, 1, 1, 2, 3][random.below(5)];
        let x = [random.range(1, 4), random.range(1, 12), random.range(1, 12), groups * random.range(1, 9)];
        let k = [random.range(1, 5), random.range(1, 5), groups * random.range(1, 17)];
        let stride = [random.range(1, 3), random.range(1, 3)];
        let dilation = [random.range(1, 3), random.range(1, 3)];
        let pad = if random.below(2) == 0 { [0; 4] } else { [0; 4].map(|_| random.below(3)) };
        if let Some(s) = conv_shape(x, k, stride, dilation, groups, pad) {
            check_conv(random, &s, scratch)?;
            done += 1;
        }
    }
    Ok(())
}

fn reductions() -> Result<(), String> {
    let random = &mut Lcg(6);
    for (rows, cols) in [(1, 1), (5, 3), (300, 37), (1000, 64), (129, 10), (0, 4), (4, 0), (7, 5000)] {
        let x = random.values(rows * cols);
        let (mut by_col, mut by_row, mut all) = (vec![Sum::default(); cols], vec![Sum::default(); rows], Sum::default());
        for (i, x) in x.iter().enumerate() {
            let x = f64::from(*x);
            by_col[i % cols].add(x);
            by_row[i / cols].add(x);
            all.add(x);
        }
        let (mut rows_got, mut cols_got) = (vec![f32::NAN; cols], vec![f32::NAN; rows]);
        sum_rows(&x, rows, cols, &mut rows_got);
        compare(|| format!("sum_rows [{rows}, {cols}]"), &rows_got, &by_col)?;
        sum_cols(&x, rows, cols, &mut cols_got);
        compare(|| format!("sum_cols [{rows}, {cols}]"), &cols_got, &by_row)?;
        compare(|| format!("sum [{rows}, {cols}]"), &[sum(&x)], &[all])?;
    }
    Ok(())
}

/// A function beside its plain form.
type Plain = (Lanes, fn(f32, f32) -> f32);

/// Every length, whole vectors and what is left, beside plain arithmetic: the same bits.
fn arithmetic() -> Result<(), String> {
    let random = &mut Lcg(11);
    let functions: [Plain; 7] = [
        (Lanes::Add, |a, b| a + b),
        (Lanes::Sub, |a, b| a - b),
        (Lanes::Mul, |a, b| a * b),
        (Lanes::Div, |a, b| a / b),
        (Lanes::Greater, |a, b| if a > b { 1.0 } else { 0.0 }),
        (Lanes::Relu, |a, _| if a < 0.0 { 0.0 } else { a }),
        (Lanes::Sqrt, |a, _| a.sqrt()),
    ];
    for len in 0..40 {
        let (mut a, b) = (random.values(len), random.values(len));
        for (a, special) in a.iter_mut().skip(len / 2).zip([f32::NAN, f32::INFINITY, 0.0]) {
            *a = special;
        }
        for (function, plain) in functions {
            let mut got = vec![0.5; len];
            lanes(function, &a, &b, &mut got);
            for ((&a, &b), got) in a.iter().zip(&b).zip(got) {
                let expected = plain(a, b);
                if got.to_bits() != expected.to_bits() && !(got.is_nan() && expected.is_nan()) {
                    return Err(format!("{function:?} of {a} and {b}, {len} elements, is {got}"));
                }
            }
        }
    }
    Ok(())
}

/// |got − expected| in units of the last place of `expected` as an f32.
fn ulps(got: f32, expected: f64) -> f64 {
    let nearest = expected as f32;
    if got == nearest || (got.is_nan() && nearest.is_nan()) {
        return 0.0;
    }
    let size = nearest.abs().clamp(f32::MIN_POSITIVE, f32::MAX);
    let unit = f64::from(f32::from_bits(size.to_bits() & 0xff80_0000)) * f64::from(f32::EPSILON);
    (f64::from(got) - expected).abs() / unit
}

/// A function over a slice, and the same of one f64.
type Pair = (&'static str, fn(&[f32], &mut [f32]), fn(f64) -> f64);

const FUNCTIONS: [Pair; 4] =
    [("exp", exp, f64::exp), ("log", log, f64::ln), ("tanh", tanh, f64::tanh), ("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp()))];

fn functions() -> Result<(), String> {
    // Bits in even steps cover every exponent, subnormal ones too; the line covers where functions do most.
    let mut x: Vec<f32> = (0..1 << 17).map(|i| f32::from_bits(i << 15)).filter(|x| x.is_finite()).collect();
    x.extend((0..1 << 17).map(|i| (i - (1 << 16)) as f32 * 1.7e-3));
    for (name, f, reference) in FUNCTIONS {
        let mut got = vec![0.0; x.len()];
        f(&x, &mut got);
        let worst = x
            .iter()
            .zip(&got)
            .map(|(&x, &got)| (ulps(got, reference(f64::from(x))), x, got))
            .fold((0.0, 0.0, 0.0), |a, b| if b.0 > a.0 || b.0.is_nan() { b } else { a });
        if worst.0.is_nan() || worst.0 > 2.5 {
            return Err(format!("{name}({}) is {}, off by {:.1} units in the last place", worst.1, worst.2, worst.0));
        }
    }
    // Small values are not told to their last digits: the error is one of the whole.
    let mut got = vec![0.0; x.len()];
    normal_cdf(&x, &mut got);
    let off = |(x, got): (&f32, &f32)| (f64::from(*got) - (1.0 + libm::erf(f64::from(*x) * std::f64::consts::FRAC_1_SQRT_2)) / 2.0).abs();
    if let Some((x, got)) = x.iter().zip(&got).find(|&(x, got)| off((x, got)).is_nan() || off((x, got)) > 3e-7) {
        return Err(format!("normal_cdf({x}) is {got}"));
    }
    let mut products = vec![0.0; x.len()];
    gelu(&x, &mut products);
    match x.iter().zip(&got).zip(&products).find(|&((x, cdf), product)| x * cdf != *product) {
        Some(((x, _), product)) => Err(format!("gelu({x}) is {product}")),
        None => Ok(()),
    }
}

fn limits() -> Result<(), String> {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let x = [inf, -inf, nan, 0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45, 88.72, 88.73, -103.9, -104.1, 1.0, -1.0];
    for (name, f, reference) in FUNCTIONS {
        // Every length up to the whole, for the ends of slices.
        for len in 0..=x.len() {
            let mut got = vec![0.5; len];
            f(&x[..len], &mut got);
            for (x, got) in x.iter().zip(got) {
                let expected = reference(f64::from(*x));
                if ulps(got, expected) > 2.5 || (expected == 0.0 && got != 0.0) || (got.is_nan() != expected.is_nan()) {
                    return Err(format!("{name}({x}) is {got}, expected {expected}"));
                }
            }
        }
    }
    let mut got = [0.5; 4];
    normal_cdf(&[inf, -inf, f32::MAX, nan], &mut got);
    if got[..3] != [1.0, 0.0, 1.0] || !got[3].is_nan() {
        return Err(format!("normal_cdf at its ends is {got:?}"));
    }
    Ok(())
}

fn repeats() -> Result<(), String> {
    let random = &mut Lcg(7);
    let s = conv_shape([4, 9, 9, 8], [3, 3, 16], [1, 1], [1, 1], 1, [1; 4]).ok_or("no convolution")?;
    let (x, w, dy) = (random.values(s.x_len()), random.values(s.w_len()), random.values(s.y_len()));
    let once = |scratch: &mut Scratch| {
        let (mut y, mut dx, mut dw) = (vec![0.0; s.y_len()], vec![0.0; s.x_len()], vec![0.0; s.w_len()]);
        conv2d(&s, &x, &w, &mut y, scratch);
        conv2d_dx(&s, &dy, &w, &mut dx, scratch);
        conv2d_dw(&s, &x, &dy, &mut dw, scratch);
        let mut c = vec![0.0; s.out_c * s.out_c];
        let rows = s.y_len() / s.out_c;
        gemm(Mat::new(&y, rows, s.out_c).t(), Mat::new(&dy, rows, s.out_c), &mut c, false, scratch);
        [y, dx, dw, c].concat().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    let fresh = once(&mut Scratch::default());
    let mut used = Scratch::default();
    once(&mut used);
    check_gemm(random, 200, 300, 40, &mut used)?;
    if once(&mut used) == fresh { Ok(()) } else { Err("a second run gave other bits".to_owned()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn all() {
        let failed: Vec<String> = super::ALL.iter().filter_map(|(name, check)| check().err().map(|e| format!("{name}: {e}"))).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
