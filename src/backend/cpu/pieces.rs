//! In which pieces steps run. Steps that pass a batch on from one to the next, example by example, run over a few examples at a time, so that what
//! one writes is still in the cache when the next one reads it.

use std::ops::Range;

use crate::plan::{Kernel, Mode, Operand, Place, Plan, Step};
use crate::tensor::Shape;

/// Cells that the values of a few examples may take: 256 KiB, a part of the second cache.
const CELLS: usize = 1 << 16;

/// A step, or its part for some examples.
pub(super) struct Piece {
    /// Position in [`Plan::steps`].
    pub step: usize,
    /// What it reads, with the shape that it reads it as.
    pub inputs: Vec<(Operand, Shape)>,
    /// What it writes.
    pub outputs: Vec<Place>,
    /// Shape of the results.
    pub shape: Shape,
}

/// Everything that a plan runs, in order.
pub(super) fn pieces(plan: &Plan) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < plan.steps.len() {
        let mut to = from + 1;
        if plan.mode == Mode::Train {
            while to < plan.steps.len() && goes_on(&plan.steps[from..to], &plan.steps[to]) {
                to += 1;
            }
        }
        add(plan, from..to, &mut pieces);
        from = to;
    }
    pieces
}

/// The pieces of some steps that belong together.
fn add(plan: &Plan, steps: Range<usize>, pieces: &mut Vec<Piece>) {
    let first = &plan.steps[steps.start];
    let rows = first.shape.first().copied().unwrap_or(1).max(1);
    let cells = |step: &Step| {
        let read = step.inputs.iter().zip(by_rows(step).unwrap_or_default()).filter(|(_, by_rows)| *by_rows);
        read.map(|((_, shape), _)| shape.numel()).chain([step.shape.numel() * step.outputs.len()]).sum::<usize>() / rows
    };
    let most = plan.steps[steps.clone()].iter().map(cells).max().unwrap_or(1).max(1);
    let in_one_go = steps.len() == 1 && !matches!(first.kernel, Kernel::Op { chain: Some(_), .. }) || by_rows(first).is_none();
    let at_once = if in_one_go { rows } else { (CELLS / most).clamp(1, rows) };
    for start in (0..rows).step_by(at_once) {
        let part = start..(start + at_once).min(rows);
        pieces.extend(steps.clone().map(|step| piece(step, &plan.steps[step], rows, &part)));
    }
}

fn piece(index: usize, step: &Step, rows: usize, part: &Range<usize>) -> Piece {
    let shorter = |shape: &Shape| -> Shape { [part.len()].into_iter().chain(shape[1..].iter().copied()).collect() };
    let narrower = |place: &Place| {
        let row = place.len / rows;
        Place { buffer: place.buffer, offset: place.offset + part.start * row, len: part.len() * row }
    };
    if part.len() == rows {
        return Piece { step: index, inputs: step.inputs.clone(), outputs: step.outputs.clone(), shape: step.shape.clone() };
    }
    let sliced = by_rows(step).unwrap_or_default();
    let input = |(position, (operand, shape)): (usize, &(Operand, Shape))| match operand {
        Operand::Memory(place) if sliced[position] => (Operand::Memory(narrower(place)), shorter(shape)),
        _ => (*operand, shape.clone()),
    };
    Piece {
        step: index,
        inputs: step.inputs.iter().enumerate().map(input).collect(),
        outputs: step.outputs.iter().map(narrower).collect(),
        shape: shorter(&step.shape),
    }
}

/// For a step whose result's every example is made from that example of some inputs, and from other inputs whole: which inputs are the former.
fn by_rows(step: &Step) -> Option<Vec<bool>> {
    let rows = *step.shape.first()?;
    let pointwise = |(_, shape): &(Operand, Shape)| shape.rank() == step.shape.rank() && shape[0] == rows && rows > 1;
    let (own, sliced) = match &step.kernel {
        Kernel::Chain(_) => (0, Vec::new()),
        Kernel::Op { op, inputs, .. } => (inputs.len(), op.by_rows().to_vec()),
        Kernel::Copy => return None,
    };
    (sliced.len() == own).then(|| sliced.into_iter().chain(step.inputs[own..].iter().map(pointwise)).collect())
}

/// Whether `next` goes on with what these steps make, so that it can run after them for some examples before they run for others.
fn goes_on(steps: &[Step], next: &Step) -> bool {
    let same_rows = |step: &&Step| step.shape.rank() > 1 && step.shape[0] == next.shape[0] && by_rows(step).is_some();
    if !same_rows(&next) || !steps.iter().all(|step| same_rows(&step)) {
        return false;
    }
    let made = |place: &Place| steps.iter().any(|step| step.outputs.contains(place));
    let others = |place: &Place| steps.iter().flat_map(|step| &step.outputs).any(|output| output.overlaps(place) && output != place);
    // What earlier steps still read for other examples must stay.
    let needed = |place: &Place| steps.iter().flat_map(reads).any(|(read, by_rows)| read.overlaps(place) && (read != *place || !by_rows));
    let fits = |(place, by_rows): &(Place, bool)| !others(place) && (*by_rows || !made(place));
    reads(next).iter().any(|(place, by_rows)| *by_rows && made(place))
        && reads(next).iter().all(fits)
        && !next.outputs.iter().any(|place| others(place) || needed(place))
}

/// What a step reads from memory, and whether example by example.
fn reads(step: &Step) -> Vec<(Place, bool)> {
    let by_rows = by_rows(step).unwrap_or_default();
    let memory = |((operand, _), by_rows): (&(Operand, Shape), bool)| match operand {
        Operand::Memory(place) => Some((*place, by_rows)),
        Operand::Scalar(_) | Operand::Constant(_) => None,
    };
    step.inputs.iter().zip(by_rows).filter_map(memory).collect()
}
