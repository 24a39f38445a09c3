//! Loss, accuracy, confusion and misclassified examples over a part of the data, a batch at a time.

use std::ops::Range;

use super::step::StepMetrics;
use super::{Compiled, Session};
use crate::backend::{Backend, Feed};
use crate::data::{Part, Split};
use crate::error::{Error, ErrorCode, Result};
use crate::plan::Operand;

/// Examples of an evaluation batch.
const BATCH: usize = 256;
/// Positions of an evaluation batch, where examples are sequences.
const POSITIONS: usize = 4000;
/// Misclassified examples that are listed.
const MOST_LISTED: usize = 60;

wire! {
    /// Loss and metrics over one part of the data.
    #[derive(Default)]
    pub struct Evaluation {
        /// Mean loss.
        pub loss: f32,
        /// Share of right answers, where the task is classification; of a sequence, every position answers.
        pub accuracy: Option<f32>,
        /// Share of the examples that were answered right at every position, where answers are sequences with an end: where the model sees no later
        /// position, those that it answers right by itself when it always takes the likeliest token.
        pub exact: Option<f32>,
        /// `confusion[truth][prediction]`, where the task is classification with one answer an example.
        pub confusion: Option<Vec<Vec<u32>>>,
        /// The first misclassified examples.
        pub misclassified: Vec<Answered>,
        /// Characters of a token, in the mean over the part, where the data are a text: the loss by this is that of a character.
        pub characters_per_token: Option<f32>,
    }

    /// An example with what the model made of it.
    pub struct Answered {
        /// Index within the part.
        pub index: usize,
        /// True class.
        pub truth: usize,
        /// Predicted class.
        pub prediction: usize,
        /// Probability of the prediction.
        pub probability: f32,
    }

    /// Some of the examples that one cell of a confusion matrix counts.
    pub struct Cell {
        /// How many there are.
        pub total: usize,
        /// Those asked for, by index.
        pub examples: Vec<Answered>,
    }
}

/// An evaluation under way.
pub struct Evaluator {
    split: Split,
    position: usize,
    loss: f64,
    correct: f64,
    /// Sequences that were right everywhere, where there are such.
    exact: Option<f64>,
    /// Whether answers are right or wrong.
    classifies: bool,
    /// By classes; empty where an example has many answers, or none.
    confusion: Vec<Vec<u32>>,
    misclassified: Vec<Answered>,
    /// The class and its probability for each example so far.
    answers: Vec<(u32, f32)>,
}

impl Evaluator {
    /// Examples done.
    pub fn done(&self) -> usize {
        self.position
    }

    /// Begins with the first example of `split`; an error if the part is empty.
    pub fn new<B: Backend>(session: &Session<B>, split: Split) -> Result<Self> {
        if session.count(split) == 0 {
            return Err(Error::new(ErrorCode::EmptySplit, &[("split", &split.name())]));
        }
        let classes = session.training().map_or(0, |compiled| session.classes(&compiled.built));
        let single = if session.positions() == 1 { classes } else { 0 };
        Ok(Self {
            split,
            position: 0,
            loss: 0.0,
            correct: 0.0,
            exact: None,
            classifies: classes > 0,
            confusion: vec![vec![0; single]; single],
            misclassified: Vec::new(),
            answers: Vec::new(),
        })
    }

    /// Takes one batch; the result when it was the last.
    pub async fn advance<B: Backend>(&mut self, session: &mut Session<B>) -> Result<Option<Evaluation>> {
        let total = session.count(self.split);
        let batch = session.evaluation_batch().min(total - self.position);
        let (part, rows) = session.rows_of(self.split, self.position..self.position + batch);
        let examples = Examples::Rows { part, rows: &rows };
        let singly = !self.confusion.is_empty();
        let Forward { predictions, loss, correct, exact } = match singly {
            true => session.answers(examples).await?,
            false => session.forward(examples, false).await?,
        };
        self.loss += f64::from(loss) * batch as f64;
        match singly {
            true => self.count(session, &predictions, batch),
            false => self.correct += f64::from(correct.unwrap_or(0.0)),
        }
        self.exact = exact.map(|exact| f64::from(exact) + self.exact.unwrap_or(0.0));
        self.position += batch;
        if self.position < total {
            return Ok(None);
        }
        let singly = !self.confusion.is_empty();
        session.answers[self.split as usize] = std::mem::take(&mut self.answers);
        let (part, first) = session.part_of(self.split);
        Ok(Some(Evaluation {
            loss: (self.loss / total as f64) as f32,
            accuracy: self.classifies.then_some((self.correct / total as f64) as f32),
            exact: self.exact.map(|exact| (exact / total as f64) as f32),
            confusion: singly.then(|| std::mem::take(&mut self.confusion)),
            misclassified: std::mem::take(&mut self.misclassified),
            characters_per_token: session.data().characters_per_token(part, first..first + total),
        }))
    }

