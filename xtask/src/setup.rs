//! Set-up: each [`Step`] looks cheaply whether its thing is there in the right version, and installs it if not.
//! Versions are pinned here, in `www/package-lock.json` and in `Cargo.lock`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::data;
use crate::error::{Error, Result};
use crate::project::{Project, capture, run};
use crate::stamp::{self, Inputs};

/// The browser's target.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Something that must be there before a command can do its work.
pub struct Step {
    name: String,
    /// How long an installation takes, where that is worth a warning.
    takes: &'static str,
    hint: &'static str,
    ready: Box<dyn Fn(&Project) -> bool>,
    install: Box<Install>,
}

type Install = dyn Fn(&Project) -> Result<()>;

/// Goes through `steps` in order, saying for each whether it was there or is being installed.
pub fn set_up(project: &Project, steps: &[Step]) -> Result<()> {
    let began = Instant::now();
    let mut installed = 0;
    for (at, step) in steps.iter().enumerate() {
        let place = format!("[{}/{}] {}", at + 1, steps.len(), step.name);
        if (step.ready)(project) {
            println!("{place}: there");
            continue;
        }
        println!("{place}: installing{}", step.takes);
        let explain = |error: Error| error.hint(step.hint).during(&step.name);
        (step.install)(project).map_err(explain)?;
        if !(step.ready)(project) {
            return Err(explain(Error::new("it was installed without an error, and is still not found in the right version")));
        }
        installed += 1;
    }
    if installed > 0 {
        println!("set-up done: {installed} installed in {:.0} s", began.elapsed().as_secs_f32());
    }
    Ok(())
}

/// What building the wasm core and the npm package takes.
pub fn for_building() -> Vec<Step> {
    vec![wasm_target(), cargo_tool(&WASM_BINDGEN), node(), npm_packages("the page and of its build", "www")]
}

/// What serving the page takes.
pub fn for_serving() -> Vec<Step> {
    let mut steps = for_building();
    steps.push(cargo_tool(&TRUNK));
    steps.extend(data::core().map(data_set));
    steps
}

/// What running every test takes.
pub fn for_testing() -> Vec<Step> {
    let mut steps = for_serving();
    steps.extend([chromium(), vulkan()]);
    steps
}

/// What measuring speed beside other libraries takes: these, at the versions of `tests/bench/package-lock.json`.
pub fn for_benching() -> Vec<Step> {
    let mut steps = for_testing();
    steps.push(npm_packages("libraries to compare with", "tests/bench"));
    steps
}

fn wasm_target() -> Step {
    Step {
        name: format!("Rust's standard library for {WASM}"),
        takes: "",
        hint: "install Rust with rustup, or link a toolchain that has this target and name it in RUSTUP_TOOLCHAIN",
        ready: Box::new(|project| {
            let sysroot = project.first_line("rustc", &["--print", "sysroot"]);
            sysroot.is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib").join(WASM).join("lib").is_dir())
        }),
        install: Box::new(|project| run(project.command("rustup").args(["target", "add", WASM]))),
    }
}

/// A program that `cargo install` builds.
struct CargoTool {
    /// The package.
    package: &'static str,
    /// The program.
    program: &'static str,
    /// The only version accepted.
    version: &'static str,
    /// How `cargo install` is to build it.
    options: &'static [&'static str],
    /// Optimisation level: a quick build serves better than a fast program where the program does little.
    optimization: &'static str,
}

/// Serves and rebuilds; it only copies files. TLS and its look for updates are left out, since it serves on this machine alone; with
/// that and without optimisation it builds in a quarter of the time.
const TRUNK: CargoTool = CargoTool {
    package: "trunk",
    program: "trunk",
    version: "0.21.14",
    options: &["--locked", "--no-default-features"],
    optimization: "0",
};

/// Must equal the `wasm-bindgen` crate's version in `Cargo.toml`. Its own lock file names a yanked package, hence no `--locked`.
const WASM_BINDGEN: CargoTool =
    CargoTool { package: "wasm-bindgen-cli", program: "wasm-bindgen", version: "0.2.130", options: &[], optimization: "1" };

/// Never replaces another version that is already on the PATH: ours then goes to [`Project::own_tools`].
fn cargo_tool(tool: &'static CargoTool) -> Step {
    let found = |project: &Project| {
        project.first_line(tool.program, &["--version"]).and_then(|line| line.split_whitespace().nth(1).map(str::to_owned))
    };
    Step {
        name: format!("{} {}", tool.package, tool.version),
        takes: " (compiles it once: some minutes)",
        hint: "read cargo's words above; a linker and a C compiler are needed (on Debian: apt-get install build-essential)",
        ready: Box::new(move |project| found(project).as_deref() == Some(tool.version)),
        install: Box::new(move |project| {
            let mut install = project.command("cargo");
            install.args(["install", tool.package, "--version", tool.version]).args(tool.options);
            if found(project).is_some() {
                install.arg("--force").arg("--root").arg(project.own_tools());
            }
            install.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", tool.optimization);
            install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16").env_remove("CARGO_TARGET_DIR");
            run(&mut install)
        }),
    }
}

