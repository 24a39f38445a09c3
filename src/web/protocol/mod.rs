//! What the page and the engine's worker say to each other. The TypeScript twins of these types are generated from here
//! (`cargo xtask pkg`), never written by hand.
//!
//! A message to the worker is `{ id, request, buffers }`, an answer `{ id, ok, buffers }` or `{ id, error }`, an event
//! `{ event, buffers }`. Large arrays never travel inside the JSON-like part: `buffers` holds them as typed arrays, in the order that
//! the variant's comment states.

mod walk;

pub use walk::{ReadValue, WalkRequest};

use crate::data::{DocumentOptions, Split};
use crate::nn::{LossSpec, ModelSpec};
use crate::optim::OptimizerSpec;
use crate::train::{AttributeOptions, Evaluation, GenerateOptions};

asked! {
    /// Which backend to train on. `auto` takes WebGPU where the adapter is hardware, else SIMD code on the CPU.
    #[derive(Copy, Eq, Default)]
    pub enum BackendChoice {
        /// WebGPU if its adapter is hardware, else the CPU.
        #[default]
        Auto,
        /// WebGPU, whatever the adapter.
        Webgpu,
        /// SIMD code on the CPU.
        Cpu,
    }

    /// What a session is made of, resolved from the options of `createSession`.
    pub struct SessionOptions {
        /// The model, layer by layer.
        pub model: ModelSpec,
        /// An installed or generated data set, or none if the examples come as buffers: `x`, a `Float32Array` or a `Uint8Array`, then `y`, a `Float32Array`.
        pub data: Option<String>,
        /// Names of the set's own files, which come as buffers, where it is not installed.
        pub files: Option<Vec<String>>,
        /// A text to learn from, instead of a data set: its tokens are the vocabulary.
        pub text: Option<String>,
        /// How labelled documents become rows, and a text tokens.
        pub documents: Option<DocumentOptions>,
        /// Shape of `x` with the number of examples first, when the examples come as buffers.
        pub data_shape: Option<Vec<usize>>,
        /// What the bytes of `x` are multiplied by, where it is a `Uint8Array`; they stay bytes in memory.
        pub data_scale: Option<f32>,
        /// Names of the classes of what comes in buffers. With them and without a shape the one buffer is labelled documents in UTF-8, a line each:
        /// the number of a class, a tab, the text.
        pub classes: Option<Vec<String>>,
        /// How many of the examples in buffers, the last ones, are for testing.
        pub test_examples: Option<usize>,
        /// Backend wanted.
        pub backend: BackendChoice,
        /// Seed of initial weights, shuffling and dropout.
        pub seed: u32,
        /// Examples a step.
        pub batch_size: usize,
        /// Share of the training set that is held out for validation, in [0, 1).
        pub validation_split: f32,
        /// Most examples that are trained on; all that are not held out if none.
        pub train_examples: Option<usize>,
        /// Optimizer with Keras's names and defaults.
        pub optimizer: OptimizerSpec,
        /// Loss.
        pub loss: LossSpec,
    }
}

