//! What layers compute. The expected numbers are those of Keras 3.15 itself (its layers, on these inputs, with its defaults; over JAX or TensorFlow,
//! since over PyTorch its average of a window counts padding).

use gradscope::graph::{Leaf, Phase, Target};
use gradscope::nn::{Built, Mode, ModelSpec, build, describe};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::evaluate;
use serde_json::{Value, json};

fn graph(input: &[usize], batch: usize, layers: Value, mode: Mode) -> Built {
    let spec = ModelSpec::from_json(&json!({ "input": input, "layers": layers })).expect("a good spec");
    build(&spec, batch, mode, None).expect("a graph")
}

/// All values of a graph; `variable` gives those of a variable that do not have their first ones.
fn values(built: &Built, x: &[f64], variable: impl Fn(&str) -> Option<Vec<f64>>) -> Vec<Vec<f64>> {
    evaluate(&built.graph, &mut CpuCx::default(), |_, leaf| match leaf {
        Leaf::Input(_) => x.to_vec(),
        Leaf::Variable(id) => {
            let first = || built.graph.variable(*id).initial(1, id.0).into_iter().map(f64::from).collect();
            variable(&built.graph.variable(*id).name).unwrap_or_else(first)
        }
        Leaf::Scalar(index) => vec![f64::from(built.graph.scalars()[*index].1)],
        other => panic!("{other:?} in a forward graph"),
    })
}

fn check(input: &[usize], x: &[f64], layer: Value, shape: &[usize], keras: &[f64]) {
    let batch = x.len() / input.iter().product::<usize>();
    let built = graph(input, batch, json!([layer]), Mode::Infer);
    assert_eq!(built.layers[0].output_shape, shape, "{layer}");
    close(&values(&built, x, |_| None)[built.output.index()], keras, &layer.to_string());
}

fn close(got: &[f64], expected: &[f64], what: &str) {
    let same = got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 2e-6 * b.abs().max(1.0));
    assert!(same, "{what}: {got:?} is not {expected:?}");
}

/// 4 rows, 5 columns, 1 channel.
fn image() -> Vec<f64> {
    (0..20).map(|i| f64::from(i % 7)).collect()
}

#[test]
fn convolutions() {
    let half = json!({ "type": "Constant", "value": 0.5 });
    let same = json!({ "type": "Conv2D", "filters": 1, "kernel_size": 3, "strides": 2, "padding": "same", "kernel_initializer": half });
    check(&[4, 5, 1], &image(), same, &[2, 3, 1], &[9.5, 14.0, 8.0, 5.0, 12.0, 7.5]);
    let dilated = json!({ "type": "Conv2D", "filters": 2, "kernel_size": [2, 3], "dilation_rate": [2, 1], "kernel_initializer": "ones" });
    let expected = [15.0, 15.0, 21.0, 21.0, 20.0, 20.0, 17.0, 17.0, 16.0, 16.0, 15.0, 15.0];
    check(&[4, 5, 1], &image(), dilated, &[2, 3, 2], &expected);
}

#[test]
fn poolings() {
    let average = json!({ "type": "AveragePooling2D", "padding": "same" });
    check(&[4, 5, 1], &image(), average, &[2, 3, 1], &[3.0, 1.5, 3.0, 2.5, 4.5, 2.5]);
    let largest = json!({ "type": "MaxPooling2D", "pool_size": [2, 3], "strides": 1 });
    check(&[4, 5, 1], &image(), largest, &[3, 3, 1], &[6.0, 6.0, 4.0, 6.0, 6.0, 6.0, 5.0, 6.0, 6.0]);
    check(&[4, 5, 1], &image(), json!({ "type": "MaxPooling2D" }), &[2, 2, 1], &[6.0, 3.0, 4.0, 6.0]);
    check(&[4, 5, 1], &image(), json!({ "type": "GlobalAveragePooling2D" }), &[1], &[2.85]);
    check(&[4, 5, 1], &image(), json!({ "type": "GlobalMaxPooling2D", "keepdims": true }), &[1, 1, 1], &[6.0]);
}

/// 6 steps of 2 channels.
fn steps() -> Vec<f64> {
    (0..12).map(|i| f64::from(i % 5)).collect()
}

