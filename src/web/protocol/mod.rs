//! What the page and the engine's worker say to each other. The TypeScript twins of these types are generated from here
//! (`cargo xtask pkg`), never written by hand.
//!
//! A message to the worker is `{ id, request, buffers }`, an answer `{ id, ok, buffers }` or `{ id, error }`, an event
//! `{ event, buffers }`. Large arrays never travel inside the JSON-like part: `buffers` holds them as typed arrays, in the order that
//! the variant's comment states.

mod event;
mod session;
mod walk;

pub use event::{Event, Standing, Tile, View};
pub use session::{
    BackendChoice, BackendReport, Hyper, Memory, NodeInfo, ParameterInfo, SessionInfo, SessionOptions, TrainOptions, TrainResult,
};
pub use walk::{ReadValue, WalkRequest};

use crate::data::Split;
use crate::nn::ModelSpec;
use crate::optim::OptimizerSpec;
use crate::train::{AttributeOptions, GenerateOptions};

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
            /// Part of the data; its first 256 examples.
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
