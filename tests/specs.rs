//! Model, loss and optimizer specs: what they mean, and what is said of bad ones.

use gradscope::error::{Error, ErrorCode};
use gradscope::graph::{Group, Leaf, NodeId};
use gradscope::nn::{self, LossSpec, Mode, ModelSpec, OptimizerSpec, build, describe, preset, presets};
use gradscope::ops::eval::evaluate;
use gradscope::ops::{CpuCx, Graph};
use serde_json::{Value, json};

fn model(input: Value, layers: Value) -> ModelSpec {
    ModelSpec::from_json(&json!({ "input": input, "layers": layers })).expect("a good spec")
}

fn bad_model(layers: Value) -> Error {
    ModelSpec::from_json(&json!({ "input": [8, 8, 1], "layers": layers })).expect_err("a bad spec")
}

fn loss(value: Value) -> LossSpec {
    LossSpec::from_json(&value).expect("a good loss")
}

/// Every value of a graph for these columns, with variables at their first values for seed 1.
fn values(graph: &Graph, x: &[f64], y: &[f64]) -> Vec<Vec<f64>> {
    evaluate(graph, &mut CpuCx::default(), |_, leaf| match leaf {
        Leaf::Input(0) => x.to_vec(),
        Leaf::Input(_) => y.to_vec(),
        Leaf::Variable(id) => graph.variable(*id).initial(1, id.0).into_iter().map(f64::from).collect(),
        Leaf::Scalar(index) => vec![f64::from(graph.scalars()[*index].1)],
        other => panic!("{other:?} in a forward graph"),
    })
}

fn close(got: &[f64], expected: &[f64], tolerance: f64) {
    let same = got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(same, "{got:?} is not {expected:?}");
}

#[test]
fn mnist_cnn_has_keras_parameters() {
    let spec = preset("mnist-cnn").expect("a preset").model;
    let description = describe(&spec).expect("a description");
    assert_eq!(description.parameter_count, 93_322);
    let rows: Vec<(&str, Vec<usize>, usize)> = description
        .layers
        .iter()
        .map(|layer| (layer.name.as_str(), layer.output_shape.clone().expect("possible"), layer.parameters))
        .collect();
    let expected = [
        ("conv2d", vec![26, 26, 32], 320),
        ("max_pooling2d", vec![13, 13, 32], 0),
        ("conv2d_1", vec![11, 11, 64], 18_496),
        ("max_pooling2d_1", vec![5, 5, 64], 0),
        ("conv2d_2", vec![3, 3, 64], 36_928),
        ("flatten", vec![576], 0),
        ("dense", vec![64], 36_928),
        ("dense_1", vec![10], 650),
    ];
    assert_eq!(rows, expected);
    let conv2 = 2.0 * 11.0 * 11.0 * 9.0 * 32.0 * 64.0;
    assert!(description.flops_per_example > conv2 && description.flops_per_example < 4.0 * conv2);
    let built = build(&spec, 2, Mode::Train, None).expect("a graph");
    let variables: Vec<(&str, Vec<usize>)> = built.graph.variables().iter().map(|v| (v.name.as_str(), v.shape.to_vec())).collect();
    assert_eq!(variables[0], ("conv2d.kernel", vec![3, 3, 1, 32]));
    assert_eq!(variables[1], ("conv2d.bias", vec![32]));
    assert_eq!(variables[6], ("dense.kernel", vec![576, 64]));
    assert_eq!(variables[9], ("dense_1.bias", vec![10]));
}

