//! `cargo xtask check`: formatting and lints, every warning an error.

use crate::build;
use crate::error::Result;
use crate::project::{Project, run};
use crate::setup::{self, set_up};

/// rustfmt, clippy for this machine with every target and feature, clippy for the browser, `tsc --strict`.
pub fn check(project: &Project, _arguments: &[String]) -> Result<()> {
    set_up(project, &setup::for_building())?;
    let cargo = |name: &str, arguments: &[&str]| {
        println!("checking: {name}");
        run(project.command("cargo").args(arguments)).map_err(|error| error.during(name))
    };
    cargo("rustfmt", &["fmt", "--all", "--check"]).map_err(|error| error.hint("cargo fmt --all"))?;
    cargo("clippy, native", &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])?;
    let wasm = [
        "clippy",
        "--package",
        "gradscope",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
        "--features",
        "selftest",
        "--",
        "-D",
        "warnings",
    ];
    cargo("clippy, wasm", &wasm)?;
    println!("checking: tsc");
    build::check_page(project)
}
