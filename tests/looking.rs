//! What looks at a session and leaves it as it was: health, attributions, the loss's landscape, the examples of a confusion's cell.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::data::{Dataset, Split};
use gradscope::error::{ErrorCode, Result};
use gradscope::nn::{LossSpec, ModelSpec};
use gradscope::optim::OptimizerSpec;
use gradscope::tensor::Rng;
use gradscope::train::{AttributeOptions, Attribution, Distribution, Method, RunOptions, Session, Settings};
use pollster::block_on;
use serde_json::{Value, json};

const SIDE: usize = 6;
const EXAMPLES: usize = 40;

fn open(model: Value, loss: Value, optimizer: Value, data: Dataset, batch_size: usize) -> Result<Session<Cpu>> {
    let settings = Settings {
        model: ModelSpec::from_json(&model)?,
        loss: LossSpec::from_json(&loss)?,
        optimizer: OptimizerSpec::from_json(&optimizer)?,
        batch_size,
        seed: 3,
        validation_split: 0.0,
        train_examples: None,
    };
    block_on(Session::new(Cpu::new(), settings, Rc::new(data)))
}

/// Small images of two channels with one of three classes each.
fn images() -> Result<Dataset> {
    let mut rng = Rng::new(5, 0);
    let x = (0..EXAMPLES * SIDE * SIDE * 2).map(|_| rng.normal()).collect();
    let y = (0..EXAMPLES).map(|_| rng.below(3) as f32).collect();
    Dataset::from_arrays(x, &[EXAMPLES, SIDE, SIDE, 2], y)
}

/// A model over them whose output are logits.
fn classifier(layers: &[Value]) -> Result<Session<Cpu>> {
    let layers: Vec<Value> = layers.iter().cloned().chain([json!({ "type": "Dense", "units": 3 })]).collect();
    let loss = json!({ "type": "sparse_categorical_crossentropy", "from_logits": true });
    open(json!({ "input": [SIDE, SIDE, 2], "layers": layers }), loss, json!("adam"), images()?, 16)
}

fn smooth() -> Result<Session<Cpu>> {
    classifier(&[json!({ "type": "Conv2D", "filters": 4, "kernel_size": 3, "activation": "tanh" }), json!({ "type": "Flatten" })])
}

fn train(session: &mut Session<Cpu>, steps: usize) -> Result<()> {
    let options = RunOptions { steps: Some(steps), shuffle: true, ..RunOptions::default() };
    block_on(session.run(options, || 0.0)).map(drop)
}

fn options(method: Method, class: usize) -> AttributeOptions {
    AttributeOptions { method, class, layer: None, window: None, stride: None }
}

fn attribute(session: &mut Session<Cpu>, x: &[f32], options: &AttributeOptions) -> Result<(Attribution, Vec<f32>)> {
    let before = block_on(session.snapshot())?;
    let found = block_on(session.attribute(x, options));
    assert!(before == block_on(session.snapshot())?, "{options:?} leaves the state");
    found
}

fn close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!((a - b).abs() <= tolerance * b.abs().max(1e-6), "{what}: {a} is not {b}");
}

/// The same statistics by plain loops.
fn check(found: &Distribution, values: &[f32], what: &str) {
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    let limit = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    assert_eq!((found.limit, found.nan, found.infinite), (limit, 0, 0), "{what}");
    assert!((found.mean - mean).abs() <= 1e-6 * f64::from(limit), "{what}: mean {} is not {mean}", found.mean);
    close(found.std, variance.sqrt(), 1e-5, what);
    close(found.norm, values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt(), 1e-6, what);
    close(found.zeros, values.iter().filter(|v| **v == 0.0).count() as f64 / n, 1e-9, what);
    let mut bins = vec![0u32; found.bins.len()];
    let width = 2.0 * f64::from(limit) / bins.len() as f64;
    for &value in values {
        let bin = ((f64::from(value) + f64::from(limit)) / width).floor() as usize;
        bins[bin.min(found.bins.len() - 1)] += 1;
    }
    let moved: u32 = bins.iter().zip(&found.bins).map(|(a, b)| a.abs_diff(*b)).sum();
    assert!(moved <= 2, "{what}: {bins:?} and {:?}", found.bins);
}

