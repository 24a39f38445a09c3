//! Tasks from one short text to another, made by rule: what is to be learned is the rule. A row of `x` is the source, filled up with [`PADDING`],
//! then [`START`] and the target less its last token: what the decoder has read when it says the next. A row of `y` is the target with its
//! [`END`], filled up in the same places.

use std::fmt::Write;

use super::{Column, DataKind, Dataset, DatasetInfo, PADDING, Part};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::tensor::Rng;

/// Token in front of every target.
pub const START: u32 = 1;
/// Token behind every target.
pub const END: u32 = 2;
/// Signs that stand for padding, start and end.
const SIGNS: [char; 3] = ['·', '▸', '■'];

/// Pairs to train on, and to test on.
const COUNTS: [usize; 2] = [40_000, 2_000];
/// Of so many different sources one is for testing.
const PARTS: u32 = 20;

/// A task's texts and how they are drawn.
pub(super) struct Task {
    pub name: &'static str,
    title: &'static str,
    /// Every character, in the order of their tokens.
    characters: &'static str,
    /// Longest source, and longest target with its end.
    lengths: [usize; 2],
    /// Draws a source and the target that belongs to it.
    draw: fn(&mut Rng, &mut [String; 2]),
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

pub(super) const TASKS: &[Task] = &[
    Task { name: "reverse", title: "Letters, to be reversed", characters: LETTERS, lengths: [10, 11], draw: reverse },
    Task { name: "sort", title: "Letters, to be sorted", characters: LETTERS, lengths: [10, 11], draw: sort },
    Task { name: "addition", title: "Sums of two numbers", characters: "0123456789+", lengths: [7, 5], draw: add },
    Task {
        name: "dates",
        title: "Dates, to be written as ISO 8601",
        characters: "0123456789-., ADFJMNOSabceghilmnoprstuvy",
        lengths: [18, 11],
        draw: date,
    },
];

/// Between 1 and 10 letters.
fn letters(rng: &mut Rng) -> Vec<u8> {
    let count = 1 + rng.below(10);
    (0..count).map(|_| LETTERS.as_bytes()[rng.below(LETTERS.len())]).collect()
}

fn text(letters: &[u8]) -> String {
    letters.iter().map(|&letter| char::from(letter)).collect()
}

fn reverse(rng: &mut Rng, pair: &mut [String; 2]) {
    let mut letters = letters(rng);
    pair[0] = text(&letters);
    letters.reverse();
    pair[1] = text(&letters);
}

fn sort(rng: &mut Rng, pair: &mut [String; 2]) {
    let letters = letters(rng);
    pair[0] = text(&letters);
    pair[1] = LETTERS.bytes().flat_map(|letter| letters.iter().filter(move |&&of| of == letter)).map(|&letter| char::from(letter)).collect();
}

/// Two numbers of one to three digits.
fn add(rng: &mut Rng, [source, target]: &mut [String; 2]) {
    let [a, b] = [(); 2].map(|()| {
        let digits = 1 + rng.below(3);
        rng.below([10, 100, 1000][digits - 1])
    });
    // Writing to a string cannot fail.
    let _ = write!(source, "{a}+{b}");
    let _ = write!(target, "{}", a + b);
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// A day of the years 1900 to 2099 in one of five forms.
fn date(rng: &mut Rng, [source, target]: &mut [String; 2]) {
    let (year, month) = (1900 + rng.below(200), 1 + rng.below(12));
    let days = match month {
        2 if year % 4 == 0 && year != 1900 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = 1 + rng.below(days);
    let name = MONTHS[month - 1];
    let short = &name[..3];
    // Writing to a string cannot fail.
    let _ = match rng.below(5) {
        0 => write!(source, "{day} {name} {year}"),
        1 => write!(source, "{name} {day}, {year}"),
        2 => write!(source, "{day} {short} {year}"),
        3 => write!(source, "{short} {day}, {year}"),
        _ => write!(source, "{day:02}.{month:02}.{year}"),
    };
    let _ = write!(target, "{year}-{month:02}-{day:02}");
}

impl Task {
    /// What is said of it; nothing is drawn for that.
    pub fn info(&self) -> DatasetInfo {
        DatasetInfo {
            name: self.name.into(),
            title: self.title.into(),
            kind: DataKind::Pairs,
            installed: true,
            source: "generated".into(),
            licence: String::new(),
            train: COUNTS[0],
            test: COUNTS[1],
            shape: vec![self.lengths.iter().sum()],
            classes: SIGNS.into_iter().chain(self.characters.chars()).map(String::from).collect(),
        }
    }

    /// Draws pairs until both parts are full. Which part a pair belongs to is decided by its source, so that no source is in both.
    pub fn dataset(&self) -> Dataset {
        let [source, target] = self.lengths;
        let mut columns: [[Vec<u8>; 2]; 2] = Default::default();
        let full = |columns: &[[Vec<u8>; 2]; 2], part: usize| columns[part][1].len() >= COUNTS[part] * target;
        let mut pair = [String::new(), String::new()];
        for number in 0.. {
            if full(&columns, 0) && full(&columns, 1) {
                break;
            }
            pair.iter_mut().for_each(String::clear);
            (self.draw)(&mut Rng::new(1, number), &mut pair);
            let part = usize::from(hash(&pair[0]) % PARTS == 0);
            if full(&columns, part) {
                continue;
            }
            let [x, y] = &mut columns[part];
            let [of_source, of_target] = pair.each_ref().map(|text| text.chars().map(|c| self.token(c)));
            let filled = |tokens: &mut Vec<u8>, to: usize| tokens.resize(tokens.len().next_multiple_of(to), PADDING as u8);
            let before = x.len();
            x.extend(of_source);
            x.resize(before + source, PADDING as u8);
            x.push(START as u8);
            x.extend(of_target.clone());
            filled(x, source + target);
            y.extend(of_target.chain([END as u8]));
            filled(y, target);
        }
        let [train, test] = columns.map(|[x, y]| Part {
            count: y.len() / target,
            x: Column::bytes(&[source + target], x),
            y: Column::bytes(&[target], y),
            step: 1,
        });
        Dataset { info: self.info(), train, test, documents: None }
    }

    fn token(&self, character: char) -> u8 {
        let place = self.characters.chars().position(|known| known == character);
        place.map_or(PADDING as u8, |place| (place + SIGNS.len()) as u8)
    }
}

/// FNV-1a, its upper half.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) >> 16
}

impl Dataset {
    /// Longest source and longest target of a set of pairs.
    pub fn lengths(&self) -> Option<[usize; 2]> {
        let target = self.train.y.width();
        (self.info.kind == DataKind::Pairs).then(|| [self.train.x.width().saturating_sub(target), target])
    }

    /// The row of a source whose answer so far is given: an error if it has no character, too many, or one that the data do not know.
    pub fn encode_pair(&self, source: &str, answer: &[u32]) -> Result<Vec<f32>> {
        let [longest, target] = self.lengths().unwrap_or_default();
        let known = self.info.classes.get(SIGNS.len()..).unwrap_or_default();
        let token = |c: char| {
            let place = known.iter().position(|class| class.chars().eq([c]));
            place.map(|place| (place + SIGNS.len()) as f32).ok_or_else(|| super::text::unknown(c))
        };
        let mut row = source.chars().map(token).collect::<Result<Vec<f32>>>()?;
        if row.is_empty() {
            return Err(out_of_range("source", "at least one character", "none").at("source"));
        }
        if row.len() > longest {
            return Err(Error::new(ErrorCode::TooLarge, &[("most", &longest), ("what", &"characters")]).at("source"));
        }
        row.resize(longest, PADDING as f32);
        row.push(START as f32);
        row.extend(answer.iter().take(target.saturating_sub(1)).map(|&token| token as f32));
        row.resize(longest + target, PADDING as f32);
        Ok(row)
    }
}
