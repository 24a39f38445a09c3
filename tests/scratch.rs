//! The scratchpad's language: values and gradients, what stays known, and every mistake with its place and its hint.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::{Backend, StepData};
use gradscope::error::{Error, ErrorCode};
use gradscope::graph::{Group, Leaf, NodeId};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::evaluate;
use gradscope::plan::{Mode, Plan};
use gradscope::scratch::{self, Program, ScratchNode, ScratchReport};
use gradscope::trace::ReadItem;
use gradscope::train::ProgramWalk;
use proptest::prelude::*;

fn compile(source: &str) -> Program {
    scratch::compile(source, 7).unwrap_or_else(|error| panic!("{source}\n{error}\n{}", error.args["caret"]))
}

fn report(source: &str) -> ScratchReport {
    scratch::report(&compile(source))
}

/// The node of the last statement of that name.
fn node<'a>(report: &'a ScratchReport, name: &str) -> &'a ScratchNode {
    let statement = report.statements.iter().rev().find(|statement| statement.name == name).expect("a statement of that name");
    &report.nodes[statement.node]
}

fn close(got: &[f32], expected: &[f64]) {
    let near = |(&got, &expected): (&f32, &f64)| (f64::from(got) - expected).abs() <= 2e-6 * expected.abs().max(1.0);
    assert!(got.len() == expected.len() && got.iter().zip(expected).all(near), "got {got:?}, expected {expected:?}");
}

fn value(source: &str, expected: &[f64], shape: &[usize]) {
    let report = report(&format!("{source}\nloss = sum(a)"));
    let a = node(&report, "a");
    assert_eq!(a.shape, shape, "{source}");
    close(&a.value, expected);
}

fn error(source: &str) -> Error {
    match scratch::compile(source, 0) {
        Ok(_) => panic!("this is no program: {source}"),
        Err(error) => error,
    }
}

#[test]
fn operators_bind_as_in_python() {
    value("a = 1 + 2 * 3 - 4 / 8", &[6.5], &[]);
    value("x = 2; a = x + x * x^3 / 4 - -x", &[8.0], &[]);
    value("a = 2^3^2", &[512.0], &[]);
    value("x = 3; a = -x^2", &[-9.0], &[]);
    value("a = 2^-1; b = -2^2 + a", &[0.5], &[]);
    value("x = [1, 2, 3]; a = 8 / 2 / 2 * x", &[2.0, 4.0, 6.0], &[3]);
    value("x = [[1, 2], [3, 4]]; a = 2 * x @ x.T", &[10.0, 22.0, 22.0, 50.0], &[2, 2]);
    value("x = [[1, 2], [3, 4]]; a = x @ [1, 1]", &[3.0, 7.0], &[2]);
    value("x = [[1, 2], [3, 4]]; a = [1, 1] @ x", &[4.0, 6.0], &[2]);
    value("x = [1, 2]; a = x @ x", &[5.0], &[]);
}

#[test]
fn lists_comments_and_line_breaks() {
    value("# two rows\nx = [[1, -2.5],   # first\n     [3e1, .5]]\n\n a = x; # no copy\r\n", &[1.0, -2.5, 30.0, 0.5], &[2, 2]);
    value("p = 2; q = 3; a = [p, q, p * q]", &[2.0, 3.0, 6.0], &[3]);
    value("p = [1, 2]; a = [p, p + 1]", &[1.0, 2.0, 2.0, 3.0], &[2, 2]);
    value("重み = 2; a = 重み * 3", &[6.0], &[]);
}

