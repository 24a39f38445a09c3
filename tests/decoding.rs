//! Going on with a text by one position's work a token: the same as the whole window gives, whatever was asked and changed before.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, Device};
use gradscope::data::Dataset;
use gradscope::nn::{LossSpec, Mode, ModelSpec, build, preset};
use gradscope::optim::OptimizerSpec;
use gradscope::plan::{self, Plan};
use gradscope::train::{GenerateOptions, Generated, RunOptions, Session, Settings, Subject};
use pollster::block_on;
use serde_json::{Value, json};

const CONTEXT: usize = 12;
const VOCABULARY: usize = 7;

fn model(layers: Value) -> ModelSpec {
    ModelSpec::from_json(&json!({ "input": [CONTEXT], "layers": layers })).expect("a model")
}

/// Learned positions, normalisation in front, the table of the tokens twice.
fn learned() -> ModelSpec {
    model(json!([
        { "type": "ReversibleEmbedding", "name": "tokens", "input_dim": VOCABULARY, "output_dim": 8 },
        { "type": "PositionEmbedding", "sequence_length": CONTEXT + 4 },
        { "type": "Add", "name": "x", "inputs": ["tokens", "position_embedding"] },
        { "type": "LayerNormalization" },
        { "type": "MultiHeadAttention", "name": "look", "num_heads": 2, "key_dim": 4, "value_dim": 3, "use_causal_mask": true, "dropout": 0.1 },
        { "type": "Add", "name": "seen", "inputs": ["x", "look"] },
        { "type": "LayerNormalization" },
        { "type": "MultiHeadAttention", "name": "again", "num_heads": 2, "key_dim": 4, "use_causal_mask": true },
        { "type": "Add", "name": "twice", "inputs": ["seen", "again"] },
        { "type": "Dropout", "rate": 0.1 },
        { "type": "Dense", "name": "wide", "units": 16, "activation": "gelu" },
        { "type": "Dense", "name": "narrow", "units": 8 },
        { "type": "Add", "inputs": ["twice", "narrow"] },
        { "type": "ReversibleEmbedding", "input_dim": VOCABULARY, "output_dim": 8, "reverse": true, "shares": "tokens" }
    ]))
}

/// Sines and turned keys, one head of keys and values for two, root mean squares, a gate, frozen parts, normalisation by moving averages.
fn modern() -> ModelSpec {
    model(json!([
        { "type": "Embedding", "name": "tokens", "input_dim": VOCABULARY, "output_dim": 8, "trainable": false },
        { "type": "SinePositionEncoding", "max_wavelength": 40 },
        { "type": "Add", "name": "x", "inputs": ["tokens", "sine_position_encoding"] },
        { "type": "GroupQueryAttention", "name": "look", "head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2, "use_causal_mask": true,
          "rope_max_wavelength": 30 },
        { "type": "Add", "name": "seen", "inputs": ["x", "look"] },
        { "type": "RMSNormalization" },
        { "type": "GroupQueryAttention", "name": "again", "inputs": ["rms_normalization", "seen"], "head_dim": 2, "num_query_heads": 2,
          "num_key_value_heads": 1, "use_causal_mask": true, "use_bias": false, "trainable": false },
        { "type": "BatchNormalization", "name": "normal" },
        { "type": "Dense", "name": "gate", "units": 12, "activation": "silu" },
        { "type": "Dense", "name": "expand", "units": 12, "inputs": ["normal"] },
        { "type": "Multiply", "inputs": ["gate", "expand"] },
        { "type": "LeakyReLU" },
        { "type": "Dense", "units": VOCABULARY, "activation": "softmax" }
    ]))
}

fn session(device: Device, model: ModelSpec) -> Session<Device> {
    let data = Dataset::from_text(Dataset::text_info("poem", "A poem"), &"abcde\nbcdea\ncdeab\n?\n".repeat(30), CONTEXT).expect("a text");
    assert_eq!(data.info.classes.len(), VOCABULARY);
    let softmax = model == modern();
    let settings = Settings {
        model,
        loss: LossSpec::from_json(&json!({ "type": "sparse_categorical_crossentropy", "from_logits": !softmax })).expect("a loss"),
        optimizer: OptimizerSpec::from_json(&json!({ "type": "AdamW", "learning_rate": 0.01 })).expect("an optimizer"),
        batch_size: 8,
        seed: 3,
        validation_split: 0.1,
        train_examples: None,
    };
    block_on(Session::new(device, settings, Rc::new(data))).expect("a session")
}

