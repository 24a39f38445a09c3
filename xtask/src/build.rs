//! From sources to what a browser loads: the wasm core in three variants, the npm package `pkg/dist`, the page's code `www/build`.
//! Every stage is skipped while its inputs have not changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::data;
use crate::error::{About, Result};
use crate::messages;
use crate::project::{Project, capture, empty_folder, files_below, run};
use crate::setup::{self, WASM, set_up};
use crate::stamp::{Inputs, Stage, unless_done};

const DIST: &str = "pkg/dist";

/// One way of compiling the core. An engine that lacks an instruction refuses the whole module, hence several binaries: the worker takes
/// the fastest that `WebAssembly.validate` accepts.
struct Variant {
    name: &'static str,
    /// Where its compiled crates are kept: those of other instructions would take their places.
    target: &'static str,
    /// A setting of Cargo's that adds to the flags of `.cargo/config.toml`.
    config: &'static str,
    features: &'static str,
    optimizer: &'static [&'static str],
}

const BASE: Variant = Variant { name: "base", target: "wasm", config: "", features: "", optimizer: &[] };

const RELAXED: Variant = Variant {
    name: "relaxed",
    target: "wasm-relaxed",
    config: r#"target.wasm32-unknown-unknown.rustflags=["-C", "target-feature=+relaxed-simd"]"#,
    features: "",
    optimizer: &["--enable-relaxed-simd"],
};

/// For engines without SIMD: on processors without SSE 4.1, and in Safari before 16.4, whoever uses the package there.
const PLAIN: Variant = Variant {
    name: "plain",
    target: "wasm-plain",
    config: r#"target.wasm32-unknown-unknown.rustflags=["-C", "target-feature=-simd128"]"#,
    features: "",
    optimizer: &["--disable-simd"],
};

/// What the browser tests load: all variants with the suites that run over every kernel and every op.
const SELFTESTS: [Variant; 3] = [
    Variant { name: "selftest_plain", features: "selftest", ..PLAIN },
    Variant { name: "selftest_base", features: "selftest", ..BASE },
    Variant { name: "selftest_relaxed", features: "selftest", ..RELAXED },
];

