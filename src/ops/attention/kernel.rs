//! Attention's WGSL. A workgroup has a few rows of a head and goes through the other side a tile at a time, each thread making one score of a tile: so
//! no score leaves the workgroup, and each sum has a fixed order. Forward, the largest score so far and the sum of powers follow along. Backward, the
//! pass of the queries and that of the keys are one text with the sides changed: d(own) = Σ slope · other.

use crate::ops::kernel::{Dest, Pass, literal, spread};
use crate::simd::{AttentionShape, HIDDEN};

/// Floats of a workgroup's memory that every device has.
const MEMORY: usize = 4096;
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
    let floats = |[rows, lanes]: [usize; 2]| 4 * (rows + lanes) * (stride(s.dim) + stride(s.value_dim)) + 2 * rows * (lanes + 1);
    TILES.into_iter().find(|&tile| floats(tile) <= MEMORY)
}

/// WGSL functions for the row of a position, and to read and write rows as `vec4f`.
fn functions(s: &AttentionShape, loads: &[(&str, usize, usize)], stores: &[(&str, usize, usize)]) -> String {
    let mut code = String::new();
    for (name, heads, length) in [("query_", s.heads, s.queries), ("key_", s.groups, s.keys)] {
        let row = match s.heads_first {
            true => format!("(n * {heads}u + h) * {length}u + i"),
            false => format!("(n * {length}u + i) * {heads}u + h"),
        };
        code += &format!("fn {name}(n: u32, h: u32, i: u32) -> u32 {{ return {row}; }}\n");
    }
    for &(name, input, cols) in loads {
        let each = |k: usize| match cols.is_multiple_of(4) {
            true => format!("load{input}(at + {k}u)"),
            false => format!("{name}1(at + {k}u, row)"),
        };
        if !cols.is_multiple_of(4) {
            code += &format!(
                "fn {name}1(at: u32, row: u32) -> f32 {{ if (at >= (row + 1u) * {cols}u) {{ return 0.0; }} return load{input}(at); }}\n"
            );
        }
        code += &format!(
            "fn {name}(row: u32, quad: u32) -> vec4f {{ let at = row * {cols}u + quad * 4u; return vec4f({}, {}, {}, {}); }}\n",
            each(0),
            each(1),
            each(2),
            each(3)
        );
    }
    for &(name, first, cols) in stores {
        let each = |k: usize, of: char| match cols.is_multiple_of(4) || k == 0 {
            true => format!("store(at + {k}u, value.{of}); "),
            false => format!("if (quad * 4u + {k}u < {cols}u) {{ store(at + {k}u, value.{of}); }} "),
        };
        let all: String = "xyzw".chars().enumerate().map(|(k, of)| each(k, of)).collect();
        code += &format!("fn {name}(row: u32, quad: u32, value: vec4f) {{ let at = {first}u + row * {cols}u + quad * 4u; {all}}}\n");
    }
    code
}

/// WGSL that brings `count` rows to workgroup memory; `row` is that of row `at`.
fn stage(to: &str, count: usize, cols: usize, threads: usize, load: &str, row: &str) -> String {
    let (quads, stride) = (quads(cols), stride(cols));
    format!(
        "for (var x = lane; x < {}u; x += {threads}u) {{ let at = x / {quads}u; {to}[at * {stride}u + x % {quads}u] = {load}({row}, x % {quads}u); }}",
        count * quads
    )
}

/// A template once for each `vec4f` of a row of so many columns that a thread of `lanes` has: `#` is its number, `@` where it is in the row.
fn each_quad(cols: usize, lanes: usize, template: &str) -> String {
    let count = quads(cols).div_ceil(lanes);
    let at = |k: usize| format!("min(c + {}u, {}u)", k * lanes, quads(cols) - 1);
    (0..count).map(|k| template.replace('#', &k.to_string()).replace('@', &at(k))).collect()
}

/// WGSL that stores what a thread has of a row: `{name}#` by `store`.
fn put(cols: usize, lanes: usize, store: &str, name: &str, factor: &str) -> String {
    let count = quads(cols).div_ceil(lanes);
    let one = |k: usize| {
        let quad = format!("c + {}u", k * lanes);
        format!("    if ({quad} < {}u) {{ {store}(row, {quad}, {name}{k}{factor}); }}\n", quads(cols))
    };
    (0..count).map(one).collect()
}