#[test]
fn health_is_what_plain_loops_find_and_changes_nothing() -> Result<()> {
    let layers = [
        json!({ "type": "Conv2D", "filters": 8, "kernel_size": 3, "activation": "relu" }),
        json!({ "type": "BatchNormalization" }),
        json!({ "type": "Activation", "activation": "tanh" }),
        json!({ "type": "Flatten" }),
        json!({ "type": "Dropout", "rate": 0.25 }),
    ];
    let mut session = classifier(&layers)?;
    train(&mut session, 5)?;
    let mut bias = block_on(session.parameter("conv2d.bias"))?;
    (bias[2], bias[5]) = (-100.0, -100.0);
    session.set_parameter("conv2d.bias", &bias)?;
    let before = block_on(session.snapshot())?;
    let report = block_on(session.health(|| 0.0))?;
    assert!(before == block_on(session.snapshot())?, "the state is the same bits");

    assert_eq!(report.step, 5);
    assert_eq!(report.layers.len(), 6);
    for layer in &report.layers {
        let (shape, values) = block_on(session.read_node(&layer.layer, false))?;
        check(&layer.value, &values, &layer.layer);
        assert_eq!(layer.units, shape[shape.rank() - 1]);
        let (_, gradient) = block_on(session.read_node(&layer.layer, true))?;
        let found = layer.gradient.as_ref().expect("the loss depends on every layer");
        check(found, &gradient, &format!("gradient of {}", layer.layer));
    }
    let dead: Vec<&Option<Vec<usize>>> = report.layers.iter().map(|layer| &layer.dead).collect();
    assert_eq!(dead[0].as_deref(), Some(&[2, 5][..]));
    assert!(dead[1..].iter().all(|dead| dead.is_none()), "only a relu dies: {dead:?}");
    let (_, tanh) = block_on(session.read_node("activation", false))?;
    let flat = tanh.iter().filter(|y| 1.0 - *y * *y < 1.0 / 16.0).count() as f64 / tanh.len() as f64;
    assert!(flat > 0.01, "some outputs of this batch are saturated");
    assert_eq!(report.layers[2].saturated, Some(flat));

    let norm = |values: &[f32]| values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let mut squares = 0.0;
    for parameter in &report.parameters {
        let values = block_on(session.parameter(&parameter.name))?;
        let (_, gradient) = block_on(session.read_node(&parameter.name, true))?;
        close(parameter.norm, norm(&values), 1e-6, &parameter.name);
        close(parameter.gradient_norm, norm(&gradient), 1e-6, &parameter.name);
        squares += parameter.gradient_norm.powi(2);
        assert_eq!(parameter.not_finite, 0);
    }
    close(report.gradient_norm, squares.sqrt(), 1e-9, "all gradients");
    let (_, loss) = block_on(session.read_node("loss", false))?;
    assert_eq!(report.loss, loss[0]);
    Ok(())
}

/// Where the whole data is one batch, the next step is the very one that the report is about.
#[test]
fn the_update_is_the_one_that_the_next_step_makes() -> Result<()> {
    for optimizer in [
        json!({ "type": "SGD", "learning_rate": 0.1, "momentum": 0.9, "nesterov": true }),
        json!({ "type": "RMSprop", "momentum": 0.5 }),
        json!({ "type": "AdamW", "learning_rate": 0.01, "global_clipnorm": 0.1 }),
    ] {
        let model = json!({ "input": [2], "layers": [{ "type": "Dense", "units": 8, "activation": "tanh" }, { "type": "Dense", "units": 1, "activation": "sigmoid" }] });
        let mut session = open(model, json!("binary_crossentropy"), optimizer.clone(), Dataset::generated("moons")?, 1000)?;
        train(&mut session, 3)?;
        let report = block_on(session.health(|| 0.0))?;
        let mut before = Vec::new();
        for parameter in &report.parameters {
            before.push(block_on(session.parameter(&parameter.name))?);
        }
        train(&mut session, 1)?;
        for (parameter, before) in report.parameters.iter().zip(before) {
            let after = block_on(session.parameter(&parameter.name))?;
            let moved = after.iter().zip(&before).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
            let what = format!("{optimizer}: {}", parameter.name);
            assert!(moved > 0.0, "{what} moves");
            close(parameter.update_norm, moved, 1e-3, &what);
            close(parameter.ratio.expect("no parameter is 0 by now"), moved / parameter.norm, 1e-3, &what);
        }
    }
    Ok(())
}