wire! {
    /// Facts about a session that do not change while it lives.
    pub struct SessionInfo {
        /// `"webgpu"` or `"cpu"`.
        pub backend: String,
        /// The adapter's name, or the kind of SIMD.
        pub adapter: String,
        /// Number of workers that train (data-parallel replicas on the CPU).
        pub workers: usize,
        /// Trainable parameters.
        pub parameter_count: usize,
        /// GPU dispatches (CPU kernel calls) of one training step.
        pub dispatches_per_step: usize,
        /// Floating-point operations of one training step.
        pub flops_per_step: f64,
        /// Examples in the training part, after validation is held out.
        pub training_examples: usize,
        /// Examples held out for validation.
        pub validation_examples: usize,
        /// Examples in the test part.
        pub test_examples: usize,
        /// Examples a step.
        pub batch_size: usize,
        /// Shape of one input example.
        pub input_shape: Vec<usize>,
        /// Shape of the model's output for one example.
        pub output_shape: Vec<usize>,
        /// Names of the classes, empty for regression; the tokens of a text.
        pub classes: Vec<String>,
        /// The model; over a text, with the text's vocabulary.
        pub model: ModelSpec,
    }

    /// A trainable parameter.
    pub struct ParameterInfo {
        /// `"conv2d.kernel"`.
        pub name: String,
        /// In Keras's layout: `[3, 3, 1, 32]`.
        pub shape: Vec<usize>,
    }

    /// A node of the training graph.
    pub struct NodeInfo {
        /// Unique name: `"conv2d/relu"`.
        pub name: String,
        /// The op: `"matmul"`.
        pub op: String,
        /// Layer that it belongs to, empty for loss and optimizer.
        pub layer: String,
        /// `"forward"`, `"backward"` or `"update"`.
        pub phase: String,
        /// Shape, batch first where there is one.
        pub shape: Vec<usize>,
        /// Names of its inputs.
        pub inputs: Vec<String>,
    }

    /// What the machine offers.
    pub struct BackendReport {
        /// The WebGPU adapter's name, or none where there is no WebGPU.
        pub webgpu: Option<String>,
        /// Whether that adapter is software (then `auto` takes the CPU).
        pub software_adapter: bool,
        /// The CPU backend's kind of SIMD: `"simd128"` or `"relaxed-simd"`.
        pub cpu: String,
    }

    /// What the engine holds.
    pub struct Memory {
        /// Size of the wasm memory, which never shrinks.
        pub wasm_bytes: f64,
        /// Bytes of live GPU buffers.
        pub gpu_bytes: f64,
    }
}

asked! {
    /// Hyper-parameters that may change while training runs; absent ones stay as they are.
    #[derive(Default)]
    pub struct Hyper {
        /// Learning rate.
        pub learning_rate: Option<f32>,
        /// That of a generator with an optimizer of its own.
        pub generator_learning_rate: Option<f32>,
        /// SGD's momentum.
        pub momentum: Option<f32>,
        /// AdamW's decay.
        pub weight_decay: Option<f32>,
        /// Rate of every dropout layer.
        pub dropout: Option<f32>,
    }

    /// How long to train.
    pub struct TrainOptions {
        /// Steps to take, or
        pub steps: Option<usize>,
        /// epochs to finish (the current one counts from where it stands).
        pub epochs: Option<usize>,
        /// Shuffle the examples each epoch.
        pub shuffle: bool,
        /// Evaluate the validation and the test part after each epoch.
        pub evaluate: bool,
        /// Stop when the validation loss has not fallen for this many epochs.
        pub early_stopping: Option<usize>,
    }
}

wire! {
    /// What a call of `train` did. Buffers: losses `Float32Array`, one a step.
    pub struct TrainResult {
        /// Steps taken by this call.
        pub steps: usize,
        /// Share of right answers over those steps, where the task is classification.
        pub accuracy: Option<f32>,
        /// Mean wall time a step.
        pub ms_per_step: f32,
        /// Whether it was stopped before its end.
        pub stopped: bool,
    }
}

asked! {
    /// What to picture while training: a node's value for the pinned example, or a parameter.
    pub struct View {
        /// Node or parameter name: `"conv2d"` (a layer's output), `"conv2d.kernel"`.
        pub node: String,
        /// Most pictures (channels, filters) to show.
        pub most: usize,
    }
}

wire! {
    /// Where a view lies in the atlas: `count` pictures of `height` x `width` from byte `offset`, one after another, one byte a cell:
    /// 1 is `-scale`, 128 is zero, 255 is `+scale`, 0 is NaN or infinite.
    pub struct Tile {
        /// As asked for.
        pub node: String,
        /// Pictures (channels or filters).
        pub count: usize,
        /// Rows of one picture.
        pub height: usize,
        /// Columns of one picture.
        pub width: usize,
        /// Byte offset of the tile in the atlas.
        pub offset: usize,
        /// Magnitude that 255 stands for.
        pub scale: f32,
    }
}

