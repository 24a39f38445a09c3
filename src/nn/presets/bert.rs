//! A small BERT (Devlin et al. 2019): an encoder that learns to guess hidden words, and the same encoder that tells opinions apart.

use super::{LayerSpec, LossSpec, ModelSpec, Preset, block, dense, layer_norm, normal};
use crate::nn::Activation;
use crate::nn::layers::{Add, GlobalAveragePooling1D, Layer, MaskedLMMaskGenerator, PositionEmbedding, ReversibleEmbedding};
use crate::nn::loss::{BinaryCrossentropy, SparseCategoricalCrossentropy, Target};
use crate::optim::{Adam, AdamW, CosineDecay, LearningRate};

const WIDTH: usize = 64;
const CONTEXT: usize = 64;
const BLOCKS: usize = 2;
/// Tokens of the data: padding, unknown, and the most frequent words.
const VOCABULARY: usize = 3000;
/// The token of a hidden word, one behind them.
const MASK: usize = VOCABULARY;

/// The table that makes vectors of tokens, or logits of vectors.
fn table(reverse: bool) -> Layer {
    ReversibleEmbedding {
        input_dim: VOCABULARY + 1,
        output_dim: WIDTH,
        reverse,
        embeddings_initializer: normal(0.02),
        embeddings_regularizer: None,
        mask_zero: !reverse,
    }
    .into()
}

/// Two pre-LN blocks of 4 heads over 64 words, which look both ways but not at padding. Kernels begin about 1 / √64 large, so that a
/// word sees the others from the first step on: with GPT's 0.02, at this width, it takes long to begin. In all 296,256 parameters, of which the table has 192,064.
fn encoder(layers: &mut Vec<LayerSpec>) {
    layers.extend([
        LayerSpec::from(table(false)).named("tokens"),
        LayerSpec::from(Layer::from(PositionEmbedding { sequence_length: CONTEXT, initializer: normal(0.02) })).named("positions"),
        LayerSpec::from(Layer::from(Add {})).named("embedded").reading(&["tokens", "positions"]),
    ]);
    let mut from = "embedded".to_owned();
    for number in 1..=BLOCKS {
        from = block(layers, number, &from, WIDTH, [normal(0.125), normal(0.1)], false);
    }
    layers.push(LayerSpec::from(layer_norm()).named("norm"));
}

/// Masked-token pre-training on the reviews' own texts, without stop words; nobody has labelled anything. Of the known words 40 % are hidden instead of BERT's
/// 15 %: so short a training learns more where more is asked of it (Wettig et al. 2023).
pub(super) fn bert_mini() -> Preset {
    let mask = MaskedLMMaskGenerator {
        mask_selection_rate: 0.4,
        unselectable_token_ids: vec![0, 1],
        ..MaskedLMMaskGenerator::new(VOCABULARY, MASK)
    };
    let mut layers = vec![LayerSpec::from(Layer::from(mask)).named("mask")];
    encoder(&mut layers);
    layers.push(LayerSpec::from(table(true)).named("guess").sharing("tokens"));
    let loss = SparseCategoricalCrossentropy { from_logits: true, target: Target::Input, ..SparseCategoricalCrossentropy::default() };
    let rate = CosineDecay { initial_learning_rate: 0.0, decay_steps: 1589, alpha: 0.1, warmup_target: Some(3e-3), warmup_steps: 100 };
    let optimizer = AdamW {
        learning_rate: LearningRate::Cosine(rate),
        beta_2: 0.99,
        weight_decay: Some(0.01),
        global_clipnorm: Some(1.0),
        ..AdamW::default()
    };
    Preset {
        name: "bert-mini".into(),
        model: ModelSpec { input: vec![CONTEXT], layers },
        data: "reviews-en".into(),
        loss: LossSpec::SparseCategoricalCrossentropy(loss),
        optimizer: optimizer.into(),
        batch_size: 32,
        epochs: 3,
        validation_split: 0.1,
        vocabulary: None,
        stop_words: true,
        train_examples: None,
    }
}

/// The mean of what the encoder makes of a review's words, and one number of it, from 500 labelled reviews: less without pre-training.
pub(super) fn bert_mini_sentiment() -> Preset {
    let mut layers = Vec::new();
    encoder(&mut layers);
    layers.push(LayerSpec::from(Layer::from(GlobalAveragePooling1D::default())).named("pool"));
    layers.push(LayerSpec::from(dense(1, Activation::Sigmoid)).named("opinion"));
    Preset {
        name: "bert-mini-sentiment".into(),
        model: ModelSpec { input: vec![CONTEXT], layers },
        data: "reviews-en".into(),
        loss: LossSpec::BinaryCrossentropy(BinaryCrossentropy::default()),
        optimizer: Adam { learning_rate: 5e-4.into(), ..Adam::default() }.into(),
        batch_size: 32,
        epochs: 6,
        validation_split: 0.1,
        vocabulary: Some(VOCABULARY),
        stop_words: true,
        train_examples: Some(500),
    }
}
