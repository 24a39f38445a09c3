//! From a spec to a graph.

use super::adversarial::Game;
use super::decode::Decoding;
use super::layers::{Build, Layer};
use super::loss::Scores;
use super::spec::INPUT;
use super::{Init, LayerSpec, LossSpec, ModelSpec, Regularizer};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::graph::{Group, Initializer, Kind, Leaf, NodeId, Phase, Target};
use crate::ops::Graph;
use crate::tensor::{Meta, Shape};

/// Most cells of a batch, and of all parameters together: 2 GiB, the largest allocation of a 32-bit wasm. The graph checks what it computes.
const MOST_CELLS: usize = (1 << 29) - 1;

/// The column that stands for what a layer in the middle puts out.
pub const MIDDLE: usize = 2;

/// What a graph is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Training: dropout drops, batch norm uses the batch's own statistics and updates its moving averages.
    Train,
    /// Prediction and evaluation.
    Infer,
    /// Prediction for a text that is gone on with: attention keeps keys and values of all positions in [`Group::Cache`].
    Prefill,
    /// The same for one position, which the scalar [`super::TOKENS`] names: `[batch, 1]` tokens, and attention over what was kept. Of models
    /// that can do it: [`ModelSpec::decodes`].
    Decode,
}

/// A model as a graph.
#[derive(Clone, Debug)]
pub struct Built {
    /// What it is for.
    pub mode: Mode,
    /// Forward nodes, from the batch columns to the loss.
    pub graph: Graph,
    /// Column 0, the examples: `[batch, ...input]`.
    pub x: NodeId,
    /// Column 1, the labels in the form that the loss takes: `[batch, ...]`; none where the input is the target.
    pub y: Option<NodeId>,
    /// What the last layer computes before a softmax or sigmoid at its end; else `output`.
    pub logits: NodeId,
    /// The model's output: probabilities where it ends in softmax or sigmoid.
    pub output: NodeId,
    /// The scalar to minimise: mean (or sum) over the batch, with the penalties of regularised layers.
    pub loss: Option<NodeId>,
    /// The loss of each example, without penalties: `[batch]`.
    pub losses: Option<NodeId>,
    /// Whether each example was classified right, 1 or 0: `[batch]`; none where the loss is not one of classification.
    pub correct_each: Option<NodeId>,
    /// How many examples of the batch were classified right, a scalar.
    pub correct: Option<NodeId>,
    /// How many examples of the batch were answered right at every position that is no padding, a scalar; none where nothing says what padding
    /// is. Where the labels are what the model reads one step later, and it sees no later step, these are just the examples that it answers
    /// right by itself, taking the likeliest token again and again: up to its first mistake it reads the same tokens either way, and so says
    /// the same.
    pub exact: Option<NodeId>,
    /// The generator's side, where the loss is adversarial; `loss` is the discriminator's.
    pub game: Option<Game>,
    /// The layers in order.
    pub layers: Vec<BuiltLayer>,
}

/// A layer of a [`Built`] model.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltLayer {
    /// Unique: `"conv2d_1"`.
    pub name: String,
    /// Keras's type: `"Conv2D"`.
    pub kind: &'static str,
    /// Its output.
    pub output: NodeId,
    /// Shape of the output of one example.
    pub output_shape: Vec<usize>,
    /// Trainable parameters.
    pub parameters: usize,
    /// Numbers of a frozen layer, which nothing changes.
    pub frozen: usize,
    /// Whether its variables, or those that it shares, are trained.
    pub trainable: bool,
    /// A recurrent layer's h after each time step, `[batch, units]`, in their order; of others none.
    pub states: Vec<NodeId>,
}

/// Builds a model for batches of that size, and with a loss the labels' column and the loss too. Variables, their order and their names do not
/// depend on batch, mode or loss, so that all graphs of a spec share one set of parameters.
pub fn build(spec: &ModelSpec, batch: usize, mode: Mode, loss: Option<&LossSpec>) -> Result<Built> {
    build_from(spec, batch, mode, loss, None)
}

