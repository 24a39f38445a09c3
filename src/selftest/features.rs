//! What plans need of a backend beside its kernels: each check runs on a GPU and compares it with the CPU, or with what must come out.

use std::error::Error;
use std::rc::Rc;

use super::{Outcome, TOLERANCE, difference};
use crate::autograd::differentiate;
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, Column, Device, Feed, RING, StepData};
use crate::graph::{Group, Initializer, NodeId, Phase, Target};
use crate::ops::Graph;
use crate::plan::{Kernel, Mode, Operand, Plan};
use crate::tensor::Cells;
use crate::tensor::{Meta, Rng, threefry2x32, uniform};

/// Worst difference, or what is wrong.
type Checked = Result<f64, Box<dyn Error>>;

macro_rules! checks {
    ($($check:ident),* $(,)?) => {
        /// Runs all of them.
        pub async fn all(gpu: &mut Device) -> Vec<Outcome> {
            let mut outcomes = Vec::new();
            $(outcomes.push(outcome(stringify!($check), $check(gpu).await));)*
            outcomes
        }
    };
}

checks! { fused, split_and_fused, tiled, trained_in_place, random, gathered, ring, ranges, refused, freed }

fn outcome(name: &str, checked: Checked) -> Outcome {
    let name = name.to_owned();
    match checked {
        Ok(difference) if difference <= TOLERANCE => Outcome { name, difference, failure: None },
        Ok(difference) => Outcome { name, difference, failure: Some(format!("differs by {difference:.1e}")) },
        Err(error) => Outcome { name, difference: f64::INFINITY, failure: Some(error.to_string()) },
    }
}

