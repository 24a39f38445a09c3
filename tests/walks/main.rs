//! The stepper: values seen in a walk, explanations over a whole step, nudges, edits, and the way back.

mod history;

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, Device};
use gradscope::data::{Dataset, Split};
use gradscope::error::ErrorCode;
use gradscope::nn::{LossSpec, ModelSpec};
use gradscope::optim::OptimizerSpec;
use gradscope::tensor::Rng;
use gradscope::trace::{Breakpoint, Cause, Lane, ReadItem, Role};
use gradscope::train::{RunOptions, Session, Settings, Subject, TraceInfo, Travel};
use pollster::block_on;

const CNN: &str = r#"{ "input": [10, 10, 1], "layers": [
    { "type": "Conv2D", "filters": 4, "kernel_size": 3, "activation": "relu" }, { "type": "MaxPooling2D" }, { "type": "BatchNormalization" },
    { "type": "Flatten" }, { "type": "Dropout", "rate": 0.2 }, { "type": "Dense", "units": 3, "activation": "softmax" }] }"#;
/// More time steps than a kernel could bind, of a width that no kernel could bind where it lies.
const LSTM: &str = r#"{ "input": [9, 3], "layers": [{ "type": "LSTM", "units": 5, "return_sequences": true }, { "type": "LSTM", "units": 4 },
    { "type": "Dense", "units": 3, "activation": "softmax" }] }"#;
const MLP: &str = r#"{ "input": [4], "layers": [{ "type": "Dense", "units": 5, "activation": "tanh" },
    { "type": "Dense", "units": 3, "activation": "softmax" }] }"#;