    fn count<B: Backend>(&mut self, session: &Session<B>, predictions: &[f32], batch: usize) {
        let classes = self.confusion.len();
        let (data, first) = session.part_of(self.split);
        for (offset, scores) in predictions.chunks_exact(predictions.len() / batch).enumerate() {
            let truth = label(data, first + self.position + offset);
            let (prediction, probability) = match session.settings.loss.from_logits() {
                true => decide(&probabilities(scores)),
                false => decide(scores),
            };
            self.answers.push((prediction as u32, probability));
            if truth >= classes || prediction >= classes {
                continue;
            }
            self.confusion[truth][prediction] += 1;
            if truth == prediction {
                self.correct += 1.0;
            } else if self.misclassified.len() < MOST_LISTED {
                self.misclassified.push(Answered { index: self.position + offset, truth, prediction, probability });
            }
        }
    }
}

/// The class of an example: its label, or the largest of a one-hot label.
fn label(part: &Part, example: usize) -> usize {
    let cells: Vec<f32> = (0..part.y.width()).map(|i| part.y.value(part.row(example), i)).collect();
    match cells[..] {
        [class] => class as usize,
        _ => decide(&cells).0,
    }
}

/// Probabilities of logits: a sigmoid of one, a softmax of several.
fn probabilities(logits: &[f32]) -> Vec<f32> {
    if let [logit] = *logits {
        return vec![1.0 / (1.0 + (-logit).exp())];
    }
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let total: f32 = exps.iter().sum();
    exps.into_iter().map(|exp| exp / total).collect()
}

/// The class that scores stand for, and its probability: the largest of several, or one sigmoid's side of a half.
fn decide(scores: &[f32]) -> (usize, f32) {
    if let [probability] = *scores {
        return if probability > 0.5 { (1, probability) } else { (0, 1.0 - probability) };
    }
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = class;
        }
    }
    (best, scores[best])
}

/// A batch for the forward plan.
#[derive(Clone, Copy)]
pub(super) enum Examples<'a> {
    /// Rows of a resident part of the data.
    Rows {
        /// Which part.
        part: usize,
        /// Which rows, one an example.
        rows: &'a [u32],
    },
    /// Their numbers, from outside.
    Given {
        /// One example after another.
        x: &'a [f32],
        /// Numbers of one.
        width: usize,
    },
}

impl Examples<'_> {
    pub fn count(self) -> usize {
        match self {
            Self::Rows { rows, .. } => rows.len(),
            Self::Given { x, width } => x.len() / width,
        }
    }

    /// Some of them.
    pub fn part(self, range: Range<usize>) -> Self {
        match self {
            Self::Rows { part, rows } => Self::Rows { part, rows: &rows[range] },
            Self::Given { x, width } => Self::Given { x: &x[range.start * width..range.end * width], width },
        }
    }
}

/// What the forward plan made of a batch.
#[derive(Default)]
pub(super) struct Forward {
    /// All outputs, if they were asked for.
    pub predictions: Vec<f32>,
    /// Mean loss.
    pub loss: f32,
    /// Right answers, where the task is classification.
    pub correct: Option<f32>,
    /// Examples that were right everywhere, where answers are sequences with an end.
    pub exact: Option<f32>,
}

impl<B: Backend> Session<B> {
    /// Answers that an example has: one, or one at every position of a sequence.
    pub(super) fn positions(&self) -> usize {
        let of_example = |compiled: &Compiled<B>| {
            let built = &compiled.built;
            self.settings.loss.label_shape(&built.graph.shape(built.output)[1..]).iter().product()
        };
        match self.settings.loss.takes_classes() {
            true => self.training().map_or(1, of_example),
            false => 1,
        }
    }

