//! Guessing hidden tokens: what is hidden, what counts, and what attention and means see of padding.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::data::{Corpus, Dataset, DatasetInfo, Split};
use gradscope::error::{ErrorCode, Result};
use gradscope::graph::Leaf;
use gradscope::nn::{Built, LossSpec, Mode, ModelSpec, build, preset};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::evaluate;
use gradscope::optim::OptimizerSpec;
use gradscope::train::{RunOptions, Session, Settings};
use serde_json::{Value, json};

const WORDS: usize = 30;
const LENGTH: usize = 8;

fn model(rate: f64) -> Result<ModelSpec> {
    let normal = json!({ "type": "RandomNormal", "stddev": 0.3 });
    let mask = json!({ "type": "MaskedLMMaskGenerator", "name": "mask", "vocabulary_size": WORDS, "mask_token_id": WORDS, "mask_selection_rate": rate,
        "unselectable_token_ids": [0, 1] });
    let table = json!({ "type": "ReversibleEmbedding", "name": "tokens", "input_dim": WORDS + 1, "output_dim": 12, "mask_zero": true, "embeddings_initializer": normal });
    let guess = json!({ "type": "ReversibleEmbedding", "input_dim": WORDS + 1, "output_dim": 12, "reverse": true, "shares": "tokens" });
    let positions = json!({ "type": "PositionEmbedding", "name": "positions", "sequence_length": LENGTH });
    let both = json!({ "type": "Add", "name": "both", "inputs": ["tokens", "positions"] });
    let attention = json!({ "type": "MultiHeadAttention", "name": "attention", "num_heads": 2, "key_dim": 6 });
    let joined = json!({ "type": "Add", "inputs": ["both", "attention"] });
    ModelSpec::from_json(&json!({ "input": [LENGTH], "layers": [mask, table, positions, both, attention, joined, guess] }))
}

fn loss() -> LossSpec {
    let spec = json!({ "type": "sparse_categorical_crossentropy", "from_logits": true, "target": "input" });
    LossSpec::from_json(&spec).expect("a loss")
}

/// All values of a graph for the tokens `x`, at a step.
fn values(built: &Built, x: &[f64], step: u32) -> Vec<Vec<f64>> {
    let mut cx = CpuCx { seed: 3, step, ..CpuCx::default() };
    evaluate(&built.graph, &mut cx, |_, leaf| match leaf {
        Leaf::Input(_) => x.to_vec(),
        Leaf::Variable(id) => built.graph.variable(*id).initial(1, id.0).into_iter().map(f64::from).collect(),
        Leaf::Scalar(index) => vec![f64::from(built.graph.scalars()[*index].1)],
        other => panic!("{other:?} in a forward graph"),
    })
}

fn node<'a>(built: &Built, values: &'a [Vec<f64>], name: &str) -> &'a [f64] {
    &values[built.graph.find(name).unwrap_or_else(|| panic!("no {name}")).index()]
}

/// Rows of words with padding behind the end, and an unknown word here and there.
fn tokens(rows: usize) -> Vec<f64> {
    let token = |i: usize| match (i / LENGTH, i % LENGTH) {
        (row, at) if at >= 3 + row % 6 => 0.0,
        (row, at) if (row + at) % 7 == 3 => 1.0,
        (row, at) => (2 + (row * 5 + at * 11) % (WORDS - 2)) as f64,
    };
    (0..rows * LENGTH).map(token).collect()
}

#[test]
fn a_share_of_the_words_is_hidden_and_most_of_it_masked() -> Result<()> {
    let built = build(&model(0.15)?, 4000, Mode::Train, Some(&loss()))?;
    let x = tokens(4000);
    let values = values(&built, &x, 7);
    let (hidden, seen) = (node(&built, &values, "mask/hidden"), &values[built.layers[0].output.index()]);
    let words = x.iter().filter(|&&token| token > 1.0).count() as f64;
    let mut counts = [0.0; 4];
    for ((&x, &hidden), &seen) in x.iter().zip(hidden).zip(seen) {
        match (hidden == 1.0, seen) {
            (false, _) => assert_eq!(seen, x, "what is not hidden stays"),
            (true, _) if x < 2.0 => panic!("token {x} is hidden"),
            (true, seen) if seen == WORDS as f64 => counts[1] += 1.0,
            (true, seen) if seen == x => counts[2] += 1.0,
            (true, seen) => {
                assert!((2.0..WORDS as f64).contains(&seen), "{seen} is no word");
                counts[3] += 1.0;
            }
        }
        counts[0] += hidden;
    }
    let near = |share: f64, expected: f64, what: &str| assert!((share - expected).abs() < 0.02, "{what}: {share}, not {expected}");
    near(counts[0] / words, 0.15, "hidden");
    near(counts[1] / counts[0], 0.8, "masked");
    // A random word is the same one in 28 cases.
    near(counts[2] / counts[0], 0.1 + 0.1 / 28.0, "kept");
    near(counts[3] / counts[0], 0.1 - 0.1 / 28.0, "another");
    let other = self::values(&built, &x, 8);
    assert_ne!(node(&built, &other, "mask/hidden"), hidden, "each step draws anew");
    Ok(())
}

