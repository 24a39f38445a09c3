//! What chosen layers put out for examples from outside, and what a generator makes.

use super::Session;
use super::session::Compiled;
use crate::backend::{Backend, Feed, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::plan::Mode;

/// A forward plan for a batch of examples that keeps what some layers put out.
pub(super) struct Probe<B: Backend> {
    compiled: Compiled<B>,
    layers: Vec<String>,
    nodes: Vec<NodeId>,
}

impl<B: Backend> Session<B> {
    /// The outputs of `layers`, by name, at the present parameters: of each layer `[N, ...]` for the N examples `x`. As in inference: nothing
    /// is dropped, and batch norm takes its averages.
    pub async fn activations(&mut self, layers: &[String], x: &[f32]) -> Result<Vec<Vec<f32>>> {
        let batch = self.examples_in("activations", x)?.min(self.evaluation_batch());
        let mut probe = self.probe_of(layers, batch).await?;
        let data = self.step_data(&probe.compiled.built, Feed::Kept);
        let outputs = self.run_probe(&mut probe, batch, x, data).await;
        self.probe = Some(probe);
        outputs
    }

    /// `count` examples that the generator makes at the present parameters, from the noise of a seed: the same noise each time, and of fewer examples
    /// the first of more. As in inference.
    pub async fn sample(&mut self, count: usize, seed: u32) -> Result<Vec<f32>> {
        const MOST: usize = 1 << 12;
        let none = || Error::new(ErrorCode::WrongState, &[("what", &"sample"), ("reason", &"the model has no generator")]);
        let generator = self.settings.loss.adversarial().ok_or_else(none)?.generator.clone();
        if count == 0 || count > MOST {
            return Err(super::session::bad("count", &format!("between 1 and {MOST}"), &count));
        }
        let batch = count.min(self.evaluation_batch());
        let mut probe = self.probe_of(&[generator], batch).await?;
        let data = StepData { seed, step: 0, ..self.step_data(&probe.compiled.built, Feed::Kept) };
        // The generator reads nothing of what the plan's input holds.
        let outputs = self.run_probe(&mut probe, batch, &vec![0.0; count * self.example_width()], data).await;
        self.probe = Some(probe);
        outputs.map(|outputs| outputs.into_iter().flatten().collect())
    }

    /// Takes out the plan for so many examples that was used last, or makes a new one.
    async fn probe_of(&mut self, layers: &[String], batch: usize) -> Result<Probe<B>> {
        if let Some(kept) = self.probe.take()
            && kept.layers == layers
            && kept.compiled.built.graph.shape(kept.compiled.built.x)[0] == batch
        {
            return Ok(kept);
        }
        let built = self.settings.forward(batch)?;
        let output = |name: &String| {
            let layer = built.layers.iter().find(|layer| layer.name == *name);
            let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"layer"), ("got", name)]);
            layer.map(|layer| layer.output).ok_or_else(missing)
        };
        let nodes = layers.iter().map(output).collect::<Result<Vec<NodeId>>>()?;
        let compiled = self.compile(built, Mode::Train, &nodes, &[]).await?;
        Ok(Probe { compiled, layers: layers.to_vec(), nodes })
    }

    /// Each batch draws its own noise.
    async fn run_probe(&mut self, probe: &mut Probe<B>, batch: usize, x: &[f32], mut data: StepData) -> Result<Vec<Vec<f32>>> {
        let Probe { compiled, nodes, .. } = probe;
        let width = self.example_width();
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
            data.step += 1;
        }
        Ok(outputs)
    }
}
