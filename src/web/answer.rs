//! The desk: what each request does to the session, and the run that goes on between requests.

use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::js::{Buffer, Post, floats, now, to_js};
use super::protocol::{Event, Memory, NodeInfo, ParameterInfo, Request, SessionInfo, SessionOptions, TrainOptions, TrainResult, View};
use super::{fetch, js, live};
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, Device};
use crate::data::{Dataset, Part, Split};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Kind, Phase};
use crate::nn;
use crate::train::{Evaluator, Run, RunOptions, Session, Settings, Snapshot, Status, StepMetrics};

/// A value and the arrays beside it.
type Answer = Result<(JsValue, Vec<Buffer>)>;

/// Milliseconds between two progress events, and between two frames.
const PROGRESS_MS: f64 = 150.0;
const FRAME_MS: f64 = 150.0;

/// Milliseconds between two snapshots of a session whose GPU may be lost.
const SNAPSHOT_MS: f64 = 5_000.0;

/// A run that is under way, with what it owes the page.
struct Training {
    id: u32,
    run: Run,
    unsent: Vec<StepMetrics>,
    sent_at: f64,
    frame_at: f64,
}

/// Everything that an engine holds.
pub(super) struct Desk {
    post: Post,
    data_url: String,
    session: Option<Session<Device>>,
    training: Option<Training>,
    views: Vec<View>,
    pinned: Vec<f32>,
    /// The last good state of a session on a GPU, and when it was taken.
    safe: Option<(Snapshot, f64)>,
}

impl Desk {
    pub fn new(post: Post, data_url: String) -> Self {
        Self { post, data_url, session: None, training: None, views: Vec::new(), pinned: Vec::new(), safe: None }
    }

    /// Whether a run is under way.
    pub fn is_training(&self) -> bool {
        self.training.is_some()
    }

    /// Answers one request; a run answers when it is over.
    pub async fn answer(&mut self, id: u32, request: JsValue, buffers: &Array) {
        let request: Request = match serde_wasm_bindgen::from_value(request) {
            Ok(request) => request,
            Err(error) => {
                return self.post.answer(id, Err(nn::recover(error)));
            }
        };
        if let Request::Train { options } = request {
            if let Err(error) = self.begin(id, options) {
                self.post.answer(id, Err(error));
            }
            return;
        }
        let mut result = self.handle(request, buffers).await;
        if let Err(reason) = &result
            && reason.code == ErrorCode::DeviceLost
            && let Err(worse) = self.recover(reason).await
        {
            if let Some(training) = self.training.take() {
                self.post.answer(training.id, Err(worse.clone()));
            }
            result = Err(worse);
        }
        self.post.answer(id, result);
    }

    fn session(&mut self) -> Result<&mut Session<Device>> {
        let none = || Error::new(ErrorCode::WrongState, &[("what", &"this request"), ("reason", &"there is no session")]);
        self.session.as_mut().ok_or_else(none)
    }

