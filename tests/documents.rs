//! Labelled documents: words, TF-IDF against scikit-learn's values, and files and options that are not what they should be.

use std::io::Write;
use std::rc::Rc;

use flate2::Compression;
use flate2::write::GzEncoder;
use gradscope::backend::cpu::Cpu;
use gradscope::data::{Corpus, DataKind, Dataset, DatasetInfo, DocumentForm, DocumentOptions, Manifest, PieceKind, Reading, Split};
use gradscope::error::{Error, ErrorCode};
use gradscope::nn::{LossSpec, ModelSpec, preset};
use gradscope::optim::OptimizerSpec;
use gradscope::train::{RunOptions, Session, Settings};
use pollster::block_on;
use serde_json::json;

const TRAIN: [(usize, &str); 4] =
    [(0, "The cat sat on the mat."), (0, "The dog ate the cat's mat!"), (1, "A dog, a DOG and no cat"), (1, "")];
const TEST: [(usize, &str); 2] = [(1, "the bird sat, the dog too; and one two three four"), (0, "bird")];

fn info(classes: usize) -> DatasetInfo {
    let classes = (0..classes).map(|class| format!("class {class}")).collect();
    DatasetInfo { classes, ..Dataset::text_info("pets", "Pets") }
}

fn tokens(vocabulary: usize, length: usize) -> Reading {
    Reading { vocabulary, ..length.into() }
}

fn tfidf(vocabulary: usize) -> Reading {
    Reading { form: DocumentForm::Tfidf, vocabulary, ..1.into() }
}

fn pets(reading: Reading) -> Dataset {
    Dataset::from_documents(info(2), Corpus::new(TRAIN), Corpus::new(TEST), reading).expect("documents")
}

fn row(set: &Dataset, split: Split, example: u32) -> Vec<f32> {
    let part = if split == Split::Test { &set.test } else { &set.train };
    part.x.gather(&[example])
}

/// Frequencies in the training part: the 4, dog 3, a 2, cat 2, mat 2, then and, ate, cat's, no, on, sat.
#[test]
fn rows_of_tokens_are_cut_and_filled_up() {
    let set = pets(tokens(8, 7));
    assert_eq!((set.info.kind, set.info.shape.as_slice(), set.info.train, set.info.test), (DataKind::Documents, &[7][..], 4, 2));
    // 2 the, 3 dog, 4 a, 5 cat, 6 mat, 7 and.
    assert_eq!(row(&set, Split::Train, 0), [2.0, 5.0, 1.0, 1.0, 2.0, 6.0, 0.0], "shorter than a row");
    assert_eq!(row(&set, Split::Train, 2), [4.0, 3.0, 4.0, 3.0, 7.0, 1.0, 5.0], "as long as one");
    assert_eq!(row(&set, Split::Train, 3), [0.0; 7], "nothing");
    assert_eq!(row(&set, Split::Test, 0), [2.0, 1.0, 1.0, 2.0, 3.0, 1.0, 7.0], "longer");
    assert_eq!(row(&set, Split::Test, 1), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "a word of the test part alone is unknown");
    assert_eq!((set.train.y.gather(&[0, 1, 2, 3]), set.test.y.gather(&[0, 1])), (vec![0.0, 0.0, 1.0, 1.0], vec![1.0, 0.0]));
    assert_eq!(row(&pets(tokens(1000, 3)), Split::Train, 1), [2.0, 3.0, 8.0], "more room than words");
}

#[test]
fn stop_words_are_left_out() {
    let set = pets(Reading { stop_words: true, ..tokens(4, 3) });
    // 2 dog, 3 cat; `no` is none of the stop words.
    assert_eq!(row(&set, Split::Train, 2), [2.0, 2.0, 1.0]);
    let document = set.document(Split::Train, 0, 100).expect("a document");
    let kinds: Vec<PieceKind> = document.pieces.iter().map(|piece| piece.kind).filter(|&kind| kind != PieceKind::Between).collect();
    use PieceKind::{Known, LeftOut, Unknown};
    assert_eq!(kinds, [LeftOut, Known, Unknown, LeftOut, LeftOut, Unknown]);
}

