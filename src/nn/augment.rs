//! What a model's augmentation makes of an example, without a session: what one looks at while its arguments are chosen.

use super::layers::Layer;
use super::{LayerSpec, Mode, ModelSpec, build};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::graph::Leaf;
use crate::ops::CpuCx;
use crate::ops::eval::evaluate;

/// Most variants at once.
const MOST: usize = 256;

/// Whether a layer changes what it reads in training alone, and each example otherwise.
fn augments(spec: &LayerSpec) -> bool {
    use Layer::{GaussianNoise, RandomFlip, RandomRotation, RandomTranslation, RandomZoom};
    let kind = matches!(spec.layer, RandomFlip(_) | RandomTranslation(_) | RandomRotation(_) | RandomZoom(_) | GaussianNoise(_));
    kind && spec.inputs.is_none()
}

/// What the layers of augmentation that a model begins with make of the example `x`, `[...input]`: `count` variants, `[count, ...input]`. They are computed
/// as in training, with its random numbers: variant k is what the first example of a batch becomes at step `step` + k of a training from that seed. A
/// model that begins with another layer leaves examples as they are.
pub fn augment(spec: &ModelSpec, x: &[f32], count: usize, seed: u32, step: u32) -> Result<Vec<f32>> {
    if count == 0 || count > MOST {
        return Err(out_of_range("count", &format!("between 1 and {MOST}"), count));
    }
    let width = spec.input.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    if width != Some(x.len()) {
        let expected = spec.input.iter().map(|&extent| extent as f64).product::<f64>();
        return Err(Error::new(ErrorCode::WrongLength, &[("what", &"augment"), ("expected", &expected), ("got", &x.len())]));
    }
    let first = ModelSpec { input: spec.input.clone(), layers: spec.layers.iter().take_while(|layer| augments(layer)).cloned().collect() };
    if first.layers.is_empty() {
        return Ok(x.repeat(count));
    }
    let built = build(&first, 1, Mode::Train, None)?;
    let mut variants = Vec::with_capacity(count * x.len());
    for k in 0..count as u32 {
        let mut cx = CpuCx { seed, step: step.wrapping_add(k), ..CpuCx::default() };
        let mut values = evaluate(&built.graph, &mut cx, |node, leaf| match leaf {
            Leaf::Input(_) => x.to_vec(),
            Leaf::Constant(number) => vec![*number],
            // Such layers have no variables and no settings that change.
            Leaf::Variable(_) | Leaf::Scalar(_) | Leaf::Flat(_) => vec![0.0; built.graph.shape(node).numel()],
        });
        variants.append(&mut values[built.output.index()]);
    }
    Ok(variants)
}
