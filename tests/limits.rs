//! A device that allows no more than WebGPU promises of every adapter: 8 buffers a kernel, 128 MiB each, 16 KiB of workgroup memory.

use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::{Allowed, Gpu};
use gradscope::backend::{Backend, Column, Device, Feed, StepData};
use gradscope::data::{self, Dataset, Part, Split};
use gradscope::error::ErrorCode;
use gradscope::graph::Group;
use gradscope::nn::{self, Built, LossSpec, ModelSpec, Preset, presets};
use gradscope::ops::Graph;
use gradscope::ops::kernel::Threads;
use gradscope::plan::{Mode, Operand, Plan};
use gradscope::tensor::{Cells, Meta, Rng};
use gradscope::train::{Session, Settings};
use pollster::block_on;
use serde_json::json;

fn least() -> Gpu {
    block_on(Gpu::open_within(Allowed::Least)).expect("these tests need a GPU or a software adapter (Mesa's lavapipe)")
}

/// The graph of a preset's training step.
fn training_step(preset: &Preset, batch_size: usize) -> Built {
    let Preset { model, loss, optimizer, validation_split, train_examples, .. } = preset.clone();
    let settings = Settings { model, loss, optimizer, batch_size, seed: 1, validation_split, train_examples };
    let mut built = nn::build(&settings.model, batch_size, nn::Mode::Train, Some(&settings.loss)).expect("a graph");
    settings.complete(&mut built, &[]).expect("gradients and an update");
    built
}

/// Makes what a session makes of a training step: flat buffers, slots, every kernel.
fn compile(gpu: &mut Gpu, built: &Built) -> gradscope::error::Result<(Rc<Plan>, <Gpu as Backend>::Exec)> {
    let groups = [Group::Parameters, Group::Gradients, Group::Slot(0), Group::Slot(1), Group::Statistics, Group::Frozen];
    gpu.allocate(&groups.map(|group| (group, built.graph.flat_len(group))))?;
    let loss = built.loss.expect("a loss");
    let plan = Rc::new(Plan::new(&built.graph, Mode::Train, &[loss])?);
    let exec = block_on(gpu.compile(Rc::clone(&plan), &[loss]))?;
    Ok((plan, exec))
}

/// As threads of a GPU work, which share what such a device has little of. A step of two examples, all zero, is taken.
#[test]
fn every_preset_runs_with_the_least() {
    for preset in presets() {
        let name = &preset.name;
        let mut gpu = least();
        gpu.set_tuning(Threads::Together.into());
        compile(&mut gpu, &training_step(&preset, preset.batch_size)).unwrap_or_else(|error| panic!("{name} with its own batch: {error}"));

        let built = training_step(&preset, 2);
        let (plan, mut exec) = compile(&mut gpu, &built).unwrap_or_else(|error| panic!("{name}: {error}"));
        for column in 0..2 {
            if let Some(buffer) = plan.input(column) {
                gpu.write_input(&mut exec, column, &vec![0.0; plan.buffers[buffer].len]).expect("an input");
            }
        }
        let step = StepData { scalars: vec![0.001; built.graph.scalars().len()], ..StepData::default() };
        gpu.run(&mut exec, &step, 0..plan.steps.len()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Some(Operand::Memory(place)) = plan.place(built.loss.expect("a loss")) else { panic!("{name}: the loss is nowhere") };
        let loss = block_on(gpu.read_place(&exec, place)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(loss[0].is_finite(), "{name}: the loss is {loss:?}");
    }
}

/// What no buffer can hold is refused with the layer, with what it takes and with what would fit; less fits.
#[test]
fn a_value_that_is_too_large_is_named_with_what_would_fit() {
    const MOST: usize = 128 << 20;
    let preset = nn::preset("mnist-cnn").expect("a preset");
    let mut gpu = least();
    let error = compile(&mut gpu, &training_step(&preset, 4096)).map(drop).expect_err("a batch of 4,096");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BufferTooLarge, Some("conv2d/relu")));
    let argument = |key: &str| error.args.get(key).map(|text| text.parse::<usize>().expect("a number"));
    let (bytes, most) = (argument("bytes").expect("bytes"), argument("most_bytes").expect("most"));
    assert_eq!((bytes, most), (4096 * 26 * 26 * 32 * 4, MOST));
    compile(&mut gpu, &training_step(&preset, 4096 * most / bytes)).expect("as many as would fit");
}