    async fn handle(&mut self, request: Request, buffers: &Array) -> Answer {
        let plain = |value: JsValue| Ok((value, Vec::new()));
        match request {
            Request::Backends => plain(to_js(&super::open::report().await)),
            Request::Presets => plain(to_js(&nn::presets())),
            Request::Datasets => plain(to_js(&fetch::datasets(&self.data_url).await)),
            Request::Describe { model } => plain(to_js(&nn::describe(&model)?)),
            Request::Create { options } => {
                self.finish_run().await;
                let info = self.create(options, buffers).await?;
                plain(to_js(&info))
            }
            Request::Parameters => {
                let list = self.session()?.parameters().map(|v| ParameterInfo { name: v.name.clone(), shape: v.shape.to_vec() });
                plain(to_js(&list.collect::<Vec<_>>()))
            }
            Request::GetParameter { name } => {
                let values = self.session()?.parameter(&name).await?;
                Ok((JsValue::NULL, vec![Buffer::Floats(values)]))
            }
            Request::SetParameter { name } => {
                let values = floats(&buffers.get(0));
                self.session()?.set_parameter(&name, &values)?;
                self.safe = None;
                plain(JsValue::NULL)
            }
            Request::Train { .. } => plain(JsValue::NULL),
            Request::Stop => {
                self.finish_run().await;
                plain(JsValue::NULL)
            }
            Request::TrainBatch => {
                let (x, y) = (floats(&buffers.get(0)), floats(&buffers.get(1)));
                let loss = self.session()?.train_batch(&x, &y).await?;
                self.keep_safe(false).await?;
                plain(loss.into())
            }
            Request::Evaluate { split } => {
                let mut evaluator = Evaluator::new(self.session()?, split)?;
                loop {
                    if let Some(evaluation) = evaluator.advance(self.session()?).await? {
                        return plain(to_js(&evaluation));
                    }
                }
            }
            Request::Predict => {
                let outputs = self.session()?.predict(&floats(&buffers.get(0))).await?;
                Ok((JsValue::NULL, vec![Buffer::Floats(outputs)]))
            }
            Request::Nodes => plain(to_js(&nodes(self.session()?))),
            Request::Read { node, gradient } => {
                let (shape, values) = self.session()?.read_node(&node, gradient).await?;
                Ok((to_js(&shape.to_vec()), vec![Buffer::Floats(values)]))
            }
            Request::Examples { split, indices } => {
                let session = self.session()?;
                let (part, first) = part_of(session, split);
                let mut x = Vec::new();
                let mut labels: Vec<f32> = Vec::new();
                for index in indices {
                    let row = row_of(part, first, split, index)?;
                    x.extend(part.x.gather(&[row]));
                    labels.extend(part.y.gather(&[row]));
                }
                Ok((to_js(&labels), vec![Buffer::Floats(x)]))
            }
            Request::SetHyper { hyper } => {
                let session = self.session()?;
                let changes = [
                    ("learning_rate", hyper.learning_rate),
                    ("momentum", hyper.momentum),
                    ("weight_decay", hyper.weight_decay),
                    ("dropout", hyper.dropout),
                ];
                for (name, value) in changes {
                    if let Some(value) = value {
                        session.set_hyper(name, value)?;
                    }
                }
                plain(JsValue::NULL)
            }
            Request::Reset { seed } => {
                self.finish_run().await;
                self.session()?.reset(seed)?;
                self.safe = None;
                plain(JsValue::NULL)
            }
            Request::Pin { split, index } => {
                let session = self.session()?;
                let pinned = match index {
                    None => floats(&buffers.get(0)),
                    Some(index) => {
                        let (part, first) = part_of(session, split);
                        part.x.gather(&[row_of(part, first, split, index)?])
                    }
                };
                let expected = session.settings().model.input.iter().product::<usize>();
                if pinned.len() != expected {
                    let arguments: [(&str, &dyn std::fmt::Display); 3] =
                        [("what", &"pin"), ("expected", &expected), ("got", &pinned.len())];
                    return Err(Error::new(ErrorCode::WrongLength, &arguments));
                }
                self.pinned = pinned;
                plain(JsValue::NULL)
            }
            Request::Watch { views } => {
                let names: Vec<String> = views.iter().map(|view| view.node.clone()).collect();
                self.session()?.watch(&names).await?;
                self.views = views;
                plain(JsValue::NULL)
            }
            Request::Frame => {
                self.send_frame().await?;
                plain(JsValue::NULL)
            }
            Request::Snapshot => {
                let Snapshot(bytes) = self.session()?.snapshot().await?;
                Ok((JsValue::NULL, vec![Buffer::Bytes(bytes)]))
            }
            Request::Restore => {
                self.finish_run().await;
                let bytes = js_sys::Uint8Array::new(&buffers.get(0)).to_vec();
                self.session()?.restore(&Snapshot(bytes))?;
                self.safe = None;
                plain(JsValue::NULL)
            }
            Request::Memory => {
                let gpu_bytes = match self.session()?.backend() {
                    Device::Gpu(gpu) => gpu.gpu_bytes() as f64,
                    Device::Cpu(_) => 0.0,
                };
                let memory = Memory { wasm_bytes: js::wasm_bytes(), gpu_bytes };
                plain(to_js(&memory))
            }
            Request::Dispose => {
                self.finish_run().await;
                (self.session, self.safe) = (None, None);
                (self.views, self.pinned) = (Vec::new(), Vec::new());
                plain(JsValue::NULL)
            }
        }
    }

    async fn create(&mut self, options: SessionOptions, buffers: &Array) -> Result<SessionInfo> {
        self.session = None;
        (self.views, self.pinned) = (Vec::new(), Vec::new());
        let data = match (&options.data, &options.data_shape) {
            (Some(name), _) => fetch::dataset(&self.data_url, name, &self.post).await?,
            (None, Some(shape)) => {
                let y = floats(&buffers.get(1));
                Dataset::from_arrays(floats(&buffers.get(0)), shape, y)?
            }
            (None, None) => return Err(Error::new(ErrorCode::BadSpec, &[("reason", &"neither data nor data_shape is given")])),
        };
        let device = super::open::device(options.backend).await?;
        let settings = Settings {
            model: options.model,
            loss: options.loss,
            optimizer: options.optimizer,
            batch_size: options.batch_size,
            seed: options.seed,
            validation_split: options.validation_split,
        };
        let session = Session::new(device, settings, Rc::new(data)).await?;
        self.safe = None;
        let info = info(&session);
        self.session = Some(session);
        Ok(info)
    }

    fn begin(&mut self, id: u32, options: TrainOptions) -> Result<()> {
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
        self.training = Some(Training { id, run, unsent: Vec::new(), sent_at: now(), frame_at: 0.0 });
        Ok(())
    }