asked! {
    /// A request to the worker.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Request {
        /// -> `BackendReport`.
        Backends,
        /// -> `Preset[]`.
        Presets,
        /// -> `DatasetInfo[]`.
        Datasets,
        /// Looks at a spec without building it -> `ModelDescription`.
        Describe {
            /// The model.
            model: ModelSpec,
        },
        /// What the layers of augmentation that a model begins with make of an example in training -> null. Buffers in: `x`, one example; out: one variant after
        /// another.
        Augment {
            /// The model.
            model: ModelSpec,
            /// How many variants.
            count: usize,
            /// Of the training.
            seed: u32,
            /// The step whose random numbers the first one has.
            step: u32,
        },
        /// Reads and runs a program of the scratchpad, without a session -> `ScratchReport`. A mistake is an error whose place is `line:column`.
        Scratch {
            /// The program.
            source: String,
            /// Seed of its random numbers.
            seed: u32,
        },
        /// The learning rate at some steps -> number[].
        Rates {
            /// Whose.
            optimizer: OptimizerSpec,
            /// At which steps.
            steps: Vec<usize>,
        },
        /// -> `SessionInfo`. Buffers: `x`, `y` where the options name no data set.
        Create {
            /// Everything that makes the session.
            options: SessionOptions,
        },
        /// Makes the session, which is on the CPU, the first of so many workers -> the `SharedArrayBuffer` that they share.
        Lead {
            /// How many.
            workers: usize,
        },
        /// Makes the session one of the others. Buffers: an `Int32Array` over the memory that they share. Once it is answered, the worker trains
        /// as the first one asks, and answers nothing any more.
        Follow {
            /// Which one, from 1.
            rank: usize,
        },
        /// -> `ParameterInfo[]`.
        Parameters,
        /// -> null. Buffers: the values.
        GetParameter {
            /// Its name.
            name: String,
        },
        /// Buffers: the values.
        SetParameter {
            /// Its name.
            name: String,
        },
        /// -> `TrainResult`. Buffers: losses.
        Train {
            /// How long.
            options: TrainOptions,
        },
        /// Stops the running `Train` after the step in flight, and each `Evaluate` after the batch in flight.
        Stop,
        /// One step on the given examples -> number, the loss. Buffers: `x`, `y`.
        TrainBatch,
        /// -> `Evaluation`.
        Evaluate {
            /// Part of the data.
            split: Split,
        },
        /// Examples that one cell of the last evaluation's confusion matrix counts -> `Cell`.
        Cell {
            /// Part of the data.
            split: Split,
            /// Their true class.
            truth: usize,
            /// What the model took them for.
            prediction: usize,
            /// How many to pass over.
            first: usize,
            /// How many to list.
            most: usize,
        },
        /// How the network fares on the batch last stepped; changes nothing -> `HealthReport`.
        Health,
        /// What the parts of one example contribute to a class -> `Attribution`. Buffers in: `x` if no index is given; out: the values.
        Attribute {
            /// What and how.
            options: AttributeOptions,
            /// Part of the data.
            split: Split,
            /// Index in it.
            index: Option<usize>,
        },
        /// The loss at some points around the present parameters, which stay -> null. Buffers: the losses.
        Landscape {
            /// Part of the data; its first 250 examples.
            split: Split,
            /// Seed of the two directions.
            seed: u32,
            /// How far to go along each.
            points: Vec<[f32; 2]>,
        },
        /// -> null. Buffers in: `x`, any number of examples; out: outputs.
        Predict,
        /// What the generator makes of the noise of a seed -> null. Buffers: one example after another.
        Sample {
            /// How many examples.
            count: usize,
            /// Of the noise.
            seed: u32,
        },
        /// What some layers put out -> null. Buffers in: `x`, any number of examples; out: one a layer.
        Activations {
            /// Their names.
            layers: Vec<String>,
            /// The layer that `x` stands for the output of, where it is no examples.
            from: Option<String>,
        },
        /// -> `NodeInfo[]`.
        Nodes,
        /// Goes on with a text and the tokens behind it, or with the answer to a source -> `Generated[]`. Buffers: the tokens.
        Generate {
            /// The text; none where there are tokens alone.
            prompt: Option<String>,
            /// What is answered, where the data are pairs.
            source: Option<String>,
            /// How.
            options: GenerateOptions,
        },
        /// What the model makes of words of an example that it does not see -> `Candidate[][]`, the likeliest first.
        Guess {
            /// Part of the data.
            split: Split,
            /// Index in it.
            index: usize,
            /// Positions of the tokens that are hidden.
            hidden: Vec<usize>,
            /// How many guesses of each.
            candidates: usize,
        },
        /// Value or gradient of a node in the batch last stepped (runs the inspect plan if need be) -> shape. Buffers: the values.
        Read {
            /// Node's name.
            node: String,
            /// The gradient of the loss with respect to it, instead of its value.
            gradient: bool,
        },
        /// A request of the stepper.
        Walk {
            /// Which.
            walk: WalkRequest,
            /// The number of the walk that it is for, as in `TraceInfo`; none where it opens one.
            number: Option<u32>,
        },
        /// Pixels and labels of examples -> labels as number[]. Buffers: pixels, one example after another.
        Examples {
            /// Part of the data.
            split: Split,
            /// Which.
            indices: Vec<usize>,
        },
        /// The texts of some examples, where the data are documents -> `Document[]`.
        Documents {
            /// Part of the data.
            split: Split,
            /// Which.
            indices: Vec<usize>,
            /// About so many bytes of each.
            most: usize,
        },
        /// The tokens that the data's rows are made of, as they are written -> string[], empty where the data are no texts. Buffers: how often each occurs in
        /// the training part (`Uint32Array`).
        Vocabulary,
        /// What the tokens of a text are -> `Tokenization`, or null where the data are no text.
        Tokenization {
            /// How many of those that were learned to list.
            most: usize,
        },
        /// Changes hyper-parameters, from the next step on.
        SetHyper {
            /// New values.
            hyper: Hyper,
        },
        /// Back to the initial weights of the same seed, or of a new one.
        Reset {
            /// New seed.
            seed: Option<u32>,
        },
        /// Pins the example that live pictures are made of. Buffers: `x` if no index is given.
        Pin {
            /// Part of the data.
            split: Split,
            /// Index in it.
            index: Option<usize>,
        },
        /// Chooses the live pictures; an empty list ends them.
        Watch {
            /// What to picture.
            views: Vec<View>,
        },
        /// One frame of the watched views now, as an event.
        Frame,
        /// -> null. Buffers: one `Uint8Array`, the whole state.
        Snapshot,
        /// Buffers: a snapshot.
        Restore,
        /// Takes over the weights that fit, by name and shape -> `LoadReport`. Buffers: a safetensors file, such as a snapshot.
        Load,
        /// -> `Memory`.
        Memory,
        /// Frees everything that the session holds.
        Dispose,
    }
}