/// By scikit-learn 1.7.2: `TfidfVectorizer(max_features=5, token_pattern=r"[^\W_]+(?:'[^\W_]+)*")`, columns in the order of frequency.
#[test]
fn tfidf_is_that_of_scikit_learn() {
    let set = pets(tfidf(5));
    let expected = [
        (Split::Train, 0, [0.8164966, 0.0, 0.0, 0.4082483, 0.4082483]),
        (Split::Train, 1, [0.8164966, 0.4082483, 0.0, 0.0, 0.4082483]),
        (Split::Train, 2, [0.0, 0.5914395, 0.750166, 0.2957198, 0.0]),
        (Split::Train, 3, [0.0, 0.0, 0.0, 0.0, 0.0]),
        (Split::Test, 0, [0.8944272, 0.4472136, 0.0, 0.0, 0.0]),
        (Split::Test, 1, [0.0, 0.0, 0.0, 0.0, 0.0]),
    ];
    for (split, example, expected) in expected {
        let found = row(&set, split, example);
        let same = found.iter().zip(expected).all(|(found, expected): (&f32, f32)| (found - expected).abs() < 1e-6);
        assert!(same && found.len() == 5, "{split:?} {example}: {found:?}, not {expected:?}");
    }
    let wide = pets(tfidf(50));
    assert!(row(&wide, Split::Train, 0)[11..].iter().all(|&weight| weight == 0.0), "columns without a word");
}

#[test]
fn a_document_is_shown_as_the_model_reads_it() {
    let set = pets(tokens(8, 5));
    let document = set.document(Split::Test, 0, 1000).expect("a document");
    let text: String = document.pieces.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!((text.as_str(), document.more), (TEST[0].1, false));
    let words: Vec<(&str, PieceKind, Option<u32>)> = document
        .pieces
        .iter()
        .filter(|piece| piece.kind != PieceKind::Between)
        .map(|piece| (piece.text.as_str(), piece.kind, piece.number))
        .collect();
    assert_eq!(words[..3], [("the", PieceKind::Known, Some(2)), ("bird", PieceKind::Unknown, None), ("sat", PieceKind::Unknown, None)]);
    assert_eq!(words[5], ("too", PieceKind::LeftOut, None), "behind the row");
    let short = set.document(Split::Test, 0, 10).expect("its beginning");
    assert!(short.more && short.pieces.len() == 5, "{short:?}");
    assert_eq!((set.document(Split::Test, 2, 10), Dataset::generated("moons").expect("moons").document(Split::Train, 0, 10)), (None, None));
    assert_eq!(set.document(Split::Train, 3, 10).expect("an empty one").pieces, []);

    let weighed = pets(tfidf(5));
    let pieces = weighed.document(Split::Train, 0, 100).expect("a document").pieces;
    assert_eq!((pieces[0].number, pieces[0].weight), (Some(0), Some(row(&weighed, Split::Train, 0)[0])));
}

/// Counted by hand over the rows of the training part, which the test part has no share in.
#[test]
fn the_vocabulary_is_told_with_counts() {
    let (words, counts) = pets(tokens(8, 7)).vocabulary();
    assert_eq!(words, ["", "", "the", "dog", "a", "cat", "mat", "and"]);
    assert_eq!(counts, [9, 5, 4, 3, 2, 2, 2, 1]);
    let (words, counts) = pets(tfidf(5)).vocabulary();
    assert_eq!((words.join(" "), counts), ("the dog a cat mat".into(), vec![2, 2, 1, 2, 2]), "documents that have the word");
    assert_eq!(Dataset::generated("moons").expect("moons").vocabulary(), (Vec::new(), Vec::new()));
}