#[test]
fn functions_compute_what_they_say() {
    let x = "x = [[1, -2, 3], [4, 5, -6]]; ";
    let over = |call: &str, expected: &[f64], shape: &[usize]| value(&format!("{x}a = {call}"), expected, shape);
    over("sum(x)", &[5.0], &[]);
    over("sum(x, axis=0)", &[5.0, 3.0, -3.0], &[3]);
    over("mean(x, axis=-1, keepdims=true)", &[2.0 / 3.0, 1.0], &[2, 1]);
    over("max(x, axis=1)", &[3.0, 5.0], &[2]);
    over("min(x, axis=[0, 1])", &[-6.0], &[]);
    over("var(x, axis=0)", &[2.25, 12.25, 20.25], &[3]);
    over("maximum(x, 0)", &[1.0, 0.0, 3.0, 4.0, 5.0, 0.0], &[2, 3]);
    over("minimum(x, [0, 1, 2])", &[0.0, -2.0, 2.0, 0.0, 1.0, -6.0], &[2, 3]);
    over("leaky_relu(x, 0.1)", &[1.0, -0.2, 3.0, 4.0, 5.0, -0.6], &[2, 3]);
    over("reshape(x, 3, -1)", &[1.0, -2.0, 3.0, 4.0, 5.0, -6.0], &[3, 2]);
    over("reshape(x, (6,))", &[1.0, -2.0, 3.0, 4.0, 5.0, -6.0], &[6]);
    over("transpose(x, 1, 0)", &[1.0, 4.0, -2.0, 5.0, 3.0, -6.0], &[3, 2]);
    over("concat(x, x * 2, axis=1)", &[1.0, -2.0, 3.0, 2.0, -4.0, 6.0, 4.0, 5.0, -6.0, 8.0, 10.0, -12.0], &[2, 6]);
    over("concat([x[0], x[1] * 1])", &[1.0, -2.0, 3.0, 4.0, 5.0, -6.0], &[6]);
    over("x[0, 1:3]", &[-2.0, 3.0], &[2]);
    over("x[:, -1]", &[3.0, -6.0], &[2]);
    over("x[:, ::2]", &[1.0, 3.0, 4.0, -6.0], &[2, 2]);
    over("x[1][0]", &[4.0], &[]);
    let powers: Vec<f64> = [1.0, -2.0, 3.0].iter().map(|x: &f64| x.exp()).collect();
    let total: f64 = powers.iter().sum();
    over("softmax(x)[0]", &powers.iter().map(|p| p / total).collect::<Vec<_>>(), &[3]);
    over("log_softmax(x)[0]", &powers.iter().map(|p| (p / total).ln()).collect::<Vec<_>>(), &[3]);
    over("mse(x, 1)", &[(0.0 + 9.0 + 4.0 + 9.0 + 16.0 + 49.0) / 6.0], &[]);
    let image = "x = reshape(linspace(0, 8, 9), 1, 3, 3, 1); ";
    value(&format!("{image}a = conv2d(x, ones(2, 2, 1, 1), padding='valid')"), &[8.0, 12.0, 20.0, 24.0], &[1, 2, 2, 1]);
    value(&format!("{image}a = conv2d(x, ones(2, 2, 1, 1), strides=2, padding='same')"), &[8.0, 7.0, 13.0, 8.0], &[1, 2, 2, 1]);
    value(&format!("{image}a = max_pool2d(x, 2, strides=1)"), &[4.0, 5.0, 7.0, 8.0], &[1, 2, 2, 1]);
    value(&format!("{image}a = avg_pool2d(x, size=3)"), &[4.0], &[1, 1, 1, 1]);
    for (call, expected) in [
        ("exp(x)", 0.3f64.exp()),
        ("log(x)", 0.3f64.ln()),
        ("sqrt(x)", 0.3f64.sqrt()),
        ("abs(-x)", 0.3),
        ("sigmoid(x)", 1.0 / (1.0 + (-0.3f64).exp())),
        ("tanh(x)", 0.3f64.tanh()),
        ("relu(-x)", 0.0),
        ("gelu(x)", 0.3 * 0.617_911_422_188_952_8),
        ("silu(x)", 0.3 / (1.0 + (-0.3f64).exp())),
        ("softplus(x)", (1.0 + 0.3f64.exp()).ln()),
        ("pow(x, 3)", 0.027),
    ] {
        value(&format!("x = 0.3; a = {call}"), &[expected], &[]);
    }
}

