//! Completes the passes of a step to WGSL: defines the functions by which a pass reads its inputs and writes its result (see
//! [`crate::ops::kernel`]), with whatever was fused behind it, and declares bindings.

use std::fmt::Write as _;

use super::STEP_HEAD;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::ALIGN;
use crate::ops::kernel::{Dest, Tuning, literal};
use crate::ops::pointwise::{Chain, WGSL_FUNCTIONS};
use crate::ops::{KernelCx, Pass};
use crate::plan::{Kernel, Operand, Place, Step};
use crate::tensor::{Meta, Shape};

/// What a binding is bound to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Resource {
    /// A range of a buffer of the plan.
    Place(Place),
    /// The first cells of a temporary: number, length.
    Temp(usize, usize),
    /// The numbers of the step: seed, step, position in the ring, rows' number, scalars, rows.
    StepData,
    /// Where metrics are kept.
    Ring,
    /// A column of a resident part: part, column.
    Data(usize, usize),
}

/// A binding; its position among the others is its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Binding {
    pub resource: Resource,
    pub writable: bool,
}

/// What a pass computes: a module but for its declarations and its entry, which calls `run(group, lane)`.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub code: String,
    /// What it reads and what it writes.
    pub bindings: Vec<Binding>,
    /// Workgroups.
    pub grid: [u32; 3],
    /// Threads of a workgroup.
    pub threads: u32,
    /// Bytes of a workgroup's memory.
    pub shared: usize,
}

/// A complete module.
#[derive(Clone, Debug)]
pub(super) struct Shader {
    pub code: String,
    pub bindings: Vec<Binding>,
    /// Workgroups.
    pub grid: [u32; 3],
}

/// The passes of a step, in the order in which they run.
pub(super) fn of_step(step: &Step, tuning: Tuning) -> Result<Vec<Source>> {
    let shapes = |from: usize| -> Vec<&Shape> { step.inputs[from..].iter().map(|(_, shape)| shape).collect() };
    let operands: Vec<Operand> = step.inputs.iter().map(|&(operand, _)| operand).collect();
    match &step.kernel {
        // Writing a place over itself.
        Kernel::Copy if operands[0] == Operand::Memory(step.outputs[0]) => Ok(Vec::new()),
        Kernel::Copy => {
            let (output, to) = bindable(step.outputs[0]);
            let (operand, from) = match operands[0] {
                Operand::Memory(place) => {
                    let (place, from) = bindable(place);
                    (Operand::Memory(place), from)
                }
                number => (number, 0),
            };
            let pass = Pass::elementwise(step.shape.numel(), &[0], &format!("store(i + {to}u, load0(i + {from}u));"));
            Ok(vec![Module::default().store(output, None).pass(&pass, &[operand])])
        }
        Kernel::Chain(chain) => {
            let pass = chain.pass(&step.shape, &shapes(0));
            let mut module = Module::default();
            for (k, &place) in step.outputs.iter().enumerate() {
                module.stores.push((format!("store{k}"), place, None));
            }
            Ok(vec![module.pass(&pass, &operands)])
        }
        Kernel::Op { op, inputs, out, chain } => {
            let metas: Vec<&Meta> = inputs.iter().collect();
            let passes = op.wgsl(&KernelCx { inputs: &metas, out, tuning });
            let tail = chain.as_ref().map(|chain| Tail { chain, shape: &step.shape, inputs: shapes(inputs.len()), first: inputs.len() });
            let mut lens = Vec::new();
            let module = |pass: &Pass| {
                let mut module = match pass.dest {
                    Dest::Out => Module::default().store(step.outputs[0], tail.clone()),
                    Dest::Temp(t, len) => {
                        lens.resize(lens.len().max(t + 1), 0);
                        lens[t] = len;
                        Module::default().temp(t, len, true)
                    }
                };
                for &t in &pass.temps {
                    module = module.temp(t, lens.get(t).copied().unwrap_or(0), false);
                }
                module.pass(pass, &operands)
            };
            Ok(passes.iter().map(module).collect())
        }
    }
}

/// A range that can be bound, around one that may begin anywhere; and where that begins in it.
fn bindable(place: Place) -> (Place, usize) {
    let before = place.offset % ALIGN;
    (Place { offset: place.offset - before, len: place.len + before, ..place }, before)
}

/// What was fused behind an operation.
#[derive(Clone)]
struct Tail<'a> {
    chain: &'a Chain,
    /// What it runs over.
    shape: &'a Shape,
    /// Shapes of its own inputs.
    inputs: Vec<&'a Shape>,
    /// Number of the first of them among the step's inputs.
    first: usize,
}

/// A module in the making.
#[derive(Default)]
pub(super) struct Module<'a> {
    bindings: Vec<Binding>,
    stores: Vec<(String, Place, Option<Tail<'a>>)>,
}

impl<'a> Module<'a> {
    fn store(mut self, place: Place, tail: Option<Tail<'a>>) -> Self {
        self.stores.push(("store".into(), place, tail));
        self
    }

    fn temp(mut self, t: usize, len: usize, writable: bool) -> Self {
        self.bind(Resource::Temp(t, len), writable);
        self
    }

    /// The number of the binding of `resource`.
    pub fn bind(&mut self, resource: Resource, writable: bool) -> usize {
        let known = self.bindings.iter().position(|binding| binding.resource == resource);
        let number = known.unwrap_or_else(|| {
            self.bindings.push(Binding { resource, writable });
            self.bindings.len() - 1
        });
        self.bindings[number].writable |= writable;
        number
    }

