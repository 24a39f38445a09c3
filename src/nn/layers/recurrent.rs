//! Recurrent layers, unrolled: every time step is a few nodes of its own, named by it, `lstm/t3/forget`.

use super::{Build, bad_input, positive};
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::{Initializer, Kind, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Activation, Init, Regularizer};
use crate::ops::Op;

/// Most time steps: each is some sixty nodes with its gradient.
const LONGEST: usize = 1000;

const ORTHOGONAL: Init = Init(Initializer::Orthogonal { gain: 1.0 });

spec! {
    /// hₜ = activation(xₜ W + hₜ₋₁ U + b) from h₋₁ = 0: `[N, T, C]` -> `[N, units]`, the last h, or all of them, `[N, T, units]`; kernel W
    /// `[C, units]`, recurrent kernel U `[units, units]`, bias b `[units]` (Keras's `SimpleRNN`; Elman 1990).
    pub struct SimpleRNN: New {
        /// Elements of h.
        units: usize;
        /// Applied to the sum.
        activation: Activation = Activation::Tanh;
        /// Whether b is added.
        use_bias: bool = true;
        /// How W begins.
        kernel_initializer: Init = Init(Initializer::GlorotUniform);
        /// How U begins.
        recurrent_initializer: Init = ORTHOGONAL;
        /// How b begins.
        bias_initializer: Init = Init(Initializer::Zeros);
        /// Penalty on W.
        kernel_regularizer: Option<Regularizer> = None;
        /// Penalty on U.
        recurrent_regularizer: Option<Regularizer> = None;
        /// Penalty on b.
        bias_regularizer: Option<Regularizer> = None;
        /// Whether every h is the output instead of the last one.
        return_sequences: bool = false;
        /// Whether the last time step comes first; the sequence that is returned is in that order then.
        go_backwards: bool = false;
    }

    /// cₜ = f cₜ₋₁ + i g and hₜ = o activation(cₜ), from c₋₁ = h₋₁ = 0: `[N, T, C]` -> `[N, units]` or `[N, T, units]`. The gates i, f and o are
    /// recurrent_activation, the candidate g is activation of a quarter each of xₜ W + hₜ₋₁ U + b, in the order i, f, g, o: kernel W
    /// `[C, 4 units]`, recurrent kernel U `[units, 4 units]`, bias b `[4 units]` (Keras's `LSTM`; Hochreiter and Schmidhuber 1997).
    pub struct LSTM: New {
        /// Elements of h and of c.
        units: usize;
        /// Of the candidate and of c.
        activation: Activation = Activation::Tanh;
        /// Of the gates.
        recurrent_activation: Activation = Activation::Sigmoid;
        /// Whether b is added.
        use_bias: bool = true;
        /// Whether b begins as 1 for the forget gate, so that c is kept at first.
        unit_forget_bias: bool = true;
        /// How W begins.
        kernel_initializer: Init = Init(Initializer::GlorotUniform);
        /// How U begins.
        recurrent_initializer: Init = ORTHOGONAL;
        /// How b begins.
        bias_initializer: Init = Init(Initializer::Zeros);
        /// Penalty on W.
        kernel_regularizer: Option<Regularizer> = None;
        /// Penalty on U.
        recurrent_regularizer: Option<Regularizer> = None;
        /// Penalty on b.
        bias_regularizer: Option<Regularizer> = None;
        /// Whether every h is the output instead of the last one.
        return_sequences: bool = false;
        /// Whether the last time step comes first; the sequence that is returned is in that order then.
        go_backwards: bool = false;
    }

    /// hₜ = z hₜ₋₁ + (1 − z) g from h₋₁ = 0: `[N, T, C]` -> `[N, units]` or `[N, T, units]`. The gates z (update) and r (reset) are
    /// recurrent_activation of a third each of xₜ W + b + hₜ₋₁ U + b'; the candidate is g = activation(xₜ W + b + r (hₜ₋₁ U + b')), or with
    /// `reset_after` false g = activation(xₜ W + b + (r hₜ₋₁) U). Order z, r, g: kernel W `[C, 3 units]`, recurrent kernel U
    /// `[units, 3 units]`, biases b and b' `[2, 3 units]`, or b alone `[3 units]` (Keras's `GRU`; Cho et al. 2014).
    pub struct GRU: New {
        /// Elements of h.
        units: usize;
        /// Of the candidate.
        activation: Activation = Activation::Tanh;
        /// Of the gates.
        recurrent_activation: Activation = Activation::Sigmoid;
        /// Whether biases are added.
        use_bias: bool = true;
        /// How W begins.
        kernel_initializer: Init = Init(Initializer::GlorotUniform);
        /// How U begins.
        recurrent_initializer: Init = ORTHOGONAL;
        /// How the biases begin.
        bias_initializer: Init = Init(Initializer::Zeros);
        /// Penalty on W.
        kernel_regularizer: Option<Regularizer> = None;
        /// Penalty on U.
        recurrent_regularizer: Option<Regularizer> = None;
        /// Penalty on the biases.
        bias_regularizer: Option<Regularizer> = None;
        /// Whether every h is the output instead of the last one.
        return_sequences: bool = false;
        /// Whether the last time step comes first; the sequence that is returned is in that order then.
        go_backwards: bool = false;
        /// Whether the reset gate multiplies the recurrent product instead of h.
        reset_after: bool = true;
    }
}