#[test]
fn every_preset_builds_and_survives_json() {
    let names: Vec<String> = presets().into_iter().map(|preset| preset.name).collect();
    assert!(names.iter().enumerate().all(|(k, name)| !names[..k].contains(name)), "{names:?}");
    for preset in presets() {
        for mode in [Mode::Train, Mode::Infer] {
            let built = build(&preset.model, preset.batch_size, mode, Some(&preset.loss)).expect("a graph");
            assert_eq!(built.graph.shape(built.loss.expect("a loss")).rank(), 0);
            assert_eq!(built.graph.shape(built.losses.expect("losses"))[..], [preset.batch_size]);
            assert_eq!(built.correct.is_some(), preset.loss.classifies());
        }
        let text = serde_json::to_string(&preset).expect("JSON");
        let again: nn::Preset = serde_json::from_str(&text).expect("the same");
        assert_eq!(again, preset);
    }
    let text = serde_json::to_string(&preset("mnist-cnn").expect("a preset").model.layers[0]).expect("JSON");
    assert_eq!(text, r#"{"type":"Conv2D","activation":"relu","filters":32,"kernel_size":3}"#);
}

/// The true values of the article's example, which the article itself gets wrong (seed-models.md).
#[test]
fn backprop_by_hand_gives_the_true_numbers() {
    let preset = preset("backprop-by-hand").expect("a preset");
    let built = build(&preset.model, 1, Mode::Train, Some(&preset.loss)).expect("a graph");
    let values = values(&built.graph, &[0.5, 1.0], &[0.0, 1.0]);
    close(&values[built.logits.index()], &[0.35, 0.75], 1e-6);
    close(&values[built.output.index()], &[0.5866, 0.6792], 5e-5);
    close(&values[built.loss.expect("a loss").index()], &[0.2235], 5e-5);
}

#[test]
fn layers_are_named_as_keras_names_them() {
    let spec = model(
        json!([4]),
        json!([
            { "type": "Dense", "units": 3 },
            { "type": "LeakyReLU" },
            { "type": "Dense", "units": 3, "name": "dense_1" },
            { "type": "Dense", "units": 2 },
        ]),
    );
    let built = build(&spec, 1, Mode::Infer, None).expect("a graph");
    let names: Vec<&str> = built.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["dense", "leaky_re_lu", "dense_1", "dense_2"]);
    assert_eq!(built.graph.node(built.layers[1].output).name, "leaky_re_lu/leaky_relu");
}

#[test]
fn training_and_prediction_share_one_layout() {
    let spec = preset("mnist-cnn").expect("a preset").model;
    let train = build(&spec, 64, Mode::Train, Some(&loss(json!("sparse_categorical_crossentropy")))).expect("a graph");
    let infer = build(&spec, 1, Mode::Infer, None).expect("a graph");
    assert_eq!(train.graph.variables(), infer.graph.variables());
}

#[test]
fn unknown_layers_and_keys_are_named_with_their_place() {
    let error = bad_model(json!([{ "type": "Dense", "units": 3 }, { "type": "Conv5D" }]));
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::UnknownLayer, Some("layers[1]")));
    assert_eq!(error.args["got"], "Conv5D");
    let error = bad_model(json!([{ "type": "Flatten" }, { "type": "Dense", "units": 3 }, { "type": "MaxPooling2D", "poolsize": 2 }]));
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::UnknownKey, Some("layers[2]")));
    assert_eq!(
        error.message,
        "MaxPooling2D takes no poolsize; it takes type, name, inputs, shares, trainable, pool_size, strides, padding"
    );
    let error = ModelSpec::from_json(&json!({ "input": [4], "layers": [], "extra": 1 })).expect_err("a bad spec");
    assert_eq!(error.code, ErrorCode::UnknownKey);
    let error = bad_model(json!([{ "type": "Dense", "units": 3, "kernel_initializer": { "type": "RandomNormal", "std": 1 } }]));
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::UnknownKey, Some("layers[0].kernel_initializer")));
}

