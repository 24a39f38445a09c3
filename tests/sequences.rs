//! Layers over sequences, and what joins branches: values against plain loops, gradients against finite differences, refusals.

use gradscope::autograd::differentiate;
use gradscope::error::ErrorCode;
use gradscope::graph::{Leaf, NodeId};
use gradscope::nn::{Built, LossSpec, Mode, ModelSpec, build};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::evaluate;
use gradscope::tensor::DType;
use serde_json::{Value, json};

fn model(input: &[usize], layers: Value) -> ModelSpec {
    ModelSpec::from_json(&json!({ "input": input, "layers": layers })).expect("a good spec")
}

/// A block of a transformer over five tokens of seven, heads and table shared.
fn gpt() -> ModelSpec {
    let normal = json!({ "type": "RandomNormal", "stddev": 0.5 });
    model(
        &[5],
        json!([
            { "type": "ReversibleEmbedding", "name": "tokens", "input_dim": 7, "output_dim": 6, "embeddings_initializer": normal },
            { "type": "PositionEmbedding", "sequence_length": 8 },
            { "type": "Add", "inputs": ["tokens", "position_embedding"] },
            { "type": "LayerNormalization", "gamma_initializer": normal },
            { "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3, "use_causal_mask": true, "kernel_initializer": normal,
              "bias_initializer": normal },
            { "type": "Add", "name": "attended", "inputs": ["add", "multi_head_attention"] },
            { "type": "RMSNormalization" },
            { "type": "Dense", "units": 9, "activation": "gelu" },
            { "type": "Dense", "units": 6 },
            { "type": "Add", "inputs": ["attended", "dense_1"] },
            { "type": "ReversibleEmbedding", "input_dim": 7, "output_dim": 6, "reverse": true, "shares": "tokens" }
        ]),
    )
}

const X: [f64; 10] = [3.0, 0.0, 6.0, 3.0, 1.0, 2.0, 2.0, 5.0, 4.0, 0.0];
const Y: [f64; 10] = [0.0, 6.0, 3.0, 1.0, 5.0, 2.0, 5.0, 4.0, 0.0, 6.0];

fn loss() -> LossSpec {
    LossSpec::from_json(&json!({ "type": "sparse_categorical_crossentropy", "from_logits": true })).expect("a loss")
}

/// All values of a graph, with `shift` added to one element of a variable.
fn values(built: &Built, x: &[f64], shift: Option<(&str, usize, f64)>) -> Vec<Vec<f64>> {
    evaluate(&built.graph, &mut CpuCx::default(), |_, leaf| match leaf {
        Leaf::Input(0) => x.to_vec(),
        Leaf::Input(_) => Y[..x.len()].to_vec(),
        Leaf::Variable(id) => {
            let variable = built.graph.variable(*id);
            let mut values: Vec<f64> = variable.initial(1, id.0).into_iter().map(f64::from).collect();
            if let Some((name, element, by)) = shift
                && variable.name == name
            {
                values[element] += by;
            }
            values
        }
        other => panic!("{other:?} in a forward graph"),
    })
}

fn node(built: &Built, name: &str) -> NodeId {
    built.graph.find(name).unwrap_or_else(|| panic!("no node {name}"))
}

/// The same task with rotary positions, keys and values for two heads each, and a gate.
fn modern() -> ModelSpec {
    let normal = json!({ "type": "RandomNormal", "stddev": 0.5 });
    model(
        &[5],
        json!([
            { "type": "Embedding", "name": "tokens", "input_dim": 7, "output_dim": 6, "embeddings_initializer": normal },
            { "type": "SinePositionEncoding", "max_wavelength": 20 },
            { "type": "Add", "inputs": ["tokens", "sine_position_encoding"] },
            { "type": "GroupQueryAttention", "head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2, "use_causal_mask": true,
              "rope_max_wavelength": 30, "kernel_initializer": normal, "bias_initializer": normal },
            { "type": "Add", "name": "attended", "inputs": ["add", "group_query_attention"] },
            { "type": "Dense", "name": "gate", "units": 8, "activation": "silu" },
            { "type": "Dense", "name": "expand", "units": 8, "inputs": ["attended"] },
            { "type": "Multiply", "inputs": ["gate", "expand"] },
            { "type": "Dense", "units": 7 }
        ]),
    )
}

