//! Walking through the step that comes next, and going back over steps that were taken.

use std::collections::BTreeMap;

use super::Session;
use super::session::{TEST, TRAIN};
use crate::backend::{Backend, Feed};
use crate::data::Split;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, NodeId};
use crate::nn::BuiltLayer;
use crate::trace::{Breakpoint, Hit, Lane, Role, Trace, TraceNode};

asked! {
    /// What is walked through.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Subject {
        /// The batch that comes next.
        Batch,
        /// One example of the data.
        Example {
            /// Part of the data.
            split: Split,
            /// Index in it.
            index: usize,
        },
        /// One example from outside, in an array beside the message.
        Pinned {
            /// Its class; 0 if there is none.
            label: Option<f32>,
        },
    }

    /// Where to go.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    #[derive(Copy)]
    pub enum Travel {
        /// To where so many ops are done.
        To {
            /// How many.
            cursor: usize,
        },
        /// Over whole batches: forward by training on them, back by a snapshot and the steps after it.
        Batches {
            /// How many; below 0: back.
            by: i32,
        },
        /// To the beginning of another epoch.
        Epochs {
            /// How many; below 0: back, the beginning of the current one counting as one if it lies behind.
            by: i32,
        },
    }
}

wire! {
    /// A layer of the model that is walked through.
    pub struct TraceLayer {
        /// `"conv2d_1"`.
        pub name: String,
        /// `"Conv2D"`.
        pub kind: String,
        /// Node of its output.
        pub output: usize,
        /// Nodes of its parameters, frozen or not.
        pub parameters: Vec<usize>,
    }

    /// Where a walk stands.
    pub struct TraceState {
        /// Ops done.
        pub cursor: usize,
        /// Steps of the session done before this one.
        pub step: usize,
        /// Epochs done.
        pub epoch: usize,
        /// Examples of the epoch done.
        pub position: usize,
        /// Steps an epoch.
        pub steps_per_epoch: usize,
        /// The loss, once it is computed.
        pub loss: Option<f32>,
        /// Nodes that were edited in this walk.
        pub edited: Vec<usize>,
        /// Why a run stopped before its end.
        pub hit: Option<Hit>,
        /// Steps that have a snapshot.
        pub snapshots: Vec<usize>,
        /// Whether some snapshots were given up for memory.
        pub thinned: bool,
        /// Hyper-parameters that were changed by hand, as they stand at this step: `"learning_rate"`, ...
        pub hyper: BTreeMap<String, f32>,
    }

    /// Everything about a walk that does not change with the cursor.
    pub struct TraceInfo {
        /// Which walk it is, from 1 on, where several are opened one after another; requests that are for another one are refused.
        pub number: u32,
        /// What is walked through.
        pub subject: Subject,
        /// Examples walked through together.
        pub batch: usize,
        /// Examples of the training part that they are; empty for one from outside, and for windows of a text, which begin anywhere.
        pub rows: Vec<u32>,
        /// All nodes; their indices are their numbers.
        pub nodes: Vec<TraceNode>,
        /// Nodes in the order in which they are computed.
        pub ops: Vec<usize>,
        /// Ops done when the loss and all metrics are known.
        pub forward_end: usize,
        /// Ops done when all gradients are known.
        pub backward_end: usize,
        /// The model's layers.
        pub layers: Vec<TraceLayer>,
        /// The examples.
        pub x: usize,
        /// What should come out.
        pub y: Option<usize>,
        /// The model's output.
        pub output: usize,
        /// The loss.
        pub loss: usize,
        /// Where it stands.
        pub state: TraceState,
    }

    /// What the optimizer does to a parameter. The columns are arrays beside the message, in their order.
    pub struct OptimizerTable {
        /// The parameter.
        pub parameter: String,
        /// Its shape.
        pub shape: Vec<usize>,
        /// `"value"`; `"gradient"` once it is known; the optimizer's slots `"m"`, `"v"`; and once the step is done their new values and the
        /// parameter's: `"next m"`, `"next v"`, `"update"`, `"next"`.
        pub columns: Vec<String>,
        /// Learning rate of the step.
        pub learning_rate: f32,
        /// The optimizer: `"Adam"`.
        pub kind: String,
    }
}

/// A walk that is open.
pub(super) struct Walk<B: Backend> {
    pub trace: Trace<B>,
    pub subject: Subject,
    pub x: Vec<f32>,
    batch: usize,
    rows: Vec<u32>,
    layers: Vec<BuiltLayer>,
    ends: [NodeId; 2],
    y: Option<NodeId>,
    output: NodeId,
    loss: NodeId,
}

