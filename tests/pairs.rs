//! Texts that answer texts: the generated tasks, a small encoder and decoder that learn one, what padding has no part in, and answers to what is typed.

use std::collections::HashSet;
use std::rc::Rc;

use gradscope::backend::Device;
use gradscope::backend::cpu::Cpu;
use gradscope::data::{Column, DataKind, Dataset, END, PADDING, Part, START, Split};
use gradscope::error::ErrorCode;
use gradscope::nn::{self, ModelSpec, preset};
use gradscope::train::{GenerateOptions, RunOptions, Session, Settings};
use pollster::block_on;
use serde_json::json;

const TASKS: [&str; 6] = ["reverse", "copy", "sort", "parity", "addition", "dates"];

fn task(name: &str) -> Dataset {
    Dataset::generated(name).expect("a task")
}

fn greedy() -> GenerateOptions {
    GenerateOptions { tokens: 100, temperature: 0.0, top_k: None, top_p: None, seed: 0, candidates: 2 }
}

/// The tokens up to the padding behind them, and their text.
fn text(set: &Dataset, tokens: &[f32]) -> String {
    let texts = tokens.iter().take_while(|&&token| token != PADDING as f32);
    texts.map(|&token| set.info.classes[token as usize].as_str()).collect()
}

/// Source and target of an example, after a look at how its row is laid out.
fn pair(set: &Dataset, part: &Part, row: u32) -> (String, String) {
    let [source, target] = set.lengths().expect("pairs");
    let (x, y) = (part.x.gather(&[row]), part.y.gather(&[row]));
    assert_eq!((x.len(), y.len()), (source + target, target));
    let length = y.iter().position(|&token| token == END as f32).expect("an end");
    assert_eq!(x[source], START as f32);
    assert_eq!(x[source + 1..][..length], y[..length], "the decoder reads what was to be said before");
    assert!(x[source + 1 + length..].iter().chain(&y[length + 1..]).all(|&token| token == PADDING as f32));
    let source = text(set, &x[..source]);
    assert!(!source.is_empty());
    (source, text(set, &y[..length]))
}

/// Year, month and day of a date in words or numbers.
fn iso(date: &str) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = date.split([' ', ',', '.']).filter(|word| !word.is_empty()).collect();
    let month_of = |word: &str| months.iter().position(|month| word.starts_with(month)).map(|month| month + 1);
    let number = |word: &str| word.parse::<usize>().expect("a number");
    let (day, month) = match (month_of(words[0]), month_of(words[1])) {
        (Some(month), _) => (number(words[1]), month),
        (_, Some(month)) => (number(words[0]), month),
        _ => (number(words[0]), number(words[1])),
    };
    format!("{}-{month:02}-{day:02}", words[2])
}

#[test]
fn targets_obey_their_rule_and_no_source_is_in_both_parts() {
    for name in TASKS {
        let set = task(name);
        assert_eq!((set.info.kind, set.info.train, set.info.test), (DataKind::Pairs, 40_000, 2_000));
        let wanted = |source: &str| match name {
            "reverse" => source.chars().rev().collect(),
            "copy" => source.to_owned(),
            "parity" => (1..=source.len()).map(|end| if source[..end].matches('1').count() % 2 == 1 { '1' } else { '0' }).collect(),
            "sort" => {
                let mut letters: Vec<char> = source.chars().collect();
                letters.sort_unstable();
                letters.into_iter().collect()
            }
            "addition" => source.split('+').map(|number| number.parse::<usize>().expect("a number")).sum::<usize>().to_string(),
            _ => iso(source),
        };
        let sources = |part: &Part| -> HashSet<String> {
            let pairs = (0..part.count as u32).map(|row| pair(&set, part, row));
            pairs.inspect(|(source, target)| assert_eq!(*target, wanted(source), "{name}: {source}")).map(|(source, _)| source).collect()
        };
        let (train, test) = (sources(&set.train), sources(&set.test));
        assert!(train.is_disjoint(&test), "{name}");
        // Of short sources there are few.
        assert!(test.len() > 500, "{name}: {}", test.len());
        let longest = train.iter().map(|source| source.chars().count()).max();
        assert_eq!(longest, set.lengths().map(|[source, _]| source), "{name}");
    }
}

