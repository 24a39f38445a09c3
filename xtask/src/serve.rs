//! `cargo xtask serve`: set-up, then Trunk, which builds, serves and rebuilds (`Trunk.toml`).

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::error::{About, Error, Result};
use crate::project::{Project, not_started};
use crate::setup::{self, set_up};

/// Sets up and serves until it is interrupted; further arguments go to `trunk serve`.
pub fn serve(project: &Project, arguments: &[String]) -> Result<()> {
    set_up(project, &setup::for_serving())?;
    let port = port(arguments)?;
    TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
        let hint = format!("stop what uses the port, or choose another: cargo xtask serve --port {}", port.wrapping_add(1));
        Error::new(format!("127.0.0.1:{port}: {error}")).hint(hint).during("serve")
    })?;
    // Trunk insists that what it is told not to watch exists (`Trunk.toml`).
    for folder in ["pkg/dist", "pkg/src/generated", "www/build"] {
        fs::create_dir_all(project.path(folder)).about(|| folder)?;
    }
    println!("building the page; a first build takes some minutes. Then: http://127.0.0.1:{port}/");
    let mut trunk = trunk(project, "serve");
    let status = trunk.args(arguments).status().map_err(|error| not_started(&trunk, &error))?;
    // Interrupting it is the ordinary way to end it.
    if status.success() || status.code().is_none() {
        return Ok(());
    }
    Err(Error::new(format!("trunk ended with {status}; its own words are above")).hint("mend what it names").during("serve"))
}

/// Trunk, to be run in the top folder.
pub fn trunk(project: &Project, command: &str) -> Command {
    let mut trunk = project.command("trunk");
    trunk.arg(command);
    // Trunk reads NO_COLOR as a boolean of its own and refuses the usual "1".
    if std::env::var_os("NO_COLOR").is_some() {
        trunk.env("NO_COLOR", "true");
    }
    trunk
}

fn port(arguments: &[String]) -> Result<u16> {
    let at = arguments.iter().position(|argument| argument == "--port" || argument == "-p");
    let apart = at.and_then(|at| arguments.get(at + 1)).map(String::as_str);
    let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--port="));
    apart.or(joined).map_or(Ok(8080), |text| text.parse().map_err(|_| Error::new(format!("`{text}` is no port")).during("serve")))
}
