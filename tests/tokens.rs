//! Tokens of a text that are longer than a character: words, and what byte-pair encoding learns; by hand, on real texts, and through a model.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use gradscope::backend::Device;
use gradscope::backend::cpu::Cpu;
use gradscope::data::{Dataset, DocumentOptions, Learned, Manifest, Reading, Split, Tokenizer};
use gradscope::error::{Error, ErrorCode};
use gradscope::nn::{ModelSpec, preset};
use gradscope::train::{GenerateOptions, RunOptions, Session, Settings};
use pollster::block_on;
use serde_json::json;

fn reading(tokenizer: Tokenizer, vocabulary: usize, length: usize) -> Reading {
    Reading { tokenizer, vocabulary, ..length.into() }
}

fn read(text: &str, reading: Reading) -> Result<Dataset, Error> {
    Dataset::from_text(Dataset::text_info("text", "A text"), text, reading)
}

fn text(text: &str, tokenizer: Tokenizer, vocabulary: usize) -> Dataset {
    read(text, reading(tokenizer, vocabulary, 4)).expect("a text")
}

/// An installed text as it is written.
fn installed(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    let manifest =
        fs::read_to_string(folder.join("dataset.json")).unwrap_or_else(|error| panic!("{name}: cargo xtask data {name}: {error}"));
    let manifest = Manifest::parse(&manifest).expect("a manifest");
    let packed = fs::read(folder.join(&manifest.files()[0])).expect("its file");
    String::from_utf8(gradscope::data::gunzip(name, &packed, 1 << 26).expect("a text")).expect("UTF-8")
}

fn learned(data: &Dataset) -> Vec<Learned> {
    data.tokenization(usize::MAX).expect("a text").learned
}

fn names<'a>(data: &'a Dataset, tokens: &[u32]) -> Vec<&'a str> {
    tokens.iter().map(|&token| data.info.classes[token as usize].as_str()).collect()
}

/// The vocabulary of Sennrich et al. 2016, section 3.2: low 5, lower 2, newest 6, widest 3. A line each, so that no word has a blank in front of it.
fn lowest() -> String {
    let words = [("low\n", 5), ("lower\n", 2), ("newest\n", 6), ("widest\n", 3)];
    // What is for testing, the last 5 %, is a word of its own.
    words.map(|(word, count)| word.repeat(count)).concat() + "low\n"
}

/// By hand: of e s and s t, both 9, the one with the smaller letter, then es t 9; of l o and o w, both 7, the former, then lo w 7. Of n e, e w and w est,
/// all 6, that with e, then n ew and new est. Of w i, i d and d est, all 3, that with d, then i dest and w idest. At last e r 2 and low er 2.
#[test]
fn merges_are_those_of_the_paper() {
    let data = text(&lowest(), Tokenizer::Bpe, 40);
    assert_eq!(data.info.classes[..11].concat(), "\ndeilnorstw");
    let merges: Vec<(String, usize)> = learned(&data)
        .iter()
        .map(|Learned { token, pair, count }| {
            let [left, right] = pair.expect("a pair");
            let name = [left, right].map(|of| data.info.classes[of].as_str()).join("+");
            assert_eq!(data.info.classes[*token], name.replace('+', ""));
            (name, *count)
        })
        .collect();
    let merges: Vec<(&str, usize)> = merges.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let expected = [("e+s", 9), ("es+t", 9), ("l+o", 7), ("lo+w", 7), ("e+w", 6), ("n+ew", 6), ("new+est", 6)];
    assert_eq!(merges[..7], expected);
    assert_eq!(merges[7..], [("d+est", 3), ("i+dest", 3), ("w+idest", 3), ("e+r", 2), ("low+er", 2)]);
    assert_eq!(data.info.classes.len(), 11 + 12, "no pair is left that is there twice");
    let encoded = |text: &str| names(&data, &data.encode(text).expect("tokens")).join("|");
    assert_eq!(encoded("lowest"), "low|est");
    assert_eq!(encoded("newer\nwider"), "new|er|\n|w|i|d|er");
    assert_eq!(text(&lowest(), Tokenizer::Bpe, 13).info.classes.concat(), "\ndeilnorstwesest", "as many as are asked for");
    assert_eq!(text(&lowest(), Tokenizer::Bpe, 11).info.classes.len(), 11, "or none");
}

#[test]
fn a_blank_goes_with_the_word_behind_it() {
    let data = text(&"the cat, the dog; it's the cat's  mat\n".repeat(30), Tokenizer::Bpe, 200);
    let encoded = |text: &str| names(&data, &data.encode(text).expect("tokens")).join("|");
    assert_eq!(encoded("the cat, the dog"), "the| cat|,| the| dog");
    assert_eq!(encoded(" it's  mat\n"), " it's| | mat|\n");
    assert!(data.info.classes.iter().all(|token| !token.trim_start().contains(' ')), "no token goes over the end of a word");
}

