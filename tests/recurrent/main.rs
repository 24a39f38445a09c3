//! Recurrent layers: PyTorch's numbers (`tests/golden/recurrent.py`), both kinds of plans on both backends, gradients against finite differences, and
//! what a long sequence costs to compile.

mod planning;

use std::collections::HashMap;
use std::rc::Rc;

use gradscope::autograd::{differentiate, differentiate_with};
use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, Device, StepData};
use gradscope::data::Dataset;
use gradscope::error::ErrorCode;
use gradscope::graph::{Group, Leaf, NodeId, Phase, Variable};
use gradscope::nn::{self, Built, LossSpec, ModelSpec, OptimizerSpec, build};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::{evaluate, loss_weight, weighted_loss};
use gradscope::plan::{Mode, Operand, Plan};
use gradscope::selftest::difference;
use gradscope::train::{Session, Settings};
use pollster::block_on;
use safetensors::SafeTensors;
use serde_json::{Value, json};

fn model(input: &[usize], layers: Value) -> ModelSpec {
    ModelSpec::from_json(&json!({ "input": input, "layers": layers })).expect("a good spec")
}

fn loss(kind: &str) -> LossSpec {
    LossSpec::from_json(&json!(kind)).expect("a loss")
}

/// A layer with PyTorch's numbers.
struct Case {
    name: String,
    built: Built,
    /// What PyTorch has of x, or of the table that x stands in.
    x: Vec<f64>,
    tensors: HashMap<String, Vec<f64>>,
}

impl Case {
    fn all() -> Vec<Case> {
        let path = format!("{}/tests/golden/recurrent.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}; see tests/golden/README.md"));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let cases: Value = serde_json::from_str(&header.metadata().as_ref().expect("metadata")["cases"]).expect("cases");
        let cells = |view: &[u8]| -> Vec<f64> {
            view.chunks_exact(4).map(|cell| f64::from(f32::from_le_bytes([cell[0], cell[1], cell[2], cell[3]]))).collect()
        };
        let one = |(name, case): (&String, &Value)| {
            let prefix = format!("{name}/");
            let own =
                tensors.tensors().into_iter().filter_map(|(key, view)| Some((key.strip_prefix(&prefix)?.to_owned(), cells(view.data()))));
            let shape = tensors.tensor(&format!("{name}/x")).expect("x").shape().to_vec();
            Case::new(name, &shape, case, own.collect())
        };
        cases.as_object().expect("cases by name").iter().map(one).collect()
    }

    /// x as it is, or where there are lengths as a table whose row 0 is what masked tokens stand for.
    fn new(name: &str, shape: &[usize], case: &Value, tensors: HashMap<String, Vec<f64>>) -> Case {
        let mut layer = case["layer"].clone();
        layer["name"] = json!("layer");
        let &[batch, length, width] = shape else { panic!("{name}: x is not a batch of sequences") };
        let lengths: Option<Vec<usize>> = serde_json::from_value(case["lengths"].clone()).expect("lengths");
        let spec = match &lengths {
            None => model(&[length, width], json!([layer])),
            Some(_) => {
                let rows = 1 + batch * length;
                let table = json!({ "type": "Embedding", "input_dim": rows, "output_dim": width, "mask_zero": true });
                model(&[length], json!([table, layer]))
            }
        };
        let mut built = build(&spec, batch, nn::Mode::Train, None).expect("a graph");
        let loss = weighted_loss(&mut built.graph, built.output).expect("a loss");
        differentiate_with(&mut built.graph, loss, &[built.x]).expect("gradients");
        let x = match lengths {
            None => tensors["x"].clone(),
            Some(lengths) => {
                let token = |place: usize| if place % length < lengths[place / length] { 1.0 + place as f64 } else { 0.0 };
                (0..batch * length).map(token).collect()
            }
        };
        Case { name: name.to_owned(), built, x, tensors }
    }

    fn variable(&self, variable: &Variable) -> Vec<f64> {
        match variable.name.strip_prefix("layer.") {
            Some(role) => self.tensors[role].clone(),
            // The table: padding would show up at once.
            None => vec![1e3; variable.shape[1]].into_iter().chain(self.tensors["x"].iter().copied()).collect(),
        }
    }

    fn values(&self) -> Vec<Vec<f64>> {
        let graph = &self.built.graph;
        evaluate(graph, &mut CpuCx::default(), |id, leaf| match leaf {
            Leaf::Input(0) => self.x.clone(),
            Leaf::Input(_) => (0..graph.shape(id).numel()).map(loss_weight).collect(),
            Leaf::Variable(id) => self.variable(graph.variable(*id)),
            other => panic!("{other:?} in a layer's graph"),
        })
    }
}

