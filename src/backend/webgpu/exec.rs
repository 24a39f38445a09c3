//! A compiled plan: its buffers, its pipelines, and one command buffer a run.

use std::ops::Range;
use std::rc::Rc;

use litemap::LiteMap;

use super::device::{Context, describe};
use super::join::{Dispatch, Item, join};
use super::kernels::{Kernel, Kernels};
use super::memory::Memory;
use super::source::{self, Module, Resource, Source};
use super::{STEP_HEAD, Shared};
use crate::backend::{Feed, RING, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Kind, Leaf, NodeId};
use crate::plan::{BufferKind, Mode, Operand, Place, Plan};

/// Metrics that one kernel keeps: with the ring and the step's numbers they stay within the bindings that every device has.
const METRICS_A_KERNEL: usize = 6;

/// A plan with its memory and kernels.
pub struct GpuExec {
    pub(super) plan: Rc<Plan>,
    /// The plan's own buffers; none for the flat ones.
    own: Vec<Option<Memory>>,
    /// Temporaries of kernels with several passes, shared by all of them.
    temps: Vec<Memory>,
    step_data: Memory,
    /// Values of the metrics of the last runs.
    ring: Memory,
    metrics: usize,
    /// Runs that kept metrics, and how many of them have not been drained.
    runs: usize,
    waiting: usize,
    /// In order, with the steps that each belongs to; none of those that keep metrics alone.
    kernels: Vec<(Kernel, Vec<usize>)>,
    /// Kernels that gather from each part, with the part's generation.
    gathers: LiteMap<usize, (u64, Vec<Kernel>)>,
    /// Generation of the flat buffers that the kernels are bound to.
    bound: Option<u64>,
}

impl GpuExec {
    pub(super) async fn new(context: &Context, cache: &Kernels, plan: Rc<Plan>, metrics: &[NodeId]) -> Result<Self> {
        let kept = metrics.iter().map(|&node| operand_of(&plan, node)).collect::<Result<Vec<_>>>()?;
        let mut items: Vec<Item> = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let name = step.nodes.last().map_or("copy", |&node| plan.graph.node(node).name.as_str());
            let sources = source::of_step(step, context.tuning).map_err(|error| error.at(name))?;
            items.extend(sources.into_iter().map(|source| Item { name: name.to_owned(), step: Some(index), source }));
        }
        for (k, chunk) in kept.chunks(METRICS_A_KERNEL).enumerate() {
            items.push(Item { name: "metrics".to_owned(), step: None, source: keeper(chunk, k * METRICS_A_KERNEL, kept.len()) });
        }
        let dispatches = match plan.mode {
            Mode::Train => join(items, context.room())?,
            Mode::Inspect => items.into_iter().map(Dispatch::alone).collect::<Result<_>>()?,
        };

        let scope = context.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let before = context.state.bytes();
        let own = plan.buffers.iter().enumerate().map(|(index, buffer)| match buffer.kind {
            BufferKind::Slot | BufferKind::Input(_) => {
                let memory = Memory::new(context, buffer.len, "activations");
                memory
                    .map(Some)
                    .map_err(|error| of_batch(error, &plan).at(plan.largest_in(index).map_or("input", |node| &plan.graph.node(node).name)))
            }
            BufferKind::Flat(_) => Ok(None),
        });
        let own = own.collect::<Result<Vec<_>>>()?;
        let temps = temps_of(&dispatches).into_iter().map(|(len, name)| {
            let memory = Memory::new(context, len, "temporaries");
            memory.map_err(|error| of_batch(error, &plan).at(name))
        });
        let temps = temps.collect::<Result<Vec<_>>>()?;
        let step_data = Memory::new(context, STEP_HEAD + plan.graph.scalars().len() + 1, "step data")?;
        let ring = Memory::new(context, RING * kept.len(), "metrics")?;
        let bytes = context.state.bytes() - before;
        let scope = scope.pop();

