//! The update as nodes over the flat vectors.

use super::spec::{Adam, AdamW, OptimizerSpec};
use crate::error::Result;
use crate::graph::{Group, NodeId, Phase, Target};
use crate::ops::Graph;

/// A stretch of the flat vectors that an optimizer of its own updates.
pub struct Share<'a> {
    /// It.
    pub optimizer: &'a OptimizerSpec,
    /// What stands behind the names of its scalars, to tell them from another's: `"learning_rate:generator"`.
    pub suffix: &'a str,
    /// Where the stretch ends; it begins where the one before it does.
    pub end: usize,
}

/// Appends the update of all parameters: reads the flat parameters, gradients and slots, and writes parameters and slots. Every variable
/// must have been declared. Numbers that may change from step to step are the graph's scalars (see [`scalars_at`]).
pub fn append(graph: &mut Graph, spec: &OptimizerSpec) -> Result<()> {
    append_shares(graph, &[Share { optimizer: spec, suffix: "", end: graph.flat_len(Group::Parameters) }])
}

/// The same by several optimizers, each for its share; together they are the whole. A limit on the gradient's norm is one on the share's.
pub fn append_shares(graph: &mut Graph, shares: &[Share]) -> Result<()> {
    shares.iter().try_for_each(|share| share.optimizer.check())?;
    let phase = graph.enter_phase(Phase::Update);
    let layer = graph.enter_layer("");
    let built = updates(graph, shares);
    graph.enter_phase(phase);
    graph.enter_layer(layer);
    built
}

fn updates(graph: &mut Graph, shares: &[Share]) -> Result<()> {
    let starts = std::iter::once(0).chain(shares.iter().map(|share| share.end));
    let parts: Vec<Part> =
        starts.zip(shares).map(|(start, &Share { optimizer, suffix, end })| Part { optimizer, suffix, start, end }).collect();
    let updated = parts.iter().map(|part| update(graph, part)).collect::<Result<Vec<_>>>()?;
    for group in [Group::Slot(0), Group::Slot(1), Group::Parameters] {
        let of = |updated: &Vec<(Group, NodeId)>| updated.iter().find(|(of, _)| *of == group).map(|&(_, node)| node);
        let new: Vec<Option<NodeId>> = updated.iter().map(of).collect();
        let whole = match new[..] {
            [only] => only,
            _ if new.iter().all(Option::is_none) => None,
            _ => {
                // What an optimizer does not remember stays.
                let kept = |(new, part): (&Option<NodeId>, &Part)| new.map_or_else(|| part.of(graph, group), Ok);
                let pieces = new.iter().zip(&parts).map(kept).collect::<Result<Vec<_>>>()?;
                Some(graph.concat(&pieces, 0)?)
            }
        };
        if let Some(whole) = whole {
            graph.write(whole, Target::Flat(group));
        }
    }
    Ok(())
}

/// A share, with where it begins.
struct Part<'a> {
    optimizer: &'a OptimizerSpec,
    suffix: &'a str,
    start: usize,
    end: usize,
}

impl Part<'_> {
    /// The share of a flat vector.
    fn of(&self, graph: &mut Graph, group: Group) -> Result<NodeId> {
        let whole = graph.flat(group);
        match self.start == 0 && self.end == graph.flat_len(group) {
            true => Ok(whole),
            false => graph.slice_axis(whole, 0, self.start, self.end),
        }
    }
}

/// The value of each scalar of the optimizer at a step; the first step is 0.
pub fn scalars_at(spec: &OptimizerSpec, step: usize) -> Vec<(&'static str, f32)> {
    let mut scalars = vec![("learning_rate", spec.learning_rate().at(step) as f32)];
    scalars.extend(spec.weight_decay().map(|decay| ("weight_decay", decay as f32)));
    scalars.extend(spec.momentum().map(|momentum| ("momentum", momentum as f32)));
    if let OptimizerSpec::Adam(Adam { beta_1, beta_2, .. }) | OptimizerSpec::AdamW(AdamW { beta_1, beta_2, .. }) = spec {
        let t = (step + 1) as f64;
        let correction = (1.0 - beta_2.powf(t)).sqrt() / (1.0 - beta_1.powf(t));
        scalars.push(("adam_correction", correction as f32));
    }
    scalars
}

