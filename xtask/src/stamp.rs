//! Skipping what is already done: a stamp records the content hash of a step's inputs, written once its outputs are complete.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{About, Error, Result};
use crate::project::{Project, files_below, write_whole};

/// What a step reads: files, folders and settings.
#[derive(Default)]
pub struct Inputs {
    hash: Sha256,
}

impl Inputs {
    /// Adds a setting that changes the output: a version, a flag.
    pub fn setting(mut self, value: &str) -> Self {
        self.hash.update(value.len().to_le_bytes());
        self.hash.update(value);
        self
    }

    /// Adds a file, or every file below a folder; what does not exist counts as empty.
    pub fn path(self, project: &Project, relative: &str) -> Result<Self> {
        self.path_if(project, relative, |_| true)
    }

    /// Adds those files below a folder whose contents pass `keep`.
    pub fn path_if(mut self, project: &Project, relative: &str, keep: impl Fn(&[u8]) -> bool) -> Result<Self> {
        let path = project.path(relative);
        let files = if path.is_file() { vec![path] } else { files_below(&path)? };
        for file in files {
            let contents = fs::read(&file).about(|| file.display())?;
            if keep(&contents) {
                let name = file.strip_prefix(&project.root).unwrap_or(&file).to_string_lossy().into_owned();
                self = self.setting(&name);
                self.hash.update(contents.len().to_le_bytes());
                self.hash.update(&contents);
            }
        }
        Ok(self)
    }
}

/// A step that is skipped while nothing that it reads has changed.
pub struct Stage<'a> {
    pub name: &'a str,
    /// What to do when it fails, unless the failure itself knows better.
    pub hint: &'a str,
    pub inputs: Inputs,
    pub outputs: &'a [PathBuf],
}

/// Runs `work` unless it was done before with the same inputs and left the outputs. Returns whether it ran.
pub fn unless_done(project: &Project, stage: Stage, work: impl FnOnce() -> Result<()>) -> Result<bool> {
    let Stage { name, hint, inputs, outputs } = stage;
    let explain = |error: Error| error.during(name).hint(hint);
    let stamp = project.target.join("xtask-stamps").join(name);
    let wanted = hex(&inputs.hash.finalize());
    if outputs.iter().all(|path| path.exists()) && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(false);
    }
    work().map_err(explain)?;
    if let Some(missing) = outputs.iter().find(|path| !path.exists()) {
        return Err(explain(Error::new(format!("it left no {}", missing.display()))));
    }
    let folder = stamp.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).about(|| folder.display()).and_then(|()| write_whole(&stamp, wanted.as_bytes())).map_err(explain)?;
    Ok(true)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;
    use crate::project::{capture, run};

    #[test]
    fn works_again_only_when_an_input_changed_or_an_output_went() -> Result<()> {
        let root = std::env::temp_dir().join(format!("gradscope-stamp-{}", std::process::id()));
        fs::create_dir_all(root.join("src")).about(|| "temporary folder")?;
        let project = Project { root: root.clone(), target: root.join("target") };
        let output = root.join("output");
        let write = |name: &str, text: &str| fs::write(root.join(name), text).about(|| name);
        let runs = || {
            let inputs = Inputs::default().path(&project, "src")?;
            let stage = Stage { name: "copy", hint: "", inputs, outputs: std::slice::from_ref(&output) };
            unless_done(&project, stage, || write("output", "done"))
        };

        write("src/a", "one")?;
        assert!(runs()?);
        assert!(!runs()?);
        write("src/a", "two")?;
        assert!(runs()?);
        fs::remove_file(&output).about(|| "output")?;
        assert!(runs()?);
        fs::remove_dir_all(&root).about(|| "temporary folder")
    }

    #[test]
    fn a_failure_says_which_step_and_why_and_what_to_do() {
        let project = Project { root: std::env::temp_dir(), target: std::env::temp_dir().join("gradscope-no-stamps") };
        let text = |work: &dyn Fn() -> Result<()>| {
            let outputs = [project.path("gradscope-missing")];
            let stage = Stage { name: "a step", hint: "mend it", inputs: Inputs::default(), outputs: &outputs };
            unless_done(&project, stage, work).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let program = |program: &str, argument: &str| {
            let command = || project.command(program);
            [text(&|| capture(command().arg(argument)).map(drop)), text(&|| run(command().arg(argument).stderr(Stdio::null())))]
        };
        for told in program("gradscope-no-such-program", "") {
            let why = "failed: a step\n   why: `gradscope-no-such-program` could not be started";
            assert!(told.starts_with(why) && told.contains("\n    do: install it"), "{told}");
        }
        for told in program("rustc", "--no-such-option") {
            let why = "failed: a step\n   why: `rustc --no-such-option` ended with exit";
            assert!(told.starts_with(why) && told.ends_with("\n    do: mend it"), "{told}");
        }
        let told = text(&|| Ok(()));
        assert!(told.starts_with("failed: a step\n   why: it left no ") && told.ends_with("\n    do: mend it"), "{told}");
    }
}
