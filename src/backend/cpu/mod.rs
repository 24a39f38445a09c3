//! The CPU: SIMD code in the browser (see [`crate::simd`]), ordinary code natively.

mod arena;
mod pieces;

use std::future::Future;
use std::ops::Range;
use std::rc::Rc;

use arena::Arena;
use pieces::{Piece, pieces};

use litemap::LiteMap;

use super::{Backend, Column, Feed, RING, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, NodeId};
use crate::ops::{CpuCx, View};
use crate::plan::{BufferKind, Kernel, Operand, Place, Plan};

/// The CPU backend.
#[derive(Default)]
pub struct Cpu {
    flats: LiteMap<Group, Arena>,
    parts: LiteMap<usize, Vec<Column>>,
    changes: usize,
    /// What kernels work with.
    work: Work,
}

/// What is taken up anew by every kernel, and kept so that nothing is allocated in a step.
#[derive(Default)]
struct Work {
    cx: CpuCx,
    /// Inputs that are overwritten in place, copied: nobody reads what another writes.
    copies: Vec<Vec<f32>>,
}

/// A plan with its memory.
pub struct CpuExec {
    plan: Rc<Plan>,
    pieces: Vec<Piece>,
    /// The plan's own buffers; the flat ones are empty here.
    own: Vec<Arena>,
    metrics: Vec<Operand>,
    kept: Vec<f32>,
}

impl Cpu {
    /// A backend without buffers.
    pub fn new() -> Self {
        Self::default()
    }

    fn arena<'a>(&'a self, exec: &'a CpuExec, buffer: usize) -> Result<&'a Arena> {
        match exec.plan.buffers[buffer].kind {
            BufferKind::Slot | BufferKind::Input(_) => Ok(&exec.own[buffer]),
            BufferKind::Flat(group) => self.flat(group),
        }
    }

    fn flat(&self, group: Group) -> Result<&Arena> {
        self.flats.get(&group).ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"buffer"), ("got", &group.name())]))
    }

    fn gather(&self, exec: &CpuExec, part: usize, rows: &[u32]) -> Result<()> {
        let columns = self.parts.get(&part).ok_or_else(|| Error::new(ErrorCode::EmptySplit, &[("split", &part)]))?;
        for (index, column) in columns.iter().enumerate() {
            let Some(buffer) = exec.plan.input(index) else { continue };
            let len = exec.plan.buffers[buffer].len;
            if len != rows.len() * column.width {
                let what = format!("input {index}");
                let got = rows.len() * column.width;
                return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &len), ("got", &got)]));
            }
            // SAFETY: nothing else holds a slice of this buffer while the batch is gathered.
            let out = unsafe { exec.own[buffer].slice_mut(0, len) };
            column.gather(rows, out)?;
        }
        Ok(())
    }

    fn piece(&mut self, exec: &CpuExec, piece: &Piece, scalars: &[f32]) -> Result<()> {
        let mut work = std::mem::take(&mut self.work);
        let done = self.run_piece(&mut work, exec, piece, scalars);
        self.work = work;
        done
    }

    fn run_piece(&self, Work { cx, copies }: &mut Work, exec: &CpuExec, piece: &Piece, scalars: &[f32]) -> Result<()> {
        // Numbers that are not in memory are laid out here, so that every kernel sees slices.
        let numbers: Vec<[f32; 1]> = piece
            .inputs
            .iter()
            .map(|(operand, _)| match operand {
                Operand::Constant(number) => [*number],
                Operand::Scalar(index) => [scalars.get(*index).copied().unwrap_or(f32::NAN)],
                Operand::Memory(_) => [0.0],
            })
            .collect();
        let in_place = |place: &Place| piece.outputs.iter().any(|output| output.overlaps(place));
        copies.resize_with(copies.len().max(piece.inputs.len()), Vec::new);
        let mut views: Vec<View<f32>> = Vec::with_capacity(piece.inputs.len());
        for (((operand, shape), number), copy) in piece.inputs.iter().zip(&numbers).zip(copies) {
            let data = match operand {
                Operand::Memory(place) => {
                    // SAFETY: outputs are handed out below, and what overlaps one of them is copied before that.
                    let data = unsafe { self.arena(exec, place.buffer)?.slice(place.offset, place.len) };
                    match in_place(place) {
                        true => {
                            copy.clear();
                            copy.extend_from_slice(data);
                            &copy[..]
                        }
                        false => data,
                    }
                }
                Operand::Constant(_) | Operand::Scalar(_) => &number[..],
            };
            views.push(View { data, shape });
        }
        let mut outputs: Vec<&mut [f32]> = Vec::with_capacity(piece.outputs.len());
        for place in &piece.outputs {
            // SAFETY: no view overlaps an output, and outputs of one step never overlap each other (`verify` checks the plan).
            outputs.push(unsafe { self.arena(exec, place.buffer)?.slice_mut(place.offset, place.len) });
        }
        match &exec.plan.steps[piece.step].kernel {
            Kernel::Copy => outputs[0].copy_from_slice(views[0].data),
            Kernel::Chain(chain) => chain.run(&piece.shape, &views, None, &mut outputs),
            Kernel::Op { op, inputs, chain, .. } => {
                op.cpu(cx, &views[..inputs.len()], outputs[0]);
                if let Some(chain) = chain {
                    chain.run(&piece.shape, &views[inputs.len()..], None, &mut outputs);
                }
            }
        }
        Ok(())
    }
}