/// The new values of the share of each flat vector that changes.
fn update(graph: &mut Graph, part: &Part) -> Result<Vec<(Group, NodeId)>> {
    let spec = part.optimizer;
    let first = scalars_at(spec, 0);
    let scalar = |graph: &mut Graph, name: &str| {
        let value = first.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, value)| *value);
        graph.scalar(&format!("{name}{}", part.suffix), value)
    };
    let mut updated = Vec::new();
    let learning_rate = scalar(graph, "learning_rate");
    let gradient = part.of(graph, Group::Gradients)?;
    let gradient = clip(graph, spec, gradient)?;
    let mut parameters = part.of(graph, Group::Parameters)?;
    if spec.weight_decay().is_some() {
        let decay = scalar(graph, "weight_decay");
        let decay = graph.mul(parameters, decay)?;
        let decay = graph.mul(decay, learning_rate)?;
        parameters = graph.sub(parameters, decay)?;
    }
    let new = match spec {
        OptimizerSpec::Sgd(sgd) => {
            let step = graph.mul(gradient, learning_rate)?;
            if sgd.momentum.is_none() {
                graph.sub(parameters, step)?
            } else {
                let momentum = scalar(graph, "momentum");
                let m = part.of(graph, Group::Slot(0))?;
                let kept = graph.mul(m, momentum)?;
                let m = graph.sub(kept, step)?;
                updated.push((Group::Slot(0), m));
                if sgd.nesterov {
                    let ahead = graph.mul(m, momentum)?;
                    let ahead = graph.sub(ahead, step)?;
                    graph.add(parameters, ahead)?
                } else {
                    graph.add(parameters, m)?
                }
            }
        }
        OptimizerSpec::RmsProp(rmsprop) => {
            let square = graph.mul(gradient, gradient)?;
            let v = part.of(graph, Group::Slot(1))?;
            let kept = graph.scale(v, rmsprop.rho as f32)?;
            let fresh = graph.scale(square, (1.0 - rmsprop.rho) as f32)?;
            let v = graph.add(kept, fresh)?;
            updated.push((Group::Slot(1), v));
            let epsilon = graph.constant(rmsprop.epsilon as f32);
            let shifted = graph.add(v, epsilon)?;
            let root = graph.sqrt(shifted)?;
            let step = graph.mul(gradient, learning_rate)?;
            let step = graph.div(step, root)?;
            if rmsprop.momentum.is_none() {
                graph.sub(parameters, step)?
            } else {
                let momentum = scalar(graph, "momentum");
                let m = part.of(graph, Group::Slot(0))?;
                let kept = graph.mul(m, momentum)?;
                let m = graph.add(kept, step)?;
                updated.push((Group::Slot(0), m));
                graph.sub(parameters, m)?
            }
        }
        OptimizerSpec::Adam(Adam { beta_1, beta_2, epsilon, .. }) | OptimizerSpec::AdamW(AdamW { beta_1, beta_2, epsilon, .. }) => {
            let square = graph.mul(gradient, gradient)?;
            let m = approach(graph, part, Group::Slot(0), gradient, *beta_1)?;
            let v = approach(graph, part, Group::Slot(1), square, *beta_2)?;
            updated.extend([(Group::Slot(0), m), (Group::Slot(1), v)]);
            let root = graph.sqrt(v)?;
            let epsilon = graph.constant(*epsilon as f32);
            let root = graph.add(root, epsilon)?;
            let correction = scalar(graph, "adam_correction");
            let step = graph.mul(m, learning_rate)?;
            let step = graph.mul(step, correction)?;
            let step = graph.div(step, root)?;
            graph.sub(parameters, step)?
        }
    };
    graph.rename(new, "updated_parameters");
    updated.push((Group::Parameters, new));
    Ok(updated)
}

/// A running mean in a slot: s ← s + (x − s)(1 − β).
fn approach(graph: &mut Graph, part: &Part, slot: Group, x: NodeId, beta: f64) -> Result<NodeId> {
    let s = part.of(graph, slot)?;
    let distance = graph.sub(x, s)?;
    let fresh = graph.scale(distance, (1.0 - beta) as f32)?;
    let s = graph.add(s, fresh)?;
    graph.rename(s, &format!("updated_{}", slot.name()));
    Ok(s)
}

