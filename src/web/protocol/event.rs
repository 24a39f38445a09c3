//! What the worker says unasked, and the pictures that it is asked to send so.

use super::SessionInfo;
use crate::data::Split;
use crate::train::Evaluation;

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
        /// A few times a second while the data are evaluated, as it was asked or at the end of an epoch.
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