#[test]
fn what_is_not_finite_is_counted() {
    let found = Distribution::of(&[f32::NAN, 1.0, f32::INFINITY, -3.0, f32::NEG_INFINITY, 0.0]);
    assert_eq!((found.nan, found.infinite, found.limit), (1, 2, 3.0));
    assert_eq!(found.bins.iter().sum::<u32>(), 3);
    assert_eq!(found.bins[20], 1, "0 is in the middle");
    let tiny = Distribution::of(&[f32::from_bits(1), 0.0, -f32::from_bits(1)]);
    assert_eq!((tiny.bins[0], tiny.bins[20], tiny.bins[40]), (1, 1, 1), "the smallest floats have places too");
    let zeros = Distribution::of(&[0.0; 4]);
    assert_eq!((zeros.bins[20], zeros.zeros, zeros.std), (4, 1.0, 0.0));
}

#[test]
fn saliency_and_input_gradient_are_central_differences() -> Result<()> {
    let mut session = smooth()?;
    train(&mut session, 10)?;
    let x = session.data().train.x.gather(&[7]);
    for class in 0..3 {
        let (attribution, saliency) = attribute(&mut session, &x, &options(Method::Saliency, class))?;
        let (_, product) = attribute(&mut session, &x, &options(Method::InputGradient, class))?;
        assert_eq!(attribution.shape, [SIDE, SIDE, 2]);
        close(f64::from(attribution.score), f64::from(block_on(session.predict(&x))?[class]), 1e-5, "the logit");
        let steepest = saliency.iter().fold(0.0f32, |most, slope| most.max(*slope));
        for cell in 0..x.len() {
            let mut moved = [x.clone(), x.clone()].concat();
            moved[cell] += 0.02;
            moved[x.len() + cell] -= 0.02;
            let logits = block_on(session.predict(&moved))?;
            let slope = (logits[class] - logits[3 + class]) / 0.04;
            assert!((saliency[cell] - slope.abs()).abs() < 2e-3 * steepest, "cell {cell}: {} is not |{slope}|", saliency[cell]);
            assert!((product[cell] - x[cell] * slope).abs() < 2e-3 * steepest * x[cell].abs().max(1.0), "cell {cell}");
        }
    }
    Ok(())
}

#[test]
fn integrated_gradients_are_complete() -> Result<()> {
    let mut session = smooth()?;
    train(&mut session, 10)?;
    let x = session.data().train.x.gather(&[11]);
    let (found, values) = attribute(&mut session, &x, &options(Method::IntegratedGradients, 1))?;
    let ends = block_on(session.predict(&[vec![0.0; x.len()], x].concat()))?;
    let (baseline, score) = (f64::from(ends[1]), f64::from(ends[4]));
    close(f64::from(found.baseline.expect("a baseline")), baseline, 1e-5, "baseline");
    close(f64::from(found.score), score, 1e-5, "logit");
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    let gap = f64::from(found.gap.expect("a gap"));
    assert!((sum - (score - baseline) - gap).abs() < 1e-5, "the gap is what it says: {gap}");
    assert!(gap.abs() < 2e-3 * (score - baseline).abs(), "gap {gap} of {}", score - baseline);
    Ok(())
}

/// Behind a global mean ∂z/∂A is the dense kernel's row over the cells.
#[test]
fn grad_cam_is_the_weighted_sum_of_maps() -> Result<()> {
    let conv = json!({ "type": "Conv2D", "filters": 5, "kernel_size": 3, "activation": "relu" });
    let mut session = classifier(&[conv, json!({ "type": "GlobalAveragePooling2D" })])?;
    train(&mut session, 10)?;
    let mut fresh = classifier(&[json!({ "type": "Flatten" })])?;
    assert_eq!(
        block_on(fresh.attribute(&[0.0; SIDE * SIDE * 2], &options(Method::GradCam, 0))).expect_err("no maps").code,
        ErrorCode::UnknownName
    );
    let (_, maps) = block_on(session.read_node("conv2d", false))?;
    let kernel = block_on(session.parameter("dense.kernel"))?;
    // read_node is of the batch last stepped; of an example that is in it the maps are the same.
    let cells = (SIDE - 2) * (SIDE - 2);
    let mut agreed = 0;
    for row in 0..EXAMPLES as u32 {
        let x = session.data().train.x.gather(&[row]);
        let (found, cam) = attribute(&mut session, &x, &options(Method::GradCam, 2))?;
        assert_eq!((found.shape.as_slice(), found.layer.as_deref()), (&[SIDE - 2, SIDE - 2][..], Some("conv2d")));
        let by_hand = |maps: &[f32]| -> Vec<f32> {
            let weighted = |cell: &[f32]| cell.iter().enumerate().map(|(c, a)| a * kernel[c * 3 + 2] / cells as f32).sum::<f32>();
            maps.chunks_exact(5).map(|cell| weighted(cell).max(0.0)).collect()
        };
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        agreed += usize::from(maps.chunks_exact(cells * 5).any(|maps| same(&by_hand(maps), &cam) && cam.iter().any(|&v| v > 0.0)));
    }
    assert!(agreed >= 12, "{agreed} of the 16 examples of the batch");
    Ok(())
}

