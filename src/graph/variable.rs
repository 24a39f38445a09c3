//! Variables and the flat buffers that they live in.

use serde::Serialize;

use crate::tensor::{Rng, Shape};

/// Elements between the beginnings of two variables are a multiple of this: 256 bytes, the alignment that WebGPU asks of a bound range.
pub const ALIGN: usize = 64;

/// A flat buffer. `Parameters`, `Gradients` and every `Slot` share one layout, so that the optimizer is one operation over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What is trained.
    Parameters,
    /// The loss's gradient with respect to it.
    Gradients,
    /// The optimizer's memory: 0 is momentum or Adam's m, 1 is Adam's v.
    Slot(u8),
    /// What is updated otherwise: batch norm's moving averages.
    Statistics,
    /// Weights of frozen layers, which nothing updates.
    Frozen,
    /// Values that somebody watches, gathered to be read at once.
    Live,
    /// Keys and values of the positions of a text so far.
    Cache,
}

impl Group {
    /// A name for nodes.
    pub fn name(self) -> &'static str {
        match self {
            Group::Parameters => "parameters",
            Group::Gradients => "gradients",
            Group::Slot(0) => "m",
            Group::Slot(_) => "v",
            Group::Statistics => "statistics",
            Group::Frozen => "frozen",
            Group::Live => "live",
            Group::Cache => "cache",
        }
    }

    /// The group that declares this one's layout.
    pub fn layout(self) -> Group {
        match self {
            Group::Statistics | Group::Frozen | Group::Live | Group::Cache => self,
            Group::Parameters | Group::Gradients | Group::Slot(_) => Group::Parameters,
        }
    }
}

/// How a variable begins. Names and definitions are Keras's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All the same.
    Constant {
        /// That value.
        #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
        value: f64,
    },
    /// Uniform in ±√(6 / (fan_in + fan_out)).
    GlorotUniform,
    /// Normal with variance 2 / (fan_in + fan_out), cut at two standard deviations.
    GlorotNormal,
    /// Uniform in ±√(6 / fan_in).
    HeUniform,
    /// Normal with variance 2 / fan_in, cut at two standard deviations.
    HeNormal,
    /// Normal.
    RandomNormal {
        /// Mean.
        #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
        mean: f64,
        /// Standard deviation.
        #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
        stddev: f64,
    },
    /// Uniform.
    RandomUniform {
        /// Lower bound.
        #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
        minval: f64,
        /// Upper bound.
        #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
        maxval: f64,
    },
    /// Rows, or columns where they are fewer, that are perpendicular to each other and of length `gain` (Saxe et al. 2014).
    Orthogonal {
        /// Their length.
        #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
        gain: f64,
    },
    /// Given, row-major: as many as the variable has elements.
    Values {
        /// The values.
        values: Vec<f64>,
    },
}

/// A parameter or a statistic: its place in its group's flat buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// `"conv2d.kernel"`.
    pub name: String,
    /// In Keras's layout.
    pub shape: Shape,
    /// The buffer that it lives in.
    pub group: Group,
    /// First element in it, a multiple of [`ALIGN`].
    pub offset: usize,
    /// How it begins.
    pub init: Initializer,
}

impl Variable {
    /// First values for a seed; `stream` tells the variables apart.
    pub fn initial(&self, seed: u32, stream: u32) -> Vec<f32> {
        let mut rng = Rng::new(seed, stream);
        let (fan_in, fan_out) = fans(&self.shape);
        let count = self.shape.numel();
        let mut fill = |mut draw: Box<dyn FnMut(&mut Rng) -> f32>| (0..count).map(|_| draw(&mut rng)).collect();
        let uniform = |limit: f32| move |rng: &mut Rng| (2.0 * rng.uniform() - 1.0) * limit;
        match &self.init {
            Initializer::Zeros => vec![0.0; count],
            Initializer::Ones => vec![1.0; count],
            Initializer::Constant { value } => vec![*value as f32; count],
            Initializer::GlorotUniform => fill(Box::new(uniform((6.0 / (fan_in + fan_out)).sqrt()))),
            Initializer::HeUniform => fill(Box::new(uniform((6.0 / fan_in).sqrt()))),
            Initializer::GlorotNormal => fill(Box::new(truncated_normal((2.0 / (fan_in + fan_out)).sqrt()))),
            Initializer::HeNormal => fill(Box::new(truncated_normal((2.0 / fan_in).sqrt()))),
            Initializer::RandomNormal { mean, stddev } => {
                let (mean, stddev) = (*mean as f32, *stddev as f32);
                fill(Box::new(move |rng| mean + stddev * rng.normal()))
            }
            Initializer::RandomUniform { minval, maxval } => {
                let (low, high) = (*minval as f32, *maxval as f32);
                fill(Box::new(move |rng| low + (high - low) * rng.uniform()))
            }
            Initializer::Orthogonal { gain } => orthogonal(&self.shape, *gain, &mut rng),
            Initializer::Values { values } => values.iter().map(|&value| value as f32).chain(std::iter::repeat(0.0)).take(count).collect(),
        }
    }
}

/// Normal numbers beyond two standard deviations are drawn again; the width is widened so that `stddev` is the result's
/// (Keras's `VarianceScaling` with `truncated_normal`).
fn truncated_normal(stddev: f32) -> impl FnMut(&mut Rng) -> f32 {
    const STDDEV_OF_TRUNCATED: f32 = 0.879_625_6;
    move |rng| {
        loop {
            let x = rng.normal();
            if x.abs() <= 2.0 {
                return x * stddev / STDDEV_OF_TRUNCATED;
            }
        }
    }
}

/// Random directions, each made perpendicular to those before it (Gram-Schmidt): what the QR decomposition of a matrix of normal numbers gives, with
/// the signs of R's diagonal taken out (Keras's `Orthogonal`). Axes before the last are one.
fn orthogonal(shape: &[usize], gain: f64, rng: &mut Rng) -> Vec<f32> {
    let columns = shape.last().copied().unwrap_or(1);
    let rows = shape.iter().product::<usize>() / columns.max(1);
    let mut directions: Vec<Vec<f64>> = Vec::with_capacity(rows.min(columns));
    while directions.len() < rows.min(columns) {
        let mut new: Vec<f64> = (0..rows.max(columns)).map(|_| f64::from(rng.normal())).collect();
        for other in &directions {
            let along: f64 = new.iter().zip(other).map(|(a, b)| a * b).sum();
            new.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let length = new.iter().map(|a| a * a).sum::<f64>().sqrt();
        new.iter_mut().for_each(|a| *a /= length);
        directions.push(new);
    }
    let cell = |i: usize| match (i / columns, i % columns) {
        (row, column) if rows < columns => directions[row][column],
        (row, column) => directions[column][row],
    };
    (0..rows * columns).map(|i| (gain * cell(i)) as f32).collect()
}

/// Inputs and outputs of one unit, for a kernel in Keras's layout `[...window, in, out]`.
fn fans(shape: &[usize]) -> (f32, f32) {
    match *shape {
        [] => (1.0, 1.0),
        [n] => (n as f32, n as f32),
        [ref window @ .., fan_in, fan_out] => {
            let field: usize = window.iter().product();
            ((field * fan_in) as f32, (field * fan_out) as f32)
        }
    }
}

pub(super) fn flat_len(variables: &[Variable], group: Group) -> usize {
    let last = variables.iter().rev().find(|variable| variable.group == group.layout());
    last.map_or(0, |variable| (variable.offset + variable.shape.numel()).next_multiple_of(ALIGN))
}
