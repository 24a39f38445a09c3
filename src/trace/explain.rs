//! An element explained: the expression with its numbers, what it was made from, and what was made from it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Explanation, Lane, Source, Term, Trace, lane_of};
use crate::backend::Backend;
use crate::error::Result;
use crate::graph::{Kind, NodeId};
use crate::ops::explain::first_max;
use crate::ops::pointwise::Pointwise;
use crate::ops::{CpuCx, Expr};
use crate::tensor::{Meta, Shape, falling_order};

/// Most elements of a source or a consumer that are told.
const MOST_ELEMENTS: usize = 1 << 16;
/// Backward nodes between the gradient of a value and that of what was made from it.
const DEEPEST: usize = 6;

/// What a term may look up: the values and the places of an op's inputs.
pub(super) struct Inputs {
    nodes: Vec<NodeId>,
    values: Vec<Rc<Vec<f32>>>,
    shapes: Vec<Shape>,
    /// Which of them are gradients from above.
    upstream: Vec<bool>,
    cx: CpuCx,
}

impl Inputs {
    /// The value of an expression over them, in double precision.
    pub fn value(&self, expr: &Expr) -> f64 {
        expr.value(&self.cx, &|input, index| self.element(input, index))
    }

    fn element(&self, input: usize, index: usize) -> f64 {
        self.values[input].get(index).map_or(f64::NAN, |&value| f64::from(value))
    }

    /// The node of an input.
    pub fn node(&self, input: usize) -> NodeId {
        self.nodes[input]
    }

    /// Whether an input is a gradient from above.
    pub fn is_upstream(&self, input: usize) -> bool {
        self.upstream[input]
    }

    /// The expression with its numbers; of each sum the `most` largest terms.
    fn term(&self, expr: &Expr, most: usize) -> Term {
        let term = |expr: &Expr| self.term(expr, most);
        let value = self.value(expr);
        match expr {
            Expr::Element { input, index } => Term::Element {
                input: self.nodes[*input].index(),
                element: *index,
                index: self.shapes[*input].unravel(*index),
                upstream: self.upstream[*input],
                value,
            },
            Expr::Constant(_) => Term::Number { value },
            Expr::Random { .. } => Term::Random { value },
            Expr::Sum(terms) | Expr::Call(Pointwise::Add, terms) => {
                let (kept, rest) = self.largest(terms, most, f64::abs);
                Term::Sum { terms: kept.into_iter().map(term).collect(), count: terms.len(), rest, value }
            }
            Expr::Product(factors) | Expr::Call(Pointwise::Mul, factors) => {
                Term::Product { factors: factors.iter().map(term).collect(), value }
            }
            Expr::Max(terms) | Expr::ArgMax(terms) => {
                let (kept, _) = self.largest(terms, most, |value| value);
                let (terms, count) = (kept.into_iter().map(term).collect(), terms.len());
                if matches!(expr, Expr::Max(_)) { Term::Max { terms, count, value } } else { Term::ArgMax { terms, count, value } }
            }
            Expr::FirstMax { candidate, among } => {
                let winner = first_max(among.iter().map(|expr| self.value(expr)));
                Term::FirstMax {
                    won: winner == *candidate,
                    own: Box::new(term(&among[*candidate])),
                    winner: Box::new(term(&among[winner])),
                    value,
                }
            }
            Expr::Equal(sides) => Term::Equal { left: Box::new(term(&sides[0])), right: Box::new(term(&sides[1])), value },
            Expr::Call(function, arguments) => {
                Term::Call { function: function.label().into(), arguments: arguments.iter().map(term).collect(), value }
            }
        }
    }

    /// The `most` parts that are largest by `key`, in falling order, and the sum of the others.
    fn largest<'a>(&self, parts: &'a [Expr], most: usize, key: fn(f64) -> f64) -> (Vec<&'a Expr>, f64) {
        let values: Vec<f64> = parts.iter().map(|part| self.value(part)).collect();
        let order = falling_order(&values.iter().map(|&value| key(value)).collect::<Vec<f64>>());
        let rest = order.iter().skip(most).map(|&k| values[k]).sum();
        (order.into_iter().take(most).map(|k| &parts[k]).collect(), rest)
    }
}

