//! Makes `www/assets/welcome.safetensors`: the small trained network of the opening page, with one test digit.
//!
//! `cargo run --release --example welcome`, with MNIST installed (`cargo xtask data mnist`).

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use gradscope::backend::cpu::Cpu;
use gradscope::data::{Dataset, Manifest, Split};
use gradscope::nn::{LossSpec, ModelSpec};
use gradscope::optim::OptimizerSpec;
use gradscope::train::{RunOptions, Session, Settings};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;

const MODEL: &str = r#"{"input":[28,28,1],"layers":[
    {"type":"Conv2D","filters":8,"kernel_size":3,"activation":"relu"},
    {"type":"MaxPooling2D","pool_size":2},
    {"type":"Conv2D","filters":12,"kernel_size":3,"activation":"relu"},
    {"type":"MaxPooling2D","pool_size":2},
    {"type":"Flatten"},
    {"type":"Dense","units":10,"activation":"softmax"}]}"#;

/// The digit of the opening page: a clear 5 of the test part.
const DIGIT: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("data/mnist");
    let manifest = Manifest::parse(&fs::read_to_string(folder.join("dataset.json"))?)?;
    let files = manifest.files().iter().map(|file| fs::read(folder.join(file)));
    let data = Rc::new(Dataset::from_files(&manifest, files.collect::<Result<Vec<_>, _>>()?, 1)?);
    let settings = Settings {
        model: ModelSpec::parse(MODEL)?,
        loss: LossSpec::from_json(&json!("sparse_categorical_crossentropy"))?,
        optimizer: OptimizerSpec::from_json(
            &json!({"type": "Adam", "learning_rate": {"type": "CosineDecay", "initial_learning_rate": 0.003, "decay_steps": 3 * 938}}),
        )?,
        batch_size: 64,
        seed: 1,
        validation_split: 0.0,
        train_examples: None,
    };
    let clock = Instant::now();
    let bytes = pollster::block_on(async {
        let mut session = Session::new(Cpu::new(), settings, Rc::clone(&data)).await?;
        let options = RunOptions { epochs: Some(3), shuffle: true, evaluate: true, ..RunOptions::default() };
        let (result, epochs) = session.run(options, || clock.elapsed().as_secs_f64() * 1e3).await?;
        for end in epochs {
            println!("epoch {}: test accuracy {:.4}", end.epoch, end.test.and_then(|test| test.accuracy).unwrap_or_default());
        }
        println!("{:.1} ms a step", result.ms_per_step);
        let mut tensors = Vec::new();
        for variable in session.parameters() {
            tensors.push((variable.name.clone(), variable.shape.to_vec(), session.parameter(&variable.name).await?));
        }
        let digit = data.test.x.gather(&[DIGIT as u32]);
        let scores = session.predict(&digit).await?;
        println!("the digit's scores: {scores:.3?}");
        tensors.push(("digit".into(), vec![28, 28, 1], digit));
        let spec = serde_json::to_string(&session.settings().model).unwrap_or_default();
        let metadata = HashMap::from([("model".to_owned(), spec), ("label".to_owned(), data.test.y.cell(DIGIT).to_string())]);
        let views = tensors.iter().map(|(name, shape, values)| {
            TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map(|view| (name.clone(), view))
        });
        let views = views.collect::<Result<Vec<_>, _>>()?;
        debug_assert_eq!(session.count(Split::Test), 10_000);
        Ok::<_, Box<dyn std::error::Error>>(safetensors::serialize(views, Some(metadata))?)
    })?;
    let path = root.join("www/assets/welcome.safetensors");
    fs::create_dir_all(root.join("www/assets"))?;
    fs::write(&path, &bytes)?;
    println!("{} bytes", bytes.len());
    Ok(())
}
