//! Gradients of layers that are composed of several operations, against central differences in double precision.

use gradscope::autograd::backward;
use gradscope::graph::{Leaf, NodeId};
use gradscope::nn::{Built, Mode, ModelSpec, build};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::{evaluate, loss_weight, weighted_loss};
use gradscope::tensor::Rng;
use serde_json::{Value, json};

/// Values of a layer's leaves by node: the input, and its parameters.
type Leaves = Vec<(NodeId, Vec<f64>)>;

fn run(built: &Built, leaves: &Leaves) -> Vec<Vec<f64>> {
    evaluate(&built.graph, &mut CpuCx::default(), |id, leaf| match leaf {
        Leaf::Input(usize::MAX) => (0..built.graph.shape(id).numel()).map(loss_weight).collect(),
        Leaf::Input(_) | Leaf::Variable(_) => leaves.iter().find(|(of, _)| *of == id).expect("a leaf").1.clone(),
        other => panic!("{other:?} in a layer"),
    })
}

fn check(input: &[usize], layer: Value) {
    let spec = ModelSpec::from_json(&json!({ "input": input, "layers": [layer] })).expect("a good spec");
    let mut built = build(&spec, 2, Mode::Train, None).expect("a graph");
    let is_leaf = |id: &NodeId| built.graph.node(*id).inputs.is_empty();
    let mut rng = Rng::new(4, 0);
    // Different numbers, so that no pool has two winners.
    let mut numbers = |id: NodeId| {
        let count = built.graph.shape(id).numel();
        let rank = rng.permutation(count);
        (id, rank.iter().map(|&rank| 2.0 * (f64::from(rank) + 0.5) / count as f64 - 1.0).collect())
    };
    let leaves: Leaves = built.graph.ids().filter(is_leaf).map(&mut numbers).collect();
    let loss = weighted_loss(&mut built.graph, built.output).expect("a loss");
    let ids: Vec<NodeId> = leaves.iter().map(|(id, _)| *id).collect();
    let gradients = backward(&mut built.graph, loss, &ids).expect("gradients");
    let exact = run(&built, &leaves);
    for (k, gradient) in gradients.iter().enumerate() {
        let gradient = gradient.unwrap_or_else(|| panic!("{layer}: no gradient of leaf {k}"));
        for element in 0..leaves[k].1.len() {
            let at = |step: f64| {
                let mut moved = leaves.clone();
                moved[k].1[element] += step;
                run(&built, &moved)[loss.index()][0]
            };
            let (numeric, exact) = ((at(1e-6) - at(-1e-6)) / 2e-6, exact[gradient.index()][element]);
            assert!(
                (numeric - exact).abs() <= 1e-5 * exact.abs().max(1e-2),
                "{layer}: leaf {k}, element {element}: {numeric}, not {exact}"
            );
        }
    }
}

#[test]
fn layers_over_sequences() {
    for padding in ["valid", "same", "causal"] {
        check(&[6, 2], json!({ "type": "Conv1D", "filters": 3, "kernel_size": 3, "padding": padding }));
        check(&[7, 2], json!({ "type": "Conv1D", "filters": 2, "kernel_size": 2, "strides": 2, "groups": 2, "padding": padding }));
    }
    check(&[7, 2], json!({ "type": "Conv1D", "filters": 2, "kernel_size": 2, "dilation_rate": 3, "activation": "tanh" }));
    for kind in ["MaxPooling1D", "AveragePooling1D"] {
        check(&[7, 2], json!({ "type": kind }));
        check(&[7, 2], json!({ "type": kind, "pool_size": 3, "strides": 2, "padding": "same" }));
    }
    check(&[5, 3], json!({ "type": "GlobalMaxPooling1D" }));
    check(&[5, 3], json!({ "type": "GlobalAveragePooling1D", "keepdims": true }));
}

#[test]
fn layers_that_enlarge_images() {
    check(&[3, 2, 3], json!({ "type": "UpSampling2D", "size": [2, 3] }));
    check(&[3, 2, 3], json!({ "type": "UpSampling2D", "size": [1, 2] }));
    for padding in ["valid", "same"] {
        check(&[3, 2, 2], json!({ "type": "Conv2DTranspose", "filters": 3, "kernel_size": 3, "strides": 2, "padding": padding }));
        check(&[2, 3, 1], json!({ "type": "Conv2DTranspose", "filters": 2, "kernel_size": [1, 2], "strides": 3, "padding": padding }));
        check(
            &[4, 3, 2],
            json!({ "type": "Conv2DTranspose", "filters": 1, "kernel_size": 2, "activation": "sigmoid", "padding": padding }),
        );
    }
}
