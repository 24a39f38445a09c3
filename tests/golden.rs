//! Every op's value and gradients against PyTorch's, which `tests/golden/make.py` wrote to `tests/golden/ops.safetensors`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, StepData};
use gradscope::error::Result;
use gradscope::graph::{Leaf, NodeId, Operation};
use gradscope::ops::eval::{evaluate, loss_weight};
use gradscope::ops::{CpuCx, Graph, Op, Real, Sample};
use gradscope::plan::{Mode, Operand, Plan};
use safetensors::SafeTensors;

#[path = "golden/samples.rs"]
mod samples;

use samples::{SEED, STEP, differentiated, fingerprint};

const REMAKE: &str = "run tests/golden/make.py (see tests/golden/README.md)";

/// PyTorch's numbers.
struct Golden {
    /// Sample name to fingerprint.
    fingerprints: BTreeMap<String, String>,
    /// `SAMPLE/out`, `SAMPLE/grad0`, ...: all elements of a short tensor, every [`stride`]-th of a long one.
    tensors: BTreeMap<String, Vec<f32>>,
    /// Of long tensors: the sum of all elements, each times its [`loss_weight`].
    sums: BTreeMap<String, f64>,
}

impl Golden {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ops.safetensors");
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}; {REMAKE}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let metadata = header.metadata().as_ref().expect("golden files carry metadata");
        let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let cells = |view: &[u8]| view.chunks_exact(4).map(|cell| f32::from_le_bytes([cell[0], cell[1], cell[2], cell[3]])).collect();
        Self {
            fingerprints: serde_json::from_str(&metadata["fingerprints"]).expect("fingerprints by sample"),
            tensors: tensors.iter().map(|(name, view)| (name.to_owned(), cells(view.data()))).collect(),
            sums: serde_json::from_str(&metadata["sums"]).expect("sums by tensor"),
        }
    }
}

/// Of a tensor of `count` elements, which are stored: all up to 1024, else every n-th for an odd n, so that they fall on every SIMD lane.
fn stride(count: usize) -> usize {
    if count <= 1024 { 1 } else { count.div_ceil(512) | 1 }
}

/// The largest difference from the golden tensor, relative to the largest magnitude in it.
fn difference(golden: &Golden, name: &str, values: &[f64]) -> f64 {
    // Below this, a value is what cancellation left of numbers around 1, and its own magnitude says nothing about the rounding.
    const FLOOR: f64 = 1e-2;
    let want = golden.tensors.get(name).unwrap_or_else(|| panic!("no golden {name}: {REMAKE}"));
    let got: Vec<f64> = values.iter().copied().step_by(stride(values.len())).collect();
    assert_eq!(got.len(), want.len(), "{name}: number of elements stored");
    let magnitude = want.iter().fold(FLOOR, |most, &x| most.max(f64::from(x.abs())));
    let elements = got.iter().zip(want).map(|(&got, &want)| apart(got, f64::from(want), magnitude));
    let sum = golden.sums.get(name).map(|&want| {
        let terms = || values.iter().enumerate().map(|(i, x)| x * loss_weight(i));
        apart(terms().sum(), want, terms().map(f64::abs).sum::<f64>().max(FLOOR))
    });
    elements.chain(sum).fold(0.0, f64::max)
}

/// Infinite where one is not a number.
fn apart(got: f64, want: f64, magnitude: f64) -> f64 {
    let relative = (got - want).abs() / magnitude;
    match got == want {
        true => 0.0,
        false if relative.is_nan() => f64::INFINITY,
        false => relative,
    }
}

fn oracle<T: Real>(sample: &Sample, graph: &Graph, wanted: &[NodeId]) -> Vec<Vec<f64>> {
    let mut cx = CpuCx { seed: SEED, step: STEP, ..CpuCx::default() };
    let values = evaluate::<T>(graph, &mut cx, |id, leaf| match leaf {
        Leaf::Input(usize::MAX) => (0..graph.shape(id).numel()).map(|i| T::of(loss_weight(i))).collect(),
        Leaf::Input(k) => sample.inputs[*k].0.data.iter().map(|&x| T::of(f64::from(x))).collect(),
        other => panic!("a sample's graph has no {other:?}"),
    });
    wanted.iter().map(|id| values[id.index()].iter().map(|x| x.double()).collect()).collect()
}

/// Runs a sample by plans of both modes.
fn on_backend<B: Backend>(backend: &mut B, sample: &Sample, graph: &Graph, wanted: &[NodeId]) -> Result<[Vec<Vec<f64>>; 2]> {
    let weights: Vec<f32> = (0..graph.shape(wanted[0]).numel()).map(|i| loss_weight(i) as f32).collect();
    let data = StepData { seed: SEED, step: STEP, ..StepData::default() };
    let mut run = |mode| {
        let plan = Rc::new(Plan::new(graph, mode, wanted)?);
        pollster::block_on(async {
            let mut exec = backend.compile(Rc::clone(&plan), &[]).await?;
            for (k, (tensor, _)) in sample.inputs.iter().enumerate() {
                backend.write_input(&mut exec, k, &tensor.data)?;
            }
            backend.write_input(&mut exec, usize::MAX, &weights)?;
            backend.run(&mut exec, &data, 0..plan.steps.len())?;
            let mut values = Vec::new();
            for &node in wanted {
                values.push(match plan.place(node) {
                    Some(Operand::Memory(place)) => backend.read_place(&exec, place).await?.into_iter().map(f64::from).collect(),
                    Some(Operand::Constant(number)) => vec![f64::from(number); graph.shape(node).numel()],
                    other => panic!("{}: a wanted value is {other:?}", sample.name),
                });
            }
            Ok(values)
        })
    };
    Ok([run(Mode::Train)?, run(Mode::Inspect)?])
}

