//! What chosen layers put out, and what chosen nodes come to, for examples from outside; and what a generator makes.

use super::Session;
use super::inspect::find;
use super::session::Compiled;
use crate::backend::{Backend, Feed, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::nn::{Built, MIDDLE};
use crate::plan::Mode;

/// A forward plan for a batch of examples that keeps what some layers put out.
pub(super) struct Probe<B: Backend> {
    compiled: Compiled<B>,
    of: Asked,
    batch: usize,
    nodes: Vec<NodeId>,
    /// The column that is written, and the numbers of an example in it.
    column: usize,
    width: usize,
}

/// Layers that are asked about, and the one that the values stand behind, if they are no examples.
#[derive(Clone, PartialEq)]
struct Asked {
    layers: Vec<String>,
    from: Option<String>,
}

impl<B: Backend> Session<B> {
    /// The outputs of `layers`, by name, at the present parameters: of each layer `[N, ...]` for the N examples `x`. A node within a layer can be
    /// named as well (`"multi_head_attention/attention_weights"`). As in inference: nothing is dropped, and batch norm takes its averages. With `from`, `x` is what that layer puts out, and the layers must read nothing before it: the second
    /// half of an autoencoder draws what any code stands for.
    pub async fn activations(&mut self, layers: &[String], x: &[f32], from: Option<&str>) -> Result<Vec<Vec<f32>>> {
        let most = self.evaluation_batch();
        let of = Asked { layers: layers.to_vec(), from: from.map(str::to_owned) };
        let width = match from {
            None => self.example_width(),
            Some(name) => self.layer_width(name)?,
        };
        if x.is_empty() || !x.len().is_multiple_of(width) {
            let expected = format!("a multiple of {width}");
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &"activations"), ("expected", &expected), ("got", &x.len())]));
        }
        let mut probe = self.probe_of(of, most.min(x.len() / width)).await?;
        let data = self.step_data(&probe.compiled.built, Feed::Kept);
        let outputs = self.run_probe(&mut probe, x, data).await;
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
        let of = Asked { layers: vec![generator], from: None };
        let mut probe = self.probe_of(of, count.min(self.evaluation_batch())).await?;
        let data = StepData { seed, step: 0, ..self.step_data(&probe.compiled.built, Feed::Kept) };
        // The generator reads nothing of what the plan's input holds.
        let outputs = self.run_probe(&mut probe, &vec![0.0; count * self.example_width()], data).await;
        self.probe = Some(probe);
        outputs.map(|outputs| outputs.into_iter().flatten().collect())
    }

    /// Takes out the plan for so many examples that was used last, or makes a new one.
    async fn probe_of(&mut self, of: Asked, batch: usize) -> Result<Probe<B>> {
        if let Some(kept) = self.probe.take()
            && kept.of == of
            && kept.batch == batch
        {
            return Ok(kept);
        }
        let built = self.settings.forward(batch, of.from.as_deref())?;
        let nodes = of.layers.iter().map(|name| find(&built.graph, &built.layers, name)).collect::<Result<Vec<NodeId>>>()?;
        let (column, at) = match &of.from {
            None => (0, built.x),
            Some(from) => (MIDDLE, layer_of(&built, from)?),
        };
        if of.from.is_some() && reads(&built, &nodes) {
            let reason = "the layers read more than that layer";
            return Err(Error::new(ErrorCode::WrongState, &[("what", &"activations"), ("reason", &reason)]));
        }
        let width = built.graph.shape(at).numel() / batch;
        let compiled = self.compile(built, Mode::Train, &nodes, &[]).await?;
        Ok(Probe { compiled, of, batch, nodes, column, width })
    }

    /// Numbers of one example that a layer puts out.
    fn layer_width(&self, name: &str) -> Result<usize> {
        let layers = self.training().map_or(&[][..], |compiled| &compiled.built.layers);
        let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"layer"), ("got", &name)]);
        let layer = layers.iter().find(|layer| layer.name == name).ok_or_else(missing)?;
        Ok(layer.output_shape.iter().product())
    }

    /// Each batch draws its own noise.
    async fn run_probe(&mut self, probe: &mut Probe<B>, x: &[f32], mut data: StepData) -> Result<Vec<Vec<f32>>> {
        let &mut Probe { ref mut compiled, ref nodes, batch, column, width, .. } = probe;
        let mut outputs = vec![Vec::new(); nodes.len()];
        for examples in x.chunks(batch * width) {
            // A plan is for full batches: the last one is filled up, and what comes of that left out.
            let mut full = examples.to_vec();
            full.resize(batch * width, 0.0);
            self.backend.write_input(&mut compiled.exec, column, &full)?;
            self.backend.run(&mut compiled.exec, &data, 0..compiled.plan.steps.len())?;
            for (output, &node) in outputs.iter_mut().zip(nodes) {
                let values = self.value_of(compiled, &data, node).await?;
                output.extend_from_slice(&values[..values.len() / batch * (examples.len() / width)]);
            }
            data.step += 1;
        }
        Ok(outputs)
    }
}

fn layer_of(built: &Built, name: &str) -> Result<NodeId> {
    let layer = built.layers.iter().find(|layer| layer.name == name);
    let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"layer"), ("got", &name)]);
    layer.map(|layer| layer.output).ok_or_else(missing)
}

/// Whether any of the nodes is made of the examples.
fn reads(built: &Built, nodes: &[NodeId]) -> bool {
    let mut made = vec![false; built.graph.nodes().len()];
    for id in built.graph.ids() {
        made[id.index()] = id == built.x || built.graph.node(id).inputs.iter().any(|input| made[input.index()]);
    }
    nodes.iter().any(|node| made[node.index()])
}