/// A layer with a kernel of so many different numbers, and the biases 0.25, 0.5, ...
fn weighted(mut layer: Value, kernel: i32, biases: u32) -> Value {
    let kernel: Vec<f64> = (0..kernel).map(|i| f64::from((3 * i) % 7 - 3) / 2.0).collect();
    let biases: Vec<f64> = (1..=biases).map(|i| f64::from(i) / 4.0).collect();
    layer["kernel_initializer"] = json!({ "type": "Values", "values": kernel });
    layer["bias_initializer"] = json!({ "type": "Values", "values": biases });
    layer
}

#[test]
fn convolutions_over_sequences() {
    let dilated = json!({ "type": "Conv1D", "filters": 3, "kernel_size": 2, "dilation_rate": 2 });
    let expected = [1.75, -4.5, -0.25, -0.75, 1.0, 2.75, 1.75, -6.0, 10.75, -0.75, 2.0, 1.25];
    check(&[6, 2], &steps(), weighted(dilated, 12, 3), &[4, 3], &expected);
    let same = json!({ "type": "Conv1D", "filters": 2, "kernel_size": 3, "strides": 2, "padding": "same" });
    check(&[6, 2], &steps(), weighted(same, 12, 2), &[3, 2], &[5.25, -0.5, -5.75, 5.0, 2.25, -3.0]);
    let causal = json!({ "type": "Conv1D", "filters": 2, "kernel_size": 3, "padding": "causal", "groups": 2 });
    let expected = [0.25, -0.5, 2.25, -3.0, 7.25, -1.0, 4.25, -1.5, -1.25, -4.5, 3.25, -2.5];
    check(&[6, 2], &steps(), weighted(causal, 6, 2), &[6, 2], &expected);
}

#[test]
fn poolings_over_sequences() {
    check(&[6, 2], &steps(), json!({ "type": "MaxPooling1D" }), &[3, 2], &[2.0, 3.0, 4.0, 2.0, 3.0, 4.0]);
    let same = |kind: &str| json!({ "type": kind, "pool_size": 3, "strides": 2, "padding": "same" });
    check(&[6, 2], &steps(), same("MaxPooling1D"), &[3, 2], &[4.0, 3.0, 4.0, 4.0, 3.0, 4.0]);
    check(&[6, 2], &steps(), same("AveragePooling1D"), &[3, 2], &[2.0, 4.0 / 3.0, 8.0 / 3.0, 2.0, 1.5, 2.5]);
    let overlapping = json!({ "type": "AveragePooling1D", "pool_size": 4, "strides": 1 });
    check(&[6, 2], &steps(), overlapping, &[3, 2], &[1.75, 1.5, 2.5, 2.25, 2.0, 1.75]);
    check(&[6, 2], &steps(), json!({ "type": "GlobalAveragePooling1D" }), &[2], &[10.0 / 6.0, 11.0 / 6.0]);
    check(&[6, 2], &steps(), json!({ "type": "GlobalMaxPooling1D", "keepdims": true }), &[1, 2], &[4.0, 4.0]);
}

/// 2 rows, 3 columns, 2 channels.
fn small() -> Vec<f64> {
    (0..12).map(|i| f64::from(i % 7)).collect()
}

#[test]
fn up_sampling() {
    let row =
        |values: [f64; 6]| [&values[..2]; 3].concat().into_iter().chain([&values[2..4]; 3].concat()).chain([&values[4..]; 3].concat());
    let [upper, lower] = [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 0.0, 1.0, 2.0, 3.0, 4.0]].map(|values| row(values).collect::<Vec<f64>>());
    let expected = [&upper[..], &upper, &lower, &lower].concat();
    check(&[2, 3, 2], &small(), json!({ "type": "UpSampling2D", "size": [2, 3], "interpolation": "nearest" }), &[4, 9, 2], &expected);
}

