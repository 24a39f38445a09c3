//! Why an element is 0: the chain of causes, one element after another.

use super::explain::Inputs;
use super::{Cause, Reason, Trace, refused};
use crate::backend::Backend;
use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::Expr;
use crate::ops::explain::first_max;
use crate::ops::pointwise::Pointwise;

/// Longest chain.
const LONGEST: usize = 16;
/// Terms of a sum that are looked at.
const MOST_TERMS: usize = 2000;

/// A cause, and the element that it lies in, as (input, element).
type Found = (Cause, Option<(usize, usize)>);

impl<B: Backend> Trace<B> {
    /// The reasons why an element is 0, from the element itself to the first cause.
    pub async fn why(&mut self, backend: &B, node: usize, element: usize) -> Result<Vec<Reason>> {
        let mut at: Option<(NodeId, usize)> = Some((self.element(node, element)?, element));
        let mut reasons = Vec::new();
        while let Some((id, element)) = at.filter(|_| reasons.len() < LONGEST) {
            let mut reason = |cause| reasons.push(Reason { node: id.index(), element, cause });
            if !self.is_known(id) {
                reason(Cause::NotComputed);
                break;
            }
            let value = self.value(backend, id).await?.get(element).copied().unwrap_or(f32::NAN);
            if value != 0.0 {
                reason(Cause::NotZero);
                break;
            }
            if self.edits.get(&id).is_some_and(|edits| edits.contains_key(&element)) {
                reason(Cause::Leaf);
                break;
            }
            let Some((expr, inputs)) = self.expression(backend, id, element).await? else {
                reason(Cause::Leaf);
                break;
            };
            let (cause, next) = cause(&expr, &inputs).unwrap_or((Cause::NotZero, None));
            if cause == Cause::NotZero {
                // The engine's 0 is a rounded number that is none.
                return Err(refused("why", "the value is only rounded to 0"));
            }
            reason(cause);
            at = next.map(|(input, element)| (inputs.node(input), element));
        }
        Ok(reasons)
    }
}

/// Why an expression is 0; none where it is not.
fn cause(expr: &Expr, inputs: &Inputs) -> Option<Found> {
    let zero = |expr: &Expr| inputs.value(expr) == 0.0;
    if !zero(expr) {
        return None;
    }
    let follow = |expr: &Expr| cause(expr, inputs);
    Some(match expr {
        Expr::Element { input, index } => {
            let cause = if inputs.is_upstream(*input) { Cause::UpstreamZero } else { Cause::FactorZero };
            (cause, Some((*input, *index)))
        }
        Expr::Constant(_) => (Cause::Leaf, None),
        Expr::Random { .. } => (Cause::Masked, None),
        // A gradient that did not come explains more than a local factor beside it.
        Expr::Product(factors) | Expr::Call(Pointwise::Mul, factors) => {
            let causes: Vec<Found> = factors.iter().filter_map(follow).collect();
            let first = causes.iter().position(|(cause, _)| *cause != Cause::FactorZero).unwrap_or(0);
            causes.into_iter().nth(first)?
        }
        Expr::Sum(terms) | Expr::Call(Pointwise::Add | Pointwise::Sub, terms) => {
            if terms.iter().any(|term| !zero(term)) {
                return Some((Cause::Cancelled, None));
            }
            most_common(terms.iter().take(MOST_TERMS).filter_map(follow))?
        }
        Expr::Max(candidates) => candidates.iter().find(|candidate| zero(candidate)).and_then(follow)?,
        Expr::FirstMax { among, .. } => match &among[first_max(among.iter().map(|candidate| inputs.value(candidate)))] {
            Expr::Element { .. } | Expr::Constant(_) => (Cause::LostMax, None),
            other => (Cause::LostMax, follow(other).and_then(|(_, next)| next)),
        },
        Expr::ArgMax(_) | Expr::Equal(_) => (Cause::LostMax, None),
        // As many came before it as there are places.
        Expr::Call(Pointwise::Greater, arguments) if matches!(arguments[..], [Expr::Constant(_), Expr::Sum(_)]) => (Cause::LostMax, None),
        Expr::Call(Pointwise::Relu | Pointwise::Max | Pointwise::Greater, arguments) => match arguments.iter().any(is_random) {
            true => (Cause::Masked, None),
            false => (Cause::Negative, None),
        },
        Expr::Call(_, arguments) => arguments.iter().find(|argument| zero(argument)).and_then(follow).unwrap_or((Cause::Leaf, None)),
    })
}

fn is_random(expr: &Expr) -> bool {
    match expr {
        Expr::Random { .. } => true,
        Expr::Sum(parts) | Expr::Product(parts) | Expr::Max(parts) | Expr::ArgMax(parts) | Expr::Call(_, parts) => {
            parts.iter().any(is_random)
        }
        Expr::Element { .. } | Expr::Constant(_) | Expr::FirstMax { .. } | Expr::Equal(_) => false,
    }
}

/// The cause that most terms share, with the first element that has it.
fn most_common(causes: impl Iterator<Item = Found>) -> Option<Found> {
    let mut counted: Vec<(Found, usize)> = Vec::new();
    for found in causes {
        match counted.iter_mut().find(|((cause, _), _)| *cause == found.0) {
            Some((_, count)) => *count += 1,
            None => counted.push((found, 1)),
        }
    }
    counted.into_iter().max_by_key(|&(_, count)| count).map(|(found, _)| found)
}
