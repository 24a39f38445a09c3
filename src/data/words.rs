//! Words of a text. Where a script has blanks a word is a run of letters and digits, with apostrophes within it ("don't"); in Chinese and
//! Japanese every character is one. Bigrams of characters would be nearer to words, but there are so many of them that most would be unknown to a small
//! vocabulary, while 2,000 characters are nearly all that a Chinese text is made of, and a convolution or a recurrent layer joins them by itself.

use std::ops::Range;

/// English words that say little of what a text is about, one a line: articles, pronouns, prepositions, auxiliary verbs. What negates is none of
/// them: an opinion turns on it.
const STOP_WORDS: &str = include_str!("stop-words.txt");

/// Where the words of a text are.
pub(super) fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(char::is_alphanumeric)?;
        at = start + word(&text[start..]);
        Some(start..at)
    })
}

/// Length of the word that the text begins with; 0 where it begins with none.
pub(super) fn word(text: &str) -> usize {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let after = at + c.len_utf8();
        match c {
            _ if stands_alone(c) => return if end == 0 { after } else { end },
            _ if c.is_alphanumeric() => end = after,
            '\'' | '’' if end == at && end > 0 => {}
            _ => break,
        }
    }
    end
}

/// Whether a character is of a script without blanks between words: kana, and Han in all its blocks.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// The form in which a word is counted: small letters, plain apostrophes.
pub(super) fn normalise(word: &str, into: &mut String) {
    into.clear();
    into.extend(word.chars().flat_map(char::to_lowercase).map(|c| if c == '’' { '\'' } else { c }));
}

/// The stop words.
pub(super) fn stop_words() -> impl Iterator<Item = &'static str> {
    STOP_WORDS.lines()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let normal = |word: Range<usize>| {
            let mut normal = String::new();
            normalise(&text[word], &mut normal);
            normal
        };
        words(text).map(normal).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(split("The 2nd film -- it wasn't BAD, 'was' it?"), ["the", "2nd", "film", "it", "wasn't", "bad", "was", "it"]);
        assert_eq!(split("don’t dogs' rock''n a'"), ["don't", "dogs", "rock", "n", "a"]);
        assert_eq!(split("Élan ÜBER_straße Ωμέγα"), ["élan", "über", "straße", "ωμέγα"]);
        assert!(split("... ' — \u{fe0f}").is_empty());
        assert!(split("").is_empty());
    }

    #[test]
    fn characters_are_words_where_there_are_no_blanks() {
        assert_eq!(split("质量还不错，ok吗iPhone4'"), ["质", "量", "还", "不", "错", "ok", "吗", "iphone4"]);
        assert_eq!(split("it'中カ・ナ\u{20000}"), ["it", "中", "カ", "ナ", "\u{20000}"]);
    }
}
