//! Which examples, in which order.

use crate::error::Result;
use crate::fields::out_of_range;
use crate::tensor::Rng;

/// Streams of random numbers below this belong to variables and layers.
const EPOCHS: u32 = 1 << 31;

/// Rows 0..count in the order of an epoch: a permutation that is a pure function of seed and epoch, or as they stand.
pub fn epoch_order(count: usize, seed: u32, epoch: usize, shuffle: bool) -> Vec<u32> {
    match shuffle {
        true => Rng::new(seed, EPOCHS | epoch as u32).permutation(count),
        false => (0..count as u32).collect(),
    }
}

/// Beginnings of `count` windows among so many, each drawn anew: a pure function of seed and step.
pub fn random_windows(count: usize, beginnings: usize, seed: u32, step: u32) -> Vec<u32> {
    let mut rng = Rng::new(seed, EPOCHS | step);
    (0..count).map(|_| rng.below(beginnings) as u32).collect()
}

/// The first row of the validation examples: they are the last `fraction` of the training part, ⌊count (1 − fraction)⌋.. (Keras's
/// `validation_split`).
pub fn validation_start(count: usize, fraction: f32) -> Result<usize> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(out_of_range("validation_split", "at least 0 and below 1", fraction));
    }
    // The decimal that was meant: 1 - 0.2 in single precision would lose an example.
    let fraction: f64 = fraction.to_string().parse().unwrap_or(f64::from(fraction));
    Ok((count as f64 * (1.0 - fraction)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_each_row_once_in_an_order_of_its_own() {
        let first = epoch_order(1000, 3, 0, true);
        assert_eq!(first, epoch_order(1000, 3, 0, true));
        assert_ne!(first, epoch_order(1000, 3, 1, true));
        assert_ne!(first, epoch_order(1000, 4, 0, true));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, epoch_order(1000, 3, 0, false));
    }

    #[test]
    fn validation_is_the_end_of_the_training_part() {
        assert_eq!(validation_start(60_000, 0.2).ok(), Some(48_000));
        assert_eq!(validation_start(60_000, 0.0).ok(), Some(60_000));
        assert_eq!(validation_start(10, 0.1).ok(), Some(9));
        assert_eq!(validation_start(5, 0.5).ok(), Some(2));
        for bad in [-0.1, 1.0, f32::NAN] {
            assert!(validation_start(10, bad).is_err());
        }
    }
}
