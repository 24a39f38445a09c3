//! The desk: what each request does to the session. The run that goes on between requests is in `driving`.

use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::driving::Training;
use super::evaluating::{Evaluating, only_looks};
use super::js::{Buffer, Post, floats, to_js};
use super::protocol::{Memory, NodeInfo, ParameterInfo, Request, SessionInfo, SessionOptions, View, WalkRequest};
use super::travelling::Travelling;
use super::{fetch, js};
use crate::backend::{Backend, Device};
use crate::data::{DataKind, Dataset, Given, Part, Split};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Kind, Phase};
use crate::nn;
use crate::scratch;
use crate::train::{ProgramWalk, Session, Settings, Snapshot, Travel};

/// A value and the arrays beside it.
pub(super) type Answer = Result<(JsValue, Vec<Buffer>)>;

/// Everything that an engine holds.
pub(super) struct Desk {
    pub(super) post: Post,
    data_url: String,
    pub(super) session: Option<Session<Device>>,
    /// The program of the scratchpad that is walked through.
    pub(super) program: Option<ProgramWalk>,
    /// Number of the walk that was opened last.
    pub(super) walk: u32,
    /// Its way to another batch.
    pub(super) travelling: Option<Travelling>,
    pub(super) training: Option<Training>,
    /// Evaluations asked for, the oldest first.
    pub(super) evaluations: VecDeque<Evaluating>,
    pub(super) views: Vec<View>,
    pub(super) pinned: Vec<f32>,
    /// Workers that train, as the page knows.
    pub(super) workers: usize,
    /// The last good state of a session on a GPU, and when it was taken.
    pub(super) safe: Option<(Snapshot, f64)>,
}

impl Desk {
    pub fn new(post: Post, data_url: String) -> Self {
        Self {
            post,
            data_url,
            session: None,
            program: None,
            walk: 0,
            travelling: None,
            training: None,
            evaluations: VecDeque::new(),
            views: Vec::new(),
            pinned: Vec::new(),
            workers: 1,
            safe: None,
        }
    }

    /// Whether there is something to do between requests.
    pub fn is_busy(&self) -> bool {
        self.training.is_some() || self.travelling.is_some() || !self.evaluations.is_empty()
    }

    /// A little of what there is to do between requests.
    pub async fn work_on(&mut self) {
        match (self.evaluations.is_empty(), &self.travelling) {
            (false, _) => self.evaluate_on().await,
            (true, Some(_)) => self.travel_on().await,
            (true, None) => self.train_on().await,
        }
        self.count_workers();
    }