#[test]
fn the_most_frequent_words_are_tokens() {
    let verse = "To be, or not to be: that is the question.\nTo die, to sleep; don't be.\n";
    // In a verse be 3, To 2, to 2, and all others once, of which `or` is the first.
    let data = text(&verse.repeat(20), Tokenizer::Word, 23 + 4);
    assert_eq!(data.tokenization(0).expect("a text").characters, 23);
    assert_eq!(data.info.classes[23..], ["be", "To", "to", "or"]);
    assert_eq!(
        learned(&data).iter().map(|of| (of.token, of.pair, of.count)).collect::<Vec<_>>(),
        [(23, None, 57), (24, None, 38), (25, None, 38), (26, None, 19)]
    );
    let encoded = |text: &str| names(&data, &data.encode(text).expect("tokens")).join("|");
    assert_eq!(encoded("to be, not"), "to| |be|,| |n|o|t", "blanks and signs are characters, and so are the letters of rarer words");
    let all = text(&verse.repeat(20), Tokenizer::Word, 100);
    let encoded = all.encode("don't die").expect("tokens");
    assert_eq!(names(&all, &encoded), ["don't", " ", "die"]);
}

#[test]
fn what_was_cut_is_put_together_again() {
    let beginning: String = installed("shakespeare").chars().take(100_000).collect();
    for tokenizer in [Tokenizer::Character, Tokenizer::Word, Tokenizer::Bpe] {
        let data = text(&beginning, tokenizer, 600);
        let tokens = data.encode(&beginning).expect("tokens");
        assert!(names(&data, &tokens).concat() == beginning, "{tokenizer:?}");
        let told = data.tokenization(3).expect("a text");
        assert_eq!(told.characters + told.learned_in_all, data.info.classes.len());
        assert_eq!(told.learned.len(), if tokenizer == Tokenizer::Character { 0 } else { 3 });
        let distinct: HashSet<&String> = data.info.classes.iter().collect();
        assert_eq!(distinct.len(), data.info.classes.len(), "a text is one token");
        let ratio = beginning.chars().count() as f32 / tokens.len() as f32;
        assert!((told.characters_per_token / ratio - 1.0).abs() < 0.02, "{} but {ratio}", told.characters_per_token);
        assert!(tokenizer == Tokenizer::Character || ratio > 1.5, "{tokenizer:?}: {ratio}");
        // The windows are the same tokens.
        let row = data.train.x.gather(&[0, 4]);
        assert_eq!(row, tokens[..8].iter().map(|&token| token as f32).collect::<Vec<_>>());
    }
}

/// Chinese has no blanks: pieces end at signs, and two characters that stand together often become one token.
#[test]
fn chinese_is_learned_too() {
    let sentence = "话说天下大势，分久必合，合久必分。\n天下之事，必有其势；天下之人，各有其志。\n";
    let data = text(&sentence.repeat(12), Tokenizer::Bpe, 64);
    assert_eq!(data.info.classes.iter().filter(|token| token.as_str() == "天下").count(), 1);
    let tokens = data.encode(sentence).expect("tokens");
    assert!(tokens.len() < sentence.chars().count() && names(&data, &tokens).concat() == sentence);
    let by_word = text(&sentence.repeat(12), Tokenizer::Word, 64);
    assert!(learned(&by_word).is_empty(), "a character is a word");
}

#[test]
fn the_same_text_gives_the_same_tokens() {
    let beginning: String = installed("shakespeare").chars().take(50_000).collect();
    for tokenizer in [Tokenizer::Word, Tokenizer::Bpe] {
        let [one, other] = [(); 2].map(|()| text(&beginning, tokenizer, 700));
        assert!(one == other && one.info.classes.len() == 700, "{tokenizer:?}");
        // What is for testing says nothing of which tokens there are.
        let cut = beginning.chars().count() * 19 / 20;
        let shuffled: String =
            beginning.chars().take(cut + 1).chain(beginning.chars().skip(cut + 1).collect::<Vec<_>>().into_iter().rev()).collect();
        assert_eq!(text(&shuffled, tokenizer, 700).info.classes, one.info.classes);
    }
}

#[test]
fn bounds_and_unknown_characters_are_told() {
    let verse = "abcde fghij\n".repeat(20);
    for tokenizer in [Tokenizer::Word, Tokenizer::Bpe] {
        for vocabulary in [0, 11, 65_537] {
            let error = read(&verse, reading(tokenizer, vocabulary, 4)).expect_err("out of bounds");
            assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some("documents.vocabulary")), "{error}");
            assert_eq!(error.args["expected"], "between 12 and 65536");
        }
        let data = text(&verse, tokenizer, 65_536);
        let error = data.encode("abc\u{301}").expect_err("no accent");
        assert_eq!((error.code, error.args["got"].as_str()), (ErrorCode::UnknownCharacter, "\\u{301}"));
        assert_eq!(data.encode("abcdé").expect_err("beyond the last").code, ErrorCode::UnknownCharacter);
        assert_eq!(data.encode("").expect("nothing"), [0; 0]);
        // Tokens are fewer than characters, and so are windows.
        let error = read(&verse, reading(tokenizer, 100, 200)).expect_err("too short");
        assert_eq!(error.code, ErrorCode::TextTooShort);
        let got: usize = error.args["got"].parse().expect("a number");
        assert_eq!(got, data.encode(&verse).expect("tokens").len());
    }
    // A text without blanks is cut, so that learning it takes no longer than another.
    let data = text(&"ab".repeat(4000), Tokenizer::Bpe, 200);
    assert!(data.info.classes.iter().all(|token| token.len() <= 64));
}

