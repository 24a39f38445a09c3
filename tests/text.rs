//! Texts: from characters to windows, a small transformer that learns them on both backends, walked through and gone on with.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, Device, Feed, StepData};
use gradscope::data::{Contents, DataKind, Dataset, Manifest, Split, random_windows};
use gradscope::error::ErrorCode;
use gradscope::graph::Group;
use gradscope::nn::{LossSpec, ModelSpec, preset};
use gradscope::optim::OptimizerSpec;
use gradscope::plan::{Mode, Plan};
use gradscope::trace::{Lane, ReadItem};
use gradscope::train::{GenerateOptions, RunOptions, Session, Settings, Subject};
use pollster::block_on;
use serde_json::json;

/// 600 characters of seven kinds, of which each but the first of a line is told by the one before.
fn poem() -> String {
    "abcde\nbcdea\ncdeab\n?\n".repeat(30)
}

fn text(text: &str, context: usize) -> Dataset {
    Dataset::from_text(Dataset::text_info("poem", "A poem"), text, context).expect("a data set")
}

/// A block of two heads over windows of six characters.
fn gpt() -> ModelSpec {
    ModelSpec::from_json(&json!({ "input": [6], "layers": [
        { "type": "Embedding", "input_dim": 9, "output_dim": 8 },
        { "type": "PositionEmbedding", "sequence_length": 6 },
        { "type": "Add", "inputs": ["embedding", "position_embedding"] },
        { "type": "LayerNormalization" },
        { "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 4, "use_causal_mask": true, "dropout": 0.1 },
        { "type": "Add", "inputs": ["add", "multi_head_attention"] },
        { "type": "LayerNormalization" },
        { "type": "Dense", "units": 16, "activation": "gelu" },
        { "type": "Dense", "units": 8 },
        { "type": "Add", "inputs": ["add_1", "dense_1"] },
        { "type": "Dense", "units": 9 }
    ] }))
    .expect("a model")
}

fn settings(model: ModelSpec) -> Settings {
    Settings {
        model,
        loss: LossSpec::from_json(&json!({ "type": "sparse_categorical_crossentropy", "from_logits": true })).expect("a loss"),
        optimizer: OptimizerSpec::from_json(&json!({ "type": "AdamW", "learning_rate": 0.01 })).expect("an optimizer"),
        batch_size: 8,
        seed: 3,
        validation_split: 0.1,
        train_examples: None,
    }
}

fn session(device: Device) -> Session<Device> {
    let data = text(&poem(), 6);
    let model = gpt().with_vocabulary(data.info.classes.len());
    block_on(Session::new(device, settings(model), Rc::new(data))).expect("a session")
}

fn cpu() -> Device {
    Device::Cpu(Cpu::new())
}

fn gpu() -> Device {
    Device::Gpu(block_on(Gpu::open()).expect("this test needs a GPU or a software adapter (Mesa's lavapipe)"))
}

fn train(session: &mut Session<Device>, steps: usize) -> Vec<f32> {
    let options = RunOptions { steps: Some(steps), shuffle: true, ..RunOptions::default() };
    block_on(session.run(options, || 0.0)).expect("training").0.losses
}

fn generate(session: &mut Session<Device>, prompt: &str, options: &GenerateOptions) -> String {
    let tokens = session.data().encode(prompt).expect("tokens");
    let generated = block_on(session.generate(&tokens, options)).expect("a text");
    generated.into_iter().filter_map(|generated| generated.text).collect()
}

fn greedy(tokens: usize) -> GenerateOptions {
    GenerateOptions { tokens, temperature: 0.0, top_k: None, top_p: None, seed: 1, candidates: 3 }
}

#[test]
fn a_text_becomes_windows_of_numbered_characters() {
    let data = text(&format!("\u{feff}{}", "héllo wörld! ".repeat(20)), 7);
    assert_eq!(data.info.classes.concat(), " !dhlorwéö");
    assert_eq!((data.info.kind, data.info.shape.as_slice(), data.info.train, data.info.test), (DataKind::Text, &[7][..], 35, 1));
    // 260 characters, of which the last 13 are for testing.
    let part = &data.train;
    assert_eq!((part.count, part.step, part.row(2)), (35, 7, 14));
    assert_eq!((part.examples(&[14, 0]), part.examples(&[14, 3])), (Some(vec![2, 0]), None));
    let read = |column: &gradscope::data::Column, row: usize| -> String {
        column.gather(&[row as u32]).iter().map(|&token| data.info.classes[token as usize].as_str()).collect()
    };
    assert_eq!((read(&part.x, 0), read(&part.y, 0)), ("héllo w".into(), "éllo wö".into()));
    assert_eq!((read(&part.x, 5), read(&part.y, 5)), (" wörld!".into(), "wörld! ".into()), "rows begin anywhere");
    assert_eq!(data.encode("öd").expect("tokens"), [9, 2]);
    assert_eq!(data.encode("hexe").expect_err("no x").code, ErrorCode::UnknownCharacter);
    let poem = text(&poem(), 6);
    assert_eq!(poem.info.classes.concat(), "\n?abcde");
    // Rows are made of 28 of the 30 times and nine characters of the next: what the last of the training part is followed by is not in it.
    let (characters, counts) = poem.vocabulary();
    assert_eq!((characters, counts), (poem.info.classes.clone(), vec![113, 28, 85, 86, 86, 86, 85]));
}

/// Chinese has more characters than a byte can count.
#[test]
fn large_vocabularies_are_numbered_too() {
    let all: String = (0x4E00..0x4E00 + 700).filter_map(char::from_u32).collect();
    let data = text(&all.repeat(3), 5);
    assert_eq!(data.info.classes.len(), 700);
    assert_eq!(data.train.x.gather(&[698]), [698.0, 699.0, 0.0, 1.0, 2.0]);
}

#[test]
fn short_texts_are_refused() {
    let info = || Dataset::text_info("short", "Short");
    for (short, context) in [("", 4), ("abcd", 4), ("abcdefgh", 8)] {
        let error = Dataset::from_text(info(), short, context).expect_err("too short");
        assert_eq!(error.code, ErrorCode::TextTooShort, "{short:?}: {error}");
    }
    assert_eq!(Dataset::from_text(info(), "abcde", 4).expect("one window").train.count, 1);
    assert_eq!(Dataset::from_text(info(), "abcde", 0).expect_err("no window").code, ErrorCode::BadValue);
}

#[test]
fn texts_are_read_from_their_files() {
    let manifest = r#"{ "name": "poem", "title": "A poem", "source": "here", "licence": "none", "kind": "text", "text": "text.txt.gz",
        "characters": 600, "bytes": 60 }"#;
    let manifest = Manifest::parse(manifest).expect("a manifest");
    assert_eq!(manifest.contents, Contents::Text { file: "text.txt.gz".into() });
    let data = Dataset::from_files(&manifest, vec![poem().into_bytes()], 6).expect("a text");
    assert_eq!((data.train.clone(), data.info.title.as_str()), (text(&poem(), 6).train, "A poem"));
    let error = Dataset::from_files(&manifest, vec![vec![0xC3, 0x28]], 6).expect_err("not UTF-8");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadFile, Some("text.txt.gz")));
}