    /// One chunk of the run, and what the page is to hear of it.
    pub async fn train_on(&mut self) {
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
    async fn keep_safe(&mut self, at_once: bool) -> Result<()> {
        let due = at_once || self.safe.as_ref().is_none_or(|(_, taken)| now() - taken >= SNAPSHOT_MS);
        if let (Some(session), true) = (&self.session, due)
            && session.backend().name() == "webgpu"
        {
            self.safe = Some((session.snapshot().await?, now()));
        }
        Ok(())
    }

    /// After the GPU is lost: the same session on the CPU, from its last good state; a run that was under way goes on there.
    async fn recover(&mut self, reason: &Error) -> Result<()> {
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
        if let Some(training) = &mut self.training {
            training.run.resume_from(&mut session);
            training.unsent.clear();
        }
        let event = Event::DeviceLost { reason: reason.message.clone(), step: session.step_count(), info: info(&session) };
        self.session = Some(session);
        self.post.event(&event, Vec::new());
        Ok(())
    }

    fn send_progress(&mut self, time: f64) {
        let (Some(training), Some(session)) = (&mut self.training, &self.session) else { return };
        if training.unsent.is_empty() {
            training.sent_at = time;
            return;
        }
        let metrics = std::mem::take(&mut training.unsent);
        let seconds = ((time - training.sent_at) / 1000.0).max(1e-6) as f32;
        training.sent_at = time;
        let examples: usize = metrics.iter().map(|metric| metric.examples).sum();
        // What the page hears of is what was waited for; some steps more are on their way.
        let in_flight = training.run.in_flight();
        let correct: Option<f32> = metrics.iter().map(|metric| metric.correct).sum();
        let event = Event::Progress {
            step: session.step_count() - in_flight.min(session.step_count()),
            epoch: (session.epochs_done() - in_flight as f32 / session.steps_per_epoch().max(1) as f32).max(0.0),
            steps_per_epoch: session.steps_per_epoch(),
            accuracy: correct.map(|correct| correct / examples.max(1) as f32),
            learning_rate: session.learning_rate(),
            examples_per_second: examples as f32 / seconds,
            seconds_left: training.run.steps_left() as f32 * seconds / metrics.len() as f32,
        };
        self.post.event(&event, vec![Buffer::Floats(metrics.iter().map(|metric| metric.loss).collect())]);
    }

    async fn send_frame(&mut self) -> Result<()> {
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
    async fn finish_run(&mut self) {
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

/// The row of example `index` of a split that begins at row `first` of its part.
fn row_of(part: &Part, first: usize, split: Split, index: usize) -> Result<u32> {
    let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &format!("{} example", split.name())), ("got", &index)]);
    let row = first.checked_add(index).filter(|&row| row < part.count).ok_or_else(missing)?;
    u32::try_from(row).map_err(|_| missing())
}

/// The part that holds a split, and the split's first row in it.
fn part_of(session: &Session<Device>, split: Split) -> (&Part, usize) {
    match split {
        Split::Train => (&session.data().train, 0),
        Split::Validation => (&session.data().train, session.count(Split::Train)),
        Split::Test => (&session.data().test, 0),
    }
}

fn info(session: &Session<Device>) -> SessionInfo {
    let compiled = session.training();
    let prediction = compiled.map(|compiled| compiled.built.graph.shape(compiled.built.output)[1..].to_vec());
    SessionInfo {
        backend: session.backend().name().into(),
        adapter: session.backend().adapter(),
        workers: 1,
        parameter_count: session.parameter_count(),
        dispatches_per_step: compiled.map_or(0, |compiled| session.backend().dispatches(&compiled.exec)),
        flops_per_step: compiled.map_or(0.0, |compiled| compiled.plan.cost().flops),
        training_examples: session.count(Split::Train),
        validation_examples: session.count(Split::Validation),
        test_examples: session.count(Split::Test),
        batch_size: session.settings().batch_size,
        input_shape: session.settings().model.input.clone(),
        output_shape: prediction.unwrap_or_default(),
        classes: session.data().info.classes.clone(),
    }
}

fn nodes(session: &Session<Device>) -> Vec<NodeInfo> {
    let Some(compiled) = session.training() else { return Vec::new() };
    let graph = &compiled.built.graph;
    let info = |node: &crate::ops::Node| NodeInfo {
        name: node.name.clone(),
        op: match &node.kind {
            Kind::Leaf(_) => "leaf".into(),
            Kind::Op(op) => crate::graph::Operation::name(op).into(),
        },
        layer: node.layer.clone(),
        phase: match node.phase {
            Phase::Forward => "forward",
            Phase::Backward { .. } => "backward",
            Phase::Update => "update",
        }
        .into(),
        shape: node.meta.shape.to_vec(),
        inputs: node.inputs.iter().map(|&input| graph.node(input).name.clone()).collect(),
    };
    graph.nodes().iter().map(info).collect()
}
