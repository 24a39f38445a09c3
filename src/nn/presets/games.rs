//! Two networks against each other.

use super::{Preset, dense, model};
use crate::nn::layers::{
    ActivationLayer, BatchNormalization, Conv2D, Conv2DTranspose, Dense, Dropout, Flatten, Layer, LeakyReLU, RandomUniform, Reshape,
};
use crate::nn::{Activation, Adversarial, LossSpec, ModelSpec, Padding};
use crate::optim::{Adam, CosineDecay, LearningRate, OptimizerSpec};

/// The name of a generator's last layer.
const GENERATED: &str = "generated";

/// The Adam of two networks against each other (Radford et al. 2016).
fn adam_of_game(learning_rate: LearningRate) -> OptimizerSpec {
    Adam { learning_rate, beta_1: 0.5, ..Adam::default() }.into()
}

/// A chain of two networks, the first `generator` layers of which make examples from noise.
fn game(
    input: &[usize],
    mut generator: Vec<Layer>,
    discriminator: Vec<Layer>,
    generator_optimizer: Option<OptimizerSpec>,
) -> (ModelSpec, LossSpec) {
    let last = generator.len() - 1;
    generator.extend(discriminator);
    let mut model = model(input, generator);
    model.layers[last].name = Some(GENERATED.into());
    (model, LossSpec::Adversarial(Adversarial { generator_optimizer, ..Adversarial::new(GENERATED) }))
}

/// Digits from 64 random numbers, by transposed convolutions (Radford et al. 2016, made small).
pub(super) fn gan_mnist() -> Preset {
    let halve = |filters: usize| -> [Layer; 3] {
        let conv = Conv2D { strides: 2.into(), padding: Padding::Same, ..Conv2D::new(filters, 5, Activation::Linear) };
        [conv.into(), LeakyReLU { negative_slope: 0.2 }.into(), Dropout { rate: 0.25 }.into()]
    };
    let double = |filters: usize, activation: Activation| Conv2DTranspose {
        strides: 2.into(),
        padding: Padding::Same,
        ..Conv2DTranspose::new(filters, 4, activation)
    };
    let norm = || -> Layer { BatchNormalization { momentum: 0.9, ..BatchNormalization::default() }.into() };
    let relu = || -> Layer { ActivationLayer { activation: Activation::Relu }.into() };
    let generator = vec![
        RandomUniform::new(64).into(),
        Dense { use_bias: false, ..Dense::new(7 * 7 * 64, Activation::Linear) }.into(),
        norm(),
        relu(),
        Reshape { target_shape: vec![7, 7, 64] }.into(),
        Conv2DTranspose { use_bias: false, ..double(32, Activation::Linear) }.into(),
        norm(),
        relu(),
        double(1, Activation::Sigmoid).into(),
    ];
    let end = [Flatten {}.into(), dense(1, Activation::Sigmoid)];
    let discriminator = [halve(32), halve(64)].concat().into_iter().chain(end).collect();
    // Twice as fast as the discriminator, the generator is not left behind. Both slow down over the three epochs.
    let rate = |first: f64| {
        let cosine = CosineDecay { initial_learning_rate: first, decay_steps: 3 * 938, alpha: 0.05, warmup_target: None, warmup_steps: 0 };
        LearningRate::Cosine(cosine)
    };
    let (model, loss) = game(&[28, 28, 1], generator, discriminator, Some(adam_of_game(rate(2e-3))));
    Preset {
        name: "gan-mnist".into(),
        model,
        data: "mnist".into(),
        loss,
        optimizer: adam_of_game(rate(1e-3)),
        batch_size: 64,
        epochs: 3,
        validation_split: 0.0,
        train_examples: None,
        stop_words: false,
        vocabulary: None,
    }
}

/// Points like those of eight clusters on a ring.
pub(super) fn gan_2d() -> Preset {
    let relu = || dense(64, Activation::Relu);
    let generator = vec![RandomUniform::new(8).into(), relu(), relu(), dense(2, Activation::Linear)];
    let (model, loss) = game(&[2], generator, vec![relu(), relu(), dense(1, Activation::Sigmoid)], None);
    Preset {
        name: "gan-2d".into(),
        model,
        data: "ring".into(),
        loss,
        optimizer: adam_of_game(1e-3.into()),
        batch_size: 100,
        epochs: 1000,
        validation_split: 0.0,
        train_examples: None,
        stop_words: false,
        vocabulary: None,
    }
}
