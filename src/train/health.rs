//! How a network fares: statistics of one batch's activations and gradients, and of the update that a step would make. Nothing changes.

use litemap::LiteMap;

use super::Session;
use super::session::Compiled;
use crate::backend::{Backend, StepData};
use crate::error::Result;
use crate::graph::{Group, Kind, Leaf, NodeId, Target};
use crate::nn::{Built, BuiltLayer};
use crate::ops::eval::evaluate;
use crate::ops::pointwise::Pointwise;
use crate::ops::{CpuCx, Graph, Op};

/// Bins of a histogram: odd, so that 0 lies in the middle of one.
const BINS: usize = 41;

/// A unit is saturated where the slope of its function is less than this share of the steepest: |tanh| > 0.968, σ outside 0.016..0.984.
const FLAT: f32 = 1.0 / 16.0;

wire! {
    /// Statistics of many numbers. Mean, deviation, norm and histogram are of those that are finite.
    pub struct Distribution {
        /// The bins span from `-limit` to `limit`, the largest magnitude.
        pub limit: f32,
        /// Numbers in each of 41 bins of equal width; 0 is in the middle of the middle one.
        pub bins: Vec<u32>,
        /// Mean.
        pub mean: f64,
        /// Standard deviation (of the population).
        pub std: f64,
        /// Square root of the sum of squares.
        pub norm: f64,
        /// Share that is exactly 0.
        pub zeros: f64,
        /// How many are NaN.
        pub nan: usize,
        /// How many are infinite.
        pub infinite: usize,
    }

    /// A layer's output in the batch.
    pub struct LayerHealth {
        /// Its name.
        pub layer: String,
        /// Its output.
        pub value: Distribution,
        /// The loss's gradient with respect to its output; of the last layer with respect to its logits, where the loss takes those. None
        /// where the loss does not depend on it.
        pub gradient: Option<Distribution>,
        /// Units: channels of maps, elements of vectors.
        pub units: usize,
        /// Where the layer ends in ReLU, the units whose output is 0 at every place of every example.
        pub dead: Option<Vec<usize>>,
        /// Where it ends in sigmoid or tanh, the share of outputs where the slope is below a sixteenth of the steepest; where it ends in
        /// softmax, the share of examples with such a largest probability (above 0.984).
        pub saturated: Option<f64>,
        /// Of a recurrent layer, the norm of the loss's gradient with respect to h after each time step, in the steps' order; of others none.
        pub over_time: Vec<f64>,
    }

    /// A parameter, its gradient, and the update that a step on this batch would make.
    pub struct ParameterHealth {
        /// `"conv2d.kernel"`.
        pub name: String,
        /// The layer that it belongs to.
        pub layer: String,
        /// Its shape.
        pub shape: Vec<usize>,
        /// Norm of its values.
        pub norm: f64,
        /// Norm of its gradient, before any clipping.
        pub gradient_norm: f64,
        /// Norm of the update.
        pub update_norm: f64,
        /// Update's norm by value's norm; none where all values are 0.
        pub ratio: Option<f64>,
        /// Values, gradients and updates that are NaN or infinite.
        pub not_finite: usize,
    }

    /// How the network fares on the batch last stepped, at the present parameters.
    pub struct HealthReport {
        /// Steps done.
        pub step: usize,
        /// Epochs done, with the fraction of the current one.
        pub epoch: f32,
        /// Examples in the batch.
        pub batch: usize,
        /// The batch's loss.
        pub loss: f32,
        /// Norm of the gradient of all parameters together.
        pub gradient_norm: f64,
        /// Layer by layer.
        pub layers: Vec<LayerHealth>,
        /// Parameter by parameter.
        pub parameters: Vec<ParameterHealth>,
        /// Milliseconds that the report took.
        pub milliseconds: f32,
    }
}

/// Values that are counted in 32 bits before the counts are added up, and in how many lanes.
const RUN: usize = 4096;
const LANES: usize = 8;

#[derive(Default)]
struct Tally {
    sum: f64,
    squares: f64,
    limit: f32,
    zeros: usize,
    nan: usize,
    infinite: usize,
}

