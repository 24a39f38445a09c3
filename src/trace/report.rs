//! What the stepper says to whoever draws it.

wire! {
    /// Part of a training step.
    #[derive(Copy, Eq)]
    pub enum Lane {
        /// From the inputs to the loss.
        Forward,
        /// From the loss to the gradients.
        Backward,
        /// From the gradients to the new parameters.
        Update,
    }

    /// What a node's value is.
    #[derive(Copy, Eq)]
    pub enum Role {
        /// The examples.
        Input,
        /// What should come out.
        Target,
        /// Something that is trained.
        Parameter,
        /// A moving average.
        Statistic,
        /// A weight of a frozen layer: no gradient flows into it.
        Frozen,
        /// A whole flat buffer: all parameters, all gradients, one of the optimizer's slots.
        Optimizer,
        /// A number that may change from step to step: the learning rate.
        Scalar,
        /// A number of the graph.
        Constant,
        /// Computed.
        Op,
    }

    /// A node of the graph that is walked through.
    pub struct TraceNode {
        /// Unique: `"conv2d/relu"`, `"conv2d/∂conv2d_kernel_grad"`.
        pub name: String,
        /// The operation: `"conv2d"`; the role's word where nothing is computed.
        pub op: String,
        /// What it computes, as TeX; empty where nothing is.
        pub formula: String,
        /// What the value is.
        pub role: Role,
        /// Layer that it belongs to, empty for loss and optimizer.
        pub layer: String,
        /// The time step of an unrolled layer that it belongs to.
        pub time_step: Option<u32>,
        /// When it is computed.
        pub lane: Lane,
        /// Of a backward node: the forward node whose gradient rule made it.
        pub of: Option<usize>,
        /// Shape of the whole value.
        pub shape: Vec<usize>,
        /// Whether the first axis is the batch.
        pub batched: bool,
        /// Nodes that it is computed from.
        pub inputs: Vec<usize>,
        /// The node that holds the loss's gradient with respect to this one.
        pub gradient: Option<usize>,
        /// Index, in the order of the ops, of the one that makes the value: it is there once the cursor is beyond it. None where it is there from the
        /// beginning. A reshape is its input under another name, and has its position.
        pub position: Option<usize>,
        /// Name of the parameter or the statistic.
        pub variable: Option<String>,
    }

    /// Why a run through a walk stopped before its end.
    pub struct Hit {
        /// Which of the breakpoints given.
        pub breakpoint: usize,
        /// At which node.
        pub node: usize,
        /// At which element, where it was one.
        pub element: Option<usize>,
        /// What was there.
        pub value: f32,
    }
}

asked! {
    /// Where a run through a walk stops.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Breakpoint {
        /// At the first value that is NaN or infinite.
        NotFinite,
        /// Where the loss is more than `factor` times the mean of the last steps' losses.
        LossAbove {
            /// How many times.
            factor: f32,
        },
        /// Where more than that share of a relu's units are 0 for the whole batch.
        DeadUnits {
            /// Share in [0, 1].
            share: f32,
        },
        /// Behind one op.
        Op {
            /// Its node.
            node: usize,
        },
    }

    /// A value to read.
    pub struct ReadItem {
        /// Its node.
        pub node: usize,
        /// One example of a batched value; none for all of it.
        pub example: Option<usize>,
    }
}

wire! {
    /// Elements of one node, in an array beside the message.
    pub struct Source {
        /// The node.
        pub node: usize,
        /// How many elements, row-major, in the array.
        pub count: usize,
    }

    /// An expression with the value of each of its parts.
    #[serde(tag = "type", rename_all_fields = "camelCase")]
    pub enum Term {
        /// An element of an input.
        Element {
            /// Its node.
            input: usize,
            /// Row-major.
            element: usize,
            /// Along each axis.
            index: Vec<usize>,
            /// Whether it is a gradient from above.
            upstream: bool,
            /// Its value.
            value: f64,
        },
        /// A number.
        Number {
            /// It.
            value: f64,
        },
        /// A random number in [0, 1), the same each time for this seed and step.
        Random {
            /// It.
            value: f64,
        },
        /// Terms that are added.
        Sum {
            /// The largest by magnitude.
            terms: Vec<Term>,
            /// How many there are in all.
            count: usize,
            /// Sum of those left out.
            rest: f64,
            /// The sum.
            value: f64,
        },
        /// Factors.
        Product {
            /// All of them.
            factors: Vec<Term>,
            /// Their product.
            value: f64,
        },
        /// The largest of some.
        Max {
            /// The largest candidates.
            terms: Vec<Term>,
            /// How many there are in all.
            count: usize,
            /// The largest.
            value: f64,
        },
        /// The position of the first largest of some.
        ArgMax {
            /// The largest candidates.
            terms: Vec<Term>,
            /// How many there are in all.
            count: usize,
            /// The position.
            value: f64,
        },
        /// 1 if one candidate is the first largest, else 0.
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
        /// 1 if both are equal, else 0.
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
            /// Its name: `"relu"`.
            function: String,
            /// What it is applied to.
            arguments: Vec<Term>,
            /// The result.
            value: f64,
        },
    }

    /// Where an element comes from. Arrays beside the message: elements of each source, then of each consumer.
    pub struct Explanation {
        /// Its node.
        pub node: usize,
        /// Row-major.
        pub element: usize,
        /// Along each axis.
        pub index: Vec<usize>,
        /// As the engine computed it.
        pub value: f32,
        /// As the expression gives it, computed apart in double precision.
        pub recomputed: f64,
        /// The expression.
        pub term: Term,
        /// What it was made from.
        pub sources: Vec<Source>,
        /// What was made from it.
        pub consumers: Vec<Source>,
    }

    /// The loss around an element's value, computed apart in double precision, beside the engine's gradient.
    pub struct Nudge {
        /// The engine's gradient, where it is computed.
        pub gradient: Option<f64>,
        /// (L(v + ε) - L(v - ε)) / 2ε.
        pub slope: f64,
        /// ε.
        pub epsilon: f64,
        /// L(v - ε).
        pub below: f64,
        /// L(v).
        pub at: f64,
        /// L(v + ε).
        pub above: f64,
        /// Whether the slopes on both sides differ by more than 1 %: a relu or a pool switched in between.
        pub kink: bool,
    }

    /// Why an element is 0, one step nearer to the cause.
    pub struct Reason {
        /// The node.
        pub node: usize,
        /// The element.
        pub element: usize,
        /// Why it is 0.
        pub cause: Cause,
    }

    /// Why an element is 0.
    #[derive(Copy, Eq)]
    pub enum Cause {
        /// It is not.
        NotZero,
        /// The gradient from above is 0: see the next reason.
        UpstreamZero,
        /// A factor, or all that it was made from, is 0: see the next reason.
        FactorZero,
        /// A relu cut a negative number off.
        Negative,
        /// Another element was the largest.
        LostMax,
        /// Dropout left it out.
        Masked,
        /// Terms that are not 0 cancel out.
        Cancelled,
        /// It is simply 0: nothing computed it, or it was put there by hand.
        Leaf,
        /// It is not computed yet.
        NotComputed,
    }
}
