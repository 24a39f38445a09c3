//! Installed data sets: a manifest `dataset.json` beside four gzipped idx files, a gzipped text, or two gzipped files of
//! documents, as the set-up writes them.

use serde_json::Value;

use super::idx::{Idx, bad_file, gunzip};
use super::{Column, Corpus, DataKind, Dataset, DatasetInfo, Part, Reading, cifar, generated};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromValue, LARGEST, bad_value, out_of_range};
use crate::tensor::Cells;

/// What `dataset.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What the page says.
    pub info: DatasetInfo,
    /// Bytes of all files, for progress; 0 if unknown.
    pub bytes: f64,
    /// Its files.
    pub contents: Contents,
}

/// The files of an installed set, by name within its folder.
#[derive(Clone, Debug, PartialEq)]
pub enum Contents {
    /// Examples with a label each.
    Labelled {
        /// Largest value of a cell: cells are divided by it.
        max: f32,
        /// Examples and labels to train on, then to test on.
        files: [String; 4],
    },
    /// One text in UTF-8.
    Text {
        /// The file.
        file: String,
    },
    /// Texts with a class each, to train on and to test on.
    Documents {
        /// Names of the files.
        files: [String; 2],
        /// Their bytes, unpacked.
        sizes: [usize; 2],
    },
}

/// The files of a part.
struct Files {
    x: String,
    y: String,
    count: usize,
}

impl FromValue for Files {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let mut fields = Fields::new(value, name, at)?;
        Ok(Self { x: fields.required("x")?, y: fields.required("y")?, count: fields.required("count")? })
    }
}

/// A file of documents: how many, and its bytes unpacked.
struct Lines {
    file: String,
    count: usize,
    size: usize,
}

impl FromValue for Lines {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let mut fields = Fields::new(value, name, at)?;
        let size: f64 = fields.required("size")?;
        let most = (LARGEST * 64) as f64;
        if !(0.0..=most).contains(&size) {
            return Err(out_of_range("size", &format!("between 0 and {most}"), size).at(format!("{at}.size")));
        }
        Ok(Self { file: fields.required("file")?, count: fields.required("count")?, size: size as usize })
    }
}

impl FromValue for DataKind {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        match value.as_str() {
            Some("image") => Ok(Self::Image),
            Some("points") => Ok(Self::Points),
            Some("values") => Ok(Self::Values),
            Some("text") => Ok(Self::Text),
            Some("documents") => Ok(Self::Documents),
            _ => Err(bad_value(name, "image, points, values, text or documents", value).at(at)),
        }
    }
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(text: &str) -> Result<Self> {
        Self::from_json(&read_json("dataset.json", text)?, "dataset.json")
    }

    /// Reads `index.json`, the list of all installed manifests.
    pub fn parse_index(text: &str) -> Result<Vec<Self>> {
        let value = read_json("index.json", text)?;
        let sets = value.as_array().ok_or_else(|| bad_file("index.json", "JSON", "it is not a list"))?;
        sets.iter().enumerate().map(|(i, set)| Self::from_json(set, &format!("index.json[{i}]"))).collect()
    }

    /// Keys that it does not know are for others.
    fn from_json(value: &Value, at: &str) -> Result<Self> {
        let mut fields = Fields::new(value, "a data set's manifest", at)?;
        let mut info = DatasetInfo {
            name: fields.required("name")?,
            title: fields.required("title")?,
            kind: fields.required("kind")?,
            installed: true,
            source: fields.required("source")?,
            licence: fields.required("licence")?,
            train: 0,
            test: 0,
            shape: Vec::new(),
            classes: Vec::new(),
        };
        let contents = match info.kind {
            DataKind::Text => {
                info.train = fields.required("characters")?;
                check_size(at, "characters", info.train, &[])?;
                Contents::Text { file: fields.required("text")? }
            }
            DataKind::Documents => {
                let [train, test]: [Lines; 2] = [fields.required("train")?, fields.required("test")?];
                (info.train, info.test) = (train.count, test.count);
                info.classes = fields.required("classes")?;
                Contents::Documents { files: [train.file, test.file], sizes: [train.size, test.size] }
            }
            DataKind::Image | DataKind::Points | DataKind::Values | DataKind::Pairs => {
                let train: Files = fields.required("train")?;
                let test: Files = fields.required("test")?;
                (info.train, info.test) = (train.count, test.count);
                info.shape = fields.required("shape")?;
                info.classes = fields.required("classes")?;
                check_size(at, "shape", train.count.max(test.count), &info.shape)?;
                let max: f64 = fields.required("max")?;
                if max <= 0.0 {
                    return Err(out_of_range("max", "above 0", max).at(format!("{at}.max")));
                }
                Contents::Labelled { max: max as f32, files: [train.x, train.y, test.x, test.y] }
            }
        };
        let bytes = fields.optional("bytes")?.unwrap_or(0.0);
        Ok(Self { info, bytes, contents })
    }

    /// Names of its files.
    pub fn files(&self) -> &[String] {
        match &self.contents {
            Contents::Labelled { files, .. } => files,
            Contents::Text { file } => std::slice::from_ref(file),
            Contents::Documents { files, .. } => files,
        }
    }
}