/// How far single precision may be from the exact result, relative to the tensor's largest magnitude.
fn single(sample: &Sample) -> f64 {
    match sample.op.name() {
        // The gradient with respect to dy is a sum of 300 terms of both signs that leaves a hundredth of their magnitudes.
        "softmax_cross_entropy_grad" => 3e-5,
        _ => 1e-5,
    }
}

/// Runs every sample by `run` (which gives the values of the wanted nodes, once for every way of running it), and holds them to `tolerance`.
fn hold<const WAYS: usize>(tolerance: impl Fn(&Sample) -> f64, mut run: impl FnMut(&Sample, &Graph, &[NodeId]) -> [Vec<Vec<f64>>; WAYS]) {
    let golden = Golden::read();
    let mut failures = Vec::new();
    let mut worst: BTreeMap<&'static str, f64> = BTreeMap::new();
    for sample in Op::samples() {
        let (graph, out, gradients) = differentiated(&sample);
        let mut names = vec![format!("{}/out", sample.name)];
        let mut wanted = vec![out];
        for (k, gradient) in gradients.iter().enumerate() {
            if let Some(gradient) = gradient {
                names.push(format!("{}/grad{k}", sample.name));
                wanted.push(*gradient);
            }
        }
        for (name, values) in run(&sample, &graph, &wanted).iter().flat_map(|way| names.iter().zip(way)) {
            let apart = difference(&golden, name, values);
            let family = worst.entry(sample.op.name()).or_default();
            *family = family.max(apart);
            if apart > tolerance(&sample) {
                failures.push(format!("{name}: apart by {apart:.1e}, allowed {:.0e}", tolerance(&sample)));
            }
        }
    }
    for (op, apart) in worst {
        println!("{op:32} {apart:.1e}");
    }
    assert!(failures.is_empty(), "{} tensors differ from PyTorch's:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn golden_values_are_of_these_samples() {
    let golden = Golden::read();
    let mut names = BTreeSet::new();
    let mut tensors = BTreeSet::new();
    for sample in Op::samples() {
        let Some(made_of) = golden.fingerprints.get(&sample.name) else { panic!("no golden values of {}: {REMAKE}", sample.name) };
        assert_eq!(*made_of, fingerprint(&sample), "{} has changed since its golden values were made: {REMAKE}", sample.name);
        let (_, _, gradients) = differentiated(&sample);
        tensors.insert(format!("{}/out", sample.name));
        tensors.extend((0..gradients.len()).filter(|&k| gradients[k].is_some()).map(|k| format!("{}/grad{k}", sample.name)));
        assert!(names.insert(sample.name.clone()), "two samples are called {}", sample.name);
    }
    let strays: Vec<&String> = golden.fingerprints.keys().filter(|name| !names.contains(*name)).collect();
    assert!(strays.is_empty(), "golden values of no sample: {strays:?}: {REMAKE}");
    let golden_tensors: BTreeSet<String> = golden.tensors.into_keys().collect();
    let missing: Vec<&String> = tensors.difference(&golden_tensors).collect();
    let extra: Vec<&String> = golden_tensors.difference(&tensors).collect();
    assert!(missing.is_empty() && extra.is_empty(), "gradients that only we have: {missing:?}; that only PyTorch has: {extra:?}");
}

#[test]
fn double_precision_agrees_with_pytorch() {
    // Stored in single precision: half a unit in the last place is 6e-8.
    hold(|_| 1e-6, |sample, graph, wanted| [oracle::<f64>(sample, graph, wanted)]);
}

#[test]
fn single_precision_agrees_with_pytorch() {
    hold(single, |sample, graph, wanted| [oracle::<f32>(sample, graph, wanted)]);
}

#[test]
fn plans_on_the_cpu_agree_with_pytorch() {
    let mut cpu = Cpu::new();
    hold(single, |sample, graph, wanted| {
        on_backend(&mut cpu, sample, graph, wanted).unwrap_or_else(|error| panic!("{}: {error}", sample.name))
    });
}

#[test]
fn plans_on_the_gpu_agree_with_pytorch() {
    let mut gpu = pollster::block_on(Gpu::open()).expect("this test needs a GPU or a software adapter (Mesa's lavapipe)");
    hold(
        |_| 1e-4,
        |sample, graph, wanted| on_backend(&mut gpu, sample, graph, wanted).unwrap_or_else(|error| panic!("{}: {error}", sample.name)),
    );
}
