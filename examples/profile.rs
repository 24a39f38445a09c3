//! Time of each step of a preset's training plan, slowest first: where to look before changing a kernel.
//!
//! `cargo run --release --example profile [PRESET] [cpu|webgpu] [BATCH]`, by default `mnist-cnn` on the GPU that wgpu finds (`VK_DRIVER_FILES`
//! chooses the driver) at the preset's batch size.

use std::rc::Rc;
use std::time::Instant;

use gradscope::autograd::differentiate;
use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, Device, StepData};
use gradscope::error::{Error, ErrorCode, Result};
use gradscope::graph::Group;
use gradscope::plan::{Mode, Place, Plan};
use gradscope::{nn, optim};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("mnist-cnn", String::as_str);
    let on_cpu = arguments.get(1).is_some_and(|backend| backend == "cpu");
    pollster::block_on(async {
        let preset = nn::preset(name).ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"preset"), ("got", &name)]))?;
        let batch = arguments.get(2).and_then(|batch| batch.parse().ok()).unwrap_or(preset.batch_size);
        let mut built = nn::build(&preset.model, batch, nn::Mode::Train, Some(&preset.loss))?;
        let Some(loss) = built.loss else { return Ok(()) };
        differentiate(&mut built.graph, loss)?;
        optim::append(&mut built.graph, &preset.optimizer)?;
        let graph = &built.graph;
        let plan = Rc::new(Plan::new(graph, Mode::Train, &[loss])?);
        let mut device = if on_cpu { Device::Cpu(Cpu::new()) } else { Device::Gpu(Gpu::open().await?) };
        println!("{name}, batch {batch}, {}: {} kernels, {:.0} MFLOP", device.adapter(), plan.steps.len(), plan.cost().flops / 1e6);
        let groups = [Group::Parameters, Group::Gradients, Group::Statistics, Group::Slot(0), Group::Slot(1)];
        device.allocate(&groups.map(|group| (group, graph.flat_len(group))))?;
        for (stream, variable) in graph.variables().iter().enumerate() {
            device.write(variable.group, variable.offset, &variable.initial(1, stream as u32))?;
        }
        let mut exec = device.compile(Rc::clone(&plan), &[]).await?;
        let scalars = graph.scalars().iter().map(|(_, value)| *value).collect();
        let data = StepData { seed: 1, step: 0, scalars, ..StepData::default() };
        let mut whole = f64::INFINITY;
        for _ in 0..5 {
            whole = whole.min(time(&mut device, &mut exec, &plan, &data, 0..plan.steps.len()).await?);
        }
        let mut times = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let mut best = f64::INFINITY;
            for _ in 0..3 {
                best = best.min(time(&mut device, &mut exec, &plan, &data, index..index + 1).await?);
            }
            let names: Vec<&str> = step.nodes.iter().map(|&node| plan.graph.node(node).name.as_str()).collect();
            times.push((best, names.join(" + ")));
        }
        let total: f64 = times.iter().map(|(time, _)| time).sum();
        times.sort_by(|a, b| b.0.total_cmp(&a.0));
        println!("{whole:.1} ms a step in {} dispatches; its kernels one by one {total:.1} ms", device.dispatches(&exec));
        times.iter().for_each(|(time, names)| println!("{time:9.2} ms  {names}"));
        Ok(())
    })
}

/// Milliseconds of some steps of the plan.
async fn time(
    device: &mut Device,
    exec: &mut <Device as Backend>::Exec,
    plan: &Plan,
    data: &StepData,
    steps: std::ops::Range<usize>,
) -> Result<f64> {
    let last = plan.steps[steps.end - 1].outputs[0];
    let start = Instant::now();
    device.run(exec, data, steps)?;
    // Reading waits for the kernels; the read of a scalar itself takes a fraction of a millisecond on a GPU.
    device.read_place(exec, Place { len: 1, ..last }).await?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