#[test]
fn gradients_of_transformers_agree_with_finite_differences() {
    agree_with_finite_differences(&gpt(), 0);
    // The sines, and the two tables that turn, are no parameters.
    agree_with_finite_differences(&modern(), 3);
}

fn agree_with_finite_differences(spec: &ModelSpec, fixed: usize) {
    let mut built = build(spec, 2, Mode::Train, Some(&loss())).expect("a graph");
    let loss = built.loss.expect("a loss");
    differentiate(&mut built.graph, loss).expect("gradients");
    let all = values(&built, &X, None);
    assert_eq!(
        built.graph.gradients().len() + fixed,
        built.graph.variables().len(),
        "every parameter has one gradient, the shared one too"
    );
    for &(variable, gradient) in built.graph.gradients() {
        let variable = built.graph.variable(variable);
        let count = variable.shape.numel();
        for element in (0..count).step_by(count.div_ceil(8)) {
            let at = |by: f64| values(&built, &X, Some((&variable.name, element, by)))[loss.index()][0];
            let step = 1e-5;
            let slope = (at(step) - at(-step)) / (2.0 * step);
            let got = all[gradient.index()][element];
            assert!((got - slope).abs() <= 1e-7 + 1e-6 * slope.abs(), "{} [{element}]: {got}, but {slope}", variable.name);
        }
    }
}

/// softmax(Q Kᵀ / √d) V by loops, from the projections that the graph holds.
#[test]
fn attention_is_what_its_formula_says() {
    for causal in [false, true] {
        let layer = json!([{ "type": "MultiHeadAttention", "num_heads": 3, "key_dim": 4, "value_dim": 2, "use_causal_mask": causal }]);
        let built = build(&model(&[4, 5], layer), 2, Mode::Infer, None).expect("a graph");
        let x: Vec<f64> = (0..40).map(|i| (f64::from(i) * 0.7).sin()).collect();
        let all = values(&built, &x, None);
        let of = |name: &str| all[node(&built, &format!("multi_head_attention/{name}")).index()].clone();
        let (query, key, value, got) = (of("query"), of("key"), of("value"), of("attended"));
        let weights = of("attention_weights");
        for head in 0..6 {
            for i in 0..4 {
                let seen = if causal { i + 1 } else { 4 };
                let score = |j: usize| (0..4).map(|k| query[(head * 4 + i) * 4 + k] * key[(head * 4 + j) * 4 + k]).sum::<f64>() / 2.0;
                let powers: Vec<f64> = (0..seen).map(|j| score(j).exp()).collect();
                let total: f64 = powers.iter().sum();
                for d in 0..2 {
                    let want: f64 = (0..seen).map(|j| powers[j] / total * value[(head * 4 + j) * 2 + d]).sum();
                    assert!((got[(head * 4 + i) * 2 + d] - want).abs() < 1e-7, "head {head}, position {i}");
                }
                assert!(weights[(head * 4 + i) * 4..][seen..4].iter().all(|&weight| weight == 0.0), "what is behind is not seen");
            }
        }
    }
}

/// Keras repeats a head of keys and values for the heads of queries that follow each other.
#[test]
fn heads_that_share_keys_follow_each_other() {
    let layer = |kept: usize| {
        let arguments = json!({ "type": "GroupQueryAttention", "head_dim": 2, "num_query_heads": 4, "num_key_value_heads": kept });
        build(&model(&[3, 4], json!([arguments])), 1, Mode::Infer, None).expect("a graph")
    };
    let x: Vec<f64> = (0..12).map(|i| (f64::from(i) * 0.7).cos()).collect();
    let built = layer(2);
    assert_eq!(built.layers[0].parameters, (4 * 8 + 8) + 2 * (4 * 4 + 4) + (8 * 4 + 4));
    let all = values(&built, &x, None);
    let of = |name: &str| all[node(&built, &format!("group_query_attention/{name}")).index()].clone();
    let (query, key, scores) = (of("query"), of("key"), of("scores"));
    for head in 0..4 {
        for (i, j) in [(0, 0), (1, 2), (2, 1)] {
            let product: f64 = (0..2).map(|k| query[(head * 3 + i) * 2 + k] * key[(head / 2 * 3 + j) * 2 + k]).sum();
            assert!((scores[(head * 3 + i) * 3 + j] - product / 2f64.sqrt()).abs() < 1e-7, "head {head}, {i} to {j}");
        }
    }
    assert_eq!(layer(4).layers[0].parameters, 3 * (4 * 8 + 8) + (8 * 4 + 4));
}