/// WGSL of what is added to the score of query `i` and key `j` of example `n`, with a mask as input `input`; and the functions that it calls.
fn hiding(s: &AttentionShape, input: Option<usize>) -> (String, String) {
    let Some(input) = input else { return (String::new(), String::new()) };
    let (keys, seen, hidden) =
        (s.keys, if s.causal { format!("min(i + 1u, {}u)", s.keys) } else { format!("{}u", s.keys) }, literal(HIDDEN));
    let functions = format!(
        "fn hidden_(n: u32, j: u32) -> f32 {{ return select(0.0, {hidden}, load{input}(n * {keys}u + j) == 0.0); }}
fn top_(n: u32, i: u32) -> f32 {{
    for (var j = 0u; j < {seen}; j++) {{ if (hidden_(n, j) == 0.0) {{ return 0.0; }} }}
    return {hidden};
}}\n"
    );
    (" + hidden_(n, j) - top_(n, i)".into(), functions)
}

fn inputs(first: &[usize], mask: Option<usize>) -> Vec<usize> {
    first.iter().copied().chain(mask).collect()
}

/// The pass of [`super::Attention`].
pub(super) fn forward(s: &AttentionShape, masked: bool) -> Vec<Pass> {
    let Some([rows, lanes]) = tile(s) else { return Vec::new() };
    let mask = masked.then_some(3);
    let (hiding, hidden) = hiding(s, mask);
    let (threads, tiles, attended) = (rows * lanes, s.queries.div_ceil(rows), s.query_rows() * s.value_dim);
    let groups = s.batch * s.heads * tiles;
    let (grid, number) = spread(groups);
    let body = format!(
        "{functions}
var<workgroup> own: array<vec4f, {own_len}>;
var<workgroup> other: array<vec4f, {other_len}>;
var<workgroup> weights: array<f32, {weights_len}>;

@compute @workgroup_size({threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {{
    let number = min({number}, {last_group}u);
    let first = number % {tiles}u * {rows}u;
    let head = number / {tiles}u % {heads}u;
    let n = number / {per_example}u;
    let r = lane / {lanes}u;
    let c = lane % {lanes}u;
    let i = first + r;
    let end = {end};
    var most = -3.4028234e38;
    var total = 0.0;
{accumulators}    {stage_own}
    for (var start = 0u; start < end; start += {lanes}u) {{
        workgroupBarrier();
        {stage_keys}
        workgroupBarrier();
        let j = start + c;
        var score = -3.4028234e38;
        if ({seen}) {{
            score = 0.0;
            for (var k = 0u; k < {quads}u; k++) {{ score += dot(own[r * {own_stride}u + k], other[c * {own_stride}u + k]); }}
            score = score * {scale}{hiding};
        }}
        weights[r * {across}u + c] = score;
        workgroupBarrier();
        {stage_values}
        var peak = most;
        for (var x = 0u; x < {lanes}u; x++) {{ peak = max(peak, weights[r * {across}u + x]); }}
        workgroupBarrier();
        weights[r * {across}u + c] = exp(score - peak);
        workgroupBarrier();
        let shrink = exp(most - peak);
        most = peak;
        total *= shrink;
{shrinks}        for (var x = 0u; x < {lanes}u; x++) {{
            let weight = weights[r * {across}u + x];
            total += weight;
{adds}        }}
    }}
    if ({number} > {last_group}u || i >= {queries}u) {{ return; }}
    let row = query_(n, head, i);
{puts}    if (c == 0u) {{ store({attended}u + row, most + log(total)); }}
}}
",
        functions =
            hidden + &functions(s, &[("own_", 0, s.dim), ("keys_", 1, s.dim), ("values_", 2, s.value_dim)], &[("put_", 0, s.value_dim)]),
        own_len = rows * stride(s.dim),
        other_len = lanes * stride(s.dim).max(stride(s.value_dim)),
        weights_len = rows * (lanes + 1),
        last_group = groups - 1,
        heads = s.heads,
        per_example = s.heads * tiles,
        end = if s.causal { format!("min(first + {rows}u, {}u)", s.keys) } else { format!("{}u", s.keys) },
        accumulators = each_quad(s.value_dim, lanes, "    var y# = vec4f();\n"),
        stage_own = stage("own", rows, s.dim, threads, "own_", &format!("query_(n, head, min(first + at, {}u))", s.queries - 1)),
        stage_keys = stage("other", lanes, s.dim, threads, "keys_", &key_row(s, "start + at")),
        stage_values = stage("other", lanes, s.value_dim, threads, "values_", &key_row(s, "start + at")),
        seen = if s.causal { format!("j < {}u && j <= i", s.keys) } else { format!("j < {}u", s.keys) },
        quads = quads(s.dim),
        own_stride = stride(s.dim),
        scale = literal(s.scale),
        across = lanes + 1,
        shrinks = each_quad(s.value_dim, lanes, "        y# *= shrink;\n"),
        adds = each_quad(s.value_dim, lanes, &format!("            y# += weight * other[x * {}u + @];\n", stride(s.value_dim))),
        queries = s.queries,
        puts = put(s.value_dim, lanes, "put_", "y", " / total"),
    );
    vec![Pass { body, inputs: inputs(&[0, 1, 2], mask), temps: Vec::new(), dest: Dest::Out, grid }]
}

/// WGSL of the row of a key that head `head` looks at, at a position or at the last one.
fn key_row(s: &AttentionShape, position: &str) -> String {
    format!("key_(n, head / {}u, min({position}, {}u))", s.heads / s.groups, s.keys - 1)
}

/// The passes of [`super::AttentionGrad`]: for each query Σ dY Y − dl, then the gradient of the queries, then that of keys and values.
pub(super) fn backward(s: &AttentionShape, masked: bool, with_lse: bool) -> Vec<Pass> {
    let (rows, cols, attended) = (s.query_rows(), s.value_dim, s.query_rows() * s.value_dim);
    let less = if with_lse { format!(" - load4({attended}u + i)") } else { String::new() };
    let level = format!(
        "var level = 0.0;
    for (var k = i * {cols}u; k < (i + 1u) * {cols}u; k++) {{ level += load4(k) * load3(k); }}
    temp0[i] = level{less};"
    );
    let mut levels = Pass::elementwise(rows, &[3, 4], &level);
    levels.dest = Dest::Temp(0, rows);
    [Some(levels), side(s, masked, false), side(s, masked, true)].into_iter().flatten().collect()
}

/// The pass of one side's gradient.
fn side(s: &AttentionShape, masked: bool, of_keys: bool) -> Option<Pass> {
    let [rows, lanes] = tile(s)?;
    let mask = masked.then_some(5);
    let (hiding, hidden) = hiding(s, mask);
    let (own_length, own_heads, other_length) = if of_keys { (s.keys, s.groups, s.queries) } else { (s.queries, s.heads, s.keys) };
    let (threads, tiles, shared) = (rows * lanes, own_length.div_ceil(rows), s.heads / s.groups);
    let groups = s.batch * own_heads * tiles;
    let (grid, number) = spread(groups);
    let query = |head: &str, position: &str| format!("query_(n, {head}, min({position}, {}u))", s.queries - 1);
    let (own_row, other_row) = match of_keys {
        true => (format!("key_(n, h, min(first + at, {}u))", s.keys - 1), query("head", "start + at")),
        false => (query("h", "first + at"), key_row(s, "start + at")),
    };
    let [own_a, own_b, other_a, other_b] = match of_keys {
        true => ["keys_", "values_", "queries_", "dy_"],
        false => ["queries_", "dy_", "keys_", "values_"],
    };
    let in_q = s.query_rows() * s.dim;
    let stores = match of_keys {
        true => vec![("put_a", in_q, s.dim), ("put_b", in_q + s.key_rows() * s.dim, s.value_dim)],
        false => vec![("put_a", 0, s.dim)],
    };
    let loads = [("queries_", 0, s.dim), ("keys_", 1, s.dim), ("values_", 2, s.value_dim), ("dy_", 4, s.value_dim)];
    let with_values = |code: String| if of_keys { code } else { String::new() };
    let (start, end) = match (of_keys, s.causal) {
        (_, false) => ("0u".to_owned(), format!("{other_length}u")),
        (false, true) => ("0u".to_owned(), format!("min(first + {rows}u, {other_length}u)")),
        (true, true) => (format!("first / {lanes}u * {lanes}u"), format!("{other_length}u")),
    };
    let body = format!(
        "{functions}
var<workgroup> own_a: array<vec4f, {own_a_len}>;
var<workgroup> own_b: array<vec4f, {own_b_len}>;
var<workgroup> other_a: array<vec4f, {other_a_len}>;
var<workgroup> other_b: array<vec4f, {other_b_len}>;
var<workgroup> slopes: array<f32, {slopes_len}>;
{weights}
@compute @workgroup_size({threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {{
    let number = min({number}, {last_group}u);
    let first = number % {tiles}u * {rows}u;
    let h = number / {tiles}u % {own_heads}u;
    let n = number / {per_example}u;
    let r = lane / {lanes}u;
    let c = lane % {lanes}u;
{accumulators}    {stage_own_a}
    {stage_own_b}
    for (var head = {first_head}; head < {end_head}; head++) {{
        for (var start = {start}; start < {end}; start += {lanes}u) {{
            workgroupBarrier();
            {stage_other_a}
            {stage_other_b}
            workgroupBarrier();
            let i = {i};
            let j = {j};
            var weight = 0.0;
            var slope = 0.0;
            if (i < {queries}u && j < {keys}u{seen}) {{
                var score = 0.0;
                for (var k = 0u; k < {quads_a}u; k++) {{ score += dot(own_a[r * {stride_a}u + k], other_a[c * {stride_a}u + k]); }}
                for (var k = 0u; k < {quads_b}u; k++) {{ slope += dot(own_b[r * {stride_b}u + k], other_b[c * {stride_b}u + k]); }}
                let row = query_(n, head, i);
                weight = exp(score * {scale}{hiding} - load3({attended}u + row));
                slope = weight * (slope - temp0[row]) * {scale};
            }}
            slopes[r * {across}u + c] = slope;
            {keep_weight}
            workgroupBarrier();
            for (var x = 0u; x < {lanes}u; x++) {{
                let slope = slopes[r * {across}u + x];
{adds}            }}
        }}
    }}
    if ({number} > {last_group}u || first + r >= {own_length}u) {{ return; }}
    let row = {row}(n, h, first + r);
{puts}}}
",
        functions = hidden + &functions(s, &loads, &stores),
        own_a_len = rows * stride(s.dim),
        own_b_len = rows * stride(s.value_dim),
        other_a_len = lanes * stride(s.dim),
        other_b_len = lanes * stride(s.value_dim),
        slopes_len = rows * (lanes + 1),
        weights = with_values(format!("var<workgroup> weights: array<f32, {}>;", rows * (lanes + 1))),
        last_group = groups - 1,
        per_example = own_heads * tiles,
        accumulators =
            each_quad(s.dim, lanes, "    var a# = vec4f();\n") + &with_values(each_quad(s.value_dim, lanes, "    var b# = vec4f();\n")),
        first_head = if of_keys { format!("h * {shared}u") } else { "h".to_owned() },
        end_head = if of_keys { format!("(h + 1u) * {shared}u") } else { "h + 1u".to_owned() },
        stage_own_a = stage("own_a", rows, s.dim, threads, own_a, &own_row),
        stage_own_b = stage("own_b", rows, s.value_dim, threads, own_b, &own_row),
        stage_other_a = stage("other_a", lanes, s.dim, threads, other_a, &other_row),
        stage_other_b = stage("other_b", lanes, s.value_dim, threads, other_b, &other_row),
        i = if of_keys { "start + c" } else { "first + r" },
        j = if of_keys { "first + r" } else { "start + c" },
        queries = s.queries,
        keys = s.keys,
        seen = if s.causal { " && j <= i" } else { "" },
        quads_a = quads(s.dim),
        stride_a = stride(s.dim),
        quads_b = quads(s.value_dim),
        stride_b = stride(s.value_dim),
        scale = literal(s.scale),
        attended = s.query_rows() * s.value_dim,
        across = lanes + 1,
        keep_weight = with_values(format!("weights[r * {}u + c] = weight;", lanes + 1)),
        adds = each_quad(s.dim, lanes, &format!("                a# += slope * other_a[x * {}u + @];\n", stride(s.dim)))
            + &with_values(
                format!("                let weight = weights[r * {}u + x];\n", lanes + 1)
                    + &each_quad(
                        s.value_dim,
                        lanes,
                        &format!("                b# += weight * other_b[x * {}u + @];\n", stride(s.value_dim))
                    )
            ),
        row = if of_keys { "key_" } else { "query_" },
        puts = put(s.dim, lanes, "put_a", "a", "") + &with_values(put(s.value_dim, lanes, "put_b", "b", "")),
    );
    Some(Pass { body, inputs: inputs(&[0, 1, 2, 3, 4], mask), temps: vec![0], dest: Dest::Out, grid })
}