#[test]
fn only_what_is_hidden_counts() -> Result<()> {
    let built = build(&model(0.3)?, 6, Mode::Train, Some(&loss()))?;
    let x = tokens(6);
    let values = values(&built, &x, 2);
    let (hidden, logits) = (node(&built, &values, "mask/hidden"), &values[built.output.index()]);
    let mut expected = (0.0, 0.0, 0.0);
    for (position, (logits, &truth)) in logits.chunks_exact(WORDS + 1).zip(&x).enumerate().filter(|(position, _)| hidden[*position] == 1.0)
    {
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let best = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        expected.0 -= (logits[truth as usize].exp() / total).ln();
        expected.1 += f64::from(u8::from(logits[truth as usize] == best));
        expected.2 += 1.0;
        assert!(position < 6 * LENGTH);
    }
    assert!(expected.2 > 3.0, "{} hidden words say little", expected.2);
    let of = |node: Option<gradscope::graph::NodeId>| values[node.expect("a node").index()][0];
    assert!((of(built.loss) - expected.0 / expected.2).abs() < 1e-6, "{} is not {}", of(built.loss), expected.0 / expected.2);
    assert!(
        (of(built.correct) - 6.0 * expected.1 / expected.2).abs() < 1e-6,
        "{} is not {}",
        of(built.correct),
        6.0 * expected.1 / expected.2
    );
    Ok(())
}

#[test]
fn where_nothing_is_hidden_padding_does_not_count() -> Result<()> {
    let mut spec = model(0.15)?;
    spec.layers.remove(0);
    let built = build(&spec, 2, Mode::Train, Some(&loss()))?;
    let x = tokens(2);
    let values = values(&built, &x, 0);
    let share = node(&built, &values, "share_of_each_token");
    let words = x.iter().filter(|&&token| token > 0.0).count() as f64;
    for (share, token) in share.iter().zip(&x) {
        assert!((share - if *token > 0.0 { x.len() as f64 / words } else { 0.0 }).abs() < 1e-9);
    }
    Ok(())
}

/// The answers at words, and their mean, are those of the same words without padding behind them.
#[test]
fn padding_is_not_seen() -> Result<()> {
    let spec = |length: usize| {
        let table =
            json!({ "type": "Embedding", "input_dim": WORDS, "output_dim": 12, "mask_zero": true, "embeddings_initializer": "normal" });
        ModelSpec::from_json(&json!({ "input": [length], "layers": [
            table, { "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 6 }, { "type": "LayerNormalization" }, { "type": "GlobalAveragePooling1D" }
        ] }))
    };
    let (long, short) = (build(&spec(LENGTH)?, 1, Mode::Infer, None)?, build(&spec(5)?, 1, Mode::Infer, None)?);
    let words = [4.0, 9.0, 2.0, 25.0, 7.0];
    let padded: Vec<f64> = words.into_iter().chain([0.0; LENGTH - 5]).collect();
    let (of_long, of_short) = (values(&long, &padded, 0), values(&short, &words, 0));
    let close = |a: &[f64], b: &[f64], what: &str| {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9), "{what}: {a:?} is not {b:?}");
    };
    close(&of_long[long.layers[1].output.index()][..5 * 12], &of_short[short.layers[1].output.index()], "attention");
    close(&of_long[long.output.index()], &of_short[short.output.index()], "mean");
    let empty = values(&long, &[0.0; LENGTH], 0);
    assert_eq!(empty[long.output.index()], [0.0; 12], "a document without words");
    Ok(())
}

fn reviews() -> Result<Rc<Dataset>> {
    let info = DatasetInfo { classes: vec!["bad".into(), "good".into()], ..Dataset::text_info("reviews", "Reviews") };
    let line = |k: usize| {
        let kind = if k.is_multiple_of(2) { "dull and slow" } else { "bright and quick" };
        (k % 2, format!("the film number {} was {kind}", ["one", "two", "three", "four", "five"][k % 5]))
    };
    let corpus = |range: std::ops::Range<usize>| {
        let lines: Vec<(usize, String)> = range.map(line).collect();
        Corpus::new(lines.iter().map(|(class, text)| (*class, text.as_str())))
    };
    let spec = model(0.15)?;
    let reading = spec.reading(&gradscope::data::DocumentOptions::default());
    assert_eq!((reading.vocabulary, reading.length), (WORDS, LENGTH), "words are those that may be hidden");
    Dataset::from_documents(info, corpus(0..200), corpus(200..260), reading).map(Rc::new)
}

