//! Twenty training steps against PyTorch's, from PyTorch's initial weights: on MNIST (`tests/golden/trajectories.py`), of two small transformers, an encoder
//! with its decoder and an LSTM on tokens (`tests/golden/transformer.py`, `modern.py`, `seq2seq.py`, `recurrent.py`), of an autoencoder of waves
//! (`tests/golden/convolutional.py`), and of two networks against each other (`tests/golden/adversarial.py`).

use std::collections::HashMap;
use std::rc::Rc;

use gradscope::backend::Backend;
use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::data::{Dataset, Manifest};
use gradscope::error::Result;
use gradscope::nn::{LossSpec, ModelSpec, OptimizerSpec, preset};
use gradscope::train::{RunOptions, Session, Settings};
use safetensors::SafeTensors;
use serde_json::Value;

/// Measured: 4e-7. Adam's epsilon in PyTorch's place instead of Keras's makes 2e-4.
const CPU: f64 = 1e-5;
/// Measured on Mesa's lavapipe: 1e-7; exponentials and logarithms of a real GPU may be coarser.
const GPU: f64 = 1e-3;

/// A golden file.
struct Golden {
    metadata: HashMap<String, String>,
    tensors: HashMap<String, Vec<f32>>,
}

impl Golden {
    fn read(model: &str) -> Self {
        let path = format!("{}/tests/golden/{model}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}; see tests/golden/README.md"));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let cells = |view: &[u8]| view.chunks_exact(4).map(|cell| f32::from_le_bytes([cell[0], cell[1], cell[2], cell[3]])).collect();
        Self {
            metadata: header.metadata().clone().expect("golden files carry metadata"),
            tensors: tensors.iter().map(|(name, view)| (name.to_owned(), cells(view.data()))).collect(),
        }
    }

    /// The examples that it brings, and their labels.
    fn examples(&self) -> Option<Rc<Dataset>> {
        let (x, y) = (self.tensors.get("x")?, self.tensors.get("y")?);
        let model = ModelSpec::from_json(&self.json("model")).expect("a model");
        let count = x.len() / model.input.iter().product::<usize>();
        Some(Rc::new(Dataset::from_arrays(x.clone(), &[&[count], &model.input[..]].concat(), y.clone()).expect("as many labels")))
    }

    fn json(&self, key: &str) -> Value {
        serde_json::from_str(&self.metadata[key]).expect("metadata is JSON")
    }
}

fn mnist() -> Rc<Dataset> {
    let folder = format!("{}/data/mnist", env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| {
        let path = format!("{folder}/{name}");
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}; MNIST is not installed: run `cargo xtask data mnist`"))
    };
    let text = String::from_utf8(read("dataset.json")).expect("a manifest is text");
    let manifest = Manifest::parse(&text).expect("a manifest");
    let files: Vec<_> = manifest.files().iter().map(|file| read(file)).collect();
    Rc::new(Dataset::from_files(&manifest, files, 1).expect("MNIST as the set-up writes it"))
}

/// Norm of each parameter.
async fn norms<B: Backend>(session: &Session<B>) -> Result<Vec<f64>> {
    let names: Vec<String> = session.parameters().map(|variable| variable.name.clone()).collect();
    let mut norms = Vec::new();
    for name in names {
        let squares = session.parameter(&name).await?.into_iter().map(|x| f64::from(x).powi(2));
        norms.push(squares.sum::<f64>().sqrt());
    }
    Ok(norms)
}

