//! Labelled texts as a data set: a row is a document's first words by number, or the TF-IDF weights of all words of a vocabulary.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde_json::Value;

use super::idx::bad_file;
use super::words::{normalise, stop_words, words};
use super::{Column, DataKind, Dataset, DatasetInfo, Part, Split, Tokenizer};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, deserialize_from_json, out_of_range};

/// Largest vocabulary and longest row of tokens.
pub(super) const MOST: usize = 1 << 16;
/// What stands behind the end of a document that is shorter than a row.
pub const PADDING: u32 = 0;
/// A word that the vocabulary does not hold.
pub const UNKNOWN: u32 = 1;
/// Tokens that are no words.
const RESERVED: usize = 2;

asked! {
    /// What a row says of a document.
    #[derive(Copy, Eq, Default)]
    pub enum DocumentForm {
        /// Its first words in order, by number: 0 is padding behind the end, 1 any word that the vocabulary does not hold, 2 the most frequent word
        /// (Keras's `TextVectorization`, `output_mode="int"`).
        #[default]
        Tokens,
        /// How often it has each word of the vocabulary, times how rare that word is, ln((1 + n) / (1 + documents with it)) + 1, as a vector of
        /// length 1 (scikit-learn's `TfidfVectorizer`); column 0 is the most frequent word.
        Tfidf,
    }
}

wire! {
    /// How labelled documents become rows, and a text tokens; what is not given is what the model reads.
    #[derive(Default)]
    pub struct DocumentOptions {
        /// Tokens for a model that begins with an embedding, else TF-IDF.
        pub form: Option<DocumentForm>,
        /// Size of the vocabulary, the most frequent words of the training part: as tokens the two that are no words included, as in Keras. The
        /// embedding's `input_dim`, or the width of the model's input.
        pub vocabulary: Option<usize>,
        /// Words of a document that are tokens; the width of the model's input.
        pub length: Option<usize>,
        /// Whether frequent English words that say little are left out; they stay by default.
        pub stop_words: Option<bool>,
        /// What the tokens of one text are; its characters by default. The vocabulary holds these, and all that is learned beside them.
        pub tokenizer: Option<Tokenizer>,
    }

    /// What a piece of a document is to the model.
    #[derive(Copy, Eq)]
    pub enum PieceKind {
        /// Blanks and punctuation.
        Between,
        /// A word of the vocabulary.
        Known,
        /// A word that is none.
        Unknown,
        /// A stop word, or a word behind the end of the row.
        LeftOut,
    }

    /// A piece of a document.
    pub struct Piece {
        /// As it is written.
        pub text: String,
        /// What it is to the model.
        pub kind: PieceKind,
        /// Where it is in the vocabulary: the token, or the column of a TF-IDF row.
        pub number: Option<u32>,
        /// TF-IDF: its weight in this document.
        pub weight: Option<f32>,
    }

    /// A document in pieces.
    pub struct Document {
        /// Words and what is between them.
        pub pieces: Vec<Piece>,
        /// Whether the document goes on behind them.
        pub more: bool,
    }
}

impl DocumentOptions {
    /// Reads options; a wrong key or value is named.
    pub fn from_json(value: &Value) -> Result<Self> {
        let mut fields = Fields::new(value, "documents", "documents")?;
        let options = Self {
            form: fields.optional("form")?.flatten(),
            vocabulary: fields.optional("vocabulary")?.flatten(),
            length: fields.optional("length")?.flatten(),
            stop_words: fields.optional("stopWords")?.flatten(),
            tokenizer: fields.optional("tokenizer")?.flatten(),
        };
        fields.finish()?;
        Ok(options)
    }
}

deserialize_from_json!(DocumentOptions);

/// How texts become rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What a row says of a labelled document.
    pub form: DocumentForm,
    /// Size of the vocabulary.
    pub vocabulary: usize,
    /// Tokens of a row: words of a document, or the tokens that a window of a text has.
    pub length: usize,
    /// Whether stop words are left out.
    pub stop_words: bool,
    /// What the tokens of one text are.
    pub tokenizer: Tokenizer,
}

