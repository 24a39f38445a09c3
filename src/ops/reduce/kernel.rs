//! WGSL of reductions: a workgroup a result where there is much to add and threads work together, else a thread a result. The order of addition is fixed.

use super::{Reduce, Reduction};
use crate::ops::kernel::{KernelCx, Pass, Threads, WORKGROUP, ravel, spread, unravel};
use crate::tensor::Shape;

/// Above this many elements a result is a workgroup's work.
const SHARED_FROM: usize = 64;
/// So many results keep threads busy that work alone.
const ENOUGH: usize = 8;

pub(super) fn passes(op: &Reduce, cx: &KernelCx) -> Vec<Pass> {
    let shape = &cx.inputs[0].shape;
    let (results, count) = (cx.out.shape.numel(), op.count(shape));
    let source = source_function(op, shape);
    if count < SHARED_FROM || (cx.tuning.threads == Threads::Alone && results >= ENOUGH) {
        let code = serial(op.reduction, count);
        return vec![Pass::elementwise_with(results, &[0], &source, &code)];
    }
    let (grid, number) = spread(results);
    let body = format!(
        "{source}
var<workgroup> shared_: array<f32, {WORKGROUP}>;

fn combine(a: f32, b: f32) -> f32 {{ return {combine}; }}

fn total(lane: u32, own: f32) -> f32 {{
    shared_[lane] = own;
    workgroupBarrier();
    for (var width = {half}u; width > 0u; width >>= 1u) {{
        if (lane < width) {{ shared_[lane] = combine(shared_[lane], shared_[lane + width]); }}
        workgroupBarrier();
    }}
    let result = shared_[0];
    workgroupBarrier();
    return result;
}}

fn run(group: vec3u, lane: u32) {{
    let i = min({number}, {last}u);
    var own = {identity};
    for (var r = lane; r < {count}u; r += {WORKGROUP}u) {{ own = combine(own, source(i, r)); }}
    var result = total(lane, own);
    {finish}
    if (lane == 0u && {number} <= {last}u) {{ store(i, result); }}
}}
",
        half = WORKGROUP / 2,
        last = results - 1,
        combine = if op.reduction == Reduction::Max { "max(a, b)" } else { "a + b" },
        identity = identity(op.reduction),
        finish = match op.reduction {
            Reduction::Sum | Reduction::Max => String::new(),
            Reduction::Mean => format!("result /= {count}.0;"),
            Reduction::Variance => format!(
                "let mean = result / {count}.0;
    own = 0.0;
    for (var r = lane; r < {count}u; r += {WORKGROUP}u) {{ let d = source(i, r) - mean; own += d * d; }}
    result = total(lane, own) / {count}.0;"
            ),
        },
    );
    vec![Pass::new(body, vec![0], grid, WORKGROUP, 4 * WORKGROUP as usize)]
}

fn identity(reduction: Reduction) -> &'static str {
    if reduction == Reduction::Max { "-3.4028234e38" } else { "0.0" }
}

/// `source(i, r)`: the r-th element that makes result i.
fn source_function(op: &Reduce, shape: &Shape) -> String {
    let strides = shape.strides();
    let kept: Vec<usize> = (0..shape.rank()).filter(|axis| !op.axes.contains(axis)).collect();
    let part = |axes: &[usize], flat: &str, prefix: &str| {
        let extents: Shape = axes.iter().map(|&axis| shape[axis]).collect();
        let own: Vec<usize> = axes.iter().map(|&axis| strides[axis]).collect();
        (unravel(&extents, flat, prefix), ravel(&own, prefix))
    };
    let (kept_code, kept_index) = part(&kept, "i", "k");
    let (reduced_code, reduced_index) = part(&op.axes, "r", "r");
    format!("fn source(i: u32, r: u32) -> f32 {{\n{kept_code}{reduced_code}    return load0({kept_index} + {reduced_index});\n}}\n")
}

/// A thread's work. Long sums are made of the sums of parts, as many as one has elements, so that rounding errors do not add up.
fn serial(reduction: Reduction, count: usize) -> String {
    let part = count.isqrt().max(1);
    let fold = |name: &str, identity: &str, combined: &str| {
        format!(
            "var {name} = {identity};
    for (var first = 0u; first < {count}u; first += {part}u) {{
        var own = {identity};
        for (var r = first; r < min(first + {part}u, {count}u); r++) {{ let x = source(i, r); own = {}; }}
        {name} = {};
    }}
",
            combined.replace('A', "own").replace('B', "x"),
            if reduction == Reduction::Max { format!("max({name}, own)") } else { format!("{name} + own") },
        )
    };
    let combined = if reduction == Reduction::Max { "max(A, B)" } else { "A + B" };
    let result = fold("result", identity(reduction), combined);
    match reduction {
        Reduction::Sum | Reduction::Max => format!("{result} store(i, result);"),
        Reduction::Mean => format!("{result} store(i, result / {count}.0);"),
        Reduction::Variance => {
            let spread = fold("spread", "0.0", "A + (B - mean) * (B - mean)");
            format!("{result} let mean = result / {count}.0; {spread} store(i, spread / {count}.0);")
        }
    }
}
