//! The run that goes on between requests: its chunks, what the page hears of them, and what becomes of it when a GPU is lost.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use futures_channel::oneshot;

use super::answer::{Desk, info};
use super::evaluating::Clock;
use super::js::{Buffer, now, to_js};
use super::live;
use super::protocol::{Event, Standing, TrainOptions, TrainResult};
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, Device};
use crate::error::{Error, ErrorCode, Result};
use crate::train::{Run, RunOptions, Session, Status, StepMetrics};

/// Milliseconds between two progress events, and between two frames.
pub(super) const PROGRESS_MS: f64 = 150.0;
const FRAME_MS: f64 = 150.0;

/// Milliseconds between two snapshots of a session whose GPU may be lost.
const SNAPSHOT_MS: f64 = 5_000.0;

/// A run that is under way, with what it owes the page.
pub(super) struct Training {
    /// The request that it answers.
    pub id: u32,
    run: Run,
    unsent: Vec<StepMetrics>,
    sent_at: f64,
    /// Examples a second, as it was told last.
    rate: f32,
    frame_at: f64,
    /// Of the evaluation at the end of an epoch that is under way.
    evaluation: Option<Clock>,
}

impl Desk {
    pub(super) fn begin(&mut self, id: u32, options: TrainOptions) -> Result<()> {
        if self.training.is_some() {
            return Err(Error::new(ErrorCode::WrongState, &[("what", &"train"), ("reason", &"training is under way")]));
        }
        let options = RunOptions {
            steps: options.steps,
            epochs: options.epochs,
            shuffle: options.shuffle,
            evaluate: options.evaluate,
            early_stopping: options.early_stopping,
        };
        let run = Run::new(self.session()?, options)?;
        self.training = Some(Training { id, run, unsent: Vec::new(), sent_at: now(), rate: 0.0, frame_at: 0.0, evaluation: None });
        Ok(())
    }

    /// One chunk of the run, and what the page is to hear of it.
    pub(super) async fn train_on(&mut self) {
        let (Some(training), Some(session)) = (&mut self.training, &mut self.session) else {
            let gone = Error::new(ErrorCode::WrongState, &[("what", &"train"), ("reason", &"there is no session")]);
            return self.fail(gone).await;
        };
        match training.run.advance(session, now).await {
            Ok(status) => self.report(status).await,
            Err(error) => self.fail(error).await,
        }
    }

    async fn report(&mut self, status: Status) {
        let Some(training) = &mut self.training else { return };
        training.unsent.extend(status.metrics);
        let time = now();
        if time - training.sent_at >= PROGRESS_MS || status.epoch.is_some() || status.done {
            self.send_progress(time);
        }
        if let Some(end) = status.epoch {
            self.post.event(&Event::Epoch { epoch: end.epoch, validation: end.validation, test: end.test }, Vec::new());
        }
        self.send_evaluation();
        let due = self.training.as_ref().is_some_and(|training| time - training.frame_at >= FRAME_MS);
        if (due || status.done) && !self.views.is_empty() {
            match self.send_frame().await {
                Ok(()) => {}
                Err(error) if error.code == ErrorCode::DeviceLost => return self.fail(error).await,
                // A picture that cannot be had is no reason to end a run.
                Err(_) => self.views.clear(),
            }
            // Counted from the end: a slow machine spends no more than a share of its time on pictures.
            if let Some(training) = &mut self.training {
                training.frame_at = now() + 4.0 * (now() - time);
            }
        }
        if status.done {
            self.end_run();
        }
        if let Err(error) = self.keep_safe(status.done).await {
            self.fail(error).await;
        }
    }

    /// A session on a GPU is saved now and then, since the GPU may go away.
    pub(super) async fn keep_safe(&mut self, at_once: bool) -> Result<()> {
        let due = at_once || self.safe.as_ref().is_none_or(|(_, taken)| now() - taken >= SNAPSHOT_MS);
        if let (Some(session), true) = (&self.session, due)
            && session.backend().name() == "webgpu"
        {
            self.safe = Some((session.snapshot().await?, now()));
        }
        Ok(())
    }

    /// After the GPU is lost: the same session on the CPU, from its last good state; a run that was under way goes on there.
    pub(super) async fn recover(&mut self, reason: &Error) -> Result<()> {
        let Some(lost) = self.session.take() else { return Ok(()) };
        let mut session = Session::new(Device::Cpu(Cpu::new()), lost.settings().clone(), Rc::clone(lost.data())).await?;
        session.take_hyper(&lost);
        drop(lost);
        if let Some((snapshot, _)) = self.safe.take() {
            session.restore(&snapshot)?;
        }
        let names: Vec<String> = self.views.iter().map(|view| view.node.clone()).collect();
        if session.watch(&names).await.is_err() {
            self.views.clear();
        }
        if self.program.is_none()
            && let Some(travelling) = self.travelling.take()
        {
            self.post.answer(travelling.id, Err(reason.clone()));
        }
        if let Some(training) = &mut self.training {
            training.run.resume_from(&mut session);
            training.unsent.clear();
        }
        let event = Event::DeviceLost { reason: reason.message.clone(), step: session.step_count(), info: info(&session) };
        self.session = Some(session);
        self.post.event(&event, Vec::new());
        self.begin_evaluations_anew()
    }

