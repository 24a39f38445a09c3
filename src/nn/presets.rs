//! Ready-made models with their data and training settings, as data.

mod bert;
mod games;
mod seq2seq;

use serde::{Deserialize, Serialize};

use super::layers::{
    Add, Conv1D, Conv2D, Dense, Embedding, Flatten, GRU, GlobalMaxPooling1D, LSTM, Layer, LayerNormalization, MaxPooling1D, MaxPooling2D,
    MultiHeadAttention, PositionEmbedding, Reshape, SimpleRNN,
};
use super::loss::{BinaryCrossentropy, HalfSumOfSquares, MeanSquaredError, Reduction, SparseCategoricalCrossentropy, Target};
use super::{Activation, Init, LayerSpec, LossSpec, ModelSpec, Padding};
use crate::graph::Initializer;
use crate::optim::{Adam, AdamW, CosineDecay, LearningRate, OptimizerSpec, Sgd};

/// Of the training part of a text, whose last twentieth is for testing: a twentieth of the whole.
const TEXT_VALIDATION: f32 = 1.0 / 19.0;

/// A ready-made model with its data and its training settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", optional_fields))]
pub struct Preset {
    /// `"mnist-cnn"`.
    pub name: String,
    /// The layers.
    pub model: ModelSpec,
    /// Data set name.
    pub data: String,
    /// Loss.
    pub loss: LossSpec,
    /// Optimizer.
    pub optimizer: OptimizerSpec,
    /// Examples a step.
    pub batch_size: usize,
    /// Epochs that the preset is meant for.
    pub epochs: usize,
    /// Share held out for validation.
    pub validation_split: f32,
    /// Words of documents that the data know, where the embedding has rows for more tokens than these.
    pub vocabulary: Option<usize>,
    /// Whether frequent words that say little are left out of documents.
    pub stop_words: bool,
    /// Most examples that are trained on; all if none.
    pub train_examples: Option<usize>,
}

/// All presets, in the order in which the page lists them.
pub fn presets() -> Vec<Preset> {
    vec![
        mnist_cnn(),
        mnist_cnn_small(),
        cifar10_cnn(),
        autoencoder(),
        games::gan_mnist(),
        games::gan_2d(),
        newsgroups_tfidf(),
        newsgroups_cnn(),
        sentiment("sentiment-rnn", SimpleRNN::new(32).into()),
        sentiment("sentiment-lstm", LSTM::new(32).into()),
        sentiment("sentiment-gru", GRU::new(32).into()),
        gpt_char(),
        bert::bert_mini(),
        bert::bert_mini_sentiment(),
        seq2seq::seq2seq(),
        backprop_by_hand(),
        sigmoid_2_2_1(),
        linear_regression(),
    ]
}

/// The preset of that name.
pub fn preset(name: &str) -> Option<Preset> {
    presets().into_iter().find(|preset| preset.name == name)
}

fn model(input: &[usize], layers: Vec<Layer>) -> ModelSpec {
    ModelSpec { input: input.to_vec(), layers: layers.into_iter().map(LayerSpec::from).collect() }
}

fn dense(units: usize, activation: Activation) -> Layer {
    Dense::new(units, activation).into()
}

fn conv(filters: usize) -> Layer {
    Conv2D::new(filters, 3, Activation::Relu).into()
}

fn max_pool() -> Layer {
    MaxPooling2D::new(2).into()
}

fn cross_entropy() -> LossSpec {
    LossSpec::SparseCategoricalCrossentropy(SparseCategoricalCrossentropy::default())
}