#[test]
fn wrong_values_are_named_with_their_place() {
    let cases = [
        (json!({ "type": "Dense" }), "layers[0].units", ErrorCode::BadValue),
        (json!({ "type": "Dense", "units": "many" }), "layers[0].units", ErrorCode::BadValue),
        (json!({ "type": "Dense", "units": -3 }), "layers[0].units", ErrorCode::BadValue),
        (json!({ "type": "Dense", "units": 2.5 }), "layers[0].units", ErrorCode::BadValue),
        (json!({ "type": "Dense", "units": 1e30 }), "layers[0].units", ErrorCode::BadValue),
        (json!({ "type": "Dense", "units": 3, "activation": "rleu" }), "layers[0].activation", ErrorCode::UnknownName),
        (json!({ "type": "Dense", "units": 3, "kernel_regularizer": { "l2": -1 } }), "layers[0].kernel_regularizer", ErrorCode::BadValue),
        (json!({ "type": "Dense", "units": 3, "kernel_initializer": "glorot" }), "layers[0].kernel_initializer", ErrorCode::UnknownName),
        (json!({ "type": "Conv2D", "filters": 3, "kernel_size": [1, 2, 3] }), "layers[0].kernel_size", ErrorCode::BadValue),
        (json!({ "type": "Conv2D", "filters": 3, "kernel_size": 3, "padding": "full" }), "layers[0].padding", ErrorCode::UnknownName),
        (json!({ "type": "Conv2D", "filters": 3, "kernel_size": 3, "padding": "causal" }), "layers[0].padding", ErrorCode::UnknownName),
        (json!({ "type": "Conv1D", "filters": 3, "kernel_size": 3, "padding": "full" }), "layers[0].padding", ErrorCode::UnknownName),
        (json!({ "type": "UpSampling2D", "interpolation": "bilinear" }), "layers[0].interpolation", ErrorCode::UnknownName),
        (json!("Dense"), "layers[0]", ErrorCode::BadValue),
    ];
    for (layer, place, code) in cases {
        let error = bad_model(json!([layer]));
        assert_eq!((error.code, error.at.as_deref()), (code, Some(place)), "{layer}: {error}");
    }
    let error = ModelSpec::parse("{").expect_err("no JSON");
    assert_eq!(error.code, ErrorCode::BadSpec);
}

/// An image of 8×8 as a sequence of 8 vectors.
fn rows() -> Value {
    json!({ "type": "Reshape", "target_shape": [8, 8] })
}