impl Tally {
    /// Adds a run of values, in lanes and without branches, so that it becomes SIMD code: a batch has millions of values.
    fn add(&mut self, run: &[f32]) {
        let (mut sums, mut squares) = ([0.0f64; LANES], [0.0f64; LANES]);
        let (mut limits, mut zeros, mut bad) = ([0.0f32; LANES], [0u32; LANES], [0u32; LANES]);
        for chunk in run.chunks(LANES) {
            for (lane, &value) in chunk.iter().enumerate() {
                let finite = value.is_finite();
                let value = if finite { value } else { 0.0 };
                let wide = f64::from(value);
                sums[lane] += wide;
                squares[lane] += wide * wide;
                limits[lane] = if value.abs() > limits[lane] { value.abs() } else { limits[lane] };
                zeros[lane] += u32::from(value == 0.0);
                bad[lane] += u32::from(!finite);
            }
        }
        let bad = bad.iter().sum::<u32>() as usize;
        if bad > 0 {
            let nan = run.iter().filter(|value| value.is_nan()).count();
            self.nan += nan;
            self.infinite += bad - nan;
        }
        self.zeros += zeros.iter().sum::<u32>() as usize - bad;
        self.limit = limits.iter().fold(self.limit, |most, &limit| most.max(limit));
        self.sum += sums.iter().sum::<f64>();
        self.squares += squares.iter().sum::<f64>();
    }
}

impl Distribution {
    /// Statistics of `values`.
    pub fn of(values: &[f32]) -> Self {
        let mut tally = Tally::default();
        values.chunks(RUN).for_each(|run| tally.add(run));
        let Tally { sum, squares, limit, zeros, nan, infinite } = tally;
        let mut bins = vec![0u32; BINS];
        // In double precision, since one by the smallest floats is infinite.
        let scale = if limit > 0.0 { 0.5 * BINS as f64 / f64::from(limit) } else { 0.0 };
        for &value in values {
            if value.is_finite() {
                bins[((f64::from(value) * scale + 0.5 * BINS as f64) as usize).min(BINS - 1)] += 1;
            }
        }
        let count = (values.len() - nan - infinite).max(1) as f64;
        let mean = sum / count;
        Self {
            limit,
            bins,
            mean,
            std: (squares / count - mean * mean).max(0.0).sqrt(),
            norm: squares.sqrt(),
            zeros: zeros as f64 / values.len().max(1) as f64,
            nan,
            infinite,
        }
    }
}

impl<B: Backend> Session<B> {
    /// How the network fares on the batch last stepped (the first one before any step). `now` tells the time in milliseconds.
    pub async fn health(&mut self, now: impl Fn() -> f64) -> Result<HealthReport> {
        let start = now();
        let (compiled, data) = self.pass().await?;
        let report = self.examine(&compiled, &data).await;
        self.inspect = Some(compiled);
        let report = report?;
        Ok(HealthReport { milliseconds: (now() - start) as f32, ..report })
    }

    async fn examine(&self, compiled: &Compiled<B>, data: &StepData) -> Result<HealthReport> {
        let built = &compiled.built;
        let mut layers = Vec::with_capacity(built.layers.len());
        for layer in &built.layers {
            layers.push(self.examine_layer(compiled, data, layer).await?);
        }
        let parameters = self.examine_parameters(compiled, data).await?;
        let loss = match built.loss {
            Some(loss) => self.value_of(compiled, data, loss).await?[0],
            None => f32::NAN,
        };
        Ok(HealthReport {
            step: self.step,
            epoch: self.epochs_done(),
            batch: self.last_rows.len(),
            loss,
            gradient_norm: parameters.iter().map(|parameter| parameter.gradient_norm.powi(2)).sum::<f64>().sqrt(),
            layers,
            parameters,
            milliseconds: 0.0,
        })
    }

    async fn examine_layer(&self, compiled: &Compiled<B>, data: &StepData, layer: &BuiltLayer) -> Result<LayerHealth> {
        let graph = &compiled.built.graph;
        let value = self.value_of(compiled, data, layer.output).await?;
        let of_logits = || (layer.output == compiled.built.output).then(|| graph.gradient_of(compiled.built.logits)).flatten();
        let gradient = match graph.gradient_of(layer.output).or_else(of_logits) {
            Some(node) => Some(Distribution::of(&self.value_of(compiled, data, node).await?)),
            None => None,
        };
        let units = graph.shape(layer.output).last().copied().unwrap_or(1);
        let (dead, saturated) = judge(graph, layer, &value, units);
        let mut over_time = Vec::with_capacity(layer.states.len());
        for gradient in layer.states.iter().filter_map(|&state| graph.gradient_of(state)) {
            over_time.push(norm(&self.value_of(compiled, data, gradient).await?));
        }
        Ok(LayerHealth { layer: layer.name.clone(), value: Distribution::of(&value), gradient, units, dead, saturated, over_time })
    }

