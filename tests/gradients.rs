//! Every op's gradient against central differences in double precision, and every op's explanation against its result.

use gradscope::autograd::backward;
use gradscope::graph::{Leaf, NodeId};
use gradscope::ops::eval::{evaluate, loss_weight, weighted_loss};
use gradscope::ops::{CpuCx, Graph, Op, Sample};
use gradscope::tensor::{DType, Meta};

/// The graph of a sample's op: leaves, result.
fn graph_of(sample: &Sample) -> (Graph, Vec<NodeId>, NodeId) {
    let mut graph = Graph::default();
    let inputs: Vec<NodeId> = sample.metas().into_iter().enumerate().map(|(k, meta): (usize, Meta)| graph.input(k, meta)).collect();
    let out = graph.push(sample.op.clone(), &inputs).expect("samples have shapes that fit");
    (graph, inputs, out)
}

fn run(graph: &Graph, inputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut cx = CpuCx { seed: 5, step: 3, ..CpuCx::default() };
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
fn explanations_add_up_and_name_what_matters() {
    for sample in Op::samples() {
        let (graph, inputs, out) = graph_of(&sample);
        let start = values(&sample);
        let result = run(&graph, &start)[out.index()].clone();
        let metas = sample.metas();
        let metas: Vec<&Meta> = metas.iter().collect();
        let cx = CpuCx { seed: 5, step: 3, ..CpuCx::default() };
        let look_up = |input: usize, index: usize| start[input][index];
        for (element, &expected) in result.iter().enumerate().step_by(result.len().div_ceil(40)) {
            let explanation = sample.op.explain(&metas, element);
            let value = explanation.value(&cx, &look_up);
            let close = value == expected || (value - expected).abs() <= 1e-5 * expected.abs().max(1e-6);
            assert!(close, "{}: element {element}: explained {value}, computed {expected}", sample.name);
            let mut named = Vec::new();
            explanation.elements(&mut named);
            for (k, input) in inputs.iter().enumerate() {
                let count = graph.shape(*input).numel();
                for index in (0..count).step_by(count.div_ceil(25)) {
                    let mut moved = start.clone();
                    moved[k][index] = if sample.inputs[k].1 == DType::Index { 0.0 } else { moved[k][index] + 0.01 };
                    let influences = run(&graph, &moved)[out.index()][element] != expected;
                    assert!(
                        !influences || named.contains(&(k, index)),
                        "{}: element {element} depends on input {k}[{index}], which its explanation does not name",
                        sample.name
                    );
                }
            }
        }
    }
}
