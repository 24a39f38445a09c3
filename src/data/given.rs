//! Examples that somebody brings, as arrays or as labelled documents.

use super::{Column, Corpus, DataKind, Dataset, DatasetInfo, Part, Reading, Split};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::tensor::Cells;

/// What is said of examples beside their values.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Names of the classes; none where `y` is values, or numbers of classes without names.
    pub classes: Vec<String>,
    /// How many examples, the last ones, are for testing.
    pub test: usize,
}

impl Given {
    /// How many of `count` examples are for training: at least one.
    fn train(&self, count: usize) -> Result<usize> {
        match count.checked_sub(self.test) {
            None | Some(0) => {
                Err(out_of_range("testExamples", &format!("between 0 and {}", count.saturating_sub(1)), self.test).at("testExamples"))
            }
            Some(train) => Ok(train),
        }
    }
}

impl Dataset {
    /// Examples given as arrays: `x` of shape `[N, ...]`, and `y` with one number an example or several. There is no test part.
    pub fn from_arrays(x: Vec<f32>, shape: &[usize], y: Vec<f32>) -> Result<Self> {
        Self::from_examples(x.into(), shape, y, Given::default())
    }

    /// The same, with names of the classes and a test part; three axes an example are an image. An error where the numbers of values do not agree, a
    /// label is none of the classes, or no example is left to train on.
    pub fn from_examples(mut x: Cells, shape: &[usize], mut y: Vec<f32>, given: Given) -> Result<Self> {
        let [count, example @ ..] = shape else {
            return Err(Error::new(ErrorCode::BadShape, &[("op", &"data"), ("expected", &"the number of examples first"), ("got", &"[]")]));
        };
        if *count == 0 {
            return Err(Error::new(ErrorCode::EmptySplit, &[("split", &Split::Train.name())]));
        }
        if y.is_empty() || !y.len().is_multiple_of(*count) {
            return Err(Error::new(ErrorCode::CountMismatch, &[("left", count), ("right", &y.len())]));
        }
        let needed = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
        let got = x.len();
        if needed != Some(got) {
            let what = format!("x of shape {shape:?}");
            let expected = shape.iter().map(|&extent| extent as f64).product::<f64>();
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &expected), ("got", &got)]));
        }
        let train = given.train(*count)?;
        let values = y.len() / count;
        let labels: &[usize] = if values == 1 { &[] } else { &[values] };
        let (test_x, test_y) = (x.split_off(got / count * train), y.split_off(values * train));
        let part = |x, y, count| Part::new(Column::new(example, x), Column::floats(labels, y), count);
        let (train, test) = (part(x, y, train)?, part(test_x, test_y, given.test)?);
        if !given.classes.is_empty() && values == 1 {
            [&train, &test].iter().try_for_each(|part| part.check_labels(given.classes.len()))?;
        }
        let info = DatasetInfo {
            kind: if example.len() == 3 { DataKind::Image } else { DataKind::Values },
            train: train.count,
            test: test.count,
            shape: example.to_vec(),
            classes: given.classes,
            ..Self::text_info("arrays", "Arrays")
        };
        Ok(Self { info, train, test, documents: None, encoding: None })
    }

    /// Labelled documents, a line each as in an installed file: the number of a class, a tab and the text. The words are learned from the training
    /// part alone. An error as of [`Dataset::from_documents`], or where no document is left to train on.
    pub fn from_lines(lines: Vec<u8>, given: Given, reading: Reading) -> Result<Self> {
        let mut train = Corpus::read("documents", lines)?;
        let test = train.split_off(given.train(train.len())?);
        let info = DatasetInfo { classes: given.classes, ..Self::text_info("documents", "Documents") };
        Self::from_documents(info, train, test, reading)
    }
}