pub(super) fn no_walk() -> Error {
    Error::new(ErrorCode::WrongState, &[("what", &"this request"), ("reason", &"no walk is open")])
}

impl<B: Backend> Session<B> {
    /// Opens a walk through the next step, before its first op. `x` is the example from outside, if it is one.
    pub async fn open_walk(&mut self, subject: Subject, x: Vec<f32>) -> Result<TraceInfo> {
        self.close_walk()?;
        self.remember().await?;
        let (part, rows) = match &subject {
            Subject::Batch => (TRAIN, self.next_rows()),
            Subject::Example { split, index } => {
                if *index >= self.count(*split) {
                    let kind = format!("{} example", split.name());
                    return Err(Error::new(ErrorCode::UnknownName, &[("kind", &kind), ("got", index)]));
                }
                self.rows_of(*split, *index..index + 1)
            }
            Subject::Pinned { .. } => (TRAIN, Vec::new()),
        };
        let batch = rows.len().max(1);
        let mut built = crate::nn::build(&self.settings.model, batch, crate::nn::Mode::Train, Some(&self.settings.loss))?;
        let loss = built.loss.ok_or_else(|| Error::new(ErrorCode::WrongState, &[("what", &"walk"), ("reason", &"there is no loss")]))?;
        let input = built.x;
        self.settings.complete(&mut built, &[input])?;
        let (feed, inputs) = match &subject {
            Subject::Pinned { label } => (Feed::Kept, vec![self.example(&x)?, self.target(&built, &x, label.unwrap_or(0.0))?]),
            Subject::Batch | Subject::Example { .. } => (Feed::Rows { part, rows: rows.clone() }, Vec::new()),
        };
        let data = self.step_data(&built, feed);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let trace = Trace::open(&mut self.backend, &built.graph, loss, data, &inputs).await?;
        let rows = if part == TEST { Vec::new() } else { self.data.train.examples(&rows).unwrap_or_default() };
        let layers = std::mem::take(&mut built.layers);
        self.walk = Some(Walk { trace, subject, x, batch, rows, layers, ends: [built.x, loss], y: built.y, output: built.output, loss });
        self.walk_info().await
    }

    /// An example from outside, if it has the right size.
    fn example(&self, x: &[f32]) -> Result<Vec<f32>> {
        let expected: usize = self.settings.model.input.iter().product();
        match x.len() == expected {
            true => Ok(x.to_vec()),
            false => Err(Error::new(ErrorCode::WrongLength, &[("what", &"walk"), ("expected", &expected), ("got", &x.len())])),
        }
    }

    /// A class in the form that the loss takes; of a sequence, what follows each position, and the class at the end.
    fn target(&self, built: &crate::nn::Built, x: &[f32], label: f32) -> Result<Vec<f32>> {
        let shape = self.settings.loss.label_shape(&built.graph.shape(built.output)[1..]);
        let width: usize = shape.iter().product();
        let classes = self.classes(built);
        if classes > 0 {
            crate::data::Column::floats(&[], vec![label]).check_labels(classes)?;
        }
        Ok(match width {
            0 | 1 => vec![label],
            _ if self.settings.loss.takes_classes() => {
                let next = |at: usize| x.get(at + 1).copied().unwrap_or(label);
                (0..width).map(next).collect()
            }
            _ => (0..width).map(|class| f32::from(u8::from(class as f32 == label))).collect(),
        })
    }

    fn walk(&mut self) -> Result<(&mut B, &mut Walk<B>)> {
        let walk = self.walk.as_mut().ok_or_else(no_walk)?;
        walk.trace.resume(&mut self.backend)?;
        Ok((&mut self.backend, walk))
    }

    /// The open walk with the backend that it runs on.
    pub fn trace(&mut self) -> Result<(&mut B, &mut Trace<B>)> {
        self.walk().map(|(backend, walk)| (backend, &mut walk.trace))
    }

    /// Leaves the walk: what it updated is as it was before, but for parameters that were edited.
    pub fn close_walk(&mut self) -> Result<()> {
        match self.walk.take() {
            Some(mut walk) => walk.trace.settle(&mut self.backend),
            None => Ok(()),
        }
    }

    /// Leaves parameters and statistics as they were before the walk, for a request from outside it.
    pub fn settle_walk(&mut self) -> Result<()> {
        match &mut self.walk {
            Some(walk) => walk.trace.settle(&mut self.backend),
            None => Ok(()),
        }
    }