#[test]
fn windows_are_drawn_anew_at_every_step() {
    let draw = |step| random_windows(1000, 500, 7, step);
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    assert!(draw(3).iter().all(|&row| row < 500));
    assert!((0..20).all(|tenth| draw(3).iter().filter(|&&row| row as usize / 25 == tenth).count() > 20), "all beginnings are alike");
}

/// Both backends draw the same windows and come to the same losses; the text is learnt; its validation part is never trained on.
#[test]
fn a_transformer_learns_a_text_on_both_backends() {
    let (mut on_cpu, mut on_gpu) = (session(cpu()), session(gpu()));
    assert_eq!((on_cpu.count(Split::Train), on_cpu.count(Split::Validation), on_cpu.count(Split::Test)), (84, 10, 4));
    let (a, b) = (train(&mut on_cpu, 60), train(&mut on_gpu, 60));
    for (step, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!((a - b).abs() < 1e-3 * b, "step {step}: {a} on the CPU, {b} on the GPU");
    }
    let more = train(&mut on_cpu, 200);
    let late = more[150..].iter().sum::<f32>() / 50.0;
    assert!(late < 0.5 * a[0], "{} to {late}", a[0]);
    assert_eq!(train(&mut session(cpu()), 60), a, "the same seed gives the same bits");

    let evaluation = block_on(on_cpu.evaluate(Split::Validation)).expect("an evaluation");
    let (x, y) = (&on_cpu.data().train.x, &on_cpu.data().train.y);
    let rows: Vec<u32> = (84..94).map(|example| example * 6).collect();
    let (x, y) = (x.gather(&rows), y.gather(&rows));
    let logits = block_on(on_cpu.predict(&x)).expect("predictions");
    let (mut loss, mut right) = (0.0, 0);
    for (logits, &label) in logits.chunks_exact(7).zip(&y) {
        let total: f32 = logits.iter().map(|logit| logit.exp()).sum();
        loss -= logits[label as usize] - total.ln();
        right += usize::from(logits.iter().all(|&logit| logit <= logits[label as usize]));
    }
    let (loss, share) = (loss / 60.0, right as f32 / 60.0);
    assert!((evaluation.loss - loss).abs() < 1e-4 * loss, "{} but {loss}", evaluation.loss);
    assert!((evaluation.accuracy.expect("a share") - share).abs() < 1e-6 && share > 0.6, "{evaluation:?} but {share}");
    assert!(evaluation.confusion.is_none());
}

