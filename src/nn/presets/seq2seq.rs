//! A small encoder and decoder (Vaswani et al. 2017), which answers texts with texts.

use super::{LayerSpec, LossSpec, ModelSpec, Preset, dense, layer_norm, normal};
use crate::nn::layers::{Add, Cropping1D, Embedding, Layer, MultiHeadAttention, PositionEmbedding};
use crate::nn::loss::SparseCategoricalCrossentropy;
use crate::nn::{Activation, Pair};
use crate::optim::{AdamW, CosineDecay, LearningRate};

const WIDTH: usize = 64;
/// Longest source, and longest target with its end.
const SOURCE: usize = 10;
const TARGET: usize = 11;
/// Longer than any of the tasks' texts, so that the model fits them all.
const LONGEST: usize = 32;
/// Padding, start, end and 26 letters.
const VOCABULARY: usize = 29;

/// Layers one after another, each with its name.
struct Stack(Vec<LayerSpec>);

impl Stack {
    /// A layer that reads the one before it, or those that are named.
    fn put(&mut self, layer: Layer, name: &str, inputs: &[&str]) {
        let spec = LayerSpec::from(layer).named(name);
        self.0.push(if inputs.is_empty() { spec } else { spec.reading(inputs) });
    }

    fn norm(&mut self, name: &str) {
        self.put(layer_norm(), name, &[]);
    }

    fn add(&mut self, name: &str, path: &str, branch: &str) {
        self.put(Layer::from(Add {}), name, &[path, branch]);
    }

    /// One half of what the table made of a row, with its positions.
    fn half(&mut self, name: &str, cropping: [usize; 2]) {
        let positions = format!("{name}_positions");
        self.put(Cropping1D { cropping: Pair(cropping) }.into(), name, &["embedding"]);
        self.put(PositionEmbedding { sequence_length: LONGEST, initializer: normal(0.02) }.into(), &positions, &[]);
        self.add(&format!("{name}_embedded"), name, &positions);
    }

    /// Attention behind a norm and beside a path that leads around it, to what the path brings or to a memory. Gives the name of the sum.
    fn attend(&mut self, name: &str, path: &str, memory: Option<&str>, use_causal_mask: bool) -> String {
        let (norm, attention, sum) = (format!("{name}_norm"), format!("{name}_attention"), format!("{name}_attended"));
        self.norm(&norm);
        let heads = MultiHeadAttention { use_causal_mask, ..MultiHeadAttention::new(4, WIDTH / 4) };
        match memory {
            Some(memory) => self.put(heads.into(), &attention, &[&norm, memory]),
            None => self.put(heads.into(), &attention, &[]),
        }
        self.add(&sum, path, &attention);
        sum
    }

    /// Two dense layers behind a norm and beside a path that leads around them.
    fn think(&mut self, name: &str, path: &str) {
        let contract = format!("{name}_contract");
        self.norm(&format!("{name}_norm"));
        self.put(dense(4 * WIDTH, Activation::Gelu), &format!("{name}_expand"), &[]);
        self.put(dense(WIDTH, Activation::Linear), &contract, &[]);
        self.add(&format!("{name}_out"), path, &contract);
    }
}

/// Letters that are to be reversed: a block on either side, 4 heads, width 64, pre-LN, GELU, learned positions. The row is the source and then the
/// target, one token later than its labels; one table makes vectors of both, and two layers cut it in two. Padding is not looked at and does not
/// count. 124,829 parameters over 26 letters.
pub(super) fn seq2seq() -> Preset {
    let mut stack = Stack(Vec::new());
    let table = Embedding {
        input_dim: VOCABULARY,
        output_dim: WIDTH,
        embeddings_initializer: normal(0.02),
        embeddings_regularizer: None,
        mask_zero: true,
    };
    stack.put(table.into(), "embedding", &[]);
    stack.half("source", [0, TARGET]);
    let source = stack.attend("encoder", "source_embedded", None, false);
    stack.think("encoder_dense", &source);
    stack.norm("encoded");
    stack.half("target", [SOURCE, 0]);
    let target = stack.attend("decoder", "target_embedded", None, true);
    let target = stack.attend("cross", &target, Some("encoded"), false);
    stack.think("decoder_dense", &target);
    stack.norm("norm");
    stack.put(dense(VOCABULARY, Activation::Linear), "logits", &[]);
    let rate = CosineDecay { initial_learning_rate: 0.0, decay_steps: 1775, alpha: 0.01, warmup_target: Some(2e-3), warmup_steps: 100 };
    let optimizer = AdamW {
        learning_rate: LearningRate::Cosine(rate),
        beta_2: 0.98,
        weight_decay: Some(0.01),
        global_clipnorm: Some(1.0),
        ..AdamW::default()
    };
    Preset {
        name: "seq2seq".into(),
        model: ModelSpec { input: vec![SOURCE + TARGET], layers: stack.0 },
        data: "reverse".into(),
        loss: LossSpec::SparseCategoricalCrossentropy(SparseCategoricalCrossentropy { from_logits: true, ..Default::default() }),
        optimizer: optimizer.into(),
        batch_size: 64,
        epochs: 3,
        validation_split: 0.0,
        train_examples: None,
        stop_words: false,
        vocabulary: None,
    }
}
