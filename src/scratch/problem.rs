//! What is wrong with a program, and where.

use std::fmt::{Display, Write as _};
use std::ops::Range;

use crate::error::{Error, ErrorCode};

/// A result with a [`Problem`].
pub(super) type Checked<T> = Result<T, Box<Problem>>;

macro_rules! hints {
    ($($(#[$meta:meta])* $hint:ident $key:literal => $template:literal,)*) => {
        /// What may help. The page has a sentence for each in every language; the English ones are for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
        pub enum Hint { $($(#[$meta])* #[serde(rename = $key)] $hint,)* }

        impl Hint {
            /// Its name in an error's `args`.
            pub fn key(self) -> &'static str {
                match self { $(Self::$hint => $key,)* }
            }

            /// The English sentence, with `{key}` where an argument of the error goes.
            pub fn template(self) -> &'static str {
                match self { $(Self::$hint => $template,)* }
            }
        }
    };
}

hints! {
    /// A similar name is known.
    DidYouMean "did_you_mean" => "did you mean {suggestion}?",
    /// A function's name stands alone.
    CallIt "call_it" => "{got} is a function: write {got}(...)",
    /// What the function takes.
    Usage "usage" => "write {usage}",
    /// Both sides of `@`.
    MatMul "mat_mul" => "{left_source} is {left} and {right_source} is {right}: the last extent on the left must be the last but one on the right",
    /// Both sides of a pointwise function.
    Broadcast "broadcast" => "{left_source} is {left} and {right_source} is {right}: counted from the right, extents must be equal or 1",
    /// A list with rows of different shapes.
    Ragged "ragged" => "all parts of a list need one shape",
    /// A reshape.
    Cells "cells" => "a reshape keeps the number of elements",
    /// The loss is a tensor.
    SumIt "sum_it" => "make it one number: mean({source}) or sum({source})",
    /// A name is given its value further down.
    MoveUp "move_up" => "move line {defined} above this one",
    /// A bracket was opened there.
    Opened "opened" => "the bracket was opened in line {opened}",
    /// Nothing was written.
    TryThis "try_this" => "try: x = 3; loss = x^2",
    /// An operator of other languages.
    Power "power" => "a power is written x^2",
    /// A comparison.
    NoComparison "no_comparison" => "there are no comparisons; greater(a, b) and equal(a, b) give 1 or 0",
    /// Index beyond the end.
    Extent "extent" => "this axis has {extent} positions, counted from 0",
}

/// An error with its place in the source.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    error: Error,
    span: Range<usize>,
    hint: Option<Hint>,
}

impl Problem {
    /// A problem of `code` at `span`, with the values of its sentence.
    pub fn new(code: ErrorCode, args: &[(&str, &dyn Display)], span: &Range<usize>) -> Box<Self> {
        Self::from(Error::new(code, args), span)
    }

    /// An error of the engine, at `span`.
    pub fn from(error: Error, span: &Range<usize>) -> Box<Self> {
        Box::new(Self { error, span: span.clone(), hint: None })
    }

    /// The same with a hint and the values of the hint's sentence.
    pub fn hint(mut self: Box<Self>, hint: Hint, args: &[(&str, &dyn Display)]) -> Box<Self> {
        self.hint = Some(hint);
        self.error.args.extend(args.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())));
        self
    }

    /// The code, to choose a hint by.
    pub fn code(&self) -> ErrorCode {
        self.error.code
    }

    /// An operand's shape in the error's arguments.
    pub fn op(&self) -> &str {
        self.error.args.get("op").map_or("", String::as_str)
    }

    /// The error with its place as line and column, the line with carets, and the hint.
    pub fn locate(self, source: &str) -> Error {
        let Self { mut error, span, hint } = self;
        let start = span.start.min(source.len());
        let place = Place::of(source, start);
        let text = source.lines().nth(place.line - 1).unwrap_or_default();
        let shown = source.get(start..span.end.min(source.len())).unwrap_or_default().lines().next().unwrap_or_default();
        let width = shown.chars().count().max(1);
        let number = place.line.to_string();
        let mut caret = format!("{number} | {text}\n{:1$} | {2:3$}{4}", "", number.len(), "", place.column - 1, "^".repeat(width));
        if let Some(hint) = hint {
            let sentence =
                error.args.iter().fold(hint.template().to_owned(), |text, (key, value)| text.replace(&format!("{{{key}}}"), value));
            let _ = write!(caret, " {sentence}");
            error.args.insert("hint".into(), hint.key().into());
        }
        for (key, value) in [("line", number), ("column", place.column.to_string()), ("width", width.to_string()), ("caret", caret)] {
            error.args.insert(key.into(), value);
        }
        error.at = Some(format!("{}:{}", place.line, place.column));
        error
    }
}

/// A place as people count.
pub(super) struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte of the source.
    pub fn of(source: &str, byte: usize) -> Self {
        let before = source.get(..byte).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// The source at `span`, shortened for a sentence.
pub(super) fn snippet(source: &str, span: &Range<usize>) -> String {
    const MOST: usize = 32;
    let text = source.get(span.clone()).unwrap_or_default();
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line,
    }
}

/// The candidate nearest to `name`, if it is near: at most two letters differ, and at most half of them (Levenshtein's distance).
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 2).min(2);
    let near = candidates.map(|candidate| (distance(name, candidate), candidate)).filter(|&(distance, _)| distance <= most);
    near.min_by_key(|&(distance, _)| distance).map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    const MOST: usize = 24;
    let b: Vec<char> = b.chars().take(MOST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(MOST).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
