//! Counter-based random numbers: the number at (seed, stream, step, index) is a pure function of these, the same on the CPU and in WGSL
//! (`ops/wgsl/rng.wgsl`), so that a replay or another backend draws the same.
//!
//! Threefry-2x32 with 20 rounds: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); JAX's default generator.

/// Two random words for a key and a counter.
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1BD1_1BDA];
    let mut x = [counter[0].wrapping_add(keys[0]), counter[1].wrapping_add(keys[1])];
    for group in 0..5 {
        for rotation in ROTATIONS[group % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(rotation) ^ x[0];
        }
        x[0] = x[0].wrapping_add(keys[(group + 1) % 3]);
        x[1] = x[1].wrapping_add(keys[(group + 2) % 3]).wrapping_add(group as u32 + 1);
    }
    x
}

/// A number in [0, 1) with 24 random bits, so that every value is exact in a 32-bit float.
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 / (1 << 24) as f32
}

/// A stream of random numbers: the counter moves by itself.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u32; 2],
    counter: u32,
}

impl Rng {
    /// The stream numbered `stream` of a seed.
    pub fn new(seed: u32, stream: u32) -> Self {
        Self { key: [seed, stream], counter: 0 }
    }

    fn words(&mut self) -> [u32; 2] {
        let words = threefry2x32(self.key, [0, self.counter]);
        self.counter = self.counter.wrapping_add(1);
        words
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        uniform(self.words()[0])
    }

    /// Normal with mean 0 and variance 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f32 {
        let [a, b] = self.words();
        let radius = (-2.0 * (1.0 - f64::from(uniform(a))).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(uniform(b))).cos()) as f32
    }

    /// Uniform among 0..n, for n > 0.
    pub fn below(&mut self, n: usize) -> usize {
        let [high, low] = self.words();
        let word = u64::from(high) << 32 | u64::from(low);
        ((u128::from(word) * n as u128) >> 64) as usize
    }

    /// A random order of 0..n (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (kat_vectors, threefry2x32 20 rounds).
    #[test]
    fn threefry_agrees_with_its_authors() {
        assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb9_96fc, 0xbb00_2be7]);
        assert_eq!(threefry2x32([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3]), [0xc492_3a9c, 0x483d_f7a0]);
    }

    #[test]
    fn a_permutation_holds_each_index_once() {
        let mut order = Rng::new(7, 1).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut rng = Rng::new(1, 2);
        let draws: Vec<f64> = (0..20_000).map(|_| f64::from(rng.normal())).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "mean {mean}, variance {variance}");
    }
}
