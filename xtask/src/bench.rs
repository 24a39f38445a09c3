//! `cargo xtask bench`: the figures of BENCHMARKS.md, measured in Chromium on the page as it is served.

use crate::error::Result;
use crate::project::{Project, run};
use crate::setup::{self, find_chromium, set_up};
use crate::test::{build_page, node};

/// Sizes and bars of the page, then times beside those of other libraries. With `--sizes` only the former; any other options are the latter's
/// (`tests/bench/bench.mjs` lists them), and leave the former out.
pub fn bench(project: &Project, arguments: &[String]) -> Result<()> {
    let sizes_alone = arguments.iter().any(|argument| argument == "--sizes");
    set_up(project, &if sizes_alone { setup::for_testing() } else { setup::for_benching() })?;
    build_page(project)?;
    if sizes_alone || arguments.is_empty() {
        run(node(project).arg(project.path("tests/browser/speed.test.mjs"))).map_err(|error| error.during("bench"))?;
    }
    if sizes_alone {
        return Ok(());
    }
    let mut bench = project.command("node");
    bench.arg(project.path("tests/bench/bench.mjs")).args(arguments).env("CHROMIUM", find_chromium(project).unwrap_or_default());
    run(&mut bench).map_err(|error| error.during("bench"))
}
