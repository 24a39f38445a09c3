//! `cargo xtask COMMAND`: everything between a fresh clone and a served, tested page. Each command first sets up what it needs
//! (see [`setup`]), skips what is already done, and says what it does.

mod bench;
mod build;
mod check;
mod data;
mod error;
mod messages;
mod phrases;
mod project;
mod serve;
mod setup;
mod stamp;
mod test;

use error::{Error, Result};
use project::Project;

/// A subcommand: one row of [`COMMANDS`].
struct Command {
    name: &'static str,
    /// Its arguments, as the help shows them.
    usage: &'static str,
    about: &'static str,
    run: fn(&Project, &[String]) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        usage: "[trunk's options]",
        about: "installs what is missing, builds, and serves the page on 127.0.0.1:8080, rebuilding on changes",
        run: serve::serve,
    },
    Command {
        name: "test",
        usage: "[--long] [--native|--browser]",
        about: "installs what is missing and runs every suite; --long adds whole training runs and soaks",
        run: test::test,
    },
    Command {
        name: "bench",
        usage: "[--sizes] [--growth] [--only NAME] ...",
        about: "measures size, and speed beside other libraries, in Chromium: the figures of BENCHMARKS.md",
        run: bench::bench,
    },
    Command { name: "check", usage: "", about: "rustfmt, clippy (native and wasm) and tsc, warnings denied", run: check::check },
    Command { name: "pkg", usage: "", about: "builds the npm package into pkg/dist", run: build::pkg },
    Command {
        name: "data",
        usage: "[NAME...|--all]",
        about: "installs data sets into data/; without a name, lists them",
        run: data::command,
    },
    Command {
        name: "bundle",
        usage: "",
        about: "pkg, then the page's own code into www/build (Trunk runs it before each build)",
        run: build::bundle,
    },
    Command {
        name: "link-data",
        usage: "",
        about: "links data/ into Trunk's output (Trunk runs it after each build)",
        run: build::link_data,
    },
];

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first().filter(|(name, _)| !matches!(name.as_str(), "help" | "-h" | "--help")) else {
        help();
        return Ok(());
    };
    let command = COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
        Error::new(format!("there is no command `{name}`")).hint("`cargo xtask` lists the commands").during("command line")
    })?;
    let explain =
        |error: Error| error.during(name).hint(format!("mend that, then run `cargo xtask {name}` again; what is done is not done twice"));
    Project::find().and_then(|project| (command.run)(&project, rest)).map_err(explain)
}

fn help() {
    println!("cargo xtask COMMAND\n");
    for Command { name, usage, about, .. } in COMMANDS {
        println!("  {:<38} {about}", format!("{name} {usage}"));
    }
}