/// Refuses a plan whose steps would write what they still read.
fn verify(plan: &Plan) -> Result<()> {
    for step in &plan.steps {
        for (k, output) in step.outputs.iter().enumerate() {
            let chain = matches!(step.kernel, Kernel::Chain(_));
            let clash = step.inputs.iter().any(|(operand, _)| match operand {
                Operand::Memory(place) => place.overlaps(output) && !(chain && place == output),
                Operand::Scalar(_) | Operand::Constant(_) => false,
            });
            if clash || step.outputs[..k].iter().any(|other| other.overlaps(output)) {
                let name = step.nodes.last().map_or("copy", |&node| plan.graph.node(node).name.as_str());
                return Err(Error::new(ErrorCode::WrongState, &[("what", &name), ("reason", &"its memory overlaps")]));
            }
        }
    }
    Ok(())
}

impl Backend for Cpu {
    type Exec = CpuExec;

    fn name(&self) -> &'static str {
        "cpu"
    }

    fn adapter(&self) -> String {
        if cfg!(target_feature = "relaxed-simd") {
            "relaxed-simd".into()
        } else if cfg!(target_feature = "simd128") {
            "simd128".into()
        } else if cfg!(target_arch = "wasm32") {
            "scalar".into()
        } else {
            "native".into()
        }
    }

    fn most_cells(&self) -> usize {
        usize::MAX
    }

    fn allocate(&mut self, groups: &[(Group, usize)]) -> Result<()> {
        for &(group, len) in groups {
            self.flats.insert(group, Arena::zeroed(len, group.name())?);
        }
        Ok(())
    }

    fn write(&mut self, group: Group, offset: usize, values: &[f32]) -> Result<()> {
        self.changes += 1;
        let arena = self.flat(group)?;
        if offset + values.len() > arena.len() {
            return Err(Error::new(
                ErrorCode::WrongLength,
                &[("what", &group.name()), ("expected", &arena.len()), ("got", &(offset + values.len()))],
            ));
        }
        // SAFETY: nothing else holds a slice of the flat buffers between runs.
        unsafe { arena.slice_mut(offset, values.len()) }.copy_from_slice(values);
        Ok(())
    }

    fn changes(&self) -> usize {
        self.changes
    }

    async fn read(&self, group: Group) -> Result<Vec<f32>> {
        let arena = self.flat(group)?;
        // SAFETY: nothing writes between runs.
        Ok(unsafe { arena.slice(0, arena.len()) }.to_vec())
    }

    fn set_data(&mut self, part: usize, columns: &[Column]) -> Result<()> {
        self.parts.insert(part, columns.to_vec());
        Ok(())
    }

    async fn compile(&mut self, plan: Rc<Plan>, metrics: &[NodeId]) -> Result<CpuExec> {
        verify(&plan)?;
        let own = plan.buffers.iter().map(|buffer| match buffer.kind {
            BufferKind::Slot | BufferKind::Input(_) => Arena::zeroed(buffer.len, "activations"),
            BufferKind::Flat(_) => Arena::zeroed(0, "nothing"),
        });
        let own = own.collect::<Result<Vec<_>>>()?;
        let metrics = metrics
            .iter()
            .map(|&node| {
                let missing = || {
                    let name = &plan.graph.node(node).name;
                    Error::new(ErrorCode::UnknownName, &[("kind", &"metric"), ("got", name)])
                };
                plan.place(node).ok_or_else(missing)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(CpuExec { pieces: pieces(&plan), plan, own, metrics, kept: Vec::new() })
    }

    fn dispatches(&self, exec: &CpuExec) -> usize {
        let inputs = exec.plan.buffers.iter().filter(|buffer| matches!(buffer.kind, BufferKind::Input(_)));
        exec.plan.steps.len() + inputs.count()
    }

    fn write_input(&mut self, exec: &mut CpuExec, column: usize, values: &[f32]) -> Result<()> {
        let Some(buffer) = exec.plan.input(column) else { return Ok(()) };
        let len = exec.plan.buffers[buffer].len;
        if values.len() != len {
            let what = format!("input {column}");
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &len), ("got", &values.len())]));
        }
        // SAFETY: nothing else holds a slice of the inputs between runs.
        unsafe { exec.own[buffer].slice_mut(0, len) }.copy_from_slice(values);
        Ok(())
    }

    fn run(&mut self, exec: &mut CpuExec, step: &StepData, range: Range<usize>) -> Result<()> {
        (self.work.cx.seed, self.work.cx.step) = (step.seed, step.step);
        self.changes += usize::from(exec.plan.writes_weights(range.clone()));
        if let (0, Feed::Rows { part, rows }) = (range.start, &step.feed) {
            self.gather(exec, *part, rows)?;
        }
        for piece in exec.pieces.iter().filter(|piece| range.contains(&piece.step)) {
            self.piece(exec, piece, &step.scalars)?;
        }
        if range.end == exec.plan.steps.len() {
            for metric in &exec.metrics {
                let value = match metric {
                    Operand::Constant(number) => *number,
                    Operand::Scalar(index) => step.scalars[*index],
                    // SAFETY: no kernel runs now.
                    Operand::Memory(place) => unsafe { self.arena(exec, place.buffer)?.slice(place.offset, 1)[0] },
                };
                exec.kept.push(value);
            }
            let most = RING * exec.metrics.len();
            if exec.kept.len() > most {
                let surplus = exec.kept.len() - most;
                exec.kept.drain(..surplus);
            }
        }
        Ok(())
    }

    fn drain(&mut self, exec: &mut CpuExec) -> impl Future<Output = Result<Vec<f32>>> + 'static {
        std::future::ready(Ok(std::mem::take(&mut exec.kept)))
    }

    fn write_place(&mut self, exec: &CpuExec, place: Place, values: &[f32]) -> Result<()> {
        super::check_len(place, values)?;
        self.changes += 1;
        // SAFETY: no kernel runs now.
        unsafe { self.arena(exec, place.buffer)?.slice_mut(place.offset, place.len) }.copy_from_slice(values);
        Ok(())
    }

    async fn read_place(&self, exec: &CpuExec, place: Place) -> Result<Vec<f32>> {
        // SAFETY: no kernel runs now.
        Ok(unsafe { self.arena(exec, place.buffer)?.slice(place.offset, place.len) }.to_vec())
    }
}