fn close(got: &[f64], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(1e-2f64, |most, x| most.max(x.abs()));
    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= 3e-7 * largest, "{what}: apart by {worst:.1e} of {largest}");
}

#[test]
fn layers_compute_what_pytorch_does() {
    let cases = Case::all();
    assert_eq!(cases.len(), 18);
    for case in &cases {
        let (graph, values) = (&case.built.graph, case.values());
        close(&values[case.built.output.index()], &case.tensors["out"], &case.name);
        for &(variable, gradient) in graph.gradients() {
            let (variable, got) = (graph.variable(variable), &values[gradient.index()]);
            match variable.name.strip_prefix("layer.") {
                Some(role) => close(got, &case.tensors[&format!("d {role}")], &format!("{}: {role}", case.name)),
                None => {
                    assert!(got[..variable.shape[1]].iter().all(|&slope| slope == 0.0), "{}: what is masked has influence", case.name);
                    close(&got[variable.shape[1]..], &case.tensors["d x"], &format!("{}: x", case.name));
                }
            }
        }
        if let Some(gradient) = graph.gradient_of(case.built.x) {
            close(&values[gradient.index()], &case.tensors["d x"], &format!("{}: x", case.name));
        }
        let layer = case.built.layers.last().expect("a layer");
        assert!(layer.states.iter().all(|&state| graph.gradient_of(state).is_some()), "{}: dL/dh of each time step", case.name);
        assert_eq!(graph.node(layer.states[0]).name, "layer/t0/h");
    }
}

/// All values that a plan keeps, against double precision.
fn compare(device: &mut Device, case: &Case, mode: Mode) {
    let graph = &case.built.graph;
    let keep: Vec<NodeId> = [case.built.output].into_iter().chain(graph.gradient_of(case.built.x)).collect();
    let plan = Rc::new(Plan::new(graph, mode, &keep).expect("a plan"));
    let single = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
    let values = case.values();
    let places = block_on(async {
        device.allocate(&[Group::Parameters, Group::Gradients].map(|group| (group, graph.flat_len(group))))?;
        for variable in graph.variables() {
            device.write(variable.group, variable.offset, &single(case.variable(variable)))?;
        }
        let mut exec = device.compile(Rc::clone(&plan), &[]).await?;
        for id in graph.ids() {
            if let gradscope::graph::Kind::Leaf(Leaf::Input(column)) = graph.node(id).kind {
                device.write_input(&mut exec, column, &single(values[id.index()].clone()))?;
            }
        }
        device.run(&mut exec, &StepData::default(), 0..plan.steps.len())?;
        let mut places = Vec::new();
        for id in graph.ids() {
            if let Some(Operand::Memory(place)) = plan.place(id) {
                places.push((id, device.read_place(&exec, place).await?));
            }
        }
        Ok::<_, gradscope::error::Error>(places)
    });
    let places = places.unwrap_or_else(|error| panic!("{}, {mode:?}, {}: {error}", case.name, device.name()));
    assert!(places.len() > graph.gradients().len(), "{}: only {} values", case.name, places.len());
    for (id, got) in places {
        let apart = difference(&got, &values[id.index()]);
        assert!(apart < 1e-4, "{}, {mode:?}, {}: {} is apart by {apart:.1e}", case.name, device.name(), graph.node(id).name);
    }
}

#[test]
fn plans_on_the_cpu_agree_with_double_precision() {
    let mut device = Device::Cpu(Cpu::new());
    for case in Case::all() {
        compare(&mut device, &case, Mode::Train);
        compare(&mut device, &case, Mode::Inspect);
    }
}

#[test]
fn plans_on_the_gpu_agree_with_double_precision() {
    let mut device = Device::Gpu(block_on(Gpu::open()).expect("this test needs a GPU or a software adapter (Mesa's lavapipe)"));
    for case in Case::all() {
        compare(&mut device, &case, Mode::Train);
        compare(&mut device, &case, Mode::Inspect);
    }
}