    /// Completes the text of a pass whose input `k` is `operands[k]`.
    pub fn pass(mut self, pass: &Pass, operands: &[Operand]) -> Source {
        let mut code = pass.body.clone();
        let mut loaded = pass.inputs.clone();
        for (name, place, tail) in std::mem::take(&mut self.stores) {
            let number = self.bind(Resource::Place(place), true);
            let (argument, body, value) = match &tail {
                None => ("value", String::new(), "value".to_owned()),
                Some(tail) => {
                    loaded.extend(tail.first..tail.first + tail.inputs.len());
                    if !code.contains("fn erf_(") {
                        code += WGSL_FUNCTIONS;
                    }
                    let body = tail.chain.wgsl_body(tail.shape, &tail.inputs, tail.first);
                    ("anchor", body, format!("v{}", tail.chain.instrs.len() - 1))
                }
            };
            let _ = writeln!(code, "fn {name}(i: u32, {argument}: f32) {{\n{body}    memory{number}[i] = {value};\n}}");
        }
        loaded.sort_unstable();
        loaded.dedup();
        for k in loaded {
            let value = self.load(operands[k], "i");
            let _ = writeln!(code, "fn load{k}(i: u32) -> f32 {{ return {value}; }}");
        }
        self.source(code, pass.grid, pass.threads, pass.shared)
    }

    /// WGSL expression of element `index` of an operand.
    pub fn load(&mut self, operand: Operand, index: &str) -> String {
        match operand {
            Operand::Memory(place) => format!("memory{}[{index}]", self.bind(Resource::Place(place), false)),
            Operand::Scalar(scalar) => format!("bitcast<f32>(step_data[{}u])", STEP_HEAD + scalar),
            Operand::Constant(number) => literal(number),
        }
    }

    /// What `code` computes over these bindings.
    pub fn source(mut self, code: String, grid: [u32; 3], threads: u32, shared: usize) -> Source {
        if code.contains("step_data") || code.contains("random(") {
            self.bind(Resource::StepData, false);
        }
        Source { code, bindings: self.bindings, grid, threads, shared }
    }
}

impl Source {
    /// The module of this pass alone.
    pub fn alone(self) -> Result<Shader> {
        shader(self.code, "run(group, lane);", self.bindings, self.grid, self.threads)
    }
}

/// Declares bindings and the entry. A buffer that is written is bound as writable throughout: WebGPU refuses to see one buffer in one dispatch
/// both as read-only and as writable, even by ranges that are apart; and ranges that overlap.
pub(super) fn shader(mut code: String, entry: &str, mut bindings: Vec<Binding>, grid: [u32; 3], threads: u32) -> Result<Shader> {
    if code.contains("random(") {
        code += &random();
    }
    let written: Vec<Place> = bindings.iter().filter(|binding| binding.writable).filter_map(Binding::place).collect();
    for k in 0..bindings.len() {
        let Some(place) = bindings[k].place() else { continue };
        bindings[k].writable |= written.iter().any(|other| other.buffer == place.buffer);
        let overlaps = |other: &Binding| other.place().is_some_and(|other| other.overlaps(&place));
        if bindings[k].writable && bindings[..k].iter().any(overlaps) {
            return Err(Error::new(ErrorCode::WrongState, &[("what", &"a kernel"), ("reason", &"its memory overlaps")]));
        }
    }
    let mut text = String::new();
    for (number, binding) in bindings.iter().enumerate() {
        let access = if binding.writable { "read_write" } else { "read" };
        let name = binding.resource.name(number);
        let cells = match binding.resource {
            Resource::Place(place) => format!("f32, {}", place.len.max(1)),
            Resource::Temp(_, len) => format!("f32, {}", len.max(1)),
            Resource::StepData | Resource::Data(..) => "u32".into(),
            Resource::Ring => "f32".into(),
        };
        let _ = writeln!(text, "@group(0) @binding({number}) var<storage, {access}> {name}: array<{cells}>;");
    }
    let _ = writeln!(
        code,
        "@compute @workgroup_size({threads})\nfn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {{\n{entry}\n}}"
    );
    Ok(Shader { code: text + &code, bindings, grid })
}

impl Resource {
    /// What a module with this as its binding `number` calls it.
    pub fn name(self, number: usize) -> String {
        match self {
            Self::Place(_) => format!("memory{number}"),
            Self::Temp(t, _) => format!("temp{t}"),
            Self::StepData => "step_data".into(),
            Self::Ring => "ring".into(),
            Self::Data(_, column) => format!("data{column}"),
        }
    }
}

impl Binding {
    pub fn place(&self) -> Option<Place> {
        match self.resource {
            Resource::Place(place) => Some(place),
            _ => None,
        }
    }
}

/// `random(stream, index)`: the first word of Threefry-2x32-20, as [`crate::tensor::threefry2x32`].
fn random() -> String {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let mut code = "fn random(stream: u32, index: u32) -> f32 {
    let key0 = step_data[0];
    let key1 = stream;
    let key2 = key0 ^ key1 ^ 0x1BD11BDAu;
    var a = step_data[1] + key0;
    var b = index + key1;
"
    .to_owned();
    for group in 0..5 {
        for turn in ROTATIONS[group % 2] {
            let _ = writeln!(code, "    a += b; b = ((b << {turn}u) | (b >> {}u)) ^ a;", 32 - turn);
        }
        let _ = writeln!(code, "    a += key{}; b += key{} + {}u;", (group + 1) % 3, (group + 2) % 3, group + 1);
    }
    code + "    return f32(a >> 8u) * 5.9604644775390625e-8;\n}\n"
}