#[test]
fn characters_are_the_words_of_chinese() {
    let train = Corpus::new([(0, "质量不错，质量好。"), (1, "不好！")]);
    let set = Dataset::from_documents(info(2), train, Corpus::default(), tokens(20, 6)).expect("documents");
    // 2 不, 3 好, 4 质, 5 量, 6 错 in the order of Unicode among those that occur twice.
    assert_eq!(row(&set, Split::Train, 1), [2.0, 3.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(row(&set, Split::Train, 0), [4.0, 5.0, 2.0, 6.0, 4.0, 5.0]);
}

fn code(made: Result<Dataset, Error>) -> (ErrorCode, Option<String>) {
    let error = made.expect_err("an error");
    (error.code, error.at)
}

#[test]
fn classes_and_options_are_checked() {
    let make = |train: Corpus, test: Corpus, reading| Dataset::from_documents(info(2), train, test, reading);
    let train = || Corpus::new(TRAIN);
    assert_eq!(code(make(Corpus::default(), Corpus::new(TEST), tokens(9, 2))).0, ErrorCode::EmptySplit);
    assert_eq!(code(make(train(), Corpus::new([(2, "no such class")]), tokens(9, 2))).0, ErrorCode::LabelOutOfRange);
    assert_eq!(code(make(Corpus::new([(7, "none")]), Corpus::default(), tokens(9, 2))).0, ErrorCode::LabelOutOfRange);
    for (reading, place) in [
        (tokens(2, 2), "documents.vocabulary"),
        (tokens(9, 0), "documents.length"),
        (tokens(9, 1 << 20), "documents.length"),
        (tfidf(0), "documents.vocabulary"),
        (tfidf(1 << 20), "documents.vocabulary"),
    ] {
        assert_eq!(code(make(train(), Corpus::default(), reading)), (ErrorCode::BadValue, Some(place.into())));
    }
    let only_in_test = make(Corpus::new([(0, "a b"), (0, "c")]), Corpus::new([(1, "a")]), tokens(9, 2)).expect("documents");
    assert_eq!((only_in_test.train.y.gather(&[0, 1]), only_in_test.test.y.gather(&[0])), (vec![0.0; 2], vec![1.0]));
    let nothing = make(Corpus::new([(0, ""), (1, "?!")]), Corpus::default(), tfidf(3)).expect("documents without words");
    assert_eq!(nothing.train.x.gather(&[0, 1]), [0.0; 6]);

    let options = |value: serde_json::Value| DocumentOptions::from_json(&value);
    let given = options(json!({ "form": "tfidf", "vocabulary": 7, "stopWords": true })).expect("options");
    assert_eq!((given.form, given.vocabulary, given.length, given.stop_words), (Some(DocumentForm::Tfidf), Some(7), None, Some(true)));
    for (nonsense, code, at) in [
        (json!({ "form": "bigrams" }), ErrorCode::UnknownName, "documents.form"),
        (json!({ "vocabulary": -1 }), ErrorCode::BadValue, "documents.vocabulary"),
        (json!({ "length": 1.5 }), ErrorCode::BadValue, "documents.length"),
        (json!({ "stopWords": "yes" }), ErrorCode::BadValue, "documents.stopWords"),
        (json!({ "stopwords": true }), ErrorCode::UnknownKey, "documents"),
        (json!(200), ErrorCode::BadValue, "documents"),
    ] {
        let error = options(nonsense).expect_err("nonsense");
        assert_eq!((error.code, error.at.as_deref()), (code, Some(at)), "{error}");
    }
}

const MANIFEST: &str = r#"{ "name": "pets", "title": "Pets", "source": "here", "licence": "none", "kind": "documents", "classes": ["a", "b"],
    "train": { "file": "train.txt.gz", "count": 3, "size": 40 }, "test": { "file": "test.txt.gz", "count": 1, "size": 20 } }"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn read(train: &[u8], test: &[u8]) -> Result<Dataset, Error> {
    let manifest = Manifest::parse(MANIFEST).expect("a manifest");
    Dataset::from_files(&manifest, vec![gzip(train), gzip(test)], tokens(9, 3))
}

#[test]
fn files_are_read_or_refused() {
    let (train, test) = (&b"0\tone cat\n1\ta dog\tand\n0\t\n"[..], &b"1\tcat"[..]);
    let set = read(train, test).expect("documents");
    assert_eq!((set.info.train, set.info.test, set.info.classes.len()), (3, 1, 2));
    assert_eq!((row(&set, Split::Train, 2), row(&set, Split::Test, 0)), (vec![0.0; 3], vec![4.0, 0.0, 0.0]));

    let place = |file: &str| (ErrorCode::BadFile, Some(file.to_owned()));
    assert_eq!(code(read(b"0\tone\n1\ttwo\n", test)), place("train.txt.gz"), "too few");
    assert_eq!(code(read(b"0\tone\n1\ttwo\n0 three\n", test)), place("train.txt.gz"), "no tab");
    assert_eq!(code(read(b"0\tone\n1\ttwo\n-1\tthree\n", test)), place("train.txt.gz"), "no class");
    assert_eq!(code(read(train, b"1\t\xC3\x28")), place("test.txt.gz"), "not UTF-8");
    assert_eq!(code(read(train, &[b'a'; 21])), place("test.txt.gz"), "longer than the manifest says");
    assert_eq!(code(read(b"0\tone\n1\ttwo\n2\tthree\n", test)).0, ErrorCode::LabelOutOfRange);
    let manifest = Manifest::parse(MANIFEST).expect("a manifest");
    let whole = gzip(train);
    for length in 0..whole.len() {
        let cut = Dataset::from_files(&manifest, vec![whole[..length].to_vec(), gzip(test)], 3);
        assert_eq!(code(cut).0, ErrorCode::BadFile, "{length} bytes of {}", whole.len());
    }
    for position in 0..whole.len() {
        let mut other = whole.clone();
        other[position] ^= 0x55;
        let _ = Dataset::from_files(&manifest, vec![other, gzip(test)], 3);
    }
    assert!(Dataset::from_files(&manifest, vec![gzip(train)], 3).is_err(), "one file");
    for (right, wrong, at) in [
        ("\"count\": 3", "\"count\": -3", "dataset.json.train.count"),
        ("\"size\": 20", "\"size\": 1e12", "dataset.json.test.size"),
        ("\"classes\"", "\"groups\"", "dataset.json.classes"),
    ] {
        let error = Manifest::parse(&MANIFEST.replace(right, wrong)).expect_err(wrong);
        assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some(at)));
    }
}

