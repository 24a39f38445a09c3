//! Data sets: taken from a package, verified, converted to the page's own format, kept in `data/`.
//!
//! A set is a folder `data/NAME/` with `dataset.json` and its files. Labelled images are four gzipped idx files (the format of MNIST:
//! big-endian magic number and sizes, then one byte a value), tables the same with floats, a text is one gzipped file in UTF-8, labelled documents are two gzipped
//! files of lines, each the number of a class, a tab and the document. `data/index.json` is the array of all installed manifests. A manifest:
//!
//! ```json
//! { "name": "mnist", "title": "...", "source": "...", "licence": "...", "kind": "image",
//!   "shape": [28, 28, 1], "max": 255, "classes": ["0", "1"],
//!   "train": { "x": "train-x.idx.gz", "y": "train-y.idx.gz", "count": 60000 },
//!   "test": { "x": "test-x.idx.gz", "y": "test-y.idx.gz", "count": 10000 }, "bytes": 11000000 }
//! { "name": "names", "title": "...", "source": "...", "licence": "...", "kind": "text",
//!   "text": "text.txt.gz", "characters": 61000, "bytes": 25000 }
//! { "name": "newsgroups", "title": "...", "source": "...", "licence": "...", "kind": "documents", "classes": ["alt.atheism", "..."],
//!   "train": { "file": "train.txt.gz", "count": 11293, "size": 16400000 },
//!   "test": { "file": "test.txt.gz", "count": 7528, "size": 10700000 }, "bytes": 8800000 }
//! ```
//!
//! `max` is the largest value of a pixel, `bytes` the size of the files as they are served.

mod archive;
mod cifar;
mod documents;
mod idx;
mod sets;
mod tables;
mod texts;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::error::{About, Error, Result};
use crate::project::{Project, empty_folder, write_whole};
use crate::setup::set_up;

/// Where the sets are, below the top folder.
pub const FOLDER: &str = "data";

/// A set that can be installed.
pub struct Set {
    /// Name of its folder.
    pub name: &'static str,
    /// Whether the page is not complete without it.
    core: bool,
    title: &'static str,
    source: &'static str,
    licence: &'static str,
    contents: Contents,
}

/// What a set holds, and how to get it: downloaded into the given folder and verified.
enum Contents {
    /// Images with a class each.
    Images {
        /// Height, width and channels of an image.
        shape: [usize; 3],
        /// Largest value of a pixel.
        max: u8,
        classes: &'static [&'static str],
        /// Number of training and of test images.
        counts: [usize; 2],
        /// The four files, not compressed.
        fetch: fn(&Project, &Path) -> Result<[Part; 2]>,
    },
    /// Rows of numbers with a class each.
    Table {
        /// Numbers of a row.
        columns: usize,
        classes: &'static [&'static str],
        /// Number of rows to train on and to test on.
        counts: [usize; 2],
        /// The table in scikit-learn, and its SHA-256.
        file: [&'static str; 2],
    },
    /// One text.
    Text {
        /// Number of its characters.
        characters: usize,
        fetch: fn(&Project, &Path) -> Result<String>,
    },
    /// Texts with a class each.
    Documents {
        classes: &'static [&'static str],
        /// Number of documents to train on and to test on.
        counts: [usize; 2],
        /// Bytes of both files, not compressed.
        sizes: [usize; 2],
        /// The lines of both files.
        fetch: fn(&Project, &Path) -> Result<[String; 2]>,
    },
}

/// Images and labels, as idx files.
struct Part {
    x: Vec<u8>,
    y: Vec<u8>,
}

/// The sets that come with the first command.
pub fn core() -> impl Iterator<Item = &'static Set> {
    sets::SETS.iter().filter(|set| set.core)
}

/// What the page calls the sets.
pub fn titles() -> impl Iterator<Item = &'static str> {
    sets::SETS.iter().map(|set| set.title)
}

