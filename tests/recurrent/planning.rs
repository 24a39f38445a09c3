//! What a long sequence costs: kernels, pipelines, time to plan.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;

use gradscope::autograd::differentiate;
use gradscope::backend::Backend;
use gradscope::backend::webgpu::Gpu;
use gradscope::graph::NodeId;
use gradscope::nn::{self, ModelSpec, OptimizerSpec, build};
use gradscope::ops::Graph;
use gradscope::optim;
use gradscope::plan::{Kernel, Mode, Operand, Plan, Step};
use pollster::block_on;
use serde_json::{Value, json};

use super::{loss, model};

/// A classifier of token sequences, as of reviews: some embedding, a recurrent layer, a probability.
fn classifier(tokens: usize, length: usize, width: usize, recurrent: Value) -> ModelSpec {
    let embedding = json!({ "type": "Embedding", "input_dim": tokens, "output_dim": width });
    model(&[length], json!([embedding, recurrent, { "type": "Dense", "units": 1, "activation": "sigmoid" }]))
}

/// The training step of a model with Adam: graph, loss.
fn step(spec: &ModelSpec, batch: usize) -> (Graph, NodeId) {
    let mut built = build(spec, batch, nn::Mode::Train, Some(&loss("binary_crossentropy"))).expect("a graph");
    let loss = built.loss.expect("a loss");
    differentiate(&mut built.graph, loss).expect("gradients");
    optim::append(&mut built.graph, &OptimizerSpec::from_json(&json!({ "type": "Adam" })).expect("Adam")).expect("an update");
    (built.graph, loss)
}

/// Kernels with what their text depends on: not where their operands lie.
fn texts(plan: &Plan) -> usize {
    let text = |step: &Step| {
        let operand = |operand: &Operand| match operand {
            Operand::Memory(place) => format!("{} cells", place.len),
            other => format!("{other:?}"),
        };
        let inputs: Vec<String> = step.inputs.iter().map(|(of, shape)| format!("{} {shape}", operand(of))).collect();
        format!("{:?} {inputs:?} {}", step.kernel, step.shape)
    };
    plan.steps.iter().map(text).collect::<BTreeSet<String>>().len()
}

/// A longer sequence takes more kernels, but no other ones: each is compiled once.
#[test]
fn time_steps_share_their_kernels() {
    for (kind, a_step) in [("SimpleRNN", 4), ("LSTM", 14), ("GRU", 14)] {
        let plan = |length: usize| {
            let (graph, loss) = step(&classifier(100, length, 16, json!({ "type": kind, "units": 32 })), 8);
            Plan::new(&graph, Mode::Train, &[loss]).expect("a plan")
        };
        let (short, long) = (plan(20), plan(64));
        println!("{kind}: {} kernels a time step, {} texts", (long.steps.len() - short.steps.len()) as f64 / 44.0, texts(&long));
        assert_eq!(texts(&short), texts(&long), "{kind}");
        assert!((long.steps.len() - short.steps.len()) <= 44 * a_step, "{kind}: {} kernels, then {}", short.steps.len(), long.steps.len());
        assert!(!long.steps.iter().any(|step| matches!(step.kernel, Kernel::Copy)), "{kind}: time steps are copied");
    }
}

/// Planning takes time by the node: five times for a sequence that is five times as long, not twenty-five.
#[test]
fn long_sequences_are_planned_in_time() {
    let model = |length: usize| classifier(100, length, 16, json!({ "type": "LSTM", "units": 32 }));
    for mode in [Mode::Train, Mode::Inspect] {
        let time = |length: usize| {
            let (graph, loss) = step(&model(length), 8);
            let once = || {
                let start = Instant::now();
                let plan = Plan::new(&graph, mode, &[loss]).expect("a plan");
                (start.elapsed().as_secs_f64(), plan.steps.len())
            };
            (0..4).map(|_| once()).fold((f64::INFINITY, 0), |best, now| (now.0.min(best.0), now.1))
        };
        let ((short, few), (long, many)) = (time(80), time(400));
        println!("{mode:?}: {few} kernels in {:.1} ms, {many} in {:.1} ms", 1e3 * short, 1e3 * long);
        assert!(long < 15.0 * short, "{mode:?}: {short} s for 80 time steps, {long} s for 400");
    }
}

#[test]
fn pipelines_on_the_gpu_are_few() {
    let mut gpu = block_on(Gpu::open()).expect("this test needs a GPU or a software adapter (Mesa's lavapipe)");
    let (graph, loss) = step(&classifier(100, 64, 16, json!({ "type": "LSTM", "units": 32 })), 8);
    let plan = Rc::new(Plan::new(&graph, Mode::Train, &[loss]).expect("a plan"));
    block_on(gpu.compile(Rc::clone(&plan), &[loss])).expect("kernels");
    println!("{} kernels, {} pipelines", plan.steps.len(), gpu.pipelines());
    assert!(gpu.pipelines() < 60, "{} pipelines", gpu.pipelines());
}