#[test]
fn transposed_convolutions() {
    let layer = |kernel: Value, strides: usize, padding: &str| json!({ "type": "Conv2DTranspose", "filters": 1, "kernel_size": kernel, "strides": strides, "padding": padding });
    let valid = [
        [0.25, -0.25, -3.75, 1.75, -6.75, 3.75, -0.75],
        [-1.25, 1.75, -2.25, 4.75, -3.25, 7.75, 3.25],
        [-8.25, 9.25, 3.75, -2.25, -5.25, -3.25, 2.75],
        [3.25, 0.25, -5.25, 3.25, -2.75, 6.25, 2.75],
        [-5.75, -8.75, 9.25, -1.25, -0.25, -4.25, 2.75],
    ];
    check(&[2, 3, 2], &small(), weighted(layer(json!(3), 2, "valid"), 18, 1), &[5, 7, 1], valid.as_flattened());
    // The odd padding of the convolution is below and at the right: that is what is cut off.
    let same: Vec<f64> = valid[..4].iter().flat_map(|row| &row[..6]).copied().collect();
    check(&[2, 3, 2], &small(), weighted(layer(json!(3), 2, "same"), 18, 1), &[4, 6, 1], &same);
    let even = [-3.25, -5.25, 1.25, 13.25, 12.25, 7.25];
    check(&[2, 3, 2], &small(), weighted(layer(json!([2, 4]), 1, "same"), 16, 1), &[2, 3, 1], &even);
    let apart = [
        [0.25, -0.25, 0.25, -2.75, 1.75, 0.25, -5.75, 3.75, 0.25],
        [-0.75, -1.25, 0.25, -0.75, -3.25, 0.25, -0.75, -5.25, 0.25],
        [0.25; 9],
        [-8.75, 9.25, 0.25, -1.25, 0.75, 0.25, -4.25, 2.75, 0.25],
        [6.25, 3.25, 0.25, -0.75, -2.25, 0.25, -0.75, -4.25, 0.25],
        [0.25; 9],
    ];
    for padding in ["valid", "same"] {
        check(&[2, 3, 2], &small(), weighted(layer(json!(2), 3, padding), 8, 1), &[6, 9, 1], apart.as_flattened());
    }
}

#[test]
fn layers_of_sequences_and_transposed_convolutions_have_keras_parameters() {
    let rows = |input: Value, layers: Value| {
        let description =
            describe(&ModelSpec::from_json(&json!({ "input": input, "layers": layers })).expect("a good spec")).expect("a description");
        description
            .layers
            .into_iter()
            .map(|layer| (layer.name, layer.output_shape.expect("possible"), layer.parameters))
            .collect::<Vec<_>>()
    };
    let sequence = rows(
        json!([100, 64]),
        json!([
            { "type": "Conv1D", "filters": 128, "kernel_size": 5 },
            { "type": "MaxPooling1D", "pool_size": 5 },
            { "type": "Conv1D", "filters": 8, "kernel_size": 3, "groups": 4, "padding": "causal", "use_bias": false },
            { "type": "GlobalMaxPooling1D" },
        ]),
    );
    let expected = [
        ("conv1d", vec![96, 128], 41_088),
        ("max_pooling1d", vec![19, 128], 0),
        ("conv1d_1", vec![19, 8], 768),
        ("global_max_pooling1d", vec![8], 0),
    ];
    assert_eq!(sequence, expected.map(|(name, shape, parameters)| (name.to_owned(), shape, parameters)));
    let image = rows(
        json!([7, 5, 32]),
        json!([
            { "type": "Conv2DTranspose", "filters": 16, "kernel_size": 3, "strides": 2, "padding": "same" },
            { "type": "Conv2DTranspose", "filters": 4, "kernel_size": [3, 1], "strides": 2 },
            { "type": "UpSampling2D", "size": [1, 3] },
        ]),
    );
    let expected = [
        ("conv2d_transpose", vec![14, 10, 16], 4_624),
        ("conv2d_transpose_1", vec![29, 20, 4], 196),
        ("up_sampling2d", vec![29, 60, 4], 0),
    ];
    assert_eq!(image, expected.map(|(name, shape, parameters)| (name.to_owned(), shape, parameters)));
}

