//! Whole training runs on real MNIST, natively: long, so they are asked for by `cargo xtask test --long`.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use gradscope::backend::webgpu::Gpu;
use gradscope::data::{Dataset, Manifest, Split};
use gradscope::nn;
use gradscope::train::{RunOptions, Session, Settings};

fn mnist() -> Dataset {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    let text = fs::read_to_string(folder.join("dataset.json")).expect("MNIST is not installed: cargo xtask data mnist");
    let manifest = Manifest::parse(&text).expect("a manifest");
    let files: Vec<_> = manifest.files().iter().map(|file| fs::read(folder.join(file)).expect("a file of MNIST")).collect();
    Dataset::from_files(&manifest, &files, 1).expect("MNIST")
}

#[test]
#[ignore = "minutes on a software adapter"]
fn mnist_cnn_learns_on_the_gpu_from_30_000_images() {
    let preset = nn::preset("mnist-cnn").expect("the preset");
    let settings = Settings {
        model: preset.model,
        loss: preset.loss,
        optimizer: preset.optimizer,
        batch_size: preset.batch_size,
        seed: 1,
        validation_split: 0.0,
    };
    let clock = Instant::now();
    let (result, test) = pollster::block_on(async {
        let gpu = Gpu::open().await?;
        let mut session = Session::new(gpu, settings, Rc::new(mnist())).await?;
        let options = RunOptions { steps: Some(469), shuffle: true, ..RunOptions::default() };
        let (result, _) = session.run(options, || clock.elapsed().as_secs_f64() * 1e3).await?;
        Ok::<_, gradscope::error::Error>((result, session.evaluate(Split::Test).await?))
    })
    .expect("training");
    let accuracy = test.accuracy.unwrap_or_default();
    println!("test accuracy {accuracy:.4} after 30,016 images, {:.0} ms a step", result.ms_per_step);
    assert!(accuracy >= 0.97, "accuracy {accuracy}");
}