fn model(spec: serde_json::Value) -> ModelSpec {
    ModelSpec::from_json(&spec).expect("a model")
}

#[test]
fn the_model_says_what_the_options_leave_open() {
    let preset = preset("newsgroups-tfidf").expect("the preset").model;
    let read = preset.reading(&DocumentOptions::default());
    assert_eq!((read.form, read.vocabulary, read.stop_words), (DocumentForm::Tfidf, 5000, false));
    let embedding = model(json!({ "input": [200], "layers": [{ "type": "Embedding", "input_dim": 1000, "output_dim": 8 }] }));
    let read = embedding.reading(&DocumentOptions { stop_words: Some(true), ..DocumentOptions::default() });
    assert_eq!(read, Reading { stop_words: true, ..tokens(1000, 200) });
    let other = DocumentOptions { form: Some(DocumentForm::Tfidf), vocabulary: Some(10), length: Some(3), ..DocumentOptions::default() };
    assert_eq!(embedding.reading(&other), Reading { length: 3, ..tfidf(10) });
}

/// Two subjects that one word tells apart: the mean of embedded tokens, and TF-IDF, both learn them, and options that do not fit the model are refused.
#[test]
fn documents_are_learned() {
    let subject = |k: usize| (k % 2, format!("{} {} word{}", if k.is_multiple_of(2) { "ball" } else { "chip" }, k % 7, k % 5));
    let documents: Vec<_> = (0..60).map(subject).collect();
    let corpus = |range: std::ops::Range<usize>| Corpus::new(documents[range].iter().map(|(class, text)| (*class, text.as_str())));
    let embed = json!({ "input": [4], "layers": [{ "type": "Embedding", "input_dim": 9, "output_dim": 6 }, { "type": "Reshape", "target_shape": [4, 1, 6] },
        { "type": "GlobalAveragePooling2D" }, { "type": "Dense", "units": 2, "activation": "softmax" }] });
    let weigh = json!({ "input": [9], "layers": [{ "type": "Dense", "units": 2, "activation": "softmax" }] });
    let open = |spec: &serde_json::Value, options: DocumentOptions| {
        let model = model(spec.clone());
        let data = Dataset::from_documents(info(2), corpus(0..40), corpus(40..60), model.reading(&options))?;
        let settings = Settings {
            model,
            loss: LossSpec::from_json(&json!({ "type": "sparse_categorical_crossentropy" })).expect("a loss"),
            optimizer: OptimizerSpec::from_json(&json!({ "type": "Adam", "learning_rate": 0.05 })).expect("an optimizer"),
            batch_size: 10,
            seed: 1,
            validation_split: 0.0,
            train_examples: None,
        };
        block_on(Session::new(Cpu::new(), settings, Rc::new(data)))
    };
    for spec in [&embed, &weigh] {
        let mut session = open(spec, DocumentOptions::default()).expect("a session");
        let options = RunOptions { steps: Some(80), shuffle: true, ..RunOptions::default() };
        block_on(session.run(options, || 0.0)).expect("training");
        let test = block_on(session.evaluate(Split::Test)).expect("an evaluation");
        assert_eq!(test.accuracy, Some(1.0));
    }
    let wider = DocumentOptions { vocabulary: Some(12), ..DocumentOptions::default() };
    assert_eq!(open(&weigh, wider.clone()).err().expect("12 columns for 9").code, ErrorCode::ShapeMismatch);
    assert_eq!(open(&embed, wider).err().expect("a token beyond the table").code, ErrorCode::TokenOutOfRange);
    let weights = DocumentOptions { form: Some(DocumentForm::Tfidf), vocabulary: Some(4), ..DocumentOptions::default() };
    assert_eq!(open(&embed, weights).err().expect("weights are no tokens").code, ErrorCode::TokenOutOfRange);
}
