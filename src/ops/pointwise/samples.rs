//! Every row over values on which it is smooth, and the broadcasting rules.

use super::Pointwise;
use crate::ops::Sample;

pub(super) fn all() -> Vec<Sample> {
    let mut samples: Vec<Sample> = Pointwise::ALL.iter().map(|&row| plain(row)).collect();
    for (name, left, right) in [
        ("bias", &[2, 3, 4, 5][..], &[5][..]),
        ("scalar", &[3, 4], &[]),
        ("both", &[4, 1, 3], &[2, 1]),
        ("row", &[5, 1], &[1, 7]),
        ("left", &[3], &[2, 3]),
    ] {
        for row in [Pointwise::Mul, Pointwise::Sub, Pointwise::Max] {
            let name = format!("{} broadcast {name}", row.label());
            samples.push(Sample::new(&name, row, &[left, right], (0.5, 2.0)));
        }
    }
    samples.extend([
        condition("all", &[3, 1], &[2, 1, 4], &[4]),
        condition("scalars", &[2, 5], &[], &[]),
        condition("a scalar", &[], &[3], &[2, 1]),
    ]);
    samples.push(Sample::new("sigmoid large", Pointwise::Sigmoid, &[&[40]], (-60.0, 60.0)));
    samples.push(Sample::new("softplus large", Pointwise::Softplus, &[&[40]], (-60.0, 60.0)));
    samples.push(Sample::new("tanh large", Pointwise::Tanh, &[&[40]], (-60.0, 60.0)));
    samples.push(Sample::new("sin of many turns", Pointwise::Sin, &[&[60]], (-200.0, 200.0)));
    samples.push(Sample::new("cos of many turns", Pointwise::Cos, &[&[60]], (-200.0, 200.0)));
    samples.push(Sample::new("add long", Pointwise::Add, &[&[70_001], &[70_001]], (-1.0, 1.0)));
    samples
}

/// A row over 5 x 7 values within its domain.
fn plain(row: Pointwise) -> Sample {
    let range = match row {
        Pointwise::Log | Pointwise::Sqrt | Pointwise::Pow | Pointwise::Div => (0.4, 2.5),
        Pointwise::LeakyRelu | Pointwise::Huber => (0.1, 1.5),
        _ => (-2.5, 2.5),
    };
    let mut sample = Sample::new(row.label(), row, &[&[5, 7][..]; 3][..row.arity()], range);
    if matches!(row, Pointwise::LeakyRelu | Pointwise::Huber) {
        // Both branches: the second operand (slope, threshold) stays positive.
        sample.inputs[0].0.data.iter_mut().step_by(2).for_each(|a| *a *= -2.0);
    }
    if row == Pointwise::Where {
        sample.inputs[0].0.data.iter_mut().step_by(2).for_each(|a| *a = 0.0);
    }
    sample
}

/// A condition, of whose elements every second is not 0, and two values.
fn condition(name: &str, condition: &[usize], a: &[usize], b: &[usize]) -> Sample {
    let mut sample = Sample::new(&format!("where broadcast {name}"), Pointwise::Where, &[condition, a, b], (-1.0, 1.0));
    sample.inputs[0].0.data.iter_mut().skip(1).step_by(2).for_each(|a| *a = 0.0);
    sample
}