impl<B: Backend> Trace<B> {
    /// The expression of an op's element with its inputs' values; none for a leaf.
    pub(super) async fn expression(&mut self, backend: &B, id: NodeId, element: usize) -> Result<Option<(Expr, Inputs)>> {
        let plan = Rc::clone(&self.plan);
        let node = plan.graph.node(id);
        let Kind::Op(op) = &node.kind else { return Ok(None) };
        let metas: Vec<&Meta> = node.inputs.iter().map(|&input| &plan.graph.node(input).meta).collect();
        let expr = op.explain(&metas, element);
        let mut values = Vec::with_capacity(node.inputs.len());
        for &input in &node.inputs {
            values.push(self.value(backend, input).await?);
        }
        // A gradient that an update takes up is what it starts from, not one that flows on.
        let upstream = |&input: &NodeId| lane_of(&plan.graph, id) == Lane::Backward && self.is_flowing(input);
        let inputs = Inputs {
            upstream: node.inputs.iter().map(upstream).collect(),
            nodes: node.inputs.clone(),
            values,
            shapes: metas.iter().map(|meta| meta.shape.clone()).collect(),
            cx: CpuCx { seed: self.data.seed, step: self.data.step, ..CpuCx::default() },
        };
        Ok(Some((expr, inputs)))
    }

    /// Whether a backward node carries the gradient itself, and is not only computed on the way from forward values.
    fn is_flowing(&self, id: NodeId) -> bool {
        let graph = &self.plan.graph;
        let mut seen = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            if self.gradient_of.contains_key(&id) {
                return true;
            }
            if lane_of(graph, id) == Lane::Backward && seen.insert(id) {
                waiting.extend(&graph.node(id).inputs);
            }
        }
        false
    }

    /// Element `element` of node `node`, with the `most` largest terms of each sum; and the elements of its sources, then of its consumers.
    pub async fn explain(&mut self, backend: &B, node: usize, element: usize, most: usize) -> Result<(Explanation, Vec<Vec<u32>>)> {
        let id = self.element(node, element)?;
        let value = self.value(backend, id).await?[element];
        let index = self.plan.graph.shape(id).unravel(element);
        let (term, recomputed, sources) = match self.expression(backend, id, element).await? {
            Some((expr, inputs)) => {
                let term = inputs.term(&expr, most.max(1));
                let mut elements = Vec::new();
                expr.elements(&mut elements);
                let of_node = elements.into_iter().map(|(input, element)| (inputs.node(input), element));
                (term, inputs.value(&expr), grouped(of_node))
            }
            None => (Term::Number { value: f64::from(value) }, f64::from(value), BTreeMap::new()),
        };
        let consumers = self.consumers(id, element);
        let (sources, mut arrays) = told(sources);
        let (consumers, more) = told(consumers);
        arrays.extend(more);
        Ok((Explanation { node, element, index, value, recomputed, term, sources, consumers }, arrays))
    }

    /// Elements of later forward nodes that an element went into. Its gradient says which: it is made from their gradients.
    fn consumers(&self, id: NodeId, element: usize) -> BTreeMap<NodeId, BTreeSet<usize>> {
        let graph = &self.plan.graph;
        let mut found: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
        if lane_of(graph, id) != Lane::Forward {
            return found;
        }
        let Some(gradient) = graph.gradient_of(id) else { return found };
        let takes = |node: NodeId| graph.node(node).inputs.contains(&id);
        let mut waiting = vec![(gradient, element, 0)];
        let mut seen = BTreeSet::new();
        while let Some((at, element, depth)) = waiting.pop() {
            let holders = self.gradient_of.get(&at).into_iter().flatten();
            let consumers: Vec<NodeId> = holders.copied().filter(|&node| takes(node)).collect();
            for &consumer in &consumers {
                found.entry(consumer).or_default().insert(element);
            }
            let node = graph.node(at);
            let full = found.values().map(BTreeSet::len).sum::<usize>() >= MOST_ELEMENTS;
            if !consumers.is_empty() || full || depth == DEEPEST || lane_of(graph, at) != Lane::Backward || !seen.insert((at, element)) {
                continue;
            }
            let Kind::Op(op) = &node.kind else { continue };
            let metas: Vec<&Meta> = node.inputs.iter().map(|&input| &graph.node(input).meta).collect();
            let mut elements = Vec::new();
            op.explain(&metas, element).elements(&mut elements);
            waiting.extend(elements.into_iter().map(|(input, element)| (node.inputs[input], element, depth + 1)));
        }
        found
    }
}

fn grouped(elements: impl Iterator<Item = (NodeId, usize)>) -> BTreeMap<NodeId, BTreeSet<usize>> {
    let mut groups: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
    for (node, element) in elements {
        groups.entry(node).or_default().insert(element);
    }
    groups
}

/// Groups as they are told: sources, and an array of elements for each.
fn told(groups: BTreeMap<NodeId, BTreeSet<usize>>) -> (Vec<Source>, Vec<Vec<u32>>) {
    let arrays = groups.into_iter().map(|(node, elements)| {
        let elements: Vec<u32> = elements.into_iter().take(MOST_ELEMENTS).map(|element| element as u32).collect();
        (Source { node: node.index(), count: elements.len() }, elements)
    });
    arrays.unzip()
}
