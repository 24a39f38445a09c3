//! Two networks against each other: each loss's gradient reaches its own network alone, and both are those of finite differences; samples, errors,
//! and both backends beside each other.

use std::collections::HashMap;
use std::rc::Rc;

use gradscope::backend::Backend;
use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::data::Dataset;
use gradscope::error::{ErrorCode, Result};
use gradscope::graph::{Group, Leaf, NodeId, Target, VariableId};
use gradscope::nn::{Built, LossSpec, Mode, ModelSpec, OptimizerSpec, build, preset};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::evaluate;
use gradscope::tensor::Rng;
use gradscope::train::{RunOptions, Session, Settings, Subject};
use serde_json::{Value, json};

/// Both networks have a normalisation, the discriminator one that runs on the data and on what was generated, and drops.
fn model() -> ModelSpec {
    let spec = json!({ "input": [3], "layers": [
        { "type": "RandomUniform", "shape": [4] },
        { "type": "Dense", "units": 5, "kernel_regularizer": { "type": "L2", "l2": 0.1 } },
        { "type": "BatchNormalization" },
        { "type": "Activation", "activation": "tanh" },
        { "type": "Dense", "units": 3, "name": "generated" },
        { "type": "Dense", "units": 6, "activation": "tanh", "kernel_regularizer": { "type": "L2", "l2": 0.05 } },
        { "type": "BatchNormalization", "momentum": 0.5 },
        { "type": "Dropout", "rate": 0.25 },
        { "type": "Dense", "units": 1, "activation": "sigmoid" },
    ] });
    ModelSpec::from_json(&spec).expect("a model")
}

fn settings(model: ModelSpec, loss: &Value) -> Settings {
    let optimizer = OptimizerSpec::from_json(&json!({ "type": "Adam", "learning_rate": 0.01 })).expect("an optimizer");
    Settings {
        model,
        loss: LossSpec::from_json(loss).expect("a loss"),
        optimizer,
        batch_size: 6,
        seed: 1,
        validation_split: 0.0,
        train_examples: None,
    }
}

fn plain() -> Value {
    json!({ "type": "adversarial", "generator": "generated" })
}

/// A training graph, and the numbers that it is evaluated with.
struct Game {
    built: Built,
    x: Vec<f64>,
    variables: Vec<Vec<f64>>,
}

impl Game {
    fn new(loss: &Value) -> Self {
        let settings = settings(model(), loss);
        let mut built = build(&settings.model, 6, Mode::Train, Some(&settings.loss)).expect("a graph");
        settings.complete(&mut built, &[]).expect("gradients and an update");
        let mut rng = Rng::new(3, 0);
        let mut draw = |count: usize| (0..count).map(|_| 0.6 * f64::from(rng.normal())).collect::<Vec<f64>>();
        let x = draw(6 * 3);
        let variables = built.graph.variables().iter().map(|variable| draw(variable.shape.numel())).collect();
        Self { built, x, variables }
    }

    fn values(&self) -> Vec<Vec<f64>> {
        let graph = &self.built.graph;
        evaluate(graph, &mut CpuCx { seed: 5, step: 3, ..CpuCx::default() }, |id, leaf| match leaf {
            Leaf::Input(_) => self.x.clone(),
            Leaf::Variable(variable) => self.variables[variable.0 as usize].clone(),
            Leaf::Scalar(index) => vec![f64::from(graph.scalars()[*index].1)],
            Leaf::Constant(number) => vec![f64::from(*number)],
            Leaf::Flat(_) => vec![0.0; graph.shape(id).numel()],
        })
    }

    /// Slope of a node with respect to an element of a variable, by central differences.
    fn slope(&mut self, of: NodeId, variable: usize, element: usize) -> f64 {
        let mut at = |by: f64| {
            self.variables[variable][element] += by;
            let value = self.values()[of.index()][0];
            self.variables[variable][element] -= by;
            value
        };
        (at(1e-6) - at(-1e-6)) / 2e-6
    }
}