/// A manifest cannot make the engine allocate what no page can hold.
fn check_size(at: &str, field: &str, count: usize, shape: &[usize]) -> Result<()> {
    let cells = shape.iter().try_fold(count, |product, &extent| product.checked_mul(extent));
    if cells.is_none_or(|cells| cells > LARGEST * 64) || shape.contains(&0) {
        let expected = format!("at least 1 and at most {} cells", LARGEST * 64);
        return Err(out_of_range(field, &expected, format!("{count} times {shape:?}")).at(format!("{at}.{field}")));
    }
    Ok(())
}

fn read_json(file: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| bad_file(file, "JSON", &error.to_string()))
}

impl Dataset {
    /// Reads an installed set from its files, in the order of [`Manifest::files`]; a text is cut into windows of [`Reading::length`] tokens. Each file
    /// is freed as soon as it is read, since memory that a page once took stays taken.
    pub fn from_files(manifest: &Manifest, files: Vec<Vec<u8>>, reading: impl Into<Reading>) -> Result<Self> {
        Self::read_files(manifest, files, reading.into())
    }

    fn read_files(manifest: &Manifest, files: Vec<Vec<u8>>, reading: Reading) -> Result<Self> {
        let (info, names, got) = (&manifest.info, manifest.files(), files.len());
        if names.len() != got {
            return Err(bad_value("data", "examples with labels", &Value::from(format!("{got} files"))).at(&*info.name));
        }
        let mut files = names.iter().zip(files).map(|(name, file)| (&**name, file));
        let mut next = || files.next().unwrap_or_default();
        match &manifest.contents {
            Contents::Labelled { max, .. } => {
                let train = read_part(info, *max, info.train, next(), next())?;
                let test = read_part(info, *max, info.test, next(), next())?;
                Ok(Self { info: info.clone(), train, test, documents: None, encoding: None })
            }
            Contents::Text { .. } => {
                let (file, bytes) = next();
                // No character of UTF-8 takes more than four bytes.
                let text = String::from_utf8(gunzip(file, &bytes, 4 * info.train)?);
                let text = text.map_err(|error| bad_file(file, "UTF-8", &error.to_string()))?;
                Self::from_text(info.clone(), &text, reading)
            }
            Contents::Documents { sizes, .. } => {
                let mut corpus = |size: usize, count: usize| {
                    let (file, bytes) = next();
                    Corpus::parse(file, gunzip(file, &bytes, size)?, count)
                };
                let (train, test) = (corpus(sizes[0], info.train)?, corpus(sizes[1], info.test)?);
                Self::from_documents(info.clone(), train, test, reading)
            }
        }
    }
}

/// Reads a part of so many examples from its two files.
fn read_part(info: &DatasetInfo, max: f32, count: usize, (x_file, x): (&str, Vec<u8>), (y_file, y): (&str, Vec<u8>)) -> Result<Part> {
    let width: usize = info.shape.iter().product();
    let images = unpack(x_file, &x, count * width)?;
    drop(x);
    let labels = unpack(y_file, &y, count)?;
    let expected = [&[count], &info.shape[..]].concat();
    if images.count() == labels.count() && (images.count() != count || images.shape.iter().product::<usize>() != count * width) {
        let reason = format!("it holds {:?} values where the manifest says {expected:?}", images.shape);
        return Err(bad_file(x_file, "idx", &reason));
    }
    pair(info, max, (x_file, images), (y_file, labels))
}