#[test]
fn impossible_shapes_are_explained_at_their_layer() {
    let cases = [
        (json!([{ "type": "Conv2D", "filters": 4, "kernel_size": 9 }]), 0, ErrorCode::WindowTooLarge),
        (json!([{ "type": "MaxPooling2D" }, { "type": "MaxPooling2D", "pool_size": 5 }]), 1, ErrorCode::WindowTooLarge),
        (json!([{ "type": "Conv2D", "filters": 4, "kernel_size": 0 }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "Conv2D", "filters": 4, "kernel_size": 1, "strides": [1, 0] }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "Conv2D", "filters": 4, "kernel_size": 1, "groups": 3 }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "Conv2D", "filters": 4, "kernel_size": 2, "dilation_rate": 16777216 }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "Flatten" }, { "type": "Dense", "units": 0 }]), 1, ErrorCode::BadValue),
        (json!([{ "type": "Flatten" }, { "type": "Conv2D", "filters": 4, "kernel_size": 1 }]), 1, ErrorCode::BadShape),
        (json!([rows(), { "type": "Conv1D", "filters": 4, "kernel_size": 9 }]), 1, ErrorCode::WindowTooLarge),
        (json!([rows(), { "type": "Conv1D", "filters": 4, "kernel_size": 3, "dilation_rate": 4 }]), 1, ErrorCode::WindowTooLarge),
        (json!([rows(), { "type": "Conv1D", "filters": 4, "kernel_size": 0 }]), 1, ErrorCode::BadValue),
        (json!([rows(), { "type": "Conv1D", "filters": 4, "kernel_size": 3, "groups": 3 }]), 1, ErrorCode::BadValue),
        (json!([rows(), { "type": "MaxPooling1D", "pool_size": 9 }]), 1, ErrorCode::WindowTooLarge),
        (json!([rows(), { "type": "AveragePooling1D", "strides": 0 }]), 1, ErrorCode::BadValue),
        (json!([{ "type": "Conv1D", "filters": 4, "kernel_size": 3 }]), 0, ErrorCode::BadShape),
        (json!([{ "type": "GlobalMaxPooling1D" }]), 0, ErrorCode::BadShape),
        (json!([{ "type": "GlobalAveragePooling1D" }]), 0, ErrorCode::BadShape),
        (json!([rows(), { "type": "UpSampling2D" }]), 1, ErrorCode::BadShape),
        (json!([{ "type": "UpSampling2D", "size": [2, 0] }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "UpSampling2D", "size": 16777216 }]), 0, ErrorCode::BadValue),
        (json!([rows(), { "type": "Conv2DTranspose", "filters": 4, "kernel_size": 3 }]), 1, ErrorCode::BadShape),
        (json!([{ "type": "Conv2DTranspose", "filters": 4, "kernel_size": [3, 0] }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "Conv2DTranspose", "filters": 4, "kernel_size": 3, "strides": 16777216 }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "Conv2DTranspose", "filters": 4, "kernel_size": 3, "strides": 65536 }]), 0, ErrorCode::OutOfMemory),
        (json!([{ "type": "Reshape", "target_shape": [7, -1] }]), 0, ErrorCode::ShapeMismatch),
        (json!([{ "type": "Flatten" }, { "type": "ZeroPadding2D" }]), 1, ErrorCode::BadShape),
        (json!([{ "type": "ZeroPadding2D", "padding": 16777216 }]), 0, ErrorCode::OutOfMemory),
        (json!([{ "type": "Dropout", "rate": 1 }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "BatchNormalization", "epsilon": 0 }]), 0, ErrorCode::BadValue),
        (json!([{ "type": "LayerNormalization", "gamma_initializer": { "type": "Values", "values": [] } }]), 0, ErrorCode::WrongLength),
        (
            json!([{ "type": "Flatten" }, { "type": "Dense", "units": 16777216 }, { "type": "Dense", "units": 16777216 }]),
            1,
            ErrorCode::OutOfMemory,
        ),
        (json!([{ "type": "Flatten", "name": "a" }, { "type": "Flatten", "name": "a" }]), 1, ErrorCode::BadValue),
        (
            json!([{ "type": "Flatten" }, { "type": "Dense", "units": 1, "kernel_initializer": { "type": "Values", "values": [1] } }]),
            1,
            ErrorCode::WrongLength,
        ),
    ];
    for (layers, place, code) in cases {
        let mut layers = layers;
        layers.as_array_mut().expect("a list").push(json!({ "type": "Flatten", "name": "after" }));
        let spec = model(json!([8, 8, 1]), layers.clone());
        let description = describe(&spec).expect("a description");
        for (index, layer) in description.layers.iter().enumerate() {
            assert_eq!(layer.error.is_some(), index == place, "{layers}: {description:?}");
            assert_eq!(layer.output_shape.is_some(), index < place);
        }
        let error = description.layers[place].error.clone().expect("an error");
        assert_eq!(error.code, code, "{layers}: {error}");
        assert_eq!(error.at.as_deref(), Some(description.layers[place].name.as_str()));
        assert_eq!(build(&spec, 1, Mode::Train, None).expect_err("impossible"), error);
    }
}

#[test]
fn batches_and_inputs_of_no_or_huge_size_are_refused() {
    let preset = preset("mnist-cnn").expect("a preset");
    let built = |batch: usize| build(&preset.model, batch, Mode::Train, Some(&preset.loss)).map(drop);
    assert_eq!(built(0).expect_err("no batch").code, ErrorCode::BadValue);
    let error = built(usize::MAX / 2).expect_err("a huge batch");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::OutOfMemory, Some("batch_size")));
    assert_eq!(built(100_000).expect_err("a large batch").code, ErrorCode::OutOfMemory);
    let error = describe(&model(json!([28, 0, 1]), json!([]))).expect_err("no pixels");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some("input")));
    let error = build(&model(json!([4]), json!([])), 1, Mode::Train, None).expect_err("no layers");
    assert_eq!(error.code, ErrorCode::BadValue);
    let nothing = model(json!([4]), json!([{ "type": "Flatten" }]));
    let error = build(&nothing, 1, Mode::Train, Some(&loss(json!("mse")))).expect_err("nothing to train");
    assert_eq!(error.code, ErrorCode::BadValue);
}