/// Every parameter has one gradient: of its own network's loss, though the other loss depends on it as well.
fn own_losses_alone(loss: &Value) {
    let mut game = Game::new(loss);
    let (discriminators, generators) = (game.built.loss.expect("a loss"), game.built.game.expect("a game"));
    let values = game.values();
    let gradients: HashMap<VariableId, NodeId> = game.built.graph.gradients().iter().copied().collect();
    let variables = game.built.graph.variables().iter().enumerate();
    let parameters: Vec<usize> = variables.filter(|(_, variable)| variable.group == Group::Parameters).map(|(index, _)| index).collect();
    assert_eq!((gradients.len(), game.built.graph.gradients().len()), (parameters.len(), parameters.len()), "one gradient each");
    let mut apart = 0;
    for variable in parameters {
        let gradient = &values[gradients[&VariableId(variable as u32)].index()];
        let (own, other) =
            if variable < generators.variables { (generators.loss, discriminators) } else { (discriminators, generators.loss) };
        for (element, &exact) in gradient.iter().enumerate() {
            let (slope, others) = (game.slope(own, variable, element), game.slope(other, variable, element));
            let name = &game.built.graph.variables()[variable].name;
            assert!((slope - exact).abs() <= 1e-6 * slope.abs().max(1e-2), "{name}, element {element}: {exact}, by differences {slope}");
            apart += usize::from((others - exact).abs() > 1e-3);
        }
    }
    assert!(apart > 50, "the other loss has other slopes: {apart}");
}

#[test]
fn each_gradient_is_of_its_own_loss_alone() {
    own_losses_alone(&plain());
}

#[test]
fn so_it_is_with_smoothing_sums_and_a_game_of_zero_sum() {
    own_losses_alone(
        &json!({ "type": "adversarial", "generator": "generated", "label_smoothing": 0.1, "saturating": true, "reduction": "sum" }),
    );
}

/// Of zero sum: but for the data's part, which no generator reaches, the losses are each other's negative, twice over.
#[test]
fn a_saturating_generator_wants_the_opposite() {
    let mut game = Game::new(&json!({ "type": "adversarial", "generator": "generated", "saturating": true }));
    let (loss, generators) = (game.built.loss.expect("a loss"), game.built.game.expect("a game"));
    let bias = game.built.graph.variables().iter().position(|variable| variable.name == "generated.bias").expect("a bias");
    let (down, up) = (game.slope(generators.loss, bias, 1), game.slope(loss, bias, 1));
    assert!((down + 2.0 * up).abs() < 1e-6 && up.abs() > 1e-4, "{down}, {up}");
}

/// The shared normalisation's averages move twice, as two calls of the layer move them in PyTorch and Keras.
#[test]
fn shared_averages_move_with_the_data_and_with_what_was_generated() {
    let game = Game::new(&plain());
    let graph = &game.built.graph;
    let values = game.values();
    let id = graph.variables().iter().position(|variable| variable.name == "batch_normalization_1.moving_mean").expect("an average");
    let target = Target::Variable(VariableId(id as u32));
    assert_eq!(graph.writes().iter().filter(|(_, to)| *to == target).count(), 1);
    let written = &values[graph.written(target).expect("it is written").index()];
    let mean = |layer: &str, unit: usize| {
        let output = graph.find(&format!("{layer}/tanh")).expect("the layer before");
        values[output.index()].iter().skip(unit).step_by(6).sum::<f64>() / 6.0
    };
    for (unit, got) in written.iter().enumerate() {
        let want = ((game.variables[id][unit] + mean("dense_1", unit)) / 2.0 + mean("fake_dense_1", unit)) / 2.0;
        assert!((got - want).abs() < 1e-9, "unit {unit}: {got}, not {want}");
    }
}

fn small<B: Backend>(backend: B, loss: &Value) -> Session<B> {
    let mut rng = Rng::new(9, 0);
    let x: Vec<f32> = (0..30 * 3).map(|_| rng.normal()).collect();
    let data = Dataset::from_arrays(x, &[30, 3], vec![0.0; 30]).expect("examples");
    pollster::block_on(Session::new(backend, settings(model(), loss), Rc::new(data))).expect("a session")
}

fn steps(count: usize) -> RunOptions {
    RunOptions { steps: Some(count), ..RunOptions::default() }
}

