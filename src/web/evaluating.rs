//! Evaluations that were asked for: a batch at a time between requests, so that nothing waits for a whole one. A run that is under way does
//! wait: in the middle of an evaluation no parameter may change.

use super::answer::Desk;
use super::js::to_js;
use super::protocol::Request;
use crate::data::Split;
use crate::error::{Error, ErrorCode, Result};
use crate::train::Evaluator;

/// An evaluation under way.
pub(super) struct Evaluating {
    /// The request that it answers.
    id: u32,
    split: Split,
    evaluator: Evaluator,
}

/// Whether a request leaves the parameters as they are, and so may come between two batches of an evaluation.
pub(super) fn only_looks(request: &Request) -> bool {
    use Request::{
        Attribute, Backends, Cell, Datasets, Describe, Evaluate, Examples, Frame, Generate, GetParameter, Health, Landscape, Memory, Nodes,
        Parameters, Pin, Predict, Presets, Rates, Read, Scratch, Snapshot, Stop, Train, Watch,
    };
    matches!(
        request,
        Backends
            | Presets
            | Datasets
            | Describe { .. }
            | Rates { .. }
            | Parameters
            | GetParameter { .. }
            | Evaluate { .. }
            | Predict
            | Scratch { .. }
            | Cell { .. }
            | Health
            | Generate { .. }
            | Attribute { .. }
            | Landscape { .. }
            | Nodes
            | Read { .. }
            | Examples { .. }
            | Pin { .. }
            | Watch { .. }
            | Frame
            | Snapshot
            | Memory
            | Stop
            | Train { .. }
    )
}

impl Desk {
    pub(super) fn begin_evaluation(&mut self, id: u32, split: Split) -> Result<()> {
        let evaluator = Evaluator::new(self.session()?, split)?;
        self.evaluations.push_back(Evaluating { id, split, evaluator });
        Ok(())
    }

    /// One batch of the evaluation that was asked for first.
    pub(super) async fn evaluate_on(&mut self) {
        let Some(mut current) = self.evaluations.pop_front() else { return };
        let result = match self.session() {
            Ok(session) => current.evaluator.advance(session).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(None) => self.evaluations.push_front(current),
            Ok(Some(evaluation)) => self.post.answer(current.id, Ok((to_js(&evaluation), Vec::new()))),
            // On the CPU it begins anew.
            Err(lost) if lost.code == ErrorCode::DeviceLost => {
                let again = self.recover(&lost).await.and_then(|()| self.begin_evaluation(current.id, current.split));
                if let Err(error) = again {
                    self.post.answer(current.id, Err(error));
                }
            }
            Err(error) => self.post.answer(current.id, Err(error)),
        }
    }

    /// After a lost GPU the parameters are others: every evaluation under way begins anew.
    pub(super) fn begin_evaluations_anew(&mut self) -> Result<()> {
        for Evaluating { id, split, .. } in std::mem::take(&mut self.evaluations) {
            self.begin_evaluation(id, split)?;
        }
        Ok(())
    }

    /// Makes way for a request: what would change parameters waits for the evaluations; what stops everything, or ends the session, cuts them off.
    pub(super) async fn settle_evaluations(&mut self, request: &Request) {
        let cut = match request {
            Request::Create { .. } | Request::Dispose => Some("it was disposed of"),
            Request::Stop => Some("it was stopped"),
            _ => None,
        };
        if let Some(reason) = cut {
            for Evaluating { id, .. } in std::mem::take(&mut self.evaluations) {
                self.post.answer(id, Err(Error::new(ErrorCode::WrongState, &[("what", &"evaluate"), ("reason", &reason)])));
            }
        } else if !only_looks(request) {
            while !self.evaluations.is_empty() {
                self.evaluate_on().await;
            }
        }
    }
}