/// A product of two turned vectors is told by their distance: the same vectors one position on have the same product.
#[test]
fn rotary_positions_are_relative() {
    let layer = json!([{ "type": "MultiHeadAttention", "num_heads": 1, "key_dim": 6, "rope_max_wavelength": 50 }]);
    let built = build(&model(&[4, 3], layer), 1, Mode::Infer, None).expect("a graph");
    let x: Vec<f64> = [0.3, -1.0, 0.7].repeat(4);
    let scores = &values(&built, &x, None)[node(&built, "multi_head_attention/scores").index()];
    let at = |i: usize, j: usize| scores[i * 4 + j];
    assert!((at(0, 0) - at(3, 3)).abs() < 1e-6 && (at(0, 1) - at(2, 3)).abs() < 1e-6 && (at(2, 0) - at(3, 1)).abs() < 1e-6, "{scores:?}");
    assert!((at(0, 0) - at(0, 1)).abs() > 1e-4, "{scores:?}");
}

#[test]
fn sines_have_wavelengths_from_short_to_long() {
    let built =
        build(&model(&[3, 5], json!([{ "type": "SinePositionEncoding", "max_wavelength": 32 }])), 2, Mode::Infer, None).expect("a graph");
    let got = &values(&built, &[0.0; 30], None)[built.output.index()];
    for (i, got) in got.iter().enumerate() {
        let (t, column) = (i / 5 % 3, i % 5);
        let angle = t as f64 / 32f64.powf([0.0, 0.0, 0.4, 0.4, 0.8][column]);
        let want = if column % 2 == 0 { angle.sin() } else { angle.cos() };
        assert!((got - want).abs() < 1e-7, "position {t}, column {column}: {got}");
    }
}

#[test]
fn root_mean_squares_become_one() {
    let built = build(&model(&[2, 3], json!([{ "type": "RMSNormalization", "epsilon": 0.5 }])), 1, Mode::Infer, None).expect("a graph");
    let x = [1.0, -2.0, 3.0, 0.0, 4.0, 0.0];
    let got = &values(&built, &x, None)[built.output.index()];
    for (i, (got, x)) in got.iter().zip(x).enumerate() {
        let mean = if i < 3 { 14.0 / 3.0 } else { 16.0 / 3.0 };
        assert!((got - x / (mean + 0.5f64).sqrt()).abs() < 1e-12, "{i}: {got}");
    }
}

#[test]
fn no_position_sees_those_behind_it() {
    let built = build(&gpt(), 2, Mode::Infer, None).expect("a graph");
    let (before, mut x) = (values(&built, &X, None), X);
    (x[3], x[9]) = (5.0, 3.0);
    let after = values(&built, &x, None);
    let output = built.output.index();
    for (token, (before, after)) in before[output].chunks(7).zip(after[output].chunks(7)).enumerate() {
        let changed = matches!(token, 3 | 4 | 9);
        assert_eq!(before != after, changed, "position {token}");
    }
    assert_eq!(built.graph.node(built.x).meta.dtype, DType::Index);
}

