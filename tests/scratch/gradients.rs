//! Gradients of programs, and the step down them.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::{Backend, StepData};
use gradscope::error::Error;
use gradscope::graph::{Group, Leaf, NodeId};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::evaluate;
use gradscope::plan::{Mode, Plan};
use gradscope::scratch::{self, Program};

use super::{close, compile, node, report};

/// One layer of two sigmoid units by hand, with the numbers of the article's claim put right.
#[test]
fn backprop_by_hand() {
    let source = "
        x = data([0.5, 1]); y = data([0, 1])
        W = [[0.1, 0.2], [0.3, 0.4]]; b = [0.1, 0.2]
        z = W @ x + b
        h = sigmoid(z)
        J = sum((h - y)^2) / 2
        learning_rate = 0.5";
    let report = report(source);
    let rounded = |values: &[f32]| values.iter().map(|x| (f64::from(*x) * 1e4).round() / 1e4).collect::<Vec<f64>>();
    assert_eq!(rounded(&node(&report, "z").value), [0.35, 0.75]);
    assert_eq!(rounded(&node(&report, "h").value), [0.5866, 0.6792]);
    assert_eq!(rounded(&node(&report, "J").value), [0.2235]);
    let gradient = |name: &str| node(&report, name).gradient.clone().expect("a gradient");
    assert_eq!(rounded(&gradient("z")), [0.1423, -0.0699]);
    assert_eq!(rounded(&gradient("b")), [0.1423, -0.0699]);
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let delta = |z: f64, y: f64| (sigmoid(z) - y) * sigmoid(z) * (1.0 - sigmoid(z));
    let (first, second) = (delta(0.35, 0.0), delta(0.75, 1.0));
    close(&gradient("W"), &[first * 0.5, first, second * 0.5, second]);
    assert!((report.learning_rate - 0.5).abs() < 1e-7);
    assert_eq!(report.nodes[report.loss].name, "J");
}

#[test]
fn cross_entropy_is_the_expanded_one() {
    let source = |labels: &str| {
        format!(
            "
        logits = [[1, -0.5, 2], [0.3, 0.2, 0.1]]
        labels = data({labels})
        fused = cross_entropy(logits, labels)
        p = softmax(logits)
        t = data([[0, 0, 1], [1, 0, 0]])
        loss = -mean(sum(t * log(p), axis=1)) + 0 * fused"
        )
    };
    for labels in ["[2, 0]", "[[0, 0, 1], [1, 0, 0]]"] {
        let report = report(&source(labels));
        let (fused, expanded) = (node(&report, "fused").value[0], node(&report, "loss").value[0]);
        assert!((fused - expanded).abs() < 1e-6, "{fused} and {expanded}");
    }
    let report = report("z = [[1, 2, 3]]; loss = cross_entropy(z, [2])");
    let e: Vec<f64> = [1.0f64, 2.0, 3.0].iter().map(|x| x.exp()).collect();
    let total: f64 = e.iter().sum();
    close(&node(&report, "z").gradient.clone().expect("p - t"), &[e[0] / total, e[1] / total, e[2] / total - 1.0]);
}

/// Values of all nodes in double precision, with element `index` of a leaf moved by `by`.
fn run(program: &Program, moved: Option<(NodeId, usize, f64)>) -> Vec<Vec<f64>> {
    evaluate(&program.graph, &mut CpuCx::default(), |node, leaf| {
        let mut values: Vec<f64> = match leaf {
            Leaf::Variable(id) => program.graph.variable(*id).initial(0, 0).into_iter().map(f64::from).collect(),
            Leaf::Scalar(index) => vec![f64::from(program.graph.scalars()[*index].1)],
            Leaf::Input(_) | Leaf::Flat(_) | Leaf::Constant(_) => vec![0.0; program.graph.shape(node).numel()],
        };
        if let Some((leaf, index, by)) = moved.filter(|(leaf, ..)| *leaf == node) {
            values[index] += by;
            assert_eq!(leaf, node);
        }
        values
    })
}

