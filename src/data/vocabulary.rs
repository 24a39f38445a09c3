//! The tokens that a data set's rows are made of, and how often each occurs.

use super::{DataKind, Dataset, DocumentForm};

impl Dataset {
    /// The tokens as they are written, by number, and how often each stands in the rows of the training part; of TF-IDF weights, in how many of its
    /// documents. Padding and what stands for unknown words are empty texts. Nothing where the data are no texts.
    pub fn vocabulary(&self) -> (Vec<String>, Vec<u32>) {
        let documents = self.documents.as_deref();
        let tokens = match (self.info.kind, documents) {
            (_, Some(documents)) => documents.words(),
            (DataKind::Text | DataKind::Pairs, None) => self.info.classes.clone(),
            _ => Vec::new(),
        };
        let mut counts = vec![0; tokens.len()];
        let x = &self.train.x;
        // A column of weights is a word; any other cell is the number of one.
        let weights = documents.is_some_and(|documents| documents.form() == DocumentForm::Tfidf);
        for index in 0..if tokens.is_empty() { 0 } else { x.len() } {
            let cell = x.cell(index);
            let token = if weights { index % x.width() } else { cell as usize };
            if let Some(count) = counts.get_mut(token) {
                *count += u32::from(!weights || cell != 0.0);
            }
        }
        (tokens, counts)
    }
}
