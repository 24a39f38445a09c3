//! Two networks against each other in one graph: the generator makes examples from noise, the discriminator says of the data's and of those which are
//! real (Goodfellow et al. 2014). A spec is one chain, noise to generator to discriminator; here the discriminator is put a second time, with
//! the same variables, on the data, and both losses are made. A training step computes both gradients from this one forward pass.

use super::build::{Assembly, Part, names};
use super::loss::{self, Last, Scores};
use super::spec::INPUT;
use super::{ModelSpec, Reduction};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::spec;
use crate::graph::{Group, NodeId};
use crate::ops::Graph;
use crate::ops::pointwise::Pointwise;
use crate::optim::OptimizerSpec;

spec! {
    /// With D the discriminator's answer, the probability that an example is real: the discriminator's loss is −½ log D(x) − ½ log(1 − D(G(z))), the
    /// generator's −log D(G(z)), both means over the batch (Goodfellow et al. 2014; as in TensorFlow's DCGAN, but for the ½). Neither reaches the other's
    /// variables. The model's layers up to `generator` make the example, those after it are the discriminator, which ends in one number: a
    /// sigmoid's, or a logit. What the model answers for an example x is D(x).
    pub struct Adversarial {
        /// The generator's last layer; what it puts out has the shape of the model's input.
        generator: String;
        /// What trains the generator's variables, if not the same as the discriminator's.
        generator_optimizer: Option<OptimizerSpec> = None;
        /// The discriminator is to say 1 − this of the data (one-sided; Salimans et al. 2016).
        label_smoothing: f64 = 0.0;
        /// Whether the generator's loss is log(1 − D(G(z))) instead, which has next to no slope where the discriminator is sure: the game of zero sum.
        saturating: bool = false;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }
}

/// The generator's side of a graph with two losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Game {
    /// The generator's loss, a scalar.
    pub loss: NodeId,
    /// How many variables are the generator's; they come first.
    pub variables: usize,
    /// Mean answer to the data, and to what was generated.
    pub answers: [NodeId; 2],
}

/// What the copies of the discriminator's layers, which read what was generated, are called: `"fake_conv2d"`.
fn copy_of(name: &str) -> String {
    format!("fake_{name}")
}

impl Adversarial {
    /// The game of the layers up to that one and those after it.
    pub fn new(generator: &str) -> Self {
        Self {
            generator: generator.to_owned(),
            generator_optimizer: None,
            label_smoothing: 0.0,
            saturating: false,
            reduction: Reduction::Mean,
        }
    }

