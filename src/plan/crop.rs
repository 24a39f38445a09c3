//! Convolutions whose last rows and columns no pooling reads: 11 x 11 results under windows of 2 x 2, say. What is not read is not computed, nor its
//! gradient, which is 0.

use std::collections::HashSet;

use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::broadcast::Broadcast;
use crate::ops::pointwise::Pointwise;
use crate::ops::pool2d::Windows;
use crate::ops::reduce::Reduction;
use crate::ops::{Graph, Op};

/// Values `[N, H, W, C]` of which the first rows and columns are enough.
struct Region {
    nodes: HashSet<NodeId>,
    /// How many.
    size: [usize; 2],
}

/// The graph without the rows and columns of convolutions that are pooled away, and where each node went; none where there are no such.
pub(super) fn crop(graph: &Graph, keep: &[NodeId]) -> Result<Option<(Graph, Vec<NodeId>)>> {
    let mut search = Search { graph, kept: HashSet::new(), readers: vec![Vec::new(); graph.nodes().len()] };
    search.kept.extend(keep.iter().copied().chain(graph.writes().iter().map(|&(node, _)| node)));
    for id in graph.ids() {
        graph.node(id).inputs.iter().for_each(|input| search.readers[input.index()].push(id));
    }
    let regions: Vec<Region> = graph.ids().filter_map(|id| search.region(id)).collect();
    if regions.is_empty() {
        return Ok(None);
    }
    let of = |id: NodeId| regions.iter().find(|region| region.nodes.contains(&id));
    let replace = |new: &mut Graph, id: NodeId, moved: &[NodeId]| -> Result<Option<NodeId>> {
        let node = graph.node(id);
        let Some(mut op) = graph.op(id).cloned() else { return Ok(None) };
        let dy = match op {
            Op::Conv2dInputGrad(_) => node.inputs.first(),
            Op::Conv2dKernelGrad(_) => node.inputs.get(1),
            _ => None,
        };
        let Some(Region { size, .. }) = of(*dy.unwrap_or(&id)) else { return Ok(None) };
        match &mut op {
            Op::Conv2d(conv) => conv.only = Some(*size),
            Op::Conv2dInputGrad(grad) => grad.conv.only = Some(*size),
            Op::Conv2dKernelGrad(grad) => grad.conv.only = Some(*size),
            Op::Broadcast(Broadcast { shape }) => *shape = [shape[0], size[0], size[1], shape[3]].into(),
            _ => {}
        }
        let inputs: Vec<NodeId> = node.inputs.iter().map(|input| moved[input.index()]).collect();
        new.push(op, &inputs).map(Some)
    };
    graph.clone().rewritten(replace).map(Some)
}

struct Search<'a> {
    graph: &'a Graph,
    /// What must be there after a run.
    kept: HashSet<NodeId>,
    /// Who reads each node.
    readers: Vec<Vec<NodeId>>,
}

impl<'a> Search<'a> {
    fn op(&self, id: NodeId) -> Option<&'a Op> {
        self.graph.op(id)
    }

    /// What pooling `pool` does not read all of, with everything of its shape that hangs together with it; none where something reads the rest.
    fn region(&self, pool: NodeId) -> Option<Region> {
        let Some(Op::MaxPool2d(max)) = self.op(pool) else { return None };
        let input = self.graph.node(pool).inputs[0];
        let shape = self.graph.shape(input);
        let size = max.windows.reach([shape[1], shape[2]])?;
        let mut region = Region { nodes: HashSet::new(), size };
        let mut stack = vec![input];
        while let Some(id) = stack.pop() {
            if region.nodes.insert(id) {
                self.enter(id, max.windows, &mut stack)?;
            }
        }
        let ends = |op: &Op| matches!(op, Op::Reduce(_) | Op::Conv2dInputGrad(_) | Op::Conv2dKernelGrad(_));
        let read_whole = |id: &&NodeId| self.readers[id.index()].iter().any(|&reader| self.op(reader).is_some_and(ends));
        region.nodes.iter().filter(read_whole).all(|&id| self.vanishes(id)).then_some(region)
    }

    /// What else is cropped with node `id`; none where it cannot be.
    fn enter(&self, id: NodeId, windows: Windows, stack: &mut Vec<NodeId>) -> Option<()> {
        let (node, shape) = (self.graph.node(id), self.graph.shape(id));
        if self.kept.contains(&id) {
            return None;
        }
        let across = |input: NodeId| self.graph.shape(input)[..].iter().rev().skip(1).take(2).all(|&extent| extent == 1);
        match self.op(id)? {
            Op::Pointwise(_) => {
                let (same, others): (Vec<NodeId>, Vec<NodeId>) = node.inputs.iter().partition(|&&input| self.graph.shape(input) == shape);
                stack.extend(same);
                others.into_iter().all(across).then_some(())?;
            }
            Op::Broadcast(_) => across(node.inputs[0]).then_some(())?,
            Op::Conv2d(conv) => conv.only.is_none().then_some(())?,
            Op::MaxPool2dGrad(grad) => (grad.windows == windows).then(|| stack.push(node.inputs[0]))?,
            _ => return None,
        }
        for &reader in &self.readers[id.index()] {
            let inputs = &self.graph.node(reader).inputs;
            match self.op(reader)? {
                Op::Pointwise(_) if self.graph.shape(reader) == shape => stack.push(reader),
                Op::MaxPool2d(max) if max.windows == windows => {}
                Op::MaxPool2dGrad(grad) if grad.windows == windows && inputs[1] != id => stack.push(reader),
                Op::Reduce(reduce) if reduce.reduction == Reduction::Sum && reduce.axes.starts_with(&[0, 1, 2]) => {}
                Op::Conv2dInputGrad(_) if inputs[1] != id => {}
                Op::Conv2dKernelGrad(_) if inputs[0] != id => {}
                _ => return None,
            }
        }
        Some(())
    }

    /// Whether a gradient is 0 where the pooling reads nothing.
    fn vanishes(&self, id: NodeId) -> bool {
        let inputs = &self.graph.node(id).inputs;
        match self.op(id) {
            Some(Op::MaxPool2dGrad(_)) => true,
            Some(Op::Pointwise(Pointwise::Mul)) => inputs.iter().any(|&input| self.vanishes(input)),
            Some(Op::Pointwise(Pointwise::Neg | Pointwise::Div)) => self.vanishes(inputs[0]),
            Some(Op::Pointwise(Pointwise::Add | Pointwise::Sub)) => inputs.iter().all(|&input| self.vanishes(input)),
            _ => false,
        }
    }
}
