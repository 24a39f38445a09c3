//! Reading values: of what is computed, and of what was there before.

use std::rc::Rc;

use super::{Lane, ReadItem, Trace, refused};
use crate::backend::Backend;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Kind, Leaf, NodeId};
use crate::plan::{Operand, Place};

impl<B: Backend> Trace<B> {
    /// Whether a node's value is there at the cursor.
    pub fn is_known(&self, id: NodeId) -> bool {
        match self.plan.graph.node(id).kind {
            // Gradients are whole once the last of them is.
            Kind::Leaf(Leaf::Flat(Group::Gradients)) => self.cursor >= self.end_of(Lane::Backward),
            _ => self.position_of(id).is_none_or(|position| position < self.cursor),
        }
    }

    /// Index of the op that makes a value; none where it is there from the beginning. A reshape is its input under another name.
    pub(super) fn position_of(&self, id: NodeId) -> Option<usize> {
        let alias = || matches!(self.plan.place(id), Some(Operand::Memory(_)));
        match (self.positions.get(&id), &self.plan.graph.node(id)) {
            (Some(&position), _) => Some(position),
            (None, node) if matches!(node.kind, Kind::Op(_)) && alias() => {
                node.inputs.iter().filter_map(|&input| self.position_of(input)).max()
            }
            (None, _) => None,
        }
    }

    /// Shape and elements of a value: all of it, or one example's.
    pub async fn read(&mut self, backend: &B, item: &ReadItem) -> Result<(Vec<usize>, Vec<f32>)> {
        let example = item.example.unwrap_or(0);
        let id = self.element(item.node, 0)?;
        let shape = self.plan.graph.shape(id).to_vec();
        let (Some(_), Some((&examples, rest))) = (item.example, shape.split_first()) else {
            return Ok((shape, self.value(backend, id).await?.to_vec()));
        };
        let width: usize = rest.iter().product();
        if example >= examples {
            return Err(Error::new(ErrorCode::UnknownName, &[("kind", &"example"), ("got", &example)]));
        }
        if !self.is_known(id) {
            return Err(refused("read", "it is not computed yet"));
        }
        let values = match (self.plan.place(id), &self.plan.graph.node(id).kind) {
            (Some(Operand::Memory(place)), Kind::Op(_) | Kind::Leaf(Leaf::Input(_))) => {
                backend.read_place(&self.exec, Place { offset: place.offset + example * width, len: width, ..place }).await?
            }
            _ => self.value(backend, id).await?[example * width..(example + 1) * width].to_vec(),
        };
        Ok((rest.to_vec(), values))
    }

    /// All elements of a value; an error where it is not computed yet.
    pub(super) async fn value(&mut self, backend: &B, id: NodeId) -> Result<Rc<Vec<f32>>> {
        if !self.is_known(id) {
            return Err(refused("read", "it is not computed yet"));
        }
        if let Some((_, values)) = self.read.iter().find(|(known, _)| *known == id) {
            return Ok(Rc::clone(values));
        }
        let graph = &self.plan.graph;
        let of_group = |group: Group, from: usize, len: usize| self.before.get(&group).and_then(|values| values.get(from..from + len));
        let count = graph.shape(id).numel();
        let values = match graph.node(id).kind {
            Kind::Leaf(Leaf::Constant(number)) => vec![number],
            Kind::Leaf(Leaf::Scalar(index)) => vec![self.data.scalars.get(index).copied().unwrap_or(f32::NAN)],
            // As they were before the step: the graph's leaves stand for nothing else.
            Kind::Leaf(Leaf::Variable(variable)) => {
                let variable = graph.variable(variable);
                of_group(variable.group, variable.offset, count).unwrap_or_default().to_vec()
            }
            Kind::Leaf(Leaf::Flat(Group::Gradients)) => backend.read(Group::Gradients).await?,
            Kind::Leaf(Leaf::Flat(group)) => of_group(group, 0, count).unwrap_or_default().to_vec(),
            Kind::Leaf(Leaf::Input(_)) | Kind::Op(_) => match self.plan.place(id) {
                Some(Operand::Memory(place)) => backend.read_place(&self.exec, place).await?,
                Some(Operand::Constant(number)) => vec![number; count],
                Some(Operand::Scalar(index)) => vec![self.data.scalars.get(index).copied().unwrap_or(f32::NAN); count],
                None => return Err(refused("read", "nothing needs this value")),
            },
        };
        let values = Rc::new(values);
        if count <= super::LARGE {
            if self.read.len() >= super::MOST_READ {
                self.read.pop_front();
            }
            self.read.push_back((id, Rc::clone(&values)));
        }
        Ok(values)
    }
}