        let steps: Vec<Vec<usize>> = dispatches.iter().map(|dispatch| dispatch.steps.clone()).collect();
        let shaders = dispatches.into_iter().map(|Dispatch { name, shader, .. }| (name, shader)).collect();
        let kernels = cache.build(context, shaders).await?.into_iter().zip(steps).collect();
        if let Some(error) = scope.await {
            return Err(describe(&error, "activations", bytes));
        }
        let metrics = kept.len();
        let gathers = LiteMap::new();
        Ok(Self { plan, own, temps, step_data, ring, metrics, runs: 0, waiting: 0, kernels, gathers, bound: None })
    }

    /// Kernels of one run, with those that gather a batch.
    pub(super) fn dispatches(&self) -> usize {
        let gathers = self.plan.buffers.iter().any(|buffer| matches!(buffer.kind, BufferKind::Input(_)));
        self.kernels.len() + usize::from(gathers)
    }

    /// The memory of a buffer of the plan.
    pub(super) fn memory<'a>(&'a self, shared: &'a Shared, buffer: usize) -> Result<&'a Memory> {
        let BufferKind::Flat(group) = self.plan.buffers[buffer].kind else {
            return self.own[buffer].as_ref().ok_or_else(|| missing("buffer", &buffer));
        };
        let memory = shared.flat(group)?;
        let (expected, got) = (self.plan.buffers[buffer].len, memory.cells());
        if got < expected {
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &group.name()), ("expected", &expected), ("got", &got)]));
        }
        Ok(memory)
    }

    fn resource<'a>(&'a self, shared: &'a Shared, resource: Resource) -> Result<wgpu::BindingResource<'a>> {
        let whole = |memory: &'a Memory| memory.range(0, memory.cells());
        Ok(match resource {
            Resource::Place(Place { buffer, offset, len }) => self.memory(shared, buffer)?.range(offset, len),
            Resource::Temp(t, len) => self.temps[t].range(0, len),
            Resource::StepData => whole(&self.step_data),
            Resource::Ring => whole(&self.ring),
            Resource::Data(part, column) => whole(shared.part(part)?.columns[column].memory().ok_or_else(|| missing("column", &column))?),
        })
    }

    /// Bind groups for these kernels.
    fn groups<'a>(&self, context: &Context, shared: &Shared, kernels: impl Iterator<Item = &'a Kernel>) -> Result<Vec<wgpu::BindGroup>> {
        kernels.map(|kernel| kernel.group(context, |resource| self.resource(shared, resource))).collect()
    }

    /// Binds the kernels to the buffers, unless they are bound to just these.
    fn bind(&mut self, context: &Context, shared: &Shared) -> Result<()> {
        if self.bound == Some(shared.generation) {
            return Ok(());
        }
        let groups = self.groups(context, shared, self.kernels.iter().map(|(kernel, _)| kernel))?;
        self.kernels.iter_mut().zip(groups).for_each(|((kernel, _), group)| kernel.bound = Some(group));
        self.bound = Some(shared.generation);
        Ok(())
    }

    /// Makes the kernels that gather from a part, unless they are there.
    fn prepare(&mut self, context: &Context, shared: &Shared, cache: &Kernels, part: usize) -> Result<()> {
        let resident = shared.part(part)?;
        if self.gathers.get(&part).is_some_and(|(generation, _)| *generation == resident.generation) {
            return Ok(());
        }
        let items = resident.sources(part, &self.plan).into_iter().map(|source| Item { name: "gather".to_owned(), step: None, source });
        let dispatches = join(items.collect(), context.room())?;
        let mut kernels: Vec<Kernel> =
            dispatches.into_iter().map(|Dispatch { name, shader, .. }| cache.kernel(context, &name, shader)).collect();
        let groups = self.groups(context, shared, kernels.iter())?;
        kernels.iter_mut().zip(groups).for_each(|(kernel, group)| kernel.bound = Some(group));
        self.gathers.insert(part, (resident.generation, kernels));
        Ok(())
    }

    pub(super) fn run(&mut self, context: &Context, shared: &Shared, cache: &Kernels, step: &StepData, range: Range<usize>) -> Result<()> {
        let scalars = self.plan.graph.scalars().len();
        let part = match (&step.feed, range.start) {
            (Feed::Rows { part, rows }, 0) => Some((*part, &rows[..])),
            _ => None,
        };
        let rows = part.map_or(&[][..], |(_, rows)| rows);
        let keeps = range.end == self.plan.steps.len() && self.metrics > 0;
        // What a part of a run keeps is written over by the next whole one.
        let mut words = vec![step.seed, step.step, (self.runs % RING) as u32, rows.len() as u32];
        words.extend((0..scalars).map(|k| step.scalars.get(k).copied().unwrap_or(f32::NAN).to_bits()));
        words.extend(rows);
        if words.len() > self.step_data.cells() {
            self.step_data = Memory::new(context, words.len(), "step data")?;
            self.bound = None;
            self.gathers.clear();
        }
        if let Some((part, rows)) = part {
            shared.part(part)?.check(&self.plan, rows)?;
            for (column, values) in shared.part(part)?.sent(&self.plan, rows)? {
                self.write_input(context, column, &values)?;
            }
            self.prepare(context, shared, cache, part)?;
        }
        self.bind(context, shared)?;
        self.step_data.write(context, 0, bytemuck::cast_slice(&words));

        let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("step") });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("step"), timestamp_writes: None });
        let gathers = part.and_then(|(part, _)| self.gathers.get(&part)).map_or(&[][..], |(_, kernels)| kernels);
        let wanted = |steps: &Vec<usize>| if steps.is_empty() { keeps } else { steps.iter().any(|step| range.contains(step)) };
        let kernels = self.kernels.iter().filter(|(_, steps)| wanted(steps)).map(|(kernel, _)| kernel);
        for kernel in gathers.iter().chain(kernels) {
            kernel.dispatch(&mut pass);
        }
        drop(pass);
        context.queue.submit([encoder.finish()]);
        if keeps {
            self.runs += 1;
            self.waiting = RING.min(self.waiting + 1);
        }
        Ok(())
    }

    pub(super) fn write_input(&self, context: &Context, column: usize, values: &[f32]) -> Result<()> {
        let Some(buffer) = self.plan.input(column) else { return Ok(()) };
        let len = self.plan.buffers[buffer].len;
        if values.len() != len {
            let what = format!("input {column}");
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &len), ("got", &values.len())]));
        }
        if let Some(memory) = &self.own[buffer] {
            memory.write(context, 0, bytemuck::cast_slice(values));
        }
        Ok(())
    }

    /// Begins to read the metrics that have not been read yet; none where there are none.
    pub(super) fn drain(&mut self, context: &Context) -> Result<Option<super::memory::Reading>> {
        let count = std::mem::take(&mut self.waiting);
        if count == 0 {
            return Ok(None);
        }
        let (width, first) = (self.metrics, (self.runs - count) % RING);
        let before_end = count.min(RING - first);
        let ranges = [(first * width, before_end * width), (0, (count - before_end) * width)];
        self.ring.read(context, &ranges).map(Some)
    }
}