#[test]
fn samples_depend_on_the_seed_and_the_parameters_alone() -> Result<()> {
    pollster::block_on(async {
        let mut session = small(Cpu::new(), &plain());
        let many = session.sample(20, 7).await?;
        assert_eq!(many.len(), 20 * 3);
        assert_eq!(session.sample(4, 7).await?, many[..12], "of fewer the first");
        assert_ne!(session.sample(20, 8).await?, many);
        let before = session.snapshot().await?.0;
        assert_eq!(session.sample(300, 7).await?.len(), 900);
        assert_eq!(session.snapshot().await?.0, before, "nothing changes");
        session.run(steps(3), || 0.0).await?;
        assert_ne!(session.sample(20, 7).await?, many);
        assert_eq!(session.sample(0, 1).await.expect_err("no examples").code, ErrorCode::BadValue);
        Ok(())
    })
}

/// What the model answers is the discriminator's answer to the example, whatever the noise.
#[test]
fn predictions_and_activations_are_of_the_data() -> Result<()> {
    pollster::block_on(async {
        let mut session = small(Cpu::new(), &plain());
        let x: Vec<f32> = (0..6).map(|k| k as f32 / 3.0 - 1.0).collect();
        let answers = session.predict(&x).await?;
        assert_eq!(answers.len(), 2);
        assert_eq!(session.activations(&["dense_2".into()], &x, None).await?, vec![answers.clone()]);
        assert_eq!(session.predict(&x[3..]).await?, answers[1..]);
        assert!(session.evaluate(gradscope::data::Split::Train).await?.accuracy.is_none());
        Ok(())
    })
}

/// A walk through the step ends in the same bits as the training plan's step, and goes by both losses' gradients.
#[test]
fn the_step_that_is_walked_through_is_the_one_that_is_taken() -> Result<()> {
    pollster::block_on(async {
        let loss = json!({ "type": "adversarial", "generator": "generated", "generator_optimizer": { "type": "SGD", "learning_rate": 0.05, "momentum": 0.5 } });
        let mut walked = small(Cpu::new(), &loss);
        let info = walked.open_walk(Subject::Batch, Vec::new()).await?;
        walked.walk_to(info.ops.len(), &[]).await?;
        let mut taken = small(Cpu::new(), &loss);
        let options = RunOptions { shuffle: true, ..steps(1) };
        taken.run(options, || 0.0).await?;
        for name in ["dense.kernel", "generated.bias", "dense_1.kernel", "dense_2.bias"] {
            let (table, arrays) = walked.optimizer_table(name).await?;
            let next = &arrays[table.columns.iter().position(|column| column == "next").expect("the next values")];
            for (a, b) in next.iter().zip(taken.parameter(name).await?) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1e-3), "{name}: {a} walked to, {b} trained");
            }
        }
        // A nudge compares with the slope of the loss that the gradient is of.
        for name in ["generated.bias", "dense_1.bias"] {
            let node = info.nodes.iter().position(|node| node.name == name).expect("a parameter");
            let (backend, trace) = walked.trace()?;
            let nudge = trace.nudge(backend, node, 1, None).await?;
            let gradient = nudge.gradient.expect("the gradient is known");
            assert!((gradient - nudge.slope).abs() <= 1e-3 * nudge.slope.abs().max(1e-3), "{name}: {gradient}, slope {}", nudge.slope);
        }
        Ok(())
    })
}

#[test]
fn a_gpu_plays_the_same_game() -> Result<()> {
    pollster::block_on(async {
        let loss = json!({ "type": "adversarial", "generator": "generated", "generator_optimizer": { "type": "SGD", "learning_rate": 0.05, "momentum": 0.5 } });
        let gpu = Gpu::open().await.expect("this test needs a GPU or a software adapter (Mesa's lavapipe)");
        let (mut cpu, mut gpu) = (small(Cpu::new(), &loss), small(gpu, &loss));
        let ((on_cpu, _), (on_gpu, _)) = (cpu.run(steps(8), || 0.0).await?, gpu.run(steps(8), || 0.0).await?);
        for (step, (a, b)) in on_cpu.losses.iter().zip(&on_gpu.losses).enumerate() {
            assert!((a / b - 1.0).abs() < 1e-3, "step {step}: {a} on the CPU, {b} on the GPU");
        }
        let (a, b) = (cpu.sample(20, 7).await?, gpu.sample(20, 7).await?);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?}\n{b:?}");
        Ok(())
    })
}

