//! Every WGSL kernel of every sample, parsed and validated by naga, with the plainest bindings that the conventions of `ops::kernel` allow.

use std::fmt::Write as _;

use gradscope::graph::Operation;
use gradscope::ops::kernel::{Dest, MAX_GRID, Products, Threads, Tuning};
use gradscope::ops::{KernelCx, Op, Pass, Sample};
use gradscope::tensor::Meta;
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// A whole module: the pass with its bindings in front.
fn assemble(pass: &Pass) -> String {
    let mut code = String::from("@group(0) @binding(0) var<storage, read> step_data: array<u32>;\n");
    let mut binding = 1;
    let mut declare = |name: &str, access: &str, code: &mut String| {
        let _ = writeln!(code, "@group(0) @binding({binding}) var<storage, {access}> {name}: array<f32>;");
        binding += 1;
    };
    for k in &pass.inputs {
        declare(&format!("input{k}"), "read", &mut code);
        let _ = writeln!(code, "fn load{k}(i: u32) -> f32 {{ return input{k}[i]; }}");
    }
    for t in &pass.temps {
        declare(&format!("temp{t}"), "read", &mut code);
    }
    match pass.dest {
        Dest::Out => {
            declare("out_", "read_write", &mut code);
            code += "fn store(i: u32, value: f32) { out_[i] = value; }\n";
        }
        Dest::Temp(t, _) => declare(&format!("temp{t}"), "read_write", &mut code),
    }
    if pass.body.contains("random(") {
        code += "fn random(stream: u32, i: u32) -> f32 { return f32((step_data[0] ^ stream ^ i) >> 8u) / 16777216.0; }\n";
    }
    code + &pass.body
}

/// The passes of a sample, for GPUs and for CPUs in their place.
fn passes(sample: &Sample) -> Vec<Pass> {
    let metas = sample.metas();
    let metas: Vec<&Meta> = metas.iter().collect();
    let out = sample.op.infer(&metas).expect("samples have shapes that fit");
    let alone = Tuning::from(Threads::Alone);
    let family = Products::FAMILY.map(|products| Tuning { products, threads: Threads::Together });
    family.into_iter().chain([alone]).flat_map(|tuning| sample.op.wgsl(&KernelCx { inputs: &metas, out: &out, tuning })).collect()
}

#[test]
fn every_kernel_is_valid_wgsl() {
    let mut checked = 0;
    for sample in Op::samples() {
        let passes = passes(&sample);
        assert!(!passes.is_empty(), "{}: no kernel", sample.name);
        for (position, pass) in passes.iter().enumerate() {
            let code = assemble(pass);
            let module = naga::front::wgsl::parse_str(&code)
                .unwrap_or_else(|error| panic!("{}, pass {position}:\n{code}\n{}", sample.name, error.emit_to_string(&code)));
            Validator::new(ValidationFlags::all(), Capabilities::empty())
                .validate(&module)
                .unwrap_or_else(|error| panic!("{}, pass {position}:\n{code}\n{}", sample.name, error.emit_to_string(&code)));
            assert!(pass.grid.iter().all(|&groups| (1..=MAX_GRID).contains(&groups)), "{}: grid {:?}", sample.name, pass.grid);
            checked += 1;
        }
        assert_eq!(passes.last().map(|pass| pass.dest), Some(Dest::Out), "{}: the last pass writes the result", sample.name);
    }
    assert!(checked > 200, "only {checked} kernels checked");
}

#[test]
fn sample_names_are_unique() {
    let mut names: Vec<String> = Op::samples().into_iter().map(|sample| sample.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
