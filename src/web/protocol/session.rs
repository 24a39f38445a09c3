//! What a session is made of, the facts about it, and how it trains.

use crate::data::DocumentOptions;
use crate::nn::{LossSpec, ModelSpec};
use crate::optim::OptimizerSpec;

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
        /// The CPU backend's kind of SIMD: `"scalar"`, `"simd128"` or `"relaxed-simd"`.
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
