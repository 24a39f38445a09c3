//! Where things are, and how other programs are run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{About, Error, Result};

/// The checkout that this command works on.
pub struct Project {
    /// Its top folder.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Project {
    /// The checkout that `xtask` was compiled in.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf);
        let root = root.ok_or_else(|| Error::new("the xtask folder has no parent").during("finding the project"))?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
        Ok(Self { root, target })
    }

    /// A path below the top folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Tools that had to be installed beside other versions of the same, outside `target` so that `cargo clean` spares them.
    pub fn own_tools(&self) -> PathBuf {
        self.path(".tools")
    }

    /// A program to run in the top folder, found on the PATH extended by [`Project::own_tools`], npm's programs and cargo's.
    pub fn command(&self, program: &str) -> Command {
        // npm's programs are scripts on Windows, which only their full name starts.
        let program = if cfg!(windows) && matches!(program, "npm" | "esbuild" | "tsc" | "wasm-opt") {
            format!("{program}.cmd")
        } else {
            program.into()
        };
        let mut folders = vec![self.own_tools().join("bin"), self.path("www/node_modules/.bin")];
        folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        // Where `cargo install` puts programs, on the PATH or not.
        let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        folders.extend(cargo.map(|cargo| cargo.join("bin")));
        // `Command` looks a bare name up on the parent's PATH on some systems, on the child's on others.
        let found = folders.iter().map(|folder| folder.join(&program)).find(|path| path.is_file());
        let mut command = Command::new(found.unwrap_or_else(|| PathBuf::from(&program)));
        command.current_dir(&self.root);
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
        command
    }

    /// First line that `program arguments` prints, if it runs and succeeds.
    pub fn first_line(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.command(program).args(arguments).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
    }
}

/// Runs a command whose output the reader sees, and fails if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("`{}` ended with {status}; its own words are above", describe(command)))) }
}

/// Runs a command silently and returns what it printed; if it fails, its last words become the reason.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    Err(Error::new(format!("`{}` ended with {}\n{last}", describe(command), output.status)))
}

/// Says that a command did not even start.
pub fn not_started(command: &Command, error: &std::io::Error) -> Error {
    Error::new(format!("`{}` could not be started: {error}", command.get_program().to_string_lossy()))
        .hint("install it, or put it on the PATH")
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, argument| line + " " + &argument.to_string_lossy())
}

/// Every file below `folder`, sorted; empty if there is no such folder.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder).about(|| folder.display())? {
        let path = entry.about(|| folder.display())?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}

/// Replaces `folder` by an empty one.
pub fn empty_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).about(|| folder.display())?;
    }
    fs::create_dir_all(folder).about(|| folder.display())
}

/// Writes a file so that a reader finds either the old contents or the new, never a part.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, contents).about(|| partial.display())?;
    fs::rename(&partial, path).about(|| path.display())
}
