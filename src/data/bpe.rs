//! Byte-pair encoding (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units") over characters: the pair of tokens that
//! stands side by side most often becomes a token of its own, again and again. Merges stay within the pieces of a text.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::encoding::{LEAST, Learned};

/// Most characters of a piece, so that a text without blanks is learned in time that grows with its length.
const LONGEST: usize = 64;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Letter,
    Digit,
    Blank,
    Sign,
}

fn kind(c: char) -> Kind {
    match c {
        _ if c.is_alphabetic() => Kind::Letter,
        _ if c.is_numeric() => Kind::Digit,
        _ if c.is_whitespace() => Kind::Blank,
        _ => Kind::Sign,
    }
}

/// Length of the run of one kind of characters that a text begins with; an apostrophe between letters belongs to their word.
fn run(text: &str) -> usize {
    let first = text.chars().next().map(kind);
    let mut chars = text.char_indices().peekable();
    for _ in 0..LONGEST {
        let Some((at, c)) = chars.next() else { return text.len() };
        let before_letter = chars.peek().is_some_and(|&(_, next)| kind(next) == Kind::Letter);
        let within = first == Some(Kind::Letter) && matches!(c, '\'' | '’') && before_letter;
        if Some(kind(c)) != first && !within {
            return at;
        }
    }
    chars.peek().map_or(text.len(), |&(at, _)| at)
}

/// Length of the piece that a text begins with: letters, digits or signs with the blank in front of them, as in GPT-2 (Radford et al. 2019), or blanks,
/// of which the last goes with what follows.
pub(super) fn piece(text: &str) -> usize {
    let blank = usize::from(text.starts_with(' '));
    let is_blank = |text: &str| text.starts_with(char::is_whitespace);
    if blank == 1 && text.len() > 1 && !is_blank(&text[1..]) {
        return 1 + run(&text[1..]);
    }
    let length = run(text);
    let alone = length > 1 && text[..length].ends_with(' ') && length < text.len() && !is_blank(&text[length..]);
    if is_blank(text) && alone { length - 1 } else { length }
}

/// A piece in tokens, and how often the text has it.
pub(super) struct Word {
    pub tokens: Vec<u32>,
    pub count: u32,
}

/// Two tokens side by side: how often the text has them, and the words that have had them.
struct Pair {
    pair: [u32; 2],
    count: u32,
    words: Vec<u32>,
}

/// All pairs that there have been, and where each is.
#[derive(Default)]
struct Known {
    places: HashMap<[u32; 2], u32>,
    pairs: Vec<Pair>,
}

impl Known {
    fn of(&mut self, pair: [u32; 2]) -> &mut Pair {
        let place = match self.places.get(&pair) {
            Some(&place) => place as usize,
            None => {
                self.places.insert(pair, self.pairs.len() as u32);
                self.pairs.push(Pair { pair, count: 0, words: Vec::new() });
                self.pairs.len() - 1
            }
        };
        &mut self.pairs[place]
    }
}

fn pairs(tokens: &[u32]) -> impl Iterator<Item = [u32; 2]> {
    tokens.windows(2).map(|pair| [pair[0], pair[1]])
}

/// Puts a token in the place of a pair wherever it stands from `start` on, from left to right.
pub(super) fn join(tokens: &mut Vec<u32>, start: usize, pair: [u32; 2], token: u32) {
    let (mut from, mut to) = (start, start);
    while from < tokens.len() {
        let found = tokens[from..].starts_with(&pair);
        tokens[to] = if found { token } else { tokens[from] };
        from += if found { 2 } else { 1 };
        to += 1;
    }
    tokens.truncate(to);
}

/// Merges pairs until there are `vocabulary` tokens, or no pair is left that the text has twice; of pairs that it has equally often, that of the
/// smaller tokens. `names` are the texts of the tokens, to which the new ones are added. Words are spelled with what is learned.
pub(super) fn learn(words: &mut [Word], names: &mut Vec<String>, vocabulary: usize) -> Vec<Learned> {
    let mut known = Known::default();
    for (index, word) in words.iter().enumerate() {
        for pair in pairs(&word.tokens) {
            let of = known.of(pair);
            of.count += word.count;
            of.words.push(index as u32);
        }
    }
    // Counts may have fallen since: they are looked at again when it is a pair's turn.
    let mut queue: BinaryHeap<_> = known.pairs.iter().map(|of| (of.count, Reverse(of.pair))).collect();
    let mut learned = Vec::new();
    while names.len() < vocabulary {
        let Some((count, Reverse(pair))) = queue.pop() else { break };
        let of = known.of(pair);
        if of.count != count {
            queue.push((of.count, Reverse(pair)));
            continue;
        }
        if count < LEAST {
            break;
        }
        let token = names.len() as u32;
        names.push(pair.map(|part| names[part as usize].as_str()).concat());
        learned.push(Learned { token: token as usize, pair: Some(pair.map(|part| part as usize)), count: count as usize });
        let mut new = Vec::new();
        for index in std::mem::take(&mut of.words) {
            let word = &mut words[index as usize];
            if !pairs(&word.tokens).any(|other| other == pair) {
                continue;
            }
            for other in pairs(&word.tokens) {
                known.of(other).count -= word.count;
            }
            join(&mut word.tokens, 0, pair, token);
            for other in pairs(&word.tokens) {
                let of = known.of(other);
                if other.contains(&token) {
                    if of.count == 0 {
                        new.push(other);
                    }
                    of.words.push(index);
                }
                of.count += word.count;
            }
        }
        queue.extend(new.into_iter().map(|pair| (known.of(pair).count, Reverse(pair))));
    }
    learned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(mut text: &str) -> Vec<&str> {
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let (first, rest) = text.split_at(piece(text));
            pieces.push(first);
            text = rest;
        }
        pieces
    }

    #[test]
    fn a_blank_belongs_to_the_word_behind_it() {
        assert_eq!(
            split("To be, or not  to be?\n\n  Don't 12 'tis"),
            ["To", " be", ",", " or", " not", " ", " to", " be", "?", "\n\n ", " Don't", " 12", " '", "tis"]
        );
        assert_eq!(split("话说天下大势，分久必合 a1 "), ["话说天下大势", "，", "分久必合", " a", "1", " "]);
        assert_eq!(split(" \n "), [" \n "]);
        assert_eq!(split("dogs' it’s ''"), ["dogs", "'", " it’s", " ''"]);
        assert_eq!(split(&"x".repeat(150)).iter().map(|piece| piece.len()).collect::<Vec<_>>(), [64, 64, 22]);
        assert_eq!(split(&"é".repeat(65)).len(), 2);
    }

    #[test]
    fn pairs_are_joined_from_left_to_right() {
        let joined = |tokens: &[u32], start| {
            let mut tokens = tokens.to_vec();
            join(&mut tokens, start, [1, 1], 9);
            tokens
        };
        assert_eq!(joined(&[1, 1, 1], 0), [9, 1]);
        assert_eq!(joined(&[1, 1, 1, 1, 2], 0), [9, 9, 2]);
        assert_eq!(joined(&[1, 1, 1, 1, 2], 1), [1, 9, 1, 2]);
        assert!(joined(&[], 0).is_empty());
    }
}
