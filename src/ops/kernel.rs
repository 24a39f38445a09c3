//! What an op's WGSL generator gets and gives.
//!
//! A pass is a WGSL text without bindings: the backend declares them. The text reads element `i` of input `k` by `load{k}(i)` and of the
//! pass's temporary `t` by `temp{t}[i]`, and writes a result by `store(i, value)` (the backend appends whatever was fused behind it) or
//! `temp{t}[i] = value`. Every index and extent is an `u32` constant in the text, so that bounds are provable. Its entry is
//! `fn run(group: vec3u, lane: u32)`: the workgroup's id, and the thread's number in it. `random(stream, i)` gives the random number in [0, 1) of an index at the present seed and
//! step; `step_data` are the step's numbers, its seed first. A value is stored exactly once.

use std::fmt::{self, Write as _};

use crate::tensor::{Meta, Shape};

/// Threads of a workgroup in elementwise kernels.
pub const WORKGROUP: u32 = 256;
/// Most workgroups along one axis of a dispatch (WebGPU's `maxComputeWorkgroupsPerDimension`).
pub const MAX_GRID: u32 = 65_535;

/// How the threads of a device work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// A workgroup shares what it loads and what it has added up: for GPUs.
    Together,
    /// Each on its own: for programs on the CPU in a GPU's place (SwiftShader, llvmpipe), where barriers and workgroup memory are dear.
    Alone,
}

/// How products of matrices, and convolutions, are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    /// Tiles in workgroup memory, as large ones as leave enough of them.
    Shared {
        /// Workgroups that keep the device busy.
        enough: usize,
    },
    /// Tiles in the registers of threads that load for themselves.
    Registers {
        /// Threads of a workgroup.
        size: usize,
        /// Threads that keep the device busy.
        enough: usize,
    },
}

impl Products {
    /// What suits most GPUs.
    const ON_GPU: Self = Self::Shared { enough: 64 };
    /// What suits programs on the CPU: few threads in a workgroup, since small products have few.
    const ON_CPU: Self = Self::Registers { size: 16, enough: 128 };

    /// The family from which a device gets what suits it.
    pub const FAMILY: [Self; 5] =
        [Self::ON_GPU, Self::Shared { enough: 16 }, Self::Shared { enough: 256 }, Self::ON_CPU, Self::Registers { size: 64, enough: 4096 }];

    /// The member of the family with that name, as [`Display`](fmt::Display) writes it.
    pub fn named(name: &str) -> Option<Self> {
        Self::FAMILY.into_iter().find(|products| products.to_string() == name)
    }
}

impl fmt::Display for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared { enough } => write!(f, "shared-{enough}"),
            Self::Registers { size, enough } => write!(f, "registers-{size}-{enough}"),
        }
    }
}

/// What suits a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How its threads work.
    pub threads: Threads,
    /// How its products are made.
    pub products: Products,
}

impl From<Threads> for Tuning {
    /// What suits most devices of that kind.
    fn from(threads: Threads) -> Self {
        let products = match threads {
            Threads::Together => Products::ON_GPU,
            Threads::Alone => Products::ON_CPU,
        };
        Self { threads, products }
    }
}

/// What a generator may use.
pub struct KernelCx<'a> {
    /// Inputs.
    pub inputs: &'a [&'a Meta],
    /// Result.
    pub out: &'a Meta,
    /// What suits the device.
    pub tuning: Tuning,
}

/// Where a pass writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dest {
    /// The node's value, through `store`.
    Out,
    /// Temporary number `t`, of that many elements.
    Temp(usize, usize),
}

/// One dispatch.
#[derive(Clone, Debug)]
pub struct Pass {
    /// WGSL without bindings.
    pub body: String,
    /// Inputs that it loads.
    pub inputs: Vec<usize>,
    /// Temporaries that it reads.
    pub temps: Vec<usize>,
    /// Where it writes.
    pub dest: Dest,
    /// Workgroups.
    pub grid: [u32; 3],
    /// Threads of a workgroup.
    pub threads: u32,
    /// Bytes of a workgroup's memory.
    pub shared: usize,
}

