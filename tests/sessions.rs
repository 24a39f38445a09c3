//! Sessions on the CPU, with small models: reading nodes, snapshots, early stopping, going on elsewhere.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::data::{Dataset, Split};
use gradscope::error::{ErrorCode, Result};
use gradscope::nn::{LossSpec, ModelSpec};
use gradscope::optim::OptimizerSpec;
use gradscope::train::{Run, RunOptions, Session, Settings};
use serde_json::{Value, json};

fn session(layers: Value, seed: u32) -> Result<Session<Cpu>> {
    of_batches(32, layers, seed)
}

fn of_batches(batch_size: usize, layers: Value, seed: u32) -> Result<Session<Cpu>> {
    optimized(json!({ "type": "Adam", "learning_rate": 0.01, "global_clipnorm": 1.0 }), batch_size, layers, seed)
}

fn optimized(optimizer: Value, batch_size: usize, layers: Value, seed: u32) -> Result<Session<Cpu>> {
    let settings = Settings {
        model: ModelSpec::from_json(&json!({ "input": [2], "layers": layers }))?,
        loss: LossSpec::from_json(&json!("binary_crossentropy"))?,
        optimizer: OptimizerSpec::from_json(&optimizer)?,
        batch_size,
        seed,
        validation_split: 0.2,
        train_examples: None,
    };
    pollster::block_on(Session::new(Cpu::new(), settings, Rc::new(Dataset::generated("moons")?)))
}

fn small() -> Value {
    json!([{ "type": "Dense", "units": 8, "activation": "tanh" }, { "type": "Dense", "units": 1, "activation": "sigmoid" }])
}

fn train(session: &mut Session<Cpu>, steps: usize) -> Result<Vec<f32>> {
    let options = RunOptions { steps: Some(steps), shuffle: true, ..RunOptions::default() };
    Ok(pollster::block_on(session.run(options, || 0.0))?.0.losses)
}

#[test]
fn nodes_behind_a_batch_norm_are_computed_when_they_are_read() -> Result<()> {
    let layers = json!([
        { "type": "Dense", "units": 8 }, { "type": "BatchNormalization" }, { "type": "Activation", "activation": "relu" },
        { "type": "Dense", "units": 1, "activation": "sigmoid" }
    ]);
    let mut session = session(layers, 1)?;
    train(&mut session, 3)?;
    let before = pollster::block_on(session.snapshot())?;
    let (shape, output) = pollster::block_on(session.read_node("dense_1", false))?;
    assert_eq!(&shape[..], [32, 1]);
    assert!(output.iter().all(|p| *p > 0.0 && *p < 1.0), "a sigmoid's output: {output:?}");
    let (_, loss) = pollster::block_on(session.read_node("loss", false))?;
    assert!(loss[0] > 0.05 && loss[0] < 5.0, "loss {}", loss[0]);
    let (_, gradient) = pollster::block_on(session.read_node("dense", true))?;
    assert!(gradient.iter().any(|g| *g != 0.0));
    assert!(before == pollster::block_on(session.snapshot())?, "reading changes nothing");
    Ok(())
}