#[test]
fn random_tensors_are_those_of_the_seed() {
    let values = |seed: u32| {
        let program =
            scratch::compile("a = randn(40, 50); b = rand(40, 50); c = randn(40, 50); loss = sum(a * b * c)", seed).expect("a program");
        let of = |index: usize| program.graph.variables()[index].initial(0, 0);
        (of(0), of(1), of(2))
    };
    let first = values(7);
    assert_eq!(first, values(7));
    let (normal, uniform, other) = first;
    assert_ne!(normal, other);
    assert_ne!(normal, values(8).0);
    let mean = |values: &[f32]| values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    assert!(mean(&normal).abs() < 0.1 && (mean(&uniform) - 0.5).abs() < 0.05);
    assert!(uniform.iter().all(|x| (0.0..1.0).contains(x)));
}

#[test]
fn what_needs_no_name_is_a_variable() {
    let report = report("w = 0.5 * randn(2, 3) + 1; x = data([[1, 2]]); y = linspace(0, 1, 3).T; z = x @ w * y; loss = sum(z)");
    let kinds: Vec<(&str, bool, &str)> =
        report.statements.iter().map(|s| (s.name.as_str(), s.variable, report.nodes[s.node].op.as_str())).collect();
    let expected = [("w", true, "variable"), ("x", false, "data"), ("y", true, "variable"), ("z", false, "mul"), ("loss", false, "sum")];
    assert_eq!(kinds, expected);
    assert!(report.nodes[report.statements[1].node].gradient.is_some(), "what stays as it is has a gradient to look at");
    assert!(report.nodes.iter().all(|node| node.name != "randn"));
}

#[test]
fn the_loss_is_named_or_the_last_scalar() {
    let loss = |source: &str| {
        let report = report(source);
        report.nodes[report.loss].name.clone()
    };
    assert_eq!(loss("x = 2; loss = x^2; y = x + 1"), "loss");
    assert_eq!(loss("x = 2; y = x + 1; z = [x, y]; c = 5"), "y");
    assert_eq!(loss("x = 2"), "x");
    assert_eq!(loss("x = 2; x * 3"), "mul");
    assert_eq!(loss("x = 2; x = x + 1; x = x * x"), "x_2");
}

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