const OPTIMIZER: &[&str] = &[
    // Kernels stay functions of their own: inside one that is long the browser's compiler makes less of them.
    "--no-inline=*gradscope_simd*",
    "-Os",
    // Functions made from one source stand side by side, where gzip finds what they share: 16 KB of the download.
    "--reorder-functions-by-name",
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// `cargo xtask pkg`: everything that the package consists of.
pub fn pkg(project: &Project, _arguments: &[String]) -> Result<()> {
    set_up(project, &setup::for_building())?;
    build_scripts(project)?;
    build_declarations(project)
}

/// `cargo xtask bundle`, which Trunk runs before each build: what a browser loads, thus no declarations, and no set-up.
pub fn bundle(project: &Project, _arguments: &[String]) -> Result<()> {
    // First, since it takes a second, and the core minutes.
    check_messages(project)?;
    build_scripts(project)?;
    build_page(project)
}

/// `cargo xtask link-data`, which Trunk runs after each build. Hard links, since the sets are tens of megabytes.
pub fn link_data(project: &Project, _arguments: &[String]) -> Result<()> {
    let staging = std::env::var_os("TRUNK_STAGING_DIR").map_or_else(|| project.path("www/dist"), PathBuf::from);
    let from = project.path(data::FOLDER);
    for file in files_below(&from)? {
        let name = file.strip_prefix(&from).unwrap_or(&file);
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let to = staging.join("data").join(name);
        fs::create_dir_all(to.parent().unwrap_or(&staging)).about(|| to.display())?;
        if to.exists() {
            fs::remove_file(&to).about(|| to.display())?;
        }
        // Another file system allows no hard link.
        fs::hard_link(&file, &to).or_else(|_| fs::copy(&file, &to).map(drop)).about(|| to.display())?;
    }
    Ok(())
}

/// The binary of the browser tests; returns its folder.
pub fn build_selftest(project: &Project) -> Result<PathBuf> {
    let folder = project.target.join("selftest-pkg");
    SELFTESTS.iter().try_for_each(|variant| build_core(project, variant, &folder))?;
    Ok(folder)
}

/// The part of `pkg/dist` that a browser loads.
fn build_scripts(project: &Project) -> Result<()> {
    let dist = project.path(DIST);
    [&PLAIN, &BASE, &RELAXED].into_iter().try_for_each(|variant| build_core(project, variant, &dist))?;
    let inputs = Inputs::default().path(project, "pkg/src")?.path(project, "www/package-lock.json")?;
    let outputs = ["gradscope.js", "worker.js"].map(|name| dist.join(name));
    let hint = "mend what esbuild names in pkg/src";
    build(project, Stage { name: "npm package", hint, inputs, outputs: &outputs }, || {
        let mut esbuild = esbuild(project, &dist);
        capture(esbuild.args(["gradscope=pkg/src/index.ts", "worker=pkg/src/worker.ts"])).map(drop)
    })
}

/// What the compiled core depends on.
fn core_inputs(project: &Project) -> Result<Inputs> {
    setup::tool_versions()
        .setting(&project.first_line("rustc", &["--version"]).unwrap_or_default())
        .path(project, "src")?
        .path(project, "Cargo.toml")?
        .path(project, "Cargo.lock")?
        .path(project, ".cargo/config.toml")
}

/// Compiles, binds and optimises one variant into `folder`.
fn build_core(project: &Project, variant: &Variant, folder: &Path) -> Result<()> {
    let stem = format!("gradscope_{}", variant.name);
    let outputs = [folder.join(format!("{stem}.js")), folder.join(format!("{stem}_bg.wasm"))];
    let inputs =
        core_inputs(project)?.setting(variant.config).setting(variant.features).setting(&[OPTIMIZER, variant.optimizer].concat().join(" "));
    let name = format!("wasm core, {}", variant.name);
    let hint = "mend what the compiler names in src; where a tool fails, remove it: `cargo xtask pkg` installs the version that is wanted";
    build(project, Stage { name: &name, hint, inputs, outputs: &outputs }, || {
        let target = project.target.join(variant.target);
        let mut cargo = project.command("cargo");
        cargo.args(["rustc", "--release", "--lib", "--crate-type", "cdylib", "--package", "gradscope"]);
        cargo.args(["--target", WASM, "--features", variant.features]).arg("--target-dir").arg(&target);
        // RUSTFLAGS would replace the flags of the configuration, which the core needs.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if !variant.config.is_empty() {
            cargo.args(["--config", variant.config]);
        }
        run(&mut cargo)?;
        let compiled = target.join(WASM).join("release/gradscope.wasm");

        let bound = target.join("bound");
        empty_folder(&bound)?;
        let mut bindgen = project.command("wasm-bindgen");
        bindgen.args(["--target", "web", "--no-typescript", "--out-name", &stem, "--out-dir"]).arg(&bound).arg(&compiled);
        capture(&mut bindgen)?;

        let wasm = bound.join(format!("{stem}_bg.wasm"));
        let mut optimizer = project.command("wasm-opt");
        optimizer.args(OPTIMIZER).args(variant.optimizer).arg(&wasm).arg("-o").arg(&wasm);
        capture(&mut optimizer)?;

        let script = bound.join(format!("{stem}.js"));
        let mut minifier = project.command("esbuild");
        minifier.arg(&script).args(["--minify", "--format=esm", "--allow-overwrite"]).arg(format!("--outfile={}", script.display()));
        capture(&mut minifier)?;

        copy_files(&bound, folder)
    })
}

/// Generates the TypeScript twins of the protocol's types. Only the declarations need them: what a browser loads is stripped of types.
fn build_protocol(project: &Project) -> Result<()> {
    let folder = project.path("pkg/src/generated");
    let mentions_ts = |contents: &[u8]| contents.windows(5).any(|word| word == b"ts_rs");
    let inputs = Inputs::default().path_if(project, "src", mentions_ts)?;
    let hint = "mend what the compiler names in src";
    let outputs = [folder.join("protocol.ts")];
    build(project, Stage { name: "TypeScript twins of the protocol", hint, inputs, outputs: &outputs }, || {
        let fresh = project.target.join("xtask-generated");
        empty_folder(&fresh)?;
        let mut export = project.command("cargo");
        export.args(["test", "--package", "gradscope", "--lib", "--features", "types", "--"]);
        export.args(["--quiet", "export_bindings"]);
        run(export.env("TS_RS_EXPORT_DIR", &fresh).env("TS_RS_LARGE_INT", "number"))?;
        empty_folder(&folder)?;
        copy_files(&fresh, &folder)
    })
}

