//! Reverse-mode differentiation from graph to graph: appends backward nodes, each linked to the forward node whose rule made it.

mod join;

use std::collections::HashMap;
use std::ops::Range;

use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Kind, Leaf, NodeId, Phase};
use crate::ops::{GradCx, Graph};
use crate::tensor::DType;

/// Appends the gradient of the scalar `loss` with respect to each of `wanted`; none where the loss does not depend on it.
pub fn backward(graph: &mut Graph, loss: NodeId, wanted: &[NodeId]) -> Result<Vec<Option<NodeId>>> {
    if graph.shape(loss).numel() != 1 {
        return Err(Error::new(ErrorCode::BadShape, &[("op", &"backward"), ("expected", &"a scalar loss"), ("got", graph.shape(loss))]));
    }
    let needed = needed(graph, loss, wanted);
    let mut partials: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    let mut gradients: HashMap<NodeId, NodeId> = HashMap::new();
    let former = graph.enter_phase(Phase::Backward { of: loss });
    let seed = graph.constant(1.0);
    let shape = graph.shape(loss).clone();
    let seed = graph.reshape(seed, shape)?;
    partials.insert(loss, vec![seed]);
    for index in (0..=loss.0).rev() {
        let id = NodeId(index);
        let (Some(parts), true) = (partials.remove(&id), needed[id.index()]) else { continue };
        let (layer, time_step) = (graph.node(id).layer.clone(), graph.node(id).time_step);
        graph.enter_phase(Phase::Backward { of: id });
        let outer = graph.enter_layer(layer);
        graph.enter_time_step(time_step);
        let dy = join::total(graph, &parts)?;
        gradients.insert(id, dy);
        if let Kind::Op(op) = graph.node(id).kind.clone() {
            let inputs = graph.node(id).inputs.clone();
            let own = op.grad(&mut GradCx { graph, inputs: &inputs, out: id, dy })?;
            for (input, partial) in inputs.into_iter().zip(own) {
                let Some(partial) = partial.filter(|_| needed[input.index()]) else { continue };
                join::gather(graph, partials.entry(input).or_default(), partial)?;
            }
        }
        graph.enter_layer(outer);
    }
    graph.enter_phase(former);
    for (&node, &gradient) in &gradients {
        graph.set_gradient_of(node, gradient, loss);
    }
    Ok(wanted.iter().map(|id| gradients.get(id).copied()).collect())
}

/// Which nodes lie on a path from a wanted node to the loss.
fn needed(graph: &Graph, loss: NodeId, wanted: &[NodeId]) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes().len()];
    for &id in wanted.iter().filter(|&&id| graph.node(id).meta.dtype == DType::F32) {
        needed[id.index()] = true;
    }
    for id in graph.ids().take(loss.index() + 1) {
        if graph.node(id).inputs.iter().any(|input| needed[input.index()]) {
            needed[id.index()] = true;
        }
    }
    needed
}

/// Appends the gradients of every trainable variable that has a node, and records them in the graph.
pub fn differentiate(graph: &mut Graph, loss: NodeId) -> Result<()> {
    differentiate_with(graph, loss, &[])
}

/// The same, and the gradients of `others` beside: of an input, to see what in it matters.
pub fn differentiate_with(graph: &mut Graph, loss: NodeId, others: &[NodeId]) -> Result<()> {
    let all = 0..graph.variables().len();
    differentiate_those(graph, loss, all, others)
}

/// The same, of the trainable ones among some variables alone, in the order of their making: where several losses share a graph, each has its own.
pub fn differentiate_those(graph: &mut Graph, loss: NodeId, variables: Range<usize>, others: &[NodeId]) -> Result<()> {
    let trainable: Vec<(NodeId, crate::graph::VariableId)> = graph
        .ids()
        .filter_map(|id| match graph.node(id).kind {
            Kind::Leaf(Leaf::Variable(variable)) if variables.contains(&(variable.0 as usize)) => Some((id, variable)),
            _ => None,
        })
        .filter(|&(_, variable)| graph.variable(variable).group == crate::graph::Group::Parameters)
        .collect();
    let nodes: Vec<NodeId> = trainable.iter().map(|&(id, _)| id).chain(others.iter().copied()).collect();
    let gradients = backward(graph, loss, &nodes)?;
    for ((_, variable), gradient) in trainable.into_iter().zip(gradients) {
        if let Some(gradient) = gradient {
            graph.set_gradient(variable, gradient);
        }
    }
    Ok(())
}