    /// Examples that are evaluated at once: fewer where they are sequences, or where their largest value would not fit into the device.
    pub(super) fn evaluation_batch(&self) -> usize {
        let fitting = self.training().map_or(BATCH, |compiled| {
            let of_example = compiled.plan.largest().div_ceil(self.settings.batch_size.max(1));
            self.backend.most_cells() / of_example.max(1)
        });
        (POSITIONS / self.positions().max(1)).min(fitting).clamp(1, BATCH)
    }

    /// Runs the forward plan for a batch; reads the outputs where they are `wanted`.
    pub(super) async fn forward(&mut self, examples: Examples<'_>, wanted: bool) -> Result<Forward> {
        let batch = examples.count();
        self.inference(batch).await?;
        let Some(mut compiled) = self.infer.remove(&batch) else { return Ok(Forward { loss: f32::NAN, ..Forward::default() }) };
        let ran = self.run_forward(&mut compiled, examples);
        let drained = self.backend.drain(&mut compiled.exec);
        let place = compiled.plan.place(compiled.built.output);
        let predictions = match (&ran, place) {
            (Ok(()), Some(Operand::Memory(place))) if wanted => self.backend.read_place(&compiled.exec, place).await,
            _ => Ok(Vec::new()),
        };
        self.infer.insert(batch, compiled);
        ran?;
        let StepMetrics { loss, correct, exact, .. } = StepMetrics::of(&drained.await?, batch);
        Ok(Forward { predictions: predictions?, loss, correct, exact })
    }

    fn run_forward(&mut self, compiled: &mut Compiled<B>, examples: Examples<'_>) -> Result<()> {
        let feed = match examples {
            Examples::Rows { part, rows } => Feed::Rows { part, rows: rows.to_vec() },
            Examples::Given { x, .. } => {
                self.backend.write_input(&mut compiled.exec, 0, x)?;
                Feed::Kept
            }
        };
        let data = self.step_data(&compiled.built, feed);
        let range = 0..compiled.plan.steps.len();
        self.backend.run(&mut compiled.exec, &data, range)
    }

    /// Examples `first..first + most` of those of class `truth` that were taken for `prediction` when the part was last evaluated; an error
    /// if it never was.
    pub fn cell(&self, split: Split, truth: usize, prediction: usize, first: usize, most: usize) -> Result<Cell> {
        let answers = &self.answers[split as usize];
        if answers.is_empty() {
            let reason = format!("the {} part is not evaluated", split.name());
            return Err(Error::new(ErrorCode::WrongState, &[("what", &"listing examples"), ("reason", &reason)]));
        }
        let (data, start) = self.part_of(split);
        let in_cell = |(index, &(answer, probability)): (usize, &(u32, f32))| {
            let found = answer as usize == prediction && label(data, start + index) == truth;
            found.then_some(Answered { index, truth, prediction, probability })
        };
        let all: Vec<Answered> = answers.iter().enumerate().filter_map(in_cell).collect();
        Ok(Cell { total: all.len(), examples: all.into_iter().skip(first).take(most).collect() })
    }

    /// Evaluates a whole part.
    pub async fn evaluate(&mut self, split: Split) -> Result<Evaluation> {
        let mut evaluator = Evaluator::new(self, split)?;
        loop {
            if let Some(evaluation) = evaluator.advance(self).await? {
                return Ok(evaluation);
            }
        }
    }

    /// Numbers of one example.
    pub(super) fn example_width(&self) -> usize {
        self.settings.model.input.iter().product()
    }

    /// How many examples the numbers are that came with the request `what`; an error if they are none, or no whole ones.
    pub(super) fn examples_in(&self, what: &str, x: &[f32]) -> Result<usize> {
        let width = self.example_width();
        if x.is_empty() || !x.len().is_multiple_of(width) {
            let expected = format!("a multiple of {width}");
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &expected), ("got", &x.len())]));
        }
        Ok(x.len() / width)
    }

    /// Predictions (probabilities where the model gives such) for any number of examples.
    pub async fn predict(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        self.examples_in("predict", x)?;
        let width = self.example_width();
        let mut predictions = Vec::new();
        for x in x.chunks(self.evaluation_batch() * width) {
            predictions.extend(self.answers(Examples::Given { x, width }).await?.predictions);
        }
        Ok(predictions)
    }
}