/// Trains as PyTorch did, with each of the file's optimizers: every loss and every final norm within `tolerance`, relative.
fn follow<B: Backend>(model: &str, backend: impl Fn() -> B, tolerance: f64) -> Result<()> {
    let golden = Golden::read(model);
    let data = golden.examples().unwrap_or_else(mnist);
    let loss = if golden.metadata.contains_key("loss") { golden.json("loss") } else { Value::from("sparse_categorical_crossentropy") };
    let optimizers = golden.json("optimizers");
    for (run, optimizer) in optimizers.as_object().expect("optimizers by run") {
        let settings = Settings {
            model: ModelSpec::from_json(&golden.json("model"))?,
            loss: LossSpec::from_json(&loss)?,
            optimizer: OptimizerSpec::from_json(optimizer)?,
            batch_size: golden.metadata["batch_size"].parse().expect("a batch size"),
            seed: 1,
            validation_split: 0.0,
            train_examples: None,
        };
        let wanted = &golden.tensors[&format!("{run}/losses")];
        let (losses, norms) = pollster::block_on(async {
            let mut session = Session::new(backend(), settings, Rc::clone(&data)).await?;
            let names: Vec<String> = session.parameters().map(|variable| variable.name.clone()).collect();
            for name in &names {
                session.set_parameter(name, golden.tensors.get(name).unwrap_or_else(|| panic!("no golden {name}")))?;
            }
            let options = RunOptions { steps: Some(wanted.len()), shuffle: false, ..RunOptions::default() };
            let (result, _) = session.run(options, || 0.0).await?;
            Ok::<_, gradscope::error::Error>((result.losses, norms(&session).await?))
        })?;
        assert_eq!((losses.len(), norms.len()), (wanted.len(), golden.tensors[&format!("{run}/norms")].len()), "{model}, {run}");
        let apart = |got: f64, want: f32| (got / f64::from(want) - 1.0).abs();
        let mut worst = (0.0_f64, 0.0_f64);
        for (step, (&loss, &want)) in losses.iter().zip(wanted).enumerate() {
            let apart = apart(f64::from(loss), want);
            assert!(apart <= tolerance, "{model}, {run}, step {step}: loss {loss}, PyTorch's {want}: apart by {apart:.1e}");
            worst.0 = worst.0.max(apart);
        }
        for (index, (&norm, &want)) in norms.iter().zip(&golden.tensors[&format!("{run}/norms")]).enumerate() {
            let apart = apart(norm, want);
            assert!(apart <= tolerance, "{model}, {run}, parameter {index}: norm {norm}, PyTorch's {want}: apart by {apart:.1e}");
            worst.1 = worst.1.max(apart);
        }
        println!("{model}, {run}: losses apart by {:.1e}, norms by {:.1e}", worst.0, worst.1);
    }
    Ok(())
}

fn gpu() -> Gpu {
    pollster::block_on(Gpu::open()).expect("this test needs a GPU or a software adapter (Mesa's lavapipe)")
}

#[test]
fn the_cnn_of_the_trajectory_is_the_preset() -> Result<()> {
    let golden = Golden::read("mnist-cnn");
    let preset = preset("mnist-cnn").expect("a preset");
    assert_eq!(preset.model, ModelSpec::from_json(&golden.json("model"))?);
    assert_eq!(preset.optimizer, OptimizerSpec::from_json(&golden.json("optimizers")["adam"])?);
    assert_eq!(preset.batch_size.to_string(), golden.metadata["batch_size"]);
    Ok(())
}

#[test]
fn mlp_trains_on_the_cpu_as_in_pytorch() -> Result<()> {
    follow("mlp", Cpu::new, CPU)
}

#[test]
fn mnist_cnn_trains_on_the_cpu_as_in_pytorch() -> Result<()> {
    follow("mnist-cnn", Cpu::new, CPU)
}

#[test]
fn a_transformer_trains_on_the_cpu_as_in_pytorch() -> Result<()> {
    // The biases of keys have a gradient of 0 but for rounding, and of that AdamW makes steps: their norms are apart by 2e-5.
    follow("gpt", Cpu::new, 10.0 * CPU)
}

#[test]
fn a_transformer_trains_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("gpt", gpu, GPU)
}

#[test]
fn a_modern_transformer_trains_on_the_cpu_as_in_pytorch() -> Result<()> {
    follow("modern", Cpu::new, CPU)
}

#[test]
fn a_modern_transformer_trains_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("modern", gpu, GPU)
}

#[test]
fn an_encoder_and_a_decoder_train_on_the_cpu_as_in_pytorch() -> Result<()> {
    // The biases of keys have a gradient of 0 but for rounding, and of that AdamW makes steps: their norms are apart by 2e-5, the losses by 2e-7.
    follow("seq2seq", Cpu::new, 10.0 * CPU)
}

#[test]
fn an_encoder_and_a_decoder_train_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("seq2seq", gpu, GPU)
}

#[test]
fn an_lstm_trains_on_the_cpu_as_in_pytorch() -> Result<()> {
    follow("lstm", Cpu::new, CPU)
}

#[test]
fn an_lstm_trains_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("lstm", gpu, GPU)
}

#[test]
fn an_autoencoder_trains_on_the_cpu_as_in_pytorch() -> Result<()> {
    follow("convolutional", Cpu::new, CPU)
}

#[test]
fn an_autoencoder_trains_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("convolutional", gpu, GPU)
}

#[test]
fn two_networks_play_on_the_cpu_as_in_pytorch() -> Result<()> {
    follow("adversarial", Cpu::new, CPU)
}

#[test]
fn two_networks_play_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("adversarial", gpu, GPU)
}

#[test]
fn mlp_trains_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("mlp", gpu, GPU)
}

#[test]
#[ignore = "long: a minute on a software adapter"]
fn mnist_cnn_trains_on_the_gpu_as_in_pytorch() -> Result<()> {
    follow("mnist-cnn", gpu, GPU)
}