/// `cargo xtask data`.
pub fn command(project: &Project, names: &[String]) -> Result<()> {
    if names.is_empty() {
        for set in sets::SETS {
            println!("{} {:<16}{}", if installed(project, set) { "installed" } else { "         " }, set.name, set.title);
        }
        return Ok(());
    }
    let all = names.iter().any(|name| name == "--all");
    let unknown = |name: &&String| name.as_str() != "--all" && sets::SETS.iter().all(|set| set.name != name.as_str());
    if let Some(name) = names.iter().find(unknown) {
        let hint = "`cargo xtask data` lists the sets";
        return Err(Error::new(format!("there is no data set `{name}`")).hint(hint).during("data"));
    }
    let chosen = sets::SETS.iter().filter(|set| all || names.iter().any(|name| name == set.name));
    set_up(project, &chosen.map(crate::setup::data_set).collect::<Vec<_>>())
}

/// Whether a set is there, complete and as this version describes it, and in the index.
pub fn installed(project: &Project, set: &Set) -> bool {
    let home = project.path(FOLDER);
    let read = |file: &str| fs::read(home.join(file)).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let size = |file: &&str| fs::metadata(home.join(set.name).join(file)).map_or(0, |file| file.len());
    let expected = manifest(set, set.contents.files().iter().map(size).sum());
    let listed = read("index.json").is_some_and(|index| index.as_array().is_some_and(|sets| sets.contains(&expected)));
    listed && read(&format!("{}/dataset.json", set.name)) == Some(expected)
}

const IMAGES: &[&str] = &["train-x.idx.gz", "train-y.idx.gz", "test-x.idx.gz", "test-y.idx.gz"];
const TEXT: &[&str] = &["text.txt.gz"];
const DOCUMENTS: &[&str] = &["train.txt.gz", "test.txt.gz"];

fn manifest(set: &Set, bytes: u64) -> Value {
    let mut manifest = match &set.contents {
        Contents::Images { shape, max, classes, counts: [train, test], .. } => json!({
            "kind": "image", "shape": shape, "max": max, "classes": classes,
            "train": { "x": IMAGES[0], "y": IMAGES[1], "count": train },
            "test": { "x": IMAGES[2], "y": IMAGES[3], "count": test },
        }),
        Contents::Table { columns, classes, counts: [train, test], .. } => json!({
            "kind": "values", "shape": [columns], "max": 1, "classes": classes,
            "train": { "x": IMAGES[0], "y": IMAGES[1], "count": train },
            "test": { "x": IMAGES[2], "y": IMAGES[3], "count": test },
        }),
        Contents::Text { characters, .. } => json!({ "kind": "text", "text": TEXT[0], "characters": characters }),
        Contents::Documents { classes, counts, sizes, .. } => {
            let [train, test] = [0, 1].map(|part| json!({ "file": DOCUMENTS[part], "count": counts[part], "size": sizes[part] }));
            json!({ "kind": "documents", "classes": classes, "train": train, "test": test })
        }
    };
    for (key, value) in [("name", set.name), ("title", set.title), ("source", set.source), ("licence", set.licence)] {
        manifest[key] = value.into();
    }
    manifest["bytes"] = bytes.into();
    manifest
}

/// Installs a set, whole or not at all.
pub fn install(project: &Project, set: &Set) -> Result<()> {
    // Beside its final place, so that the last step is a rename; `link-data` leaves out what begins with a dot.
    let working = project.path(FOLDER).join(format!(".{}", set.name));
    empty_folder(&working)?;
    let done = convert(project, set, &working).and_then(|finished| {
        let home = project.path(FOLDER).join(set.name);
        if home.exists() {
            fs::remove_dir_all(&home).about(|| home.display())?;
        }
        fs::rename(&finished, &home).about(|| home.display())
    });
    fs::remove_dir_all(&working).about(|| working.display())?;
    done?;
    write_index(project)
}

/// Downloads a set, verifies and converts it, all within `working`; returns the folder of the result.
fn convert(project: &Project, set: &Set, working: &Path) -> Result<PathBuf> {
    let (download, finished) = (working.join("download"), working.join("finished"));
    empty_folder(&download)?;
    empty_folder(&finished)?;
    println!("  downloading: {}", set.source);
    let contents = set.contents.fetch(project, &download)?;
    println!("  verified; converting");
    let mut bytes = 0;
    for (name, contents) in set.contents.files().iter().zip(contents) {
        let packed = gzip(&contents)?;
        bytes += packed.len() as u64;
        fs::write(finished.join(name), packed).about(|| name)?;
    }
    let text = format!("{:#}\n", manifest(set, bytes));
    fs::write(finished.join("dataset.json"), text).about(|| "dataset.json")?;
    println!("  {}, {:.1} MB", set.contents.size(), bytes as f64 / 1e6);
    Ok(finished)
}