/// Windows of so many characters, or as many words.
impl From<usize> for Reading {
    fn from(length: usize) -> Self {
        Self { form: DocumentForm::Tokens, vocabulary: 1000, length, stop_words: false, tokenizer: Tokenizer::Character }
    }
}

impl Reading {
    /// Width of a row.
    pub fn width(&self) -> usize {
        match self.form {
            DocumentForm::Tokens => self.length,
            DocumentForm::Tfidf => self.vocabulary,
        }
    }

    fn check(&self) -> Result<()> {
        let least = if self.form == DocumentForm::Tokens { RESERVED + 1 } else { 1 };
        for (name, least, number) in [("vocabulary", least, self.vocabulary), ("length", 1, self.length)] {
            if !(least..=MOST).contains(&number) {
                return Err(out_of_range(name, &format!("between {least} and {MOST}"), number).at(format!("documents.{name}")));
            }
        }
        Ok(())
    }
}

/// The documents of a part with their classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Corpus {
    text: String,
    places: Vec<Range<usize>>,
    classes: Vec<f32>,
}

impl Corpus {
    /// Documents and classes one by one.
    pub fn new<'a>(documents: impl IntoIterator<Item = (usize, &'a str)>) -> Self {
        let mut corpus = Self::default();
        for (class, document) in documents {
            let start = corpus.text.len();
            corpus.text.push_str(document);
            corpus.places.push(start..corpus.text.len());
            corpus.classes.push(class as f32);
        }
        corpus
    }

    /// Reads a file of so many lines.
    pub(super) fn parse(file: &str, bytes: Vec<u8>, count: usize) -> Result<Self> {
        let corpus = Self::read(file, bytes)?;
        match corpus.len() == count {
            true => Ok(corpus),
            false => Err(bad_file(file, "documents", &format!("it holds {} documents where the manifest says {count}", corpus.len()))),
        }
    }

    /// Reads a file of lines, each the number of a class, a tab and the document.
    pub(super) fn read(file: &str, bytes: Vec<u8>) -> Result<Self> {
        let bad = |reason: &str| bad_file(file, "documents", reason);
        let text = String::from_utf8(bytes).map_err(|error| bad_file(file, "UTF-8", &error.to_string()))?;
        let (mut places, mut classes) = (Vec::new(), Vec::new());
        let mut at = 0;
        for line in text.split_terminator('\n') {
            let class = line.split_once('\t').and_then(|(class, _)| Some((class.len(), class.parse::<u16>().ok()?)));
            let (digits, class) = class.ok_or_else(|| bad(&format!("line {} does not begin with a class and a tab", places.len() + 1)))?;
            places.push(at + digits + 1..at + line.len());
            classes.push(f32::from(class));
            at += line.len() + 1;
        }
        Ok(Self { text, places, classes })
    }

    /// Takes the documents from number `at` on off.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let start = self.places.get(at).map_or(self.text.len(), |place| place.start);
        let place = |place: &Range<usize>| place.start - start..place.end - start;
        let places = self.places.split_off(at).iter().map(place).collect();
        Self { text: self.text.split_off(start), places, classes: self.classes.split_off(at) }
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn get(&self, index: usize) -> &str {
        self.places.get(index).map_or("", |place| &self.text[place.clone()])
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// What a word is to a vocabulary.
enum Word {
    Stop,
    Known(u32),
    Unknown,
}

/// The most frequent words of the training part, by number.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    reading: Reading,
    numbers: HashMap<String, u32>,
    stop: HashSet<&'static str>,
    /// How rare each word is, for TF-IDF.
    idf: Vec<f64>,
}

/// Counts of a word: occurrences, documents, and the last document that had it.
#[derive(Default)]
struct Count {
    all: usize,
    documents: usize,
    last: usize,
}

