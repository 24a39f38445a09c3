//! The loss around one element: the forward pass again, in double precision and by other code than the engine's.

use std::collections::HashMap;

use super::{Lane, Nudge, Trace, lane_of, refused};
use crate::backend::Backend;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Kind, NodeId};
use crate::ops::{CpuCx, View};
use crate::tensor::DType;

/// Step for an element of magnitude 1: small enough to cross few kinks, large enough for the difference to be exact in double precision.
const EPSILON: f64 = 1e-5;
/// Slopes on both sides that differ by a larger share belong to a kink.
const BEND: f64 = 0.01;

/// Forward values by node, in double precision.
type Values = HashMap<NodeId, Vec<f64>>;

/// The value of a scalar.
fn only(values: &Values, node: NodeId) -> f64 {
    values.get(&node).and_then(|values| values.first()).copied().unwrap_or(f64::NAN)
}

impl<B: Backend> Trace<B> {
    /// The loss with an element moved by ±ε, beside the gradient that the engine computed for it.
    pub async fn nudge(&mut self, backend: &B, node: usize, element: usize, epsilon: Option<f64>) -> Result<Nudge> {
        let id = self.element(node, element)?;
        let graph = &self.plan.graph;
        if lane_of(graph, id) != Lane::Forward || graph.node(id).meta.dtype != DType::F32 {
            return Err(refused("nudge", "the loss does not depend on this value in the forward pass"));
        }
        let bad = |got: f64| Error::new(ErrorCode::BadValue, &[("name", &"epsilon"), ("expected", &"above 0"), ("got", &got)]);
        if let Some(epsilon) = epsilon.filter(|&epsilon| epsilon <= 0.0 || !epsilon.is_finite()) {
            return Err(bad(epsilon));
        }
        // Where several losses share the graph, the one that the gradient is of.
        let loss = graph.loss_of(id).unwrap_or(self.loss);
        let gradient = match graph.gradient_of(id).filter(|&gradient| self.is_known(gradient)) {
            Some(gradient) => self.value(backend, gradient).await?.get(element).map(|&value| f64::from(value)),
            None => None,
        };
        let needed = self.needed_for(loss);
        let mut base = Values::new();
        for &leaf in &needed {
            if !matches!(self.plan.graph.node(leaf).kind, Kind::Op(_)) {
                let values = self.value(backend, leaf).await?;
                base.insert(leaf, values.iter().map(|&value| f64::from(value)).collect());
            }
        }
        self.forward(&needed, &Values::new(), &mut base, None);
        let value = base.get(&id).and_then(|values| values.get(element)).copied();
        let value = value.ok_or_else(|| refused("nudge", "the loss does not depend on this value in the forward pass"))?;
        let epsilon = epsilon.unwrap_or(EPSILON * value.abs().max(1.0));
        let at = only(&base, loss);
        let moved = |by: f64| {
            let mut own = base.get(&id).cloned().unwrap_or_default();
            own[element] += by;
            let mut values = Values::from([(id, own)]);
            self.forward(&needed, &base, &mut values, Some(id));
            if values.contains_key(&loss) { only(&values, loss) } else { at }
        };
        let (below, above) = (moved(-epsilon), moved(epsilon));
        let slope = (above - below) / (2.0 * epsilon);
        let bend = ((above - at) - (at - below)).abs() / epsilon;
        let kink = bend > BEND * slope.abs().max(1e-7);
        Ok(Nudge { gradient, slope, epsilon, below, at, above, kink })
    }

    /// Nodes that a loss is computed from, inputs first.
    fn needed_for(&self, loss: NodeId) -> Vec<NodeId> {
        let graph = &self.plan.graph;
        let mut needed = vec![false; loss.index() + 1];
        needed[loss.index()] = true;
        for id in (0..=loss.0).rev().map(NodeId) {
            if needed[id.index()] {
                graph.node(id).inputs.iter().for_each(|input| needed[input.index()] = true);
            }
        }
        (0..=loss.0).map(NodeId).filter(|id| needed[id.index()]).collect()
    }

    /// Computes the ops among `nodes` into `values`: all of them, or those that `moved` has a part in; what is not there is in `base`.
    fn forward(&self, nodes: &[NodeId], base: &Values, values: &mut Values, moved: Option<NodeId>) {
        let graph = &self.plan.graph;
        let mut cx = CpuCx { seed: self.data.seed, step: self.data.step, ..CpuCx::default() };
        for &id in nodes {
            let node = graph.node(id);
            let Kind::Op(op) = &node.kind else { continue };
            if moved.is_some() && (Some(id) == moved || !node.inputs.iter().any(|input| values.contains_key(input))) {
                continue;
            }
            let mut out = vec![0.0; node.meta.shape.numel()];
            {
                let value = |input: &NodeId| values.get(input).or_else(|| base.get(input));
                let view = |input: &NodeId| View { data: value(input).map_or(&[][..], Vec::as_slice), shape: graph.shape(*input) };
                let inputs: Vec<View<f64>> = node.inputs.iter().map(view).collect();
                op.cpu(&mut cx, &inputs, &mut out);
            }
            // What was put in by hand stays, as in the walk itself.
            for (&element, &value) in self.edits.get(&id).into_iter().flatten() {
                out[element] = f64::from(value);
            }
            values.insert(id, out);
        }
    }
}