#[test]
fn mistakes_are_named() {
    let chain = |generator: &str, last: Value| {
        let layers = json!([{ "type": "RandomUniform", "shape": [4] }, { "type": "Dense", "units": 3, "name": "generated" }, last]);
        let model = ModelSpec::from_json(&json!({ "input": [3], "layers": layers })).expect("a model");
        let loss = LossSpec::from_json(&json!({ "type": "adversarial", "generator": generator })).expect("a loss");
        build(&model, 2, Mode::Train, Some(&loss)).err().map(|error| (error.code, error.at.unwrap_or_default()))
    };
    let answer = || json!({ "type": "Dense", "units": 1, "activation": "sigmoid" });
    assert_eq!(chain("generated", answer()), None);
    assert_eq!(chain("nobody", answer()), Some((ErrorCode::UnknownName, "loss.generator".into())));
    assert_eq!(chain("dense", answer()), Some((ErrorCode::UnknownName, "loss.generator".into())));
    assert_eq!(chain("generated", json!({ "type": "Dense", "units": 2 })).map(|(code, _)| code), Some(ErrorCode::BadShape));
    assert_eq!(chain("generated", json!({ "type": "Flatten" })).map(|(code, _)| code), Some(ErrorCode::BadValue));
    let noise = json!({ "input": [1], "layers": [{ "type": "RandomUniform", "shape": [2], "minval": 1, "maxval": 1 }] });
    let error = build(&ModelSpec::from_json(&noise).expect("a model"), 1, Mode::Infer, None).expect_err("an empty range");
    assert_eq!(error.code, ErrorCode::BadValue);
}

/// Clusters of the ring that many of `points` are near to, and the share of all that are near to one.
fn reached(points: &[f32]) -> (usize, f32) {
    let mut counts = [0; 8];
    for point in points.chunks_exact(2) {
        let near = |k: &usize| {
            let (sin, cos) = (std::f32::consts::TAU * *k as f32 / 8.0).sin_cos();
            (point[0] - cos).hypot(point[1] - sin) < 0.2
        };
        if let Some(k) = (0..8).find(near) {
            counts[k] += 1;
        }
    }
    let enough = points.len() / 2 / 100;
    (counts.iter().filter(|&&count| count >= enough).count(), counts.iter().sum::<usize>() as f32 / (points.len() / 2) as f32)
}

#[test]
#[ignore = "a minute on one core"]
fn the_game_in_the_plane_reaches_the_ring() -> Result<()> {
    let preset = preset("gan-2d").expect("the preset");
    for seed in 1..4 {
        let data = Rc::new(Dataset::generated(&preset.data)?);
        let settings = Settings {
            model: preset.model.clone(),
            loss: preset.loss.clone(),
            optimizer: preset.optimizer.clone(),
            batch_size: preset.batch_size,
            seed,
            validation_split: 0.0,
            train_examples: None,
        };
        let clock = std::time::Instant::now();
        pollster::block_on(async {
            let mut session = Session::new(Cpu::new(), settings, data).await?;
            let mut reaches = Vec::new();
            for epochs in [50, 50, 100, 100, 200, 500] {
                let options = RunOptions { epochs: Some(epochs), shuffle: true, ..RunOptions::default() };
                let (result, _) = session.run(options, || clock.elapsed().as_secs_f64() * 1e3).await?;
                let (clusters, share) = reached(&session.sample(1000, 1).await?);
                println!(
                    "seed {seed}, step {}: {clusters} clusters, {share:.2} of the points near one, {:.2} ms a step",
                    session.step_count(),
                    result.ms_per_step
                );
                reaches.push((clusters, share));
            }
            // At first it makes all of its points in a few places: mode collapse.
            assert!(reaches[0].0 <= 3 && reaches[5].0 == 8 && reaches[5].1 > 0.85, "seed {seed}: {reaches:?}");
            Ok::<_, gradscope::error::Error>(())
        })?;
    }
    Ok(())
}
