//! Frozen layers, weights of one model in another, and few of many examples.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::data::{Dataset, Split};
use gradscope::error::{ErrorCode, Result};
use gradscope::graph::Group;
use gradscope::nn::{LossSpec, Mode, ModelSpec, build, describe};
use gradscope::optim::OptimizerSpec;
use gradscope::trace::Role;
use gradscope::train::{RunOptions, Session, Settings, Subject};
use serde_json::{Value, json};

fn settings(layers: Value, train_examples: Option<usize>) -> Result<Settings> {
    Ok(Settings {
        model: ModelSpec::from_json(&json!({ "input": [2], "layers": layers }))?,
        loss: LossSpec::from_json(&json!("binary_crossentropy"))?,
        optimizer: OptimizerSpec::from_json(&json!({ "type": "AdamW", "learning_rate": 0.01, "weight_decay": 0.1 }))?,
        batch_size: 32,
        seed: 4,
        validation_split: 0.2,
        train_examples,
    })
}

fn session(layers: Value) -> Result<Session<Cpu>> {
    pollster::block_on(Session::new(Cpu::new(), settings(layers, None)?, Rc::new(Dataset::generated("moons")?)))
}

fn train(session: &mut Session<Cpu>, steps: usize) -> Result<Vec<f32>> {
    let options = RunOptions { steps: Some(steps), shuffle: true, ..RunOptions::default() };
    Ok(pollster::block_on(session.run(options, || 0.0))?.0.losses)
}

fn value(session: &Session<Cpu>, name: &str) -> Result<Vec<f32>> {
    pollster::block_on(session.parameter(name))
}

/// Two layers, batch norm between them, and an answer; the first two frozen or not, with a penalty that only counts where they are not.
fn layers(trainable: bool) -> Value {
    json!([
        { "type": "Dense", "units": 8, "kernel_regularizer": "l2", "trainable": trainable },
        { "type": "BatchNormalization", "trainable": trainable },
        { "type": "Activation", "activation": "tanh" },
        { "type": "Dense", "units": 6, "activation": "relu" },
        { "type": "Dense", "units": 1, "activation": "sigmoid" }
    ])
}

const FROZEN: [&str; 6] = [
    "dense.kernel",
    "dense.bias",
    "batch_normalization.gamma",
    "batch_normalization.beta",
    "batch_normalization.moving_mean",
    "batch_normalization.moving_variance",
];

#[test]
fn what_is_frozen_stays_bit_for_bit_and_the_rest_learns() -> Result<()> {
    let mut session = session(layers(false))?;
    let before: Vec<Vec<f32>> = FROZEN.iter().map(|name| value(&session, name)).collect::<Result<_>>()?;
    let trained = value(&session, "dense_1.kernel")?;
    train(&mut session, 30)?;
    for (name, before) in FROZEN.iter().zip(before) {
        let after = value(&session, name)?;
        assert!(after.iter().zip(&before).all(|(a, b)| a.to_bits() == b.to_bits()), "{name} has changed");
    }
    assert_ne!(value(&session, "dense_1.kernel")?, trained);
    let names: Vec<&str> = session.parameters().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["dense_1.kernel", "dense_1.bias", "dense_2.kernel", "dense_2.bias"]);
    session.set_parameter("dense.bias", &[0.5; 8])?;
    assert_eq!(value(&session, "dense.bias")?, [0.5; 8]);
    let snapshot = pollster::block_on(session.snapshot())?;
    session.set_parameter("dense.bias", &[0.0; 8])?;
    session.restore(&snapshot)?;
    assert_eq!(value(&session, "dense.bias")?, [0.5; 8], "a snapshot holds what is frozen");
    Ok(())
}

/// A frozen batch norm takes its moving averages, so the free one is compared where that makes no difference: without it.
#[test]
fn the_others_gradients_are_what_they_were() -> Result<()> {
    let layers = |trainable: bool| {
        json!([
            { "type": "Dense", "units": 8, "activation": "tanh", "trainable": trainable }, { "type": "Dropout", "rate": 0.3 },
            { "type": "Dense", "units": 6, "activation": "relu" }, { "type": "Dense", "units": 1, "activation": "sigmoid" }
        ])
    };
    let (mut free, mut frozen) = (session(layers(true))?, session(layers(false))?);
    for name in ["dense.kernel", "dense_1.kernel", "dense_2.kernel", "dense_1.bias", "dense_2.bias"] {
        assert_eq!(value(&free, name)?, value(&frozen, name)?, "{name} begins alike");
        if name != "dense.kernel" {
            let [of_free, of_frozen] = [&mut free, &mut frozen].map(|session| pollster::block_on(session.read_node(name, true)));
            assert_eq!(of_free?, of_frozen?, "the gradient of {name}");
        }
    }
    let missing = pollster::block_on(frozen.read_node("dense.kernel", true));
    assert_eq!(missing.err().map(|error| error.code), Some(ErrorCode::UnknownName), "nothing flows into what is frozen");
    Ok(())
}

