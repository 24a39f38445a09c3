//! Requests of the stepper.

use crate::trace::{Breakpoint, ReadItem};
use crate::train::{Subject, Travel};

wire! {
    /// Shape of an array beside the message.
    pub struct ReadValue {
        /// Its extents.
        pub shape: Vec<usize>,
    }
}

asked! {
    /// A request of the stepper: a walk through the step that comes next. Nodes are numbered as in `TraceInfo`.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum WalkRequest {
        /// -> `TraceInfo`. Buffers: `x` where the subject is an example from outside. A run that is under way ends.
        Open {
            /// What to walk through.
            subject: Subject,
        },
        /// -> `TraceState`; over batches and epochs `TraceInfo`, since the walk is opened anew there, once it has arrived: meanwhile events tell how far
        /// it is.
        Travel {
            /// Where to.
            travel: Travel,
            /// Where to stop on the way forward over ops.
            breakpoints: Vec<Breakpoint>,
        },
        /// -> `ReadValue[]`. Buffers: the values.
        Read {
            /// Which values.
            items: Vec<ReadItem>,
        },
        /// -> `Explanation`. Buffers: elements (`Uint32Array`) of each source, then of each consumer.
        Explain {
            /// Of which node.
            node: usize,
            /// Which element, row-major.
            element: u32,
            /// Terms of a sum that are told.
            most: usize,
        },
        /// -> `Nudge`.
        Nudge {
            /// Of which node.
            node: usize,
            /// Which element.
            element: u32,
            /// By how much; what suits the value if none is given.
            epsilon: Option<f64>,
        },
        /// Puts a number into an element -> `TraceState`.
        Edit {
            /// Of which node.
            node: usize,
            /// Which element.
            element: u32,
            /// The number.
            value: f32,
        },
        /// Why an element is 0 -> `Reason[]`.
        Why {
            /// Of which node.
            node: usize,
            /// Which element.
            element: u32,
        },
        /// -> `OptimizerTable`. Buffers: its columns.
        Optimizer {
            /// Of which parameter.
            parameter: String,
        },
        /// Opens a program of the scratchpad in place of any other walk; it needs no session -> `TraceInfo`. Batches and epochs are then steps.
        OpenScratch {
            /// The program.
            source: String,
            /// Seed of its random numbers.
            seed: u32,
        },
        /// Ends a travel over batches or epochs at the step that it has come to; it answers with the walk there.
        Stop,
        /// Leaves the walk; one that is over already stays so.
        Close,
    }
}