/// Some examples of a set, by part.
fn some(set: &Dataset, train: usize, test: usize) -> Dataset {
    let first = |part: &Part, count: usize| {
        let rows: Vec<u32> = (0..count as u32).collect();
        let column = |column: &Column| Column::floats(&column.shape, column.gather(&rows));
        Part { x: column(&part.x), y: column(&part.y), count, step: 1 }
    };
    Dataset { train: first(&set.train, train), test: first(&set.test, test), ..set.clone() }
}

fn settings(model: ModelSpec) -> Settings {
    let nn::Preset { loss, optimizer, batch_size, .. } = preset("seq2seq").expect("a preset");
    Settings { model, loss, optimizer, batch_size, seed: 1, validation_split: 0.0, train_examples: None }
}

fn session(settings: Settings, data: Dataset) -> Session<Device> {
    block_on(Session::new(Device::Cpu(Cpu::new()), settings, Rc::new(data))).expect("a session")
}

#[test]
fn one_model_fits_every_task() {
    for name in TASKS {
        let set = some(&task(name), 8, 2);
        let model = preset("seq2seq").expect("a preset").model;
        let model = model.with_lengths(set.lengths().expect("pairs")).with_vocabulary(set.info.classes.len());
        let mut session = session(Settings { batch_size: 4, ..settings(model) }, set);
        let options = RunOptions { epochs: Some(1), evaluate: true, ..RunOptions::default() };
        let (result, epochs) = block_on(session.run(options, || 0.0)).expect("two steps");
        assert!(result.losses.iter().all(|loss| loss.is_finite()), "{name}: {:?}", result.losses);
        assert_eq!(epochs[0].test.as_ref().and_then(|test| test.exact), Some(0.0), "{name}");
    }
}

/// The same sources and targets with more padding behind them: nothing looks at it, and it does not count.
#[test]
fn padding_changes_nothing() {
    let set = some(&task("reverse"), 6, 2);
    let [source, target] = set.lengths().expect("pairs");
    let wider = |part: &Part| {
        let (x, y) = (part.x.gather(&[0, 1, 2, 3, 4, 5][..part.count.min(6)]), part.y.gather(&[0, 1, 2, 3, 4, 5][..part.count.min(6)]));
        let halves = |row: &[f32]| [&row[..source], &[0.0; 3], &row[source..], &[0.0; 2]].concat();
        Part {
            x: Column::floats(&[source + 3 + target + 2], x.chunks(source + target).flat_map(halves).collect()),
            y: Column::floats(&[target + 2], y.chunks(target).flat_map(|row| [row, &[0.0; 2]].concat()).collect()),
            ..part.clone()
        }
    };
    let mut wide = Dataset { train: wider(&set.train), test: wider(&set.test), ..set.clone() };
    wide.info.shape = vec![source + target + 5];
    let model = preset("seq2seq").expect("a preset").model;
    let of = |model: ModelSpec, set: Dataset| session(Settings { batch_size: 3, ..settings(model) }, set);
    let mut narrow_session = of(model.clone(), set);
    let mut wide_session = of(model.with_lengths([source + 3, target + 2]), wide);
    let train = |session: &mut Session<Device>| {
        let options = RunOptions { steps: Some(6), ..RunOptions::default() };
        block_on(session.run(options, || 0.0)).expect("six steps").0
    };
    let (narrow, wide) = (train(&mut narrow_session), train(&mut wide_session));
    for (a, b) in narrow.losses.iter().zip(&wide.losses) {
        assert!((a / b - 1.0).abs() < 1e-5, "{:?} and {:?}", narrow.losses, wide.losses);
    }
    let [a, b] = [narrow.accuracy, wide.accuracy].map(Option::unwrap_or_default);
    assert!((a - b).abs() < 1e-6 && a > 0.0, "{a} and {b}");

    // The shares of padding are 0 to the last bit; those of what is no padding make up 1.
    let x = narrow_session.data().train.x.gather(&[0]);
    let weights = block_on(narrow_session.activations(&["cross_attention/attention_weights".into()], &x, None)).expect("weights");
    for shares in weights[0].chunks(source) {
        let (seen, padding): (Vec<_>, Vec<_>) = shares.iter().zip(&x).partition(|(_, token)| **token != PADDING as f32);
        assert!(padding.iter().all(|(share, _)| **share == 0.0) && !padding.is_empty(), "{shares:?}");
        assert!((seen.iter().map(|(share, _)| **share).sum::<f32>() - 1.0).abs() < 1e-5, "{shares:?}");
    }
}