#[test]
fn a_frozen_batch_norm_takes_its_moving_averages() -> Result<()> {
    let layers = |trainable: bool| json!([{ "type": "BatchNormalization", "trainable": trainable }, { "type": "Dense", "units": 1 }]);
    let spec = |trainable: bool| ModelSpec::from_json(&json!({ "input": [2], "layers": layers(trainable) }));
    let ops = |trainable: bool, mode: Mode| -> Result<Vec<String>> {
        let built = build(&spec(trainable)?, 4, mode, None)?;
        Ok(built.graph.nodes().iter().map(|node| node.name.clone()).collect())
    };
    assert_eq!(ops(false, Mode::Train)?, ops(false, Mode::Infer)?);
    assert_ne!(ops(true, Mode::Train)?, ops(true, Mode::Infer)?);
    Ok(())
}

#[test]
fn shared_weights_are_frozen_where_they_are_declared() -> Result<()> {
    let model = |first: Value, second: Value| {
        let mut layers = json!([
            { "type": "Dense", "units": 2, "name": "twice" }, { "type": "Dense", "units": 2, "name": "again", "shares": "twice" }, { "type": "Dense", "units": 1 }
        ]);
        layers[0]["trainable"] = first;
        layers[1]["trainable"] = second;
        ModelSpec::from_json(&json!({ "input": [2], "layers": layers }))
    };
    let spec = model(json!(false), json!(true))?;
    let built = build(&spec, 4, Mode::Train, None)?;
    assert_eq!(built.graph.flat_len(Group::Frozen), 128);
    assert!(!built.layers[1].trainable && built.layers[2].trainable);
    let description = describe(&spec)?;
    let counts: Vec<(usize, usize)> = description.layers.iter().map(|layer| (layer.parameters, layer.frozen)).collect();
    assert_eq!((counts, description.parameter_count), (vec![(0, 6), (0, 0), (3, 0)], 3));
    assert_eq!(
        serde_json::to_value(&spec.layers[0]).ok(),
        Some(json!({ "type": "Dense", "name": "twice", "trainable": false, "units": 2 }))
    );
    let error = build(&model(json!(true), json!(false))?, 4, Mode::Train, None).expect_err("frozen where it is not its own");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some("again")));
    Ok(())
}

#[test]
fn a_model_that_is_frozen_throughout_is_refused() -> Result<()> {
    let error = session(json!([{ "type": "Dense", "units": 1, "trainable": false }])).err().expect("nothing to train");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some("layers")));
    Ok(())
}

#[test]
fn a_walk_says_what_is_frozen() -> Result<()> {
    let mut session = session(layers(false))?;
    let info = pollster::block_on(session.open_walk(Subject::Batch, Vec::new()))?;
    let frozen: Vec<&str> = info.nodes.iter().filter(|node| node.role == Role::Frozen).map(|node| node.name.as_str()).collect();
    assert_eq!(frozen, FROZEN);
    let flows = info.nodes.iter().any(|node| node.role == Role::Frozen && node.gradient.is_some());
    assert!(!flows, "no gradient flows into what is frozen");
    pollster::block_on(session.walk_to(info.ops.len(), &[]))?;
    Ok(())
}

#[test]
fn weights_go_to_where_name_and_shape_are_the_same() -> Result<()> {
    let mut pre_trained = session(layers(true))?;
    train(&mut pre_trained, 20)?;
    let file = pollster::block_on(pre_trained.snapshot())?.0;
    let mut other = session(json!([
        { "type": "Dense", "units": 8, "trainable": false }, { "type": "BatchNormalization" }, { "type": "Dense", "units": 5, "name": "dense_1" },
        { "type": "Dense", "units": 1, "name": "answer", "activation": "sigmoid" }
    ]))?;
    let report = other.load(&file)?;
    let mut taken = report.taken.clone();
    taken.sort_unstable();
    let mut expected = FROZEN;
    expected.sort_unstable();
    assert_eq!(taken, expected);
    for name in FROZEN {
        assert_eq!(value(&other, name)?, value(&pre_trained, name)?, "{name}");
    }
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(report.misshapen), ["dense_1.bias", "dense_1.kernel"]);
    assert_eq!(sorted(report.unknown), ["dense_2.bias", "dense_2.kernel"]);
    assert_eq!(report.missing, ["answer.kernel", "answer.bias"]);
    let before = pollster::block_on(other.snapshot())?;
    assert_eq!(other.load(&file[..40]).expect_err("a torn file").code, ErrorCode::BadFile);
    assert!(before == pollster::block_on(other.snapshot())?, "nothing changes");
    Ok(())
}

#[test]
fn few_examples_are_the_first_and_validation_stays() -> Result<()> {
    let make = |most| pollster::block_on(Session::new(Cpu::new(), settings(layers(true), most)?, Rc::new(Dataset::generated("moons")?)));
    let (all, few) = (make(None)?, make(Some(100))?);
    assert_eq!((all.count(Split::Train), few.count(Split::Train), few.steps_per_epoch()), (640, 100, 4));
    assert_eq!(few.count(Split::Validation), all.count(Split::Validation));
    assert_eq!((few.part_of(Split::Validation).1, few.part_of(Split::Train).1), (640, 0));
    assert_eq!(make(Some(0)).err().map(|error| error.code), Some(ErrorCode::BadValue));
    let mut few = few;
    let options = RunOptions { epochs: Some(2), shuffle: true, ..RunOptions::default() };
    assert_eq!(pollster::block_on(few.run(options, || 0.0))?.0.losses.len(), 8);
    Ok(())
}
