//! Attention's WGSL. A workgroup has a few rows of a head and goes through the other side a tile at a time, each thread making one score of a tile: so
//! no score leaves the workgroup, and each sum has a fixed order. Forward, the largest score so far and the sum of powers follow along. Backward, the
//! pass of the queries and that of the keys are one text with the sides changed: d(own) = Σ slope · other. Where threads work alone, each has a row of its own.
//! The texts are fixed but for the constants in front.

use std::fmt::Write as _;

use crate::ops::kernel::{Dest, Pass, Threads, literal, spread};
use crate::simd::{AttentionShape, HIDDEN};

/// Floats of a workgroup's memory that every device has.
const MEMORY: usize = 4096;
/// Threads of a workgroup that work alone.
const ALONE: usize = 16;
/// Rows of a workgroup, and of a tile of the other side.
const TILES: [[usize; 2]; 4] = [[16, 16], [8, 16], [8, 8], [4, 8]];

/// A row as so many `vec4f`.
fn quads(cols: usize) -> usize {
    cols.div_ceil(4)
}

/// From a row to the next in workgroup memory: odd, so that neighbours lie in different banks.
fn stride(cols: usize) -> usize {
    quads(cols) | 1
}

/// The largest tile that fits a workgroup, backward as forward; none where heads are too wide.
pub(super) fn tile(s: &AttentionShape) -> Option<[usize; 2]> {
    TILES.into_iter().find(|&tile| floats(s, tile) <= MEMORY)
}

/// Floats of a workgroup's memory, backward: the most.
fn floats(s: &AttentionShape, [rows, lanes]: [usize; 2]) -> usize {
    4 * (rows + lanes) * (stride(s.dim) + stride(s.value_dim)) + 2 * rows * (lanes + 1)
}

