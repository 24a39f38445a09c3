//! The planner: fused and unfused plans compute what the plain evaluation of the graph computes, and no two live values share memory.

use std::collections::HashMap;
use std::rc::Rc;

use gradscope::autograd::differentiate;
use gradscope::backend::cpu::Cpu;
use gradscope::backend::{Backend, StepData};
use gradscope::error::Result;
use gradscope::graph::{Group, Initializer, Leaf, NodeId, Phase, Target};
use gradscope::ops::eval::evaluate;
use gradscope::ops::reduce::Reduction;
use gradscope::ops::{CpuCx, Graph};
use gradscope::plan::{BufferKind, Mode, Operand, Plan};
use gradscope::tensor::{Meta, Rng};

/// Two dense layers, an activation that needs its input for the gradient, a squared error, and momentum over the flat parameters.
fn network() -> Result<(Graph, NodeId)> {
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
    let z = g.add(z, b)?;
    let p = g.relu(z)?;
    g.enter_layer("");
    let error = g.sub(p, y)?;
    let square = g.mul(error, error)?;
    let each = g.reduce(Reduction::Mean, square, &[1], false)?;
    let loss = g.mean(each, &[0], false)?;
    differentiate(&mut g, loss)?;
    g.enter_phase(gradscope::graph::Phase::Update);
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

struct Run {
    losses: Vec<f32>,
    parameters: Vec<f32>,
}

/// Ten steps on the CPU.
fn train(graph: &Graph, loss: NodeId, mode: Mode) -> Result<Run> {
    let plan = Rc::new(Plan::new(graph, mode, &[loss])?);
    let mut cpu = Cpu::new();
    let groups = [Group::Parameters, Group::Gradients, Group::Slot(0)];
    cpu.allocate(&groups.map(|group| (group, graph.flat_len(group))))?;
    for (stream, variable) in graph.variables().iter().enumerate() {
        cpu.write(variable.group, variable.offset, &variable.initial(3, stream as u32))?;
    }
    pollster::block_on(async {
        let mut exec = cpu.compile(Rc::clone(&plan), &[loss]).await?;
        let mut rng = Rng::new(1, 1);
        cpu.write_input(&mut exec, 0, &(0..30).map(|_| rng.normal()).collect::<Vec<_>>())?;
        cpu.write_input(&mut exec, 1, &(0..18).map(|_| rng.normal()).collect::<Vec<_>>())?;
        for step in 0..10 {
            let data = StepData { seed: 3, step, scalars: vec![0.1, 0.9], ..StepData::default() };
            cpu.run(&mut exec, &data, 0..plan.steps.len())?;
        }
        Ok(Run { losses: cpu.drain(&mut exec).await?, parameters: cpu.read(Group::Parameters).await? })
    })
}

#[test]
fn fused_and_unfused_plans_train_alike() -> Result<()> {
    let (graph, loss) = network()?;
    let (train_run, inspect_run) = (train(&graph, loss, Mode::Train)?, train(&graph, loss, Mode::Inspect)?);
    assert_eq!(train_run.losses.len(), 10);
    assert!(train_run.losses[9] < 0.8 * train_run.losses[0], "the loss does not fall: {:?}", train_run.losses);
    for (a, b) in train_run.losses.iter().chain(&train_run.parameters).zip(inspect_run.losses.iter().chain(&inspect_run.parameters)) {
        assert!((a - b).abs() <= 1e-5 * a.abs().max(1e-2), "{a} against {b}");
    }
    Ok(())
}

#[test]
fn the_first_loss_is_that_of_plain_evaluation() -> Result<()> {
    let (graph, loss) = network()?;
    let run = train(&graph, loss, Mode::Train)?;
    let mut rng = Rng::new(1, 1);
    let columns: HashMap<usize, Vec<f64>> =
        [(0, 30), (1, 18)].map(|(column, count)| (column, (0..count).map(|_| f64::from(rng.normal())).collect())).into_iter().collect();
    let mut cx = CpuCx::default();
    let values = evaluate(&graph, &mut cx, |id, leaf| match leaf {
        Leaf::Input(column) => columns[column].clone(),
        Leaf::Variable(variable) => {
            let initial = graph.variable(*variable).initial(3, variable.0);
            initial.into_iter().map(f64::from).collect()
        }
        _ => vec![0.0; graph.shape(id).numel()],
    });
    let expected = values[loss.index()][0];
    assert!((f64::from(run.losses[0]) - expected).abs() < 1e-5 * expected, "{} against {expected}", run.losses[0]);
    Ok(())
}

#[test]
fn a_training_step_of_two_dense_layers_takes_few_kernels() -> Result<()> {
    let (graph, loss) = network()?;
    let plan = Plan::new(&graph, Mode::Train, &[loss])?;
    let names: Vec<String> =
        plan.steps.iter().map(|step| step.nodes.iter().map(|&n| graph.node(n).name.clone()).collect::<Vec<_>>().join("+")).collect();
    assert!(plan.steps.len() <= 16, "{} kernels: {names:#?}", plan.steps.len());
    let inspect = Plan::new(&graph, Mode::Inspect, &[loss])?;
    assert!(inspect.steps.len() > plan.steps.len());
    // All values stay, but for what a gradient's rule emitted for an input whose gradient nobody asked for.
    let wanted = |id: &NodeId| {
        let node = graph.node(*id);
        let read = graph.nodes().iter().any(|other| other.inputs.contains(id)) || graph.ids().any(|of| graph.gradient_of(of) == Some(*id));
        !matches!(node.phase, Phase::Backward { .. }) || read
    };
    assert!(graph.ids().filter(wanted).all(|id| inspect.place(id).is_some()), "a value of the inspect plan is nowhere");
    assert!(inspect.slot_cells() > plan.slot_cells());
    Ok(())
}

/// Replays a plan's reads and writes: a read must find what the reading step's node was given, not what another wrote since.
#[test]
fn values_that_live_at_the_same_time_never_share_memory() -> Result<()> {
    let (graph, loss) = network()?;
    for mode in [Mode::Train, Mode::Inspect] {
        let plan = Plan::new(&graph, mode, &[loss])?;
        // Who wrote each cell of each slot last, by step.
        let mut writer: Vec<Vec<Option<usize>>> = plan.buffers.iter().map(|buffer| vec![None; buffer.len]).collect();
        let mut wrote: HashMap<NodeId, usize> = HashMap::new();
        for (time, step) in plan.steps.iter().enumerate() {
            for &node in &step.nodes {
                for input in &graph.node(node).inputs {
                    let Some(&made) = wrote.get(input) else { continue };
                    let read = step.inputs.iter().filter_map(|(operand, _)| match operand {
                        Operand::Memory(place) if plan.buffers[place.buffer].kind == BufferKind::Slot => Some(*place),
                        _ => None,
                    });
                    let found = read.filter(|place| writer[place.buffer][place.offset] == Some(made)).count();
                    assert!(found > 0 || made == time, "step {time} reads {} after it was overwritten", graph.node(*input).name);
                }
            }
            for place in &step.outputs {
                if plan.buffers[place.buffer].kind == BufferKind::Slot {
                    writer[place.buffer][place.offset..place.offset + place.len].fill(Some(time));
                }
            }
            let stored = step.nodes.iter().filter(|_| plan.buffers[step.outputs[0].buffer].kind == BufferKind::Slot);
            if step.outputs.len() == 1 {
                stored.copied().next_back().into_iter().for_each(|node| {
                    wrote.insert(node, time);
                });
            }
        }
    }
    Ok(())
}