#[test]
fn regularisers_add_to_the_loss_but_not_to_the_examples() {
    let weights = json!({ "type": "Values", "values": [2.0, -3.0] });
    let layer = json!({ "type": "Dense", "units": 1, "kernel_initializer": weights, "kernel_regularizer": { "l1": 0.1, "l2": 0.01 } });
    let built = build(&model(json!([2]), json!([layer])), 2, Mode::Train, Some(&loss(json!("mse")))).expect("a graph");
    let values = values(&built.graph, &[1.0, 1.0, 0.0, 0.0], &[0.0, 0.0]);
    close(&values[built.losses.expect("losses").index()], &[1.0, 0.0], 1e-6);
    close(&values[built.loss.expect("a loss").index()], &[0.5 + 0.1 * 5.0 + 0.01 * 13.0], 1e-6);
}

/// Three outputs read straight from the input; the numbers are those of Keras 3.15.
#[test]
fn losses_agree_with_keras() {
    let identity = json!({ "type": "Values", "values": [1, 0, 0, 0, 1, 0, 0, 0, 1] });
    let layer = json!([{ "type": "Dense", "units": 3, "use_bias": false, "kernel_initializer": identity }]);
    let (one_hot, classes) = ([1.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 2.0]);
    let p = [0.5, 0.2, 0.1, 0.0, 1.0, 0.3];
    let z = [1.0, -2.0, 0.5, 0.3, 0.1, -0.7];
    type Case<'a> = (Value, &'a [f64], &'a [f64], [f64; 2]);
    let cases: [Case; 9] = [
        (json!({ "type": "categorical_crossentropy", "label_smoothing": 0.1 }), &p, &one_hot, [0.554195, 1.914597]),
        (json!({ "type": "categorical_crossentropy", "label_smoothing": 0.1, "from_logits": true }), &z, &one_hot, [0.621264, 1.722352]),
        (json!({ "type": "SparseCategoricalCrossentropy", "from_logits": true }), &z, &classes, [0.504597, 1.782352]),
        (json!("sparse_categorical_crossentropy"), &p, &classes, [0.470004, 1.466337]),
        (json!({ "type": "binary_crossentropy", "label_smoothing": 0.2 }), &p, &one_hot, [0.460001, 5.693066]),
        (json!({ "type": "binary_crossentropy", "from_logits": true }), &z, &one_hot, [0.471422, 0.900646]),
        (json!("mse"), &z, &one_hot, [1.416667, 0.996667]),
        (json!("mean_absolute_error"), &z, &one_hot, [0.833333, 0.7]),
        (json!({ "type": "huber", "delta": 0.5 }), &z, &one_hot, [0.333333, 0.258333]),
    ];
    for (spec, x, y, expected) in cases {
        let built = build(&model(json!([3]), layer.clone()), 2, Mode::Train, Some(&loss(spec))).expect("a graph");
        let values = values(&built.graph, x, y);
        close(&values[built.losses.expect("losses").index()], &expected, 2e-5);
        close(&values[built.loss.expect("a loss").index()], &[(expected[0] + expected[1]) / 2.0], 2e-5);
    }
}

#[test]
fn a_last_softmax_or_sigmoid_gives_its_logits_to_the_matching_loss() {
    let ops = |activation: &str, spec: &str| {
        let spec_of_model = model(json!([3]), json!([{ "type": "Dense", "units": 3, "activation": activation }]));
        let built = build(&spec_of_model, 2, Mode::Train, Some(&loss(json!(spec)))).expect("a graph");
        let of = |id: NodeId| built.graph.node(id).inputs.clone();
        let uses_logits = built.graph.ids().filter(|&id| id > built.output).any(|id| of(id).contains(&built.logits));
        (built.logits != built.output, uses_logits)
    };
    assert_eq!(ops("softmax", "sparse_categorical_crossentropy"), (true, true));
    assert_eq!(ops("softmax", "categorical_crossentropy"), (true, true));
    assert_eq!(ops("sigmoid", "binary_crossentropy"), (true, true));
    assert_eq!(ops("softmax", "mse"), (true, false));
    assert_eq!(ops("linear", "mse"), (false, true));
}