/// Checks the package's TypeScript and writes its declarations.
pub fn build_declarations(project: &Project) -> Result<()> {
    build_protocol(project)?;
    let inputs = Inputs::default().path(project, "pkg/src")?.path(project, "pkg/tsconfig.json")?.path(project, "www/package-lock.json")?;
    let types = project.path(DIST).join("types");
    let hint = "mend what tsc names in pkg/src";
    let outputs = [types.join("index.d.ts")];
    build(project, Stage { name: "declarations of the npm package", hint, inputs, outputs: &outputs }, || {
        empty_folder(&types)?;
        let mut tsc = project.command("tsc");
        tsc.args(["--project", "pkg", "--declaration", "--emitDeclarationOnly", "--outDir"]).arg(&types);
        capture(&mut tsc).map(drop)
    })
}

/// What the page's code depends on.
fn page_inputs(project: &Project) -> Result<Inputs> {
    let paths = ["www/src", "www/styles", "pkg/src", "www/tsconfig.json", "www/package-lock.json"];
    paths.into_iter().try_fold(Inputs::default(), |inputs, path| inputs.path(project, path))
}

/// Checks the page's TypeScript, which needs the protocol's types: serving does without.
pub fn check_page(project: &Project) -> Result<()> {
    build_declarations(project)?;
    let hint = "mend what tsc names in www/src";
    build(project, Stage { name: "types of the page", hint, inputs: page_inputs(project)?, outputs: &[] }, || {
        capture(project.command("tsc").args(["--noEmit", "--strict", "--project", "www"])).map(drop)
    })
}

fn check_messages(project: &Project) -> Result<()> {
    let inputs = page_inputs(project)?.path(project, "src")?.path(project, "xtask/src/data/sets.rs")?;
    build(project, Stage { name: "messages", hint: messages::HINT, inputs, outputs: &[] }, || messages::check(project))
}

/// Bundles the page's TypeScript.
fn build_page(project: &Project) -> Result<()> {
    let inputs = page_inputs(project)?;
    let folder = project.path("www/build");
    let outputs = ["main.js", "reading.js", "projecting.js", "bench.js", "calibrating.js"].map(|name| folder.join(name));
    let hint = "mend what esbuild names in www/src or www/styles";
    build(project, Stage { name: "page", hint, inputs, outputs: &outputs }, || {
        empty_folder(&folder)?;
        let bundle = |entries: &[&str]| {
            let mut esbuild = esbuild(project, &folder);
            // The page loads the package as anybody's page would, from its own files: pkg/ beside this bundle's folder.
            let package = "../pkg/gradscope.js";
            esbuild.args(entries).args(["--splitting", "--loader:.css=text"]);
            esbuild.arg(format!("--alias:gradscope={package}")).arg(format!("--external:{package}"));
            capture(&mut esbuild).map(drop)
        };
        bundle(&["main=www/src/main.ts", "reading=www/src/reading/worker.ts", "projecting=www/src/projecting/worker.ts"])?;
        // By itself: what it shared with the page would become chunks of their own, and the page's first download larger.
        bundle(&["bench=www/src/bench/main.ts", "calibrating=www/src/bench/calibrating.ts"])
    })
}

/// Copies the files directly in one folder into another.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).about(|| to.display())?;
    for file in files_below(from)? {
        let copy = to.join(file.file_name().unwrap_or_default());
        fs::copy(&file, &copy).about(|| copy.display())?;
    }
    Ok(())
}

fn esbuild(project: &Project, folder: &Path) -> std::process::Command {
    let mut esbuild = project.command("esbuild");
    esbuild.args(["--bundle", "--format=esm", "--target=es2022", "--minify", "--sourcemap", "--log-level=warning"]);
    esbuild.arg(format!("--outdir={}", folder.display()));
    esbuild
}

/// Runs a stage unless nothing changed, and says how long it took.
fn build(project: &Project, stage: Stage, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let (name, began) = (stage.name, Instant::now());
    unless_done(project, stage, || {
        println!("building: {name}");
        work()
    })?;
    if began.elapsed().as_secs() > 0 {
        println!("built: {name}, {:.0} s", began.elapsed().as_secs_f32());
    }
    Ok(())
}