/// The arguments that all three have.
struct Arguments<'a> {
    kind: &'static str,
    units: usize,
    use_bias: bool,
    /// Of W and U.
    initializers: [&'a Init; 2],
    /// Of W, U and b.
    regularizers: [Option<Regularizer>; 3],
    return_sequences: bool,
    go_backwards: bool,
}

macro_rules! arguments {
    ($layer:ident, $kind:literal) => {
        Arguments {
            kind: $kind,
            units: $layer.units,
            use_bias: $layer.use_bias,
            initializers: [&$layer.kernel_initializer, &$layer.recurrent_initializer],
            regularizers: [$layer.kernel_regularizer, $layer.recurrent_regularizer, $layer.bias_regularizer],
            return_sequences: $layer.return_sequences,
            go_backwards: $layer.go_backwards,
        }
    };
}

/// A layer's variables, and what does not depend on h.
struct Start {
    /// Examples.
    batch: usize,
    /// Time steps.
    length: usize,
    /// xₜ W + b of all time steps, one below the other: `[T · N, columns]`.
    from_input: NodeId,
    /// U.
    recurrent: NodeId,
    /// What is added to h U.
    recurrent_bias: Option<NodeId>,
}

/// A time step being built.
struct Step<'a, 'b> {
    cx: &'a mut LayerCx<'b>,
    /// Which rows of what is computed for all time steps are its own.
    rows: [usize; 2],
    units: usize,
}

impl Step<'_, '_> {
    /// Names a node.
    fn name(&mut self, node: NodeId, name: &str) -> NodeId {
        self.cx.name(node, name);
        node
    }

    /// The step's rows of a value of all time steps.
    fn own(&mut self, all: NodeId) -> Result<NodeId> {
        let [start, end] = self.rows;
        let own = self.cx.graph.slice_axis(all, 0, start, end)?;
        Ok(self.name(own, "x"))
    }

    /// h U, with a bias if there is one.
    fn product(&mut self, h: NodeId, recurrent: NodeId, bias: Option<NodeId>) -> Result<NodeId> {
        let product = self.cx.graph.matmul(h, recurrent, false, false)?;
        let product = self.name(product, "from_state");
        match bias {
            Some(bias) => self.cx.graph.add(product, bias),
            None => Ok(product),
        }
    }

    /// Number `gate` of the parts, `units` wide, that stand side by side.
    fn part(&mut self, all: NodeId, gate: usize) -> Result<NodeId> {
        columns(self.cx, all, gate * self.units, (gate + 1) * self.units)
    }

    fn activate(&mut self, activation: Activation, sum: NodeId, name: &str) -> Result<NodeId> {
        let gate = activation.build(self.cx.graph, sum)?;
        Ok(self.name(gate, name))
    }
}

/// Makes a step's states of the former ones.
type Advance<'a> = &'a dyn Fn(&mut Step, &[NodeId]) -> Result<Vec<NodeId>>;

fn columns(cx: &mut LayerCx, all: NodeId, start: usize, end: usize) -> Result<NodeId> {
    cx.graph.slice_axis(all, 1, start, end)
}

/// m a + (1 − m) b: a where the mask m is 1, b where it is 0.
fn choose(cx: &mut LayerCx, m: NodeId, a: NodeId, b: NodeId) -> Result<NodeId> {
    let one = cx.graph.constant(1.0);
    let rest = cx.graph.sub(one, m)?;
    let (taken, kept) = (cx.graph.mul(m, a)?, cx.graph.mul(rest, b)?);
    cx.graph.add(taken, kept)
}

