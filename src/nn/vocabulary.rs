//! Models of token sequences for the vocabulary and the lengths that the data bring.

use super::layers::{Build, Layer};
use super::spec::INPUT;
use super::{LayerSpec, ModelSpec, Pair};

impl ModelSpec {
    /// The layers that read the model's input.
    pub(super) fn reading_input(&self) -> impl Iterator<Item = &LayerSpec> {
        let reads_input = |(position, layer): &(usize, &LayerSpec)| match &layer.inputs {
            Some(names) => names.iter().any(|name| name == INPUT),
            None => *position == 0,
        };
        self.layers.iter().enumerate().filter(reads_input).map(|(_, layer)| layer)
    }

    /// Whether a layer that reads the model's input takes it for tokens.
    pub fn reads_tokens(&self) -> bool {
        self.reading_input().any(|layer| layer.layer.reads_tokens())
    }

    /// How many tokens the embedding that reads the input knows, if one does.
    pub fn vocabulary(&self) -> Option<usize> {
        self.reading_input().find_map(|layer| match &layer.layer {
            Layer::Embedding(embedding) => Some(embedding.input_dim),
            Layer::ReversibleEmbedding(embedding) => Some(embedding.input_dim),
            Layer::MaskedLMMaskGenerator(mask) => Some(mask.vocabulary_size),
            _ => None,
        })
    }

    /// The token that stands for one that is to be guessed, if the model learns to guess.
    pub fn mask_token(&self) -> Option<usize> {
        self.reading_input().find_map(|layer| match &layer.layer {
            Layer::MaskedLMMaskGenerator(mask) => Some(mask.mask_token_id),
            _ => None,
        })
    }

    /// The same model for sources and targets of other lengths, which stand one behind the other in its input: what is cut off at an end of it
    /// to be left with one of them is as long as the other.
    #[must_use]
    pub fn with_lengths(mut self, [source, target]: [usize; 2]) -> Self {
        self.input = vec![source + target];
        for layer in &mut self.layers {
            if let Layer::Cropping1D(layer) = &mut layer.layer {
                match &mut layer.cropping {
                    Pair([0, last]) => *last = target,
                    Pair([first, 0]) => *first = source,
                    Pair(_) => {}
                }
            }
        }
        self
    }

    /// The same model for another vocabulary: embeddings of the former size get the new one, and so does a last `Dense`, whose outputs are the
    /// tokens' logits.
    #[must_use]
    pub fn with_vocabulary(mut self, size: usize) -> Self {
        let Some(former) = self.vocabulary() else { return self };
        let last = self.layers.len() - 1;
        for (position, layer) in self.layers.iter_mut().enumerate() {
            let extent = match &mut layer.layer {
                Layer::Embedding(embedding) => &mut embedding.input_dim,
                Layer::ReversibleEmbedding(embedding) => &mut embedding.input_dim,
                Layer::Dense(dense) if position == last => &mut dense.units,
                _ => continue,
            };
            if *extent == former {
                *extent = size;
            }
        }
        self
    }
}