/// The loss is the mean of −ln p over all positions of the batch that are no padding; a position is right where the label is the likeliest.
#[test]
fn what_counts_is_counted_by_hand() {
    let set = some(&task("addition"), 5, 5);
    let model = preset("seq2seq").expect("a preset").model;
    let model = model.with_lengths(set.lengths().expect("pairs")).with_vocabulary(set.info.classes.len());
    let (vocabulary, labels) = (set.info.classes.len(), set.test.y.gather(&[0, 1, 2, 3, 4]));
    let x = set.test.x.gather(&[0, 1, 2, 3, 4]);
    let mut session = session(Settings { batch_size: 5, ..settings(model) }, set);
    let options = RunOptions { steps: Some(60), ..RunOptions::default() };
    block_on(session.run(options, || 0.0)).expect("sixty steps");
    let logits = block_on(session.predict(&x)).expect("logits");
    let (mut loss, mut right, mut counted) = (0.0f64, 0.0f64, 0.0f64);
    for (scores, &label) in logits.chunks(vocabulary).zip(&labels).filter(|(_, label)| **label != PADDING as f32) {
        let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = scores.iter().map(|&score| f64::from(score - most).exp()).sum();
        loss += total.ln() - f64::from(scores[label as usize] - most);
        right += f64::from(u8::from(scores[label as usize] == most));
        counted += 1.0;
    }
    let test = block_on(session.evaluate(Split::Test)).expect("an evaluation");
    assert!((f64::from(test.loss) / (loss / counted) - 1.0).abs() < 1e-4, "{} and {}", test.loss, loss / counted);
    assert!((f64::from(test.accuracy.expect("accuracy")) - right / counted).abs() < 1e-5, "{test:?}, {right} of {counted}");
    assert!(right > 0.0 && right < counted);
}

/// Up to a first mistake the model reads the same tokens whether they are the labels' or its own.
#[test]
fn sequences_are_exact_where_greedy_answers_are() {
    let all = task("reverse");
    // Short ones are learned first, so that some are right and some are not.
    let short = |part: &Part| (0..part.count as u32).filter(|&row| pair(&all, part, row).0.len() <= 4).take(640).collect::<Vec<u32>>();
    let rows = [short(&all.train), short(&all.test)[..60].to_vec()];
    let [train, test] = [&all.train, &all.test];
    let of = |part: &Part, rows: &[u32]| {
        let column = |column: &Column| Column::floats(&column.shape, column.gather(rows));
        Part { x: column(&part.x), y: column(&part.y), count: rows.len(), step: 1 }
    };
    let set = Dataset { train: of(train, &rows[0]), test: of(test, &rows[1]), ..all.clone() };
    let pairs: Vec<_> = (0..60).map(|row| pair(&all, &set.test, row)).collect();
    let mut settings = settings(preset("seq2seq").expect("a preset").model);
    settings.optimizer = gradscope::optim::OptimizerSpec::from_json(&json!({ "type": "Adam", "learning_rate": 0.002 })).expect("Adam");
    let mut session = session(settings, set);
    let mut partly = 0;
    for _ in 0..12 {
        let options = RunOptions { epochs: Some(2), shuffle: true, ..RunOptions::default() };
        block_on(session.run(options, || 0.0)).expect("two epochs");
        let exact = block_on(session.evaluate(Split::Test)).expect("an evaluation").exact.expect("sequences");
        if exact < 0.1 {
            continue;
        }
        let mut right = 0;
        for (source, target) in &pairs {
            let answer = block_on(session.translate(source, &[], &greedy())).expect("an answer");
            let texts: String = answer.iter().filter_map(|token| token.text.as_deref()).collect();
            right += u32::from(texts == format!("{target}{}", all.info.classes[END as usize]));
        }
        assert_eq!((exact * 60.0).round() as u32, right);
        partly += u32::from(exact < 1.0);
        if partly == 2 {
            break;
        }
    }
    assert!(partly > 0, "there were answers of both kinds");
}

