//! Values and gradients of single nodes, from the plan that keeps them all.

use std::rc::Rc;

use super::Session;
use super::session::{Compiled, TRAIN};
use crate::backend::{Backend, Feed, StepData};
use crate::data::Split;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{NodeId, Phase};
use crate::plan::{Operand, Step};
use crate::tensor::Shape;

impl<B: Backend> Session<B> {
    /// The value of a node, or the loss's gradient with respect to it, in the batch last stepped (the first one before any step), at the
    /// present parameters. Nothing is updated.
    pub async fn read_node(&mut self, name: &str, gradient: bool) -> Result<(Shape, Vec<f32>)> {
        let (compiled, data) = self.pass().await?;
        let graph = &compiled.built.graph;
        let found = find(graph, &compiled.built.layers, name).and_then(|node| match gradient {
            false => Ok(node),
            true => graph.gradient_of(node).ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"gradient"), ("got", &name)])),
        });
        let read = match found {
            Ok(node) => self.value_of(&compiled, &data, node).await.map(|value| (graph.shape(node).clone(), value)),
            Err(error) => Err(error),
        };
        self.inspect = Some(compiled);
        read
    }

    /// Runs the plan that keeps every value over exactly the examples of the batch last stepped, fewer at the end of an epoch, without what
    /// updates anything. The caller puts it back to `self.inspect` when it has read what it wants.
    pub(super) async fn pass(&mut self) -> Result<(Compiled<B>, StepData)> {
        if self.last_rows.is_empty() {
            self.last_rows = self.rows_of(Split::Train, 0..self.settings.batch_size).1;
        }
        let rows = self.last_rows.clone();
        let mut compiled = self.inspector(rows.len()).await?;
        let data = self.step_data(&compiled.built, Feed::Rows { part: TRAIN, rows });
        let ran = self.run_without_updates(&mut compiled, &data);
        match ran {
            Ok(()) => Ok((compiled, data)),
            Err(error) => {
                self.inspect = Some(compiled);
                Err(error)
            }
        }
    }

    fn run_without_updates(&mut self, compiled: &mut Compiled<B>, data: &StepData) -> Result<()> {
        // Batch norm updates its averages in mid-pass: what updates anything is left out, wherever it stands.
        let is_update = |node: &NodeId| compiled.built.graph.node(*node).phase == Phase::Update;
        let updates = |step: &Step| step.nodes.is_empty() || step.nodes.iter().any(is_update);
        let plan = Rc::clone(&compiled.plan);
        let mut start = 0;
        for steps in plan.steps.chunk_by(|a, b| updates(a) == updates(b)) {
            let range = start..start + steps.len();
            start = range.end;
            if !updates(&steps[0]) {
                self.backend.run(&mut compiled.exec, data, range)?;
            }
        }
        Ok(())
    }

    /// Every element of a node after a run; an error if the plan did not keep it.
    pub(super) async fn value_of(&self, compiled: &Compiled<B>, data: &StepData, node: NodeId) -> Result<Vec<f32>> {
        let node_name = || compiled.built.graph.node(node).name.clone();
        match compiled.plan.place(node) {
            Some(Operand::Memory(place)) => self.backend.read_place(&compiled.exec, place).await,
            Some(Operand::Constant(number)) => Ok(vec![number; compiled.built.graph.shape(node).numel()]),
            Some(Operand::Scalar(index)) => Ok(vec![data.scalars[index]]),
            None => Err(Error::new(ErrorCode::UnknownName, &[("kind", &"value"), ("got", &node_name())])),
        }
    }
}

/// A node by its own name, or the output of the layer of that name.
pub(super) fn find(graph: &crate::ops::Graph, layers: &[crate::nn::BuiltLayer], name: &str) -> Result<NodeId> {
    let layer = layers.iter().find(|layer| layer.name == name).map(|layer| layer.output);
    let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"node"), ("got", &name)]);
    layer.or_else(|| graph.find(name)).ok_or_else(missing)
}
