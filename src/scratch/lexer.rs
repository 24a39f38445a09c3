//! From characters to tokens. Line breaks within brackets are spaces, so that a list may have a row a line.

use std::ops::Range;

use winnow::Parser;
use winnow::combinator::{alt, opt, preceded};
use winnow::error::EmptyError;
use winnow::stream::{LocatingSlice, Location, Stream as _};
use winnow::token::{any, one_of, take_till, take_while};

use super::problem::{Checked, Hint, Place, Problem};
use super::{MOST_CHARACTERS, MOST_DEPTH};
use crate::error::ErrorCode;

/// A word of the language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind<'s> {
    Number(f64),
    Name(&'s str),
    /// In quotes: `'same'`.
    Text(&'s str),
    Symbol(char),
    /// The end of a statement: a line break or `;`.
    Break,
    /// The end of the program.
    End,
}

/// A word with its place.
#[derive(Clone, Debug)]
pub(super) struct Token<'s> {
    pub kind: Kind<'s>,
    pub span: Range<usize>,
}

type Input<'s> = LocatingSlice<&'s str>;
type Read<T> = Result<T, EmptyError>;

fn number(input: &mut Input) -> Read<f64> {
    let digits = || take_while(1.., '0'..='9');
    let fraction = ('.', take_while(0.., '0'..='9'));
    let mantissa = alt(((digits(), opt(fraction)).void(), ('.', digits()).void()));
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digits());
    (mantissa, opt(exponent)).take().verify_map(|text: &str| text.parse().ok()).parse_next(input)
}

fn name<'s>(input: &mut Input<'s>) -> Read<&'s str> {
    let first = one_of(|c: char| c.is_alphabetic() || c == '_');
    (first, take_while(0.., |c: char| c.is_alphanumeric() || c == '_')).take().parse_next(input)
}

fn text<'s>(input: &mut Input<'s>) -> Read<&'s str> {
    let within = |quote: char| (quote, take_till(0.., move |c| c == quote || c == '\n'), quote).map(|(_, text, _)| text);
    alt((within('\''), within('"'))).parse_next(input)
}

fn token<'s>(input: &mut Input<'s>) -> Read<Kind<'s>> {
    let symbol = one_of(['+', '-', '*', '/', '^', '@', '=', '(', ')', '[', ']', ',', ':', '.']);
    alt((
        number.map(Kind::Number),
        name.map(Kind::Name),
        text.map(Kind::Text),
        one_of(['\n', ';']).value(Kind::Break),
        symbol.map(Kind::Symbol),
    ))
    .parse_next(input)
}

/// Spaces and comments.
fn space(input: &mut Input) -> Read<()> {
    let blank = take_while(0.., |c: char| c.is_whitespace() && c != '\n');
    (blank, opt(preceded('#', take_till(0.., '\n')))).void().parse_next(input)
}

/// The tokens of a program, with `End` as the last one. Brackets are balanced.
pub(super) fn tokens(source: &str) -> Checked<Vec<Token<'_>>> {
    if source.chars().count() > MOST_CHARACTERS {
        let args: [(&str, &dyn std::fmt::Display); 2] = [("what", &"characters"), ("most", &MOST_CHARACTERS)];
        return Err(Problem::new(ErrorCode::TooLarge, &args, &(0..0)));
    }
    let mut input = LocatingSlice::new(source);
    let (mut tokens, mut brackets): (Vec<Token>, Brackets) = (Vec::new(), Brackets { source, open: Vec::new() });
    loop {
        // Nothing but spaces is taken, so that it cannot fail.
        let _ = space.parse_next(&mut input);
        let start = input.current_token_start();
        if input.eof_offset() == 0 {
            break;
        }
        let Ok(kind) = token.parse_next(&mut input) else { return Err(unexpected(&mut input, start)) };
        let span = start..input.previous_token_end();
        match kind {
            Kind::Number(number) if (number as f32).is_infinite() => {
                return Err(Problem::new(ErrorCode::NumberTooLarge, &[("got", &&source[span.clone()])], &span));
            }
            Kind::Break if !brackets.open.is_empty() && source[span.clone()].starts_with('\n') => continue,
            Kind::Symbol(symbol) => brackets.take(symbol, &span)?,
            _ => {}
        }
        tokens.push(Token { kind, span });
    }
    if let Some((bracket, span)) = brackets.open.pop() {
        return Err(Problem::new(ErrorCode::UnclosedBracket, &[("bracket", &bracket)], &span));
    }
    tokens.push(Token { kind: Kind::End, span: source.len()..source.len() });
    Ok(tokens)
}

fn unexpected(input: &mut Input, start: usize) -> Box<Problem> {
    let read: Read<char> = any.parse_next(input);
    let found = read.unwrap_or_default();
    let problem = Problem::new(ErrorCode::UnexpectedCharacter, &[("found", &found)], &(start..start + found.len_utf8()));
    match found {
        '<' | '>' | '!' => problem.hint(Hint::NoComparison, &[]),
        _ => problem,
    }
}

/// The brackets that are open.
struct Brackets<'s> {
    source: &'s str,
    open: Vec<(char, Range<usize>)>,
}

impl Brackets<'_> {
    fn take(&mut self, symbol: char, span: &Range<usize>) -> Checked<()> {
        match symbol {
            '(' | '[' if self.open.len() >= MOST_DEPTH => Err(Problem::new(ErrorCode::TooDeep, &[("most", &MOST_DEPTH)], span)),
            '(' | '[' => {
                self.open.push((symbol, span.clone()));
                Ok(())
            }
            ')' | ']' => match self.open.pop() {
                Some(('(', _)) if symbol == ')' => Ok(()),
                Some(('[', _)) if symbol == ']' => Ok(()),
                Some((opened, at)) => {
                    let expected = if opened == '(' { ')' } else { ']' };
                    let args: [(&str, &dyn std::fmt::Display); 2] = [("expected", &expected), ("found", &symbol)];
                    let opened = Place::of(self.source, at.start).line;
                    Err(Problem::new(ErrorCode::Unexpected, &args, span).hint(Hint::Opened, &[("opened", &opened)]))
                }
                None => Err(Problem::new(ErrorCode::UnexpectedCharacter, &[("found", &symbol)], span)),
            },
            _ => Ok(()),
        }
    }
}
