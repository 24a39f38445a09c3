//! A walk that goes to another batch between requests, as a run trains: what it has come to is told, and it can be ended.

use super::answer::Desk;
use super::driving::PROGRESS_MS;
use super::evaluating::only_looks;
use super::js::{now, to_js};
use super::protocol::{Event, Request, WalkRequest};
use crate::error::Result;
use crate::train::{Journey, TraceInfo, Travel};

/// A journey under way.
pub(super) struct Travelling {
    /// The request that it answers.
    pub id: u32,
    journey: Journey,
    begun: f64,
    sent_at: f64,
}

impl Desk {
    /// Sets out; what the walk was on its way to ends where it is.
    pub(super) async fn begin_travel(&mut self, id: u32, travel: Travel, number: Option<u32>) -> Result<()> {
        self.check_walk(number)?;
        self.end_travel().await;
        let journey = match (&mut self.program, travel) {
            (Some(program), Travel::Batches { by } | Travel::Epochs { by }) => program.depart(by).await?,
            (Some(program), Travel::To { .. }) => program.depart(0).await?,
            (None, travel) => self.session()?.depart(travel).await?,
        };
        let begun = now();
        self.travelling = Some(Travelling { id, journey, begun, sent_at: begun });
        Ok(())
    }

    /// A chunk of the way.
    pub(super) async fn travel_on(&mut self) {
        let Some(mut travelling) = self.travelling.take() else { return };
        let id = travelling.id;
        let arrived = match (&mut self.program, &mut self.session) {
            (Some(program), _) => program.travel_on(&travelling.journey, now).await,
            (None, Some(session)) => session.travel_on(&mut travelling.journey, now).await,
            (None, None) => Ok(true),
        };
        let arrived = match arrived {
            Ok(false) => self.keep_safe(false).await.map(|()| false),
            other => other,
        };
        match arrived {
            Ok(arrived) => {
                self.send_travel(&mut travelling);
                self.travelling = Some(travelling);
                if arrived {
                    self.end_travel().await;
                }
            }
            Err(error) => self.refuse(id, error).await,
        }
    }

    /// Ends the way where it is, if there is one: its answer is the walk there.
    pub(super) async fn end_travel(&mut self) {
        let Some(Travelling { id, journey, .. }) = self.travelling.take() else { return };
        match self.arrive(journey).await {
            Ok(info) => self.post.answer(id, Ok((to_js(&info), Vec::new()))),
            Err(error) => self.refuse(id, error).await,
        }
    }

    async fn arrive(&mut self, journey: Journey) -> Result<TraceInfo> {
        let info = match &mut self.program {
            Some(program) => program.arrive().await?,
            None => {
                let session = self.session()?;
                let info = session.arrive(journey).await?;
                session.settle_walk()?;
                // What was done by walking is not to be lost with a GPU.
                self.keep_safe(true).await?;
                info
            }
        };
        Ok(TraceInfo { number: self.walk, ..info })
    }

    fn send_travel(&mut self, travelling: &mut Travelling) {
        let time = now();
        if time - travelling.sent_at < PROGRESS_MS {
            return;
        }
        travelling.sent_at = time;
        let Journey { from, to, .. } = travelling.journey;
        let step = self.program.as_ref().map(|program| program.step_count());
        let step = step.or(self.session.as_ref().map(|session| session.step_count())).unwrap_or(to);
        let seconds = ((time - travelling.begun) / 1000.0) as f32;
        let seconds_left = seconds * to.saturating_sub(step) as f32 / step.saturating_sub(from).max(1) as f32;
        self.post.event(&Event::Travel { step, from, to, seconds_left }, Vec::new());
    }

    /// Makes way for a request: one that only looks at the session comes in between, any other finds the walk where the way has come to.
    pub(super) async fn settle_travel(&mut self, request: &Request) {
        let ends = match request {
            Request::Walk { walk: WalkRequest::Open { .. } | WalkRequest::OpenScratch { .. }, .. } => true,
            // Its number is to be looked at first.
            Request::Walk { .. } => false,
            Request::Train { .. } => true,
            request => !only_looks(request),
        };
        if ends {
            self.end_travel().await;
        }
    }
}