/// The plan of training computes what the plan does that keeps every value.
#[test]
fn train_and_inspect_plans_of_a_transformer_agree() {
    let parameters = [Mode::Train, Mode::Inspect].map(|mode| {
        let session = session(cpu());
        let Some(compiled) = session.training() else { panic!("no plan") };
        let (graph, loss) = (&compiled.built.graph, compiled.built.loss.expect("a loss"));
        let plan = Rc::new(Plan::new(graph, mode, &[loss]).expect("a plan"));
        let mut cpu = Cpu::new();
        let groups = [Group::Parameters, Group::Gradients, Group::Slot(0), Group::Slot(1)];
        cpu.allocate(&groups.map(|group| (group, graph.flat_len(group)))).expect("memory");
        for (stream, variable) in graph.variables().iter().enumerate() {
            cpu.write(variable.group, variable.offset, &variable.initial(3, stream as u32)).expect("weights");
        }
        let mut exec = block_on(cpu.compile(Rc::clone(&plan), &[loss])).expect("a plan");
        let rows: Vec<u32> = (0..8).map(|i| i * 11).collect();
        let part = &session.data().train;
        cpu.write_input(&mut exec, 0, &part.x.gather(&rows)).expect("tokens");
        cpu.write_input(&mut exec, 1, &part.y.gather(&rows)).expect("tokens");
        for step in 0..5 {
            let scalars = graph.scalars().iter().map(|(_, value)| *value).collect();
            let data = StepData { seed: 3, step, scalars, feed: Feed::Kept };
            cpu.run(&mut exec, &data, 0..plan.steps.len()).expect("a step");
        }
        block_on(cpu.read(Group::Parameters)).expect("parameters")
    });
    let [fused, plain] = parameters;
    let apart = fused.iter().zip(&plain).find(|(a, b)| (**a - **b).abs() > 1e-5 * b.abs().max(0.1));
    assert!(apart.is_none() && fused.iter().any(|x| *x != 0.0), "{apart:?}");
}

