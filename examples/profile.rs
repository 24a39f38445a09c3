//! Time of each step of `mnist-cnn`'s training plan on the GPU that wgpu finds, slowest first: where to look before changing a kernel.
//!
//! `cargo run --example profile`; `VK_DRIVER_FILES` chooses the driver.

use std::rc::Rc;
use std::time::Instant;

use gradscope::autograd::differentiate;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, StepData};
use gradscope::error::Result;
use gradscope::graph::Group;
use gradscope::plan::{Mode, Plan};
use gradscope::{nn, optim};

fn main() -> Result<()> {
    pollster::block_on(async {
        let Some(preset) = nn::preset("mnist-cnn") else { return Ok(()) };
        let mut built = nn::build(&preset.model, preset.batch_size, nn::Mode::Train, Some(&preset.loss))?;
        let Some(loss) = built.loss else { return Ok(()) };
        differentiate(&mut built.graph, loss)?;
        optim::append(&mut built.graph, &preset.optimizer)?;
        let graph = &built.graph;
        let plan = Rc::new(Plan::new(graph, Mode::Train, &[loss])?);
        let mut gpu = Gpu::open().await?;
        println!("{}: {} kernels", gpu.adapter(), plan.steps.len());
        let groups = [Group::Parameters, Group::Gradients, Group::Slot(0), Group::Slot(1)];
        gpu.allocate(&groups.map(|group| (group, graph.flat_len(group))))?;
        for (stream, variable) in graph.variables().iter().enumerate() {
            gpu.write(variable.group, variable.offset, &variable.initial(1, stream as u32))?;
        }
        let mut exec = gpu.compile(Rc::clone(&plan), &[]).await?;
        let scalars = graph.scalars().iter().map(|(_, value)| *value).collect();
        let data = StepData { seed: 1, step: 0, scalars, ..StepData::default() };
        gpu.run(&mut exec, &data, 0..plan.steps.len())?;
        let mut times = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let mut best = f64::INFINITY;
            for _ in 0..3 {
                let start = Instant::now();
                gpu.run(&mut exec, &data, index..index + 1)?;
                // Reading waits for the kernel; the read of a scalar itself takes a fraction of a millisecond.
                gpu.read_place(&exec, gradscope::plan::Place { len: 1, ..step.outputs[0] }).await?;
                best = best.min(start.elapsed().as_secs_f64() * 1e3);
            }
            let names: Vec<&str> = step.nodes.iter().map(|&node| graph.node(node).name.as_str()).collect();
            times.push((best, names.join(" + ")));
        }
        let total: f64 = times.iter().map(|(time, _)| time).sum();
        times.sort_by(|a, b| b.0.total_cmp(&a.0));
        println!("{total:.1} ms in all");
        times.iter().for_each(|(time, names)| println!("{time:9.2} ms  {names}"));
        Ok(())
    })
}