fn devices() -> [Device; 2] {
    let gpu = block_on(Gpu::open()).expect("this test needs a GPU or a software adapter (Mesa's lavapipe)");
    [Device::Cpu(Cpu::new()), Device::Gpu(gpu)]
}

fn train(session: &mut Session<Device>, steps: usize) {
    let options = RunOptions { steps: Some(steps), shuffle: true, ..RunOptions::default() };
    block_on(session.run(options, || 0.0)).expect("training");
}

fn options(tokens: usize, temperature: f32) -> GenerateOptions {
    GenerateOptions { tokens, temperature, top_k: None, top_p: None, seed: 5, candidates: VOCABULARY }
}

/// Logarithms of the probabilities that the whole window gives to what comes after some tokens.
fn expected(session: &mut Session<Device>, tokens: &[u32]) -> Vec<f64> {
    let window = &tokens[tokens.len().saturating_sub(CONTEXT)..];
    let mut x: Vec<f32> = window.iter().map(|&token| token as f32).collect();
    x.resize(CONTEXT, 0.0);
    let scores = block_on(session.predict(&x)).expect("predictions");
    let row = scores[(window.len() - 1) * VOCABULARY..][..VOCABULARY].iter().map(|&score| f64::from(score));
    let logits: Vec<f64> = if session.settings().loss.from_logits() { row.collect() } else { row.map(f64::ln).collect() };
    let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit - total.ln()).collect()
}

/// Asserts that every token came with just the probabilities that the whole window gives, within 1e-5 of the logits.
fn agree(session: &mut Session<Device>, prompt: &[u32], generated: &[Generated]) -> Vec<u32> {
    let mut tokens = prompt.to_vec();
    for generated in generated {
        let expected = expected(session, &tokens);
        assert_eq!(generated.candidates.len(), VOCABULARY);
        for candidate in &generated.candidates {
            let (got, want) = (f64::from(candidate.probability).ln(), expected[candidate.token]);
            assert!((got - want).abs() <= 1e-5 * want.abs().max(1.0), "after {tokens:?}: {} has {got} instead of {want}", candidate.token);
        }
        tokens.push(generated.token as u32);
    }
    tokens
}

fn generate(session: &mut Session<Device>, prompt: &[u32], options: &GenerateOptions) -> Vec<Generated> {
    block_on(session.generate(prompt, options)).expect("a text")
}

/// In one request, and token by token, beyond the window too.
#[test]
fn one_position_a_token_gives_what_the_whole_window_gives() {
    for model in [learned(), modern()] {
        assert!(model.decodes());
        for device in devices() {
            let mut session = session(device, model.clone());
            train(&mut session, 30);
            for (prompt, temperature) in [(&[0][..], 1.0), (&[2, 3, 4], 0.0), (&[1, 0, 2, 6, 5, 2, 3, 4, 5, 6, 0], 1.0)] {
                let at_once = generate(&mut session, prompt, &options(16, temperature));
                let mut tokens = agree(&mut session, prompt, &at_once);
                let mut again = prompt.to_vec();
                for _ in 0..16 {
                    let next = generate(&mut session, &again, &options(1, temperature));
                    again = agree(&mut session, &again, &next);
                }
                assert_eq!(again, tokens, "token by token as at once");
                // Back to an earlier place, and on from there another way.
                tokens.truncate(prompt.len() + 2);
                let next = generate(&mut session, &tokens, &options(1, temperature));
                agree(&mut session, &tokens, &next);
                *tokens.last_mut().expect("a token") = 3;
                let other = generate(&mut session, &tokens, &options(3, temperature));
                agree(&mut session, &tokens, &other);
            }
        }
    }
}