/// The same; but the layer `from` puts out column [`MIDDLE`], whatever it reads, so that one can see what the layers behind it make of any values.
pub fn build_from(spec: &ModelSpec, batch: usize, mode: Mode, loss: Option<&LossSpec>, from: Option<&str>) -> Result<Built> {
    if spec.layers.is_empty() {
        return Err(out_of_range("layers", "at least one layer", "none").at("layers"));
    }
    let adversarial = loss.and_then(LossSpec::adversarial);
    let parts = match adversarial {
        Some(adversarial) => adversarial.unroll(spec)?,
        None => spec.layers.iter().zip(&names(spec)).map(|(layer, name)| Part::of(layer, name)).collect(),
    };
    let mut assembly = Assembly::new(spec, batch, mode, loss.is_some())?;
    for part in &parts {
        assembly.layer(part)?;
        if from == Some(part.name.as_str()) {
            assembly.put_in();
        }
        if adversarial.is_some_and(|adversarial| adversarial.generator == part.name) {
            assembly.before = Some((assembly.graph.variables().len(), assembly.penalties.len()));
        }
    }
    if mode == Mode::Train && loss.is_some() && assembly.graph.flat_len(Group::Parameters) == 0 {
        return Err(out_of_range("layers", "at least one layer with parameters that are trained", "none").at("layers"));
    }
    let output = assembly.layers[spec.layers.len() - 1].output;
    // Hidden tokens are what such a model is asked about, where it answers for each of them.
    let hidden = assembly.hidden.filter(|&hidden| assembly.graph.shape(output).starts_with(assembly.graph.shape(hidden)));
    let counted = hidden.or_else(|| mask_of(&assembly.masks, output));
    let (scores, game) = match (loss, adversarial) {
        (_, Some(adversarial)) => {
            let generated = assembly.output;
            let (scores, game) = adversarial.build(&mut assembly, output, generated)?;
            (scores, Some(game))
        }
        (Some(loss), None) => (loss.build(&mut assembly.graph, assembly.x, output, counted, &assembly.penalties)?, None),
        (None, None) => (Scores::default(), None),
    };
    let Assembly { graph, x, layers, .. } = assembly;
    let logits = super::loss::before_last(&graph, output).map_or(output, |(logits, _)| logits);
    let Scores { y, loss, losses, correct_each, correct, exact } = scores;
    Ok(Built { mode, graph, x, y, logits, output, loss, losses, correct_each, correct, exact, game, layers })
}

/// A layer in its place in a graph.
pub(super) struct Part<'a> {
    pub layer: &'a Layer,
    pub name: String,
    /// What it reads; the layer before it if nothing is said.
    pub inputs: Option<Vec<String>>,
    /// Whose variables it has.
    pub shares: Option<String>,
    /// Whether its variables are trained.
    pub trainable: bool,
}

impl<'a> Part<'a> {
    /// As the spec says.
    pub fn of(spec: &'a LayerSpec, name: &str) -> Self {
        let LayerSpec { layer, inputs, shares, trainable, .. } = spec;
        Self { layer, name: name.to_owned(), inputs: inputs.clone(), shares: shares.clone(), trainable: *trainable }
    }
}

/// A model being built, layer by layer.
pub(super) struct Assembly {
    pub graph: Graph,
    x: NodeId,
    output: NodeId,
    mode: Mode,
    penalise: bool,
    pub penalties: Vec<NodeId>,
    /// Variables and penalties that there were when the generator ended.
    pub before: Option<(usize, usize)>,
    /// Values with the mask of their time steps.
    masks: Vec<(NodeId, NodeId)>,
    /// 1 for each token that a layer hid.
    hidden: Option<NodeId>,
    decoding: Option<Decoding>,
    pub layers: Vec<BuiltLayer>,
}

