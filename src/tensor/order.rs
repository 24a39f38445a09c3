//! Sorting.

/// Positions of the keys, the largest key's first; of equal ones the earlier first. Whatever is sorted by a number is sorted by this: each type
/// that has a sort of its own adds kilobytes to the download.
pub fn falling_order(keys: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_stay_in_order() {
        assert_eq!(falling_order(&[1.0, 3.0, -2.0, 3.0, f64::INFINITY]), [4, 1, 3, 0, 2]);
    }
}
