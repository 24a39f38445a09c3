//! The page's messages: both languages have the same keys, with the same arguments, and a sentence for every code of the engine's. Types say so, hence
//! tsc checks it; but the protocol's types take a compilation that serving does without, so that the engine's codes are read from its source.

use std::collections::BTreeSet;
use std::fs;

use crate::error::{About, Error, Result};
use crate::phrases;
use crate::project::{Project, capture, files_below};

/// Where the engine's tables of sentences are, and the type of their keys.
const ENGINE: [(&str, &str); 2] = [("src/error.rs", "ErrorCode"), ("src/scratch/problem.rs", "Hint")];

pub const HINT: &str = "give every key a sentence in both languages, with the same {arguments}: www/src/messages/en*.ts and zh*.ts";

/// Checks the messages alone, in a second or two.
pub fn check(project: &Project) -> Result<()> {
    phrases::check(project)?;
    let read = |path: &std::path::Path| fs::read_to_string(path).about(|| path.display());
    let mut declared = String::new();
    for (path, name) in ENGINE {
        let keys = keys(&read(&project.path(path))?);
        if keys.is_empty() {
            return Err(Error::new(format!("{path} has no table `NAME! {{ ... => \"sentence\", }}`")).hint("mend xtask/src/messages.rs"));
        }
        declared += &format!("  export type {name} = {};\n", keys.join(" | "));
    }
    let (mut others, mut messages) = (BTreeSet::new(), Vec::new());
    for file in
        files_below(&project.path("www/src"))?.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "ts"))
    {
        others.extend(imported(&read(&file)?));
        // They refer to the English ones.
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("zh")) {
            messages.push(file);
        }
    }
    for name in others.iter().filter(|other| ENGINE.iter().all(|(_, name)| name != other)) {
        declared += &format!("  export type {name} = any;\n");
    }
    let package = project.target.join("xtask-messages.d.ts");
    fs::write(&package, format!("declare module \"gradscope\" {{\n{declared}}}\n")).about(|| package.display())?;
    let mut tsc = project.command("tsc");
    tsc.args([
        "--ignoreConfig",
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--types",
        "",
    ]);
    capture(tsc.arg(&package).args(messages)).map(drop)
}

/// Keys of a table of sentences, in quotation marks: of `Name => "..."` in small letters, of `Name "key" => "..."` the key.
fn keys(source: &str) -> Vec<String> {
    let rows = source.lines().map(str::trim).filter(|line| !line.starts_with("//")).filter_map(|line| line.split_once(" => \""));
    let word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric()).then(|| format!("\"{}\"", snake(word)));
    rows.filter_map(|(name, _)| name.split_once(' ').map_or_else(|| word(name), |(_, key)| key.starts_with('"').then(|| key.to_owned())))
        .collect()
}

fn snake(name: &str) -> String {
    let letter = |(at, c): (usize, char)| format!("{}{}", if at > 0 && c.is_uppercase() { "_" } else { "" }, c.to_lowercase());
    name.chars().enumerate().map(letter).collect()
}

/// Names of the types that a script takes from the package.
fn imported(script: &str) -> Vec<String> {
    let lists = script.split("import type {").skip(1).filter_map(|rest| rest.split_once('}'));
    let names = lists.filter(|(_, rest)| rest.starts_with(" from \"gradscope\"")).flat_map(|(names, _)| names.split(','));
    names.filter_map(|name| name.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{imported, keys};

    #[test]
    fn the_engines_codes_are_read_from_its_tables() {
        let codes = keys(include_str!("../../src/error.rs"));
        assert!(codes.iter().any(|code| code == "\"shape_mismatch\""), "{codes:?}");
        let hints = keys(include_str!("../../src/scratch/problem.rs"));
        assert!(hints.iter().any(|hint| hint == "\"did_you_mean\""), "{hints:?}");
        assert_eq!(
            keys("/// A => \"b\"\n  BadShape => \"x\",\n  It \"that\" => \"y\",\n  Self::A => \"z\",\n  A => b,"),
            ["\"bad_shape\"", "\"that\""]
        );
    }

    #[test]
    fn types_of_the_package_are_found_wherever_they_are_imported() {
        let script =
            "import type { A } from \"./a.js\";\nimport type {\n  B, C as D,\n} from \"gradscope\";\nimport { e } from \"gradscope\";";
        assert_eq!(imported(script), ["B", "C"]);
    }
}
