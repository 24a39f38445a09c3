//! A text as a data set: its characters are the classes, and an example is a window of them, whose labels are the same window one further.

use super::{Column, DataKind, Dataset, DatasetInfo, Part};
use crate::error::{Error, ErrorCode, Result};
use crate::tensor::Cells;

/// Share of a text, at its end, that is for testing.
const TEST: f64 = 0.05;

impl Dataset {
    /// A text whose tokens are its characters, numbered in the order of Unicode; `info.classes` becomes the list of them. The last 5 % are the
    /// test part. An example is a window of `context` characters, and no two examples share one; training may begin a window anywhere
    /// ([`Part::step`]). An error where a part of the text is shorter than a window.
    pub fn from_text(info: DatasetInfo, text: &str, context: usize) -> Result<Self> {
        if context == 0 {
            return Err(crate::fields::out_of_range("context", "at least 1", context));
        }
        let text = text.trim_start_matches('\u{feff}');
        // By character: its number, once it is known which there are.
        let mut numbers = vec![u32::MAX; char::MAX as usize + 1];
        text.chars().for_each(|c| numbers[c as usize] = 0);
        let characters: Vec<char> = ('\0'..=char::MAX).filter(|&c| numbers[c as usize] == 0).collect();
        characters.iter().zip(0..).for_each(|(&c, number)| numbers[c as usize] = number);
        let tokens: Vec<u32> = text.chars().map(|c| numbers[c as usize]).collect();
        let length = tokens.len();
        let cut = length - (length as f64 * TEST) as usize;
        let [train, test] = [&tokens[..cut], &tokens[cut..]].map(|tokens| windows(tokens, characters.len(), context));
        if train.count == 0 {
            let needs = ((context + 1) as f64 / (1.0 - TEST)).ceil();
            let values: [(&str, &dyn std::fmt::Display); 3] = [("got", &length), ("context", &context), ("expected", &needs)];
            return Err(Error::new(ErrorCode::TextTooShort, &values));
        }
        let info = DatasetInfo {
            kind: DataKind::Text,
            installed: true,
            train: train.count,
            test: test.count,
            shape: vec![context],
            classes: characters.into_iter().map(String::from).collect(),
            ..info
        };
        Ok(Self { info, train, test, documents: None })
    }

    /// What is said of a text that somebody brings.
    pub fn text_info(name: &str, title: &str) -> DatasetInfo {
        DatasetInfo {
            name: name.into(),
            title: title.into(),
            kind: DataKind::Text,
            installed: true,
            source: String::new(),
            licence: String::new(),
            train: 0,
            test: 0,
            shape: Vec::new(),
            classes: Vec::new(),
        }
    }

    /// Numbers of a text's characters; an error names the first that the data do not know.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let number = |c: char| {
            let known = self.info.classes.iter().position(|class| class.chars().eq([c]));
            known.map(|known| known as u32).ok_or_else(|| unknown(c))
        };
        text.chars().map(number).collect()
    }
}

/// The error of a character that the data do not hold.
pub(super) fn unknown(c: char) -> Error {
    Error::new(ErrorCode::UnknownCharacter, &[("got", &c.escape_debug())])
}

/// All windows of some tokens as rows, each with the window one further as its labels.
fn windows(tokens: &[u32], vocabulary: usize, context: usize) -> Part {
    let column = |tokens: &[u32]| Column { shape: vec![context], cells: cells(tokens, vocabulary), stride: 1 };
    let inputs = tokens.len().saturating_sub(1);
    let (x, y) = (column(&tokens[..inputs]), column(&tokens[tokens.len() - inputs..]));
    Part { x, y, count: inputs / context, step: context }
}

/// A byte a token where that is enough.
fn cells(tokens: &[u32], vocabulary: usize) -> Cells {
    match vocabulary <= 256 {
        true => tokens.iter().map(|&token| token as u8).collect::<Vec<u8>>().into(),
        false => tokens.iter().map(|&token| token as f32).collect::<Vec<f32>>().into(),
    }
}
