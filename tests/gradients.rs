//! Every op's gradient against central differences in double precision, and every op's explanation against its result.

use std::collections::BTreeSet;

use gradscope::autograd::backward;
use gradscope::graph::{Leaf, NodeId, Operation};
use gradscope::ops::eval::{evaluate, loss_weight, weighted_loss};
use gradscope::ops::{CpuCx, Graph, Op, Sample};
use gradscope::tensor::{DType, Meta, Rng};

/// The graph of a sample's op: leaves, result.
fn graph_of(sample: &Sample) -> (Graph, Vec<NodeId>, NodeId) {
    let mut graph = Graph::default();
    let inputs: Vec<NodeId> = sample.metas().into_iter().enumerate().map(|(k, meta): (usize, Meta)| graph.input(k, meta)).collect();
    let out = graph.push(sample.op.clone(), &inputs).expect("samples have shapes that fit");
    (graph, inputs, out)
}

fn run(graph: &Graph, inputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    run_at(graph, inputs, 3)
}

fn run_at(graph: &Graph, inputs: &[Vec<f64>], step: u32) -> Vec<Vec<f64>> {
    let mut cx = CpuCx { seed: 5, step, ..CpuCx::default() };
    evaluate(graph, &mut cx, |id, leaf| match leaf {
        Leaf::Input(usize::MAX) => (0..graph.shape(id).numel()).map(loss_weight).collect(),
        Leaf::Input(k) => inputs[*k].clone(),
        other => panic!("a sample's graph has no {other:?}"),
    })
}

fn values(sample: &Sample) -> Vec<Vec<f64>> {
    sample.inputs.iter().map(|(tensor, _)| tensor.data.iter().map(|&x| f64::from(x)).collect()).collect()
}