impl Pass {
    /// A pass that writes the result.
    pub fn new(body: String, inputs: Vec<usize>, grid: [u32; 3], threads: u32, shared: usize) -> Self {
        Self { body, inputs, temps: Vec::new(), dest: Dest::Out, grid, threads, shared }
    }

    /// A pass in which thread `i` computes element `i` of the result: `code` may use `i` and ends by calling `store`.
    pub fn elementwise(count: usize, inputs: &[usize], code: &str) -> Self {
        Self::elementwise_with(count, inputs, "", code)
    }

    /// The same with functions or constants in front.
    pub fn elementwise_with(count: usize, inputs: &[usize], prelude: &str, code: &str) -> Self {
        let (grid, position) = spread(count.div_ceil(WORKGROUP as usize));
        let body = format!(
            "{prelude}
fn run(group: vec3u, lane: u32) {{
    let i = ({position}) * {WORKGROUP}u + lane;
    if (i >= {count}u) {{ return; }}
    {code}
}}
"
        );
        Self::new(body, inputs.to_vec(), grid, WORKGROUP, 0)
    }
}

/// A grid for that many workgroups, and the WGSL expression of a workgroup's number in it, with `group` the workgroup id. Numbers beyond
/// the last may occur: guard them.
pub fn spread(groups: usize) -> ([u32; 3], String) {
    let groups = groups.max(1) as u32;
    if groups <= MAX_GRID {
        return ([groups, 1, 1], "group.x".into());
    }
    let rows = groups.div_ceil(MAX_GRID);
    let columns = groups.div_ceil(rows);
    ([columns, rows, 1], format!("group.y * {columns}u + group.x"))
}

/// WGSL that declares `{prefix}0`, `{prefix}1`, ...: the coordinates of the flat position `flat` in `shape`.
pub fn unravel(shape: &Shape, flat: &str, prefix: &str) -> String {
    let mut code = String::new();
    for (axis, (&extent, stride)) in shape.iter().zip(shape.strides()).enumerate() {
        let quotient = if stride == 1 { flat.to_owned() } else { format!("({flat}) / {stride}u") };
        let value = match (axis, extent) {
            (_, 1) => "0u".to_owned(),
            (0, _) => quotient,
            (_, extent) => format!("({quotient}) % {extent}u"),
        };
        let _ = writeln!(code, "    let {prefix}{axis} = {value};");
    }
    code
}

/// WGSL expression of a flat position: the coordinates `{prefix}0`, ... times `strides`, without those that do not count.
pub fn ravel(strides: &[usize], prefix: &str) -> String {
    let terms: Vec<String> = strides
        .iter()
        .enumerate()
        .filter(|&(_, &stride)| stride != 0)
        .map(|(axis, &stride)| if stride == 1 { format!("{prefix}{axis}") } else { format!("{prefix}{axis} * {stride}u") })
        .collect();
    if terms.is_empty() { "0u".to_owned() } else { terms.join(" + ") }
}

/// WGSL expression of the flat position in `operand` that broadcasting reads for position `flat` of `out`.
pub fn broadcast_index(operand: &Shape, out: &Shape, flat: &str) -> String {
    if operand.numel() == 1 {
        return "0u".into();
    }
    if operand == out {
        return flat.into();
    }
    // A suffix of the output (a bias) needs one remainder only.
    let trimmed: Vec<usize> = operand.iter().copied().skip_while(|&extent| extent == 1).collect();
    if out.ends_with(&trimmed) {
        return format!("({flat}) % {}u", operand.numel());
    }
    let strides = operand.broadcast_strides(out);
    let terms: Vec<String> = out
        .iter()
        .zip(out.strides())
        .zip(strides)
        .filter(|&((&extent, _), stride)| stride != 0 && extent != 1)
        .map(|((extent, step), stride)| format!("(({flat}) / {step}u) % {extent}u * {stride}u"))
        .collect();
    terms.join(" + ")
}

/// A float as a WGSL literal; infinities and NaN, which WGSL cannot write, are made at run time.
pub fn literal(value: f32) -> String {
    if value.is_finite() { format!("{value:?}f") } else { format!("bitcast<f32>({}u + (step_data[0] & 0u))", value.to_bits()) }
}
