//! What a walk tells of itself: the types that the engine and the page share. Nodes go by their index in the graph, elements by their
//! row-major position.

use crate::data::Split;

wire! {
    /// What is walked through.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Subject {
        /// The batch of the step that comes next.
        Batch,
        /// One example of the data.
        Example {
            /// Part of the data.
            split: Split,
            /// Index in it.
            index: usize,
        },
        /// One example from outside. Buffers in: `x`.
        Pinned {
            /// Its label; 0 if none.
            label: Option<f32>,
        },
    }

    /// Part of the step that a node belongs to.
    #[derive(Copy, Eq)]
    pub enum Lane {
        /// From the inputs to the loss.
        Forward,
        /// From the loss to the gradients.
        Backward,
        /// From the gradients to the new parameters.
        Update,
    }

    /// What kind of value a node is.
    #[derive(Copy, Eq)]
    pub enum Role {
        /// The examples.
        Input,
        /// The labels.
        Target,
        /// What is trained.
        Parameter,
        /// A moving average.
        Statistic,
        /// A whole flat buffer: all parameters, all gradients, or a slot of the optimizer.
        Optimizer,
        /// A number that may change from step to step.
        Scalar,
        /// A number fixed in the graph.
        Constant,
        /// A computed value.
        Op,
    }

    /// A node of the graph that is walked through.
    pub struct TraceNode {
        /// Unique: `"conv2d/relu"`.
        pub name: String,
        /// The op: `"conv2d"`; for leaves the role's word.
        pub op: String,
        /// What it computes, as TeX; empty for leaves.
        pub formula: String,
        /// Kind of value.
        pub role: Role,
        /// The layer, empty for loss and optimizer.
        pub layer: String,
        /// When.
        pub lane: Lane,
        /// For backward nodes, the forward node whose rule made it.
        pub of: Option<usize>,
        /// Whole shape.
        pub shape: Vec<usize>,
        /// Whether the first axis is the batch.
        pub batched: bool,
        /// What it is made from.
        pub inputs: Vec<usize>,
        /// The node that holds the loss's gradient with respect to this one.
        pub gradient: Option<usize>,
        /// Index in the ops: the value exists once the cursor is greater. None for what is always there.
        pub position: Option<usize>,
        /// Name of the parameter or statistic that a leaf is.
        pub variable: Option<String>,
    }

    /// A layer of the model.
    pub struct TraceLayer {
        /// Unique: `"conv2d_1"`.
        pub name: String,
        /// `"Conv2D"`.
        pub kind: String,
        /// Node of its output.
        pub output: usize,
        /// Leaves of its parameters.
        pub parameters: Vec<usize>,
    }

    /// A walk as it was opened, and its state.
    pub struct TraceInfo {
        /// What is walked through.
        pub subject: Subject,
        /// Examples in the walk.
        pub batch: usize,
        /// Rows of the training part that make the batch, or the example's row of its part; empty where it came from outside.
        pub rows: Vec<u32>,
        /// All nodes of the graph.
        pub nodes: Vec<TraceNode>,
        /// Nodes in the order in which they are computed.
        pub ops: Vec<usize>,
        /// Cursor at which the loss is known.
        pub forward_end: usize,
        /// Cursor at which all gradients are known.
        pub backward_end: usize,
        /// The model's layers in order.
        pub layers: Vec<TraceLayer>,
        /// Node of the examples.
        pub x: usize,
        /// Node of the labels.
        pub y: Option<usize>,
        /// Node of the model's output.
        pub output: usize,
        /// Node of the loss.
        pub loss: usize,
        /// Where the walk stands.
        pub state: TraceState,
    }

    /// Where a walk stands.
    pub struct TraceState {
        /// Ops done.
        pub cursor: usize,
        /// Steps that the session had done when the walk began.
        pub step: usize,
        /// Its whole epochs.
        pub epoch: usize,
        /// Examples of the epoch done.
        pub position: usize,
        /// The loss, once it is computed.
        pub loss: Option<f32>,
        /// Nodes that were edited in this walk.
        pub edited: Vec<usize>,
        /// Why the last travel stopped early.
        pub hit: Option<Hit>,
        /// Steps that have a snapshot.
        pub snapshots: Vec<usize>,
        /// Whether snapshots were given up for memory.
        pub thinned: bool,
    }

    /// A breakpoint that was hit.
    pub struct Hit {
        /// Position in the list of breakpoints.
        pub breakpoint: usize,
        /// Where.
        pub node: usize,
        /// At which element, where it is a single one.
        pub element: Option<usize>,
        /// The value that hit: the element, the loss, or the share of dead units.
        pub value: f32,
    }

    /// Where a travel stops early.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Breakpoint {
        /// The first op whose value holds NaN or infinity.
        NotFinite,
        /// A loss above `factor` times the mean loss of the last 20 steps.
        LossAbove {
            /// How many times.
            factor: f32,
        },
        /// A ReLU of whose units more than this share is 0 for the whole batch; a unit is a position of the last axis.
        DeadUnits {
            /// In [0, 1].
            share: f32,
        },
        /// An op.
        Op {
            /// Which.
            node: usize,
        },
    }

    /// A way through time.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Travel {
        /// To a cursor, forward or back.
        To {
            /// Ops done.
            cursor: usize,
        },
        /// Whole batches: forward by training steps, back by a snapshot and a replay.
        Batches {
            /// How many; negative is back.
            by: i32,
        },
        /// Likewise to epoch boundaries.
        Epochs {
            /// How many; negative is back.
            by: i32,
        },
    }

    /// A value to read.
    pub struct ReadItem {
        /// Which node.
        pub node: usize,
        /// That example's row of it alone.
        pub example: Option<usize>,
    }

    /// A value that was read. Buffers: the values, one `Float32Array` an item.
    pub struct ReadValue {
        /// Its shape.
        pub shape: Vec<usize>,
    }

    /// How an element came about. Buffers: a `Uint32Array` of elements for each source, then for each consumer.
    pub struct Explanation {
        /// Which node.
        pub node: usize,
        /// Row-major position.
        pub element: usize,
        /// The same along each axis.
        pub index: Vec<usize>,
        /// What the engine computed.
        pub value: f32,
        /// The expression in double precision, apart from the engine's code.
        pub recomputed: f64,
        /// The expression.
        pub term: Term,
        /// Elements that it is made from.
        pub sources: Vec<Source>,
        /// Elements of later forward nodes that it went into.
        pub consumers: Vec<Source>,
    }

    /// Elements of a node, at most 65,536 of them in the buffer.
    pub struct Source {
        /// Which node.
        pub node: usize,
        /// How many there are in all.
        pub count: usize,
    }

    /// An expression with its value.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Term {
        /// An element of an input.
        Element {
            /// Node of the input.
            input: usize,
            /// Row-major position.
            element: usize,
            /// The same along each axis.
            index: Vec<usize>,
            /// Whether it is the gradient that comes from above.
            upstream: bool,
            /// Its value.
            value: f64,
        },
        /// A number of the op's own.
        Number {
            /// Its value.
            value: f64,
        },
        /// A random number of the step.
        Random {
            /// Its value.
            value: f64,
        },
        /// What is added.
        Sum {
            /// The largest by magnitude, largest first.
            terms: Vec<Term>,
            /// How many there are in all.
            count: usize,
            /// Sum of those left out.
            rest: f64,
            /// The sum.
            value: f64,
        },
        /// What is multiplied.
        Product {
            /// The factors.
            factors: Vec<Term>,
            /// The product.
            value: f64,
        },
        /// The largest of some.
        Max {
            /// The largest of them, largest first.
            terms: Vec<Term>,
            /// How many there are in all.
            count: usize,
            /// The maximum.
            value: f64,
        },
        /// 1 if a candidate is the first largest, else 0.
        FirstMax {
            /// Whether it is.
            won: bool,
            /// The candidate.
            own: Box<Term>,
            /// The first largest.
            winner: Box<Term>,
            /// 1 or 0.
            value: f64,
        },
        /// 1 if two are equal, else 0.
        Equal {
            /// One.
            left: Box<Term>,
            /// The other.
            right: Box<Term>,
            /// 1 or 0.
            value: f64,
        },
        /// A pointwise function.
        Call {
            /// `"relu"`.
            function: String,
            /// Its arguments.
            arguments: Vec<Term>,
            /// The result.
            value: f64,
        },
    }

    /// What becomes of the loss if a value changes a little.
    pub struct Nudge {
        /// The engine's gradient, once it is computed.
        pub gradient: Option<f64>,
        /// (L(v + ε) - L(v - ε)) / 2ε in double precision.
        pub slope: f64,
        /// ε.
        pub epsilon: f64,
        /// L(v - ε).
        pub below: f64,
        /// L(v).
        pub at: f64,
        /// L(v + ε).
        pub above: f64,
        /// Whether the slopes to either side differ by more than 1 %: something switched.
        pub kink: bool,
    }

    /// A link of the chain that says why a value is 0.
    pub struct Reason {
        /// Which node.
        pub node: usize,
        /// Which element.
        pub element: usize,
        /// Why.
        pub cause: Cause,
    }

    /// Why a value is 0.
    #[derive(Copy, Eq)]
    pub enum Cause {
        /// It is not.
        NotZero,
        /// The gradient from above is.
        UpstreamZero,
        /// A factor is.
        FactorZero,
        /// A function cut a negative number.
        Negative,
        /// Another candidate was the largest.
        LostMax,
        /// Dropout left it out.
        Masked,
        /// Its terms cancel.
        Cancelled,
        /// It is a value from outside.
        Leaf,
        /// It is not computed yet.
        NotComputed,
    }

    /// A parameter's elements on their way through the optimizer. Buffers: the columns.
    pub struct OptimizerTable {
        /// Which parameter.
        pub parameter: String,
        /// Its shape.
        pub shape: Vec<usize>,
        /// What the columns are: `"value"`, `"gradient"`, the slots after the step (`"m"`, `"v"`), `"update"`, `"next"`. Those that are not
        /// computed yet are left out.
        pub columns: Vec<String>,
        /// Learning rate of the step.
        pub learning_rate: f32,
        /// The optimizer: `"adam"`.
        pub kind: String,
    }
}