#[test]
fn an_answer_goes_on_from_what_there_is() {
    let mut session = session(settings(preset("seq2seq").expect("a preset").model), some(&task("reverse"), 64, 4));
    let whole = block_on(session.translate("abc", &[], &greedy())).expect("an answer");
    assert!(!whole.is_empty() && whole.len() <= 11);
    let mut tokens: Vec<u32> = Vec::new();
    let one = GenerateOptions { tokens: 1, ..greedy() };
    while let [next] = &block_on(session.translate("abc", &tokens, &one)).expect("a token")[..] {
        assert_eq!(*next, whole[tokens.len()]);
        assert_eq!((next.candidates.len(), next.candidates[0].token), (2, next.token));
        tokens.push(next.token as u32);
    }
    assert_eq!(tokens.len(), whole.len());
    assert_eq!(block_on(session.translate("abc", &[5, END], &one)).expect("nothing"), []);
    // At a temperature the draws belong to seed and position.
    let drawn = |session: &mut Session<Device>, seed: u32| {
        let options = GenerateOptions { temperature: 2.0, seed, ..greedy() };
        block_on(session.translate("abc", &[], &options)).expect("an answer").into_iter().map(|next| next.token).collect::<Vec<_>>()
    };
    assert_eq!(drawn(&mut session, 1), drawn(&mut session, 1));
    assert_ne!(drawn(&mut session, 1), drawn(&mut session, 2));
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let mut session = session(settings(preset("seq2seq").expect("a preset").model), some(&task("reverse"), 64, 4));
    let mut refused = |source: &str| block_on(session.translate(source, &[], &greedy())).expect_err("refused");
    let error = refused("Ab");
    assert_eq!((error.code, error.args["got"].as_str()), (ErrorCode::UnknownCharacter, "A"));
    assert_eq!(refused("a■").code, ErrorCode::UnknownCharacter, "the signs of padding, start and end are no characters");
    let error = refused("abcdefghijk");
    assert_eq!((error.code, error.args["most"].as_str(), error.args["what"].as_str()), (ErrorCode::TooLarge, "10", "characters"));
    assert_eq!(refused("").code, ErrorCode::BadValue);
    assert_eq!(
        block_on(session.translate("a", &[], &GenerateOptions { tokens: 0, ..greedy() })).expect_err("none").code,
        ErrorCode::BadValue
    );
    assert_eq!(block_on(session.generate(&[3], &greedy())).expect_err("no text to go on with").code, ErrorCode::WrongState);
    let points = ModelSpec::from_json(&json!({ "input": [2], "layers": [{ "type": "Dense", "units": 2, "activation": "softmax" }] }));
    let mut points = self::session(settings(points.expect("a model")), Dataset::generated("moons").expect("points"));
    assert_eq!(block_on(points.translate("a", &[], &greedy())).expect_err("no pairs").code, ErrorCode::WrongState);
}

#[test]
fn steps_are_cut_off_at_both_ends() {
    let build = |cropping: serde_json::Value| {
        let layers = json!([{ "type": "Cropping1D", "cropping": cropping }]);
        let spec = ModelSpec::from_json(&json!({ "input": [5, 2], "layers": layers })).expect("a spec");
        nn::build(&spec, 1, nn::Mode::Infer, None).map(|built| built.layers[0].output_shape.clone())
    };
    assert_eq!(build(json!([1, 3])).expect("one step is left"), [1, 2]);
    assert_eq!(build(json!(2)).expect("one step is left"), [1, 2]);
    assert_eq!(build(json!([0, 0])).expect("all are left"), [5, 2]);
    for bad in [json!([2, 3]), json!([9, 0]), json!(3)] {
        let error = build(bad).expect_err("nothing is left");
        assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some("cropping1d")));
    }
}
