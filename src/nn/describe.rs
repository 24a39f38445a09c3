//! A spec looked at without building a session: what the editor shows.

use super::build::{Assembly, Mode, Part, names};
use super::{LossSpec, ModelSpec};
use crate::error::{Error, Result};
use crate::graph::{Kind, Phase};
use crate::ops::Graph;
use crate::tensor::Meta;

wire! {
    /// One layer as the editor shows it.
    pub struct LayerDescription {
        /// `"conv2d_1"`.
        pub name: String,
        /// Keras's layer type: `"Conv2D"`.
        pub kind: String,
        /// Output shape of one example; none from the first impossible layer on.
        pub output_shape: Option<Vec<usize>>,
        /// Trainable parameters.
        pub parameters: usize,
        /// Numbers of a frozen layer, which nothing changes.
        pub frozen: usize,
        /// Why this layer is impossible.
        pub error: Option<Error>,
    }

    /// A model spec looked at without building a session.
    pub struct ModelDescription {
        /// Every layer, in order.
        pub layers: Vec<LayerDescription>,
        /// Trainable parameters in all.
        pub parameter_count: usize,
        /// Floating-point operations of one example, forward.
        pub flops_per_example: f64,
    }
}

/// Shapes and parameters of every layer up to the first impossible one, which carries its error; the layers after it are only named. An error
/// of the whole is one of the input.
pub fn describe(spec: &ModelSpec) -> Result<ModelDescription> {
    let mut assembly = Assembly::new(spec, 1, Mode::Infer, false)?;
    let mut layers = Vec::with_capacity(spec.layers.len());
    let mut possible = true;
    for (layer, name) in spec.layers.iter().zip(names(spec)) {
        let error = if possible { assembly.layer(&Part::of(layer, &name)).err() } else { None };
        possible &= error.is_none();
        let built = assembly.layers.last().filter(|_| possible);
        layers.push(LayerDescription {
            name,
            kind: layer.layer.kind().to_owned(),
            output_shape: built.map(|built| built.output_shape.clone()),
            parameters: built.map_or(0, |built| built.parameters),
            frozen: built.map_or(0, |built| built.frozen),
            error,
        });
    }
    let parameter_count = layers.iter().map(|layer| layer.parameters).sum();
    Ok(ModelDescription { layers, parameter_count, flops_per_example: flops(&assembly.graph) })
}

impl LossSpec {
    /// Why this loss cannot follow that model, if it cannot: what `build` would say.
    pub fn check(&self, spec: &ModelSpec) -> Result<()> {
        super::build(spec, 1, Mode::Infer, Some(self)).map(drop)
    }
}

fn flops(graph: &Graph) -> f64 {
    let forward = graph.nodes().iter().filter(|node| node.phase == Phase::Forward);
    let cost = forward.map(|node| match &node.kind {
        Kind::Op(op) => {
            let inputs: Vec<&Meta> = node.inputs.iter().map(|&input| &graph.node(input).meta).collect();
            op.cost(&inputs, &node.meta).flops
        }
        Kind::Leaf(_) => 0.0,
    });
    cost.sum()
}