#[test]
fn occlusion_is_how_far_the_prediction_falls() -> Result<()> {
    let model =
        json!({ "input": [SIDE, SIDE, 2], "layers": [{ "type": "Flatten" }, { "type": "Dense", "units": 3, "activation": "softmax" }] });
    let mut session = open(model, json!("sparse_categorical_crossentropy"), json!("adam"), images()?, 16)?;
    let x = session.data().train.x.gather(&[2]);
    let wanted = AttributeOptions { window: Some(3), stride: Some(2), ..options(Method::Occlusion, 1) };
    let (found, falls) = attribute(&mut session, &x, &wanted)?;
    assert_eq!(found.shape, [SIDE, SIDE]);
    let whole = block_on(session.predict(&x))?[1];
    close(f64::from(found.score), f64::from(whole), 1e-6, "the probability");
    let (mut sums, mut counts) = ([0.0f32; SIDE * SIDE], [0.0f32; SIDE * SIDE]);
    for (top, left) in [0, 2, 4].into_iter().flat_map(|top| [0, 2, 4].map(|left| (top, left))) {
        let inside = |cell: usize| (top..top + 3).contains(&(cell / SIDE)) && (left..left + 3).contains(&(cell % SIDE));
        let hidden: Vec<f32> = x.iter().enumerate().map(|(k, v)| if inside(k / 2) { 0.0 } else { *v }).collect();
        let fall = whole - block_on(session.predict(&hidden))?[1];
        for cell in (0..SIDE * SIDE).filter(|&cell| inside(cell)) {
            (sums[cell], counts[cell]) = (sums[cell] + fall, counts[cell] + 1.0);
        }
    }
    for cell in 0..SIDE * SIDE {
        assert!(
            (falls[cell] - sums[cell] / counts[cell]).abs() < 1e-5,
            "cell {cell}: {} is not {}",
            falls[cell],
            sums[cell] / counts[cell]
        );
    }
    for (window, stride) in [(0, 1), (7, 1), (3, 4), (3, 0)] {
        let wrong = AttributeOptions { window: Some(window), stride: Some(stride), ..options(Method::Occlusion, 1) };
        assert_eq!(attribute(&mut session, &x, &wrong).expect_err("a gap or no window").code, ErrorCode::BadValue);
    }
    Ok(())
}

#[test]
fn of_one_probability_the_two_classes_are_opposites() -> Result<()> {
    let model = json!({ "input": [2], "layers": [{ "type": "Dense", "units": 6, "activation": "tanh" }, { "type": "Dense", "units": 1, "activation": "sigmoid" }] });
    let mut session = open(model, json!("binary_crossentropy"), json!("adam"), Dataset::generated("moons")?, 32)?;
    let x = [0.3, -0.8];
    let mut of = |method, class| attribute(&mut session, &x, &options(method, class));
    let (yes, no) = (of(Method::InputGradient, 1)?, of(Method::InputGradient, 0)?);
    assert_eq!(yes.1, no.1.iter().map(|v| -v).collect::<Vec<_>>());
    let occlusion = |class| AttributeOptions { window: Some(1), ..options(Method::Occlusion, class) };
    let (yes, no) = (attribute(&mut session, &x, &occlusion(1))?, attribute(&mut session, &x, &occlusion(0))?);
    assert!((yes.0.score + no.0.score - 1.0).abs() < 1e-6);
    assert!(yes.1.iter().zip(&no.1).all(|(a, b)| (a + b).abs() < 1e-6 && *a != 0.0), "{yes:?} {no:?}");
    assert_eq!(attribute(&mut session, &x, &options(Method::Saliency, 2)).expect_err("two classes").code, ErrorCode::BadValue);
    assert_eq!(attribute(&mut session, &[1.0], &options(Method::Saliency, 0)).expect_err("two inputs").code, ErrorCode::WrongLength);
    Ok(())
}

