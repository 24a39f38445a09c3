//! Values and gradients of single nodes, from the plan that keeps them all.

use std::rc::Rc;

use super::Session;
use super::session::TRAIN;
use crate::backend::{Backend, Feed};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{NodeId, Phase};
use crate::plan::{Operand, Step};
use crate::tensor::Shape;

impl<B: Backend> Session<B> {
    /// The value of a node, or the loss's gradient with respect to it, in the batch last stepped (the first one before any step), at the
    /// present parameters. Nothing is updated.
    pub async fn read_node(&mut self, name: &str, gradient: bool) -> Result<(Shape, Vec<f32>)> {
        if self.last_rows.len() != self.settings.batch_size {
            self.last_rows = (0..self.settings.batch_size as u32).collect();
        }
        let rows = self.last_rows.clone();
        self.inspector().await?;
        let Some(mut compiled) = self.inspect.take() else { return Ok((Shape::scalar(), Vec::new())) };
        let data = self.step_data(&compiled.built, Feed::Rows { part: TRAIN, rows });
        // Batch norm updates its averages in mid-pass: what updates anything is left out, wherever it stands.
        let is_update = |node: &NodeId| compiled.built.graph.node(*node).phase == Phase::Update;
        let updates = |step: &Step| step.nodes.is_empty() || step.nodes.iter().any(is_update);
        let plan = Rc::clone(&compiled.plan);
        let mut ran = Ok(());
        let mut start = 0;
        for steps in plan.steps.chunk_by(|a, b| updates(a) == updates(b)) {
            let range = start..start + steps.len();
            start = range.end;
            if ran.is_ok() && !updates(&steps[0]) {
                ran = self.backend.run(&mut compiled.exec, &data, range);
            }
        }
        let graph = &compiled.built.graph;
        let found = find(graph, &compiled.built.layers, name).and_then(|node| match gradient {
            false => Ok(node),
            true => graph.gradient_of(node).ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"gradient"), ("got", &name)])),
        });
        let value = match (&ran, &found) {
            (Ok(()), Ok(node)) => match compiled.plan.place(*node) {
                Some(Operand::Memory(place)) => self.backend.read_place(&compiled.exec, place).await,
                Some(Operand::Constant(number)) => Ok(vec![number; graph.shape(*node).numel()]),
                Some(Operand::Scalar(index)) => Ok(vec![data.scalars[index]]),
                None => Err(Error::new(ErrorCode::UnknownName, &[("kind", &"value"), ("got", &name)])),
            },
            _ => Ok(Vec::new()),
        };
        let shape = found.as_ref().map(|&node| graph.shape(node).clone()).unwrap_or_default();
        self.inspect = Some(compiled);
        ran?;
        found?;
        Ok((shape, value?))
    }
}

/// A node by its own name, or the output of the layer of that name.
pub(super) fn find(graph: &crate::ops::Graph, layers: &[crate::nn::BuiltLayer], name: &str) -> Result<NodeId> {
    let layer = layers.iter().find(|layer| layer.name == name).map(|layer| layer.output);
    let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"node"), ("got", &name)]);
    layer.or_else(|| graph.find(name)).ok_or_else(missing)
}
