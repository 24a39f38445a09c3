//! The product by threads that work alone: each makes a tile of C in registers and loads by itself what it needs.

use super::tile::Gemm;
use crate::ops::kernel::{Dest, Pass, spread};

/// Most rows of a thread's tile.
const ROWS: usize = 8;
/// Most columns of a thread's tile, in vectors of four.
const QUADS: usize = 2;
/// Least terms of a part when k is split.
const LEAST_PART: usize = 256;
/// Terms that are summed by themselves before they join the total, so that rounding errors stay small.
const BLOCK: usize = 256;

/// As many tiles as `count` needs of at most `most`, and the extent that makes them alike.
fn even(count: usize, most: usize) -> (usize, usize) {
    let tiles = count.div_ceil(most).max(1);
    (tiles, count.div_ceil(tiles).max(1))
}

/// The pass that makes the products, or the partial sums of all parts of k one behind the other; and how many parts there are. Workgroups have `size`
/// threads, and k is split until there are `enough` of these.
pub(super) fn product(gemm: &Gemm, size: usize, enough: usize) -> (Pass, usize) {
    let Gemm { batch, m, n, k, .. } = *gemm;
    let ((row_tiles, rows), (col_tiles, quads)) = (even(m, ROWS), even(n.div_ceil(4), QUADS));
    let tiles = batch * row_tiles * col_tiles;
    let parts = (enough / tiles.max(1)).min(k / LEAST_PART).max(1);
    let depth = k.div_ceil(parts).max(1);
    let parts = k.div_ceil(depth).max(1);
    let (grid, group) = spread((tiles * parts).div_ceil(size));
    let each_row = |template: &str| -> String { (0..rows).map(|r| template.replace('#', &r.to_string())).collect() };
    let each_quad = |template: &str| -> String { (0..quads).map(|q| template.replace('$', &q.to_string())).collect() };
    let column =
        |offset: &str| if n.is_multiple_of(4 * quads) { format!("col + {offset}") } else { format!("min(col + {offset}, {}u)", n - 1) };
    let loads: String = (0..quads)
        .map(|q| {
            let lanes: Vec<String> = (0..4).map(|lane| format!("b_(batch, k, {})", column(&format!("{}u", 4 * q + lane)))).collect();
            format!("            let b{q} = vec4f({});\n", lanes.join(", "))
        })
        .collect();
    let (run, stride) = gemm.run;
    let blocks = depth > 2 * BLOCK;
    let totals = if blocks { each_row(&each_quad("    var t#_$ = vec4f();\n")) + "    var joined = first;\n" } else { String::new() };
    let (sources, load) = match gemm.inside {
        None => ("        let i# = position_(at#, step);\n", "load0(i# + along)"),
        Some(_) => {
            ("        let i# = position_(at#, step);\n        let there# = inside_(at#, step);\n", "select(0.0, load0(i# + along), there#)")
        }
    };
    let body = format!(
        "{functions}
fn b_(batch: u32, k: u32, col: u32) -> f32 {{ return {load_b}; }}

fn run(group: vec3u, lane: u32) {{
    let number = ({group}) * {size}u + lane;
    if (number >= {threads}u) {{ return; }}
    let part = number % {parts}u;
    let top = number / {parts}u % {row_tiles}u * {rows}u;
    let col = number / {by_col}u % {col_tiles}u * {cols}u;
    let batch = number / {by_batch}u;
    let first = part * {depth}u;
    let end = min(first + {depth}u, {k}u);
{places}{accumulators}    var begin = first;
    while (begin < end) {{
        let step = step_(begin);
{sources}        let stop = min(min(end, begin + {BLOCK}u), begin + {run}u - begin % {run}u);
        for (var k = begin; k < stop; k++) {{
            let along = (k - begin) * {stride}u;
{loads}{multiply}        }}
        begin = stop;
{joined}    }}
{stores}}}
",
        functions = gemm.functions(parts),
        load_b = gemm.load_b,
        threads = tiles * parts,
        by_col = parts * row_tiles,
        cols = 4 * quads,
        by_batch = parts * row_tiles * col_tiles,
        places = each_row(&format!("    let at# = place_(batch, min(top + #u, {}u));\n", m - 1)),
        accumulators = each_row(&each_quad("    var c#_$ = vec4f();\n")) + &totals,
        sources = each_row(sources),
        run = run.max(1),
        multiply = each_row(&format!("            let a# = {load};\n{}", each_quad("            c#_$ += a# * b$;\n"))),
        joined = if blocks {
            format!(
                "        if (begin - joined >= {BLOCK}u || begin == end) {{ joined = begin;\n{}        }}\n",
                each_row(&each_quad("            t#_$ += c#_$; c#_$ = vec4f();\n"))
            )
        } else {
            String::new()
        },
        stores = each_row(&each_quad("    write4_(part, batch, top + #u, col + 4u * $u, RESULT#_$);\n"))
            .replace("RESULT", if blocks { "t" } else { "c" }),
    );
    let dest = if parts == 1 { Dest::Out } else { Dest::Temp(0, parts * batch * m * n) };
    (Pass { dest, ..Pass::new(body, gemm.inputs.clone(), grid, size as u32, 0) }, parts)
}
