//! Live values: one example goes forward, and everything watched lands in one flat buffer that is read at once.

use super::Session;
use super::inspect::find;
use super::session::Compiled;
use crate::backend::{Backend, Feed, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Initializer, Kind, Leaf, Target, VariableId};
use crate::plan::Mode;
use crate::tensor::Shape;

/// A forward plan for one example that gathers what is watched.
pub struct Watch<B: Backend> {
    compiled: Compiled<B>,
    names: Vec<String>,
    parts: Vec<(usize, Shape)>,
}

/// A watched value.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// As asked for.
    pub name: String,
    /// Without the batch axis.
    pub shape: Shape,
    /// Elements.
    pub values: Vec<f32>,
}

/// Name of the model's output among the watched.
const OUTPUT: &str = "output";

impl<B: Backend> Session<B> {
    /// Chooses what to watch: layers by name (their outputs) and parameters (`"conv2d.kernel"`). Nothing is computed until [`Session::look`].
    pub async fn watch(&mut self, names: &[String]) -> Result<()> {
        let mut built = self.settings.forward(1, None)?;
        let mut parts = Vec::new();
        built.graph.enter_layer("");
        for name in names.iter().map(String::as_str).chain([OUTPUT]) {
            let node = match name {
                OUTPUT => built.output,
                _ => find(&built.graph, &built.layers, name)?,
            };
            let whole = built.graph.shape(node).clone();
            // The batch axis goes; parameters and numbers have none.
            let is_leaf = matches!(built.graph.node(node).kind, Kind::Leaf(Leaf::Variable(_) | Leaf::Constant(_) | Leaf::Scalar(_)));
            let shape = match whole.split_first() {
                Some((1, example)) if !is_leaf => Shape::from(example),
                _ => whole.clone(),
            };
            let id = VariableId(built.graph.variables().len() as u32);
            built.graph.declare(&format!("live {name}"), whole, Group::Live, Initializer::Zeros);
            built.graph.write(node, Target::Variable(id));
            parts.push((built.graph.variable(id).offset, shape));
        }
        self.watch = None;
        self.backend.allocate(&[(Group::Live, built.graph.flat_len(Group::Live))])?;
        let compiled = self.compile(built, Mode::Train, &[], &[]).await?;
        self.watch = Some(Watch { compiled, names: names.to_vec(), parts });
        Ok(())
    }

    /// The watched values for one example, and the model's output.
    pub async fn look(&mut self, x: &[f32]) -> Result<(Vec<Watched>, Vec<f32>)> {
        let none = || Error::new(ErrorCode::WrongState, &[("what", &"look"), ("reason", &"nothing is watched")]);
        let mut watch = self.watch.take().ok_or_else(none)?;
        let ran = self.run_watch(&mut watch, x);
        let (names, parts) = (watch.names.clone(), watch.parts.clone());
        self.watch = Some(watch);
        ran?;
        let flat = self.backend.read(Group::Live).await?;
        let take = |(offset, shape): &(usize, Shape)| flat[*offset..offset + shape.numel()].to_vec();
        let output = parts.last().map(take).unwrap_or_default();
        let watched = names.into_iter().zip(&parts).map(|(name, part)| Watched { name, shape: part.1.clone(), values: take(part) });
        Ok((watched.collect(), output))
    }

    fn run_watch(&mut self, watch: &mut Watch<B>, x: &[f32]) -> Result<()> {
        // The same noise in every frame.
        let data = StepData { step: 0, ..self.step_data(&watch.compiled.built, Feed::Kept) };
        self.backend.write_input(&mut watch.compiled.exec, 0, x)?;
        self.backend.run(&mut watch.compiled.exec, &data, 0..watch.compiled.plan.steps.len())
    }
}
