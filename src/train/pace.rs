//! How many steps are taken at a time.

/// Wall time that a chunk of steps should take, in milliseconds: short enough for a page to feel alive, long enough for a GPU not to wait.
pub(super) const CHUNK_MS: f64 = 40.0;

/// Steps of the next chunk, fitted to the time that one should take.
pub(super) struct Pace(usize);

impl Pace {
    /// The first chunk is one step.
    pub fn new() -> Self {
        Self(1)
    }

    /// Steps of the next chunk.
    pub fn steps(&self) -> usize {
        self.0
    }

    /// Notes how many milliseconds so many steps took.
    pub fn fit(&mut self, elapsed: f64, steps: usize) {
        if steps > 0 && elapsed > 0.0 {
            let ideal = CHUNK_MS * steps as f64 / elapsed;
            self.0 = (ideal as usize).clamp(1, (2 * self.0).min(crate::backend::RING));
        }
    }
}