    /// Waits for a request. A GPU that is lost meanwhile is told of at once, not only when it is wanted again.
    pub(super) async fn rest(&mut self, mut woken: oneshot::Receiver<()>) {
        let lost = {
            let session = self.session.as_ref();
            let mut loss = pin!(async {
                match session {
                    Some(session) => session.backend().loss().await,
                    None => pending().await,
                }
            });
            poll_fn(|cx| match Pin::new(&mut woken).poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => loss.as_mut().poll(cx).map(Some),
            })
            .await
        };
        if let Some(lost) = lost {
            // Where not even the CPU takes the session, the next request hears that there is none.
            let _ = self.recover(&lost).await;
        }
    }

    fn send_progress(&mut self, time: f64) {
        let (Some(training), Some(session)) = (&mut self.training, &self.session) else { return };
        if training.unsent.is_empty() {
            training.sent_at = time;
            return;
        }
        let metrics = std::mem::take(&mut training.unsent);
        let seconds = ((time - training.sent_at) / 1000.0).max(1e-6) as f32;
        let examples: usize = metrics.iter().map(|metric| metric.examples).sum();
        // The last steps of a run come at once, though they took as long as the others.
        if training.rate == 0.0 || time - training.sent_at >= PROGRESS_MS {
            training.rate = examples as f32 / seconds;
        }
        training.sent_at = time;
        // What the page hears of is what was waited for; some steps more are on their way.
        let in_flight = training.run.in_flight();
        let [accuracy, exact] = StepMetrics::shares(&metrics);
        let games: Option<Vec<[f32; 3]>> = metrics.iter().map(|metric| metric.game).collect();
        let game = games.map(|games| {
            let mean = |of: usize| games.iter().map(|game| game[of]).sum::<f32>() / games.len() as f32;
            Standing { generator_loss: mean(0), real: mean(1), fake: mean(2) }
        });
        let event = Event::Progress {
            step: session.step_count() - in_flight.min(session.step_count()),
            epoch: (session.epochs_done() - in_flight as f32 / session.steps_per_epoch().max(1) as f32).max(0.0),
            steps_per_epoch: session.steps_per_epoch(),
            accuracy,
            exact,
            game,
            learning_rate: session.learning_rate(),
            examples_per_second: training.rate,
            seconds_left: training.run.steps_left() as f32 * (examples as f32 / metrics.len() as f32) / training.rate,
        };
        self.post.event(&event, vec![Buffer::Floats(metrics.iter().map(|metric| metric.loss).collect())]);
    }

    /// How far the evaluation at the end of an epoch is.
    fn send_evaluation(&mut self) {
        let (Some(training), Some(session)) = (&mut self.training, &self.session) else { return };
        let Some((split, done)) = training.run.evaluating() else {
            training.evaluation = None;
            return;
        };
        let clock = training.evaluation.take().filter(|clock| clock.split == split);
        let event = training.evaluation.insert(clock.unwrap_or_else(|| Clock::new(split))).event(done, session.count(split));
        if let Some(event) = event {
            self.post.event(&event, Vec::new());
        }
    }

    pub(super) async fn send_frame(&mut self) -> Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        if self.pinned.is_empty() {
            let data = session.data();
            let part = if data.test.count > 0 { &data.test } else { &data.train };
            self.pinned = part.x.gather(&[0]);
        }
        let (watched, output) = session.look(&self.pinned).await?;
        let atlas = live::Atlas::new(&self.views, &watched);
        let event = Event::Frame { step: session.step_count(), tiles: atlas.tiles };
        self.post.event(&event, vec![Buffer::Bytes(atlas.bytes), Buffer::Floats(output)]);
        Ok(())
    }

    /// Ends a run before its time, if there is one: its answer says so.
    pub(super) async fn finish_run(&mut self) {
        let Some(training) = &mut self.training else { return };
        match training.run.stop().await {
            Ok((late, epoch)) => {
                training.unsent.extend(late);
                self.send_progress(now());
                if let Some(end) = epoch {
                    self.post.event(&Event::Epoch { epoch: end.epoch, validation: end.validation, test: end.test }, Vec::new());
                }
                self.end_run();
            }
            Err(error) => {
                self.fail(error).await;
                // A GPU that was lost just now: the session is on the CPU, but the run was to end.
                if let Some(training) = &mut self.training {
                    training.run.give_up();
                    self.end_run();
                }
            }
        }
    }

    fn end_run(&mut self) {
        let Some(training) = self.training.take() else { return };
        let result = training.run.result();
        let summary =
            TrainResult { steps: result.losses.len(), accuracy: result.accuracy, ms_per_step: result.ms_per_step, stopped: result.stopped };
        self.post.answer(training.id, Ok((to_js(&summary), vec![Buffer::Floats(result.losses)])));
    }

    async fn fail(&mut self, error: Error) {
        let on_gpu = self.session.as_ref().is_some_and(|session| session.backend().name() == "webgpu");
        let error = match error.code {
            ErrorCode::DeviceLost if on_gpu => match self.recover(&error).await {
                Ok(()) => return,
                Err(worse) => worse,
            },
            _ => error,
        };
        self.send_progress(now());
        if let Some(training) = self.training.take() {
            self.post.answer(training.id, Err(error));
        }
    }
}
