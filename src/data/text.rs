//! A text as a data set: its tokens are the classes, and an example is a window of them, whose labels are the same window one further.

use super::{Column, DataKind, Dataset, DatasetInfo, Encoding, Part, Reading};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::tensor::Cells;

/// Share of a text, at its end, that is for testing.
const TEST: f64 = 0.05;

impl Dataset {
    /// A text as tokens: its characters in the order of Unicode, then what [`Reading::tokenizer`] learns; `info.classes` becomes the list of them. The last
    /// 5 % are the test part. An example is a window of [`Reading::length`] tokens, and no two examples share one; training may begin a window anywhere
    /// ([`Part::step`]). An error where a part of the text is shorter than a window, or its characters are more than the vocabulary holds.
    pub fn from_text(info: DatasetInfo, text: &str, reading: impl Into<Reading>) -> Result<Self> {
        Self::read_text(info, text.trim_start_matches('\u{feff}'), reading.into())
    }

    fn read_text(info: DatasetInfo, text: &str, reading: Reading) -> Result<Self> {
        let context = reading.length;
        if context == 0 {
            return Err(out_of_range("context", "at least 1", context));
        }
        let length = text.chars().count();
        let training = length - (length as f64 * TEST) as usize;
        let cut = text.char_indices().nth(training).map_or(text.len(), |(at, _)| at);
        let (encoding, classes, tokens) = Encoding::learn(reading, text.split_at(cut).into())?;
        let length = tokens[0].len() + tokens[1].len();
        let [train, test] = tokens.map(|tokens| windows(&tokens, classes.len(), context));
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
            classes,
            ..info
        };
        Ok(Self { info, train, test, documents: None, encoding: Some(encoding.into()) })
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
