//! Parameters by name, in Keras's layouts.

use super::Session;
use crate::backend::Backend;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Variable};

impl<B: Backend> Session<B> {
    pub(super) fn variables(&self) -> &[Variable] {
        self.training().map_or(&[], |compiled| compiled.built.graph.variables())
    }

    /// The trainable parameters, in layer order and Keras's order within a layer.
    pub fn parameters(&self) -> impl Iterator<Item = &Variable> {
        self.variables().iter().filter(|variable| variable.group == Group::Parameters)
    }

    /// How many numbers are trained.
    pub fn parameter_count(&self) -> usize {
        self.parameters().map(|variable| variable.shape.numel()).sum()
    }

    pub(super) fn named(&self, name: &str) -> Result<Variable> {
        let found = self.variables().iter().find(|variable| variable.name == name).cloned();
        found.ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"parameter"), ("got", &name)]))
    }

    /// Values of a parameter, frozen or not, or of a moving statistic.
    pub async fn parameter(&self, name: &str) -> Result<Vec<f32>> {
        let variable = self.named(name)?;
        let flat = self.backend.read(variable.group).await?;
        Ok(flat[variable.offset..variable.offset + variable.shape.numel()].to_vec())
    }

    /// Overwrites a parameter.
    pub fn set_parameter(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let variable = self.named(name)?;
        if values.len() != variable.shape.numel() {
            return Err(Error::new(
                ErrorCode::WrongLength,
                &[("what", &name), ("expected", &variable.shape.numel()), ("got", &values.len())],
            ));
        }
        self.history.changed = true;
        self.team_is_behind = true;
        self.backend.write(variable.group, variable.offset, values)
    }
}