#[test]
fn options_are_read() {
    let options = |value| DocumentOptions::from_json(&value);
    let bpe = options(json!({ "tokenizer": "bpe", "vocabulary": 512 })).expect("options");
    let read = preset("gpt-char").expect("a preset").model.reading(&bpe);
    assert_eq!((read.tokenizer, read.vocabulary, read.length), (Tokenizer::Bpe, 512, 64));
    assert_eq!(options(json!({ "vocabulary": 512 })).expect("options").tokenizer, None);
    let error = options(json!({ "tokenizer": "syllable" })).expect_err("no such");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::UnknownName, Some("documents.tokenizer")));
}

/// A transformer that is much smaller than the preset's, over its kind of windows.
fn small(session_of: Dataset) -> Session<Device> {
    let of = preset("gpt-char").expect("a preset");
    let model = ModelSpec::from_json(&json!({ "input": [16], "layers": [
        { "type": "Embedding", "input_dim": 75, "output_dim": 32 },
        { "type": "PositionEmbedding", "sequence_length": 16 },
        { "type": "Add", "inputs": ["embedding", "position_embedding"] },
        { "type": "LayerNormalization" },
        { "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 16, "use_causal_mask": true },
        { "type": "Add", "inputs": ["add", "multi_head_attention"] },
        { "type": "Dense", "units": 75 }
    ] }))
    .expect("a model")
    .with_vocabulary(session_of.info.classes.len());
    let settings = Settings {
        model,
        loss: of.loss,
        optimizer: gradscope::optim::OptimizerSpec::from_json(&json!({ "type": "Adam", "learning_rate": 0.01 })).expect("an optimizer"),
        batch_size: 12,
        seed: 1,
        validation_split: 0.1,
        train_examples: None,
    };
    block_on(Session::new(Device::Cpu(Cpu::new()), settings, Rc::new(session_of))).expect("a session")
}

#[test]
fn a_model_learns_the_tokens_and_writes_them() {
    let beginning: String = installed("shakespeare").chars().take(60_000).collect();
    let mut session = small(read(&beginning, reading(Tokenizer::Bpe, 300, 16)).expect("a text"));
    let options = RunOptions { steps: Some(150), shuffle: true, ..RunOptions::default() };
    let losses = block_on(session.run(options, || 0.0)).expect("training").0.losses;
    let late = losses[140..].iter().sum::<f32>() / 10.0;
    assert!((losses[0] - 300f32.ln()).abs() < 1.0 && late < 0.8 * losses[0], "{} to {late}", losses[0]);

    let evaluation = block_on(session.evaluate(Split::Validation)).expect("an evaluation");
    let (part, first) = session.part_of(Split::Validation);
    let count = session.count(Split::Validation);
    let characters: usize = (first..first + count)
        .flat_map(|example| part.y.gather(&[part.row(example) as u32]))
        .map(|token| session.data().info.classes[token as usize].chars().count())
        .sum();
    let ratio = characters as f32 / (count * 16) as f32;
    assert_eq!(evaluation.characters_per_token, Some(ratio));
    assert!(ratio > 1.3, "{ratio} characters a token");

    let prompt = session.data().encode("First Citizen:\n").expect("tokens");
    let options = GenerateOptions { tokens: 30, temperature: 0.8, top_k: None, top_p: None, seed: 1, candidates: 3 };
    let written = block_on(session.generate(&prompt, &options)).expect("a text");
    for of in &written {
        assert_eq!(of.text.as_deref(), Some(session.data().info.classes[of.token].as_str()));
    }
    assert!(written.iter().any(|of| of.text.as_ref().is_some_and(|text| text.chars().count() > 1)), "pieces of several characters");
}

/// Texts of characters say so, too; other data have no tokens.
#[test]
fn characters_are_one_each() {
    let data = text(&lowest(), Tokenizer::Character, 1);
    let told = data.tokenization(5).expect("a text");
    assert_eq!((told.characters, told.characters_per_token, told.learned.len()), (11, 1.0, 0));
    let data = Dataset::generated("moons").expect("data");
    assert!(data.tokenization(5).is_none() && data.characters_per_token(&data.test, 0..4).is_none());
}