impl Vocabulary {
    /// Learns the words of these documents; of words that are equally frequent, those that come first in the order of Unicode.
    fn fit(reading: Reading, corpus: &Corpus) -> Self {
        let stop = if reading.stop_words { stop_words().collect() } else { HashSet::new() };
        let mut counts: HashMap<String, Count> = HashMap::new();
        let mut word = String::new();
        for (index, document) in corpus.iter().enumerate() {
            for place in words(document) {
                normalise(&document[place], &mut word);
                if stop.contains(word.as_str()) {
                    continue;
                }
                if !counts.contains_key(&word) {
                    counts.insert(word.clone(), Count::default());
                }
                let Some(count) = counts.get_mut(&word) else { continue };
                count.all += 1;
                count.documents += usize::from(count.last != index + 1);
                count.last = index + 1;
            }
        }
        let mut counts: Vec<(String, Count)> = counts.into_iter().collect();
        counts.sort_unstable_by(|(a, x), (b, y)| Reverse(x.all).cmp(&Reverse(y.all)).then_with(|| a.cmp(b)));
        let first = if reading.form == DocumentForm::Tokens { RESERVED } else { 0 };
        counts.truncate(reading.vocabulary - first);
        let idf = |count: &Count| ((1.0 + corpus.len() as f64) / (1.0 + count.documents as f64)).ln() + 1.0;
        let idf = counts.iter().map(|(_, count)| idf(count)).collect();
        let numbers = counts.into_iter().zip(first as u32..).map(|((word, _), number)| (word, number)).collect();
        Self { reading, numbers, stop, idf }
    }

    fn look_up(&self, word: &str, normal: &mut String) -> Word {
        normalise(word, normal);
        match self.numbers.get(normal) {
            Some(&number) => Word::Known(number),
            None if self.stop.contains(normal.as_str()) => Word::Stop,
            None => Word::Unknown,
        }
    }

    /// The words of a document that are no stop words; `None` is one that is unknown.
    fn counted<'a>(&'a self, document: &'a str) -> impl Iterator<Item = Option<u32>> + 'a {
        let mut normal = String::new();
        words(document).filter_map(move |place| match self.look_up(&document[place], &mut normal) {
            Word::Stop => None,
            Word::Known(number) => Some(Some(number)),
            Word::Unknown => Some(None),
        })
    }

    fn tokens<'a>(&'a self, document: &'a str) -> impl Iterator<Item = u32> + 'a {
        let tokens = self.counted(document).map(|number| number.unwrap_or(UNKNOWN));
        tokens.chain(std::iter::repeat(PADDING)).take(self.reading.length)
    }

    /// Adds the weights of a document to a row of zeros.
    fn weigh(&self, document: &str, row: &mut [f32]) {
        let mut counts: HashMap<u32, f64> = HashMap::new();
        self.counted(document).flatten().for_each(|number| *counts.entry(number).or_default() += 1.0);
        let mut weights: Vec<(u32, f64)> = counts.into_iter().map(|(number, count)| (number, count * self.idf[number as usize])).collect();
        // In one order, so that the sum has the same bits each time.
        weights.sort_unstable_by_key(|&(number, _)| number);
        let length = weights.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        weights.into_iter().for_each(|(number, weight)| row[number as usize] = (weight / length) as f32);
    }

    fn part(&self, corpus: &Corpus) -> Result<Part> {
        let (reading, count) = (self.reading, corpus.len());
        let mut cells: Vec<f32> = Vec::new();
        let bytes = count as f64 * reading.width() as f64 * 4.0;
        let room = count.checked_mul(reading.width()).is_some_and(|all| cells.try_reserve_exact(all).is_ok());
        if !room {
            return Err(Error::new(ErrorCode::OutOfMemory, &[("bytes", &bytes), ("what", &"the documents' rows")]));
        }
        for document in corpus.iter() {
            match reading.form {
                DocumentForm::Tokens => cells.extend(self.tokens(document).map(|token| token as f32)),
                DocumentForm::Tfidf => {
                    let start = cells.len();
                    cells.resize(start + reading.width(), 0.0);
                    self.weigh(document, &mut cells[start..]);
                }
            }
        }
        Part::new(Column::floats(&[reading.width()], cells), Column::floats(&[], corpus.classes.clone()), count)
    }
}