/// A batch of two images fits into such a device's buffers, but not the 256 that are evaluated at once elsewhere.
#[test]
fn an_evaluation_takes_as_many_examples_as_fit() {
    const SIDE: usize = 64;
    const COUNT: usize = 160;
    let model = json!({
        "input": [SIDE, SIDE, 1],
        "layers": [{ "type": "Conv2D", "filters": 64, "kernel_size": 1 }, { "type": "GlobalAveragePooling2D" }, { "type": "Dense", "units": 2 }],
    });
    let mut rng = Rng::new(1, 0);
    let pixels = |count: usize, rng: &mut Rng| (0..count * SIDE * SIDE).map(|_| rng.uniform()).collect::<Vec<f32>>();
    let classes = |count: usize| (0..count).map(|k| (k % 2) as f32).collect::<Vec<f32>>();
    let mut part = |count: usize| Part {
        count,
        x: data::Column::floats(&[SIDE, SIDE, 1], pixels(count, &mut rng)),
        y: data::Column::floats(&[], classes(count)),
        step: 1,
    };
    let mut given = Dataset { train: part(4), test: part(COUNT), ..Dataset::generated("moons").expect("a set") };
    given.info.shape = vec![SIDE, SIDE, 1];
    let evaluate = |device: Device| {
        let optimizer = nn::preset("mnist-cnn").expect("a preset").optimizer;
        let loss = LossSpec::from_json(&json!({ "type": "sparse_categorical_crossentropy", "from_logits": true })).expect("a loss");
        let settings = Settings {
            model: ModelSpec::from_json(&model).expect("a model"),
            loss,
            optimizer,
            batch_size: 2,
            seed: 1,
            validation_split: 0.0,
            train_examples: None,
        };
        block_on(async { Session::new(device, settings, Rc::new(given.clone())).await?.evaluate(Split::Test).await })
            .expect("an evaluation")
    };
    let (on_cpu, on_gpu) = (evaluate(Device::Cpu(Cpu::new())), evaluate(Device::Gpu(least())));
    // Each fits by itself: 1 MiB an example.
    const { assert!(COUNT * SIDE * SIDE * 64 * 4 > 128 << 20) };
    assert!((on_cpu.loss - on_gpu.loss).abs() < 1e-5 * on_cpu.loss, "{} and {}", on_cpu.loss, on_gpu.loss);
    assert_eq!(on_cpu.accuracy, on_gpu.accuracy);
}

/// The training part of CIFAR-10 is larger than such a device's buffers; where larger ones are allowed a page would hold it twice.
#[test]
fn data_that_no_buffer_holds_are_sent_batch_by_batch() {
    const WIDTH: usize = 3072;
    const ROWS: u32 = 44_000;
    let byte = |row: u32, k: usize| (row as usize * 7 + k) as u8;
    let data: Rc<Vec<u8>> = Rc::new((0..ROWS).flat_map(|row| (0..WIDTH).map(move |k| byte(row, k))).collect());
    assert!(data.len() > 128 << 20);
    for mut gpu in [least(), block_on(Gpu::open()).expect("a device without limits")] {
        let cells = Cells::Bytes { data: Rc::clone(&data), scale: 0.5 };
        gpu.set_data(0, &[Column { width: WIDTH, stride: WIDTH, cells }]).expect("data");
        assert!(gpu.gpu_bytes() < 1 << 20, "the data are on the device");

        let mut graph = Graph::default();
        let x = graph.input(0, Meta::f32([2, WIDTH]));
        let negative = graph.neg(x).expect("an operation");
        let plan = Rc::new(Plan::new(&graph, Mode::Train, &[negative]).expect("a plan"));
        let mut exec = block_on(gpu.compile(Rc::clone(&plan), &[])).expect("kernels");
        let Some(Operand::Memory(place)) = plan.place(negative) else { panic!("the result is nowhere") };
        for rows in [[0, ROWS - 1], [ROWS - 2, 5]] {
            let step = StepData { feed: Feed::Rows { part: 0, rows: rows.to_vec() }, ..StepData::default() };
            gpu.run(&mut exec, &step, 0..plan.steps.len()).expect("a run");
            let want: Vec<f32> = rows.iter().flat_map(|&row| (0..WIDTH).map(move |k| -0.5 * f32::from(byte(row, k)))).collect();
            assert_eq!(block_on(gpu.read_place(&exec, place)).expect("values"), want);
        }
        let step = StepData { feed: Feed::Rows { part: 0, rows: vec![0, ROWS] }, ..StepData::default() };
        gpu.run(&mut exec, &step, 0..plan.steps.len()).expect_err("a row outside the data");
    }
}
