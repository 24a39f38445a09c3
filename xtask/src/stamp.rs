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

/// Runs `work` unless it was done before with the same inputs and left `outputs`. Returns whether it ran.
pub fn unless_done(project: &Project, name: &str, inputs: Inputs, outputs: &[PathBuf], work: impl FnOnce() -> Result<()>) -> Result<bool> {
    let stamp = project.target.join("xtask-stamps").join(name);
    let wanted = hex(&inputs.hash.finalize());
    if outputs.iter().all(|path| path.exists()) && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(false);
    }
    work().map_err(|error| error.during(name))?;
    if let Some(missing) = outputs.iter().find(|path| !path.exists()) {
        return Err(Error::new(format!("it left no {}", missing.display())).during(name));
    }
    fs::create_dir_all(stamp.parent().unwrap_or(Path::new("."))).about(|| stamp.display())?;
    write_whole(&stamp, wanted.as_bytes())?;
    Ok(true)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_again_only_when_an_input_changed_or_an_output_went() -> Result<()> {
        let root = std::env::temp_dir().join(format!("gradscope-stamp-{}", std::process::id()));
        fs::create_dir_all(root.join("src")).about(|| "temporary folder")?;
        let project = Project { root: root.clone(), target: root.join("target") };
        let output = root.join("output");
        let write = |name: &str, text: &str| fs::write(root.join(name), text).about(|| name);
        let runs = || {
            unless_done(&project, "copy", Inputs::default().path(&project, "src")?, std::slice::from_ref(&output), || {
                write("output", "done")
            })
        };

        write("src/a", "one")?;
        assert!(runs()?);
        assert!(!runs()?);
        write("src/a", "two")?;
        assert!(runs()?);
        fs::remove_file(&output).about(|| "output")?;
        assert!(runs()?);
        let useless = unless_done(&project, "nothing", Inputs::default(), &[root.join("missing")], || Ok(()));
        assert!(useless.is_err_and(|error| error.to_string().contains("missing")));
        fs::remove_dir_all(&root).about(|| "temporary folder")
    }
}