/// 93,322 parameters; Keras reaches 0.985 to 0.988 in 5 epochs.
fn mnist_cnn() -> Preset {
    let layers = vec![
        conv(32),
        max_pool(),
        conv(64),
        max_pool(),
        conv(64),
        Flatten {}.into(),
        dense(64, Activation::Relu),
        dense(10, Activation::Softmax),
    ];
    Preset {
        name: "mnist-cnn".into(),
        model: model(&[28, 28, 1], layers),
        data: "mnist".into(),
        loss: cross_entropy(),
        optimizer: Adam::default().into(),
        batch_size: 64,
        epochs: 5,
        validation_split: 0.0,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

fn mnist_cnn_small() -> Preset {
    let layers = vec![conv(32), max_pool(), Flatten {}.into(), dense(128, Activation::Relu), dense(10, Activation::Softmax)];
    Preset {
        name: "mnist-cnn-small".into(),
        model: model(&[28, 28, 1], layers),
        data: "mnist".into(),
        loss: cross_entropy(),
        optimizer: Adam::default().into(),
        batch_size: 32,
        epochs: 5,
        validation_split: 0.2,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// 4,275,594 parameters.
fn cifar10_cnn() -> Preset {
    let conv = |filters: usize| -> Layer { Conv2D { padding: Padding::Same, ..Conv2D::new(filters, 3, Activation::Relu) }.into() };
    let layers =
        vec![conv(64), max_pool(), conv(128), max_pool(), Flatten {}.into(), dense(512, Activation::Relu), dense(10, Activation::Softmax)];
    Preset {
        name: "cifar10-cnn".into(),
        model: model(&[32, 32, 3], layers),
        data: "cifar10".into(),
        loss: cross_entropy(),
        optimizer: Adam::default().into(),
        batch_size: 64,
        epochs: 10,
        validation_split: 0.0,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// Digits through a plane and back: the layer `latent` has two numbers, and the target is the input.
fn autoencoder() -> Preset {
    let relu = |units: usize| dense(units, Activation::Relu);
    let layers = vec![
        Flatten {}.into(),
        relu(256),
        relu(64),
        dense(2, Activation::Linear),
        relu(64),
        relu(256),
        dense(28 * 28, Activation::Sigmoid),
        Reshape { target_shape: vec![28, 28, 1] }.into(),
    ];
    let mut model = model(&[28, 28, 1], layers);
    model.layers[3].name = Some("latent".into());
    Preset {
        name: "autoencoder".into(),
        model,
        data: "mnist".into(),
        loss: LossSpec::MeanSquaredError(MeanSquaredError { target: Target::Input, ..MeanSquaredError::default() }),
        optimizer: Adam::default().into(),
        batch_size: 64,
        epochs: 10,
        validation_split: 0.0,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// A decoder-only transformer over characters: 4 layers of 4 heads, width 128, 64 characters, pre-LN, GELU, learned positions; 820,736 parameters
/// over Shakespeare's 75 characters. Weights begin and are trained as in nanoGPT's configuration of this size for a CPU: normal with standard
/// deviation 0.02, and 0.02 / √8 in the two products of each block that end in a sum; AdamW with a warm-up of 100 steps and half a cosine to
/// step 2000. Other than there, biases and norms decay too, and the output's kernel is its own.
fn gpt_char() -> Preset {
    const WIDTH: usize = 128;
    const CONTEXT: usize = 64;
    const BLOCKS: usize = 4;
    const VOCABULARY: usize = 75;
    let table = Embedding {
        input_dim: VOCABULARY,
        output_dim: WIDTH,
        embeddings_initializer: normal(0.02),
        embeddings_regularizer: None,
        mask_zero: false,
    };
    let mut layers = vec![
        LayerSpec::from(Layer::from(table)).named("embedding"),
        Layer::from(PositionEmbedding { sequence_length: CONTEXT, initializer: normal(0.02) }).into(),
        LayerSpec::from(Layer::from(Add {})).named("embedded").reading(&["embedding", "position_embedding"]),
    ];
    let mut from = "embedded".to_owned();
    for number in 1..=BLOCKS {
        from = block(&mut layers, number, &from, WIDTH, [normal(0.02), normal(0.02 / ((2 * BLOCKS) as f64).sqrt())], true);
    }
    layers.push(LayerSpec::from(layer_norm()).named("norm"));
    let output = Dense { kernel_initializer: normal(0.02), use_bias: false, ..Dense::new(VOCABULARY, Activation::Linear) };
    layers.push(LayerSpec::from(Layer::from(output)).named("logits"));
    let rate = CosineDecay { initial_learning_rate: 0.0, decay_steps: 1900, alpha: 0.1, warmup_target: Some(1e-3), warmup_steps: 100 };
    let optimizer = AdamW {
        learning_rate: LearningRate::Cosine(rate),
        beta_2: 0.99,
        weight_decay: Some(0.1),
        global_clipnorm: Some(1.0),
        ..AdamW::default()
    };
    Preset {
        name: "gpt-char".into(),
        model: ModelSpec { input: vec![CONTEXT], layers },
        data: "shakespeare".into(),
        loss: LossSpec::SparseCategoricalCrossentropy(SparseCategoricalCrossentropy { from_logits: true, ..Default::default() }),
        optimizer: optimizer.into(),
        batch_size: 12,
        epochs: 1,
        validation_split: TEXT_VALIDATION,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// Attention of 4 heads and two dense layers, each behind a norm and beside a path that leads around it. Kernels begin as `kernels` says, those before a
/// sum as the second. Gives the name of what comes out.
fn block(layers: &mut Vec<LayerSpec>, number: usize, from: &str, width: usize, kernels: [Init; 2], causal: bool) -> String {
    let [kernel, residual] = kernels;
    let name = |part: &str| format!("block_{number}_{part}");
    let (attention, joined, contract, out) = (name("attention"), name("attended"), name("contract"), name("out"));
    let heads = MultiHeadAttention {
        use_causal_mask: causal,
        kernel_initializer: kernel.clone(),
        output_initializer: Some(residual.clone()),
        ..MultiHeadAttention::new(4, width / 4)
    };
    let product = |units: usize, activation: Activation, kernel_initializer: Init| -> Layer {
        Dense { kernel_initializer, ..Dense::new(units, activation) }.into()
    };
    layers.extend([
        LayerSpec::from(layer_norm()).named(&name("norm_1")),
        LayerSpec::from(Layer::from(heads)).named(&attention),
        LayerSpec::from(Layer::from(Add {})).named(&joined).reading(&[from, &attention]),
        LayerSpec::from(layer_norm()).named(&name("norm_2")),
        LayerSpec::from(product(4 * width, Activation::Gelu, kernel)).named(&name("expand")),
        LayerSpec::from(product(width, Activation::Linear, residual)).named(&contract),
        LayerSpec::from(Layer::from(Add {})).named(&out).reading(&[&joined, &contract]),
    ]);
    out
}

fn normal(stddev: f64) -> Init {
    Init(Initializer::RandomNormal { mean: 0.0, stddev })
}

fn layer_norm() -> Layer {
    LayerNormalization { epsilon: 1e-5, ..LayerNormalization::default() }.into()
}

/// One dense layer over the TF-IDF weights of 5,000 words, 100,020 parameters: softmax regression, 0.80 on the
/// test part, where naive Bayes over the same rows gets 0.78.
fn newsgroups_tfidf() -> Preset {
    Preset {
        name: "newsgroups-tfidf".into(),
        model: model(&[5000], vec![dense(20, Activation::Softmax)]),
        data: "newsgroups".into(),
        loss: cross_entropy(),
        optimizer: Adam { learning_rate: 0.01.into(), ..Adam::default() }.into(),
        batch_size: 32,
        epochs: 10,
        validation_split: 0.2,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// A table's row for each of `words` tokens.
fn embedding(words: usize, width: usize, mask_zero: bool) -> Layer {
    let uniform = Init(Initializer::RandomUniform { minval: -0.05, maxval: 0.05 });
    Embedding { input_dim: words, output_dim: width, embeddings_initializer: uniform, embeddings_regularizer: None, mask_zero }.into()
}

/// Windows of five words, whichever answers most within five places, and at last anywhere.
fn newsgroups_cnn() -> Preset {
    let layers = vec![
        embedding(1000, 64, false),
        Conv1D::new(128, 5, Activation::Relu).into(),
        MaxPooling1D { pool_size: 5, ..MaxPooling1D::default() }.into(),
        GlobalMaxPooling1D::default().into(),
        dense(20, Activation::Softmax),
    ];
    Preset {
        name: "newsgroups-cnn".into(),
        model: model(&[200], layers),
        data: "newsgroups".into(),
        loss: cross_entropy(),
        optimizer: Adam::default().into(),
        batch_size: 32,
        epochs: 10,
        validation_split: 0.2,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// What a recurrent layer makes of the first hundred words of a review. Its state stays where they end: padding has no part in it.
fn sentiment(name: &str, recurrent: Layer) -> Preset {
    Preset {
        name: name.into(),
        model: model(&[100], vec![embedding(5000, 32, true), recurrent, dense(1, Activation::Sigmoid)]),
        data: "reviews-en".into(),
        loss: LossSpec::BinaryCrossentropy(BinaryCrossentropy::default()),
        optimizer: Adam::default().into(),
        batch_size: 32,
        epochs: 3,
        validation_split: 0.1,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// z = W x + b with W = [[0.1, 0.2], [0.3, 0.4]] and b = [0.1, 0.2]. Keras's kernel is W transposed: `[in, out]`.
fn backprop_by_hand() -> Preset {
    let mut layer = Dense::new(2, Activation::Sigmoid);
    layer.kernel_initializer = Init(Initializer::Values { values: vec![0.1, 0.3, 0.2, 0.4] });
    layer.bias_initializer = Init(Initializer::Values { values: vec![0.1, 0.2] });
    Preset {
        name: "backprop-by-hand".into(),
        model: model(&[2], vec![layer.into()]),
        data: "backprop-by-hand".into(),
        loss: LossSpec::HalfSumOfSquares(HalfSumOfSquares { reduction: Reduction::Sum, ..HalfSumOfSquares::default() }),
        optimizer: Sgd { learning_rate: 0.5.into(), ..Sgd::default() }.into(),
        batch_size: 1,
        epochs: 1000,
        validation_split: 0.0,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

fn sigmoid_2_2_1() -> Preset {
    Preset {
        name: "sigmoid-2-2-1".into(),
        model: model(&[2], vec![dense(2, Activation::Sigmoid), dense(1, Activation::Sigmoid)]),
        data: "four-points".into(),
        loss: LossSpec::BinaryCrossentropy(BinaryCrossentropy::default()),
        optimizer: Adam::default().into(),
        batch_size: 4,
        epochs: 1000,
        validation_split: 0.0,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}

/// J = ½ Σ (ŷ − y)² over the five days. At this rate it converges only because the days are standardised: with the raw days (data set
/// `linear-regression`) the largest curvature is 59.3, and every step overshoots.
fn linear_regression() -> Preset {
    let mut layer = Dense::new(1, Activation::Linear);
    layer.kernel_initializer = Init(Initializer::Zeros);
    Preset {
        name: "linear-regression".into(),
        model: model(&[1], vec![layer.into()]),
        data: "linear-regression-standardised".into(),
        loss: LossSpec::HalfSumOfSquares(HalfSumOfSquares { reduction: Reduction::Sum, ..HalfSumOfSquares::default() }),
        optimizer: Sgd { learning_rate: 0.1.into(), ..Sgd::default() }.into(),
        batch_size: 5,
        epochs: 100,
        validation_split: 0.0,
        vocabulary: None,
        stop_words: false,
        train_examples: None,
    }
}
