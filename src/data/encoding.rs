//! What a text is cut into: characters, words or what byte-pair encoding learns. Every character of the text is a token in all three, so that no text
//! made of them is unknown, and any can be put together again.

use std::collections::HashMap;

use super::bpe::{self, Word};
use super::documents::MOST;
use super::words::word;
use super::{Dataset, Part, Reading};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::tensor::falling_order;

/// What occurs less often is not learned.
pub(super) const LEAST: u32 = 2;

asked! {
    /// What the tokens of a text are.
    #[derive(Copy, Eq, Default)]
    pub enum Tokenizer {
        /// Its characters.
        #[default]
        Character,
        /// Its most frequent words; blanks, signs and rarer words are characters. In Chinese and Japanese a character is a word.
        Word,
        /// What byte-pair encoding makes of its characters (Sennrich et al. 2016), within words that begin with the blank in front of them, as in GPT-2.
        Bpe,
    }
}

wire! {
    /// A token of several characters.
    pub struct Learned {
        /// Its number.
        pub token: usize,
        /// The two tokens that it joins, where it is a merge.
        pub pair: Option<[usize; 2]>,
        /// How often the training part had it when it was learned.
        pub count: usize,
    }

    /// What the tokens of a text are.
    pub struct Tokenization {
        /// What they were made by.
        pub tokenizer: Tokenizer,
        /// How many are characters: the first ones, in the order of Unicode.
        pub characters: usize,
        /// Characters of a token, in the mean over the training part.
        pub characters_per_token: f32,
        /// The first of the others, in the order in which they were learned.
        pub learned: Vec<Learned>,
        /// How many were learned in all.
        pub learned_in_all: usize,
    }
}

/// A text's tokens, and how texts become such.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    tokenizer: Tokenizer,
    /// The number of every character up to the last of the text.
    numbers: Vec<u32>,
    characters: usize,
    /// The numbers of words.
    words: HashMap<String, u32>,
    learned: Vec<Learned>,
    /// The merges, by their pairs: which one it is.
    ranks: HashMap<[u32; 2], u32>,
}

/// Pieces of a text that are encoded by themselves: each once, how often the text has it, and their sequence.
struct Pieces<'a> {
    distinct: Vec<&'a str>,
    counts: Vec<u32>,
    sequence: Vec<u32>,
}

impl<'a> Pieces<'a> {
    fn of(tokenizer: Tokenizer, mut text: &'a str) -> Self {
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut pieces = Self { distinct: Vec::new(), counts: Vec::new(), sequence: Vec::new() };
        while let Some(c) = text.chars().next() {
            let length = match tokenizer {
                Tokenizer::Character => c.len_utf8(),
                Tokenizer::Word => word(text).max(c.len_utf8()),
                Tokenizer::Bpe => bpe::piece(text),
            };
            let (piece, rest) = text.split_at(length);
            let next = pieces.distinct.len() as u32;
            let place = places.get(piece).copied().unwrap_or(next);
            if place == next {
                places.insert(piece.into(), place);
                pieces.distinct.push(piece);
                pieces.counts.push(0);
            }
            pieces.counts[place as usize] += 1;
            pieces.sequence.push(place);
            text = rest;
        }
        pieces
    }
}

impl Encoding {
    /// Learns the tokens of a training and a test part: the characters of both, all else of the training part alone. Gives the tokens' texts, and both
    /// parts in tokens. An error where the vocabulary cannot hold the characters.
    pub(super) fn learn(reading: Reading, parts: [&str; 2]) -> Result<(Self, Vec<String>, [Vec<u32>; 2])> {
        let Reading { tokenizer, vocabulary, .. } = reading;
        // By character: its number, once it is known which there are.
        let mut numbers = vec![u32::MAX; char::MAX as usize + 1];
        parts.into_iter().flat_map(str::chars).for_each(|c| numbers[c as usize] = 0);
        let characters: Vec<char> = ('\0'..=char::MAX).filter(|&c| numbers[c as usize] == 0).collect();
        characters.iter().zip(0..).for_each(|(&c, number)| numbers[c as usize] = number);
        numbers.truncate(characters.last().map_or(0, |&c| c as usize + 1));
        numbers.shrink_to_fit();
        let mut names: Vec<String> = characters.into_iter().map(String::from).collect();
        let mut encoding =
            Self { tokenizer, numbers, characters: names.len(), words: HashMap::new(), learned: Vec::new(), ranks: HashMap::new() };
        let train = match tokenizer {
            Tokenizer::Character => encoding.encode(parts[0])?,
            Tokenizer::Word | Tokenizer::Bpe if !(names.len()..=MOST).contains(&vocabulary) => {
                let expected = format!("between {} and {MOST}", names.len());
                return Err(out_of_range("vocabulary", &expected, vocabulary).at("documents.vocabulary"));
            }
            Tokenizer::Word => {
                let pieces = Pieces::of(tokenizer, parts[0]);
                encoding.learn_words(&pieces, &mut names, vocabulary);
                encoding.tokens(&pieces)?
            }
            Tokenizer::Bpe => {
                let pieces = Pieces::of(tokenizer, parts[0]);
                encoding.learn_merges(&pieces, &mut names, vocabulary)?;
                encoding.tokens(&pieces)?
            }
        };
        let test = encoding.encode(parts[1])?;
        Ok((encoding, names, [train, test]))
    }