impl Assembly {
    /// The input alone.
    pub fn new(spec: &ModelSpec, batch: usize, mode: Mode, penalise: bool) -> Result<Self> {
        if batch == 0 {
            return Err(out_of_range("batch_size", "at least 1", batch).at("batch_size"));
        }
        if spec.input.contains(&0) {
            return Err(out_of_range("input", "at least 1 along every axis", format!("{:?}", spec.input)).at("input"));
        }
        let example: &[usize] = if mode == Mode::Decode { &[1] } else { &spec.input };
        let shape: Shape = std::iter::once(batch).chain(example.iter().copied()).collect();
        check_shape(&shape, &format!("a batch of {batch} examples")).map_err(|error| error.at("batch_size"))?;
        let mut graph = Graph::default();
        let x = graph.input(0, if spec.reads_tokens() { Meta::index(shape) } else { Meta::f32(shape) });
        let decoding = match mode {
            Mode::Decode => Some(Decoding::new(&mut graph, spec.input.iter().product())?),
            Mode::Train | Mode::Infer | Mode::Prefill => None,
        };
        let (penalties, masks) = (Vec::new(), Vec::new());
        Ok(Self { graph, x, output: x, mode, penalise, penalties, before: None, masks, hidden: None, decoding, layers: Vec::new() })
    }

    /// Appends a layer. A name that was given must be new.
    pub fn layer(&mut self, spec: &Part) -> Result<()> {
        let name = spec.name.as_str();
        let place = |error: Error| error.at(name);
        if self.layers.iter().any(|layer| layer.name == name) || name.is_empty() || name == INPUT || name.contains(['/', '.']) {
            return Err(place(out_of_range("name", "unique, without / and ., and not input", name)));
        }
        let inputs = self.inputs(spec).map_err(place)?;
        let trainable = self.trainable(spec).map_err(place)?;
        let variables = self.graph.variables().len();
        self.graph.enter_layer(name);
        let shares = spec.shares.as_deref();
        let penalties = self.penalise.then_some(&mut self.penalties);
        let (mask, masks) = (mask_of(&self.masks, inputs[0]), &self.masks[..]);
        let (graph, mode, inputs) = (&mut self.graph, self.mode, &inputs[..]);
        let (decoding, states) = (self.decoding, Vec::new());
        let mut cx = LayerCx { graph, mode, trainable, name, inputs, shares, penalties, mask, masks, decoding, hidden: None, states };
        let built = spec.layer.build(&mut cx, inputs[0]);
        let (mask, hidden, states) = (cx.mask, cx.hidden, cx.states);
        self.hidden = self.hidden.or(hidden);
        self.graph.enter_layer("");
        self.output = built.map_err(place)?;
        // A mask goes on as long as there are time steps with vectors.
        if let (Some(mask), &[batch, length, _]) = (mask, &self.graph.shape(self.output)[..])
            && self.graph.shape(mask)[..] == [batch, length]
        {
            self.masks.push((self.output, mask));
        }
        let own = |group: Group| -> usize {
            let variables = self.graph.variables()[variables..].iter().filter(|variable| variable.group == group);
            variables.map(|variable| variable.shape.numel()).sum()
        };
        self.layers.push(BuiltLayer {
            name: name.to_owned(),
            kind: spec.layer.kind(),
            output: self.output,
            output_shape: self.graph.shape(self.output)[1..].to_vec(),
            parameters: own(Group::Parameters),
            frozen: own(Group::Frozen),
            trainable,
            states,
        });
        Ok(())
    }

    /// Whether a layer's variables are trained. Those that it shares are as the layer says whose they are.
    fn trainable(&self, spec: &Part) -> Result<bool> {
        let Some(shared) = &spec.shares else { return Ok(spec.trainable) };
        self.output_of(shared)?;
        let owner = self.layers.iter().find(|layer| layer.name == *shared).is_none_or(|layer| layer.trainable);
        match spec.trainable || !owner {
            true => Ok(owner),
            false => Err(out_of_range("trainable", "false at the layer whose weights these are", format!("false, sharing {shared}"))),
        }
    }