fn missing(kind: &str, name: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::UnknownName, &[("kind", &kind), ("got", name)])
}

/// Where the value of a metric is after a run.
fn operand_of(plan: &Plan, node: NodeId) -> Result<Operand> {
    plan.place(node).ok_or_else(|| missing("metric", &plan.graph.node(node).name))
}

/// The kernel that keeps some of `width` metrics, the first of which is number `first`.
fn keeper(metrics: &[Operand], first: usize, width: usize) -> Source {
    let mut module = Module::default();
    module.bind(Resource::Ring, true);
    let mut code = String::new();
    for (k, &metric) in metrics.iter().enumerate() {
        code += &format!("    ring[step_data[2] * {width}u + {}u] = {};\n", first + k, module.load(metric, "0"));
    }
    module.source(format!("fn run(group: vec3u, lane: u32) {{\n{code}}}\n"), [1, 1, 1], 1, 0)
}

/// Cells that each temporary needs, and who needs them.
fn temps_of(dispatches: &[Dispatch]) -> Vec<(usize, &str)> {
    let mut temps: Vec<(usize, &str)> = Vec::new();
    for dispatch in dispatches {
        for binding in &dispatch.shader.bindings {
            let Resource::Temp(t, len) = binding.resource else { continue };
            temps.resize(temps.len().max(t + 1), (0, ""));
            if len > temps[t].0 {
                temps[t] = (len, &dispatch.name);
            }
        }
    }
    temps
}

/// An error about what grows with the batch, with the batch that it is of: a smaller one would fit.
fn of_batch(mut error: Error, plan: &Plan) -> Error {
    let examples = plan.graph.nodes().iter().find(|node| node.kind == Kind::Leaf(Leaf::Input(0)));
    if let Some(&batch) = examples.and_then(|node| node.meta.shape.first()) {
        error.args.insert("batch".into(), batch.to_string());
    }
    error
}