/// An idx file of at most so many values, gzipped or not.
fn unpack(file: &str, bytes: &[u8], cells: usize) -> Result<Idx> {
    Idx::parse(file, gunzip(file, bytes, 1024 + 4 * cells)?)
}

/// A part of its images, which are divided by `max`, and its labels.
fn pair(info: &DatasetInfo, max: f32, (x_file, images): (&str, Idx), (y_file, labels): (&str, Idx)) -> Result<Part> {
    let count = images.count();
    if count != labels.count() {
        return Err(Error::new(ErrorCode::CountMismatch, &[("left", &count), ("right", &labels.count())]).at(x_file));
    }
    if images.shape[1..].iter().product::<usize>() != info.shape.iter().product::<usize>() {
        let reason = format!("it holds images of {:?} where {:?} is expected", &images.shape[1..], info.shape);
        return Err(bad_file(x_file, "idx", &reason));
    }
    if labels.shape.len() != 1 {
        let reason = format!("it holds {:?} values where one label an example is expected", labels.shape);
        return Err(bad_file(y_file, "idx", &reason));
    }
    let cells = match images.cells {
        Cells::Bytes { data, .. } => Cells::Bytes { data, scale: 1.0 / max },
        floats => floats,
    };
    let part = Part::new(Column::new(&info.shape, cells), Column::new(&[], labels.cells), count)?;
    if !info.classes.is_empty() {
        part.check_labels(info.classes.len()).map_err(|error| error.at(y_file))?;
    }
    Ok(part)
}

impl Dataset {
    /// The set of that name from its publisher's own files, gzipped or not, by their names and in any order: batches of CIFAR-10 or their archive, or
    /// idx files, images and labels to train on (the larger part), and to test on if they are there.
    pub fn from_official(name: &str, files: &[(String, Vec<u8>)]) -> Result<Self> {
        let known = KNOWN.iter().find(|known| known.name == name && known.kind == DataKind::Image);
        let known = known.ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"data set"), ("got", &name)]))?;
        let mut info = DatasetInfo { installed: true, source: "the files given".into(), ..known.info() };
        let file = files.first().map_or(name, |(file, _)| file);
        let [train, test] = match known.shape == cifar::SHAPE {
            true => cifar::read(files, known.counts)?.map(|[images, labels]| pair(&info, known.max, (file, images), (file, labels))),
            false => official_idx(&info, known, files)?,
        };
        let (train, test) = (train?, test?);
        (info.train, info.test) = (train.count, test.count);
        Ok(Self { info, train, test, documents: None, encoding: None })
    }
}

/// The parts of a set in idx files; a test part that is not there is empty.
fn official_idx(info: &DatasetInfo, known: &Known, files: &[(String, Vec<u8>)]) -> Result<[Result<Part>; 2]> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for (file, bytes) in files {
        let idx = unpack(file, bytes, known.counts[0] * info.shape.iter().product::<usize>())?;
        match idx.shape.len() {
            1 => labels.push((file.as_str(), idx)),
            _ => images.push((file.as_str(), idx)),
        }
    }
    for files in [&mut images, &mut labels] {
        if let [first, second] = &mut files[..]
            && first.1.count() < second.1.count()
        {
            std::mem::swap(first, second);
        }
    }
    if images.len() != labels.len() || !(1..=2).contains(&images.len()) {
        let file = files.first().map_or(known.name, |(file, _)| file);
        return Err(bad_file(file, "idx", "one file of images and one of labels are needed, for the test part too if it is given"));
    }
    let counts = |idx: &[(&str, Idx)]| idx.iter().map(|(_, idx)| idx.count()).collect::<Vec<_>>();
    if let [one, other] = counts(&images)[..]
        && one == other
    {
        return Err(bad_file(images[0].0, "idx", "both parts have as many images, so that nothing tells which labels are whose"));
    }
    let mut parts = images.into_iter().zip(labels).map(|(images, labels)| pair(info, known.max, images, labels));
    let mut next = || parts.next().unwrap_or_else(|| Part::new(Column::bytes(known.shape, Vec::new()), Column::bytes(&[], Vec::new()), 0));
    Ok([next(), next()])
}

