//! Sets that need no download: points of the plane in classes, and the small examples of the articles.

use super::tasks::TASKS;
use super::{Column, DataKind, Dataset, DatasetInfo, Part};
use crate::error::{Error, ErrorCode, Result};
use crate::tensor::Rng;

/// Names of the small generated sets.
const NAMES: &[&str] = &[
    "moons",
    "circles",
    "spiral",
    "xor",
    "ring",
    "linear-regression",
    "linear-regression-standardised",
    "backprop-by-hand",
    "four-points",
];

/// Appends what is said of every generated set.
pub(super) fn list(sets: &mut Vec<DatasetInfo>) {
    sets.extend(NAMES.iter().filter_map(|name| Dataset::generated(name).ok()).map(|set| set.info));
    TASKS.iter().for_each(|task| sets.push(task.info()));
}

/// Points in all, 4 of 5 to train on.
const POINTS: usize = 1000;
const TRAINING_POINTS: usize = 800;

/// Prices of the article on linear regression, one a day.
const PRICES: [f32; 5] = [100.0, 102.0, 105.0, 108.0, 110.0];

impl Dataset {
    /// The generated set of that name; the same points every time.
    pub fn generated(name: &str) -> Result<Self> {
        let days = [1.0, 2.0, 3.0, 4.0, 5.0];
        match name {
            "moons" => Ok(points(name, "Two moons", 2, moon)),
            "circles" => Ok(points(name, "Two circles", 2, circle)),
            "spiral" => Ok(points(name, "Two spirals", 2, spiral)),
            "xor" => Ok(points(name, "Exclusive or", 2, xor)),
            "ring" => Ok(points(name, "Eight clusters on a ring", 8, ring)),
            "linear-regression" => Ok(values(name, "A price on five days", &days, 1, &PRICES)),
            "linear-regression-standardised" => {
                // Mean 3, standard deviation √2.
                let standardised = days.map(|day| (day - 3.0) / std::f32::consts::SQRT_2);
                Ok(values(name, "A price on five days, days standardised", &standardised, 1, &PRICES))
            }
            "backprop-by-hand" => Ok(values(name, "One example", &[0.5, 1.0], 2, &[0.0, 1.0])),
            "four-points" => {
                let x = Column::floats(&[2], vec![1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0]);
                let y = Column::bytes(&[], vec![0, 1, 1, 0]);
                Ok(dataset(name, "Four points", DataKind::Points, 2, Part { x, y, count: 4, step: 1 }, None))
            }
            _ => match TASKS.iter().find(|task| task.name == name) {
                Some(task) => Ok(task.dataset()),
                None => Err(Error::new(ErrorCode::UnknownName, &[("kind", &"data set"), ("got", &name)])),
            },
        }
    }
}

/// A point of a class; `t` runs from 0 to 1 over the class.
type Sampler = fn(class: usize, t: f32, rng: &mut Rng) -> [f32; 2];

/// Two interleaved half circles with noise 0.1 (scikit-learn's `make_moons`, centred).
fn moon(class: usize, t: f32, rng: &mut Rng) -> [f32; 2] {
    let (sin, cos) = (std::f32::consts::PI * t).sin_cos();
    let [x, y] = if class == 0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] };
    noisy([x - 0.5, y - 0.25], 0.1, rng)
}

/// A circle of radius 1 around one of 0.5, with noise 0.08 (scikit-learn's `make_circles`).
fn circle(class: usize, t: f32, rng: &mut Rng) -> [f32; 2] {
    let (sin, cos) = (std::f32::consts::TAU * t).sin_cos();
    let radius = if class == 0 { 1.0 } else { 0.5 };
    noisy([radius * cos, radius * sin], 0.08, rng)
}

/// Two arms of one and a half turns each, with noise 0.03.
fn spiral(class: usize, t: f32, rng: &mut Rng) -> [f32; 2] {
    let radius = 0.1 + 0.9 * t;
    let (sin, cos) = (std::f32::consts::PI * (3.0 * t + class as f32)).sin_cos();
    noisy([radius * cos, radius * sin], 0.03, rng)
}

/// The square from -1 to 1: class 1 where the coordinates have different signs, with a gap at the axes.
fn xor(class: usize, _: f32, rng: &mut Rng) -> [f32; 2] {
    let x = 0.1 + 0.9 * rng.uniform();
    let y = 0.1 + 0.9 * rng.uniform();
    let sign = if rng.uniform() < 0.5 { -1.0 } else { 1.0 };
    [sign * x, if class == 0 { sign * y } else { -sign * y }]
}

/// Eight normal clusters with standard deviation 0.04 on a circle of radius 1: the toy of the papers on generative models (Metz et al. 2017).
fn ring(class: usize, _: f32, rng: &mut Rng) -> [f32; 2] {
    let (sin, cos) = (std::f32::consts::TAU * class as f32 / 8.0).sin_cos();
    noisy([cos, sin], 0.04, rng)
}

fn noisy([x, y]: [f32; 2], spread: f32, rng: &mut Rng) -> [f32; 2] {
    [x + spread * rng.normal(), y + spread * rng.normal()]
}

/// All classes in equal numbers, in random order.
fn points(name: &str, title: &str, classes: usize, sampler: Sampler) -> Dataset {
    let mut rng = Rng::new(1, 0);
    let each = POINTS / classes;
    let all: Vec<([f32; 2], u8)> = (0..POINTS)
        .map(|i| {
            let (class, t) = (i % classes, (i / classes) as f32 / (each - 1) as f32);
            (sampler(class, t, &mut rng), class as u8)
        })
        .collect();
    let order = rng.permutation(POINTS);
    let part = |rows: &[u32]| {
        let pick = |&row: &u32| all[row as usize];
        let x = rows.iter().map(pick).flat_map(|(point, _)| point).collect();
        let y = rows.iter().map(pick).map(|(_, class)| class).collect();
        Part { x: Column::floats(&[2], x), y: Column::bytes(&[], y), count: rows.len(), step: 1 }
    };
    let (train, test) = order.split_at(TRAINING_POINTS);
    dataset(name, title, DataKind::Points, classes, part(train), Some(part(test)))
}

/// Examples of `width` numbers each; as many values an example as there are.
fn values(name: &str, title: &str, x: &[f32], width: usize, y: &[f32]) -> Dataset {
    let count = x.len() / width;
    let part = Part { x: Column::floats(&[width], x.to_vec()), y: Column::floats(&[y.len() / count], y.to_vec()), count, step: 1 };
    dataset(name, title, DataKind::Values, 0, part, None)
}

fn dataset(name: &str, title: &str, kind: DataKind, classes: usize, train: Part, test: Option<Part>) -> Dataset {
    let test = test.unwrap_or_else(|| Part {
        x: Column::floats(&train.x.shape, Vec::new()),
        y: Column::floats(&train.y.shape, Vec::new()),
        count: 0,
        step: 1,
    });
    let info = DatasetInfo {
        name: name.into(),
        title: title.into(),
        kind,
        installed: true,
        source: "generated".into(),
        licence: String::new(),
        train: train.count,
        test: test.count,
        shape: train.x.shape.clone(),
        classes: (0..classes).map(|class| class.to_string()).collect(),
    };
    Dataset { info, train, test, documents: None, encoding: None }
}
