//! WGSL that works row by row: some folds over the elements of a row, each of which may use the results of those before it, and then a
//! statement for the row or for each of its elements. A thread a row where rows are short or threads work alone, else a workgroup a row. The order of addition
//! is fixed.

use std::fmt::Write as _;

use super::kernel::{Pass, Threads, WORKGROUP, spread};

/// Rows of that length or more are a workgroup's work.
const SHARED_FROM: usize = 48;

/// How a fold combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// By addition.
    Sum,
    /// By the larger.
    Max,
    /// Not at all: the term is the same for the whole row, and does not name `r`.
    Once,
}

/// One number made from all elements of a row.
pub struct Fold {
    /// The variable that holds it.
    pub name: &'static str,
    /// How.
    pub combine: Combine,
    /// WGSL expression of `i`, the row, `r`, the position in it, and the names of earlier folds.
    pub term: String,
}

impl Fold {
    /// A sum.
    pub fn sum(name: &'static str, term: impl Into<String>) -> Self {
        Self { name, combine: Combine::Sum, term: term.into() }
    }

    /// A maximum.
    pub fn max(name: &'static str, term: impl Into<String>) -> Self {
        Self { name, combine: Combine::Max, term: term.into() }
    }

    /// A number made from earlier ones.
    pub fn of(name: &'static str, term: impl Into<String>) -> Self {
        Self { name, combine: Combine::Once, term: term.into() }
    }

    fn identity(&self) -> &'static str {
        match self.combine {
            Combine::Sum | Combine::Once => "0.0",
            Combine::Max => "-3.4028234e38",
        }
    }

    fn combined(&self, a: &str, b: &str) -> String {
        match self.combine {
            Combine::Sum => format!("{a} + {b}"),
            Combine::Max => format!("max({a}, {b})"),
            Combine::Once => b.to_owned(),
        }
    }
}

/// The work on all rows.
pub struct Rows {
    /// Number of rows.
    pub count: usize,
    /// Elements of a row.
    pub length: usize,
    /// Inputs that are loaded.
    pub inputs: Vec<usize>,
    /// Functions that the expressions call.
    pub prelude: String,
    /// In order.
    pub folds: Vec<Fold>,
    /// Statements for each element, of `i`, `r` and the folds' names.
    pub each: Option<String>,
    /// Statements for the row, of `i` and the folds' names.
    pub once: Option<String>,
}

impl Rows {
    /// The pass.
    pub fn pass(self, threads: Threads) -> Pass {
        if self.length < SHARED_FROM || threads == Threads::Alone { self.serial() } else { self.shared() }
    }

    fn serial(self) -> Pass {
        let length = self.length;
        let mut code = String::new();
        for fold in &self.folds {
            let (name, next) = (fold.name, fold.combined(fold.name, &fold.term));
            if fold.combine == Combine::Once {
                let _ = writeln!(code, "let {name} = {next};");
                continue;
            }
            let _ = writeln!(code, "var {name} = {}; for (var r = 0u; r < {length}u; r++) {{ {name} = {next}; }}", fold.identity());
        }
        if let Some(each) = &self.each {
            let _ = writeln!(code, "for (var r = 0u; r < {length}u; r++) {{ {each} }}");
        }
        code += self.once.as_deref().unwrap_or_default();
        Pass::elementwise_with(self.count, &self.inputs, &self.prelude, &code)
    }

    fn shared(self) -> Pass {
        let length = self.length;
        let lanes = length.next_power_of_two().min(WORKGROUP as usize);
        let (grid, number) = spread(self.count);
        let mut body = format!("{}\nvar<workgroup> shared_: array<f32, {lanes}>;\n", self.prelude);
        for combine in [Combine::Sum, Combine::Max] {
            if let Some(fold) = self.folds.iter().find(|fold| fold.combine == combine) {
                body += &reduction(fold, lanes);
            }
        }
        let last = self.count.max(1) - 1;
        let _ = write!(
            body,
            "
fn run(group: vec3u, lane: u32) {{
    let i = min({number}, {last}u);
"
        );
        let walk = format!("for (var r = lane; r < {length}u; r += {lanes}u)");
        for fold in &self.folds {
            let (name, next) = (fold.name, fold.combined("own", &fold.term));
            if fold.combine == Combine::Once {
                let _ = writeln!(body, "    let {name} = {};", fold.term);
                continue;
            }
            let (all, identity) = (function(fold.combine), fold.identity());
            let _ = writeln!(
                body,
                "    var {name} = {identity};\n    {{ var own = {identity}; {walk} {{ own = {next}; }} {name} = {all}(lane, own); }}"
            );
        }
        let _ = writeln!(body, "    if ({number} > {last}u) {{ return; }}");
        if let Some(each) = &self.each {
            let _ = writeln!(body, "    {walk} {{ {each} }}");
        }
        if let Some(once) = &self.once {
            let _ = writeln!(body, "    if (lane == 0u) {{ {once} }}");
        }
        body += "}\n";
        Pass::new(body, self.inputs, grid, lanes as u32, 4 * lanes)
    }
}

fn function(combine: Combine) -> &'static str {
    match combine {
        Combine::Sum | Combine::Once => "sum_of_lanes",
        Combine::Max => "max_of_lanes",
    }
}

/// The function that combines the workgroup's numbers, the same for every lane.
fn reduction(fold: &Fold, lanes: usize) -> String {
    format!(
        "
fn {name}(lane: u32, own: f32) -> f32 {{
    shared_[lane] = own;
    workgroupBarrier();
    for (var width = {half}u; width > 0u; width >>= 1u) {{
        if (lane < width) {{ shared_[lane] = {combined}; }}
        workgroupBarrier();
    }}
    let result = shared_[0];
    workgroupBarrier();
    return result;
}}
",
        name = function(fold.combine),
        half = lanes / 2,
        combined = fold.combined("shared_[lane]", "shared_[lane + width]"),
    )
}
