//! The loss around the present parameters, along random directions.

use super::Session;
use super::evaluate::Examples;
use crate::backend::Backend;
use crate::data::Split;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Variable};
use crate::tensor::Rng;

impl<B: Backend> Session<B> {
    /// The loss on the first 256 examples of a part (fewer of sequences; all, where it has fewer) at θ + a d + b e for each point (a, b). θ are the present
    /// parameters, which are the same bits afterwards. d and e are normal numbers of the seed, scaled filter by filter to the norm of the
    /// filter in θ; biases and other vectors stay (Li et al., "Visualizing the Loss Landscape of Neural Nets", 2018).
    pub async fn landscape(&mut self, split: Split, seed: u32, points: &[[f32; 2]]) -> Result<Vec<f32>> {
        let count = self.count(split).min(self.evaluation_batch());
        if count == 0 {
            return Err(Error::new(ErrorCode::EmptySplit, &[("split", &split.name())]));
        }
        let (part, rows) = self.rows_of(split, 0..count);
        let centre = self.backend.read(Group::Parameters).await?;
        let variables: Vec<Variable> = self.parameters().cloned().collect();
        // Along a line the second direction is not drawn.
        let plane = points.iter().any(|&[_, b]| b != 0.0);
        let directions: Vec<Vec<f32>> = (0..1 + u32::from(plane)).map(|which| direction(&variables, &centre, seed, which)).collect();
        let mut losses = Vec::with_capacity(points.len());
        let mut walked = Ok(());
        for point in points {
            let mut there = centre.clone();
            for (direction, distance) in directions.iter().zip(point) {
                there.iter_mut().zip(direction).for_each(|(to, along)| *to += distance * along);
            }
            walked = self.backend.write(Group::Parameters, 0, &there);
            if walked.is_ok() {
                match self.forward(Examples::Rows { part, rows: &rows }, false).await {
                    Ok(forward) => losses.push(forward.loss),
                    Err(error) => walked = Err(error),
                }
            }
            if walked.is_err() {
                break;
            }
        }
        self.backend.write(Group::Parameters, 0, &centre)?;
        walked.map(|()| losses)
    }
}

/// A direction in the layout of the parameters. The last axis of a kernel counts its filters, in Keras's layouts.
fn direction(variables: &[Variable], centre: &[f32], seed: u32, which: u32) -> Vec<f32> {
    let mut direction = vec![0.0; centre.len()];
    for (stream, variable) in variables.iter().enumerate().filter(|(_, variable)| variable.shape.rank() > 1) {
        let range = variable.offset..variable.offset + variable.shape.numel();
        let (own, values) = (&mut direction[range.clone()], &centre[range]);
        let mut rng = Rng::new(seed, 2 * stream as u32 + which);
        own.iter_mut().for_each(|along| *along = rng.normal());
        let filters = variable.shape.last().copied().unwrap_or(1);
        for filter in 0..filters {
            let norm = |of: &[f32]| of.iter().skip(filter).step_by(filters).map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let drawn = norm(own);
            let scale = if drawn > 0.0 { (norm(values) / drawn) as f32 } else { 0.0 };
            own.iter_mut().skip(filter).step_by(filters).for_each(|along| *along *= scale);
        }
    }
    direction
}
