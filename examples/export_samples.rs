//! Writes every op's samples for `tests/golden/make.py`: `cargo run --example export_samples -- FILE`. The file is safetensors: tensors
//! `SAMPLE/INPUT`, and in its metadata, under "samples", the list of them as JSON.

use std::collections::HashMap;
use std::path::Path;

use bytemuck::cast_slice;
use gradscope::ops::{Op, Sample};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

#[path = "../tests/golden/samples.rs"]
#[allow(dead_code)]
mod samples;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: export_samples FILE")?;
    let all = Op::samples();
    let mut tensors = Vec::new();
    for sample in &all {
        for (k, (tensor, _)) in sample.inputs.iter().enumerate() {
            let view = TensorView::new(Dtype::F32, tensor.shape.to_vec(), cast_slice(&tensor.data))?;
            tensors.push((format!("{}/{k}", sample.name), view));
        }
    }
    let list: Vec<_> = all.iter().map(described).collect();
    let metadata = HashMap::from([
        ("samples".to_owned(), serde_json::to_string(&list)?),
        ("seed".to_owned(), samples::SEED.to_string()),
        ("step".to_owned(), samples::STEP.to_string()),
    ]);
    safetensors::serialize_to_file(tensors, Some(metadata), Path::new(&file))?;
    Ok(())
}

fn described(sample: &Sample) -> serde_json::Value {
    let inputs: Vec<_> = sample.metas().iter().map(|meta| json!({ "shape": meta.shape, "dtype": meta.dtype })).collect();
    json!({ "name": sample.name, "op": sample.op, "inputs": inputs, "fingerprint": samples::fingerprint(sample) })
}