/// What rows were made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Documents {
    vocabulary: Vocabulary,
    train: Corpus,
    test: Corpus,
}

impl Documents {
    /// What a row says of a document.
    pub(super) fn form(&self) -> DocumentForm {
        self.vocabulary.reading.form
    }

    /// The words by number; padding and what is unknown are empty.
    pub(super) fn words(&self) -> Vec<String> {
        let numbers = &self.vocabulary.numbers;
        let first = if self.form() == DocumentForm::Tokens { RESERVED } else { 0 };
        let mut words = vec![String::new(); first + numbers.len()];
        numbers.iter().for_each(|(word, &number)| words[number as usize].clone_from(word));
        words
    }

    /// The word that a token stands for; none for padding and what is unknown.
    pub fn word(&self, token: u32) -> Option<&str> {
        self.vocabulary.numbers.iter().find(|(_, number)| **number == token).map(|(word, _)| word.as_str())
    }
}

impl Dataset {
    /// Labelled documents; the words are learned from the training part alone. An error where that is empty or a class is none of `info.classes`.
    pub fn from_documents(info: DatasetInfo, train: Corpus, test: Corpus, reading: Reading) -> Result<Self> {
        reading.check()?;
        if train.is_empty() {
            return Err(Error::new(ErrorCode::EmptySplit, &[("split", &Split::Train.name())]));
        }
        let vocabulary = Vocabulary::fit(reading, &train);
        let parts = [vocabulary.part(&train)?, vocabulary.part(&test)?];
        parts.iter().try_for_each(|part| part.check_labels(info.classes.len()))?;
        let [train_part, test_part] = parts;
        let shape = vec![reading.width()];
        let info = DatasetInfo { kind: DataKind::Documents, train: train.len(), test: test.len(), shape, ..info };
        Ok(Self { info, train: train_part, test: test_part, documents: Some(Documents { vocabulary, train, test }.into()), encoding: None })
    }

    /// About the first `most` bytes of a document in pieces; none where the data are no documents or there is no such example in the part.
    pub fn document(&self, split: Split, example: usize, most: usize) -> Option<Document> {
        let Documents { vocabulary, train, test } = self.documents.as_deref()?;
        let (corpus, part) = if split == Split::Test { (test, &self.test) } else { (train, &self.train) };
        let text = corpus.places.get(example).map(|_| corpus.get(example))?;
        let weight = |number: u32| match vocabulary.reading.form {
            DocumentForm::Tokens => None,
            DocumentForm::Tfidf => Some(part.x.value(example, number as usize)),
        };
        let room = if vocabulary.reading.form == DocumentForm::Tokens { vocabulary.reading.length } else { usize::MAX };
        let (mut pieces, mut counted, mut normal, mut at) = (Vec::new(), 0, String::new(), 0);
        let piece = |text: &str, kind, number: Option<u32>| Piece { text: text.into(), kind, number, weight: number.and_then(weight) };
        for place in words(text) {
            if place.start >= most {
                break;
            }
            if at < place.start {
                pieces.push(piece(&text[at..place.start], PieceKind::Between, None));
            }
            at = place.end;
            let word = &text[place];
            let (kind, number) = match vocabulary.look_up(word, &mut normal) {
                Word::Stop => (PieceKind::LeftOut, None),
                _ if counted >= room => (PieceKind::LeftOut, None),
                Word::Known(number) => (PieceKind::Known, Some(number)),
                Word::Unknown => (PieceKind::Unknown, None),
            };
            counted += usize::from(kind != PieceKind::LeftOut);
            pieces.push(piece(word, kind, number));
        }
        let more = words(&text[at..]).next().is_some();
        if !more && at < text.len() {
            pieces.push(piece(&text[at..], PieceKind::Between, None));
        }
        Some(Document { pieces, more })
    }
}