    async fn examine_parameters(&self, compiled: &Compiled<B>, data: &StepData) -> Result<Vec<ParameterHealth>> {
        let graph = &compiled.built.graph;
        let mut gradient = vec![0.0; graph.flat_len(Group::Gradients)];
        for &(id, node) in graph.gradients() {
            let variable = graph.variable(id);
            let values = self.value_of(compiled, data, node).await?;
            gradient[variable.offset..variable.offset + values.len()].copy_from_slice(&values);
        }
        let mut flats = LiteMap::from_iter([(Group::Gradients, gradient)]);
        for group in [Group::Parameters].into_iter().chain((0..self.slots).map(Group::Slot)) {
            flats.insert(group, self.backend.read(group).await?);
        }
        let updated = self.updated(&compiled.built, &flats)?;
        let examined = self.parameters().map(|variable| {
            let range = variable.offset..variable.offset + variable.shape.numel();
            let (values, gradient) = (&flats[&Group::Parameters][range.clone()], &flats[&Group::Gradients][range.clone()]);
            let update: Vec<f32> = updated[range].iter().zip(values).map(|(new, old)| new - old).collect();
            let [norm, gradient_norm, update_norm] = [values, gradient, &update].map(norm);
            ParameterHealth {
                name: variable.name.clone(),
                layer: variable.name.split('.').next().unwrap_or_default().to_owned(),
                shape: variable.shape.to_vec(),
                norm,
                gradient_norm,
                update_norm,
                ratio: (norm > 0.0).then(|| update_norm / norm),
                not_finite: [values, gradient, &update].into_iter().flatten().filter(|value| !value.is_finite()).count(),
            }
        });
        Ok(examined.collect())
    }

    /// The parameters after a step with these gradients and slots, computed here from the optimizer's own nodes, so that nothing has to be
    /// put back.
    fn updated(&self, trained: &Built, flats: &LiteMap<Group, Vec<f32>>) -> Result<Vec<f32>> {
        let mut graph = Graph::default();
        for variable in trained.graph.variables() {
            graph.declare(&variable.name, variable.shape.clone(), variable.group, variable.init.clone());
        }
        self.settings.append_update(&mut graph, trained.game)?;
        let scalars = self.scalars(&graph);
        let mut values = evaluate(&graph, &mut CpuCx::default(), |_, leaf| match leaf {
            Leaf::Flat(group) => flats.get(group).cloned().unwrap_or_default(),
            Leaf::Scalar(index) => vec![scalars[*index]],
            // The optimizer reads whole buffers alone.
            Leaf::Variable(_) | Leaf::Input(_) | Leaf::Constant(_) => Vec::new(),
        });
        let to_parameters = |&&(_, target): &&(NodeId, Target)| target == Target::Flat(Group::Parameters);
        let new = graph.writes().iter().find(to_parameters).map(|&(node, _)| node);
        Ok(new.map_or_else(|| flats[&Group::Parameters].clone(), |node| std::mem::take(&mut values[node.index()])))
    }
}

/// Square root of the sum of squares of what is finite.
fn norm(values: &[f32]) -> f64 {
    values.iter().filter(|value| value.is_finite()).map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// Dead units and saturated share, by the function that the layer itself ends in.
fn judge(graph: &Graph, layer: &BuiltLayer, value: &[f32], units: usize) -> (Option<Vec<usize>>, Option<f64>) {
    let node = graph.node(layer.output);
    let Kind::Op(op) = &node.kind else { return (None, None) };
    if node.layer != layer.name {
        return (None, None);
    }
    let share = |flat: usize, of: usize| Some(flat as f64 / of.max(1) as f64);
    let flat_sigmoid = |p: f32| 4.0 * p * (1.0 - p) < FLAT;
    match op {
        Op::Pointwise(Pointwise::Relu) => (Some(dead(value, units)), None),
        Op::Pointwise(Pointwise::Sigmoid) => (None, share(value.iter().filter(|&&p| flat_sigmoid(p)).count(), value.len())),
        Op::Pointwise(Pointwise::Tanh) => (None, share(value.iter().filter(|&&y| 1.0 - y * y < FLAT).count(), value.len())),
        Op::Softmax(_) => {
            let rows = value.chunks_exact(units.max(1));
            let sure = |row: &&[f32]| row.iter().any(|&p| p > 0.5 && flat_sigmoid(p));
            (None, share(rows.clone().filter(sure).count(), rows.len()))
        }
        _ => (None, None),
    }
}

/// Units that are 0 everywhere; the last axis counts them.
fn dead(value: &[f32], units: usize) -> Vec<usize> {
    let mut alive = vec![false; units];
    for row in value.chunks_exact(units.max(1)) {
        alive.iter_mut().zip(row).for_each(|(alive, &value)| *alive |= value != 0.0);
    }
    (0..units).filter(|&unit| !alive[unit]).collect()
}