/// Values of a graph of tokens and labels at its first weights, with `by` added to one element of a variable.
fn at(built: &Built, moved: &str, element: usize, by: f64) -> Vec<Vec<f64>> {
    let graph = &built.graph;
    evaluate(graph, &mut CpuCx::default(), |id, leaf| match leaf {
        Leaf::Input(0) => (0..graph.shape(id).numel()).map(|i| ((i * i + 3) % 7) as f64).collect(),
        Leaf::Input(_) => (0..graph.shape(id).numel()).map(|i| (i % 2) as f64).collect(),
        Leaf::Variable(id) => {
            let variable = graph.variable(*id);
            let mut values: Vec<f64> = variable.initial(1, id.0).into_iter().map(f64::from).collect();
            if variable.name == moved {
                values[element] += by;
            }
            values
        }
        other => panic!("{other:?} in a forward graph"),
    })
}

#[test]
fn gradients_of_a_recurrent_model_agree_with_finite_differences() {
    let normal = json!({ "type": "RandomNormal", "stddev": 0.5 });
    for masked in [false, true] {
        let spec = model(
            &[7],
            json!([
                { "type": "Embedding", "input_dim": 7, "output_dim": 3, "embeddings_initializer": normal, "mask_zero": masked },
                { "type": "GRU", "units": 4, "reset_after": false, "return_sequences": true, "bias_initializer": normal },
                { "type": "GRU", "units": 3, "return_sequences": true, "go_backwards": true, "bias_initializer": normal },
                { "type": "SimpleRNN", "name": "rnn", "units": 3, "return_sequences": true, "bias_initializer": normal,
                  "recurrent_regularizer": "l2" },
                { "type": "SimpleRNN", "units": 3, "return_sequences": true, "shares": "rnn" },
                { "type": "LSTM", "units": 4, "recurrent_activation": "softplus", "activation": "gelu" },
                { "type": "Dense", "units": 1, "activation": "sigmoid" }
            ]),
        );
        let mut built = build(&spec, 3, nn::Mode::Train, Some(&loss("binary_crossentropy"))).expect("a graph");
        let loss = built.loss.expect("a loss");
        differentiate(&mut built.graph, loss).expect("gradients");
        let start = at(&built, "", 0, 0.0);
        assert_eq!(built.graph.gradients().len(), built.graph.variables().len(), "every variable has a gradient");
        for &(variable, gradient) in built.graph.gradients() {
            let variable = built.graph.variable(variable);
            let count = variable.shape.numel();
            for element in (0..count).step_by(count.div_ceil(12)) {
                let h = 1e-5;
                let value = |by: f64| at(&built, &variable.name, element, by)[loss.index()][0];
                let (slope, got) = ((value(h) - value(-h)) / (2.0 * h), start[gradient.index()][element]);
                assert!((got - slope).abs() <= 1e-8 + 1e-6 * slope.abs(), "{} [{element}]: {got}, but {slope}", variable.name);
            }
        }
    }
}

/// A layer's output for a batch, at its first weights.
fn output(layer: Value, x: &[f64]) -> Vec<f64> {
    let built = build(&model(&[x.len() / 6, 3], json!([layer])), 2, nn::Mode::Infer, None).expect("a graph");
    let values = evaluate(&built.graph, &mut CpuCx::default(), |_, leaf| match leaf {
        Leaf::Variable(id) => built.graph.variable(*id).initial(1, id.0).into_iter().map(f64::from).collect(),
        _ => x.to_vec(),
    });
    values[built.output.index()].clone()
}

#[test]
fn going_backwards_is_reading_the_reversed_sequence() {
    let x: Vec<f64> = (0..24).map(|i| (f64::from(i) * 0.9).sin()).collect();
    let reversed: Vec<f64> = (0..8).flat_map(|row| x[(row / 4 * 4 + 3 - row % 4) * 3..][..3].to_vec()).collect();
    for kind in ["SimpleRNN", "LSTM", "GRU"] {
        for sequences in [false, true] {
            let layer = |backwards: bool| json!({ "type": kind, "units": 5, "return_sequences": sequences, "go_backwards": backwards });
            assert_eq!(output(layer(true), &x), output(layer(false), &reversed), "{kind}");
            assert_ne!(output(layer(true), &x), output(layer(false), &x), "{kind}");
        }
    }
}