fn node() -> Step {
    let hint = "install Node.js 20 or newer with npm, from your system's packages or Node's own site";
    Step {
        name: "Node.js 20 or newer".into(),
        takes: "",
        hint,
        ready: Box::new(|project| {
            let version = project.first_line("node", &["--version"]);
            let major = version.and_then(|version| version.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
            major.is_some_and(|major| major >= 20)
        }),
        install: Box::new(move |_| Err(Error::new("it is not on the PATH, or it is too old").hint(hint))),
    }
}

/// The packages of a folder's lock file, of which `node_modules` keeps a copy: it goes when `node_modules` goes.
fn npm_packages(of: &str, folder: &'static str) -> Step {
    let lock = move |project: &Project| project.path(folder).join("package-lock.json");
    let stamp = move |project: &Project| project.path(folder).join("node_modules/.installed-lock.json");
    Step {
        name: format!("npm packages of {of}"),
        takes: "",
        hint: "check the connection to npm's registry (`npm ping`), then run the command again",
        ready: Box::new(move |project| {
            let lock = fs::read(lock(project)).ok();
            lock.is_some() && lock == fs::read(stamp(project)).ok()
        }),
        install: Box::new(move |project| {
            run(project.command("npm").args(["ci", "--loglevel=error"]).current_dir(project.path(folder)))?;
            fs::copy(lock(project), stamp(project)).map(drop).map_err(|error| Error::new(format!("{}: {error}", stamp(project).display())))
        }),
    }
}

pub fn data_set(set: &'static data::Set) -> Step {
    Step {
        name: format!("data set {}", set.name),
        takes: "",
        hint: "check the connection, then run the command again; nothing half done was kept",
        ready: Box::new(|project| data::installed(project, set)),
        install: Box::new(|project| data::install(project, set)),
    }
}

/// The browser of the tests: `CHROMIUM`, or the first of the usual names.
pub fn find_chromium(project: &Project) -> Option<String> {
    let usual = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    let named = std::env::var("CHROMIUM").ok();
    let path_of = |name: String| {
        let program = project.command(&name).get_program().to_os_string();
        Path::new(&program).is_file().then(|| program.to_string_lossy().into_owned())
    };
    named.into_iter().chain(usual.map(String::from)).find_map(path_of)
}

fn chromium() -> Step {
    Step {
        name: "Chromium".into(),
        takes: "",
        hint: "install Chromium or Chrome, or name its program in CHROMIUM",
        ready: Box::new(|project| find_chromium(project).is_some()),
        install: Box::new(|project| install_debian(project, &["chromium"])),
    }
}

/// On Linux a machine without a GPU tests its kernels on Mesa's software adapter; elsewhere the system brings an adapter.
fn vulkan() -> Step {
    Step {
        name: "a Vulkan driver".into(),
        takes: "",
        hint: "install your GPU's Vulkan driver or Mesa's",
        ready: Box::new(|_| {
            let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
            let has_driver = |folder: &str| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
            !cfg!(target_os = "linux") || folders.into_iter().any(has_driver)
        }),
        install: Box::new(|project| install_debian(project, &["mesa-vulkan-drivers"])),
    }
}

/// Installs Debian packages, as root or through sudo.
fn install_debian(project: &Project, packages: &[&str]) -> Result<()> {
    let line = format!("apt-get install {}", packages.join(" "));
    if project.first_line("apt-get", &["--version"]).is_none() {
        return Err(Error::new("it is missing, and this system has no apt-get to install it with"));
    }
    let root = project.first_line("id", &["-u"]).as_deref() == Some("0");
    let apt = |arguments: &[&str]| -> Command {
        let mut command = project.command(if root { "apt-get" } else { "sudo" });
        if !root {
            command.arg("apt-get");
        }
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let explain = |error: Error| error.hint(format!("run `{line}` as root"));
    capture(&mut apt(&["update"])).map_err(explain)?;
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    run(&mut apt(&install)).map_err(explain)
}

/// The settings that every build step depends on beside its own inputs.
pub fn tool_versions() -> Inputs {
    stamp::Inputs::default().setting(WASM_BINDGEN.version)
}

#[cfg(test)]
mod tests {
    use super::{TRUNK, WASM_BINDGEN};

    #[test]
    fn versions_are_those_that_the_project_names() {
        let crate_version = format!("wasm-bindgen = \"={}\"", WASM_BINDGEN.version);
        assert!(include_str!("../../Cargo.toml").contains(&crate_version), "Cargo.toml lacks {crate_version}");
        let trunk_version = format!("trunk-version = \"={}\"", TRUNK.version);
        assert!(include_str!("../../Trunk.toml").contains(&trunk_version), "Trunk.toml lacks {trunk_version}");
    }
}