#[test]
fn the_landscape_leaves_the_bits_and_its_centre_is_the_loss() -> Result<()> {
    let mut session = smooth()?;
    train(&mut session, 10)?;
    let before = block_on(session.snapshot())?;
    let loss = block_on(session.evaluate(Split::Train))?.loss;
    let line: Vec<[f32; 2]> = (-2..=2).map(|k| [0.5 * k as f32, 0.0]).collect();
    let losses = block_on(session.landscape(Split::Train, 4, &line))?;
    assert!(before == block_on(session.snapshot())?, "the state is the same bits");
    assert_eq!(losses[2], loss, "the centre");
    assert!(losses.iter().filter(|&&there| there != loss).count() == 4, "{losses:?}");
    assert_eq!(losses, block_on(session.landscape(Split::Train, 4, &line))?, "the seed decides");
    assert_ne!(losses, block_on(session.landscape(Split::Train, 5, &line))?);
    let plane = block_on(session.landscape(Split::Train, 4, &[[0.5, 0.0], [0.0, 0.5], [0.5, 0.5]]))?;
    assert_eq!(plane[0], losses[3], "the line lies in the plane");
    assert!(plane[1] != plane[0] && plane[2] != plane[0]);
    let error = block_on(session.landscape(Split::Test, 4, &line)).expect_err("no test part");
    assert_eq!(error.code, ErrorCode::EmptySplit);
    Ok(())
}

#[test]
fn a_direction_has_the_norm_of_each_filter() -> Result<()> {
    // With a linear model and half the sum of squares the loss along a line is a parabola whose curvature is the direction's squared length
    // where the inputs are orthonormal.
    let data = Dataset::from_arrays(vec![1.0, 0.0, 0.0, 1.0], &[2, 2], vec![0.0; 6])?;
    let model = json!({ "input": [2], "layers": [{ "type": "Dense", "units": 3 }] });
    let loss = json!({ "type": "half_sum_of_squares", "reduction": "sum" });
    let mut session = open(model, loss, json!("SGD"), data, 2)?;
    session.set_parameter("dense.kernel", &[3.0, 0.0, 1.0, 4.0, 0.0, 2.0])?;
    let losses = block_on(session.landscape(Split::Train, 9, &[[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))?;
    let curvature = f64::from(losses[0] - 2.0 * losses[1] + losses[2]);
    close(curvature, 25.0 + 0.0 + 5.0, 1e-5, "sum of the filters' squared norms");
    Ok(())
}

#[test]
fn a_cell_lists_the_examples_that_the_confusion_counts() -> Result<()> {
    let mut session = smooth()?;
    assert_eq!(session.cell(Split::Train, 0, 1, 0, 9).expect_err("not evaluated").code, ErrorCode::WrongState);
    train(&mut session, 3)?;
    let evaluation = block_on(session.evaluate(Split::Train))?;
    let confusion = evaluation.confusion.expect("classes");
    let mut seen = vec![false; EXAMPLES];
    for (truth, row) in confusion.iter().enumerate() {
        for (prediction, &count) in row.iter().enumerate() {
            let cell = session.cell(Split::Train, truth, prediction, 0, EXAMPLES)?;
            assert_eq!((cell.total, cell.examples.len()), (count as usize, count as usize));
            for example in &cell.examples {
                assert!(!std::mem::replace(&mut seen[example.index], true), "each example once");
                let x = session.data().train.x.gather(&[example.index as u32]);
                let logits = block_on(session.predict(&x))?;
                assert!(logits.iter().all(|&logit| logit <= logits[prediction]));
            }
            let rest = session.cell(Split::Train, truth, prediction, 1, 2)?;
            assert_eq!(rest.examples, cell.examples.iter().skip(1).take(2).cloned().collect::<Vec<_>>());
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
    Ok(())
}