    /// The layers with the discriminator twice: on the data under its own names, and on what was generated with the same variables.
    pub(super) fn unroll<'a>(&self, spec: &'a ModelSpec) -> Result<Vec<Part<'a>>> {
        let names = names(spec);
        let end = names.iter().position(|name| *name == self.generator).map(|last| last + 1);
        let end = end.filter(|&end| end < names.len()).ok_or_else(|| {
            let kind = "layer before the last one";
            Error::new(ErrorCode::UnknownName, &[("kind", &kind), ("got", &self.generator)]).at("loss.generator")
        })?;
        let fake = |name: &String| if names[end..].contains(name) { copy_of(name) } else { name.clone() };
        let real = |name: &String| if *name == self.generator { INPUT.to_owned() } else { name.clone() };
        let mut parts: Vec<Part> = spec.layers.iter().zip(&names).map(|(layer, name)| Part::of(layer, name)).collect();
        for k in end..names.len() {
            let inputs = match &spec.layers[k].inputs {
                None if k == end => Some(vec![self.generator.clone()]),
                inputs => inputs.clone(),
            };
            let shares = spec.layers[k].shares.as_ref().unwrap_or(&names[k]).clone();
            let copied = inputs.as_ref().map(|inputs| inputs.iter().map(fake).collect());
            parts.push(Part {
                layer: &spec.layers[k].layer,
                name: copy_of(&names[k]),
                inputs: copied,
                shares: Some(shares),
                trainable: true,
            });
            parts[k].inputs = inputs.map(|inputs| inputs.iter().map(real).collect());
        }
        Ok(parts)
    }

    /// Appends both losses. `real` and `fake` are the discriminator's outputs; the first of the penalties are the generator's.
    pub(super) fn build(&self, assembly: &mut Assembly, real: NodeId, fake: NodeId) -> Result<(Scores, Game)> {
        let (variables, own) = self.generators(assembly)?;
        let (generators, discriminators) = assembly.penalties.split_at(own);
        let g = &mut assembly.graph;
        let (on_data, to_data) = answer(g, real, "answer_to_data")?;
        let (on_generated, to_generated) = answer(g, fake, "answer_to_generated")?;
        let on_real = entropy(g, on_data, 1.0 - self.label_smoothing)?;
        let on_fake = entropy(g, on_generated, 0.0)?;
        let both = g.add(on_real, on_fake)?;
        let losses = g.scale(both, 0.5)?;
        g.rename(losses, "loss_of_each_example");
        let loss = self.total(g, losses, discriminators, "loss")?;
        let fooled = if self.saturating { g.neg(on_fake)? } else { entropy(g, on_generated, 1.0)? };
        let generator = self.total(g, fooled, generators, "generator_loss")?;
        let scores = Scores { loss: Some(loss), losses: Some(losses), ..Scores::default() };
        Ok((scores, Game { loss: generator, variables, answers: [to_data, to_generated] }))
    }

    fn total(&self, g: &mut Graph, each: NodeId, penalties: &[NodeId], name: &str) -> Result<NodeId> {
        let reduced = match self.reduction {
            Reduction::Mean => g.mean(each, &[0], false)?,
            Reduction::Sum => g.sum(each, &[0], false)?,
        };
        let total = penalties.iter().try_fold(reduced, |total, &penalty| g.add(total, penalty))?;
        g.rename(total, name);
        Ok(total)
    }

    /// How many variables and penalties the generator has. Both networks must have something to train.
    fn generators(&self, assembly: &Assembly) -> Result<(usize, usize)> {
        let (variables, penalties) = assembly.before.unwrap_or_default();
        let (own, others) = assembly.graph.variables().split_at(variables);
        let none = |of: &[crate::graph::Variable]| !of.iter().any(|variable| variable.group == Group::Parameters);
        if none(own) || none(others) {
            let expected = "parameters in the generator and in the discriminator";
            return Err(crate::fields::out_of_range("layers", expected, "none").at("layers"));
        }
        Ok((variables, penalties))
    }
}

/// The logit of each example, and the mean probability that they are real, under a name.
fn answer(g: &mut Graph, output: NodeId, name: &str) -> Result<(NodeId, NodeId)> {
    let batch = g.shape(output)[0];
    let last = loss::before_last(g, output);
    if g.shape(output).numel() != batch || matches!(last, Some((_, Last::Softmax))) {
        let expected = "one number, a sigmoid's or a logit";
        let error = Error::new(ErrorCode::BadShape, &[("op", &"the discriminator"), ("expected", &expected), ("got", g.shape(output))]);
        return Err(error.at("loss"));
    }
    let (logit, probability) = match last {
        Some((logit, _)) => (logit, output),
        None => (output, g.sigmoid(output)?),
    };
    let probability = g.reshape(probability, [batch])?;
    let mean = g.mean(probability, &[0], false)?;
    g.rename(mean, name);
    Ok((g.reshape(logit, [batch])?, mean))
}

/// Binary cross-entropy of each logit with one target.
fn entropy(g: &mut Graph, logit: NodeId, target: f64) -> Result<NodeId> {
    let target = g.constant(target as f32);
    g.push(Pointwise::LogitCrossEntropy.into(), &[logit, target])
}
