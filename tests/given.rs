//! Examples and labelled documents that somebody brings: what becomes of them, and what is said of those that do not fit together.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::data::{Corpus, DataKind, Dataset, DatasetInfo, DocumentForm, Given, Reading, Split, Tokenizer};
use gradscope::error::{Error, ErrorCode};
use gradscope::nn::{LossSpec, ModelSpec};
use gradscope::optim::OptimizerSpec;
use gradscope::tensor::Cells;
use gradscope::train::{RunOptions, Session, Settings};
use pollster::block_on;
use serde_json::json;

const TOKENS: Reading =
    Reading { form: DocumentForm::Tokens, vocabulary: 10, length: 3, stop_words: false, tokenizer: Tokenizer::Character };
const LINES: &str = "0\tthe cat\n1\ta dog\n1\tthe dog\tand the bird\n0\t\n";

fn named(classes: &[&str], test: usize) -> Given {
    Given { classes: classes.iter().map(|&class| class.into()).collect(), test }
}

/// Five pictures of 2 x 2 pixels in bytes.
fn pictures(given: Given) -> Result<Dataset, Error> {
    let data: Vec<u8> = (0..20).map(|k| k * 10).collect();
    let x = Cells::Bytes { data: Rc::new(data), scale: 1.0 / 255.0 };
    Dataset::from_examples(x, &[5, 2, 2, 1], vec![0.0, 1.0, 1.0, 0.0, 1.0], given)
}

#[test]
fn the_last_examples_are_for_testing() {
    let set = pictures(named(&["cat", "dog"], 2)).expect("pictures");
    assert_eq!((set.info.kind, set.info.train, set.info.test), (DataKind::Image, 3, 2));
    assert_eq!((set.info.shape.as_slice(), set.info.classes.as_slice()), (&[2, 2, 1][..], &["cat".to_owned(), "dog".to_owned()][..]));
    assert!(matches!(set.train.x.cells, Cells::Bytes { .. }), "bytes stay bytes");
    assert_eq!(set.train.x.gather(&[2]), [80.0, 90.0, 100.0, 110.0].map(|byte| byte * (1.0 / 255.0)));
    assert_eq!(set.test.x.gather(&[0]), [120.0, 130.0, 140.0, 150.0].map(|byte| byte * (1.0 / 255.0)));
    assert_eq!((set.train.y.gather(&[0, 1, 2]), set.test.y.gather(&[0, 1])), (vec![0.0, 1.0, 1.0], vec![0.0, 1.0]));
}

#[test]
fn several_targets_an_example_are_parted_with_it() {
    let y: Vec<f32> = (0..8).map(|k| k as f32).collect();
    let set = Dataset::from_examples(vec![0.5; 12].into(), &[4, 3], y, named(&[], 1)).expect("values");
    assert_eq!((set.info.kind, set.train.count, set.test.count), (DataKind::Values, 3, 1));
    assert_eq!((set.train.y.gather(&[2]), set.test.y.gather(&[0])), (vec![4.0, 5.0], vec![6.0, 7.0]));
}

#[test]
fn a_test_part_leaves_something_to_train_on() {
    for test in [5, 6, usize::MAX] {
        let error = pictures(named(&["cat", "dog"], test)).expect_err("nothing left");
        assert_eq!((error.code, error.args["name"].as_str()), (ErrorCode::BadValue, "testExamples"));
        assert_eq!(error.args["expected"], "between 0 and 4");
        assert_eq!(
            Dataset::from_lines(LINES.into(), named(&["a", "b"], test), TOKENS).expect_err("nothing left").code,
            ErrorCode::BadValue
        );
    }
}

#[test]
fn a_label_without_a_class_is_named_in_either_part() {
    for (test, index) in [(0, "1"), (4, "0")] {
        let error = pictures(named(&["cat"], test)).expect_err("two classes");
        assert_eq!((error.code, error.args["label"].as_str(), error.args["index"].as_str()), (ErrorCode::LabelOutOfRange, "1", index));
    }
    let error = Dataset::from_lines(LINES.into(), named(&["cat"], 1), TOKENS).expect_err("two classes");
    assert_eq!(error.code, ErrorCode::LabelOutOfRange);
}

#[test]
fn lines_are_documents_whose_words_are_those_of_the_training_part() {
    let set = Dataset::from_lines(LINES.into(), named(&["cats", "dogs"], 2), TOKENS).expect("documents");
    let whole = Dataset::from_documents(
        DatasetInfo { classes: set.info.classes.clone(), ..Dataset::text_info("documents", "Documents") },
        Corpus::new([(0, "the cat"), (1, "a dog")]),
        Corpus::new([(1, "the dog\tand the bird"), (0, "")]),
        TOKENS,
    )
    .expect("documents");
    assert_eq!((set.info.kind, set.info.train, set.info.test), (DataKind::Documents, 2, 2));
    assert_eq!((&set.train, &set.test), (&whole.train, &whole.test));
    let text = |set: &Dataset, split, example| -> String {
        set.document(split, example, 100).expect("a document").pieces.iter().map(|piece| piece.text.clone()).collect()
    };
    for (split, example) in [(Split::Train, 0), (Split::Train, 1), (Split::Test, 0), (Split::Test, 1)] {
        assert_eq!(text(&set, split, example), text(&whole, split, example));
    }
    assert_eq!(text(&set, Split::Test, 0), "the dog\tand the bird");
}

#[test]
fn lines_that_are_no_documents_are_refused() {
    let refused = |lines: &[u8]| Dataset::from_lines(lines.to_vec(), named(&["a", "b"], 0), TOKENS).expect_err("no documents");
    assert_eq!(refused(b"").code, ErrorCode::BadValue);
    for lines in ["0\tfine\nno class\n", "x\ttext\n", "-1\ttext\n", "70000\ttext\n", "0 blank\n"] {
        assert_eq!(refused(lines.as_bytes()).code, ErrorCode::BadFile, "{lines}");
    }
    assert_eq!(refused(b"0\t\xff\xfe\n").args["format"], "UTF-8");
}

#[test]
fn what_was_brought_trains_and_is_evaluated() {
    let model = json!({ "input": [2, 2, 1], "layers": [{ "type": "Flatten" }, { "type": "Dense", "units": 2, "activation": "softmax" }] });
    let settings = Settings {
        model: ModelSpec::from_json(&model).expect("a model"),
        loss: LossSpec::from_json(&json!({ "type": "sparse_categorical_crossentropy" })).expect("a loss"),
        optimizer: OptimizerSpec::from_json(&json!({ "type": "Adam" })).expect("an optimizer"),
        batch_size: 2,
        seed: 1,
        validation_split: 0.0,
        train_examples: None,
    };
    let data = Rc::new(pictures(named(&["cat", "dog"], 2)).expect("pictures"));
    let mut session = block_on(Session::new(Cpu::new(), settings, data)).expect("a session");
    let options = RunOptions { steps: Some(4), shuffle: true, ..RunOptions::default() };
    let (run, _) = block_on(session.run(options, || 0.0)).expect("training");
    assert_eq!(run.losses.len(), 4);
    let confusion = block_on(session.evaluate(Split::Test)).expect("an evaluation").confusion.expect("classes");
    assert_eq!(confusion.iter().map(|row| row.iter().sum::<u32>()).collect::<Vec<_>>(), [1, 1], "one of each class is in the test part");
}