/// Keras's formula with `reset_after` false, by loops; PyTorch has only the other one.
#[test]
fn a_gru_may_reset_before_the_product() {
    let x = [0.5, -1.0, 2.0, 1.5, 0.25, -0.75, -2.0, 0.1, 0.3, 1.0, -0.5, 0.8];
    let spec = model(
        &[2, 3],
        json!([{ "type": "GRU", "units": 2, "reset_after": false, "bias_initializer": { "type": "RandomNormal", "stddev": 0.5 } }]),
    );
    let built = build(&spec, 2, nn::Mode::Infer, None).expect("a graph");
    let weights: Vec<Vec<f64>> =
        built.graph.variables().iter().enumerate().map(|(k, v)| v.initial(1, k as u32).into_iter().map(f64::from).collect()).collect();
    let [kernel, recurrent, bias] = &weights[..] else { panic!("three variables") };
    assert_eq!(built.graph.variables()[2].shape[..], [6]);
    let values = evaluate(&built.graph, &mut CpuCx::default(), |_, leaf| match leaf {
        Leaf::Variable(id) => weights[id.0 as usize].clone(),
        _ => x.to_vec(),
    });
    let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
    for example in 0..2 {
        let mut h = [0.0; 2];
        for t in 0..2 {
            let input = |column: usize| bias[column] + (0..3).map(|c| x[example * 6 + t * 3 + c] * kernel[c * 6 + column]).sum::<f64>();
            let state = |h: [f64; 2], column: usize| (0..2).map(|k| h[k] * recurrent[k * 6 + column]).sum::<f64>();
            let z = [0, 1].map(|unit| sigmoid(input(unit) + state(h, unit)));
            let r = [0, 1].map(|unit| sigmoid(input(2 + unit) + state(h, 2 + unit)));
            let held = [r[0] * h[0], r[1] * h[1]];
            let g = [0, 1].map(|unit| (input(4 + unit) + state(held, 4 + unit)).tanh());
            h = [0, 1].map(|unit| z[unit] * h[unit] + (1.0 - z[unit]) * g[unit]);
        }
        close(&values[built.output.index()][example * 2..][..2], &h, "reset before");
    }
}

#[test]
fn recurrent_kernels_begin_orthogonal_and_the_forget_gate_open() {
    let spec = model(
        &[4, 3],
        json!([{ "type": "LSTM", "units": 6 }, { "type": "Dense", "units": 2, "kernel_initializer": { "type": "Orthogonal", "gain": 2.0 } }]),
    );
    let built = build(&spec, 1, nn::Mode::Infer, None).expect("a graph");
    let initial = |name: &str| {
        let position = built.graph.variables().iter().position(|variable| variable.name == name).expect("a variable");
        built.graph.variables()[position].initial(3, position as u32).into_iter().map(f64::from).collect::<Vec<f64>>()
    };
    let bias: Vec<f64> = (0..24).map(|column| f64::from(u8::from((6..12).contains(&column)))).collect();
    assert_eq!(initial("lstm.bias"), bias);
    // Rows of the wide one, columns of the tall one.
    let (wide, tall) = (initial("lstm.recurrent_kernel"), initial("dense.kernel"));
    let check = |a: usize, b: usize, dot: f64, length: f64| {
        assert!((dot - if a == b { length * length } else { 0.0 }).abs() < 1e-6, "{a}, {b}: {dot}")
    };
    for (a, b) in (0..6).flat_map(|a| (0..6).map(move |b| (a, b))) {
        check(a, b, (0..24).map(|k| wide[a * 24 + k] * wide[b * 24 + k]).sum(), 1.0);
    }
    for (a, b) in [(0, 0), (0, 1), (1, 1)] {
        check(a, b, (0..6).map(|k| tall[k * 2 + a] * tall[k * 2 + b]).sum(), 2.0);
    }
}

