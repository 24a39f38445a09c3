//! Checks of a backend that run both natively and in a browser: every op's samples against double precision, and what a plan needs of a
//! backend beside its kernels.

pub mod features;

use std::rc::Rc;

use crate::autograd::backward;
use crate::backend::{Backend, Device, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Leaf, NodeId};
use crate::ops::eval::{evaluate, loss_weight, weighted_loss};
use crate::ops::{CpuCx, Graph, Op, Sample};
use crate::plan::{Mode, Operand, Plan};

/// Seed and step number of every check.
pub const SEED: u32 = 5;
/// See [`SEED`].
pub const STEP: u32 = 3;
/// Largest difference that passes (see [`difference`]).
pub const TOLERANCE: f64 = 1e-4;

/// A sample's graph with its gradients, and every node's value in double precision.
pub struct Oracle {
    /// The graph.
    pub graph: Graph,
    /// The op's result, the loss and the gradients.
    pub keep: Vec<NodeId>,
    /// Values by input column.
    pub inputs: Vec<(usize, Vec<f32>)>,
    /// Values by node.
    pub values: Vec<Vec<f64>>,
}

impl Oracle {
    /// Computes the sample, its weighted loss and the gradients of its inputs.
    pub fn new(sample: &Sample) -> Result<Self> {
        let mut graph = Graph::default();
        let leaves: Vec<NodeId> = sample.metas().into_iter().enumerate().map(|(k, meta)| graph.input(k, meta)).collect();
        let out = graph.push(sample.op.clone(), &leaves)?;
        let loss = weighted_loss(&mut graph, out)?;
        let gradients = backward(&mut graph, loss, &leaves)?;
        let keep = [out, loss].into_iter().chain(gradients.into_iter().flatten()).collect();
        let weights: Vec<f32> = (0..graph.shape(out).numel()).map(|i| loss_weight(i) as f32).collect();
        let mut inputs: Vec<(usize, Vec<f32>)> =
            sample.inputs.iter().enumerate().map(|(k, (tensor, _))| (k, tensor.data.clone())).collect();
        inputs.push((usize::MAX, weights));
        let mut cx = CpuCx { seed: SEED, step: STEP, ..CpuCx::default() };
        let values = evaluate(&graph, &mut cx, |_, leaf| {
            let column = inputs.iter().find(|(column, _)| *leaf == Leaf::Input(*column));
            column.map_or_else(Vec::new, |(_, data)| data.iter().map(|&x| f64::from(x)).collect())
        });
        Ok(Self { graph, keep, inputs, values })
    }
}

/// Largest error of `got`: |got − want| / (|want| + s / 10), where s is the largest magnitude in `want`, at least 1. Elements that are small
/// by cancellation count by what they were summed from.
pub fn difference(got: &[f32], want: &[f64]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let scale = want.iter().filter(|x| x.is_finite()).fold(1.0f64, |most, x| most.max(x.abs()));
    let error = |(&got, &want): (&f32, &f64)| match f64::from(got) {
        got if got == want || (got.is_nan() && want.is_nan()) => 0.0,
        got if got.is_finite() && want.is_finite() => (got - want).abs() / (want.abs() + 0.1 * scale),
        _ => f64::INFINITY,
    };
    got.iter().zip(want).map(error).fold(0.0, f64::max)
}

/// The worst difference over the values that the plan keeps, and the node that has it.
pub async fn compare(device: &mut Device, oracle: &Oracle, mode: Mode) -> Result<(f64, String)> {
    let plan = Rc::new(Plan::new(&oracle.graph, mode, &oracle.keep)?);
    let mut exec = device.compile(Rc::clone(&plan), &[]).await?;
    for (column, values) in &oracle.inputs {
        device.write_input(&mut exec, *column, values)?;
    }
    device.run(&mut exec, &StepData { seed: SEED, step: STEP, ..StepData::default() }, 0..plan.steps.len())?;
    let mut worst = (0.0, String::new());
    for id in oracle.graph.ids() {
        let got = match plan.place(id) {
            Some(Operand::Memory(place)) => device.read_place(&exec, place).await?,
            Some(Operand::Constant(number)) => vec![number; oracle.values[id.index()].len()],
            Some(Operand::Scalar(_)) => continue,
            None if oracle.keep.contains(&id) => {
                let name = &oracle.graph.node(id).name;
                return Err(Error::new(ErrorCode::UnknownName, &[("kind", &"kept value"), ("got", name)]));
            }
            None => continue,
        };
        let error = difference(&got, &oracle.values[id.index()]);
        if error > worst.0 {
            worst = (error, oracle.graph.node(id).name.clone());
        }
    }
    Ok(worst)
}

/// What came of a check.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Outcome {
    /// The sample and the plan's mode, or the feature.
    pub name: String,
    /// Worst difference from double precision.
    pub difference: f64,
    /// What is wrong, if anything is.
    pub failure: Option<String>,
}

/// Runs one sample in one mode on a device.
pub async fn check(device: &mut Device, sample: &Sample, oracle: &Oracle, mode: Mode) -> Outcome {
    let name = format!("{} ({mode:?})", sample.name);
    match compare(device, oracle, mode).await {
        Ok((difference, _)) if difference <= TOLERANCE => Outcome { name, difference, failure: None },
        Ok((difference, node)) => Outcome { name, difference, failure: Some(format!("{node} differs by {difference:.1e}")) },
        Err(error) => Outcome { name, difference: f64::INFINITY, failure: Some(error.to_string()) },
    }
}

/// Runs every op's samples on a device.
pub async fn samples(device: &mut Device) -> Vec<Outcome> {
    those(device, |_| true).await
}

/// Runs the samples that are wanted.
pub async fn those(device: &mut Device, wanted: impl Fn(&Sample) -> bool) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for sample in Op::samples().into_iter().filter(wanted) {
        let oracle = match Oracle::new(&sample) {
            Ok(oracle) => oracle,
            Err(error) => {
                outcomes.push(Outcome { name: sample.name, difference: f64::INFINITY, failure: Some(error.to_string()) });
                continue;
            }
        };
        for mode in [Mode::Train, Mode::Inspect] {
            outcomes.push(check(device, &sample, &oracle, mode).await);
        }
    }
    outcomes
}
