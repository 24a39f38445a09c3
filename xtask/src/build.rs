//! From sources to what a browser loads: the wasm core in two variants, the npm package `pkg/dist`, the page's code `www/build`.
//! Every stage is skipped while its inputs have not changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::data;
use crate::error::{About, Result};
use crate::project::{Project, capture, empty_folder, files_below, run};
use crate::setup::{self, set_up};
use crate::stamp::{Inputs, unless_done};

/// One way of compiling the core. An engine that lacks an instruction refuses the whole module, hence two binaries: the worker takes
/// the second where `WebAssembly.validate` accepts it.
struct Variant {
    name: &'static str,
    /// Added to the flags of `.cargo/config.toml`.
    rustflags: &'static [&'static str],
    features: &'static str,
    optimizer: &'static [&'static str],
}

const BASE: Variant = Variant {
    name: "base",
    rustflags: &[],
    features: "",
    optimizer: &[],
};

const RELAXED: Variant = Variant {
    name: "relaxed",
    rustflags: &["-C", "target-feature=+relaxed-simd"],
    features: "",
    optimizer: &["--enable-relaxed-simd"],
};

/// What the browser tests load: the base variant with the suites that run over every op.
const SELFTEST: Variant = Variant {
    name: "selftest",
    rustflags: &[],
    features: "selftest",
    optimizer: &[],
};

