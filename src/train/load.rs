//! Weights of one model for another: what has the same layer, role and shape is taken over.

use safetensors::{Dtype, SafeTensors};

use super::Session;
use super::snapshot::{OPTIMIZER, cells, unreadable};
use crate::backend::Backend;
use crate::error::Result;

wire! {
    /// What came of weights that were loaded.
    #[derive(Default)]
    pub struct LoadReport {
        /// Variables of the model that have new values now: `"embedding.embeddings"`.
        pub taken: Vec<String>,
        /// Tensors of the file that no variable of the model is called like.
        pub unknown: Vec<String>,
        /// Tensors of the file whose variable has another shape, or that are not of 32-bit floats.
        pub misshapen: Vec<String>,
        /// Variables of the model that the file says nothing of, and that stay as they were.
        pub missing: Vec<String>,
    }
}

impl<B: Backend> Session<B> {
    /// Takes over the tensors of a safetensors file, such as another session's [`Snapshot`](super::Snapshot), whose name (layer and role) and shape are
    /// those of a variable of this model, frozen or not, and whose cells are 32-bit floats. The others are reported. Step, epoch and the
    /// optimizer's memory stay. An error if the file cannot be read; nothing changes then.
    pub fn load(&mut self, file: &[u8]) -> Result<LoadReport> {
        let file = SafeTensors::deserialize(file).map_err(|error| unreadable(&error))?;
        let variables = self.variables().to_vec();
        let mut report = LoadReport::default();
        for (name, tensor) in file.iter().filter(|(name, _)| !name.starts_with(OPTIMIZER)) {
            let list = match variables.iter().find(|variable| variable.name == name) {
                Some(variable) if tensor.shape() == &variable.shape[..] && tensor.dtype() == Dtype::F32 => {
                    self.backend.write(variable.group, variable.offset, &cells(tensor.data()))?;
                    &mut report.taken
                }
                Some(_) => &mut report.misshapen,
                None => &mut report.unknown,
            };
            list.push(name.to_owned());
        }
        let is_missing = |name: &&String| !report.taken.contains(name) && !report.misshapen.contains(name);
        report.missing = variables.iter().map(|variable| &variable.name).filter(is_missing).cloned().collect();
        self.history.changed = true;
        self.team_is_behind = true;
        Ok(report)
    }
}