/// Queries of one branch, keys and values of another: as many rows as queries.
#[test]
fn attention_across_branches_has_the_queries_length() {
    let layers = json!([
        { "type": "Reshape", "name": "long", "target_shape": [6, 2] },
        { "type": "Reshape", "name": "short", "target_shape": [3, 4], "inputs": ["input"] },
        { "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3, "inputs": ["short", "long"] }
    ]);
    let built = build(&model(&[12], layers), 2, Mode::Infer, None).expect("a graph");
    assert_eq!(built.layers[2].output_shape, [3, 4]);
    assert_eq!(built.graph.shape(node(&built, "multi_head_attention/attention_weights"))[..], [2, 2, 3, 6]);
    let parameters = (4 * 6 + 6) + 2 * (2 * 6 + 6) + (6 * 4 + 4);
    assert_eq!(built.layers[2].parameters, parameters);
}

#[test]
fn shared_layers_have_one_set_of_variables() {
    let built = build(&gpt(), 1, Mode::Infer, None).expect("a graph");
    assert_eq!(built.layers.iter().map(|layer| layer.parameters).collect::<Vec<_>>(), [42, 48, 0, 12, 168, 0, 6, 63, 60, 0, 0]);
    let names: Vec<&str> = built.graph.variables().iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("embeddings")).count(), 2, "{names:?}");
    assert!(names.contains(&"multi_head_attention.attention_output.kernel"), "{names:?}");
}

#[test]
fn specs_with_branches_come_back_as_they_were() {
    let spec = gpt();
    let text = serde_json::to_value(&spec).expect("JSON");
    assert_eq!(ModelSpec::from_json(&text).expect("a spec"), spec);
    assert_eq!(text["layers"][2], json!({ "type": "Add", "inputs": ["tokens", "position_embedding"] }));
}

#[test]
fn impossible_sequences_are_refused() {
    let refused = |input: &[usize], layers: Value, code: ErrorCode, at: &str| {
        let error = build(&model(input, layers.clone()), 1, Mode::Infer, None).expect_err("an error");
        assert_eq!((error.code, error.at.as_deref()), (code, Some(at)), "{layers}: {error}");
    };
    let dense = || json!({ "type": "Dense", "units": 3 });
    refused(&[4], json!([dense(), { "type": "Add" }]), ErrorCode::BadValue, "add");
    refused(&[4], json!([{ "type": "Dense", "units": 3, "inputs": ["input", "input"] }]), ErrorCode::BadValue, "dense");
    refused(&[4], json!([{ "type": "Dense", "units": 3, "inputs": ["later"] }]), ErrorCode::UnknownName, "dense");
    refused(&[4], json!([dense(), { "type": "Add", "inputs": ["dense", "input"] }]), ErrorCode::ShapeMismatch, "add");
    refused(&[4], json!([{ "type": "Dense", "units": 3, "name": "input" }]), ErrorCode::BadValue, "input");
    refused(&[4], json!([dense(), { "type": "Embedding", "input_dim": 3, "output_dim": 2 }]), ErrorCode::BadShape, "embedding");
    refused(&[4, 2], json!([{ "type": "PositionEmbedding", "sequence_length": 3 }]), ErrorCode::BadValue, "position_embedding");
    refused(&[4], json!([{ "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 2 }]), ErrorCode::BadShape, "multi_head_attention");
    let grouped = |kept: usize, dim: usize| json!([{ "type": "GroupQueryAttention", "head_dim": dim, "num_query_heads": 4, "num_key_value_heads": kept, "rope_max_wavelength": 10 }]);
    refused(&[4, 2], grouped(3, 2), ErrorCode::BadValue, "group_query_attention");
    refused(&[4, 2], grouped(2, 3), ErrorCode::BadValue, "group_query_attention");
    refused(&[4], grouped(2, 2), ErrorCode::BadShape, "group_query_attention");
    refused(&[4, 2], json!([{ "type": "SinePositionEncoding", "max_wavelength": 0 }]), ErrorCode::BadValue, "sine_position_encoding");
    refused(&[4], json!([dense(), { "type": "Multiply", "inputs": ["dense", "input"] }]), ErrorCode::ShapeMismatch, "multiply");
    refused(&[4], json!([dense(), { "type": "Dense", "units": 4, "shares": "dense" }]), ErrorCode::ShapeMismatch, "dense_1");
    refused(&[4], json!([dense(), { "type": "LayerNormalization", "shares": "dense" }]), ErrorCode::UnknownName, "layer_normalization");
    refused(&[4], json!([{ "type": "Dense", "units": 4, "shares": "none" }]), ErrorCode::UnknownName, "dense");
}
