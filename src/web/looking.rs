//! Requests that look at a session and leave it as it was.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::answer::{Answer, Desk, example};
use super::js::{Buffer, now, to_js};
use crate::data::Split;
use crate::train::AttributeOptions;

impl Desk {
    pub(super) fn cell(&mut self, split: Split, truth: usize, prediction: usize, first: usize, most: usize) -> Answer {
        let cell = self.session()?.cell(split, truth, prediction, first, most)?;
        Ok((to_js(&cell), Vec::new()))
    }

    pub(super) async fn health(&mut self) -> Answer {
        let report = self.session()?.health(now).await?;
        Ok((to_js(&report), Vec::new()))
    }

    pub(super) async fn attribute(&mut self, options: &AttributeOptions, split: Split, index: Option<usize>, buffers: &Array) -> Answer {
        let session = self.session()?;
        let x = example(session, split, index, buffers)?;
        let (attribution, values) = session.attribute(&x, options).await?;
        Ok((to_js(&attribution), vec![Buffer::Floats(values)]))
    }

    pub(super) async fn landscape(&mut self, split: Split, seed: u32, points: &[[f32; 2]]) -> Answer {
        let losses = self.session()?.landscape(split, seed, points).await?;
        Ok((JsValue::NULL, vec![Buffer::Floats(losses)]))
    }
}