#[test]
fn every_element_of_a_transformers_step_is_explained() {
    for subject in [Subject::Batch, Subject::Example { split: Split::Validation, index: 2 }, Subject::Pinned { label: Some(4.0) }] {
        let mut session = session(cpu());
        train(&mut session, 3);
        let x = if matches!(subject, Subject::Pinned { .. }) { vec![2.0, 3.0, 4.0, 5.0, 6.0, 0.0] } else { Vec::new() };
        let info = block_on(session.open_walk(subject.clone(), x)).expect("a walk");
        for (position, &node) in info.ops.iter().enumerate() {
            block_on(session.walk_to(position + 1, &[])).expect("a step");
            let about = &info.nodes[node];
            let (backend, trace) = session.trace().expect("a walk");
            let values = block_on(trace.read(backend, &ReadItem { node, example: None })).expect("a value").1;
            let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs())).min(100.0);
            for element in (0..values.len()).step_by(values.len().div_ceil(12)) {
                let (backend, trace) = session.trace().expect("a walk");
                let (explanation, _) = block_on(trace.explain(backend, node, element, 5)).expect("an explanation");
                let off = (f64::from(explanation.value) - explanation.recomputed).abs();
                let scale = f64::from(explanation.value).abs() + f64::from(largest) * 0.1;
                // A key's bias adds the same to all scores of a row: its gradient is 0, left over from terms of 1e-4.
                assert!(off <= 1e-5 * scale + 1e-9, "{} [{element}]: {} but {}", about.name, explanation.value, explanation.recomputed);
            }
        }
        let of = |name: &str| info.nodes.iter().position(|node| node.name == format!("multi_head_attention/{name}")).expect("a node");
        let (weights, scores) = (of("attention_weights"), info.nodes[of("scores")].gradient.expect("a gradient"));
        let mut read = |node| {
            let (backend, trace) = session.trace().expect("a walk");
            block_on(trace.read(backend, &ReadItem { node, example: None })).expect("a value").1
        };
        for values in [read(weights), read(scores)] {
            let masked = |i: &usize| i % 6 > i / 6 % 6;
            assert!((0..values.len()).filter(masked).all(|i| values[i] == 0.0), "a masked weight is 0, and so is its score's gradient");
            assert!((0..values.len()).filter(|i| !masked(i)).any(|i| values[i] != 0.0));
        }
        assert_eq!(info.nodes[info.x].gradient, None, "tokens have no gradient");
        if let Subject::Pinned { .. } = subject {
            assert_eq!(read(info.y.expect("labels")), [3.0, 4.0, 5.0, 6.0, 0.0, 4.0], "what follows each token, and the label at the end");
        }
        assert!(info.nodes.iter().filter(|node| node.lane == Lane::Forward).count() > 30);
    }
}

#[test]
fn nudges_of_a_transformer_agree_with_its_gradients() {
    let mut session = session(cpu());
    train(&mut session, 5);
    let info = block_on(session.open_walk(Subject::Batch, Vec::new())).expect("a walk");
    block_on(session.walk_to(info.backward_end, &[])).expect("all gradients");
    let mut compared = 0;
    for (node, about) in info.nodes.iter().enumerate().filter(|(_, about)| about.lane == Lane::Forward && about.gradient.is_some()) {
        let count: usize = about.shape.iter().product();
        let (backend, trace) = session.trace().expect("a walk");
        let nudge = block_on(trace.nudge(backend, node, count / 3, None)).expect("a nudge");
        let gradient = nudge.gradient.expect("it is computed");
        if !nudge.kink {
            assert!((gradient - nudge.slope).abs() <= 0.01 * nudge.slope.abs() + 1e-6, "{}: {nudge:?}", about.name);
            compared += 1;
        }
    }
    assert!(compared > 20, "only {compared} compared");
}