/// A program is walked through like a network's step: values as the report has them, explained, nudged, edited, and step by step forth and back.
#[test]
fn a_program_is_walked_through() -> Result<(), Error> {
    let source = "x = data([0.5, 4]); w = [1, -2]; b = 3; z = sum(w * x) + b; h = relu(-z); loss = h^2; learning_rate = 0.01";
    let report = report(source);
    pollster::block_on(async {
        let mut walk = ProgramWalk::open(source, 7).await?;
        let info = walk.info().await?;
        let node = |name: &str| info.nodes.iter().position(|node| node.name == name).expect("a node of that name");
        let layers: Vec<&str> = info.layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(layers, ["w", "b", "z", "h"]);
        assert_eq!((info.nodes[info.x].name.as_str(), info.nodes[info.loss].name.as_str()), ("x", "loss"));
        assert!(info.nodes.iter().filter(|node| node.name == "mul" || node.name == "sum").all(|node| node.layer == "z"));
        assert!(0 < info.forward_end && info.forward_end < info.backward_end && info.backward_end < info.ops.len());
        // Nothing is there before it is computed; then it is what the report says.
        let z = node("z");
        let read = ReadItem { node: z, example: None };
        let early = {
            let (backend, trace) = walk.trace();
            trace.read(backend, &read).await
        };
        assert_eq!(early.map_err(|error| error.code), Err(ErrorCode::WrongState));
        let state = walk.go(info.backward_end, &[]).await?;
        assert_eq!(state.loss, Some(report.nodes[report.loss].value[0]));
        for (id, shown) in report.nodes.iter().enumerate() {
            let (backend, trace) = walk.trace();
            assert_eq!(trace.read(backend, &ReadItem { node: id, example: None }).await?.1, shown.value, "{}", shown.name);
            if let (Some(gradient), Some(expected)) = (info.nodes[id].gradient, &shown.gradient) {
                assert_eq!(
                    &trace.read(backend, &ReadItem { node: gradient, example: None }).await?.1,
                    expected,
                    "gradient of {}",
                    shown.name
                );
            }
        }
        let (backend, trace) = walk.trace();
        let (explanation, _) = trace.explain(backend, z, 0, 8).await?;
        assert!((explanation.recomputed - f64::from(explanation.value)).abs() < 1e-6);
        let nudge = trace.nudge(backend, node("w"), 1, None).await?;
        assert!((nudge.slope - nudge.gradient.expect("it is computed")).abs() < 1e-3 * nudge.slope.abs(), "{nudge:?}");
        // An edit of a computed value is for this walk, one of a variable for good.
        walk.edit(z, 0, 5.0).await?;
        let state = walk.go(info.forward_end, &[]).await?;
        assert_eq!(state.loss, Some(0.0));
        assert_eq!(state.edited, [z]);
        let before = walk.steps(0).await?;
        assert_eq!(before.state.step, 0);
        // Steps go down, and the way back ends at the same bits.
        let losses = {
            let mut losses = Vec::new();
            for _ in 0..4 {
                walk.steps(1).await?;
                losses.extend(walk.go(info.forward_end, &[]).await?.loss);
            }
            losses
        };
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
        assert_eq!(walk.steps(-3).await?.state.step, 1);
        assert_eq!(walk.go(info.forward_end, &[]).await?.loss, Some(losses[0]));
        walk.steps(3).await?;
        assert_eq!(walk.go(info.forward_end, &[]).await?.loss, Some(losses[3]));
        walk.go(info.ops.len(), &[]).await?;
        let (table, columns) = walk.optimizer_table("w").await?;
        assert_eq!(table.columns, ["value", "gradient", "update", "next"]);
        close(&columns[2], &columns[1].iter().map(|gradient| -0.01 * f64::from(*gradient)).collect::<Vec<_>>());
        assert_eq!(walk.optimizer_table("x").await.map_err(|error| error.code), Err(ErrorCode::UnknownName));
        walk.edit(node("b"), 0, 1.5).await?;
        walk.steps(1).await?;
        assert_eq!(walk.edit(node("b"), 0, f32::NAN).await.map_err(|error| error.code), Err(ErrorCode::BadValue));
        Ok(())
    })
}

