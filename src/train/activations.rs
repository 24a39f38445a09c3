//! What chosen layers put out, and what chosen nodes come to, for examples from outside.

use super::Session;
use super::inspect::find;
use super::session::Compiled;
use crate::backend::{Backend, Feed};
use crate::error::Result;
use crate::graph::NodeId;
use crate::nn;
use crate::plan::Mode;

/// A forward plan for a batch of examples that keeps what some layers put out.
pub(super) struct Probe<B: Backend> {
    compiled: Compiled<B>,
    layers: Vec<String>,
    nodes: Vec<NodeId>,
}

impl<B: Backend> Session<B> {
    /// The outputs of `layers`, by name, at the present parameters: of each layer `[N, ...]` for the N examples `x`. A node within a layer can be
    /// named as well (`"multi_head_attention/attention_weights"`). As in inference: nothing is dropped, and batch norm takes its averages.
    pub async fn activations(&mut self, layers: &[String], x: &[f32]) -> Result<Vec<Vec<f32>>> {
        let batch = self.examples_in("activations", x)?.min(self.evaluation_batch());
        let mut probe = match self.probe.take() {
            Some(kept) if kept.layers == layers && kept.compiled.built.graph.shape(kept.compiled.built.x)[0] == batch => kept,
            _ => self.probe_of(layers, batch).await?,
        };
        let outputs = self.run_probe(&mut probe, batch, x).await;
        self.probe = Some(probe);
        outputs
    }

    async fn probe_of(&mut self, layers: &[String], batch: usize) -> Result<Probe<B>> {
        let built = nn::build(&self.settings.model, batch, nn::Mode::Infer, None)?;
        let nodes = layers.iter().map(|name| find(&built.graph, &built.layers, name)).collect::<Result<Vec<NodeId>>>()?;
        let compiled = self.compile(built, Mode::Train, &nodes, &[]).await?;
        Ok(Probe { compiled, layers: layers.to_vec(), nodes })
    }

    async fn run_probe(&mut self, probe: &mut Probe<B>, batch: usize, x: &[f32]) -> Result<Vec<Vec<f32>>> {
        let Probe { compiled, nodes, .. } = probe;
        let width = self.example_width();
        let data = self.step_data(&compiled.built, Feed::Kept);
        let mut outputs = vec![Vec::new(); nodes.len()];
        for examples in x.chunks(batch * width) {
            // A plan is for full batches: the last one is filled up, and what comes of that left out.
            let mut full = examples.to_vec();
            full.resize(batch * width, 0.0);
            self.backend.write_input(&mut compiled.exec, 0, &full)?;
            self.backend.run(&mut compiled.exec, &data, 0..compiled.plan.steps.len())?;
            for (output, &node) in outputs.iter_mut().zip(nodes.iter()) {
                let values = self.value_of(compiled, &data, node).await?;
                output.extend_from_slice(&values[..values.len() / batch * (examples.len() / width)]);
            }
        }
        Ok(outputs)
    }
}