#[test]
fn right_answers_of_one_sigmoid_are_counted_at_one_half() {
    let weights = json!({ "type": "Values", "values": [1.0] });
    let layer = json!({ "type": "Dense", "units": 1, "activation": "sigmoid", "kernel_initializer": weights });
    let built = build(&model(json!([1]), json!([layer])), 4, Mode::Infer, Some(&loss(json!("binary_crossentropy")))).expect("a graph");
    let values = values(&built.graph, &[2.0, -2.0, 0.1, -0.1], &[1.0, 1.0, 1.0, 0.0]);
    close(&values[built.correct_each.expect("answers").index()], &[1.0, 0.0, 1.0, 1.0], 0.0);
    close(&values[built.correct.expect("a count").index()], &[3.0], 0.0);
}

#[test]
fn right_answers_of_classes_are_counted_by_the_largest_score() {
    let identity = json!({ "type": "Values", "values": [1, 0, 0, 0, 1, 0, 0, 0, 1] });
    let layer = json!([{ "type": "Dense", "units": 3, "activation": "softmax", "kernel_initializer": identity }]);
    let x = [0.1, 0.2, 0.3, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0];
    let one_hot = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    for (spec, y) in [("sparse_categorical_crossentropy", &[2.0, 1.0, 0.0][..]), ("categorical_crossentropy", &one_hot)] {
        let built = build(&model(json!([3]), layer.clone()), 3, Mode::Infer, Some(&loss(json!(spec)))).expect("a graph");
        let values = values(&built.graph, &x, y);
        close(&values[built.correct_each.expect("answers").index()], &[1.0, 0.0, 1.0], 0.0);
        close(&values[built.correct.expect("a count").index()], &[2.0], 0.0);
    }
}

/// An autoencoder's loss compares with the example itself, in the output's shape: no column of labels, no right answers.
#[test]
fn a_loss_may_have_the_input_as_its_target() {
    let half = json!({ "type": "Values", "values": [0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5] });
    let dense = |units: usize, init: &Value| json!({ "type": "Dense", "units": units, "use_bias": false, "kernel_initializer": init });
    let spec = model(json!([2, 2, 1]), json!([{ "type": "Flatten" }, dense(4, &half)]));
    let x = [1.0, 2.0, 3.0, 4.0, 0.5, 0.25, 1.0, 0.0];
    for (name, expected) in [("mse", [1.875, 0.082_031_25]), ("mae", [1.25, 0.21875]), ("half_sum_of_squares", [3.75, 0.164_062_5])] {
        let loss = loss(json!({ "type": name, "target": "input" }));
        let built = build(&spec, 2, Mode::Train, Some(&loss)).expect("a graph");
        assert_eq!((built.y, built.correct), (None, None));
        close(&values(&built.graph, &x, &[])[built.losses.expect("losses").index()], &expected, 1e-12);
    }
    let crossentropy = loss(json!({ "type": "binary_crossentropy", "from_logits": true, "target": "input" }));
    assert!(!crossentropy.classifies());
    let built = build(&spec, 2, Mode::Train, Some(&crossentropy)).expect("a graph");
    let logit = |x: f64| (1.0 + (0.5 * x).exp()).ln() - 0.5 * x * x;
    let expected = [&x[..4], &x[4..]].map(|x| x.iter().map(|&x| logit(x)).sum::<f64>() / 4.0);
    close(&values(&built.graph, &x, &[])[built.losses.expect("losses").index()], &expected, 1e-9);

    let text = serde_json::to_string(&crossentropy).expect("JSON");
    assert_eq!(serde_json::from_str::<LossSpec>(&text).expect("the same"), crossentropy);
    let narrow = model(json!([2, 2, 1]), json!([{ "type": "Flatten" }, dense(3, &json!("zeros"))]));
    let error =
        build(&narrow, 2, Mode::Train, Some(&loss(json!({ "type": "mse", "target": "input" })))).expect_err("three of four numbers");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::ShapeMismatch, Some("loss")));
}