const OPTIMIZER: &[&str] = &[
    "-O3",
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// `cargo xtask pkg`.
pub fn pkg(project: &Project, _arguments: &[String]) -> Result<()> {
    set_up(project, &setup::for_building())?;
    build_pkg(project)
}

/// `cargo xtask bundle`, which Trunk runs before each build: no set-up, no output when nothing changed.
pub fn bundle(project: &Project, _arguments: &[String]) -> Result<()> {
    build_pkg(project)?;
    build_page(project)
}

/// `cargo xtask link-data`, which Trunk runs after each build. Hard links, since the sets are tens of megabytes.
pub fn link_data(project: &Project, _arguments: &[String]) -> Result<()> {
    let staging = std::env::var_os("TRUNK_STAGING_DIR")
        .map_or_else(|| project.path("www/dist"), PathBuf::from);
    let from = project.path(data::FOLDER);
    for file in files_below(&from)? {
        let to = staging
            .join("data")
            .join(file.strip_prefix(&from).unwrap_or(&file));
        fs::create_dir_all(to.parent().unwrap_or(&staging)).about(|| to.display())?;
        if to.exists() {
            fs::remove_file(&to).about(|| to.display())?;
        }
        // Another file system allows no hard link.
        fs::hard_link(&file, &to)
            .or_else(|_| fs::copy(&file, &to).map(drop))
            .about(|| to.display())?;
    }
    Ok(())
}

/// The binary of the browser tests; returns its folder.
pub fn build_selftest(project: &Project) -> Result<PathBuf> {
    let folder = project.target.join("selftest-pkg");
    build_core(project, &SELFTEST, &folder)?;
    Ok(folder)
}

/// Brings `pkg/dist` up to date.
pub fn build_pkg(project: &Project) -> Result<()> {
    let dist = project.path("pkg/dist");
    build_core(project, &BASE, &dist)?;
    build_core(project, &RELAXED, &dist)?;
    build_protocol(project)?;
    build_api(project, &dist)
}

/// What the compiled core depends on.
fn core_inputs(project: &Project) -> Result<Inputs> {
    setup::tool_versions()
        .setting(
            &project
                .first_line("rustc", &["--version"])
                .unwrap_or_default(),
        )
        .path(project, "src")?
        .path(project, "Cargo.toml")?
        .path(project, "Cargo.lock")?
        .path(project, ".cargo/config.toml")
}

/// Compiles, binds and optimises one variant into `folder`.
fn build_core(project: &Project, variant: &Variant, folder: &Path) -> Result<()> {
    let stem = format!("gradscope_{}", variant.name);
    let outputs = [
        folder.join(format!("{stem}.js")),
        folder.join(format!("{stem}_bg.wasm")),
    ];
    let inputs = core_inputs(project)?
        .setting(&variant.rustflags.join(" "))
        .setting(variant.features)
        .setting(&[OPTIMIZER, variant.optimizer].concat().join(" "));
    stage(
        project,
        &format!("wasm core, {}", variant.name),
        inputs,
        &outputs,
        || {
            let target = project.target.join("wasm").join(variant.name);
            let mut cargo = project.command("cargo");
            cargo.args([
                "build",
                "--release",
                "--lib",
                "--package",
                "gradscope",
                "--target",
                "wasm32-unknown-unknown",
            ]);
            cargo
                .args(["--features", variant.features])
                .arg("--target-dir")
                .arg(&target);
            // Arrays of `--config` are appended to the file's, whereas RUSTFLAGS would replace them.
            let flags: Vec<String> = variant
                .rustflags
                .iter()
                .map(|flag| format!("{flag:?}"))
                .collect();
            cargo.arg("--config").arg(format!(
                "target.wasm32-unknown-unknown.rustflags=[{}]",
                flags.join(",")
            ));
            run(cargo
                .env_remove("RUSTFLAGS")
                .env_remove("CARGO_ENCODED_RUSTFLAGS"))?;

            let compiled = target.join("wasm32-unknown-unknown/release/gradscope.wasm");
            let bound = target.join("bound");
            empty_folder(&bound)?;
            let mut bindgen = project.command("wasm-bindgen");
            bindgen
                .args(["--target", "web", "--out-name", &stem, "--out-dir"])
                .arg(&bound)
                .arg(&compiled);
            capture(&mut bindgen)?;

            let wasm = bound.join(format!("{stem}_bg.wasm"));
            let mut optimizer = project.command("wasm-opt");
            optimizer
                .args(OPTIMIZER)
                .args(variant.optimizer)
                .arg(&wasm)
                .arg("-o")
                .arg(&wasm);
            capture(&mut optimizer)?;

            fs::create_dir_all(folder).about(|| folder.display())?;
            for file in files_below(&bound)? {
                let to = folder.join(file.file_name().unwrap_or_default());
                fs::copy(&file, &to).about(|| to.display())?;
            }
            Ok(())
        },
    )
}

/// Generates the TypeScript twins of the protocol's types.
pub fn build_protocol(project: &Project) -> Result<()> {
    let folder = project.path("pkg/src/generated");
    let mentions_ts = |contents: &[u8]| contents.windows(5).any(|word| word == b"ts_rs");
    let inputs = Inputs::default().path_if(project, "src", mentions_ts)?;
    stage(
        project,
        "TypeScript twins of the protocol",
        inputs,
        &[folder.join("protocol.ts")],
        || {
            empty_folder(&folder)?;
            let mut export = project.command("cargo");
            export.args([
                "test",
                "--package",
                "gradscope",
                "--lib",
                "--features",
                "types",
                "--",
                "export_bindings",
            ]);
            capture(
                export
                    .env("TS_RS_EXPORT_DIR", &folder)
                    .env("TS_RS_LARGE_INT", "number"),
            )
            .map(drop)
        },
    )
}

/// Bundles the typed API and the worker, and writes the API's declarations.
fn build_api(project: &Project, dist: &Path) -> Result<()> {
    let inputs = Inputs::default()
        .path(project, "pkg/src")?
        .path(project, "pkg/tsconfig.json")?
        .path(project, "www/package-lock.json")?;
    let outputs = ["gradscope.js", "worker.js", "types/index.d.ts"].map(|name| dist.join(name));
    stage(project, "npm package", inputs, &outputs, || {
        let mut esbuild = esbuild(project, dist);
        esbuild.args(["gradscope=pkg/src/index.ts", "worker=pkg/src/worker.ts"]);
        // The worker imports the one of the two that the browser can run, beside it at run time.
        esbuild.args([
            "--external:./gradscope_base.js",
            "--external:./gradscope_relaxed.js",
        ]);
        capture(&mut esbuild)?;
        let types = dist.join("types");
        empty_folder(&types)?;
        let mut tsc = project.command("tsc");
        tsc.args([
            "--project",
            "pkg/tsconfig.json",
            "--noEmit",
            "false",
            "--declaration",
            "--emitDeclarationOnly",
        ]);
        capture(tsc.arg("--outDir").arg(&types)).map(drop)
    })
}

/// Bundles the page's TypeScript.
fn build_page(project: &Project) -> Result<()> {
    let inputs = Inputs::default()
        .path(project, "www/src")?
        .path(project, "pkg/src")?
        .path(project, "www/tsconfig.json")?
        .path(project, "www/package-lock.json")?;
    let folder = project.path("www/build");
    stage(project, "page", inputs, &[folder.join("main.js")], || {
        empty_folder(&folder)?;
        // The page loads the package as anybody else's page would: from its own files, beside this bundle's folder.
        capture(esbuild(project, &folder).args([
            "main=www/src/main.ts",
            "--splitting",
            "--external:*/pkg/gradscope.js",
        ]))
        .map(drop)
    })
}

fn esbuild(project: &Project, folder: &Path) -> std::process::Command {
    let mut esbuild = project.command("esbuild");
    esbuild.args([
        "--bundle",
        "--format=esm",
        "--target=es2022",
        "--minify",
        "--sourcemap",
        "--log-level=warning",
    ]);
    esbuild.arg(format!("--outdir={}", folder.display()));
    esbuild
}

/// Runs a stage unless nothing changed, and says how long it took.
fn stage(
    project: &Project,
    name: &str,
    inputs: Inputs,
    outputs: &[PathBuf],
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let began = Instant::now();
    unless_done(project, name, inputs, outputs, || {
        println!("building: {name}");
        work()
    })?;
    if began.elapsed().as_secs() > 0 {
        println!("built: {name}, {:.0} s", began.elapsed().as_secs_f32());
    }
    Ok(())
}
