//! What `examples/export_samples.rs` tells the script, and the test compares: samples with their graphs, and a fingerprint by which a sample
//! that has changed since the golden values were made is noticed.

use gradscope::autograd::backward;
use gradscope::graph::NodeId;
use gradscope::ops::eval::weighted_loss;
use gradscope::ops::{Graph, Sample};

/// Seed of the samples' random numbers.
pub const SEED: u32 = 5;
/// Step of the samples' random numbers.
pub const STEP: u32 = 3;

/// The graph of a sample with the gradients of its weighted loss: graph, result, one gradient an input (none where no gradient flows).
pub fn differentiated(sample: &Sample) -> (Graph, NodeId, Vec<Option<NodeId>>) {
    let mut graph = Graph::default();
    let inputs: Vec<NodeId> = sample.metas().into_iter().enumerate().map(|(k, meta)| graph.input(k, meta)).collect();
    let out = graph.push(sample.op.clone(), &inputs).expect("samples have shapes that fit");
    let loss = weighted_loss(&mut graph, out).expect("a loss can be made of any result");
    let gradients = backward(&mut graph, loss, &inputs).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
    (graph, out, gradients)
}

/// FNV-1a of all that a sample's golden values depend on: the op with its attributes, the inputs' shapes and bits.
pub fn fingerprint(sample: &Sample) -> String {
    let op = serde_json::to_string(&sample.op).expect("an op can be written as JSON");
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    op.bytes().for_each(&mut eat);
    for (tensor, dtype) in &sample.inputs {
        format!("{dtype:?}{}", tensor.shape).bytes().for_each(&mut eat);
        tensor.data.iter().flat_map(|x| x.to_bits().to_le_bytes()).for_each(&mut eat);
    }
    format!("{hash:016x}")
}