#[test]
fn gradients_agree_with_central_differences() {
    let programs = [
        "x = randn(4, 3); w = randn(3, 2); b = zeros(2); y = rand(4, 2); loss = mean((tanh(x @ w + b) - y)^2)",
        "x = randn(2, 5); loss = cross_entropy(silu(x) * 2, [1, 4])",
        "x = 1 + rand(2, 3); y = rand(3) + 1; loss = sum(x^y / sqrt(x) - log(y) * gelu(x))",
        "x = randn(1, 5, 5, 2); k = randn(3, 3, 2, 2); loss = sum(max_pool2d(softplus(conv2d(x, k, padding='same')), 2)^2)",
        "x = randn(3, 4); loss = var(x[1:, ::2]) + max(x) - min(x) + sum(x.T[0] * x[:, 0])",
        "a = 2; b = -3; c = a * b; d = [a, b, c, sigmoid(c / 10)]; loss = mean(d^3) * a",
        "x = randn(2, 2); loss = sum(abs(concat(x, x @ x, axis=1)) * exp(-x[0, 0]))",
        "x = randn(2, 3); loss = sum(where(greater(x, 0), x^2, 3 * x) * cumsum(x, axis=1)) + sum(where(top_k(x, 2), exp(x), 0))",
        "p = randn(3); q = softmax(p); loss = -sum(q * log(q)) + mse(q, [0, 1, 0])",
    ];
    for source in programs {
        let program = compile(source);
        let exact = run(&program, None);
        let mut checked = 0;
        for statement in program.statements.iter().filter(|statement| statement.variable) {
            let gradient = program.graph.gradient_of(statement.node).expect("the loss depends on every variable here");
            for (index, &analytic) in exact[gradient.index()].iter().enumerate() {
                let at = |by: f64| run(&program, Some((statement.node, index, by)))[program.loss.index()][0];
                let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!(
                    (numeric - analytic).abs() < 1e-6 * analytic.abs().max(1.0),
                    "{source}\n{}[{index}]: {numeric}, {analytic}",
                    statement.name
                );
                checked += 1;
            }
        }
        assert!(checked > 0);
    }
}

#[test]
fn a_list_of_computed_values_is_stacked_once() {
    for (source, nodes) in [("mean([a, b])", 6), ("[a, b] @ [3, 4]", 9), ("[a, b][0]", 7), ("sum(concat([[a, b], [b, a]]))", 10)] {
        let report = report(&format!("a = 1; b = 2; loss = {source}"));
        assert_eq!(report.nodes.len(), nodes, "{source}: {:?}", report.nodes.iter().map(|node| &node.name).collect::<Vec<_>>());
    }
}

#[test]
fn every_computed_value_has_a_gradient_and_a_name() {
    let program = compile("x = [1, 2]; h = x * 3; loss = sum(h^2)");
    let report = scratch::report(&program);
    close(&node(&report, "h").gradient.clone().expect("h is on the way"), &[6.0, 12.0]);
    let spans: Vec<&str> = program.statements.iter().map(|s| &"x = [1, 2]; h = x * 3; loss = sum(h^2)"[s.span.clone()]).collect();
    assert_eq!(spans, ["x = [1, 2]", "h = x * 3", "loss = sum(h^2)"]);
    assert!(report.nodes.iter().all(|node| node.inputs.iter().all(|&input| input < report.nodes.len())));
}

/// The parameters after some steps of the graph's own update, by the plan that keeps every value, on the CPU.
fn descend(program: &Program, steps: usize) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let graph = &program.graph;
    let plan = Rc::new(Plan::new(graph, Mode::Inspect, &[program.loss])?);
    let mut cpu = Cpu::new();
    let groups = [Group::Parameters, Group::Gradients, Group::Statistics];
    cpu.allocate(&groups.map(|group| (group, graph.flat_len(group))))?;
    for variable in graph.variables() {
        cpu.write(variable.group, variable.offset, &variable.initial(0, 0))?;
    }
    let mut exec = pollster::block_on(cpu.compile(Rc::clone(&plan), &[program.loss]))?;
    let scalars: Vec<f32> = graph.scalars().iter().map(|(_, value)| *value).collect();
    for step in 0..steps {
        let data = StepData { step: step as u32, scalars: scalars.clone(), ..StepData::default() };
        cpu.run(&mut exec, &data, 0..plan.steps.len())?;
    }
    let losses = pollster::block_on(cpu.drain(&mut exec))?;
    Ok((pollster::block_on(cpu.read(Group::Parameters))?, losses))
}

#[test]
fn a_step_goes_down_the_gradient() -> Result<(), Error> {
    let program = compile("w = [1, -2]; b = 3; x = data([0.5, 4]); loss = (sum(w * x) + b)^2; learning_rate = 0.01");
    let (after, losses) = descend(&program, 1)?;
    let error = 0.5 - 8.0 + 3.0;
    let at = |name: &str| program.graph.variables().iter().find(|variable| variable.name == name).expect("a variable").offset;
    close(&after[at("w")..at("w") + 2], &[1.0 - 0.01 * 2.0 * error * 0.5, -2.0 - 0.01 * 2.0 * error * 4.0]);
    close(&after[at("b")..at("b") + 1], &[3.0 - 0.01 * 2.0 * error]);
    close(&losses, &[error * error]);
    // The page's example, with its seed.
    let xor = "x = data([[0, 0], [0, 1], [1, 0], [1, 1]]); y = data([[0], [1], [1], [0]])
        w1 = randn(2, 3); b1 = zeros(3); w2 = randn(3, 1); b2 = zeros(1)
        p = sigmoid(tanh(x @ w1 + b1) @ w2 + b2)
        loss = -mean(y * log(p) + (1 - y) * log(1 - p)); learning_rate = 0.5";
    let xor = scratch::compile(xor, 0)?;
    let (_, losses) = descend(&xor, 1000)?;
    assert!(losses.last().is_some_and(|&loss| loss < 0.05), "loss {:?}", losses.last());
    Ok(())
}
