//! Tables of scikit-learn: examples of a few numbers with a class each. The first line holds the number of rows, of columns and the classes' names; every other
//! line the numbers and the class. Columns are standardised: mean 0 and standard deviation 1 over the part that is trained on.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::archive::{from_zip, pip, verified};
use super::{Part, idx};
use crate::error::{Error, Result};
use crate::project::Project;

/// Both parts of a table, four fifths to train on. Rows lie in the order of their SHA-256, since those of the file lie in the order of their classes.
pub fn table(project: &Project, folder: &Path, file: &str, sha256: &str) -> Result<[Part; 2]> {
    let wheel = pip(project, folder, "scikit-learn==1.7.2")?;
    let text = verified(file, from_zip(&wheel, &format!("sklearn/datasets/data/{file}"))?, sha256)?;
    let text = String::from_utf8(text).map_err(|_| Error::new(format!("{file} is not UTF-8")))?;
    parts(&text).ok_or_else(|| Error::new(format!("{file}: a row is not numbers and a class")))
}

/// A row's numbers and its class.
fn row(line: &str) -> Option<(Vec<f64>, u8)> {
    let (numbers, class) = line.rsplit_once(',')?;
    let numbers: Option<Vec<f64>> = numbers.split(',').map(|number| number.parse().ok()).collect();
    Some((numbers?, class.parse().ok()?))
}

fn parts(text: &str) -> Option<[Part; 2]> {
    let (_, body) = text.split_once('\n')?;
    let mut lines: Vec<&str> = body.lines().collect();
    lines.sort_by_cached_key(|line| (Sha256::digest(line), line.to_owned()));
    let rows: Vec<(Vec<f64>, u8)> = lines.into_iter().map(row).collect::<Option<_>>()?;
    let columns = rows.first()?.0.len();
    if rows.iter().any(|(numbers, _)| numbers.len() != columns) {
        return None;
    }
    let (train, test) = rows.split_at(rows.len() * 4 / 5);
    let count = train.len() as f64;
    let moments = (0..columns).map(|column| {
        let mean = train.iter().map(|(numbers, _)| numbers[column]).sum::<f64>() / count;
        let variance = train.iter().map(|(numbers, _)| (numbers[column] - mean).powi(2)).sum::<f64>() / count;
        (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
    });
    let moments: Vec<(f64, f64)> = moments.collect();
    let part = |rows: &[(Vec<f64>, u8)]| {
        let standardised = |(numbers, _): &(Vec<f64>, u8)| {
            numbers.iter().zip(&moments).map(|(number, (mean, spread))| ((number - mean) / spread) as f32).collect::<Vec<_>>()
        };
        let labels: Vec<u8> = rows.iter().map(|&(_, class)| class).collect();
        Part {
            x: idx::encode_floats(&[rows.len(), columns], &rows.iter().flat_map(standardised).collect::<Vec<_>>()),
            y: idx::encode(&[rows.len()], &labels),
        }
    };
    Some([part(train), part(test)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_standardised_by_the_training_part() {
        let rows: String = (0..10).map(|k| format!("{k},5,{}\n", k % 2)).collect();
        let [train, test] = parts(&format!("10,2,a,b\n{rows}")).expect("a table");
        let x = idx::floats(&train.x, &[8, 2]).expect("eight rows");
        let mean = x.iter().step_by(2).sum::<f32>() / 8.0;
        let variance = x.iter().step_by(2).map(|value| (value - mean).powi(2)).sum::<f32>() / 8.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "mean {mean}, variance {variance}");
        assert!(x.iter().skip(1).step_by(2).all(|&value| value == 0.0), "a column that is always the same is 0");
        assert_eq!(idx::values(&test.y, &[2]).map(<[u8]>::len).ok(), Some(2));
        assert!(parts("1,2,a,b\n1,2,0\n1,1\n").is_none() && parts("").is_none());
    }
}