    /// Answers one request; a run, an evaluation and a way to another batch answer when they are over.
    pub async fn answer(&mut self, id: u32, request: JsValue, buffers: &Array) {
        let request = match js::from_js(&request) {
            Ok(request) => request,
            Err(error) => return self.post.answer(id, Err(error)),
        };
        self.settle_evaluations(&request).await;
        self.settle_travel(&request).await;
        if !matches!(request, Request::Walk { .. }) {
            let ends = !only_looks(&request) || matches!(request, Request::Train { .. });
            if let Err(error) = self.leave_walk(ends) {
                return self.post.answer(id, Err(error));
            }
        }
        let begun = match request {
            Request::Train { options } => self.begin(id, options),
            Request::Evaluate { split } => self.begin_evaluation(id, split),
            Request::Follow { rank } => return self.follow(id, rank, buffers).await,
            Request::Walk {
                walk: WalkRequest::Travel { travel: travel @ (Travel::Batches { .. } | Travel::Epochs { .. }), .. },
                number,
            } => self.begin_travel(id, travel, number).await,
            request => match self.handle(request, buffers).await {
                Ok(answer) => {
                    self.post.answer(id, Ok(answer));
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = begun {
            self.refuse(id, error).await;
        }
    }

    /// Answers with an error; if it is that the GPU is lost, the session is opened again on the CPU first.
    pub(super) async fn refuse(&mut self, id: u32, error: Error) {
        let recovered = match error.code {
            ErrorCode::DeviceLost => self.recover(&error).await,
            _ => Ok(()),
        };
        let error = match recovered {
            Ok(()) => error,
            Err(worse) => {
                if let Some(training) = self.training.take() {
                    self.post.answer(training.id, Err(worse.clone()));
                }
                worse
            }
        };
        self.post.answer(id, Err(error));
    }

    pub(super) fn session(&mut self) -> Result<&mut Session<Device>> {
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
            Request::Augment { model, count, seed, step } => {
                let variants = nn::augment(&model, &floats(&buffers.get(0)), count, seed, step)?;
                Ok((JsValue::NULL, vec![Buffer::Floats(variants)]))
            }
            Request::Scratch { source, seed } => plain(to_js(&scratch::report(&scratch::compile(&source, seed)?))),
            Request::Rates { optimizer, steps } => {
                optimizer.check()?;
                let rates: Vec<f64> = steps.iter().map(|&step| optimizer.learning_rate().at(step)).collect();
                plain(to_js(&rates))
            }
            Request::Create { options } => {
                self.finish_run().await;
                let info = self.create(options, buffers).await?;
                plain(to_js(&info))
            }
            Request::Lead { workers } => self.lead(workers).await,
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
                self.keep_safe(true).await?;
                plain(JsValue::NULL)
            }
            // These answer when they are over (`answer`).
            Request::Train { .. } | Request::Evaluate { .. } | Request::Follow { .. } => plain(JsValue::NULL),
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
            Request::Cell { split, truth, prediction, first, most } => self.cell(split, truth, prediction, first, most),
            Request::Health => self.health().await,
            Request::Attribute { options, split, index } => self.attribute(&options, split, index, buffers).await,
            Request::Landscape { split, seed, points } => self.landscape(split, seed, &points).await,
            Request::Predict => {
                let outputs = self.session()?.predict(&floats(&buffers.get(0))).await?;
                Ok((JsValue::NULL, vec![Buffer::Floats(outputs)]))
            }
            Request::Sample { count, seed } => {
                let examples = self.session()?.sample(count, seed).await?;
                Ok((JsValue::NULL, vec![Buffer::Floats(examples)]))
            }
            Request::Activations { layers, from } => {
                let outputs = self.session()?.activations(&layers, &floats(&buffers.get(0)), from.as_deref()).await?;
                Ok((JsValue::NULL, outputs.into_iter().map(Buffer::Floats).collect()))
            }
            Request::Walk { walk, number } => self.walk(walk, number, buffers).await,
            Request::Generate { prompt, source, options } => {
                let session = self.session()?;
                let mut tokens = session.data().encode(prompt.as_deref().unwrap_or_default())?;
                tokens.extend(floats(&buffers.get(0)).into_iter().map(|token| token as u32));
                plain(to_js(&session.write(source.as_deref(), &tokens, &options).await?))
            }
            Request::Guess { split, index, hidden, candidates } => {
                let session = self.session()?;
                let x = example(session, split, Some(index), buffers)?;
                plain(to_js(&session.guesses(&x, &hidden, candidates).await?))
            }
            Request::Nodes => plain(to_js(&nodes(self.session()?))),
            Request::Read { node, gradient } => {
                let (shape, values) = self.session()?.read_node(&node, gradient).await?;
                Ok((to_js(&shape.to_vec()), vec![Buffer::Floats(values)]))
            }
            Request::Examples { split, indices } => {
                let session = self.session()?;
                let (part, first) = session.part_of(split);
                let mut x = Vec::new();
                let mut labels: Vec<f32> = Vec::new();
                for index in indices {
                    let row = row_of(part, first, split, index)?;
                    x.extend(part.x.gather(&[row]));
                    labels.extend(part.y.gather(&[row]));
                }
                Ok((to_js(&labels), vec![Buffer::Floats(x)]))
            }
            Request::Documents { split, indices, most } => {
                let session = self.session()?;
                let (part, first) = session.part_of(split);
                let mut documents = Vec::new();
                for index in indices {
                    let row = row_of(part, first, split, index)?;
                    documents.extend(session.data().document(split, row as usize, most));
                }
                plain(to_js(&documents))
            }
            Request::Vocabulary => {
                let (tokens, counts) = self.session()?.data().vocabulary();
                Ok((to_js(&tokens), vec![Buffer::Indices(counts)]))
            }
            Request::Tokenization { most } => plain(to_js(&self.session()?.data().tokenization(most))),
            Request::SetHyper { hyper } => {
                let session = self.session()?;
                let changes = [
                    ("learning_rate", hyper.learning_rate),
                    ("learning_rate:generator", hyper.generator_learning_rate),
                    ("momentum", hyper.momentum),
                    ("weight_decay", hyper.weight_decay),
                    ("dropout", hyper.dropout),
                ];
                if changes.iter().all(|(_, value)| value.is_none()) {
                    let expected = "learningRate, generatorLearningRate, momentum, weightDecay or dropout";
                    return Err(Error::new(ErrorCode::BadValue, &[("name", &"hyper"), ("expected", &expected), ("got", &"{}")]));
                }
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
                let pinned = example(session, split, index, buffers)?;
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
                self.keep_safe(true).await?;
                plain(JsValue::NULL)
            }
            Request::Load => {
                self.finish_run().await;
                let bytes = js_sys::Uint8Array::new(&buffers.get(0)).to_vec();
                let report = self.session()?.load(&bytes)?;
                self.keep_safe(true).await?;
                plain(to_js(&report))
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
                (self.session, self.program, self.safe) = (None, None, None);
                (self.views, self.pinned) = (Vec::new(), Vec::new());
                plain(JsValue::NULL)
            }
        }
    }

    async fn create(&mut self, options: SessionOptions, buffers: &Array) -> Result<SessionInfo> {
        self.session = None;
        (self.views, self.pinned) = (Vec::new(), Vec::new());
        let reading = options.model.reading(&options.documents.unwrap_or_default());
        let given = Given { classes: options.classes.clone().unwrap_or_default(), test: options.test_examples.unwrap_or(0) };
        let data = match (&options.data, &options.data_shape) {
            (Some(name), _) if options.files.is_some() => {
                let bytes = |buffer: JsValue| js_sys::Uint8Array::new(&buffer).to_vec();
                let files = options.files.iter().flatten().cloned().zip(buffers.iter().map(bytes));
                Dataset::from_official(name, &files.collect::<Vec<_>>())?
            }
            (Some(name), _) => fetch::dataset(&self.data_url, name, reading, &self.post).await?,
            (None, Some(shape)) => {
                let x = js::cells(&buffers.get(0), options.data_scale.unwrap_or(1.0));
                Dataset::from_examples(x, shape, floats(&buffers.get(1)), given)?
            }
            (None, None) if options.classes.is_some() => {
                Dataset::from_lines(js_sys::Uint8Array::new(&buffers.get(0)).to_vec(), given, reading)?
            }
            (None, None) if options.text.is_some() => {
                let text = options.text.as_deref().unwrap_or_default();
                Dataset::from_text(Dataset::text_info("text", "Text"), text, reading)?
            }
            (None, None) => return Err(Error::new(ErrorCode::BadSpec, &[("reason", &"neither data, a text nor data_shape is given")])),
        };
        let device = super::open::device(options.backend).await?;
        let model = match data.info.kind {
            DataKind::Text => options.model.with_vocabulary(data.info.classes.len()),
            DataKind::Pairs => options.model.with_lengths(data.lengths().unwrap_or_default()).with_vocabulary(data.info.classes.len()),
            DataKind::Image | DataKind::Points | DataKind::Values | DataKind::Documents => options.model,
        };
        let settings = Settings {
            model,
            loss: options.loss,
            optimizer: options.optimizer,
            batch_size: options.batch_size,
            seed: options.seed,
            validation_split: options.validation_split,
            train_examples: options.train_examples,
        };
        let session = Session::new(device, settings, Rc::new(data)).await?;
        self.safe = None;
        let info = info(&session);
        (self.session, self.workers) = (Some(session), 1);
        Ok(info)
    }
}

/// An example of the data, or the one that came with the message.
pub(super) fn example(session: &Session<Device>, split: Split, index: Option<usize>, buffers: &Array) -> Result<Vec<f32>> {
    let Some(index) = index else { return Ok(floats(&buffers.get(0))) };
    let (part, first) = session.part_of(split);
    Ok(part.x.gather(&[row_of(part, first, split, index)?]))
}

/// The row of example `index` of a split that begins at example `first` of its part.
fn row_of(part: &Part, first: usize, split: Split, index: usize) -> Result<u32> {
    let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &format!("{} example", split.name())), ("got", &index)]);
    let example = first.checked_add(index).filter(|&example| example < part.count).ok_or_else(missing)?;
    u32::try_from(part.row(example)).map_err(|_| missing())
}

pub(super) fn info(session: &Session<Device>) -> SessionInfo {
    let compiled = session.training();
    let prediction = compiled.map(|compiled| compiled.built.graph.shape(compiled.built.output)[1..].to_vec());
    SessionInfo {
        backend: session.backend().name().into(),
        adapter: session.backend().adapter(),
        workers: session.workers(),
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
        model: session.settings().model.clone(),
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
