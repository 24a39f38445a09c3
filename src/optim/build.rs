//! The update as nodes over the flat vectors.

use super::spec::{Adam, AdamW, OptimizerSpec};
use crate::error::Result;
use crate::graph::{Group, NodeId, Phase, Target};
use crate::ops::Graph;

/// Appends the update of all parameters: reads the flat parameters, gradients and slots, and writes parameters and slots. Every variable
/// must have been declared. Numbers that may change from step to step are the graph's scalars (see [`scalars_at`]).
pub fn append(graph: &mut Graph, spec: &OptimizerSpec) -> Result<()> {
    spec.check()?;
    let phase = graph.enter_phase(Phase::Update);
    let layer = graph.enter_layer("");
    let built = update(graph, spec);
    graph.enter_phase(phase);
    graph.enter_layer(layer);
    built
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

fn update(graph: &mut Graph, spec: &OptimizerSpec) -> Result<()> {
    let first = scalars_at(spec, 0);
    let scalar = |graph: &mut Graph, name: &str| {
        let value = first.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, value)| *value);
        graph.scalar(name, value)
    };
    let learning_rate = scalar(graph, "learning_rate");
    let gradient = graph.flat(Group::Gradients);
    let gradient = clip(graph, spec, gradient)?;
    let mut parameters = graph.flat(Group::Parameters);
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
                let m = graph.flat(Group::Slot(0));
                let kept = graph.mul(m, momentum)?;
                let m = graph.sub(kept, step)?;
                graph.write(m, Target::Flat(Group::Slot(0)));
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
            let v = graph.flat(Group::Slot(1));
            let kept = graph.scale(v, rmsprop.rho as f32)?;
            let fresh = graph.scale(square, (1.0 - rmsprop.rho) as f32)?;
            let v = graph.add(kept, fresh)?;
            graph.write(v, Target::Flat(Group::Slot(1)));
            let epsilon = graph.constant(rmsprop.epsilon as f32);
            let shifted = graph.add(v, epsilon)?;
            let root = graph.sqrt(shifted)?;
            let step = graph.mul(gradient, learning_rate)?;
            let step = graph.div(step, root)?;
            if rmsprop.momentum.is_none() {
                graph.sub(parameters, step)?
            } else {
                let momentum = scalar(graph, "momentum");
                let m = graph.flat(Group::Slot(0));
                let kept = graph.mul(m, momentum)?;
                let m = graph.add(kept, step)?;
                graph.write(m, Target::Flat(Group::Slot(0)));
                graph.sub(parameters, m)?
            }
        }
        OptimizerSpec::Adam(Adam { beta_1, beta_2, epsilon, .. }) | OptimizerSpec::AdamW(AdamW { beta_1, beta_2, epsilon, .. }) => {
            let square = graph.mul(gradient, gradient)?;
            let m = approach(graph, Group::Slot(0), gradient, *beta_1)?;
            let v = approach(graph, Group::Slot(1), square, *beta_2)?;
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
    graph.write(new, Target::Flat(Group::Parameters));
    Ok(())
}

/// A running mean in a slot: s ← s + (x − s)(1 − β).
fn approach(graph: &mut Graph, slot: Group, x: NodeId, beta: f64) -> Result<NodeId> {
    let s = graph.flat(slot);
    let distance = graph.sub(x, s)?;
    let part = graph.scale(distance, (1.0 - beta) as f32)?;
    let s = graph.add(s, part)?;
    graph.rename(s, &format!("updated_{}", slot.name()));
    graph.write(s, Target::Flat(slot));
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