wire! {
    /// How the generator stands against the discriminator: means over the steps since the last event.
    #[derive(Copy)]
    pub struct Standing {
        /// The generator's loss.
        pub generator_loss: f32,
        /// The discriminator's answer to the data, the probability that they are real.
        pub real: f32,
        /// Its answer to what was generated.
        pub fake: f32,
    }

    /// What the worker says unasked.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Event {
        /// A few times a second while training. Buffers: losses of the steps since the last one.
        Progress {
            /// Steps done since the session began.
            step: usize,
            /// Epochs done, with the fraction of the current one.
            epoch: f32,
            /// Steps an epoch.
            steps_per_epoch: usize,
            /// Share of right answers since the last event, where the task is classification.
            accuracy: Option<f32>,
            /// Share of the examples that were right everywhere, where answers are sequences with an end.
            exact: Option<f32>,
            /// How the generator stood, where two networks play; the losses are the discriminator's.
            game: Option<Standing>,
            /// Learning rate of the last step.
            learning_rate: f32,
            /// Speed now.
            examples_per_second: f32,
            /// Until the end of this call of `train`.
            seconds_left: f32,
        },
        /// An epoch ended.
        Epoch {
            /// Epochs done.
            epoch: usize,
            /// On the validation part, if there is one.
            validation: Option<Evaluation>,
            /// On the test part, if there is one.
            test: Option<Evaluation>,
        },
        /// A few times a second while the data are evaluated.
        Evaluating {
            /// Which part.
            split: Split,
            /// Examples done.
            done: usize,
            /// Examples in all.
            total: usize,
            /// Until the end.
            seconds_left: f32,
        },
        /// A data set is being read.
        Loading {
            /// Its name.
            data: String,
            /// Bytes so far.
            loaded: f64,
            /// Bytes in all, 0 if unknown.
            total: f64,
        },
        /// A few times a second while a walk goes to another batch.
        Travel {
            /// Step that it has come to.
            step: usize,
            /// Step at which it began to take steps: going back, that of the snapshot.
            from: usize,
            /// Step at which it ends.
            to: usize,
            /// Until then.
            seconds_left: f32,
        },
        /// Live pictures. Buffers: the atlas, then the model's output for the pinned example.
        Frame {
            /// Steps done.
            step: usize,
            /// The views.
            tiles: Vec<Tile>,
        },
        /// A worker went away; the first one trains on alone, and nothing is lost.
        WorkersLost {
            /// The session's new facts.
            info: SessionInfo,
        },
        /// The GPU was lost; the last snapshot was restored on the CPU.
        DeviceLost {
            /// What the browser said.
            reason: String,
            /// Step of the snapshot.
            step: usize,
            /// The session's new facts.
            info: SessionInfo,
        },
    }
}