/// 640 examples in batches of 48: the last one has 16, and it is they that are looked at.
#[test]
fn after_a_short_batch_its_own_rows_are_read() -> Result<()> {
    let mut session = of_batches(48, small(), 1)?;
    let options = RunOptions { steps: Some(14), shuffle: false, ..RunOptions::default() };
    pollster::block_on(session.run(options, || 0.0))?;
    let (shape, read) = pollster::block_on(session.read_node("dense_1", false))?;
    assert_eq!(&shape[..], [16, 1]);
    let x = session.data().train.x.gather(&(624..640).collect::<Vec<u32>>());
    let expected = pollster::block_on(session.predict(&x))?;
    assert!(read.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{read:?}\n{expected:?}");
    let (shape, gradient) = pollster::block_on(session.read_node("dense", true))?;
    assert_eq!(&shape[..], [16, 8]);
    assert!(gradient.iter().any(|g| *g != 0.0));
    let health = pollster::block_on(session.health(|| 0.0))?;
    let (_, loss) = pollster::block_on(session.read_node("loss", false))?;
    assert_eq!((health.batch, health.loss), (16, loss[0]));
    // A full batch again, and the plan for that.
    pollster::block_on(session.run(RunOptions { steps: Some(1), shuffle: false, ..RunOptions::default() }, || 0.0))?;
    assert_eq!(&pollster::block_on(session.read_node("dense_1", false))?.0[..], [48, 1]);
    assert_eq!(pollster::block_on(session.health(|| 0.0))?.batch, 48);
    Ok(())
}

/// More examples than a batch holds, and no whole number of batches.
#[test]
fn activations_are_what_each_layer_puts_out() -> Result<()> {
    let mut session = session(small(), 1)?;
    train(&mut session, 5)?;
    let x: Vec<f32> = (0..2 * 603).map(|k| (k % 37) as f32 / 10.0 - 1.8).collect();
    let layers = ["dense".to_owned(), "dense_1".to_owned()];
    let outputs = pollster::block_on(session.activations(&layers, &x, None))?;
    let (kernel, bias) = pollster::block_on(async { (session.parameter("dense.kernel").await, session.parameter("dense.bias").await) });
    let (kernel, bias) = (kernel?, bias?);
    assert_eq!((outputs[0].len(), outputs[1].len()), (603 * 8, 603));
    for (point, units) in x.chunks(2).zip(outputs[0].chunks(8)) {
        for (unit, value) in units.iter().enumerate() {
            let expected = (point[0] * kernel[unit] + point[1] * kernel[8 + unit] + bias[unit]).tanh();
            assert!((value - expected).abs() < 1e-5, "unit {unit} at {point:?}: {value}, by hand {expected}");
        }
    }
    let predicted = pollster::block_on(session.predict(&x))?;
    assert!(outputs[1].iter().zip(&predicted).all(|(a, b)| (a - b).abs() < 1e-6));
    let error = pollster::block_on(session.activations(&["conv".to_owned()], &x, None)).expect_err("no such layer");
    assert_eq!(error.code, ErrorCode::UnknownName);
    let error = pollster::block_on(session.activations(&layers, &x[..3], None)).expect_err("half an example");
    assert_eq!(error.code, ErrorCode::WrongLength);
    Ok(())
}

/// Any values in the place of what a layer puts out go on through the layers behind it.
#[test]
fn the_layers_behind_one_take_any_values() -> Result<()> {
    let mut session = session(small(), 1)?;
    train(&mut session, 5)?;
    let x: Vec<f32> = (0..2 * 303).map(|k| (k % 37) as f32 / 10.0 - 1.8).collect();
    let (first, last) = (["dense".to_owned()], ["dense_1".to_owned()]);
    let codes = pollster::block_on(session.activations(&first, &x, None))?.remove(0);
    let behind = pollster::block_on(session.activations(&last, &codes, Some("dense")))?;
    assert_eq!(behind[0], pollster::block_on(session.predict(&x))?);
    let other = pollster::block_on(session.activations(&last, &codes[8..16], Some("dense")))?;
    assert_eq!(other[0], behind[0][1..2]);
    let mut error =
        |layers: &[String], x: &[f32], from| pollster::block_on(session.activations(layers, x, Some(from))).expect_err("a mistake").code;
    assert_eq!(error(&last, &codes, "conv"), ErrorCode::UnknownName);
    assert_eq!(error(&last, &codes[..7], "dense"), ErrorCode::WrongLength);
    assert_eq!(error(&first, &codes[..1], "dense_1"), ErrorCode::WrongState);
    Ok(())
}

#[test]
fn a_snapshot_of_another_seed_brings_its_own_order() -> Result<()> {
    let mut first = session(small(), 1)?;
    train(&mut first, 5)?;
    let snapshot = pollster::block_on(first.snapshot())?;
    let expected = train(&mut first, 30)?;
    let mut second = session(small(), 2)?;
    train(&mut second, 3)?;
    second.restore(&snapshot)?;
    assert_eq!(train(&mut second, 30)?, expected);
    Ok(())
}

#[test]
fn a_snapshot_that_does_not_fit_changes_nothing() -> Result<()> {
    let mut session = session(small(), 1)?;
    let other = pollster::block_on(self::session(json!([{ "type": "Dense", "units": 1, "activation": "sigmoid" }]), 1)?.snapshot())?;
    let before = pollster::block_on(session.snapshot())?;
    let mut cut = before.clone();
    cut.0.truncate(cut.0.len() / 2);
    for bad in [other, cut] {
        let error = session.restore(&bad).expect_err("it does not fit");
        assert_eq!(error.code, ErrorCode::BadFile);
    }
    assert!(before == pollster::block_on(session.snapshot())?);
    Ok(())
}

#[test]
fn hyper_parameters_change_while_training_where_the_optimizer_has_them() -> Result<()> {
    let sgd = |momentum: f64| optimized(json!({ "type": "SGD", "learning_rate": 0.1, "momentum": momentum }), 32, small(), 1);
    let (mut changed, mut made, mut without) = (sgd(0.0)?, sgd(0.9)?, sgd(0.0)?);
    let first = train(&mut without, 10)?;
    changed.set_hyper("momentum", 0.9)?;
    let fast = train(&mut changed, 10)?;
    assert_eq!(fast, train(&mut made, 10)?, "changed to 0.9 and made with it");
    assert_ne!(fast, first, "with momentum and without");
    changed.set_hyper("momentum", 0.0)?;
    assert_ne!(train(&mut changed, 5)?, train(&mut made, 5)?, "in the middle of training");

    let refused = |session: &mut Session<Cpu>, name: &str, value: f32| session.set_hyper(name, value).expect_err(name).code;
    assert_eq!(refused(&mut made, "momentum", 1.0), ErrorCode::BadValue);
    assert_eq!(refused(&mut made, "learning_rate", -1.0), ErrorCode::BadValue);
    assert_eq!(refused(&mut made, "learning_rate", f32::NAN), ErrorCode::BadValue);
    assert_eq!(refused(&mut made, "weight_decay", 0.1), ErrorCode::WrongState);
    assert_eq!(refused(&mut made, "learning_rate:generator", 0.1), ErrorCode::WrongState);
    assert_eq!(refused(&mut session(small(), 1)?, "momentum", 0.5), ErrorCode::WrongState);
    assert_eq!(refused(&mut made, "lr", 0.1), ErrorCode::UnknownName);
    Ok(())
}

#[test]
fn early_stopping_ends_a_run_that_gets_no_better() -> Result<()> {
    let mut session = session(small(), 1)?;
    session.set_hyper("learning_rate", 0.0)?;
    let options = RunOptions { epochs: Some(50), early_stopping: Some(2), shuffle: true, ..RunOptions::default() };
    let (result, epochs) = pollster::block_on(session.run(options, || 0.0))?;
    assert!(result.stopped);
    assert_eq!(epochs.len(), 3, "the first is the best, two more are no better");
    assert!(epochs.iter().all(|end| end.validation.is_some()));
    Ok(())
}

#[test]
fn epochs_and_their_evaluations_cover_each_example_once() -> Result<()> {
    let mut session = session(small(), 1)?;
    assert_eq!((session.count(Split::Train), session.count(Split::Validation), session.count(Split::Test)), (640, 160, 200));
    let options = RunOptions { epochs: Some(2), evaluate: true, shuffle: true, ..RunOptions::default() };
    let (result, epochs) = pollster::block_on(session.run(options, || 0.0))?;
    assert_eq!(result.losses.len(), 40);
    for end in epochs {
        let counted = |evaluation: Option<gradscope::train::Evaluation>| {
            evaluation.and_then(|e| e.confusion).unwrap_or_default().iter().flatten().sum::<u32>()
        };
        assert_eq!((counted(end.validation), counted(end.test)), (160, 200));
    }
    Ok(())
}

#[test]
fn a_run_goes_on_in_another_session_from_its_snapshot() -> Result<()> {
    let mut whole = session(small(), 1)?;
    let expected = train(&mut whole, 60)?;
    let mut lost = session(small(), 1)?;
    let options = RunOptions { steps: Some(60), shuffle: true, ..RunOptions::default() };
    let mut run = Run::new(&mut lost, options)?;
    let result = pollster::block_on(async {
        for _ in 0..5 {
            run.advance(&mut lost, || 0.0).await?;
        }
        let snapshot = lost.snapshot().await?;
        for _ in 0..4 {
            run.advance(&mut lost, || 0.0).await?;
        }
        let mut other = session(small(), 9)?;
        other.restore(&snapshot)?;
        run.resume_from(&mut other);
        while !run.advance(&mut other, || 0.0).await?.done {}
        Ok::<_, gradscope::error::Error>(run.result())
    })?;
    assert_eq!(result.losses, expected);
    Ok(())
}

/// The labels of the points stay out of it: the loss has the points themselves for its target, in training, evaluation and outside batches.
#[test]
fn an_autoencoder_needs_no_labels() -> Result<()> {
    let settings = Settings {
        model: ModelSpec::from_json(&json!({ "input": [2], "layers": [
            { "type": "Dense", "units": 8, "activation": "tanh" }, { "type": "Dense", "units": 2 }
        ] }))?,
        loss: LossSpec::from_json(&json!({ "type": "mse", "target": "input" }))?,
        optimizer: OptimizerSpec::from_json(&json!({ "type": "Adam", "learning_rate": 0.01 }))?,
        batch_size: 32,
        seed: 1,
        validation_split: 0.2,
        train_examples: None,
    };
    let mut session = pollster::block_on(Session::new(Cpu::new(), settings, Rc::new(Dataset::generated("moons")?)))?;
    let losses = train(&mut session, 300)?;
    assert!(losses[299] < 0.1 * losses[0], "{} then {}", losses[0], losses[299]);
    let test = pollster::block_on(session.evaluate(Split::Test))?;
    assert!(test.accuracy.is_none() && test.confusion.is_none());
    let x = session.data().test.x.gather(&(0..200).collect::<Vec<u32>>());
    let drawn = pollster::block_on(session.predict(&x))?;
    let error = drawn.iter().zip(&x).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / x.len() as f32;
    assert!((error - test.loss).abs() <= 1e-5 * test.loss, "{error}, not {}", test.loss);
    let rows: Vec<u32> = (0..32).collect();
    let batch = session.data().train.x.gather(&rows);
    let loss = pollster::block_on(session.train_batch(&batch, &[]))?;
    assert!(loss > 0.0 && loss < 0.1 * losses[0], "{loss}");
    Ok(())
}