    /// Puts a number into an element of the walk.
    pub async fn edit_walk(&mut self, node: usize, element: usize, value: f32) -> Result<TraceState> {
        let (backend, trace) = self.trace()?;
        trace.edit(backend, node, element, value)?;
        let id = NodeId(node as u32);
        if matches!(trace.graph().node(id).kind, crate::graph::Kind::Leaf(crate::graph::Leaf::Variable(_))) {
            self.history.changed = true;
            self.team_is_behind = true;
            self.remember().await?;
        }
        self.walk_state(None).await
    }

    /// Goes to where `cursor` ops of the walk are done, or a breakpoint stops it.
    pub async fn walk_to(&mut self, cursor: usize, breakpoints: &[Breakpoint]) -> Result<TraceState> {
        let usual = self.usual_loss();
        let (backend, trace) = self.trace()?;
        let hit = trace.go(backend, cursor, breakpoints, usual).await?;
        self.walk_state(hit).await
    }

    /// Everything about the open walk.
    pub async fn walk_info(&mut self) -> Result<TraceInfo> {
        let state = self.walk_state(None).await?;
        let (_, walk) = self.walk()?;
        let nodes = walk.trace.nodes(walk.batch);
        let parameters = |layer: &str| {
            let is_weight = |role: Role| matches!(role, Role::Parameter | Role::Frozen);
            let of_layer = |(_, node): &(usize, &TraceNode)| node.layer == layer && is_weight(node.role);
            nodes.iter().enumerate().filter(of_layer).map(|(id, _)| id).collect()
        };
        let layer = |layer: &BuiltLayer| TraceLayer {
            name: layer.name.clone(),
            kind: layer.kind.into(),
            output: layer.output.index(),
            parameters: parameters(&layer.name),
        };
        let (forward_end, backward_end) = (walk.trace.end_of(Lane::Forward), walk.trace.end_of(Lane::Backward));
        Ok(TraceInfo {
            number: 0,
            subject: walk.subject.clone(),
            batch: walk.batch,
            rows: walk.rows.clone(),
            ops: walk.trace.ops().map(NodeId::index).collect(),
            forward_end,
            backward_end: backward_end.max(forward_end),
            layers: walk.layers.iter().map(layer).collect(),
            x: walk.ends[0].index(),
            y: walk.y.map(NodeId::index),
            output: walk.output.index(),
            loss: walk.loss.index(),
            nodes,
            state,
        })
    }

    /// Where the walk stands.
    async fn walk_state(&mut self, hit: Option<Hit>) -> Result<TraceState> {
        let (step, epoch, position, steps_per_epoch) = (self.step, self.epoch, self.position, self.steps_per_epoch());
        let (snapshots, thinned) = (self.history.steps().collect(), self.history.thinned);
        let hyper = self.overrides.clone();
        let (backend, trace) = self.trace()?;
        let loss = trace.loss(backend).await?;
        let edited = trace.edited().map(NodeId::index).collect();
        Ok(TraceState { cursor: trace.cursor(), step, epoch, position, steps_per_epoch, loss, edited, hit, snapshots, thinned, hyper })
    }

    /// What the optimizer does to a parameter in the step that is walked through.
    pub async fn optimizer_table(&mut self, parameter: &str) -> Result<(OptimizerTable, Vec<Vec<f32>>)> {
        let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"parameter"), ("got", &parameter)]);
        let variable = self.parameters().find(|variable| variable.name == parameter).cloned().ok_or_else(missing)?;
        let (slots, learning_rate) = (self.slots, self.learning_rate());
        let kind = self.settings.optimizer.kind().to_owned();
        let range = variable.offset..variable.offset + variable.shape.numel();
        let (backend, trace) = self.trace()?;
        let mut columns: Vec<(String, Vec<f32>)> = vec![("value".into(), trace.before(Group::Parameters)[range.clone()].to_vec())];
        if trace.cursor() >= trace.end_of(Lane::Backward) {
            columns.push(("gradient".into(), backend.read(Group::Gradients).await?[range.clone()].to_vec()));
        }
        let slot = |slot: u8| Group::Slot(slot);
        for group in (0..slots).map(slot) {
            columns.push((group.name().into(), trace.before(group)[range.clone()].to_vec()));
        }
        if trace.cursor() == trace.ops().len() {
            for group in (0..slots).map(slot) {
                columns.push((format!("next {}", group.name()), backend.read(group).await?[range.clone()].to_vec()));
            }
            let next = backend.read(Group::Parameters).await?[range].to_vec();
            let update = next.iter().zip(&columns[0].1).map(|(next, value)| next - value).collect();
            columns.extend([("update".into(), update), ("next".into(), next)]);
        }
        let (names, arrays) = columns.into_iter().unzip();
        let table = OptimizerTable { parameter: parameter.into(), shape: variable.shape.to_vec(), columns: names, learning_rate, kind };
        Ok((table, arrays))
    }
}