impl Arguments<'_> {
    /// Declares the variables for `gates` gates and multiplies all of x by W at once. `bias` is how the bias begins; with `two` there is a
    /// second one, which is added to h U.
    fn start(&self, cx: &mut LayerCx, x: NodeId, gates: usize, bias: &Init, two: bool) -> Result<Start> {
        positive(&[("units", self.units)])?;
        let &[batch, length, width] = &cx.graph.shape(x)[..] else {
            return Err(bad_input(self.kind, "a sequence of vectors [length, width]", cx.graph.shape(x)));
        };
        if length > LONGEST {
            return Err(bad_input(self.kind, "at most 1000 time steps", cx.graph.shape(x)));
        }
        let all = gates * self.units;
        let kernel = cx.parameter("kernel", &[width, all], self.initializers[0], self.regularizers[0])?;
        let recurrent = cx.parameter("recurrent_kernel", &[self.units, all], self.initializers[1], self.regularizers[1])?;
        let mut biases = [None; 2];
        if self.use_bias {
            let shape = if two { &[2, all][..] } else { &[all] };
            let both = cx.parameter("bias", shape, bias, self.regularizers[2])?;
            if two {
                for (row, bias) in biases.iter_mut().enumerate() {
                    let own = cx.graph.slice_axis(both, 0, row, row + 1)?;
                    *bias = Some(cx.graph.reshape(own, [all])?);
                }
            } else {
                biases[0] = Some(both);
            }
        }
        let by_time = time_first(cx, x)?;
        let rows = cx.graph.reshape(by_time, [length * batch, width])?;
        let mut from_input = cx.graph.matmul(rows, kernel, false, false)?;
        if let Some(bias) = biases[0] {
            from_input = cx.graph.add(from_input, bias)?;
        }
        cx.name(from_input, "from_input");
        Ok(Start { batch, length, from_input, recurrent, recurrent_bias: biases[1] })
    }

    /// All time steps. `advance` makes one step's `states` of the former ones, h first; where the input is masked they stay as they were.
    fn unroll(&self, cx: &mut LayerCx, start: &Start, states: usize, advance: Advance) -> Result<NodeId> {
        let (batch, length, units) = (start.batch, start.length, self.units);
        let zero = cx.graph.constant(0.0);
        let none = cx.graph.broadcast_to(zero, [batch, units])?;
        cx.name(none, "initial_state");
        let mask = match cx.mask {
            Some(mask) => {
                let by_time = cx.graph.transpose(mask, &[1, 0])?;
                let column = cx.graph.reshape(by_time, [length * batch, 1])?;
                Some(cx.graph.broadcast_to(column, [length * batch, units])?)
            }
            None => None,
        };
        let mut states = vec![none; states];
        let mut all = vec![none];
        for t in 0..length {
            let at = if self.go_backwards { length - 1 - t } else { t };
            cx.graph.enter_time_step(Some(t as u32));
            let mut step = Step { cx: &mut *cx, rows: [at * batch, (at + 1) * batch], units };
            let mut new = advance(&mut step, &states)?;
            if let Some(mask) = mask {
                let [start, end] = step.rows;
                let own = step.cx.graph.slice_axis(mask, 0, start, end)?;
                for (new, &old) in new.iter_mut().zip(&states) {
                    *new = choose(step.cx, own, *new, old)?;
                }
            }
            for (&state, name) in new.iter().zip(["h", "c"]) {
                step.name(state, name);
            }
            states = new;
            all.push(states[0]);
        }
        cx.graph.enter_time_step(None);
        cx.states = all[1..].to_vec();
        if !self.return_sequences {
            return Ok(states[0]);
        }
        let stack = cx.graph.concat(&all, 0)?;
        cx.name(stack, "states");
        let rows = cx.graph.slice_axis(stack, 0, batch, (length + 1) * batch)?;
        let by_time = cx.graph.reshape(rows, [length, batch, units])?;
        cx.graph.transpose(by_time, &[1, 0, 2])
    }
}

/// `[N, T, C]` with time in front; where it was so before the last node, that one's input.
fn time_first(cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
    match &cx.graph.node(x).kind {
        Kind::Op(Op::Transpose(transpose)) if transpose.perm == [1, 0, 2] => Ok(cx.graph.node(x).inputs[0]),
        _ => cx.graph.transpose(x, &[1, 0, 2]),
    }
}