    /// Has the layer that was appended last put out a column of its own.
    fn put_in(&mut self) {
        let meta = self.graph.node(self.output).meta.clone();
        self.output = self.graph.input(MIDDLE, meta);
        if let Some(layer) = self.layers.last_mut() {
            layer.output = self.output;
        }
    }

    /// What a layer reads: as many values as it can take.
    fn inputs(&self, spec: &Part) -> Result<Vec<NodeId>> {
        let inputs = match &spec.inputs {
            Some(names) => names.iter().map(|name| self.output_of(name)).collect::<Result<Vec<_>>>()?,
            None => vec![self.output],
        };
        let takes = spec.layer.inputs();
        if takes.contains(&inputs.len()) {
            return Ok(inputs);
        }
        let expected = match (*takes.start(), *takes.end()) {
            (least, usize::MAX) => format!("at least {least} layers"),
            (1, 1) => "one layer".to_owned(),
            (least, most) => format!("{least} to {most} layers"),
        };
        Err(out_of_range("inputs", &expected, inputs.len()))
    }

    /// The output of an earlier layer, or the model's input.
    fn output_of(&self, name: &str) -> Result<NodeId> {
        let layer = self.layers.iter().find(|layer| layer.name == name).map(|layer| layer.output);
        let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"layer before this one"), ("got", &name)]);
        layer.or((name == INPUT).then_some(self.x)).ok_or_else(missing)
    }
}

fn mask_of(masks: &[(NodeId, NodeId)], value: NodeId) -> Option<NodeId> {
    masks.iter().find(|(of, _)| *of == value).map(|&(_, mask)| mask)
}

/// The layers' names: those given, and for the others Keras's, `conv2d`, `conv2d_1`, ...
pub(super) fn names(spec: &ModelSpec) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(spec.layers.len());
    let given = |name: &String| spec.layers.iter().any(|layer| layer.name.as_ref() == Some(name));
    for layer in &spec.layers {
        let name = layer.name.clone().unwrap_or_else(|| {
            let base = layer.layer.base_name();
            let candidates = std::iter::once(base.to_owned()).chain((1..).map(|n| format!("{base}_{n}")));
            candidates.into_iter().find(|name| !given(name) && !names.contains(name)).unwrap_or_default()
        });
        names.push(name);
    }
    names
}

/// What a layer may use while it is built.
pub struct LayerCx<'a> {
    /// Where to append nodes; the layer is entered already.
    pub graph: &'a mut Graph,
    /// What the graph is for.
    pub mode: Mode,
    /// Whether its variables are trained.
    pub trainable: bool,
    /// The layer's name.
    pub name: &'a str,
    /// All that it reads, in order.
    pub inputs: &'a [NodeId],
    /// The layer whose variables it uses.
    shares: Option<&'a str>,
    penalties: Option<&'a mut Vec<NodeId>>,
    /// 1 for each time step of the first input that counts, 0 for each that is padding, `[batch, length]`: given where a layer before this one
    /// set it.
    pub mask: Option<NodeId>,
    /// The masks of all values that have one.
    masks: &'a [(NodeId, NodeId)],
    /// The position, where the graph is for one alone.
    pub(super) decoding: Option<Decoding>,
    /// To be set by a layer that hides tokens: 1 for each that it hid, `[batch, length]`.
    pub hidden: Option<NodeId>,
    /// To be set by a recurrent layer: h after each time step.
    pub states: Vec<NodeId>,
}

