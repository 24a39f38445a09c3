//! Augmentation: what images become at a step, that they are left alone in prediction, and that a preview shows what training sees.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::data::Dataset;
use gradscope::error::{ErrorCode, Result};
use gradscope::graph::Leaf;
use gradscope::nn::{LossSpec, Mode, ModelSpec, augment, build};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::evaluate;
use gradscope::optim::OptimizerSpec;
use gradscope::train::{RunOptions, Session, Settings};
use pollster::block_on;
use serde_json::{Value, json};

const BATCH: usize = 64;
const SIDE: usize = 5;

/// What a layer makes of a batch of images `[BATCH, SIDE, SIDE, 1]` that are all `image`, at a step.
fn augmented(layer: &Value, image: &[f64], mode: Mode, step: u32) -> Vec<Vec<f64>> {
    let spec = ModelSpec::from_json(&json!({ "input": [SIDE, SIDE, 1], "layers": [layer] })).expect("a good spec");
    let built = build(&spec, BATCH, mode, None).expect("a graph");
    let mut cx = CpuCx { seed: 3, step, ..CpuCx::default() };
    let values = evaluate(&built.graph, &mut cx, |_, leaf| match leaf {
        Leaf::Input(_) => image.repeat(BATCH),
        Leaf::Constant(value) => vec![f64::from(*value)],
        other => panic!("{other:?} in a graph without variables"),
    });
    values[built.output.index()].chunks(SIDE * SIDE).map(<[f64]>::to_vec).collect()
}

/// No two rows and no two columns alike, and a border of 0.
fn image() -> Vec<f64> {
    let inner = |row: usize, column: usize| if (1..4).contains(&row) && (1..4).contains(&column) { (row * 3 + column) as f64 } else { 0.0 };
    (0..SIDE * SIDE).map(|k| inner(k / SIDE, k % SIDE)).collect()
}

