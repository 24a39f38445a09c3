//! Tasks from one short text to another, made by rule: what is to be learned is the rule. A row of `x` is the source, filled up with [`PADDING`],
//! then [`START`] and the target less its last token: what the decoder has read when it says the next. A row of `y` is the target with its
//! [`END`], filled up in the same places.

use super::{Column, DataKind, Dataset, DatasetInfo, PADDING, Part};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::tensor::Rng;

/// Token in front of every target.
pub const START: u32 = 1;
/// Token behind every target.
pub const END: u32 = 2;
/// Signs that stand for padding, start and end.
const SIGNS: [&str; 3] = ["·", "▸", "■"];

/// Pairs to train on, and to test on.
const COUNTS: [usize; 2] = [40_000, 2_000];
/// Of so many different sources one is for testing.
const PARTS: u32 = 20;

/// A task's texts and how they are drawn.
pub(super) struct Task {
    pub name: &'static str,
    title: &'static str,
    /// Every character, in the order of their tokens.
    characters: &'static [u8],
    /// Longest source, and longest target with its end.
    lengths: [usize; 2],
    /// Draws a source and the target that belongs to it, in ASCII.
    draw: fn(&mut Rng) -> [Vec<u8>; 2],
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

pub(super) const TASKS: &[Task] = &[
    Task { name: "reverse", title: "Letters, to be reversed", characters: LETTERS, lengths: [10, 11], draw: reverse },
    Task { name: "copy", title: "Letters, to be copied", characters: LETTERS, lengths: [10, 11], draw: copy },
    Task { name: "sort", title: "Letters, to be sorted", characters: LETTERS, lengths: [10, 11], draw: sort },
    Task { name: "parity", title: "Bits: is the number of ones so far odd?", characters: b"01", lengths: [16, 17], draw: parity },
    Task { name: "addition", title: "Sums of two numbers", characters: b"0123456789+", lengths: [7, 5], draw: add },
    Task {
        name: "dates",
        title: "Dates, to be written as ISO 8601",
        characters: b"0123456789-., ADFJMNOSabceghilmnoprstuvy",
        lengths: [18, 11],
        draw: date,
    },
];

/// Between 1 and 10 letters.
fn letters(rng: &mut Rng) -> Vec<u8> {
    let count = 1 + rng.below(10);
    (0..count).map(|_| LETTERS[rng.below(LETTERS.len())]).collect()
}

fn reverse(rng: &mut Rng) -> [Vec<u8>; 2] {
    let source = letters(rng);
    let mut target = source.clone();
    target.reverse();
    [source, target]
}

fn copy(rng: &mut Rng) -> [Vec<u8>; 2] {
    let source = letters(rng);
    [source.clone(), source]
}

fn sort(rng: &mut Rng) -> [Vec<u8>; 2] {
    let (source, mut target) = (letters(rng), Vec::new());
    for letter in LETTERS {
        for of in &source {
            if of == letter {
                target.push(*of);
            }
        }
    }
    [source, target]
}

/// Between 1 and 16 bits, and the parity of each beginning of them, so that the last answer is that of all.
fn parity(rng: &mut Rng) -> [Vec<u8>; 2] {
    let count = 1 + rng.below(16);
    let (mut source, mut target, mut odd) = (Vec::new(), Vec::new(), 0);
    for _ in 0..count {
        let bit = rng.below(2);
        odd ^= bit;
        number(&mut source, bit, 1);
        number(&mut target, odd, 1);
    }
    [source, target]
}

/// Appends a number in at least so many digits.
fn number(text: &mut Vec<u8>, value: usize, digits: usize) {
    if value > 9 || digits > 1 {
        number(text, value / 10, digits.saturating_sub(1));
    }
    text.push(b'0' + (value % 10) as u8);
}

#[inline(never)]
fn say(text: &mut Vec<u8>, more: &[u8]) {
    text.extend_from_slice(more);
}

/// Two numbers of one to three digits.
fn add(rng: &mut Rng) -> [Vec<u8>; 2] {
    let (mut source, mut target, mut sum) = (Vec::new(), Vec::new(), 0);
    for place in 0..2 {
        if place > 0 {
            source.push(b'+');
        }
        let most = [10, 100, 1000][rng.below(3)];
        let value = rng.below(most);
        number(&mut source, value, 1);
        sum += value;
    }
    number(&mut target, sum, 1);
    [source, target]
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// A day of the years 1900 to 2099 as in 3 March 2021, 3 Mar 2021, March 3, 2021, Mar 3, 2021 or 03.03.2021.
fn date(rng: &mut Rng) -> [Vec<u8>; 2] {
    let (year, month) = (1900 + rng.below(200), 1 + rng.below(12));
    let days = match month {
        2 if year % 4 == 0 && year != 1900 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let (day, form) = (1 + rng.below(days), rng.below(5));
    let name = MONTHS[month - 1].as_bytes();
    let name = if form % 2 == 0 { name } else { &name[..3] };
    let (mut source, mut target) = (Vec::new(), Vec::new());
    if form < 2 {
        number(&mut source, day, 1);
        say(&mut source, b" ");
        say(&mut source, name);
        say(&mut source, b" ");
    } else if form < 4 {
        say(&mut source, name);
        say(&mut source, b" ");
        number(&mut source, day, 1);
        say(&mut source, b", ");
    } else {
        number(&mut source, day, 2);
        say(&mut source, b".");
        number(&mut source, month, 2);
        say(&mut source, b".");
    }
    number(&mut source, year, 4);
    number(&mut target, year, 4);
    say(&mut target, b"-");
    number(&mut target, month, 2);
    say(&mut target, b"-");
    number(&mut target, day, 2);
    [source, target]
}

impl Task {
    /// What is said of it; nothing is drawn for that.
    pub fn info(&self) -> DatasetInfo {
        let mut info = Dataset::text_info(self.name, self.title);
        info.kind = DataKind::Pairs;
        info.source.push_str("generated");
        [info.train, info.test] = COUNTS;
        info.shape.push(self.lengths[0] + self.lengths[1]);
        SIGNS.iter().for_each(|&sign| info.classes.push(sign.into()));
        self.characters.iter().for_each(|&letter| info.classes.push(char::from(letter).into()));
        info
    }

    /// Draws pairs until both parts are full. Which part a pair belongs to is decided by its source, so that no source is in both.
    pub fn dataset(&self) -> Dataset {
        let [source, target] = self.lengths;
        let mut columns: [[Vec<u8>; 2]; 2] = Default::default();
        let mut number = 0;
        while (0..2).any(|part| columns[part][1].len() < COUNTS[part] * target) {
            let [mut given, mut wanted] = (self.draw)(&mut Rng::new(1, number));
            number += 1;
            let part = usize::from(hash(&given).is_multiple_of(PARTS));
            let [x, y] = &mut columns[part];
            if y.len() == COUNTS[part] * target {
                continue;
            }
            self.encode(&mut given);
            self.encode(&mut wanted);
            put(x, &given, source);
            x.push(START as u8);
            put(x, &wanted, target - 1);
            wanted.push(END as u8);
            put(y, &wanted, target);
        }
        let part = |[x, y]: [Vec<u8>; 2]| Part {
            count: y.len() / target,
            x: Column::bytes(&[source + target], x),
            y: Column::bytes(&[target], y),
            step: 1,
        };
        let [train, test] = columns;
        Dataset { info: self.info(), train: part(train), test: part(test), documents: None, encoding: None }
    }

    /// Letters become their tokens.
    #[inline(never)]
    fn encode(&self, text: &mut [u8]) {
        for letter in text {
            let place = self.characters.iter().position(|known| known == letter);
            *letter = place.map_or(PADDING as u8, |place| (place + SIGNS.len()) as u8);
        }
    }
}

/// Appends tokens, filled up to so many.
fn put(column: &mut Vec<u8>, tokens: &[u8], width: usize) {
    let end = column.len() + width;
    column.extend_from_slice(tokens);
    column.resize(end, PADDING as u8);
}

/// FNV-1a, its upper half.
fn hash(text: &[u8]) -> u32 {
    text.iter().fold(0x811C_9DC5u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) >> 16
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
        let mut row = Vec::with_capacity(longest + target);
        for c in source.chars() {
            let place = self.info.classes.iter().skip(SIGNS.len()).position(|class| class.chars().eq([c]));
            row.push((SIGNS.len() + place.ok_or_else(|| super::encoding::unknown(c))?) as f32);
        }
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