/// The gradient within its limits. Padding of the flat vector is 0 and adds nothing to the norm.
fn clip(graph: &mut Graph, spec: &OptimizerSpec, gradient: NodeId) -> Result<NodeId> {
    let limits = spec.clipping();
    if let Some(limit) = limits.by_value {
        let high = graph.constant(limit as f32);
        let low = graph.constant(-limit as f32);
        let below = graph.minimum(gradient, high)?;
        return graph.maximum(below, low);
    }
    let Some(limit) = limits.by_norm else { return Ok(gradient) };
    let square = graph.mul(gradient, gradient)?;
    let sum = graph.sum(square, &[0], false)?;
    let norm = graph.sqrt(sum)?;
    graph.rename(norm, "gradient_norm");
    let one = graph.constant(1.0);
    let inverse = graph.div(one, norm)?;
    let most = graph.constant((1.0 / limit) as f32);
    let factor = graph.minimum(inverse, most)?;
    let factor = graph.scale(factor, limit as f32)?;
    graph.mul(gradient, factor)
}

/// The expected numbers are those of Keras 3.15 itself, on the same three parameters and four gradients.
#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::graph::{Initializer, Leaf};
    use crate::ops::CpuCx;
    use crate::ops::eval::evaluate;

    const GRADIENTS: [[f32; 3]; 4] = [[0.1, -0.5, 2.0], [0.3, 0.2, -1.0], [-0.2, 0.4, 0.0], [0.05, -0.1, 3.0]];

    /// The parameters after each step, from [1, -2, 0.5].
    fn run(spec: Value) -> Vec<[f32; 3]> {
        let spec = OptimizerSpec::from_json(&spec).expect("a good spec");
        let mut graph = Graph::default();
        graph.declare("w", [3], Group::Parameters, Initializer::Zeros);
        append(&mut graph, &spec).expect("an update");
        let len = graph.flat_len(Group::Parameters);
        let mut flat: HashMap<Group, Vec<f32>> = HashMap::new();
        let padded = |values: [f32; 3]| values.into_iter().chain(std::iter::repeat(0.0)).take(len).collect::<Vec<f32>>();
        flat.insert(Group::Parameters, padded([1.0, -2.0, 0.5]));
        let mut parameters = Vec::new();
        for (step, gradient) in GRADIENTS.into_iter().enumerate() {
            flat.insert(Group::Gradients, padded(gradient));
            let scalars = scalars_at(&spec, step);
            let values = evaluate(&graph, &mut CpuCx::default(), |_, leaf| match leaf {
                Leaf::Flat(group) => flat.get(group).cloned().unwrap_or_else(|| vec![0.0; len]),
                Leaf::Scalar(index) => {
                    let (name, _) = &graph.scalars()[*index];
                    vec![scalars.iter().find(|(known, _)| known == name).expect("a value for each scalar").1]
                }
                _ => vec![0.0; graph.variables()[0].shape.numel()],
            });
            for &(node, target) in graph.writes() {
                let Target::Flat(group) = target else { panic!("an optimizer writes whole buffers") };
                flat.insert(group, values[node.index()].clone());
            }
            let new = &flat[&Group::Parameters];
            assert!(new[3..].iter().all(|padding| *padding == 0.0), "padding stays 0: {new:?}");
            parameters.push([new[0], new[1], new[2]]);
        }
        parameters
    }

    fn agree(spec: Value, keras: [[f32; 3]; 4]) {
        for (step, (ours, theirs)) in run(spec.clone()).iter().zip(&keras).enumerate() {
            for (a, b) in ours.iter().zip(theirs) {
                assert!((a - b).abs() <= 1e-6 * b.abs().max(0.1), "{spec}: step {step}: {ours:?}, Keras {theirs:?}");
            }
        }
    }

    #[test]
    fn sgd_agrees_with_keras() {
        agree(json!("SGD"), [[0.999, -1.995, 0.48], [0.996, -1.997, 0.49], [0.998, -2.001, 0.49], [0.9975, -2.0, 0.46]]);
        agree(
            json!({ "type": "SGD", "learning_rate": 0.1, "momentum": 0.9 }),
            [[0.99, -1.95, 0.3], [0.951, -1.925, 0.22], [0.9359, -1.9425, 0.148], [0.9173101, -1.9482502, -0.2168]],
        );
        agree(
            json!({ "type": "SGD", "learning_rate": 0.1, "momentum": 0.9, "nesterov": true }),
            [[0.981, -1.905, 0.12], [0.9159, -1.9025, 0.148], [0.92231, -1.95825, 0.0832], [0.900579, -1.953425, -0.54512]],
        );
        agree(
            json!({ "type": "SGD", "learning_rate": 0.1, "weight_decay": 0.01 }),
            [[0.989, -1.948, 0.2995], [0.958011, -1.966052, 0.3992005], [0.977053, -2.004086, 0.3988013], [0.971076, -1.992082, 0.0984025]],
        );
    }

    #[test]
    fn a_momentum_of_0_is_plain_descent() {
        assert_eq!(run(json!({ "type": "SGD", "momentum": 0.0 })), run(json!("SGD")));
    }

    #[test]
    fn rmsprop_agrees_with_keras() {
        agree(
            json!("RMSprop"),
            [
                [0.9968379, -1.9968377, 0.4968377],
                [0.9938228, -1.9980663, 0.4983121],
                [0.9955829, -2.00007, 0.4983121],
                [0.995124, -1.9995493, 0.4956528],
            ],
        );
        agree(
            json!({ "type": "RMSprop", "learning_rate": 0.01, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-3 }),
            [
                [0.9817426, -1.9778596, 0.4776533],
                [0.9517118, -1.9758245, 0.4773843],
                [0.9494273, -1.9897765, 0.4772499],
                [0.9447881, -1.9926467, 0.4575651],
            ],
        );
    }

    #[test]
    fn adam_agrees_with_keras() {
        agree(
            json!("adam"),
            [
                [0.999, -1.999, 0.499],
                [0.9980822, -1.9986545, 0.4987337],
                [0.9978243, -1.9988213, 0.4985278],
                [0.9975379, -1.9988706, 0.4979609],
            ],
        );
        agree(
            json!({ "type": "Adam", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.01 }),
            [
                [0.9240253, -1.9059484, 0.4015565],
                [0.8399867, -1.8779186, 0.380445],
                [0.8220381, -1.9023453, 0.3647725],
                [0.7997918, -1.9113928, 0.3057046],
            ],
        );
        agree(
            json!({ "type": "AdamW", "learning_rate": 0.01 }),
            [
                [0.9899604, -1.9899201, 0.4899801],
                [0.9807432, -1.9863845, 0.4872971],
                [0.9781249, -1.9879726, 0.4852189],
                [0.9752215, -1.9883863, 0.4795309],
            ],
        );
    }

    #[test]
    fn clipping_agrees_with_keras() {
        agree(
            json!({ "type": "SGD", "learning_rate": 0.1, "global_clipnorm": 1 }),
            [
                [0.995155, -1.9757749, 0.4030997],
                [0.9669334, -1.9945893, 0.4971718],
                [0.9869334, -2.0345893, 0.4971718],
                [0.9852678, -2.0312583, 0.3972411],
            ],
        );
        agree(
            json!({ "type": "SGD", "learning_rate": 0.1, "clipvalue": 0.25 }),
            [[0.99, -1.975, 0.475], [0.965, -1.995, 0.5], [0.985, -2.02, 0.5], [0.98, -2.01, 0.475]],
        );
    }

    #[test]
    fn a_schedule_agrees_with_keras() {
        let cosine = json!({
            "type": "CosineDecay", "initial_learning_rate": 0, "decay_steps": 4, "alpha": 0.1, "warmup_target": 0.2, "warmup_steps": 2
        });
        agree(
            json!({ "type": "SGD", "learning_rate": cosine }),
            [[1.0, -2.0, 0.5], [0.97, -2.02, 0.6], [1.01, -2.1, 0.6], [1.001318, -2.0826359, 0.0790811]],
        );
    }
}
