//! Both backends against double precision, and against each other. A GPU test that finds no adapter fails.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::{self, Gpu};
use gradscope::backend::{Backend, Device, StepData};
use gradscope::error::ErrorCode;
use gradscope::graph::Group;
use gradscope::ops::Graph;
use gradscope::ops::kernel::Threads;
use gradscope::plan::{Mode, Plan};
use gradscope::selftest::{self, Outcome};
use pollster::block_on;

fn gpu() -> Device {
    Device::Gpu(block_on(Gpu::open()).expect("these tests need a GPU or a software adapter (Mesa's lavapipe)"))
}

/// Fails with everything that failed; prints the worst differences.
fn report(backend: &str, mut outcomes: Vec<Outcome>) {
    let failures: Vec<String> =
        outcomes.iter().filter_map(|outcome| outcome.failure.as_ref().map(|failure| format!("{}: {failure}", outcome.name))).collect();
    outcomes.sort_by(|a, b| b.difference.total_cmp(&a.difference));
    for outcome in outcomes.iter().take(8) {
        println!("{backend}: {:.1e} {}", outcome.difference, outcome.name);
    }
    println!("{backend}: {} checks", outcomes.len());
    assert!(failures.is_empty(), "{} of {} on {backend}:\n{}", failures.len(), outcomes.len(), failures.join("\n"));
}

#[test]
fn samples_on_the_cpu_agree_with_double_precision() {
    report("cpu", block_on(selftest::samples(&mut Device::Cpu(Cpu::new()))));
}

/// Threads work in one of two ways, whatever the adapter.
#[test]
fn samples_on_the_gpu_agree_with_double_precision() {
    for threads in [Threads::Together, Threads::Alone] {
        let mut device = gpu();
        if let Device::Gpu(gpu) = &mut device {
            gpu.set_threads(threads);
        }
        report(&format!("webgpu, {threads:?}"), block_on(selftest::samples(&mut device)));
    }
}

#[test]
fn the_gpu_does_what_plans_need() {
    report("webgpu", block_on(selftest::features::all(&mut gpu())));
}

#[test]
fn the_adapter_has_a_name() {
    let adapter = block_on(webgpu::probe()).expect("an adapter");
    println!("{adapter:?}");
    assert!(!adapter.name.is_empty());
    let software = ["llvmpipe", "swiftshader"].iter().any(|name| adapter.name.to_lowercase().contains(name));
    assert!(adapter.software || !software, "{adapter:?} is a software adapter");
}

#[test]
fn a_lost_device_says_so_from_then_on() {
    let mut gpu = block_on(Gpu::open()).expect("an adapter");
    gpu.allocate(&[(Group::Parameters, 100)]).expect("a small buffer");
    let mut graph = Graph::default();
    let rate = graph.scalar("rate", 1.0);
    let value = graph.exp(rate).expect("exp takes a scalar");
    let plan = Rc::new(Plan::new(&graph, Mode::Train, &[value]).expect("a plan"));
    let mut exec = block_on(gpu.compile(Rc::clone(&plan), &[value])).expect("a kernel");
    let step = StepData { scalars: vec![0.0], ..StepData::default() };
    gpu.run(&mut exec, &step, 0..plan.steps.len()).expect("a run");
    gpu.destroy();
    for _ in 0..2 {
        let codes = [
            gpu.run(&mut exec, &step, 0..plan.steps.len()).err(),
            block_on(gpu.read(Group::Parameters)).err(),
            block_on(gpu.drain(&mut exec)).err(),
            gpu.allocate(&[(Group::Parameters, 10)]).err(),
        ];
        for error in codes {
            assert_eq!(error.map(|error| error.code), Some(ErrorCode::DeviceLost));
        }
    }
}
