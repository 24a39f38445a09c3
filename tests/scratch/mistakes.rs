//! Mistakes: each has its place and perhaps a hint, and nothing panics.

use gradscope::error::ErrorCode;
use gradscope::scratch;
use proptest::prelude::*;

use super::{close, error, node, report};

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
        ("x = [1,2]; y = where(x, 2)", WrongArguments, "1:16", 11, Some("write where(a, b, c)")),
        ("x = ones(2, 3); y = where(x, ones(2), 0)", ShapeMismatch, "1:21", 20, None),
        ("x = ones(2, 3); y = cumsum(x, axis=2)", BadValue, "1:21", 17, None),
        ("x = ones(2, 3); y = top_k(x, 4)", BadShape, "1:21", 11, None),
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