#[test]
fn a_text_is_gone_on_with() {
    let mut session = session(cpu());
    train(&mut session, 400);
    assert_eq!(generate(&mut session, "abcde\nbcd", &greedy(3)), "ea\n");
    let options = GenerateOptions { temperature: 1.0, tokens: 12, ..greedy(0) };
    let whole = generate(&mut session, "ab", &options);
    let half = generate(&mut session, "ab", &GenerateOptions { tokens: 5, ..options.clone() });
    let rest = generate(&mut session, &format!("ab{half}"), &GenerateOptions { tokens: 7, ..options.clone() });
    assert_eq!(whole, half + &rest, "in pieces as in one");
    assert_ne!(whole, generate(&mut session, "ab", &GenerateOptions { seed: 2, ..options.clone() }), "another seed, another text");

    let prompt = session.data().encode("abcde\nbcd").expect("tokens");
    let [next] = &block_on(session.generate(&prompt, &greedy(1))).expect("a token")[..] else { panic!("one token") };
    // The same from the model's own output for the last six characters.
    let x: Vec<f32> = prompt[3..].iter().map(|&token| token as f32).collect();
    let logits = block_on(session.predict(&x)).expect("logits")[35..].to_vec();
    let total: f32 = logits.iter().map(|logit| logit.exp()).sum();
    assert!((next.probability - logits[next.token].exp() / total).abs() < 1e-5);
    assert_eq!((next.candidates.len(), next.candidates[0].token, next.candidates[0].chance), (3, next.token, 1.0));
    assert!(next.candidates.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
    assert_eq!(generate(&mut session, "", &greedy(2)).chars().count(), 2);

    let mut refused = |tokens: &[u32], options: GenerateOptions| block_on(session.generate(tokens, &options)).expect_err("refused").code;
    assert_eq!(refused(&[7], greedy(1)), ErrorCode::TokenOutOfRange);
    for bad in [
        greedy(0),
        greedy(1_000_000),
        GenerateOptions { temperature: -1.0, ..greedy(1) },
        GenerateOptions { temperature: f32::NAN, ..greedy(1) },
        GenerateOptions { top_k: Some(0), ..greedy(1) },
        GenerateOptions { top_p: Some(0.0), ..greedy(1) },
        GenerateOptions { top_p: Some(1.5), ..greedy(1) },
    ] {
        assert_eq!(refused(&[1], bad), ErrorCode::BadValue);
    }
}

#[test]
fn tokens_come_as_arrays_too() {
    let x: Vec<f32> = (0..60).map(|i| (i % 7) as f32).collect();
    let y: Vec<f32> = (0..60).map(|i| ((i + 1) % 7) as f32).collect();
    let begin = |x: &[f32], y: &[f32]| {
        let data = Dataset::from_arrays(x.to_vec(), &[10, 6], y.to_vec()).expect("arrays");
        let settings = Settings { validation_split: 0.0, batch_size: 5, ..settings(gpt().with_vocabulary(7)) };
        block_on(Session::new(cpu(), settings, Rc::new(data)))
    };
    let mut session = begin(&x, &y).expect("a session");
    let losses = train(&mut session, 40);
    assert!(losses[39] < 0.7 * losses[0], "{losses:?}");
    let loss = block_on(session.train_batch(&x[..30], &y[..30])).expect("a step");
    assert!(loss.is_finite());
    let changed = |of: &[f32], at: usize, to: f32| of.iter().enumerate().map(|(i, &x)| if i == at { to } else { x }).collect::<Vec<_>>();
    for bad in [7.0, -1.0, 0.5, f32::NAN] {
        let error = begin(&changed(&x, 13, bad), &y).err().expect("a token that is none");
        assert_eq!((error.code, error.args["index"].as_str()), (ErrorCode::TokenOutOfRange, "2"), "{error}");
        let error = begin(&x, &changed(&y, 13, bad)).err().expect("a label that is none");
        assert_eq!(error.code, ErrorCode::LabelOutOfRange);
    }
    let error = block_on(session.train_batch(&x[..30], &changed(&y[..30], 3, 9.0))).expect_err("a label that is none");
    assert_eq!(error.code, ErrorCode::LabelOutOfRange);
}

#[test]
fn a_model_that_tells_no_tokens_cannot_go_on() {
    let model = ModelSpec::from_json(&json!({ "input": [2], "layers": [{ "type": "Dense", "units": 1, "activation": "sigmoid" }] }));
    let settings =
        Settings { loss: LossSpec::from_json(&json!("binary_crossentropy")).expect("a loss"), ..settings(model.expect("a model")) };
    let mut session = block_on(Session::new(cpu(), settings, Rc::new(Dataset::generated("moons").expect("data")))).expect("a session");
    assert_eq!(block_on(session.generate(&[0], &greedy(1))).expect_err("refused").code, ErrorCode::WrongState);
}

#[test]
fn the_preset_is_the_transformer_that_it_says() {
    let preset = preset("gpt-char").expect("a preset");
    let built = gradscope::nn::build(&preset.model, 2, gradscope::nn::Mode::Train, Some(&preset.loss)).expect("a graph");
    let count: usize = built.graph.variables().iter().map(|variable| variable.shape.numel()).sum();
    let block = 4 * (128 * 128 + 128) + (128 * 512 + 512) + (512 * 128 + 128) + 4 * 128;
    assert_eq!(count, 75 * 128 + 64 * 128 + 4 * block + 256 + 128 * 75);
    assert_eq!(preset.model.vocabulary(), Some(75));
    let larger = preset.model.clone().with_vocabulary(90);
    let built = gradscope::nn::build(&larger, 1, gradscope::nn::Mode::Infer, None).expect("a graph");
    assert_eq!(built.graph.shape(built.output)[..], [1, 64, 90]);
    assert_eq!(preset.model, ModelSpec::from_json(&serde_json::to_value(&preset.model).expect("JSON")).expect("a spec"));
}
