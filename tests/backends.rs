//! Both backends against double precision, and against each other. A GPU test that finds no adapter fails.

use gradscope::backend::Device;
use gradscope::selftest::{self, Outcome};
use pollster::block_on;

fn gpu() -> Device {
    block_on(Device::gpu()).expect("these tests need a GPU or a software adapter (Mesa's lavapipe)")
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
    report("cpu", block_on(selftest::samples(&mut Device::cpu())));
}

#[test]
fn samples_on_the_gpu_agree_with_double_precision() {
    report("webgpu", block_on(selftest::samples(&mut gpu())));
}
