//! Rows and columns of a convolution that no pooling reads are not computed in training, and nothing else changes.

use std::rc::Rc;

use gradscope::autograd::differentiate;
use gradscope::backend::cpu::Cpu;
use gradscope::backend::{Backend, StepData};
use gradscope::error::Result;
use gradscope::graph::{Group, Initializer, Kind, NodeId};
use gradscope::ops::conv2d::Conv2d;
use gradscope::ops::window::Padding;
use gradscope::ops::{Graph, Op};
use gradscope::plan::{Mode, Plan};
use gradscope::tensor::{Meta, Rng};

const IMAGES: [usize; 4] = [3, 10, 9, 2];

/// Convolution, bias, ReLU and pooling twice; both convolutions have rows or columns that no window reads. `also` may read the first one's result.
fn network(also: impl Fn(&mut Graph, NodeId) -> Result<Option<NodeId>>) -> Result<(Graph, NodeId)> {
    let mut g = Graph::default();
    let mut x = g.input(0, Meta::f32(IMAGES));
    let mut read = None;
    for filters in [4, 5] {
        let shape = g.shape(x).clone();
        let w = g.declare("kernel", [2, 2, shape[3], filters], Group::Parameters, Initializer::GlorotUniform);
        let b = g.declare("bias", [filters], Group::Parameters, Initializer::RandomNormal { mean: 0.0, stddev: 0.1 });
        let z = g.conv2d(x, w, Conv2d::default())?;
        let z = g.add(z, b)?;
        let a = g.relu(z)?;
        if read.is_none() {
            read = also(&mut g, a)?;
        }
        x = g.max_pool2d(a, [2, 2], [2, 2], Padding::Valid)?;
    }
    let square = g.mul(x, x)?;
    let mut loss = g.mean(square, &[0, 1, 2, 3], false)?;
    if let Some(read) = read {
        loss = g.add(loss, read)?;
    }
    differentiate(&mut g, loss)?;
    Ok((g, loss))
}

/// The loss of a step, and every gradient.
fn step(graph: &Graph, loss: NodeId, mode: Mode) -> Result<Vec<f32>> {
    let plan = Rc::new(Plan::new(graph, mode, &[loss])?);
    let mut cpu = Cpu::new();
    cpu.allocate(&[Group::Parameters, Group::Gradients].map(|group| (group, graph.flat_len(group))))?;
    for (stream, variable) in graph.variables().iter().enumerate() {
        cpu.write(variable.group, variable.offset, &variable.initial(3, stream as u32))?;
    }
    pollster::block_on(async {
        let mut exec = cpu.compile(Rc::clone(&plan), &[loss]).await?;
        let mut rng = Rng::new(1, 1);
        cpu.write_input(&mut exec, 0, &(0..IMAGES.iter().product()).map(|_| rng.normal()).collect::<Vec<_>>())?;
        cpu.run(&mut exec, &StepData::default(), 0..plan.steps.len())?;
        Ok([cpu.drain(&mut exec).await?, cpu.read(Group::Gradients).await?].concat())
    })
}

/// What each convolution of a plan computes, and each gradient of one.
fn only(plan: &Plan) -> Vec<Option<[usize; 2]>> {
    let convolution = |kind: &Kind<Op>| match kind {
        Kind::Op(Op::Conv2d(conv)) => Some(conv.only),
        Kind::Op(Op::Conv2dInputGrad(grad)) => Some(grad.conv.only),
        Kind::Op(Op::Conv2dKernelGrad(grad)) => Some(grad.conv.only),
        _ => None,
    };
    plan.steps.iter().flat_map(|step| &step.nodes).filter_map(|&node| convolution(&plan.graph.node(node).kind)).collect()
}

#[test]
fn what_no_pooling_reads_is_not_computed_and_every_gradient_stays() -> Result<()> {
    let (graph, loss) = network(|_, _| Ok(None))?;
    let (train, inspect) = (Plan::new(&graph, Mode::Train, &[loss])?, Plan::new(&graph, Mode::Inspect, &[loss])?);
    // 9 x 8 of which 8 x 8 are read, then 3 x 3 of which 2 x 2 are; the images' own gradient is not asked for.
    let (first, second) = (Some([8, 8]), Some([2, 2]));
    assert_eq!(only(&train), [first, second, second, second, first]);
    assert!(only(&inspect).iter().all(Option::is_none));
    assert!(train.cost().flops < 0.9 * inspect.cost().flops);
    let (fast, whole) = (step(&graph, loss, Mode::Train)?, step(&graph, loss, Mode::Inspect)?);
    let gradients: usize = graph.variables().iter().map(|variable| variable.shape.numel()).sum();
    assert!(2 * whole.iter().filter(|value| **value != 0.0).count() > gradients, "most gradients are 0");
    for (a, b) in fast.iter().zip(&whole) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-2), "{a} against {b}");
    }
    Ok(())
}

#[test]
fn what_something_else_reads_or_somebody_looks_at_is_computed_whole() -> Result<()> {
    let (graph, loss) = network(|g, a| g.mean(a, &[0, 1, 2, 3], false).map(Some))?;
    let plan = Plan::new(&graph, Mode::Train, &[loss])?;
    assert_eq!(only(&plan).iter().filter(|only| only.is_none()).count(), 2, "{:?}", only(&plan));
    let (fast, whole) = (step(&graph, loss, Mode::Train)?, step(&graph, loss, Mode::Inspect)?);
    for (a, b) in fast.iter().zip(&whole) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-2), "{a} against {b}");
    }

    let (graph, loss) = network(|_, _| Ok(None))?;
    let seen = graph.ids().find(|&id| matches!(graph.node(id).kind, Kind::Op(Op::Conv2d(_)))).expect("a convolution");
    let plan = Plan::new(&graph, Mode::Train, &[loss, seen])?;
    assert!(plan.place(seen).is_some());
    assert_eq!(only(&plan).iter().filter(|only| only.is_none()).count(), 2, "{:?}", only(&plan));
    Ok(())
}
