//! What programs mean: operators, lists, functions, random numbers, variables, the loss.

use gradscope::scratch;

use super::{close, node, report};

fn value(source: &str, expected: &[f64], shape: &[usize]) {
    let report = report(&format!("{source}\nloss = sum(a)"));
    let a = node(&report, "a");
    assert_eq!(a.shape, shape, "{source}");
    close(&a.value, expected);
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
    over("where(greater(x, 0), x, [[10], [20]])", &[1.0, 10.0, 3.0, 4.0, 5.0, 20.0], &[2, 3]);
    over("cumsum(x)", &[1.0, -2.0, 3.0, 5.0, 3.0, -3.0], &[2, 3]);
    over("cumsum(x, axis=-1, reverse=true)", &[2.0, 1.0, 3.0, 3.0, -1.0, -6.0], &[2, 3]);
    over("top_k(x, 2)", &[1.0, 0.0, 1.0, 1.0, 1.0, 0.0], &[2, 3]);
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