/// A function that reads a row of an input as `vec4f`.
const READ: &str = "fn read#(row: u32, quad: u32) -> vec4f {
    let at = row * @ + quad * 4u;
    if (@ % 4u == 0u) { return vec4f(load#(at), load#(at + 1u), load#(at + 2u), load#(at + 3u)); }
    var all = vec4f();
    for (var k = 0u; k < min(4u, @ - quad * 4u); k++) { all[k] = load#(at + k); }
    return all;
}
";

/// What is added to a score where keys are hidden, and taken off again where all are.
const MASKED: &str = "fn hidden_(n: u32, j: u32) -> f32 { return select(0.0, HIDDEN, load#(n * S + j) == 0.0); }
fn top_(n: u32, i: u32) -> f32 {
    for (var j = 0u; j < select(S, min(i + 1u, S), CAUSAL); j++) { if (hidden_(n, j) == 0.0) { return 0.0; } }
    return HIDDEN;
}
";
const UNMASKED: &str = "fn hidden_(n: u32, j: u32) -> f32 { return 0.0; }
fn top_(n: u32, i: u32) -> f32 { return 0.0; }
";

/// A pass with `numbers` as constants in front: workgroups have rows of `heads` heads, `length` positions each. It reads `inputs`, of which some are rows of D
/// columns, some of E.
#[allow(clippy::too_many_arguments)]
fn pass(
    s: &AttentionShape,
    text: &str,
    heads: usize,
    length: usize,
    numbers: &[(&str, usize)],
    inputs: &[usize],
    mask: Option<usize>,
    threads: Threads,
) -> Option<Pass> {
    let ([rows, lanes], at_once) = match threads {
        Threads::Together => (tile(s)?, 1),
        Threads::Alone => ([1, ALONE], ALONE),
    };
    let tiles = length.div_ceil(rows);
    let groups = s.batch * heads * tiles;
    let (grid, number) = spread(groups.div_ceil(at_once));
    let (d, e) = (quads(s.dim), quads(s.value_dim));
    let mut body = format!(
        "const FIRST = {};\nconst CAUSAL = {};\nconst SCALE = {};\nconst HIDDEN = {};\n",
        s.heads_first,
        s.causal,
        literal(s.scale),
        literal(HIDDEN)
    );
    let common = [
        ("T", s.queries),
        ("S", s.keys),
        ("H", s.heads),
        ("G", s.groups),
        ("SHARE", s.heads / s.groups),
        ("D", s.dim),
        ("E", s.value_dim),
        ("QD", d),
        ("QE", e),
        ("DS", stride(s.dim)),
        ("ES", stride(s.value_dim)),
        ("ND", d.div_ceil(lanes)),
        ("NE", e.div_ceil(lanes)),
        ("ROWS", rows),
        ("LANES", lanes),
        ("ACROSS", lanes + 1),
        ("TILES", tiles),
        ("GROUPS", groups),
        ("ATTENDED", s.query_rows() * s.value_dim),
    ];
    for (name, value) in common.iter().chain(numbers) {
        let _ = writeln!(body, "const {name} = {value}u;");
    }
    body += include_str!("kernel.wgsl");
    for (input, cols) in [("0", "D"), ("1", "D"), ("2", "E"), ("4", "E")].into_iter().take(inputs.len().min(4)) {
        body += &READ.replace('#', input).replace('@', cols);
    }
    body += &mask.map_or(UNMASKED.to_owned(), |input| MASKED.replace('#', &input.to_string()));
    body += &text.replace("NUMBER", &format!("({number})"));
    let shared = match threads {
        Threads::Together => 4 * floats(s, [rows, lanes]),
        Threads::Alone => 0,
    };
    let inputs = inputs.iter().copied().chain(mask).collect();
    Some(Pass::new(body, inputs, grid, (rows * lanes) as u32, shared))
}

/// The pass of [`super::Attention`].
pub(super) fn forward(s: &AttentionShape, masked: bool, threads: Threads) -> Vec<Pass> {
    let text = match threads {
        Threads::Together => include_str!("forward.wgsl"),
        Threads::Alone => include_str!("forward_alone.wgsl"),
    };
    pass(s, text, s.heads, s.queries, &[], &[0, 1, 2], masked.then_some(3), threads).into_iter().collect()
}

/// The passes of [`super::AttentionGrad`]: for each query Σ dY Y − dl, then the gradient of the queries, then that of keys and values.
pub(super) fn backward(s: &AttentionShape, masked: bool, with_lse: bool, threads: Threads) -> Vec<Pass> {
    let (rows, cols, attended) = (s.query_rows(), s.value_dim, s.query_rows() * s.value_dim);
    let less = if with_lse { format!(" - load4({attended}u + i)") } else { String::new() };
    let level = format!(
        "var level = 0.0;
    for (var k = i * {cols}u; k < (i + 1u) * {cols}u; k++) {{ level += load4(k) * load3(k); }}
    temp0[i] = level{less};"
    );
    let mut levels = Pass::elementwise(rows, &[3, 4], &level);
    levels.dest = Dest::Temp(0, rows);
    [Some(levels), side(s, masked, false, threads), side(s, masked, true, threads)].into_iter().flatten().collect()
}

/// The pass of one side's gradient.
fn side(s: &AttentionShape, masked: bool, of_keys: bool, threads: Threads) -> Option<Pass> {
    let in_q = s.query_rows() * s.dim;
    let (heads, own, other, to_a) = if of_keys { (s.groups, s.keys, s.queries, in_q) } else { (s.heads, s.queries, s.keys, 0) };
    let sides = if of_keys { ["read1", "read2", "read0", "read4"] } else { ["read0", "read4", "read1", "read2"] };
    let text = match threads {
        Threads::Together => include_str!("backward.wgsl"),
        Threads::Alone => include_str!("backward_alone.wgsl"),
    };
    let mut text = format!("const KEYS = {of_keys};\n{}{text}", include_str!("sides.wgsl"));
    for (name, read) in ["OWN_A", "OWN_B", "OTHER_A", "OTHER_B"].into_iter().zip(sides) {
        text = text.replace(name, read);
    }
    let numbers = [("HEADS", heads), ("OWN", own), ("OTHER", other), ("TO_A", to_a), ("TO_B", in_q + s.key_rows() * s.dim)];
    let mut pass = pass(s, &text, heads, own, &numbers, &[0, 1, 2, 3, 4], masked.then_some(5), threads)?;
    pass.temps = vec![0];
    Some(pass)
}
