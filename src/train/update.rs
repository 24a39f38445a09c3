//! The graphs of a session: what a training step has behind its forward pass, the gradient of each loss with respect to what it trains and the update.

use super::Settings;
use crate::autograd::differentiate_those;
use crate::error::Result;
use crate::graph::{Group, NodeId};
use crate::nn::{self, Built, Game};
use crate::ops::Graph;
use crate::optim::{self, OptimizerSpec, Share};

/// What stands behind the names of the scalars of the generator's optimizer.
const GENERATOR: &str = ":generator";

impl Settings {
    /// A forward graph to look into, without labels, `from` a layer on where one is given. In a game the loss says that the discriminator reads the
    /// data.
    pub(super) fn forward(&self, batch: usize, from: Option<&str>) -> Result<Built> {
        let game = self.loss.adversarial().map(|_| &self.loss);
        nn::build_from(&self.model, batch, nn::Mode::Infer, game, from)
    }

    /// Appends the gradients, those of the loss with respect to `others` beside, and the update. In a game each network has its own loss, and the other's
    /// variables are none of its business.
    pub fn complete(&self, built: &mut Built, others: &[NodeId]) -> Result<()> {
        let Some(loss) = built.loss else { return Ok(()) };
        let own = built.game.map_or(0, |game| game.variables);
        let all = built.graph.variables().len();
        differentiate_those(&mut built.graph, loss, own..all, others)?;
        if let Some(game) = built.game {
            differentiate_those(&mut built.graph, game.loss, 0..own, &[])?;
        }
        self.append_update(&mut built.graph, built.game)
    }

    /// Appends the update alone.
    pub(super) fn append_update(&self, graph: &mut Graph, game: Option<Game>) -> Result<()> {
        let (Some(game), Some(optimizer)) = (game, self.generator_optimizer()) else { return optim::append(graph, &self.optimizer) };
        let mut others = graph.variables().iter().skip(game.variables);
        let end = others.find(|variable| variable.group == Group::Parameters).map_or(0, |variable| variable.offset);
        let rest = Share { optimizer: &self.optimizer, suffix: "", end: graph.flat_len(Group::Parameters) };
        optim::append_shares(graph, &[Share { optimizer, suffix: GENERATOR, end }, rest])
    }

    fn generator_optimizer(&self) -> Option<&OptimizerSpec> {
        self.loss.adversarial()?.generator_optimizer.as_ref()
    }

    /// The value of each scalar of the optimizers at a step.
    pub(super) fn scalars_at(&self, step: usize) -> Vec<(String, f32)> {
        let named = |suffix: &'static str| move |(name, value): (&str, f32)| (format!("{name}{suffix}"), value);
        let mut scalars: Vec<_> = optim::scalars_at(&self.optimizer, step).into_iter().map(named("")).collect();
        if let Some(optimizer) = self.generator_optimizer() {
            scalars.extend(optim::scalars_at(optimizer, step).into_iter().map(named(GENERATOR)));
        }
        scalars
    }
}