impl Contents {
    /// Names of the files.
    fn files(&self) -> &'static [&'static str] {
        match self {
            Self::Images { .. } | Self::Table { .. } => IMAGES,
            Self::Text { .. } => TEXT,
            Self::Documents { .. } => DOCUMENTS,
        }
    }

    /// How much it is, in words.
    fn size(&self) -> String {
        match self {
            Self::Images { counts: [train, test], .. } => format!("{train} training and {test} test images"),
            Self::Table { counts: [train, test], .. } => format!("{train} training and {test} test rows"),
            Self::Text { characters, .. } => format!("{characters} characters"),
            Self::Documents { counts: [train, test], .. } => format!("{train} training and {test} test documents"),
        }
    }

    /// The files, not compressed, in the order of [`Contents::files`]. They are what the manifest says, whatever the package holds.
    fn fetch(&self, project: &Project, download: &Path) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Images { shape, max, classes, counts, fetch } => {
                let parts = fetch(project, download)?;
                for (part, &count) in parts.iter().zip(counts) {
                    check(part, shape, count, *max, classes.len())?;
                }
                Ok(parts.into_iter().flat_map(|Part { x, y }| [x, y]).collect())
            }
            Self::Table { columns, counts, file: [file, sha256], .. } => {
                let parts = tables::table(project, download, file, sha256)?;
                for (part, &count) in parts.iter().zip(counts) {
                    idx::floats(&part.x, &[count, *columns])?;
                    idx::values(&part.y, &[count])?;
                }
                Ok(parts.into_iter().flat_map(|Part { x, y }| [x, y]).collect())
            }
            Self::Text { characters, fetch } => {
                let text = fetch(project, download)?;
                let found = text.chars().count();
                if found != *characters {
                    return Err(Error::new(format!("the text has {found} characters, not {characters}")));
                }
                Ok(vec![text.into_bytes()])
            }
            Self::Documents { classes, counts, sizes, fetch } => {
                let parts = fetch(project, download)?;
                for (lines, (&count, &size)) in parts.iter().zip(counts.iter().zip(sizes)) {
                    check_lines(lines, count, size, classes.len())?;
                }
                Ok(parts.map(String::into_bytes).into())
            }
        }
    }
}

/// Lists the installed sets, in the order of the table, for the page.
fn write_index(project: &Project) -> Result<()> {
    let read = |set: &Set| fs::read(project.path(FOLDER).join(set.name).join("dataset.json")).ok();
    let manifests = sets::SETS.iter().filter_map(read).filter_map(|text| serde_json::from_slice(&text).ok());
    let index = Value::Array(manifests.collect());
    write_whole(&project.path(FOLDER).join("index.json"), format!("{index:#}\n").as_bytes())
}

fn check(part: &Part, shape: &[usize; 3], count: usize, max: u8, classes: usize) -> Result<()> {
    let [height, width, channels] = *shape;
    let image: &[usize] = if channels == 1 { &[count, height, width] } else { &[count, height, width, channels] };
    let pixels = idx::values(&part.x, image)?;
    let labels = idx::values(&part.y, &[count])?;
    if pixels.iter().any(|&pixel| pixel > max) || labels.iter().any(|&label| usize::from(label) >= classes) {
        return Err(Error::new("a pixel or a label is out of range"));
    }
    Ok(())
}

fn check_lines(lines: &str, count: usize, size: usize, classes: usize) -> Result<()> {
    let class = |line: &str| line.split_once('\t').and_then(|(class, _)| class.parse::<usize>().ok());
    let found = lines.lines().filter(|line| class(line).is_some_and(|class| class < classes)).count();
    match (found, lines.lines().count(), lines.len()) == (count, count, size) {
        true => Ok(()),
        false => Err(Error::new(format!("there are {found} documents in {} bytes, not {count} in {size}", lines.len()))),
    }
}

fn gzip(contents: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(contents).about(|| "gzip")?;
    encoder.finish().about(|| "gzip")
}