/// A mistake: the program, its code, `line:column`, how wide it is, and the hint.
#[test]
fn mistakes_say_where_and_what_helps() {
    use ErrorCode::*;
    let cases: &[(&str, ErrorCode, &str, usize, Option<&str>)] = &[
        ("weight = 2\ny = wieght + 1", UnknownName, "2:5", 6, Some("did you mean weight?")),
        ("x = 1\ny = 2 * tanh", UnknownName, "2:9", 4, Some("tanh is a function: write tanh(...)")),
        ("y = tahn(2)", UnknownName, "1:5", 4, Some("did you mean tanh?")),
        ("y = frobnicate(2)", UnknownName, "1:5", 10, None),
        ("x = 1; y = exp(x, 2)", WrongArguments, "1:12", 9, Some("write exp(x)")),
        ("x = [1,2]; y = max(x, 2)", WrongArguments, "1:16", 9, Some("maximum(a, b) takes two")),
        ("x = [1,2]; y = sum(x, axes=0)", UnknownKey, "1:28", 1, Some("write sum(x)")),
        (
            "x = ones(2, 3)\nw = ones(2, 3)\nloss = sum(x @ w)",
            ShapeMismatch,
            "3:12",
            5,
            Some("x is [2, 3] and w is [2, 3]: the last extent on the left"),
        ),
        ("x = ones(2, 3); y = x + ones(2)", ShapeMismatch, "1:21", 11, Some("x is [2, 3] and ones(2) is [2]: counted from the right")),
        ("x = ones(2, 3); y = reshape(x, 4)", ShapeMismatch, "1:21", 13, Some("keeps the number")),
        ("x = [[1, 2], [3]]", ShapeMismatch, "1:14", 3, Some("one shape")),
        ("x = [1, 2]; loss = x * 2", NotScalar, "1:13", 12, Some("make it one number: mean(loss) or sum(loss)")),
        ("x = [1, 2]", NotScalar, "1:1", 10, Some("mean(x)")),
        ("x = 1 $ 2", UnexpectedCharacter, "1:7", 1, None),
        ("x = 1 < 2", UnexpectedCharacter, "1:7", 1, Some("greater(a, b)")),
        ("x = 1 == 2", Unexpected, "1:7", 1, Some("no comparisons")),
        ("x = 2 ** 3", Unexpected, "1:8", 1, Some("x^2")),
        ("x = 1)", UnexpectedCharacter, "1:6", 1, None),
        ("x = (1 + [2, 3)", Unexpected, "1:15", 1, Some("opened in line 1")),
        ("x = 1\ny = (x + [2, 3] \n z = 1", UnclosedBracket, "2:5", 1, None),
        ("x = ", Unexpected, "1:5", 1, None),
        ("x = 1 +\ny = 2", Unexpected, "1:8", 1, None),
        ("x = []", Unexpected, "1:6", 1, None),
        ("x y", Unexpected, "1:3", 1, None),
        ("x = 'same'", Unexpected, "1:1", 10, None),
        ("", EmptyProgram, "1:1", 1, Some("try: x = 3")),
        (" # nothing\n\n;;", EmptyProgram, "1:1", 1, Some("try")),
        ("y = x + 1\nx = 2", UsedBeforeDefined, "1:5", 1, Some("move line 2 above")),
        ("x = x + 1", UsedBeforeDefined, "1:5", 1, None),
        ("x = 1e39", NumberTooLarge, "1:5", 4, None),
        ("x = ones(1000000000, 1000000000)", TooLarge, "1:5", 28, None),
        ("x = ones(512, 512); y = x[:, :, 0]", BadShape, "1:25", 10, None),
        ("x = ones(600, 1); y = sum(x @ x.T)", TooLarge, "1:27", 7, None),
        ("x = ones(2, 3); y = x[2]", OutOfRange, "1:21", 4, Some("2 positions")),
        ("x = ones(2, 3); y = sum(x, axis=2)", BadValue, "1:21", 14, None),
        ("x = ones(2.5)", WholeNumber, "1:10", 3, None),
        ("x = ones(2, 0)", BadValue, "1:5", 10, None),
        ("n = 3; x = ones(n)", WholeNumber, "1:17", 1, None),
        ("z = ones(2, 3); loss = cross_entropy(z, [0, 3])", LabelOutOfRange, "1:41", 6, None),
        ("x = ones(1, 2, 2, 1); y = conv2d(x, ones(3, 3, 1, 1))", WindowTooLarge, "1:27", 27, None),
        ("x = ones(1, 2, 2, 1); y = max_pool2d(x, 2, padding='some')", Unexpected, "1:52", 6, None),
        ("learning_rate = [1, 2]", Unexpected, "1:1", 22, None),
        ("# 注释\n结果 = 未知", UnknownName, "2:6", 2, None),
    ];
    for (source, code, at, width, hint) in cases {
        let error = error(source);
        let caret = error.args["caret"].clone();
        assert_eq!((error.code, error.at.as_deref()), (*code, Some(*at)), "{source}\n{error}\n{caret}");
        assert_eq!(error.args["width"], width.to_string(), "{source}\n{caret}");
        assert_eq!(format!("{}:{}", error.args["line"], error.args["column"]), *at);
        assert!(!error.message.contains('{'), "{}", error.message);
        assert!(!caret.contains('{'), "{caret}");
        match hint {
            Some(hint) => assert!(caret.contains(hint) && error.args.contains_key("hint"), "{source}\n{caret}"),
            None => assert!(!error.args.contains_key("hint"), "{source}\n{caret}"),
        }
    }
    let mismatch = error("x = ones(2, 3)\nloss = sum(x @ x)");
    assert_eq!(
        mismatch.args["caret"],
        "2 | loss = sum(x @ x)\n  |            ^^^^^ x is [2, 3] and x is [2, 3]: the last extent on the left must be the last but one on the right"
    );
    assert_eq!((mismatch.args["left"].as_str(), mismatch.args["right"].as_str()), ("[2, 3]", "[2, 3]"));
}

