//! Phrases of the engine's that stand within its sentences (`expected`, `reason`, ...): the page has a translation for each. They are read from the
//! engine's source, as every text of several words that is not told to a developer.

use std::collections::BTreeSet;
use std::fs;

use proc_macro2::{Delimiter, LexError, TokenStream, TokenTree};

use crate::data;
use crate::error::{About, Error, Result};
use crate::project::{Project, files_below};

/// Where the translations are, one a line: `"phrase": "translation",`, with `{}` for each value.
const TRANSLATIONS: &str = "www/src/messages/zh-errors.ts";

/// Files and folders whose texts are a program's, or sentences that [`crate::messages`] checks.
const NOT_READ: &[&str] = &["src/selftest", "src/simd", "src/error.rs", "src/scratch/problem.rs"];

/// Macros and methods whose texts only a developer sees.
const FOR_DEVELOPERS: &[&str] = &["assert", "assert_eq", "assert_ne", "debug_assert", "debug_assert_eq", "expect", "panic", "unreachable"];

/// Texts of several words that nobody is told.
const NOT_SHOWN: &[&str] = &["a JSON value", "a layer's arguments are an object", "basic render", "live {}", "next {}"];

/// Functions and files that list samples, whose names only a developer sees.
const SAMPLES: &[&str] = &["samples", "cases"];

/// Checks that every phrase is translated.
pub fn check(project: &Project) -> Result<()> {
    let read = |path: &std::path::Path| fs::read_to_string(path).about(|| path.display());
    let translated = translated(&read(&project.path(TRANSLATIONS))?);
    let is_translated = |phrase: &str| translated.contains(phrase) || translated.iter().any(|key| covers(key, phrase));
    let mut untranslated = Vec::new();
    for file in files_below(&project.path("src"))?.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let listed = file.file_stem().is_some_and(|stem| SAMPLES.iter().any(|name| stem == *name));
        if !listed && !NOT_READ.iter().any(|path| file.starts_with(project.path(path))) {
            let phrases = phrases(&read(file)?).about(|| file.display())?;
            let missing = phrases.into_iter().filter(|phrase| !is_translated(phrase) && !NOT_SHOWN.contains(&phrase.as_str()));
            untranslated.extend(missing.map(|phrase| format!("{}: {phrase:?}", file.display())));
        }
    }
    untranslated.extend(data::titles().filter(|title| !is_translated(title)).map(|title| format!("data set {title:?}")));
    if untranslated.is_empty() {
        return Ok(());
    }
    let hint = format!("add them to {TRANSLATIONS}, or to NOT_SHOWN in xtask/src/phrases.rs if no user can see them");
    Err(Error::new(format!("phrases without a translation:\n{}", untranslated.join("\n"))).hint(hint))
}

/// Phrases that have a translation.
fn translated(script: &str) -> BTreeSet<String> {
    let key = |line: &str| serde_json::Deserializer::from_str(line.trim()).into_iter::<String>().next()?.ok();
    script.lines().filter_map(key).collect()
}

/// Whether a key is of that form: `{}` in it stands for one word, as in the page.
fn covers(key: &str, phrase: &str) -> bool {
    let Some((before, after)) = key.split_once("{}") else { return key == phrase };
    let Some(rest) = phrase.strip_prefix(before) else { return false };
    let longest = rest.find(' ').unwrap_or(rest.len());
    (1..=longest).any(|length| rest.get(length..).is_some_and(|rest| covers(after, rest)))
}

/// Phrases of a file in Rust.
fn phrases(source: &str) -> std::result::Result<BTreeSet<String>, LexError> {
    let mut found = BTreeSet::new();
    collect(source.parse()?, &mut found);
    Ok(found)
}

fn collect(tokens: TokenStream, found: &mut BTreeSet<String>) {
    // The two words before, and whether the next braces are a test's or a list of samples.
    let (mut farther, mut nearest) = (String::new(), String::new());
    let mut passed_over = false;
    for token in tokens {
        let mut word = String::new();
        match token {
            TokenTree::Ident(ident) => {
                word = ident.to_string();
                passed_over |= nearest == "fn" && SAMPLES.contains(&word.as_str());
            }
            TokenTree::Punct(mark) => word.push(mark.as_char()),
            TokenTree::Literal(literal) => found.extend(text_of(&literal.to_string()).map(holes).filter(|text| is_phrase(text))),
            TokenTree::Group(group) => {
                let attribute = nearest == "#" || (farther == "#" && nearest == "!");
                let called = if nearest == "!" { &farther } else { &nearest };
                let body = group.delimiter() == Delimiter::Brace;
                passed_over |= attribute && group.stream().to_string() == "cfg (test)";
                let unseen = attribute || (body && passed_over) || FOR_DEVELOPERS.contains(&called.as_str());
                if !unseen {
                    collect(group.stream(), found);
                }
                passed_over &= !body;
            }
        }
        farther = std::mem::replace(&mut nearest, word);
    }
}

/// What a literal in quotation marks stands for; nothing for a raw one, which is code or a formula.
fn text_of(literal: &str) -> Option<String> {
    let mut inside = literal.strip_prefix('"')?.strip_suffix('"')?.chars().peekable();
    let mut text = String::new();
    while let Some(c) = inside.next() {
        match (c, inside.peek()) {
            ('\\', Some('\n')) => while inside.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some(_)) => text.extend(inside.next()),
            _ => text.push(c),
        }
    }
    Some(text)
}

/// A template with `{}` for each of its values.
fn holes(template: String) -> String {
    let mut parts = template.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "{}" + part.split_once('}').map_or(part, |(_, rest)| rest))
}

/// Whether a text reads like one: a word, a blank, and another word or a value.
fn is_phrase(text: &str) -> bool {
    let letters = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count();
    let word = |word: &str| word == "{}" || (letters(word) > 1 && word.chars().all(|c| c.is_alphabetic() || "'’,".contains(c)));
    let words: Vec<&str> = text.split(' ').collect();
    !text.contains(['\n', '=', ';', '\\']) && words.windows(2).any(|pair| pair.iter().all(|part| word(part)) && pair != ["{}", "{}"])
}

#[cfg(test)]
mod tests {
    use super::{covers, phrases, translated};

    #[test]
    fn phrases_are_told_from_what_nobody_sees() {
        let source = r##"
            #[doc = "not this one"]
            fn shown(n: usize) -> String {
                assert!(n > 0, "nor this one");
                let code = "let a = b;";
                known("the value", &format!("at most {n:?} of \
                    \"{}\"", n), "name", r"\frac raw one")
            }
            fn samples(name: &str) -> Vec<Sample> { vec![named("a sample's name")] }
            #[cfg(test)]
            mod tests { fn test() { told("in a test"); } }
            fn after() { told("told again") }"##;
        let expected = ["at most {} of \"{}\"", "the value", "told again"];
        assert_eq!(phrases(source).expect("it is Rust").into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_value_in_a_translation_is_one_word() {
        assert!(covers("between {} and {}", "between 0 and {}"));
        assert!(covers("{} has shape {}", "{} has shape {}"));
        assert!(!covers("at most {}", "at most"));
        assert!(!covers("at most {}", "at most two or three"));
        assert!(!covers("at most 1", "at most 2"));
    }

    #[test]
    fn translations_are_read_a_line_each() {
        let script = "export const a = {\n  b: \"no phrase\",\n};\nexport const words = {\n  \"a \\\"b\\\"\": \"c\",\n};";
        assert_eq!(translated(script).into_iter().collect::<Vec<_>>(), ["a \"b\""]);
    }
}