fn near(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn predictions_see_the_images_as_they_are() {
    for layer in [
        json!({ "type": "RandomFlip" }),
        json!({ "type": "RandomTranslation", "height_factor": 0.5, "width_factor": 0.5, "fill_mode": "constant" }),
        json!({ "type": "RandomRotation", "factor": 0.5, "fill_mode": "constant" }),
        json!({ "type": "RandomZoom", "height_factor": 0.5, "fill_mode": "constant" }),
        json!({ "type": "GaussianNoise", "stddev": 1 }),
    ] {
        assert_eq!(augmented(&layer, &image(), Mode::Infer, 0)[0], image(), "{layer}");
        let [one, same, other] = [5, 5, 6].map(|step| augmented(&layer, &image(), Mode::Train, step));
        assert!(one == same && one != other, "{layer}: a step draws its own numbers, and the same again");
        assert!(one.iter().any(|seen| *seen != one[0]), "{layer}: each image has its own numbers");
    }
}

#[test]
fn a_mirrored_image_is_the_same_pixels() {
    let mirrored = |across: bool, down: bool| -> Vec<f64> {
        let from =
            |k: usize| (if down { SIDE - 1 - k / SIDE } else { k / SIDE }) * SIDE + if across { SIDE - 1 - k % SIDE } else { k % SIDE };
        (0..SIDE * SIDE).map(|k| image()[from(k)]).collect()
    };
    for (mode, allowed) in [
        ("horizontal", vec![(false, false), (true, false)]),
        ("vertical", vec![(false, false), (false, true)]),
        ("horizontal_and_vertical", vec![(false, false), (true, false), (false, true), (true, true)]),
    ] {
        let seen = augmented(&json!({ "type": "RandomFlip", "mode": mode }), &image(), Mode::Train, 1);
        let mut counts = vec![0; allowed.len()];
        for image in &seen {
            let which = allowed.iter().position(|&(across, down)| near(image, &mirrored(across, down)));
            counts[which.unwrap_or_else(|| panic!("{mode}: {image:?}"))] += 1;
        }
        assert!(counts.iter().all(|&count| count * allowed.len() * 2 > BATCH), "{mode}: {counts:?} of {BATCH}");
    }
}

#[test]
fn shifts_keep_what_stays_inside() {
    let layer = json!({ "type": "RandomTranslation", "height_factor": 0.0, "width_factor": 0.2, "fill_mode": "constant" });
    let seen = augmented(&layer, &image(), Mode::Train, 1);
    let middle =
        |image: &[f64]| image.iter().enumerate().map(|(k, value)| (k % SIDE) as f64 * value).sum::<f64>() / image.iter().sum::<f64>();
    let shifts: Vec<f64> = seen.iter().map(|seen| middle(seen) - middle(&image())).collect();
    for (seen, shift) in seen.iter().zip(&shifts) {
        // Up to one pixel, the width of the border: nothing is lost, and each row is its own shifted by as much.
        assert!((seen.iter().sum::<f64>() - image().iter().sum::<f64>()).abs() < 1e-4 && shift.abs() <= 1.0001, "{shift}: {seen:?}");
        let share = shift.abs();
        let from = |k: usize| if *shift < 0.0 { k + 1 } else { k.wrapping_sub(1) };
        let pixel = |row: usize, column: usize| if column < SIDE { image()[row * SIDE + column] } else { 0.0 };
        let want: Vec<f64> =
            (0..SIDE * SIDE).map(|k| (1.0 - share) * pixel(k / SIDE, k % SIDE) + share * pixel(k / SIDE, from(k % SIDE))).collect();
        assert!(near(seen, &want), "{shift}: {seen:?} is not {want:?}");
    }
    let (least, most) = shifts.iter().fold((0.0, 0.0), |(least, most): (f64, f64), &shift| (least.min(shift), most.max(shift)));
    assert!(least < -0.7 && most > 0.7, "from {least} to {most}");
}

#[test]
fn turns_and_zooms_keep_the_centre() {
    let turn = json!({ "type": "RandomRotation", "factor": 0.1, "fill_mode": "constant" });
    let zoom = json!({ "type": "RandomZoom", "height_factor": 0.4, "width_factor": 0.1, "fill_mode": "constant" });
    for layer in [turn, zoom] {
        let seen = augmented(&layer, &image(), Mode::Train, 2);
        assert!(seen.iter().all(|seen| (seen[12] - image()[12]).abs() < 1e-4), "{layer}");
    }
    // A ramp along the rows, turned by an angle, rises by its cosine from row to row and by its sine from column to column.
    let ramp: Vec<f64> = (0..SIDE * SIDE).map(|k| (k / SIDE) as f64).collect();
    for seen in augmented(&json!({ "type": "RandomRotation", "factor": 0.05, "fill_mode": "constant" }), &ramp, Mode::Train, 2) {
        let (down, across) = (seen[17] - seen[12], seen[13] - seen[12]);
        assert!(
            (down * down + across * across - 1.0).abs() < 1e-4 && across.abs() <= (0.1 * std::f64::consts::PI).sin() + 1e-4,
            "{down}, {across}"
        );
    }
    // Scaled, it rises by the factor.
    for seen in augmented(&json!({ "type": "RandomZoom", "height_factor": 0.4, "fill_mode": "constant" }), &ramp, Mode::Train, 2) {
        assert!((0.6..1.4).contains(&(seen[17] - seen[12])) && (seen[13] - seen[12]).abs() < 1e-5, "{seen:?}");
    }
}

#[test]
fn noise_is_normal() {
    let seen = augmented(&json!({ "type": "GaussianNoise", "stddev": 0.5 }), &[1.0; SIDE * SIDE], Mode::Train, 4).concat();
    let count = seen.len() as f64;
    let mean = seen.iter().sum::<f64>() / count;
    let spread = (seen.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    let within = seen.iter().filter(|x| (**x - 1.0).abs() < 0.5).count() as f64 / count;
    assert!((mean - 1.0).abs() < 0.04 && (spread - 0.5).abs() < 0.03 && (within - 0.683).abs() < 0.04, "{mean}, {spread}, {within}");
}

#[test]
fn impossible_augmentation_is_refused() {
    for (layer, code) in [
        (json!({ "type": "RandomTranslation", "height_factor": 0.1, "width_factor": 0.1 }), ErrorCode::BadValue),
        (json!({ "type": "RandomTranslation", "height_factor": 1.5, "width_factor": 0.1, "fill_mode": "constant" }), ErrorCode::BadValue),
        (json!({ "type": "RandomRotation", "factor": 0.1, "fill_mode": "reflect" }), ErrorCode::UnknownName),
        (json!({ "type": "RandomZoom", "height_factor": 1.0, "fill_mode": "constant" }), ErrorCode::BadValue),
        (json!({ "type": "RandomFlip", "mode": "diagonal" }), ErrorCode::UnknownName),
        (json!({ "type": "GaussianNoise", "stddev": -1 }), ErrorCode::BadValue),
    ] {
        let built =
            ModelSpec::from_json(&json!({ "input": [4, 4, 1], "layers": [layer] })).and_then(|spec| build(&spec, 1, Mode::Train, None));
        let error = built.map(|built| built.layers.len()).expect_err("an error");
        assert!(error.code == code, "{layer}: {error}");
    }
    let spec = ModelSpec::from_json(&json!({ "input": [4], "layers": [{ "type": "RandomFlip" }] })).expect("a spec");
    assert_eq!(build(&spec, 1, Mode::Train, None).map(|built| built.layers.len()).expect_err("an error").code, ErrorCode::BadShape);
}

/// Four layers of augmentation, and a network behind them that has a noise of its own.
fn network() -> Result<ModelSpec> {
    ModelSpec::from_json(&json!({ "input": [SIDE, SIDE, 1], "layers": [
        { "type": "RandomFlip", "mode": "horizontal" },
        { "type": "RandomTranslation", "height_factor": 0.3, "width_factor": 0.2, "fill_mode": "constant" },
        { "type": "RandomRotation", "factor": 0.1, "fill_mode": "constant" },
        { "type": "GaussianNoise", "stddev": 0.1 },
        { "type": "Flatten" },
        { "type": "GaussianNoise", "stddev": 0.1 },
        { "type": "Dense", "units": 2 },
    ] }))
}

#[test]
fn a_preview_has_the_bits_that_training_reads() -> Result<()> {
    const STEPS: usize = 3;
    let x: Vec<f32> = image().iter().map(|&value| value as f32 / 16.0).collect();
    let settings = Settings {
        model: network()?,
        loss: LossSpec::from_json(&json!({ "type": "sparse_categorical_crossentropy", "from_logits": true }))?,
        optimizer: OptimizerSpec::from_json(&json!("adam"))?,
        batch_size: 4,
        seed: 11,
        validation_split: 0.0,
        train_examples: None,
    };
    let data = Dataset::from_arrays(x.repeat(16), &[16, SIDE, SIDE, 1], vec![1.0; 16])?;
    let mut session = block_on(Session::new(Cpu::new(), settings, Rc::new(data)))?;
    let variants = augment(&network()?, &x, STEPS, 11, 0)?;
    for (step, variant) in variants.chunks_exact(x.len()).enumerate() {
        let (_, seen) = block_on(session.read_node("gaussian_noise", false))?;
        assert_eq!(&seen[..x.len()], variant, "at step {step}");
        let options = RunOptions { steps: Some(1), ..RunOptions::default() };
        block_on(session.run(options, || 0.0))?;
    }
    assert_eq!(augment(&network()?, &x, 1, 11, 2)?, &variants[2 * x.len()..], "from a later step on");
    assert_ne!(augment(&network()?, &x, STEPS, 12, 0)?, variants, "another seed draws others");
    Ok(())
}

#[test]
fn a_preview_is_of_the_first_layers_alone() -> Result<()> {
    let x = [1.0, 2.0, 3.0, 4.0];
    let spec = |layers: Value| ModelSpec::from_json(&json!({ "input": [2, 2, 1], "layers": layers }));
    let plain = spec(json!([{ "type": "Flatten" }, { "type": "GaussianNoise", "stddev": 1 }]))?;
    assert_eq!(augment(&plain, &x, 2, 0, 0)?, x.repeat(2), "what comes later is no augmentation of the example");
    // Layers behind that are impossible do not keep one from looking at those before.
    let flipped = augment(
        &spec(json!([{ "type": "RandomFlip", "mode": "horizontal" }, { "type": "Conv2D", "filters": 1, "kernel_size": 9 }]))?,
        &x,
        20,
        0,
        0,
    )?;
    assert!(flipped.chunks(4).all(|seen| near32(seen, &x) || near32(seen, &[2.0, 1.0, 4.0, 3.0])), "{flipped:?}");
    for (count, length) in [(0, 4), (257, 4), (3, 5)] {
        let refused = augment(&plain, &vec![0.0; length], count, 0, 0).map(|seen| seen.len()).expect_err("an error");
        assert!(matches!(refused.code, ErrorCode::BadValue | ErrorCode::WrongLength), "{refused}");
    }
    Ok(())
}

fn near32(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
}