#[test]
fn what_is_too_much_is_refused() {
    for nested in ["(", "[", "-", "2^", "sum(", "x[", "[[-", "(-"] {
        let source = format!("x = 1; y = {}1", nested.repeat(10_000 / nested.len()));
        let code = error(&source).code;
        assert!(matches!(code, ErrorCode::TooDeep | ErrorCode::UnclosedBracket), "{nested}: {code:?}");
    }
    let balanced = format!("y = {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(error(&balanced).code, ErrorCode::TooDeep);
    let deep = format!("x = 2; y = {}x{}", "(".repeat(50), ")".repeat(50));
    assert_eq!(report(&deep).nodes.len(), 1);
    assert_eq!(error(&"x = 1;".repeat(4_000)).code, ErrorCode::TooLarge);
    assert_eq!(error(&format!("x = 1; y = x{}", " + x".repeat(2_000))).code, ErrorCode::TooLarge);
    let long = format!("x = 1; y = x{}", " + x".repeat(900));
    close(&report(&long).nodes[0].gradient.clone().expect("y depends on x"), &[901.0]);
    let numbers = format!("x = [{}]; y = sum(x)", vec!["-1"; 5_000].join(","));
    close(&node(&report(&numbers), "y").value, &[-5000.0]);
    let heavy = "x = ones(512, 512); y = sum(x @ x @ x @ x @ x @ x @ x @ x @ x)";
    assert_eq!(error(heavy).code, ErrorCode::TooLarge);
}

const GOOD: &[&str] = &[
    "x = data([[0.5, 1]]); w = randn(2, 3)\nb = zeros(3)\nloss = mean((tanh(x @ w + b) - 0.5)^2)",
    "z = [[1, 2, 3]]; loss = cross_entropy(z[0:1, ::1], [2]) # comment",
    "x = ones(1, 4, 4, 1); loss = sum(max_pool2d(conv2d(x, eye(4).T[0:2, :], padding='same'), 2, strides=[1, 2]))",
    "a = -2^-3; b = [a, 1, a * 2]; c = concat(b, b, axis=0); var(c, axis=-1, keepdims=true)",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn random_text_never_panics(source in "\\PC{0,80}") {
        let _ = scratch::compile(&source, 1);
    }

    #[test]
    fn random_words_never_panic(words in proptest::collection::vec(proptest::sample::select(vec![
        "x", "y", "=", "(", ")", "[", "]", ",", ":", "+", "-", "*", "/", "^", "@", ".T", "1", "2", "0", "-1", "3e9", "sum", "reshape", "axis=", "\n", ";",
        "ones", "randn", "concat", "softmax", "cross_entropy", "conv2d", "data", "linspace", "eye", "transpose", "'same'", "keepdims=", "loss", " ",
    ]), 0..30)) {
        let _ = scratch::compile(&words.concat(), 1);
    }

    #[test]
    fn changed_programs_never_panic(which in 0..GOOD.len(), at in 0usize..200, gone in 0usize..8, new in "\\PC{0,6}") {
        let characters: Vec<char> = GOOD[which].chars().collect();
        let at = at % (characters.len() + 1);
        let rest = (at + gone).min(characters.len());
        let source: String = characters[..at].iter().copied().chain(new.chars()).chain(characters[rest..].iter().copied()).collect();
        if let Ok(program) = scratch::compile(&source, 1) {
            let _ = scratch::report(&program);
        }
    }
}