impl Build for SimpleRNN {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let arguments = arguments!(self, "SimpleRNN");
        let start = arguments.start(cx, x, 1, &self.bias_initializer, false)?;
        arguments.unroll(cx, &start, 1, &|step, states| {
            let (from_input, from_state) = (step.own(start.from_input)?, step.product(states[0], start.recurrent, None)?);
            let sum = step.cx.graph.add(from_input, from_state)?;
            let sum = step.name(sum, "sum");
            Ok(vec![self.activation.build(step.cx.graph, sum)?])
        })
    }
}

impl LSTM {
    /// How b begins, with 1 for the forget gate if that is asked for.
    fn bias(&self) -> Result<Init> {
        let rest = match self.bias_initializer.0 {
            _ if !self.unit_forget_bias => return Ok(self.bias_initializer.clone()),
            Initializer::Zeros => 0.0,
            Initializer::Ones => 1.0,
            Initializer::Constant { value } => value,
            _ => return Err(out_of_range("bias_initializer", "Zeros, Ones or Constant, since unit_forget_bias is true", "another")),
        };
        let values = (0..4 * self.units).map(|column| if column / self.units == 1 { 1.0 } else { rest }).collect();
        Ok(Init(Initializer::Values { values }))
    }
}

impl Build for LSTM {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let arguments = arguments!(self, "LSTM");
        let start = arguments.start(cx, x, 4, &self.bias()?, false)?;
        arguments.unroll(cx, &start, 2, &|step, states| {
            let (from_input, from_state) = (step.own(start.from_input)?, step.product(states[0], start.recurrent, None)?);
            let sums = step.cx.graph.add(from_input, from_state)?;
            let sums = step.name(sums, "sums");
            let mut gate = |number: usize, activation: Activation, name: &str| {
                let sum = step.part(sums, number)?;
                step.activate(activation, sum, name)
            };
            let (input, forget) = (gate(0, self.recurrent_activation, "input")?, gate(1, self.recurrent_activation, "forget")?);
            let (candidate, output) = (gate(2, self.activation, "candidate")?, gate(3, self.recurrent_activation, "output")?);
            let (kept, added) = (step.cx.graph.mul(forget, states[1])?, step.cx.graph.mul(input, candidate)?);
            let (kept, added) = (step.name(kept, "kept"), step.name(added, "added"));
            let c = step.cx.graph.add(kept, added)?;
            let shown = step.activate(self.activation, c, "shown")?;
            Ok(vec![step.cx.graph.mul(output, shown)?, c])
        })
    }
}

impl Build for GRU {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let arguments = arguments!(self, "GRU");
        let start = arguments.start(cx, x, 3, &self.bias_initializer, self.reset_after)?;
        let units = self.units;
        // Once for all time steps: a step's rows of these lie side by side.
        let mut from_input = [start.from_input; 3];
        for (gate, part) in from_input.iter_mut().enumerate() {
            *part = columns(cx, start.from_input, gate * units, (gate + 1) * units)?;
        }
        let [of_gates, of_candidate] = match self.reset_after {
            true => [start.recurrent; 2],
            false => [columns(cx, start.recurrent, 0, 2 * units)?, columns(cx, start.recurrent, 2 * units, 3 * units)?],
        };
        arguments.unroll(cx, &start, 1, &|step, states| {
            let h = states[0];
            let from_state = step.product(h, of_gates, start.recurrent_bias)?;
            let gate = |step: &mut Step, number: usize, name: &str| {
                let (own, state) = (step.own(from_input[number])?, step.part(from_state, number)?);
                let sum = step.cx.graph.add(own, state)?;
                step.activate(self.recurrent_activation, sum, name)
            };
            let (update, reset) = (gate(step, 0, "update")?, gate(step, 1, "reset")?);
            let remembered = match self.reset_after {
                true => {
                    let state = step.part(from_state, 2)?;
                    step.cx.graph.mul(reset, state)?
                }
                false => {
                    let held = step.cx.graph.mul(reset, h)?;
                    step.product(held, of_candidate, None)?
                }
            };
            let own = step.own(from_input[2])?;
            let sum = step.cx.graph.add(own, remembered)?;
            let candidate = step.activate(self.activation, sum, "candidate")?;
            Ok(vec![choose(step.cx, update, h, candidate)?])
        })
    }
}