/// Every data set that the page offers: the installed ones, those that the set-up can install, and the generated ones.
pub fn catalogue(installed: &[Manifest]) -> Vec<DatasetInfo> {
    let known = KNOWN.iter().map(|known| match installed.iter().find(|manifest| manifest.info.name == known.name) {
        Some(manifest) => manifest.info.clone(),
        None => known.info(),
    });
    let others = installed.iter().filter(|manifest| KNOWN.iter().all(|known| known.name != manifest.info.name));
    let mut sets: Vec<DatasetInfo> = known.chain(others.map(|manifest| manifest.info.clone())).collect();
    generated::list(&mut sets);
    sets
}

/// A set that the set-up can install (`cargo xtask data NAME`).
struct Known {
    name: &'static str,
    title: &'static str,
    kind: DataKind,
    /// Examples to train on and to test on; a text's characters.
    counts: [usize; 2],
    shape: &'static [usize],
    /// Largest value of a cell.
    max: f32,
    classes: &'static [&'static str],
}

const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHING: &[&str] = &["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
const THINGS: &[&str] = &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const KNOWN: &[Known] = &[
    images("mnist", "MNIST, handwritten digits", [60_000, 10_000], &[28, 28, 1], 255.0, DIGITS),
    images("digits", "8x8 digits, small and quick", [1437, 360], &[8, 8, 1], 16.0, DIGITS),
    text("shakespeare", "Shakespeare, 38 plays", 4_785_195),
    text("names", "English first names", 59_167),
    images("fashion-mnist", "Fashion-MNIST, articles of clothing", [60_000, 10_000], &[28, 28, 1], 255.0, CLOTHING),
    images("cifar10", "CIFAR-10, small colour pictures", [50_000, 10_000], cifar::SHAPE, 255.0, THINGS),
    documents("newsgroups", "20 Newsgroups, posts by subject", [11_293, 7_528]),
    documents("reviews-en", "Film reviews, English", [20_000, 4_904]),
    documents("reviews-zh", "Product reviews, Chinese", [13_890, 3_473]),
    documents("spam", "Mail, wanted and unwanted", [4_800, 1_111]),
    text("moby-dick", "Moby Dick", 1_209_899),
    text("three-kingdoms", "Romance of the Three Kingdoms, Chinese", 596_329),
    text("tang-poems", "300 Tang poems, Chinese", 29_567),
    table("iris", "Iris flowers by four measures", [120, 30], &[4], &["setosa", "versicolor", "virginica"]),
    table("wine", "Wines of three growers by 13 measures", [142, 36], &[13], &["grower 1", "grower 2", "grower 3"]),
    table("breast-cancer", "Breast cancer by 30 measures of cells", [455, 114], &[30], &["malignant", "benign"]),
];

const fn images(
    name: &'static str,
    title: &'static str,
    counts: [usize; 2],
    shape: &'static [usize],
    max: f32,
    classes: &'static [&'static str],
) -> Known {
    Known { name, title, kind: DataKind::Image, counts, shape, max, classes }
}

const fn text(name: &'static str, title: &'static str, characters: usize) -> Known {
    Known { name, title, kind: DataKind::Text, counts: [characters, 0], shape: &[], max: 1.0, classes: &[] }
}

const fn table(
    name: &'static str,
    title: &'static str,
    counts: [usize; 2],
    shape: &'static [usize],
    classes: &'static [&'static str],
) -> Known {
    Known { name, title, kind: DataKind::Values, counts, shape, max: 1.0, classes }
}

const fn documents(name: &'static str, title: &'static str, counts: [usize; 2]) -> Known {
    Known { name, title, kind: DataKind::Documents, counts, shape: &[], max: 1.0, classes: &[] }
}

impl Known {
    fn info(&self) -> DatasetInfo {
        DatasetInfo {
            name: self.name.into(),
            title: self.title.into(),
            kind: self.kind,
            installed: false,
            source: String::new(),
            licence: String::new(),
            train: self.counts[0],
            test: self.counts[1],
            shape: self.shape.to_vec(),
            classes: self.classes.iter().map(|&class| class.into()).collect(),
        }
    }
}