fn session(rate: f64, batch_size: usize) -> Result<Session<Cpu>> {
    let optimizer = OptimizerSpec::from_json(&json!({ "type": "Adam", "learning_rate": 0.02 }))?;
    let settings =
        Settings { model: model(rate)?, loss: loss(), optimizer, batch_size, seed: 1, validation_split: 0.1, train_examples: None };
    pollster::block_on(Session::new(Cpu::new(), settings, reviews()?))
}

#[test]
fn hidden_words_are_guessed_from_the_others() -> Result<()> {
    let mut session = session(0.3, 20)?;
    let before = pollster::block_on(session.evaluate(Split::Test))?;
    assert_eq!(before, pollster::block_on(session.evaluate(Split::Test))?, "evaluation hides the same words each time");
    let options = RunOptions { epochs: Some(30), shuffle: true, ..RunOptions::default() };
    pollster::block_on(session.run(options, || 0.0))?;
    let after = pollster::block_on(session.evaluate(Split::Test))?;
    assert_eq!(after, pollster::block_on(session.evaluate(Split::Test))?);
    let (before_right, right) = (before.accuracy.unwrap_or(1.0), after.accuracy.unwrap_or(0.0));
    assert!(after.loss < 0.6 * before.loss && right > before_right + 0.3, "{before:?} {after:?}");
    assert!(after.confusion.is_none() && after.misclassified.is_empty());
    // "the film number one was dull and slow": the fifth word and the sixth.
    let x = session.data().test.x.gather(&[0]);
    let guesses = pollster::block_on(session.guesses(&x, &[4, 6], 3))?;
    let likeliest: Vec<_> = guesses.iter().map(|guesses| guesses[0].text.as_deref()).collect();
    assert_eq!(likeliest, [Some("was"), Some("and")]);
    assert!(guesses.iter().all(|guesses| guesses.len() == 3 && guesses[0].probability > guesses[1].probability));
    let outputs = pollster::block_on(session.activations(&["mask".into()], &x, None))?;
    assert_eq!(outputs[0], x, "nothing is hidden of what is looked at");
    let beyond = pollster::block_on(session.guesses(&x, &[LENGTH], 3)).expect_err("no such word");
    assert_eq!(beyond.code, ErrorCode::BadValue);
    Ok(())
}

#[test]
fn what_cannot_be_is_refused() {
    let mask = |change: &str, value: Value| {
        let mut layer = json!({ "type": "MaskedLMMaskGenerator", "vocabulary_size": 9, "mask_token_id": 9 });
        layer[change] = value;
        let spec = ModelSpec::from_json(&json!({ "input": [4], "layers": [layer] })).expect("a spec");
        build(&spec, 2, Mode::Train, None).expect_err("refused").code
    };
    assert_eq!(mask("mask_selection_rate", json!(1.5)), ErrorCode::BadValue);
    assert_eq!(mask("random_token_rate", json!(0.3)), ErrorCode::BadValue);
    assert_eq!(mask("vocabulary_size", json!(0)), ErrorCode::BadValue);
    let spec = json!({ "input": [4], "layers": [{ "type": "Dense", "units": 4 }, { "type": "MaskedLMMaskGenerator", "vocabulary_size": 9, "mask_token_id": 9 }] });
    let error = build(&ModelSpec::from_json(&spec).expect("a spec"), 2, Mode::Train, None).expect_err("no tokens");
    assert_eq!(error.code, ErrorCode::BadShape);
    let model = ModelSpec::from_json(&json!({ "input": [4], "layers": [{ "type": "Dense", "units": 4 }] })).expect("a spec");
    assert!(build(&model, 2, Mode::Train, Some(&loss())).is_err(), "numbers are no tokens to compare with");
}

/// The two presets have one encoder: every part of it goes from one to the other.
#[test]
fn the_presets_share_an_encoder() {
    let [guessing, opinion] = ["bert-mini", "bert-mini-sentiment"].map(|name| preset(name).expect("the preset"));
    let variables = |model: &ModelSpec| -> Vec<(String, Vec<usize>)> {
        let built = build(model, 1, Mode::Infer, None).expect("a graph");
        built.graph.variables().iter().map(|variable| (variable.name.clone(), variable.shape.to_vec())).collect()
    };
    let (from, to) = (variables(&guessing.model), variables(&opinion.model));
    assert!(from.iter().all(|variable| to.contains(variable)), "all that is pre-trained has its place");
    let own: Vec<&str> = to.iter().filter(|variable| !from.contains(variable)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(own, ["opinion.kernel", "opinion.bias"]);
    assert_eq!(guessing.model.vocabulary(), opinion.vocabulary, "a token is the same word to both");
}