#[test]
fn bad_losses_are_refused() {
    let cases = [
        (json!({ "type": "mse", "target": "x" }), ErrorCode::UnknownName),
        (json!({ "type": "categorical_crossentropy", "target": "input" }), ErrorCode::UnknownKey),
        (json!("hinge"), ErrorCode::UnknownName),
        (json!({ "type": "mse", "delta": 1 }), ErrorCode::UnknownKey),
        (json!({ "type": "huber", "delta": 0 }), ErrorCode::BadValue),
        (json!({ "type": "huber", "delta": null }), ErrorCode::BadValue),
        (json!({ "type": "categorical_crossentropy", "label_smoothing": 1.5 }), ErrorCode::BadValue),
        (json!({ "type": "mse", "reduction": "max" }), ErrorCode::UnknownName),
        (json!(3), ErrorCode::BadValue),
    ];
    for (spec, code) in cases {
        let error = LossSpec::from_json(&spec).expect_err("a bad loss");
        assert_eq!(error.code, code, "{spec}: {error}");
        assert!(error.at.is_some_and(|at| at.starts_with("loss")));
    }
}

#[test]
fn bad_optimizers_are_refused() {
    let cases = [
        (json!("LBFGS"), ErrorCode::UnknownName, "optimizer.type"),
        (json!({ "type": "Adam", "lr": 0.1 }), ErrorCode::UnknownKey, "optimizer"),
        (json!({ "type": "Adam", "momentum": 0.1 }), ErrorCode::UnknownKey, "optimizer"),
        (json!({ "type": "SGD", "learning_rate": -0.1 }), ErrorCode::BadValue, "optimizer.learning_rate"),
        (json!({ "type": "SGD", "learning_rate": "NaN" }), ErrorCode::BadValue, "optimizer.learning_rate"),
        (json!({ "type": "SGD", "learning_rate": null }), ErrorCode::BadValue, "optimizer.learning_rate"),
        (json!({ "type": "SGD", "momentum": 1.5 }), ErrorCode::BadValue, "optimizer"),
        (json!({ "type": "SGD", "clipnorm": 1 }), ErrorCode::BadValue, "optimizer"),
        (json!({ "type": "SGD", "clipvalue": 1, "global_clipnorm": 1 }), ErrorCode::BadValue, "optimizer"),
        (json!({ "type": "RMSprop", "centered": true }), ErrorCode::BadValue, "optimizer"),
        (json!({ "type": "Adam", "beta_1": 1 }), ErrorCode::BadValue, "optimizer"),
        (json!({ "type": "SGD", "learning_rate": { "type": "Cosine" } }), ErrorCode::UnknownName, "optimizer.learning_rate"),
    ];
    for (spec, code, place) in cases {
        let error = OptimizerSpec::from_json(&spec).expect_err("a bad optimizer");
        assert_eq!((error.code, error.at.as_deref()), (code, Some(place)), "{spec}: {error}");
    }
}

/// What the worker receives goes through serde; the typed error survives the way.
#[test]
fn a_typed_error_survives_serde() {
    let text = r#"{ "input": [4], "layers": [{ "type": "Dense", "unit": 3 }] }"#;
    let error = nn::recover(serde_json::from_str::<ModelSpec>(text).expect_err("a bad spec"));
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some("layers[0].units")));
    assert_eq!(nn::recover("no such thing").code, ErrorCode::BadSpec);
    // JSON has no NaN, but JavaScript's objects do: it arrives as a float.
    let fields: std::collections::HashMap<&str, f64> = [("learning_rate", f64::NAN)].into();
    let deserializer = serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new(fields.into_iter());
    let error = nn::recover(<OptimizerSpec as serde::Deserialize>::deserialize(deserializer).expect_err("no type"));
    assert_eq!(error.code, ErrorCode::BadValue);
}

#[test]
fn all_parameters_are_trainable() {
    let preset = preset("mnist-cnn").expect("a preset");
    let mut built = build(&preset.model, 2, Mode::Train, Some(&preset.loss)).expect("a graph");
    gradscope::autograd::differentiate(&mut built.graph, built.loss.expect("a loss")).expect("gradients");
    assert_eq!(built.graph.gradients().len(), 10);
    let before = built.graph.nodes().len();
    gradscope::optim::append(&mut built.graph, &preset.optimizer).expect("an update");
    assert!(built.graph.nodes().len() > before);
    assert!(built.graph.variables().iter().all(|variable| variable.group == Group::Parameters));
}
