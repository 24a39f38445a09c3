//! How a model reads texts.

use crate::data::{DocumentForm, DocumentOptions, Reading};
use crate::nn::ModelSpec;

impl ModelSpec {
    /// The rows that the model reads of texts: as the options say, and where they say nothing as its input is.
    pub fn reading(&self, options: &DocumentOptions) -> Reading {
        let width = self.input.iter().product();
        let form = options.form.unwrap_or(if self.reads_tokens() { DocumentForm::Tokens } else { DocumentForm::Tfidf });
        Reading {
            form,
            vocabulary: options.vocabulary.or(self.vocabulary()).unwrap_or(width),
            length: options.length.unwrap_or(width),
            stop_words: options.stop_words.unwrap_or(false),
            tokenizer: options.tokenizer.unwrap_or_default(),
        }
    }
}
