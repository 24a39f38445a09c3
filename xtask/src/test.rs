//! `cargo xtask test`: every suite, with one line at the end that sums them up.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::build;
use crate::error::{About, Error, Result};
use crate::project::{Project, files_below, not_started, run};
use crate::serve::trunk;
use crate::setup::{self, find_chromium, set_up};

/// Passed and failed tests.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Adds a suite's counts. What could not even be built counts as a failure, and does not hide what the other suites have to say.
    fn add(&mut self, suite: Result<Tally>) {
        let Tally { passed, failed } = suite.unwrap_or_else(|error| {
            println!("\n{}", error.during("tests").hint("mend that, then run `cargo xtask test` again"));
            Tally { passed: 0, failed: 1 }
        });
        self.passed += passed;
        self.failed += failed;
    }
}

/// Native tests (CPU, and GPU through whatever Vulkan driver there is), then the page and the kernels in Chromium.
///
/// `--long` adds what takes the better part of an hour, whole training runs and soaks: tests that are `#[ignore]`d, and files named
/// `*.long.test.mjs`.
pub fn test(project: &Project, arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.iter().find(|argument| !["--long", "--native", "--browser"].contains(&argument.as_str())) {
        return Err(Error::new(format!("unknown option {unknown}")).hint("cargo xtask test [--long] [--native|--browser]").during("test"));
    }
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    set_up(project, &setup::for_testing())?;
    let mut tally = Tally::default();
    if !given("--browser") {
        tally.add(native(project, given("--long")));
    }
    if !given("--native") {
        tally.add(browser(project, given("--long")));
    }
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 {
        Ok(())
    } else {
        Err(Error::new("see the failing tests above")
            .during("test")
            .hint("mend them, then run the half again that failed: --native or --browser"))
    }
}

fn native(project: &Project, long: bool) -> Result<Tally> {
    println!("\ntesting: native");
    let mut cargo = project.command("cargo");
    cargo.args(["test", "--workspace", "--features", "gradscope/types", "--no-fail-fast", "--"]);
    if long {
        cargo.arg("--include-ignored");
    }
    count(&mut cargo, cargo_counts)
}

fn browser(project: &Project, long: bool) -> Result<Tally> {
    build_page(project)?;
    let selftest = build::build_selftest(project)?;
    println!("\ntesting: in Chromium");
    let is_test = |name: &str| name.ends_with(".test.mjs") && (long || !name.ends_with(".long.test.mjs"));
    let files = files_below(&project.path("tests/browser"))?.into_iter().filter(|file| is_test(&file.to_string_lossy()));
    count(node(project).args(files).env("GRADSCOPE_SELFTEST", selftest), node_counts)
}

/// Builds the page as it is served.
pub fn build_page(project: &Project) -> Result<()> {
    println!("\ntesting: building the page as it is served");
    let hint = "mend the step that failed above; where it is Trunk itself, what it names in www/index.html or Trunk.toml";
    run(&mut trunk(project, "build")).map_err(|error| error.during("trunk build").hint(hint))?;
    build::check_page(project)
}

/// Node's test runner, one file after another: each opens a browser that keeps every core busy.
pub fn node(project: &Project) -> Command {
    let mut node = project.command("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    node.env("CHROMIUM", find_chromium(project).unwrap_or_default());
    node
}

/// Passed and failed, of a line like `test result: ok. 12 passed; 0 failed; 0 ignored; ...`.
fn cargo_counts(line: &str) -> Option<(usize, usize)> {
    let counts = line.strip_prefix("test result: ")?;
    let number = |what: &str| counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok());
    Some((number("passed")?, number("failed")?))
}

/// Passed and failed, of a line like `ℹ pass 12`, `ℹ fail 0` or `ℹ cancelled 0`.
fn node_counts(line: &str) -> Option<(usize, usize)> {
    let (what, number) = line.strip_prefix("ℹ ")?.split_once(' ')?;
    let number = number.trim().parse().ok()?;
    match what {
        "pass" => Some((number, 0)),
        "fail" | "cancelled" => Some((0, number)),
        _ => None,
    }
}

/// Runs a suite, shows what it prints and lets `read` count. A suite that fails without a failing test, as one that does not compile
/// does, counts as a failure.
fn count(suite: &mut Command, read: impl Fn(&str) -> Option<(usize, usize)>) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut child = suite.stdout(Stdio::piped()).spawn().map_err(|error| not_started(suite, &error))?;
    for line in child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        let line = line.about(|| "output of a suite")?;
        println!("{line}");
        let (passed, failed) = read(&line).unwrap_or_default();
        tally.passed += passed;
        tally.failed += failed;
    }
    let status = child.wait().about(|| "waiting for a suite")?;
    if !status.success() && tally.failed == 0 {
        println!("the suite ended with {status}");
        tally.failed += 1;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::{cargo_counts, node_counts};

    #[test]
    fn reads_the_sums_of_both_runners() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(cargo_counts(line), Some((12, 3)));
        assert_eq!(cargo_counts("test tensor::shape ... ok"), None);
        assert_eq!(node_counts("ℹ pass 7"), Some((7, 0)));
        assert_eq!(node_counts("ℹ cancelled 2"), Some((0, 2)));
        assert_eq!(node_counts("ℹ duration_ms 12.5"), None);
    }
}
