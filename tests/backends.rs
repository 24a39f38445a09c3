//! Both backends against double precision, and against each other. A GPU test that finds no adapter fails.

use std::cell::Cell;
use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::{self, Allowed, Gpu};
use gradscope::backend::{Backend, Device, StepData};
use gradscope::error::ErrorCode;
use gradscope::graph::Group;
use gradscope::ops::kernel::{Products, Threads, Tuning};
use gradscope::ops::{Graph, Op, Sample};
use gradscope::plan::{Mode, Plan};
use gradscope::selftest::{self, Outcome};
use pollster::block_on;

const NEEDS_GPU: &str = "these tests need a GPU or a software adapter (Mesa's lavapipe)";

fn gpu() -> Device {
    Device::Gpu(block_on(Gpu::open()).expect(NEEDS_GPU))
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

/// Threads work in one of two ways, whatever the adapter; and adapters differ in what they allow.
#[test]
fn samples_on_the_gpu_agree_with_double_precision() {
    for (allowed, threads) in [(Allowed::All, Threads::Together), (Allowed::Least, Threads::Alone)] {
        let mut gpu = block_on(Gpu::open_within(allowed)).expect(NEEDS_GPU);
        gpu.set_tuning(threads.into());
        report(&format!("webgpu, {allowed:?}, {threads:?}"), block_on(selftest::samples(&mut Device::Gpu(gpu))));
    }
}

/// The family from which devices get theirs, but for the two that all samples are made with.
#[test]
fn all_kinds_of_products_agree_with_double_precision() {
    let usual = [Threads::Together, Threads::Alone].map(|threads| Tuning::from(threads).products);
    for products in Products::FAMILY.into_iter().filter(|products| !usual.contains(products)) {
        let mut gpu = block_on(Gpu::open()).expect(NEEDS_GPU);
        gpu.set_tuning(Tuning { products, ..gpu.tuning() });
        let made = |sample: &Sample| matches!(sample.op, Op::MatMul(_) | Op::Conv2d(_));
        let mut gpu = Device::Gpu(gpu);
        let mut outcomes = block_on(selftest::those(&mut gpu, made));
        outcomes.extend(block_on(selftest::features::all(&mut gpu)));
        report(&format!("webgpu, {products}"), outcomes);
    }
}

/// By a clock that goes more slowly while one of them has its turn, after as many turns to warm up and one that tells how long turns are.
#[test]
fn tuning_takes_the_fastest_if_it_gains_anything() {
    for (fastest, took, expected) in [(1, 100.0, 1), (4, 100.0, 4), (2, 199.0, 3)] {
        let mut gpu = block_on(Gpu::open()).expect(NEEDS_GPU);
        gpu.set_tuning(Threads::Alone.into());
        let (readings, time) = (Cell::new(0), Cell::new(0.0));
        let clock = || {
            let turn: usize = readings.get() / 2;
            let contender = turn.checked_sub(Products::FAMILY.len() + 1).map(|turn| turn % Products::FAMILY.len());
            time.set(time.get() + if contender == Some(fastest) { took } else { 200.0 });
            readings.set(readings.get() + 1);
            time.get()
        };
        let found = block_on(gpu.tune(clock)).expect("a device that works");
        assert_eq!((found, gpu.tuning().products), (Products::FAMILY[expected], Products::FAMILY[expected]));
    }
}

#[test]
fn tuning_that_fails_leaves_the_kernels_that_suit_most() {
    let mut gpu = block_on(Gpu::open()).expect(NEEDS_GPU);
    let before = gpu.tuning();
    for stopped in [f64::NAN, 0.0] {
        block_on(gpu.tune(|| stopped)).expect_err("a clock that tells nothing");
        assert_eq!(gpu.tuning(), before);
    }
    gpu.destroy();
    block_on(gpu.tune(|| 0.0)).expect_err("a lost device");
    assert_eq!(gpu.tuning(), before);
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