#[test]
fn health_has_the_gradient_after_each_time_step() {
    let length = 12;
    let spec = model(
        &[length, 2],
        json!([{ "type": "SimpleRNN", "units": 3, "return_sequences": true }, { "type": "LSTM", "units": 4 },
            { "type": "Dense", "units": 1, "activation": "sigmoid" }]),
    );
    let x: Vec<f32> = (0..8 * 2 * length).map(|i| (i as f32 * 0.7).sin()).collect();
    let data = Dataset::from_arrays(x, &[8, length, 2], (0..8).map(|i| (i % 2) as f32).collect()).expect("data");
    let optimizer = OptimizerSpec::from_json(&json!({ "type": "SGD" })).expect("SGD");
    let settings = Settings {
        model: spec,
        loss: loss("binary_crossentropy"),
        optimizer,
        batch_size: 8,
        seed: 1,
        validation_split: 0.0,
        train_examples: None,
    };
    block_on(async {
        let mut session = Session::new(Cpu::new(), settings, Rc::new(data)).await?;
        let report = session.health(|| 0.0).await?;
        assert!(report.layers[2].over_time.is_empty(), "a dense layer has no time steps");
        for (layer, name) in report.layers.iter().zip(["simple_rnn", "lstm"]) {
            assert_eq!(layer.over_time.len(), length);
            for (t, &norm) in layer.over_time.iter().enumerate() {
                let (_, gradient) = session.read_node(&format!("{name}/t{t}/h"), true).await?;
                let want = gradient.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                assert!(norm > 0.0 && (norm - want).abs() <= 1e-9 * want, "{name}, t{t}: {norm}, not {want}");
            }
        }
        // The last h of the last layer is all that the loss sees of it; before it the gradient came through time.
        let last = &report.layers[1];
        let seen = last.gradient.as_ref().expect("the loss depends on it").norm;
        assert!((last.over_time[length - 1] - seen).abs() <= 1e-6 * seen);
        assert!(last.over_time[0] < seen, "it does not fade: {:?}", last.over_time);
        Ok::<_, gradscope::error::Error>(())
    })
    .expect("a report");
}

#[test]
fn what_belongs_to_a_time_step_is_named_by_it_forward_and_back() {
    const LENGTH: usize = 5;
    for kind in ["SimpleRNN", "LSTM", "GRU"] {
        let spec = model(
            &[LENGTH, 3],
            json!([{ "type": kind, "units": 4, "name": "cell", "return_sequences": true }, { "type": "Flatten" }, { "type": "Dense", "units": 1 }]),
        );
        let mut built = build(&spec, 2, nn::Mode::Train, Some(&loss("mean_squared_error"))).expect("a graph");
        differentiate(&mut built.graph, built.loss.expect("a loss")).expect("gradients");
        let graph = &built.graph;
        let mut found = [[0; 2]; LENGTH];
        for node in graph.nodes() {
            let named = node.name.strip_prefix("cell/t").and_then(|rest| rest.split_once('/')).and_then(|(t, _)| t.parse::<u32>().ok());
            assert_eq!(node.time_step, named, "{}", node.name);
            if let Some(t) = named {
                assert_eq!(node.layer, "cell", "{}", node.name);
                found[t as usize][usize::from(node.phase != Phase::Forward)] += 1;
            }
        }
        // Each of the forward nodes has its part in the way back; the first step's state needs no gradient.
        let [forward, backward] = found[LENGTH - 1];
        assert!(forward >= 4 && backward >= 4, "{kind}: {found:?}");
        assert!(found.iter().all(|&[own, _]| own == forward), "{kind}: {found:?}");
        assert!(found[1..LENGTH - 1].iter().all(|of| *of == found[1]), "{kind}: {found:?}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    let refused = |input: &[usize], layer: Value, code: ErrorCode, place: &str| {
        let error = build(&model(input, json!([layer])), 2, nn::Mode::Train, None).expect_err("a refusal");
        assert_eq!((error.code, error.at.as_deref()), (code, Some(place)), "{error}");
    };
    refused(&[4], json!({ "type": "GRU", "units": 2 }), ErrorCode::BadShape, "gru");
    refused(&[1001, 1], json!({ "type": "GRU", "units": 2 }), ErrorCode::BadShape, "gru");
    refused(&[4, 3], json!({ "type": "SimpleRNN", "units": 0 }), ErrorCode::BadValue, "simple_rnn");
    refused(&[4, 3], json!({ "type": "LSTM", "units": 2, "bias_initializer": "he_normal" }), ErrorCode::BadValue, "lstm");
}
