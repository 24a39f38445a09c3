//! Normalised rows and their gradient beside the formulas in double precision.

use super::Lcg;
use crate::norm::{normalize, normalize_dx};

pub(super) fn normalised() -> Result<(), String> {
    let random = &mut Lcg(12);
    for length in [1, 2, 3, 4, 7, 64, 127, 128, 1000] {
        let epsilon = 1e-3;
        let (x, dy) = (random.values(length), random.values(length));
        let (mut y, mut dx) = (vec![f32::NAN; length], vec![f32::NAN; length]);
        normalize(&x, epsilon, &mut y);
        normalize_dx(&x, &dy, epsilon, &mut dx);
        let double = |of: &[f32]| -> Vec<f64> { of.iter().map(|&x| f64::from(x)).collect() };
        let mean = |of: &[f64]| of.iter().sum::<f64>() / length as f64;
        let (x, dy) = (double(&x), double(&dy));
        let level = mean(&x);
        let variance = mean(&x.iter().map(|x| (x - level).powi(2)).collect::<Vec<_>>());
        let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
        let h: Vec<f64> = x.iter().map(|x| (x - level) * scale).collect();
        let (below, slope) = (mean(&dy), mean(&h.iter().zip(&dy).map(|(h, dy)| h * dy).collect::<Vec<_>>()));
        let wanted = h.iter().zip(&dy).map(|(h, dy)| scale * (dy - below - h * slope));
        for (k, ((got, want), (got_dx, want_dx))) in y.iter().zip(&h).zip(dx.iter().zip(wanted)).enumerate() {
            for (what, got, want) in [("normalize", *got, *want), ("normalize_dx", *got_dx, want_dx)] {
                if (f64::from(got) - want).abs() > 2e-5 * want.abs().max(scale) {
                    return Err(format!("{what} of {length}: {got} at {k} rather than {want}"));
                }
            }
        }
    }
    Ok(())
}
