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

/// Native tests (CPU, and GPU through whatever Vulkan driver there is), then the page and the kernels in Chromium.
///
/// `--quick` leaves out the long training runs: tests that are `#[ignore]`d, and files named `*.long.test.mjs`.
pub fn test(project: &Project, arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.iter().find(|argument| !["--quick", "--native", "--browser"].contains(&argument.as_str())) {
        return Err(Error::new(format!("unknown option {unknown}")).hint("cargo xtask test [--quick] [--native|--browser]").during("test"));
    }
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    set_up(project, &setup::for_testing())?;
    let mut tally = Tally::default();
    if !given("--browser") {
        native(project, given("--quick"), &mut tally)?;
    }
    if !given("--native") {
        browser(project, given("--quick"), &mut tally)?;
    }
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 { Ok(()) } else { Err(Error::new("see the failing tests above").during("test")) }
}

fn native(project: &Project, quick: bool, tally: &mut Tally) -> Result<()> {
    println!("\ntesting: native");
    let mut cargo = project.command("cargo");
    cargo.args(["test", "--workspace", "--features", "gradscope/types", "--no-fail-fast", "--"]);
    if !quick {
        cargo.arg("--include-ignored");
    }
    // "test result: ok. 12 passed; 0 failed; 0 ignored; ..."
    count(&mut cargo, tally, |line, tally| {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        let number = |what: &str| {
            let before = counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
            before.and_then(|number| number.trim().parse::<usize>().ok()).unwrap_or(0)
        };
        tally.passed += number("passed");
        tally.failed += number("failed");
    })
}

fn browser(project: &Project, quick: bool, tally: &mut Tally) -> Result<()> {
    println!("\ntesting: building the page as it is served");
    run(&mut trunk(project, "build")).map_err(|error| error.during("trunk build"))?;
    build::build_declarations(project)?;
    let selftest = build::build_selftest(project)?;
    println!("\ntesting: in Chromium");
    let is_test = |name: &str| name.ends_with(".test.mjs") && !(quick && name.ends_with(".long.test.mjs"));
    let mut node = project.command("node");
    // One after another: each opens a browser that keeps every core busy.
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    node.args(files_below(&project.path("tests/browser"))?.into_iter().filter(|file| is_test(&file.to_string_lossy())));
    node.env("CHROMIUM", find_chromium(project).unwrap_or_default()).env("GRADSCOPE_SELFTEST", selftest);
    // "ℹ pass 12", "ℹ fail 0", "ℹ cancelled 0"
    count(&mut node, tally, |line, tally| {
        let mut words = line.split_whitespace().skip(1);
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        if line.starts_with('ℹ') {
            match words.next() {
                Some("pass") => tally.passed += number(words.next()),
                Some("fail" | "cancelled") => tally.failed += number(words.next()),
                _ => {}
            }
        }
    })
}

/// Runs a suite, shows what it prints and lets `read` count. A suite that fails without a failing test, as one that does not compile
/// does, counts as a failure.
fn count(suite: &mut Command, tally: &mut Tally, read: impl Fn(&str, &mut Tally)) -> Result<()> {
    let before = tally.failed;
    let mut child = suite.stdout(Stdio::piped()).spawn().map_err(|error| not_started(suite, &error))?;
    for line in child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        let line = line.about(|| "output of a suite")?;
        println!("{line}");
        read(&line, tally);
    }
    let status = child.wait().about(|| "waiting for a suite")?;
    if !status.success() && tally.failed == before {
        println!("the suite ended with {status}");
        tally.failed += 1;
    }
    Ok(())
}