#[cfg(all(test, feature = "types"))]
mod tests {
    use ts_rs::{Config, ExportError, TS};

    use super::*;
    use crate::data::{DatasetInfo, Document, Tokenization};
    use crate::nn::{ModelDescription, Preset};
    use crate::trace::{Explanation, Nudge, Reason};
    use crate::train::{Attribution, Cell, Generated, HealthReport, LoadReport, OptimizerTable, TraceInfo};

    /// Writes the twins to the folder that `TS_RS_EXPORT_DIR` names: whatever a request or an event mentions, and what answers.
    #[test]
    fn export_bindings() -> Result<(), ExportError> {
        let config = Config::from_env();
        Request::export_all(&config)?;
        Event::export_all(&config)?;
        BackendReport::export_all(&config)?;
        Preset::export_all(&config)?;
        DatasetInfo::export_all(&config)?;
        Document::export_all(&config)?;
        Tokenization::export_all(&config)?;
        ModelDescription::export_all(&config)?;
        ParameterInfo::export_all(&config)?;
        NodeInfo::export_all(&config)?;
        TrainResult::export_all(&config)?;
        Memory::export_all(&config)?;
        crate::scratch::ScratchReport::export_all(&config)?;
        crate::scratch::Hint::export_all(&config)?;
        ReadValue::export_all(&config)?;
        TraceInfo::export_all(&config)?;
        Explanation::export_all(&config)?;
        Nudge::export_all(&config)?;
        Reason::export_all(&config)?;
        OptimizerTable::export_all(&config)?;
        Cell::export_all(&config)?;
        HealthReport::export_all(&config)?;
        Attribution::export_all(&config)?;
        Generated::export_all(&config)?;
        LoadReport::export_all(&config)?;
        crate::error::Error::export_all(&config)
    }
}