#[test]
fn gradients_agree_with_finite_differences() {
    let mut checked = 0;
    for sample in Op::samples() {
        let (mut graph, inputs, out) = graph_of(&sample);
        let loss = weighted_loss(&mut graph, out).expect("a loss can be made of any result");
        let gradients = backward(&mut graph, loss, &inputs).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        let start = values(&sample);
        let analytic = run(&graph, &start);
        for (k, (input, gradient)) in inputs.iter().zip(&gradients).enumerate() {
            let Some(gradient) = gradient else { continue };
            assert_eq!(sample.inputs[k].1, DType::F32, "{}: gradient of an index", sample.name);
            assert_eq!(graph.shape(*gradient), graph.shape(*input), "{}: shape of the gradient of input {k}", sample.name);
            let count = start[k].len();
            // Long inputs: every element would take hours and show nothing new.
            for index in (0..count).step_by(count.div_ceil(60)) {
                let slope = |h: f64| {
                    let at = |x: f64| {
                        let mut moved = start.clone();
                        moved[k][index] = x;
                        run(&graph, &moved)[loss.index()][0]
                    };
                    (at(start[k][index] + h) - at(start[k][index] - h)) / (2.0 * h)
                };
                let (numeric, exact) = (slope(1e-6), analytic[gradient.index()][index]);
                let scale = numeric.abs().max(exact.abs()).max(1e-3);
                // What rounding of the loss leaves in a difference quotient.
                let noise = 1e-9 * analytic[loss.index()][0].abs();
                assert!(
                    (numeric - exact).abs() <= 1e-5 * scale + noise,
                    "{}: input {k}, element {index}: numeric {numeric}, analytic {exact}",
                    sample.name
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 1000, "only {checked} elements checked");
}

#[test]
fn explanations_add_up() {
    for sample in Op::samples() {
        let (graph, _, out) = graph_of(&sample);
        let start = values(&sample);
        let result = run(&graph, &start)[out.index()].clone();
        let metas = sample.metas();
        let metas: Vec<&Meta> = metas.iter().collect();
        let cx = CpuCx { seed: 5, step: 3, ..CpuCx::default() };
        let look_up = |input: usize, index: usize| start[input][index];
        for (element, &expected) in result.iter().enumerate().step_by(result.len().div_ceil(40)) {
            let value = sample.op.explain(&metas, element).value(&cx, &look_up);
            let close = value == expected || (value - expected).abs() <= 1e-5 * expected.abs().max(1e-6);
            assert!(close, "{}: element {element}: explained {value}, computed {expected}", sample.name);
        }
    }
}

/// An explanation names an input a few times at most: one that named each of C classes for each of them would take all memory for a vocabulary.
#[test]
fn explanations_grow_with_what_they_name() {
    for sample in Op::samples() {
        let (graph, _, out) = graph_of(&sample);
        let metas = sample.metas();
        let metas: Vec<&Meta> = metas.iter().collect();
        let elements = graph.shape(out).numel();
        for element in (0..elements).step_by(elements.div_ceil(5)) {
            let mut named = Vec::new();
            sample.op.explain(&metas, element).elements(&mut named);
            let count = named.len();
            named.sort_unstable();
            named.dedup();
            assert!(count <= 12 * named.len(), "{}: element {element} names {} inputs {count} times", sample.name, named.len());
        }
    }
}

/// Settings of a sample's inputs that are tried before an input counts as one without influence.
const TRIALS: u32 = 400;

/// Numbers for all inputs of a sample: its own at first, then random ones of either sign, positive ones, and a few whole ones that are often equal, so
/// that every branch of an op is taken and every domain is met.
fn setting(sample: &Sample, extents: &[usize], trial: u32, rng: &mut Rng) -> Vec<Vec<f64>> {
    let own = values(sample);
    let draw = |(k, own): (usize, &Vec<f64>), rng: &mut Rng| own.iter().map(|&x| another(sample, extents, k, x, trial, rng)).collect();
    match trial {
        0 => own,
        _ => own.iter().enumerate().map(|numbered| draw(numbered, rng)).collect(),
    }
}

/// Another number that may stand in the place of `x` in input `k`. An index may be one along any axis.
fn another(sample: &Sample, extents: &[usize], k: usize, x: f64, trial: u32, rng: &mut Rng) -> f64 {
    match (sample.inputs[k].1, trial % 4) {
        (DType::Index, _) => {
            let axis = rng.below(extents.len());
            rng.below(extents[axis]) as f64
        }
        (DType::F32, 0) => x + 0.01 * f64::from(1 + trial) * f64::from(rng.normal()),
        (DType::F32, 1) => 2.0 * f64::from(rng.normal()),
        (DType::F32, 2) => 0.05 + 3.0 * f64::from(rng.uniform()),
        (DType::F32, _) => rng.below(3) as f64 - 1.0,
    }
}

/// An explanation names exactly the inputs that influence its element: no other input ever changes a bit of it, and each of them does in some
/// setting of the inputs. (A pool's loser does not in the sample's own, but does where it is raised above the winner; what a dropout masks
/// does at another step.)
#[test]
fn explanations_name_exactly_what_influences() {
    let mut influences = 0;
    for sample in Op::samples() {
        let (graph, inputs, out) = graph_of(&sample);
        let metas = sample.metas();
        let metas: Vec<&Meta> = metas.iter().collect();
        let elements = graph.shape(out).numel();
        let shapes = metas.iter().map(|meta| &meta.shape).chain([graph.shape(out)]);
        let extents: Vec<usize> = shapes.flat_map(|shape| shape.iter().copied()).filter(|&extent| extent > 0).chain([2]).collect();
        // A softmax over a single number is 1, whatever that is: e^x / e^x names what cancels.
        let cancels = sample.op.name().contains("softmax") && metas[0].shape.last() == Some(&1);
        for element in (0..elements).step_by(elements.div_ceil(5)) {
            let mut named = Vec::new();
            sample.op.explain(&metas, element).elements(&mut named);
            let named: BTreeSet<(usize, usize)> = named.into_iter().collect();
            let mut waiting: Vec<(usize, usize)> = named.iter().copied().step_by(named.len().div_ceil(40).max(1)).collect();
            let mut others: Vec<(usize, usize)> = Vec::new();
            for (k, input) in inputs.iter().enumerate() {
                let count = graph.shape(*input).numel();
                others.extend((0..count).map(|index| (k, index)).filter(|place| !named.contains(place)).step_by(count.div_ceil(20)));
            }
            let found = waiting.len();
            for trial in 0..TRIALS {
                let mut rng = Rng::new(trial, element as u32);
                let start = setting(&sample, &extents, trial, &mut rng);
                let at = |inputs: &[Vec<f64>]| run_at(&graph, inputs, trial)[out.index()][element];
                let before = at(&start);
                let mut changes = |(k, index): (usize, usize)| {
                    let mut moved = start.clone();
                    let x = another(&sample, &extents, k, start[k][index], trial, &mut rng);
                    // Now and then beyond all others, so that any candidate wins once.
                    moved[k][index] = if trial % 3 == 1 && sample.inputs[k].1 == DType::F32 { 10.0 * x } else { x };
                    let after = at(&moved);
                    after.to_bits() != before.to_bits() && !(after.is_nan() && before.is_nan())
                };
                waiting.retain(|&place| !changes(place));
                if trial < 4 {
                    for &(k, index) in &others {
                        assert!(
                            !changes((k, index)),
                            "{}: element {element} depends on input {k}[{index}], which its explanation does not name",
                            sample.name
                        );
                    }
                }
                if waiting.is_empty() && trial >= 4 {
                    break;
                }
            }
            assert!(
                cancels || waiting.is_empty(),
                "{}: element {element} does not depend on {waiting:?}, which its explanation names",
                sample.name
            );
            influences += found;
        }
    }
    assert!(influences > 3000, "only {influences} influences seen");
}