/// A session of that model on made-up data: 40 examples of 3 classes, batches of 8.
fn session(device: Device, model: &str) -> Session<Device> {
    let model: ModelSpec = serde_json::from_str(model).expect("a model");
    let width: usize = model.input.iter().product();
    let mut rng = Rng::new(9, 0);
    let x = (0..40 * width).map(|_| rng.normal()).collect();
    let shape = [&[40], &model.input[..]].concat();
    let data = Dataset::from_arrays(x, &shape, (0..40).map(|i| (i % 3) as f32).collect()).expect("data");
    let loss: LossSpec = serde_json::from_str(r#""sparse_categorical_crossentropy""#).expect("a loss");
    let optimizer: OptimizerSpec = serde_json::from_str(r#"{ "type": "Adam", "learning_rate": 0.01 }"#).expect("an optimizer");
    let settings = Settings { model, loss, optimizer, batch_size: 8, seed: 3, validation_split: 0.0, train_examples: None };
    block_on(Session::new(device, settings, Rc::new(data))).expect("a session")
}

fn cpu(model: &str) -> Session<Device> {
    session(Device::Cpu(Cpu::new()), model)
}

fn gpu(model: &str) -> Session<Device> {
    session(Device::Gpu(block_on(Gpu::open()).expect("an adapter")), model)
}

fn train(session: &mut Session<Device>, steps: usize) {
    let options = RunOptions { steps: Some(steps), shuffle: true, ..RunOptions::default() };
    block_on(session.run(options, || 0.0)).expect("training");
}

fn bits(session: &Session<Device>) -> Vec<u8> {
    block_on(session.snapshot()).expect("a snapshot").0
}

fn open(session: &mut Session<Device>) -> TraceInfo {
    block_on(session.open_walk(Subject::Batch, Vec::new())).expect("a walk")
}

fn value(session: &mut Session<Device>, node: usize) -> Vec<f32> {
    let (backend, trace) = session.trace().expect("a walk");
    block_on(trace.read(backend, &ReadItem { node, example: None })).expect("a value").1
}

#[test]
fn every_element_of_a_whole_step_is_explained() {
    let pinned = |cells: u8| (Subject::Pinned { label: Some(2.0) }, (0..cells).map(|i| (f32::from(i) * 0.7).sin()).collect());
    let batch = || (Subject::Batch, Vec::new());
    for (model, (subject, x)) in [(CNN, batch()), (CNN, pinned(100)), (LSTM, batch()), (LSTM, pinned(27))] {
        let mut session = cpu(model);
        train(&mut session, 3);
        let info = block_on(session.open_walk(subject, x)).expect("a walk");
        let mut lanes = Vec::new();
        for (position, &node) in info.ops.iter().enumerate() {
            let state = block_on(session.walk_to(position + 1, &[])).expect("a step");
            assert_eq!(state.cursor, position + 1);
            assert_eq!(state.loss.is_some(), info.nodes[info.loss].position.is_some_and(|at| at <= position));
            let about = &info.nodes[node];
            lanes.push(about.lane);
            assert_eq!(about.position, Some(position));
            let values = value(&mut session, node);
            let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            for element in (0..values.len()).step_by(values.len().div_ceil(20)) {
                let (backend, trace) = session.trace().expect("a walk");
                let (explanation, elements) = block_on(trace.explain(backend, node, element, 5)).expect("an explanation");
                let off = (f64::from(explanation.value) - explanation.recomputed).abs();
                let scale = f64::from(explanation.value).abs() + f64::from(largest) * 0.1;
                assert!(off <= 1e-5 * scale + 1e-12, "{} [{element}]: {} but {}", about.name, explanation.value, explanation.recomputed);
                assert_eq!(elements.len(), explanation.sources.len() + explanation.consumers.len());
                for (source, elements) in explanation.sources.iter().chain(&explanation.consumers).zip(&elements) {
                    let count: usize = info.nodes[source.node].shape.iter().product();
                    assert!(elements.iter().all(|&element| (element as usize) < count), "{}: a source outside its node", about.name);
                }
                assert!(explanation.sources.iter().all(|source| about.inputs.contains(&source.node)));
            }
        }
        assert!(info.forward_end < info.backward_end && info.backward_end < info.ops.len());
        assert!(lanes[info.forward_end..info.backward_end].iter().all(|lane| *lane != Lane::Forward));
        assert!(info.nodes[info.x].gradient.is_some(), "the input's gradient is walked through too");
    }
}

#[test]
fn consumers_are_what_an_element_went_into() {
    let mut session = cpu(CNN);
    let info = open(&mut session);
    block_on(session.walk_to(info.ops.len(), &[])).expect("the end");
    let conv = info.nodes.iter().position(|node| node.op == "conv2d" && node.lane == Lane::Forward).expect("a convolution");
    // Pixel (0, 0) of example 0 is read by the first window alone, in each of the four channels; pixel (5, 5) by nine windows.
    for (pixel, windows) in [(0, 1), (55, 9)] {
        let (backend, trace) = session.trace().expect("a walk");
        let (explanation, elements) = block_on(trace.explain(backend, info.x, pixel, 5)).expect("an explanation");
        assert_eq!(explanation.consumers.iter().map(|source| source.node).collect::<Vec<_>>(), [conv]);
        assert_eq!(elements.last().map(Vec::len), Some(4 * windows));
    }
}

#[test]
fn a_walk_leaves_no_trace() {
    for mut session in [cpu(CNN), gpu(CNN)] {
        train(&mut session, 2);
        let before = bits(&session);
        let info = open(&mut session);
        block_on(session.walk_to(info.ops.len(), &[])).expect("the end");
        let gradients: Vec<usize> =
            info.layers.iter().flat_map(|layer| &layer.parameters).filter_map(|&node| info.nodes[node].gradient).collect();
        let seen: Vec<Vec<f32>> = gradients.iter().map(|&node| value(&mut session, node)).collect();
        session.settle_walk().expect("a state");
        // Another batch goes forward and backward in between.
        block_on(session.read_node("conv2d.kernel", true)).expect("a gradient");
        let again: Vec<Vec<f32>> = gradients.iter().map(|&node| value(&mut session, node)).collect();
        assert!(seen == again, "a look from outside changes the walk's gradients");
        session.settle_walk().expect("a state");
        assert!(bits(&session) == before, "a look from outside sees the state before the step");
        let updated = info.ops.iter().rposition(|&node| info.nodes[node].lane == Lane::Update).expect("an update");
        let next = value(&mut session, info.ops[updated]);
        session.close_walk().expect("closed");
        assert!(bits(&session) == before, "the state after the walk is that before it");

        // What the walk saw is what training does.
        train(&mut session, 1);
        let parameters = block_on(session.backend().read(gradscope::graph::Group::Parameters)).expect("parameters");
        assert_eq!(next.len(), parameters.len());
        let apart = next.iter().zip(&parameters).position(|(a, b)| (a - b).abs() >= 1e-5 || a.is_nan());
        assert_eq!(apart, None, "walked and trained parameters differ");
    }
}

#[test]
fn nudges_agree_with_gradients() {
    for model in [CNN, MLP] {
        let mut session = cpu(model);
        train(&mut session, 2);
        let info = open(&mut session);
        block_on(session.walk_to(info.backward_end, &[])).expect("all gradients");
        let mut compared = 0;
        for (node, about) in info.nodes.iter().enumerate().filter(|(_, about)| about.lane == Lane::Forward && about.gradient.is_some()) {
            let count: usize = about.shape.iter().product();
            for element in (0..count).step_by(count.div_ceil(4)) {
                let (backend, trace) = session.trace().expect("a walk");
                let nudge = block_on(trace.nudge(backend, node, element, None)).expect("a nudge");
                let gradient = nudge.gradient.expect("it is computed");
                if !nudge.kink {
                    assert!((gradient - nudge.slope).abs() <= 0.01 * nudge.slope.abs() + 1e-6, "{} [{element}]: {nudge:?}", about.name);
                    compared += 1;
                }
            }
        }
        assert!(compared > 20, "only {compared} compared");
    }
}

#[test]
fn edits_hold_and_bad_ones_are_refused() {
    let mut session = cpu(CNN);
    let info = open(&mut session);
    block_on(session.walk_to(info.backward_end, &[])).expect("all gradients");
    let relu = info.nodes.iter().position(|node| node.op == "relu").expect("a relu");
    let loss = value(&mut session, info.loss)[0];
    let state = block_on(session.edit_walk(relu, 3, 2.5)).expect("an edit");
    assert_eq!(state.cursor, info.nodes[relu].position.expect("an op") + 1);
    assert_eq!((state.edited, state.loss), (vec![relu], None));
    block_on(session.walk_to(info.forward_end, &[])).expect("forward again");
    assert_eq!(value(&mut session, relu)[3], 2.5);
    assert_ne!(value(&mut session, info.loss)[0], loss);

    let kernel = info.layers[0].parameters[0];
    block_on(session.edit_walk(kernel, 1, -0.75)).expect("an edit");
    session.close_walk().expect("closed");
    assert_eq!(block_on(session.parameter("conv2d.kernel")).expect("a kernel")[1], -0.75, "a parameter's edit is kept");

    let info = open(&mut session);
    let code =
        |session: &mut Session<Device>, node, element, value| block_on(session.edit_walk(node, element, value)).expect_err("refused").code;
    assert_eq!(code(&mut session, info.x, 0, f32::NAN), ErrorCode::BadValue);
    assert_eq!(code(&mut session, info.x, 1 << 20, 0.0), ErrorCode::UnknownName);
    assert_eq!(code(&mut session, 1 << 20, 0, 0.0), ErrorCode::UnknownName);
    assert_eq!(code(&mut session, relu, 0, 1.0), ErrorCode::WrongState, "not computed yet");
    let update = *info.ops.last().expect("ops");
    assert_eq!(code(&mut session, update, 0, 1.0), ErrorCode::WrongState);
    let (backend, trace) = session.trace().expect("a walk");
    assert_eq!(block_on(trace.read(backend, &ReadItem { node: relu, example: None })).expect_err("not yet").code, ErrorCode::WrongState);
    let flat = info.nodes.iter().position(|node| node.op == "reshape" && node.lane == Lane::Forward).expect("a reshape");
    assert!(info.nodes[flat].position > info.nodes[relu].position, "a reshape is there when its input is");
    let (backend, trace) = session.trace().expect("a walk");
    assert_eq!(block_on(trace.read(backend, &ReadItem { node: flat, example: None })).expect_err("not yet").code, ErrorCode::WrongState);
    assert_eq!(block_on(session.walk_to(info.ops.len() + 1, &[])).expect_err("beyond").code, ErrorCode::BadValue);
    session.close_walk().expect("closed");
    assert_eq!(block_on(session.walk_to(1, &[])).expect_err("no walk").code, ErrorCode::WrongState);
    assert_eq!(block_on(session.walk_steps(Travel::Batches { by: 1 })).expect_err("no walk").code, ErrorCode::WrongState);
    let beyond = Subject::Example { split: Split::Train, index: 40 };
    assert_eq!(block_on(session.open_walk(beyond, Vec::new())).expect_err("no such example").code, ErrorCode::UnknownName);
    let short = block_on(session.open_walk(Subject::Pinned { label: None }, vec![0.0; 7]));
    assert_eq!(short.expect_err("too few pixels").code, ErrorCode::WrongLength);
}

#[test]
fn breakpoints_stop_where_they_should() {
    let mut session = cpu(CNN);
    train(&mut session, 4);
    let info = open(&mut session);
    let end = info.ops.len();
    let pool = info.nodes.iter().position(|node| node.op.starts_with("max_pool2d")).expect("a pool");
    let state = block_on(session.walk_to(end, &[Breakpoint::NotFinite, Breakpoint::Op { node: pool }])).expect("a run");
    let hit = state.hit.expect("the pool");
    assert_eq!((hit.breakpoint, hit.node, state.cursor), (1, pool, info.nodes[pool].position.expect("an op") + 1));
    let state = block_on(session.walk_to(end, &[Breakpoint::LossAbove { factor: 1e-3 }])).expect("a run");
    assert_eq!(state.hit.expect("the loss").node, info.loss);
    assert_eq!(block_on(session.walk_to(end, &[Breakpoint::NotFinite])).expect("a run").hit, None);

    let kernel = vec![f32::MAX; 3 * 3 * 4];
    session.close_walk().expect("closed");
    session.set_parameter("conv2d.kernel", &kernel).expect("a kernel");
    let info = open(&mut session);
    let state = block_on(session.walk_to(info.ops.len(), &[Breakpoint::NotFinite])).expect("a run");
    let hit = state.hit.expect("an infinity");
    assert!(!hit.value.is_finite() && hit.element.is_some() && info.nodes[hit.node].layer == "conv2d");
    session.close_walk().expect("closed");
    session.set_parameter("conv2d.kernel", &[0.0; 36]).expect("a kernel");
    session.set_parameter("conv2d.bias", &[-1.0; 4]).expect("a bias");
    let info = open(&mut session);
    let state = block_on(session.walk_to(info.ops.len(), &[Breakpoint::DeadUnits { share: 0.5 }])).expect("a run");
    assert_eq!(info.nodes[state.hit.expect("dead units").node].op, "relu");
}

#[test]
fn zeros_have_their_reasons() {
    let mut session = cpu(CNN);
    let info = open(&mut session);
    block_on(session.walk_to(info.backward_end, &[])).expect("all gradients");
    let mut why = |node: usize, element: usize| {
        let (backend, trace) = session.trace().expect("a walk");
        let reasons = block_on(trace.why(backend, node, element)).expect("reasons");
        reasons.into_iter().map(|reason| reason.cause).collect::<Vec<_>>()
    };
    let find = |op: &str| info.nodes.iter().position(|node| node.op == op && node.lane == Lane::Forward).expect("an op");
    let relu = find("relu");
    assert_eq!(why(info.loss, 0), [Cause::NotZero]);
    let (conv_output, gradient) = (relu, info.nodes[relu].gradient.expect("a gradient"));
    let values = value(&mut session, conv_output);
    let gradients = value(&mut session, gradient);
    let cut = values.iter().position(|&value| value == 0.0).expect("a negative sum");
    let lost = (0..values.len()).find(|&i| values[i] != 0.0 && gradients[i] == 0.0).expect("one that lost the pool");
    let mut why = |node: usize, element: usize| {
        let (backend, trace) = session.trace().expect("a walk");
        let reasons = block_on(trace.why(backend, node, element)).expect("reasons");
        reasons.into_iter().map(|reason| reason.cause).collect::<Vec<_>>()
    };
    assert_eq!(why(conv_output, cut), [Cause::Negative]);
    assert!(why(gradient, lost).contains(&Cause::LostMax), "{:?}", why(gradient, lost));
}

#[test]
fn the_optimizers_table_adds_up() {
    let mut session = cpu(MLP);
    train(&mut session, 2);
    let info = open(&mut session);
    let (table, _) = block_on(session.optimizer_table("dense.kernel")).expect("a table");
    assert_eq!((table.columns, table.kind.as_str()), (["value", "m", "v"].map(String::from).to_vec(), "Adam"));
    block_on(session.walk_to(info.ops.len(), &[])).expect("the end");
    let (table, columns) = block_on(session.optimizer_table("dense.kernel")).expect("a table");
    assert_eq!(table.columns, ["value", "gradient", "m", "v", "next m", "next v", "update", "next"]);
    let gradient = value(&mut session, info.nodes[info.layers[0].parameters[0]].gradient.expect("a gradient"));
    for i in 0..20 {
        assert_eq!(columns[1][i], gradient[i]);
        assert!((columns[4][i] - (0.9 * columns[2][i] + 0.1 * gradient[i])).abs() < 1e-6);
        assert!((columns[0][i] + columns[6][i] - columns[7][i]).abs() < 1e-6);
    }
    assert_eq!(block_on(session.optimizer_table("nothing")).expect_err("no such parameter").code, ErrorCode::UnknownName);
}

#[test]
fn a_thousand_steps_forth_and_back_take_no_memory() {
    let mut session = gpu(CNN);
    let info = open(&mut session);
    let bytes = |session: &Session<Device>| match session.backend() {
        Device::Gpu(gpu) => gpu.gpu_bytes(),
        Device::Cpu(_) => 0,
    };
    block_on(session.walk_to(info.ops.len(), &[])).expect("the end");
    let before = bytes(&session);
    for k in 0..1000 {
        block_on(session.walk_to(if k % 2 == 0 { info.ops.len() - k % 37 } else { k % 41 }, &[])).expect("a step");
    }
    assert_eq!(bytes(&session), before);
    assert!(info.nodes.iter().any(|node| node.role == Role::Optimizer));
}