    /// The most frequent words of several characters; of equally frequent ones, those that come first in the text.
    fn learn_words(&mut self, pieces: &Pieces, names: &mut Vec<String>, vocabulary: usize) {
        let counts: Vec<f64> = pieces.counts.iter().map(|&count| f64::from(count)).collect();
        let counted = falling_order(&counts).into_iter().map(|place| (pieces.distinct[place], pieces.counts[place]));
        let several = counted.filter(|&(word, count)| count >= LEAST && word.chars().nth(1).is_some());
        for (word, count) in several.take(vocabulary - names.len()) {
            self.learned.push(Learned { token: names.len(), pair: None, count: count as usize });
            self.words.insert(word.into(), names.len() as u32);
            names.push(word.into());
        }
    }

    fn learn_merges(&mut self, pieces: &Pieces, names: &mut Vec<String>, vocabulary: usize) -> Result<()> {
        let mut words = Vec::with_capacity(pieces.distinct.len());
        for (piece, &count) in pieces.distinct.iter().zip(&pieces.counts) {
            let mut tokens = Vec::new();
            self.spell(piece, &mut tokens)?;
            words.push(Word { tokens, count });
        }
        self.learned = bpe::learn(&mut words, names, vocabulary);
        for (rank, pair) in (0..).zip(self.learned.iter().filter_map(|learned| learned.pair)) {
            self.ranks.insert(pair.map(|token| token as u32), rank);
        }
        Ok(())
    }

    /// A text in tokens; an error names the first character that the data do not know.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if self.tokenizer == Tokenizer::Character {
            let mut tokens = Vec::new();
            return self.spell(text, &mut tokens).map(|()| tokens);
        }
        self.tokens(&Pieces::of(self.tokenizer, text))
    }

    fn tokens(&self, pieces: &Pieces) -> Result<Vec<u32>> {
        let (mut all, mut ends) = (Vec::new(), vec![0]);
        for piece in &pieces.distinct {
            self.put(piece, &mut all)?;
            ends.push(all.len());
        }
        let of = |&place: &u32| &all[ends[place as usize]..ends[place as usize + 1]];
        Ok(pieces.sequence.iter().flat_map(of).copied().collect())
    }

    /// Appends a piece's tokens.
    fn put(&self, piece: &str, tokens: &mut Vec<u32>) -> Result<()> {
        if let Some(&word) = self.words.get(piece) {
            tokens.push(word);
            return Ok(());
        }
        let start = tokens.len();
        self.spell(piece, tokens)?;
        // The merge that was learned first comes first.
        while let Some(rank) = tokens[start..].windows(2).filter_map(|pair| self.ranks.get(&[pair[0], pair[1]])).min() {
            let Learned { token, pair, .. } = &self.learned[*rank as usize];
            let Some(pair) = pair else { break };
            bpe::join(tokens, start, pair.map(|token| token as u32), *token as u32);
        }
        Ok(())
    }

    /// Appends the characters of a text.
    fn spell(&self, text: &str, tokens: &mut Vec<u32>) -> Result<()> {
        for c in text.chars() {
            tokens.push(self.numbers.get(c as usize).copied().filter(|&number| number != u32::MAX).ok_or_else(|| unknown(c))?);
        }
        Ok(())
    }
}

/// The error of a character that the data do not hold.
pub(super) fn unknown(c: char) -> Error {
    Error::new(ErrorCode::UnknownCharacter, &[("got", &c.escape_debug())])
}

impl Dataset {
    /// A text in tokens; an error names the first character that the data do not know. Where they are no text, these are those of their classes that
    /// are characters.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let number = |c: char| {
            let known = self.info.classes.iter().position(|class| class.chars().eq([c]));
            known.map(|known| known as u32).ok_or_else(|| unknown(c))
        };
        match &self.encoding {
            Some(encoding) => encoding.encode(text),
            None => text.chars().map(number).collect(),
        }
    }

    /// What the tokens of a text are, and the first `most` of those that were learned; none where the data are no text.
    pub fn tokenization(&self, most: usize) -> Option<Tokenization> {
        let encoding = self.encoding.as_deref()?;
        Some(Tokenization {
            tokenizer: encoding.tokenizer,
            characters: encoding.characters,
            characters_per_token: self.characters_per_token(&self.train, 0..self.train.count).unwrap_or(1.0),
            learned: encoding.learned.iter().take(most).cloned().collect(),
            learned_in_all: encoding.learned.len(),
        })
    }

    /// Characters of a token, in the mean over the labels of some examples of a part; none where the data are no text.
    pub fn characters_per_token(&self, part: &Part, examples: std::ops::Range<usize>) -> Option<f32> {
        self.encoding.as_deref()?;
        let lengths: Vec<usize> = self.info.classes.iter().map(|token| token.chars().count()).collect();
        // Windows that share no token lie one behind the other.
        let cells = part.row(examples.start)..part.row(examples.end);
        let count = cells.len();
        let characters: usize = cells.map(|cell| lengths[part.y.cell(cell) as usize]).sum();
        (count > 0).then(|| characters as f32 / count as f32)
    }
}