#[test]
fn shapes() {
    let padded = json!({ "type": "ZeroPadding2D", "padding": [[1, 0], [0, 2]] });
    check(&[1, 2, 1], &[3.0, 4.0], padded, &[2, 4, 1], &[0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
    check(&[1, 1, 1], &[5.0], json!({ "type": "ZeroPadding2D" }), &[3, 3, 1], &[0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
    check(&[4, 5, 1], &image(), json!({ "type": "Reshape", "target_shape": [2, -1] }), &[2, 10], &image());
    check(&[4, 5, 1], &image(), json!({ "type": "Flatten" }), &[20], &image());
}

#[test]
#[allow(clippy::approx_constant)]
fn activations() {
    let x = [1.0, 2.0, 3.0, -1.0, 0.0, 0.5];
    let cases: [(&str, [f64; 6]); 10] = [
        ("linear", x),
        ("relu", [1.0, 2.0, 3.0, 0.0, 0.0, 0.5]),
        ("sigmoid", [0.731059, 0.880797, 0.952574, 0.268941, 0.5, 0.622459]),
        ("tanh", [0.761594, 0.964028, 0.995055, -0.761594, 0.0, 0.462117]),
        ("softmax", [0.268941, 0.731059, 0.982014, 0.017986, 0.377541, 0.622459]),
        ("gelu", [0.841345, 1.9545, 2.99595, -0.158655, 0.0, 0.345731]),
        ("swish", [0.731059, 1.761594, 2.857723, -0.268941, 0.0, 0.31123]),
        ("softplus", [1.313262, 2.126928, 3.048587, 0.313262, 0.693147, 0.974077]),
        ("leaky_relu", [1.0, 2.0, 3.0, -0.2, 0.0, 0.5]),
        ("exponential", [2.718282, 7.389056, 20.085537, 0.367879, 1.0, 1.648721]),
    ];
    for (name, expected) in cases {
        check(&[2], &x, json!({ "type": "Activation", "activation": name }), &[2], &expected);
    }
    check(&[2], &x, json!({ "type": "LeakyReLU" }), &[2], &[1.0, 2.0, 3.0, -0.3, 0.0, 0.5]);
}

const POINTS: [f64; 8] = [1.0, 2.0, 3.0, -1.0, 0.0, 0.5, 2.0, 4.0];

#[test]
fn layer_normalisation() {
    let expected = [-0.998006, 0.998006, 0.999875, -0.999875, -0.992095, 0.992095, -0.9995, 0.9995];
    check(&[2], &POINTS, json!({ "type": "LayerNormalization" }), &[2], &expected);
}

#[test]
fn batch_normalisation_trains_by_the_batch_and_predicts_by_moving_averages() {
    let layers = json!([{ "type": "BatchNormalization" }]);
    let train = graph(&[2], 4, layers.clone(), Mode::Train);
    let names: Vec<&str> = train.graph.variables().iter().map(|variable| variable.name.as_str()).collect();
    let expected = ["gamma", "beta", "moving_mean", "moving_variance"].map(|role| format!("batch_normalization.{role}"));
    assert_eq!(names, expected);
    assert_eq!(train.layers[0].parameters, 4);
    let trained = values(&train, &POINTS, |_| None);
    let normalised = [-0.447035, 0.337819, 1.341104, -1.283713, -1.341104, -0.472947, 0.447035, 1.418841];
    close(&trained[train.output.index()], &normalised, "training");
    let written = |name: &str| {
        let target = train.graph.variables().iter().position(|variable| variable.name == name)?;
        let is_target = |to: &Target| matches!(to, Target::Variable(id) if id.0 as usize == target);
        let (node, _) = train.graph.writes().iter().find(|(_, to)| is_target(to))?;
        assert_eq!(train.graph.node(*node).phase, Phase::Update);
        Some(trained[node.index()].clone())
    };
    close(&written("batch_normalization.moving_mean").expect("a mean"), &[0.015, 0.01375], "moving mean");
    close(&written("batch_normalization.moving_variance").expect("a variance"), &[1.0025, 1.024219], "moving variance");
    let infer = graph(&[2], 4, layers, Mode::Infer);
    assert_eq!(infer.graph.variables(), train.graph.variables());
    assert!(infer.graph.writes().is_empty());
    let predicted = values(&infer, &POINTS, written);
    let expected = [0.983281, 1.961668, 2.979789, -1.001204, -0.014974, 0.480232, 1.981535, 3.936917];
    close(&predicted[infer.output.index()], &expected, "prediction");
}

#[test]
fn dropout_drops_in_training_only_at_a_rate_that_can_change() {
    let layers = json!([{ "type": "Dropout", "rate": 0.25 }]);
    let x = vec![1.0; 4000];
    let infer = graph(&[1000], 4, layers.clone(), Mode::Infer);
    assert_eq!(infer.output, infer.x);
    let train = graph(&[1000], 4, layers, Mode::Train);
    assert_eq!(train.graph.scalars(), [("dropout:dropout".to_owned(), 0.25)]);
    let dropped = values(&train, &x, |_| None).swap_remove(train.output.index());
    let zeros = dropped.iter().filter(|&&value| value == 0.0).count();
    assert!((900..1100).contains(&zeros), "{zeros} of 4000 dropped");
    assert!(dropped.iter().all(|&value| value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6));
}