/// What is kept belongs to the weights that made it.
#[test]
fn changed_weights_are_noticed() {
    for device in devices() {
        let mut session = session(device, learned());
        train(&mut session, 5);
        let snapshot = block_on(session.snapshot()).expect("a snapshot");
        let mut prompt = vec![2, 3];
        let mut before = Vec::new();
        let mut step = |session: &mut Session<Device>| {
            let next = generate(session, &prompt, &options(1, 1.0));
            let probabilities: Vec<f32> = next[0].candidates.iter().map(|candidate| candidate.probability).collect();
            assert_ne!(probabilities, before, "another distribution");
            before = probabilities;
            prompt = agree(session, &prompt, &next);
        };
        step(&mut session);
        step(&mut session);
        train(&mut session, 1);
        step(&mut session);
        let kernel = block_on(session.parameter("again.key.kernel")).expect("a kernel");
        session.set_parameter("again.key.kernel", &kernel.iter().map(|x| 2.0 * x + 0.1).collect::<Vec<_>>()).expect("it fits");
        step(&mut session);
        session.restore(&snapshot).expect("it fits");
        step(&mut session);
        session.reset(Some(9)).expect("another seed");
        step(&mut session);
        // A walk's update, op by op, and the way back out of it.
        let info = block_on(session.open_walk(Subject::Batch, Vec::new())).expect("a walk");
        block_on(session.walk_to(info.ops.len(), &[])).expect("the whole step");
        session.close_walk().expect("it was open");
        step(&mut session);
    }
}

#[test]
fn generating_changes_nothing_that_lasts() {
    for device in devices() {
        let mut session = session(device, modern());
        train(&mut session, 3);
        let changes = session.backend().changes();
        let before = block_on(session.snapshot()).expect("a snapshot");
        generate(&mut session, &[1, 2], &options(20, 1.0));
        assert!(block_on(session.snapshot()).expect("a snapshot") == before);
        assert_eq!(session.backend().changes(), changes);
    }
}

/// The plan for one position does that position's work, and its variables are those of the whole model.
#[test]
fn a_token_costs_one_positions_work() {
    let spec = preset("gpt-char").expect("a preset").model;
    let graphs = [Mode::Infer, Mode::Decode].map(|mode| build(&spec, 1, mode, None).expect("a graph"));
    let [whole, one] = graphs.map(|built| (Plan::new(&built.graph, plan::Mode::Train, &[built.output]).expect("a plan").cost(), built));
    assert!(one.0.flops < whole.0.flops / 50.0, "{} of {}", one.0.flops, whole.0.flops);
    for spec in [spec, learned(), modern()] {
        let [whole, one] = [Mode::Train, Mode::Decode].map(|mode| build(&spec, 1, mode, None).expect("a graph").graph);
        let kept: Vec<_> = one.variables().iter().filter(|variable| variable.group != gradscope::graph::Group::Cache).cloned().collect();
        assert_eq!(kept, whole.variables());
        assert!(kept.len() < one.variables().len());
    }
}

/// Models that look further than back use the whole window, which is right as well.
#[test]
fn other_models_run_the_whole_window() {
    let with = |layer: Value| {
        let mut layers = vec![json!({ "type": "Embedding", "name": "tokens", "input_dim": VOCABULARY, "output_dim": 8 }), layer];
        layers.push(json!({ "type": "Dense", "units": VOCABULARY }));
        model(Value::Array(layers))
    };
    let others = [
        with(json!({ "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 4 })),
        with(json!({ "type": "GroupQueryAttention", "head_dim": 4, "num_query_heads": 2, "num_key_value_heads": 1 })),
        with(json!({ "type": "Conv1D", "filters": 4, "kernel_size": 3, "padding": "same" })),
        with(json!({ "type": "GRU", "units": 6, "return_sequences": true })),
        with(json!({ "type": "Reshape", "target_shape": [CONTEXT, 8] })),
    ];
    for other in others {
        assert!(!other.decodes());
        let mut session = session(Device::Cpu(Cpu::new()), other);
        let generated = generate(&mut session, &[2, 3], &options(4, 1.0));
        agree(&mut session, &[2, 3], &generated);
    }
    let padded = json!([
        { "type": "Embedding", "input_dim": VOCABULARY, "output_dim": 8, "mask_zero": true },
        { "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 4, "use_causal_mask": true },
        { "type": "Dense", "units": VOCABULARY }
    ]);
    assert!(!model(padded).decodes());
    assert!(!model(json!([{ "type": "Dense", "units": VOCABULARY }])).decodes(), "it reads numbers");
    assert!(preset("gpt-char").expect("a preset").model.decodes());
    assert!(!preset("seq2seq").expect("a preset").model.decodes());
}