impl LayerCx<'_> {
    /// The mask of one of its inputs.
    pub fn mask_of(&self, input: NodeId) -> Option<NodeId> {
        mask_of(self.masks, input)
    }

    /// Declares a variable that is trained, unless the layer is frozen, and its penalty if it is.
    pub fn parameter(&mut self, role: &str, shape: &[usize], init: &Init, regularizer: Option<Regularizer>) -> Result<NodeId> {
        let group = if self.trainable { Group::Parameters } else { Group::Frozen };
        let node = self.declare(role, shape, group, &init.0)?;
        if let (Some(penalties), Some(regularizer), None, true) = (&mut self.penalties, regularizer, self.shares, self.trainable) {
            penalties.extend(regularizer.build(self.graph, node)?);
        }
        Ok(node)
    }

    /// Declares a variable that is updated by other means than the gradient.
    pub fn statistic(&mut self, role: &str, shape: &[usize], init: &Init) -> Result<NodeId> {
        self.declare(role, shape, if self.trainable { Group::Statistics } else { Group::Frozen }, &init.0)
    }

    /// Gives a node of the layer a better name than its operation's.
    pub fn name(&mut self, node: NodeId, name: &str) {
        let name = self.graph.here(name);
        self.graph.rename(node, &name);
    }

    /// The variable of that role of the layer that this one shares.
    fn shared(&self, layer: &str, role: &str, shape: &Shape) -> Result<NodeId> {
        let name = format!("{layer}.{role}");
        let node = self.graph.find(&name);
        let node = node.ok_or_else(|| Error::new(ErrorCode::UnknownName, &[("kind", &"variable"), ("got", &name)]))?;
        match self.graph.shape(node) {
            own if own == shape => Ok(node),
            own => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &name), ("left", own), ("right", shape)])),
        }
    }

    fn declare(&mut self, role: &str, shape: &[usize], group: Group, init: &Initializer) -> Result<NodeId> {
        if let Some(layer) = self.shares {
            return self.shared(layer, role, &shape.into());
        }
        let what = format!("{}.{role}", self.name);
        let shape = Shape::from(shape);
        let cells = check_shape(&shape, &what)?;
        check_cells(self.graph.flat_len(group).checked_add(cells), "all parameters")?;
        if let Initializer::Values { values } = init
            && values.len() != cells
        {
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &cells), ("got", &values.len())]));
        }
        Ok(self.graph.declare(role, shape, group, init.clone()))
    }

    /// Has a statistic move towards a value when a training step ends: s ← s · momentum + value · (1 − momentum).
    pub fn move_average(&mut self, statistic: NodeId, value: NodeId, momentum: f64) -> Result<()> {
        let Kind::Leaf(Leaf::Variable(id)) = self.graph.node(statistic).kind else { return Ok(()) };
        let phase = self.graph.enter_phase(Phase::Update);
        // Layers that share it move it one after another.
        let before = self.graph.written(Target::Variable(id)).unwrap_or(statistic);
        let moved = self.moved(before, value, momentum);
        self.graph.enter_phase(phase);
        self.graph.write(moved?, Target::Variable(id));
        Ok(())
    }

    fn moved(&mut self, statistic: NodeId, value: NodeId, momentum: f64) -> Result<NodeId> {
        let kept = self.graph.scale(statistic, momentum as f32)?;
        let fresh = self.graph.scale(value, (1.0 - momentum) as f32)?;
        self.graph.add(kept, fresh)
    }
}

/// Number of cells of a shape, if memory could hold them.
fn check_shape(shape: &Shape, what: &str) -> Result<usize> {
    check_cells(shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent)), what)
        .map_err(|_| too_large(shape.iter().map(|&extent| extent as f64).product(), what))
}

fn check_cells(cells: Option<usize>, what: &str) -> Result<usize> {
    match cells {
        Some(cells) if cells <= MOST_CELLS => Ok(cells),
        _ => Err(too_large(cells.map_or(f64::MAX, |cells| cells as f64), what)),
    }
}

fn too_large(cells: f64, what: &str) -> Error {
    Error::new(ErrorCode::OutOfMemory, &[("bytes", &(4.0 * cells)), ("what", &what)])
}