fn ensure(holds: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// How far `got` is from `want`.
fn apart(got: &[f32], want: &[f32]) -> f64 {
    difference(got, &want.iter().map(|&x| f64::from(x)).collect::<Vec<_>>())
}

fn normal(stream: u32, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(9, stream);
    (0..count).map(|_| rng.normal()).collect()
}

fn memory(plan: &Plan, node: NodeId) -> Result<crate::plan::Place, Box<dyn Error>> {
    match plan.place(node) {
        Some(Operand::Memory(place)) => Ok(place),
        other => Err(format!("the node lies in {other:?}").into()),
    }
}

/// The value of `out` with standard normal inputs.
async fn value(device: &mut Device, graph: &Graph, inputs: &[usize], out: NodeId) -> Result<Vec<f32>, Box<dyn Error>> {
    let plan = Rc::new(Plan::new(graph, Mode::Train, &[out])?);
    let mut exec = device.compile(Rc::clone(&plan), &[]).await?;
    for (column, &count) in inputs.iter().enumerate() {
        device.write_input(&mut exec, column, &normal(column as u32, count))?;
    }
    device.run(&mut exec, &StepData::default(), 0..plan.steps.len())?;
    Ok(device.read_place(&exec, memory(&plan, out)?).await?)
}

/// gelu(x w + b) · r + r in one kernel.
async fn fused_behind(gpu: &mut Device, m: usize, n: usize, k: usize) -> Checked {
    let mut g = Graph::default();
    let [x, w, b, r] =
        [vec![m, k], vec![k, n], vec![n], vec![m, n]].map(|shape| g.input(g.nodes().len(), Meta::f32(crate::tensor::Shape::from(shape))));
    let z = g.matmul(x, w, false, false)?;
    let z = g.add(z, b)?;
    let z = g.gelu(z)?;
    let z = g.mul(z, r)?;
    let out = g.add(z, r)?;
    let steps = Plan::new(&g, Mode::Train, &[out])?.steps;
    ensure(steps.len() == 1 && matches!(steps[0].kernel, Kernel::Op { chain: Some(_), .. }), "the chain is not fused behind the product")?;
    let inputs = [m * k, k * n, n, m * n];
    Ok(apart(&value(gpu, &g, &inputs, out).await?, &value(&mut Device::Cpu(Cpu::new()), &g, &inputs, out).await?))
}

async fn fused(gpu: &mut Device) -> Checked {
    fused_behind(gpu, 33, 21, 17).await
}

/// The same where the product sums its parts in a second pass.
async fn split_and_fused(gpu: &mut Device) -> Checked {
    fused_behind(gpu, 5, 3, 900).await
}

/// A product of which tiles of every size could be made.
async fn tiled(gpu: &mut Device) -> Checked {
    fused_behind(gpu, 300, 200, 1100).await
}

/// A small network of which every part is on the device: bytes and floats as data, momentum over the flat parameters. Returns the graph with
/// its loss.
fn network() -> Result<(Graph, NodeId), Box<dyn Error>> {
    let mut g = Graph::default();
    let x = g.input(0, Meta::f32([6, 5]));
    let y = g.input(1, Meta::f32([6, 3]));
    g.enter_layer("dense");
    let w = g.declare("kernel", [5, 8], Group::Parameters, Initializer::GlorotUniform);
    let b = g.declare("bias", [8], Group::Parameters, Initializer::RandomNormal { mean: 0.0, stddev: 0.1 });
    let z = g.matmul(x, w, false, false)?;
    let z = g.add(z, b)?;
    let h = g.gelu(z)?;
    g.enter_layer("dense_1");
    let w = g.declare("kernel", [8, 3], Group::Parameters, Initializer::GlorotUniform);
    let b = g.declare("bias", [3], Group::Parameters, Initializer::Zeros);
    let z = g.matmul(h, w, false, false)?;
    let p = g.add(z, b)?;
    g.enter_layer("");
    let error = g.sub(p, y)?;
    let square = g.mul(error, error)?;
    let loss = g.mean(square, &[0, 1], false)?;
    differentiate(&mut g, loss)?;
    g.enter_phase(Phase::Update);
    let (parameters, gradients, slot) = (g.flat(Group::Parameters), g.flat(Group::Gradients), g.flat(Group::Slot(0)));
    let rate = g.scalar("learning_rate", 0.1);
    let momentum = g.scalar("momentum", 0.9);
    let kept = g.mul(slot, momentum)?;
    let change = g.mul(gradients, rate)?;
    let velocity = g.sub(kept, change)?;
    let updated = g.add(parameters, velocity)?;
    g.write(velocity, Target::Flat(Group::Slot(0)));
    g.write(updated, Target::Flat(Group::Parameters));
    Ok((g, loss))
}

const GROUPS: [Group; 3] = [Group::Parameters, Group::Gradients, Group::Slot(0)];

/// 40 examples: 5 bytes, whose rows do not begin at words, and 3 floats, of which the next row has the last one too.
fn examples() -> Vec<Column> {
    let bytes: Vec<u8> = (0..200u32).map(|i| (i * 97 % 256) as u8).collect();
    vec![
        Column { width: 5, stride: 5, cells: Cells::Bytes { data: Rc::new(bytes), scale: 1.0 / 255.0 } },
        Column { width: 3, stride: 2, cells: Cells::Floats(Rc::new(normal(7, 120))) },
    ]
}

fn begin(device: &mut Device, graph: &Graph) -> Result<(), Box<dyn Error>> {
    device.allocate(&GROUPS.map(|group| (group, graph.flat_len(group))))?;
    for (stream, variable) in graph.variables().iter().enumerate() {
        device.write(variable.group, variable.offset, &variable.initial(3, stream as u32))?;
    }
    Ok(device.set_data(2, &examples())?)
}

fn rows(step: u32) -> StepData {
    let rows = (0..6).map(|i| (step * 11 + i * 7) % 40).collect();
    StepData { seed: 3, step, scalars: vec![0.1, 0.9], feed: Feed::Rows { part: 2, rows } }
}

/// Ten steps; the losses are drained in two parts. Losses, parameters, momentum.
async fn train(device: &mut Device, graph: &Graph, loss: NodeId, mode: Mode) -> Result<[Vec<f32>; 3], Box<dyn Error>> {
    let plan = Rc::new(Plan::new(graph, mode, &[loss])?);
    begin(device, graph)?;
    let mut exec = device.compile(Rc::clone(&plan), &[loss]).await?;
    let mut losses = Vec::new();
    for step in 0..10 {
        device.run(&mut exec, &rows(step), 0..plan.steps.len())?;
        if step == 3 || step == 9 {
            losses.extend(device.drain(&mut exec).await?);
        }
    }
    Ok([losses, device.read(Group::Parameters).await?, device.read(Group::Slot(0)).await?])
}

async fn trained_in_place(gpu: &mut Device) -> Checked {
    let (graph, loss) = network()?;
    let plan = Plan::new(&graph, Mode::Train, &[loss])?;
    let in_place = plan.steps.iter().any(|step| {
        let reads = |output| step.inputs.iter().any(|(operand, _)| *operand == Operand::Memory(output));
        step.outputs.iter().any(|&output| reads(output))
    });
    ensure(in_place, "the optimizer does not write in place")?;
    let mut cpu = Device::Cpu(Cpu::new());
    let mut worst = 0.0f64;
    for mode in [Mode::Train, Mode::Inspect] {
        let (got, want) = (train(gpu, &graph, loss, mode).await?, train(&mut cpu, &graph, loss, mode).await?);
        ensure(got[0].len() == 10 && want[0].len() == 10, "not one loss a step")?;
        ensure(want[0][9] < want[0][0], "the loss does not fall")?;
        worst = got.iter().zip(&want).fold(worst, |worst, (got, want)| worst.max(apart(got, want)));
    }
    Ok(worst)
}

/// u of a few elements, exactly: an element is kept at the rate u, and dropped at the next number above.
async fn random(gpu: &mut Device) -> Checked {
    let count = 4096;
    let mut g = Graph::default();
    let x = g.input(0, Meta::f32([count]));
    let rate = g.scalar("rate", 0.5);
    let out = g.dropout(x, rate)?;
    let plan = Rc::new(Plan::new(&g, Mode::Train, &[out])?);
    let mut exec = gpu.compile(Rc::clone(&plan), &[]).await?;
    gpu.write_input(&mut exec, 0, &vec![1.0; count])?;
    let (seed, step, stream) = (0xDEAD_BEEF, 12, 1 << 16);
    let expected = |index: usize| uniform(threefry2x32([seed, stream], [step, index as u32])[0]);
    for index in (0..count).step_by(count / 12) {
        for (rate, kept) in [(expected(index), true), (expected(index).next_up(), false)] {
            let data = StepData { seed, step, scalars: vec![rate], ..StepData::default() };
            gpu.run(&mut exec, &data, 0..plan.steps.len())?;
            let values = gpu.read_place(&exec, memory(&plan, out)?).await?;
            ensure((values[index] != 0.0) == kept, &format!("the random number of element {index} is not {}", expected(index)))?;
            let agrees = values.iter().enumerate().all(|(i, &value)| (value != 0.0) == (expected(i) >= rate));
            ensure(agrees, "an element is dropped on one backend only")?;
        }
    }
    Ok(0.0)
}

/// Bytes and floats, of the rows asked for, in order, exactly; again after the data were replaced.
async fn gathered(gpu: &mut Device) -> Checked {
    let mut g = Graph::default();
    let x = g.input(0, Meta::f32([6, 5]));
    let y = g.input(1, Meta::f32([6, 3]));
    let (x2, y2) = (g.neg(x)?, g.neg(y)?);
    let plan = Rc::new(Plan::new(&g, Mode::Train, &[x2, y2])?);
    let mut exec = gpu.compile(Rc::clone(&plan), &[]).await?;
    for scale in [1.0, 1.0 / 256.0] {
        let mut columns = examples();
        let Cells::Bytes { data, scale: unit } = &mut columns[0].cells else { return Err("no bytes".into()) };
        *unit = scale;
        let data = Rc::clone(data);
        gpu.set_data(2, &columns)?;
        let step = rows(4);
        let Feed::Rows { rows, .. } = &step.feed else { return Err("no rows".into()) };
        gpu.run(&mut exec, &step, 0..plan.steps.len())?;
        let bytes = rows.iter().flat_map(|&row| &data[row as usize * 5..row as usize * 5 + 5]);
        let want: Vec<f32> = bytes.map(|&byte| -f32::from(byte) * scale).collect();
        ensure(gpu.read_place(&exec, memory(&plan, x2)?).await? == want, "bytes are not gathered right")?;
        let floats = normal(7, 120);
        let want: Vec<f32> = rows.iter().flat_map(|&row| &floats[row as usize * 2..row as usize * 2 + 3]).map(|y| -y).collect();
        ensure(gpu.read_place(&exec, memory(&plan, y2)?).await? == want, "floats are not gathered right")?;
    }
    Ok(0.0)
}

/// More runs than the ring holds, of more metrics than one kernel keeps: the last ones come, in order.
async fn ring(gpu: &mut Device) -> Checked {
    let mut g = Graph::default();
    let rate = g.scalar("rate", 0.0);
    let mut metrics = vec![rate, g.constant(7.5)];
    for k in 0..8 {
        let step = g.constant(k as f32 + 1.0);
        metrics.push(g.add(rate, step)?);
    }
    let plan = Rc::new(Plan::new(&g, Mode::Train, &metrics)?);
    let mut exec = gpu.compile(Rc::clone(&plan), &metrics).await?;
    let mut number = 0;
    for count in [3, RING + 9, 0, 200, 100] {
        for _ in 0..count {
            let data = StepData { scalars: vec![number as f32], ..StepData::default() };
            gpu.run(&mut exec, &data, 0..plan.steps.len())?;
            number += 1;
        }
        let drained = gpu.drain(&mut exec);
        let kept = count.min(RING);
        let run = |n: usize| [n as f32, 7.5].into_iter().chain((0..8).map(move |k| n as f32 + k as f32 + 1.0));
        let want: Vec<f32> = (number - kept..number).flat_map(run).collect();
        ensure(drained.await? == want, &format!("the metrics of {count} runs are not right"))?;
    }
    Ok(0.0)
}

/// Step by step, every value has the same bits as in one run.
async fn ranges(gpu: &mut Device) -> Checked {
    let (graph, loss) = network()?;
    let plan = Rc::new(Plan::new(&graph, Mode::Inspect, &[loss])?);
    let mut found = Vec::new();
    for single in [false, true] {
        begin(gpu, &graph)?;
        let mut exec = gpu.compile(Rc::clone(&plan), &[loss]).await?;
        let count = plan.steps.len();
        if single {
            for k in 0..count {
                gpu.run(&mut exec, &rows(1), k..k + 1)?;
            }
        } else {
            gpu.run(&mut exec, &rows(1), 0..count)?;
        }
        let mut values = vec![gpu.drain(&mut exec).await?, gpu.read(Group::Parameters).await?];
        for id in graph.ids() {
            if let Some(Operand::Memory(place)) = plan.place(id) {
                values.push(gpu.read_place(&exec, place).await?);
            }
        }
        found.push(values);
    }
    ensure(found[0][0].len() == 1, "a run keeps its metrics once")?;
    ensure(found[0] == found[1], "steps one by one differ from a whole run")?;
    Ok(0.0)
}

/// Wrong requests are errors, and the device goes on.
async fn refused(gpu: &mut Device) -> Checked {
    let (graph, loss) = network()?;
    let plan = Rc::new(Plan::new(&graph, Mode::Train, &[loss])?);
    begin(gpu, &graph)?;
    let mut exec = gpu.compile(Rc::clone(&plan), &[loss]).await?;
    let all = 0..plan.steps.len();
    let fed = |part: usize, rows: &[u32]| StepData { feed: Feed::Rows { part, rows: rows.to_vec() }, ..rows_of_nothing() };
    ensure(gpu.run(&mut exec, &fed(2, &[0, 1, 2]), all.clone()).is_err(), "a short batch is taken")?;
    ensure(gpu.run(&mut exec, &fed(2, &[0, 1, 2, 3, 4, 40]), all.clone()).is_err(), "a row outside the data is taken")?;
    ensure(gpu.run(&mut exec, &fed(17, &[0; 6]), all.clone()).is_err(), "data that are not there are taken")?;
    ensure(gpu.write_input(&mut exec, 0, &[1.0]).is_err(), "an input of the wrong length is taken")?;
    ensure(gpu.write(Group::Parameters, 60, &[0.0; 1000]).is_err(), "a write outside a buffer is taken")?;
    ensure(gpu.read(Group::Statistics).await.is_err(), "a buffer that was never made is read")?;
    let huge = gpu.allocate(&[(Group::Live, usize::MAX / 2)]);
    ensure(huge.is_err_and(|error| error.code == crate::error::ErrorCode::BufferTooLarge), "a buffer of more than all memory is made")?;
    gpu.run(&mut exec, &rows(0), all)?;
    ensure(gpu.drain(&mut exec).await?.len() == 1, "the device does not go on")?;
    Ok(0.0)
}

fn rows_of_nothing() -> StepData {
    StepData { scalars: vec![0.1, 0.9], ..StepData::default() }
}

/// Whatever a session makes is destroyed with it.
async fn freed(gpu: &mut Device) -> Checked {
    let (graph, loss) = network()?;
    let bytes = |device: &Device| match device {
        Device::Gpu(gpu) => gpu.gpu_bytes(),
        Device::Cpu(_) => 0,
    };
    begin(gpu, &graph)?;
    let before = bytes(gpu);
    for _ in 0..3 {
        train(gpu, &graph, loss, Mode::Train).await?;
        train(gpu, &graph, loss, Mode::Inspect).await?;
        ensure(bytes(gpu) == before, &format!("{} bytes were {before}", bytes(gpu)))?;
    }
    gpu.allocate(&GROUPS.map(|group| (group, 64)))?;
    gpu.set_data(2, &[])?;
    ensure(bytes(gpu) < before, "buffers that were replaced are still alive")?;
    Ok(0.0)
}
