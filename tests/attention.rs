//! Attention as one operation, which the plan `Train` puts in the place of composed attention: values and gradients against the composed graph in double
//! precision, on both backends; where it is used, and where it is not.

use std::rc::Rc;

use gradscope::autograd::differentiate_with;
use gradscope::backend::cpu::Cpu;
use gradscope::backend::webgpu::Gpu;
use gradscope::backend::{Backend, Device, StepData};
use gradscope::error::Result;
use gradscope::graph::{Group, Kind, Leaf, NodeId, Operation};
use gradscope::nn::{self, Built, ModelSpec, build};
use gradscope::ops::CpuCx;
use gradscope::ops::eval::{evaluate, loss_weight, weighted_loss};
use gradscope::plan::{Kernel, Mode, Operand, Plan};
use gradscope::selftest::difference;
use pollster::block_on;
use serde_json::{Value, json};

/// A model with attention, and a batch for it.
struct Case {
    name: &'static str,
    built: Built,
    x: Vec<f64>,
}

impl Case {
    fn new(name: &'static str, input: &[usize], layers: Value, batch: usize, x: impl Fn(usize) -> f64) -> Self {
        let spec = ModelSpec::from_json(&json!({ "input": input, "layers": layers })).expect("a good spec");
        let mut built = build(&spec, batch, nn::Mode::Train, None).expect("a graph");
        let loss = weighted_loss(&mut built.graph, built.output).expect("a loss");
        let sources = [built.x].into_iter().filter(|_| !spec.reads_tokens()).collect::<Vec<_>>();
        differentiate_with(&mut built.graph, loss, &sources).expect("gradients");
        let count = built.graph.shape(built.x).numel();
        Self { name, built, x: (0..count).map(x).collect() }
    }

    /// Of vectors that change sign.
    fn of_vectors(name: &'static str, input: [usize; 2], layers: Value) -> Self {
        Self::new(name, &input, layers, 2, |i| (i as f64 * 0.7).sin())
    }

    /// Of tokens, 0 being padding: nothing but that in the first row, some before and some behind the words in the others.
    fn padded(name: &'static str, length: usize, layers: Value) -> Self {
        let token = |i: usize| match (i / length, i % length) {
            (0, _) | (1, 0..3) => 0,
            (2, at) if at > length / 2 => 0,
            _ => 1 + i % 6,
        };
        Self::new(name, &[length], layers, 4, |i| token(i) as f64)
    }

    fn all() -> Vec<Self> {
        let normal = json!({ "type": "RandomNormal", "stddev": 0.4 });
        let heads = |more: Value| {
            let mut layer =
                json!({ "type": "MultiHeadAttention", "num_heads": 2, "kernel_initializer": normal, "bias_initializer": normal });
            layer.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            layer
        };
        let table = json!({ "type": "Embedding", "input_dim": 7, "output_dim": 6, "mask_zero": true, "embeddings_initializer": normal });
        let grouped = |more: Value| {
            let mut layer =
                json!({ "type": "GroupQueryAttention", "num_query_heads": 4, "num_key_value_heads": 2, "kernel_initializer": normal });
            layer.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            layer
        };
        let half =
            |name: &str, cropping: [usize; 2]| json!({ "type": "Cropping1D", "name": name, "cropping": cropping, "inputs": ["input"] });
        let cross = json!([half("front", [0, 13]), half("back", [9, 0]), heads(json!({ "key_dim": 8, "inputs": ["front", "back"] }))]);
        vec![
            Self::of_vectors("causal", [5, 6], json!([heads(json!({ "key_dim": 3, "use_causal_mask": true }))])),
            Self::of_vectors("one position", [1, 6], json!([heads(json!({ "key_dim": 4, "use_causal_mask": true }))])),
            Self::of_vectors("both ways", [37, 6], json!([heads(json!({ "key_dim": 8, "value_dim": 5, "use_bias": false }))])),
            Self::of_vectors("long and causal", [70, 8], json!([heads(json!({ "key_dim": 16, "use_causal_mask": true }))])),
            Self::of_vectors("wide heads", [34, 5], json!([heads(json!({ "key_dim": 40, "value_dim": 48, "use_causal_mask": true }))])),
            Self::of_vectors("wider heads", [19, 5], json!([heads(json!({ "key_dim": 130 }))])),
            Self::of_vectors("one number a head", [9, 4], json!([heads(json!({ "key_dim": 1, "use_causal_mask": true }))])),
            Self::of_vectors("of one part to another", [22, 6], cross),
            Self::of_vectors("shared keys", [33, 6], json!([grouped(json!({ "head_dim": 4 }))])),
            Self::of_vectors(
                "turned",
                [18, 6],
                json!([grouped(json!({ "head_dim": 8, "use_causal_mask": true, "rope_max_wavelength": 30 }))]),
            ),
            Self::of_vectors(
                "two of them",
                [12, 6],
                json!([heads(json!({ "key_dim": 4 })), heads(json!({ "key_dim": 5, "use_causal_mask": true }))]),
            ),
            Self::padded("padding", 21, json!([table, heads(json!({ "key_dim": 4 }))])),
            Self::padded("causal with padding", 11, json!([table, heads(json!({ "key_dim": 3, "use_causal_mask": true }))])),
            Self::padded("shared keys with padding", 17, json!([table, grouped(json!({ "head_dim": 4 }))])),
        ]
    }

    /// All values in double precision, node by node.
    fn values(&self) -> Vec<Vec<f64>> {
        let graph = &self.built.graph;
        evaluate(graph, &mut CpuCx::default(), |id, leaf| match leaf {
            Leaf::Input(0) => self.x.clone(),
            Leaf::Input(_) => (0..graph.shape(id).numel()).map(loss_weight).collect(),
            Leaf::Variable(id) => graph.variable(*id).initial(4, id.0).into_iter().map(f64::from).collect(),
            other => panic!("{other:?} in a layer's graph"),
        })
    }

    /// What a plan gives of these nodes.
    fn run(&self, device: &mut Device, plan: Plan, nodes: &[NodeId]) -> Result<Vec<Vec<f32>>> {
        let (graph, plan) = (&self.built.graph, Rc::new(plan));
        block_on(async {
            let groups = [Group::Parameters, Group::Gradients, Group::Statistics];
            device.allocate(&groups.map(|group| (group, graph.flat_len(group))))?;
            for (stream, variable) in graph.variables().iter().enumerate() {
                device.write(variable.group, variable.offset, &variable.initial(4, stream as u32))?;
            }
            let mut exec = device.compile(Rc::clone(&plan), &[]).await?;
            device.write_input(&mut exec, 0, &self.x.iter().map(|&x| x as f32).collect::<Vec<_>>())?;
            let weights = graph.shape(self.built.output).numel();
            device.write_input(&mut exec, usize::MAX, &(0..weights).map(|i| loss_weight(i) as f32).collect::<Vec<_>>())?;
            device.run(&mut exec, &StepData::default(), 0..plan.steps.len())?;
            let mut values = Vec::new();
            for &node in nodes {
                let Some(Operand::Memory(place)) = plan.place(node) else { panic!("{}: {} is nowhere", self.name, graph.node(node).name) };
                values.push(device.read_place(&exec, place).await?);
            }
            Ok(values)
        })
    }

    /// The result and all gradients.
    fn wanted(&self) -> Vec<NodeId> {
        let graph = &self.built.graph;
        let gradients = graph.gradients().iter().map(|&(_, node)| node);
        [self.built.output].into_iter().chain(gradients).chain(graph.gradient_of(self.built.x)).collect()
    }
}

/// How many steps run each of these operations.
fn counts<const N: usize>(plan: &Plan, names: [&str; N]) -> [usize; N] {
    let is = |kernel: &Kernel, name: &str| matches!(kernel, Kernel::Op { op, .. } if op.name() == name);
    names.map(|name| plan.steps.iter().filter(|step| is(&step.kernel, name)).count())
}

fn agree(device: &mut Device) {
    for case in Case::all() {
        let (wanted, values) = (case.wanted(), case.values());
        let plan = Plan::new(&case.built.graph, Mode::Train, &wanted).expect("a plan");
        let layers = case.built.layers.iter().filter(|layer| layer.kind.ends_with("Attention")).count();
        assert_eq!(counts(&plan, ["attention", "attention_grad", "softmax"]), [layers, layers, 0], "{}", case.name);
        let composed = Plan::new(&case.built.graph, Mode::Inspect, &wanted).expect("a plan");
        let [fused, composed] =
            [plan, composed].map(|plan| case.run(device, plan, &wanted).unwrap_or_else(|error| panic!("{}: {error}", case.name)));
        for ((node, fused), composed) in wanted.iter().zip(fused).zip(composed) {
            let (graph, want) = (&case.built.graph, &values[node.index()]);
            let of = graph.gradients().iter().find(|(_, gradient)| gradient == node).map(|&(id, _)| graph.variable(id).name.as_str());
            let [apart, usual] = [fused, composed].map(|got| difference(&got, want));
            // All of the gradient of the keys' bias cancels: moving all keys moves all scores of a query alike.
            let bound = if of.is_some_and(|name| name.ends_with("key.bias")) { 1e-4 } else { 1e-5 };
            assert!(apart < bound, "{} on {}: {of:?} is apart by {apart:.1e}, composed {usual:.1e}", case.name, device.name());
        }
    }
}

#[test]
fn one_operation_computes_what_many_do_on_the_cpu() {
    agree(&mut Device::Cpu(Cpu::new()));
}

#[test]
fn one_operation_computes_what_many_do_on_the_gpu() {
    agree(&mut Device::Gpu(block_on(Gpu::open()).expect("this test needs a GPU or a software adapter (Mesa's lavapipe)")));
}

#[test]
fn the_same_bits_each_time() {
    let mut device = Device::Cpu(Cpu::new());
    for case in Case::all() {
        let wanted = case.wanted();
        let [first, second] = [0, 1].map(|_| {
            let plan = Plan::new(&case.built.graph, Mode::Train, &wanted).expect("a plan");
            case.run(&mut device, plan, &wanted).expect("values")
        });
        assert_eq!(first, second, "{}", case.name);
    }
}

/// Heads in front of positions are needed by nobody but the operations that are gone.
#[test]
fn nothing_is_transposed_for_it() {
    let case = &Case::all()[0];
    let plan = Plan::new(&case.built.graph, Mode::Train, &case.wanted()).expect("a plan");
    assert_eq!(counts(&plan, ["transpose", "tril"]), [0, 0]);
    assert!(!plan.places.is_empty() && plan.places.len() == case.built.graph.nodes().len(), "places are those of the graph's own nodes");
}

#[test]
fn what_is_looked_into_stays_composed() {
    let case = &Case::all()[0];
    let graph = &case.built.graph;
    let fused = |mode: Mode, keep: &[NodeId]| counts(&Plan::new(graph, mode, keep).expect("a plan"), ["attention", "attention_grad"]);
    assert_eq!(fused(Mode::Inspect, &[]), [0, 0]);
    assert_eq!(fused(Mode::Train, &[]), [1, 1]);
    for name in ["scores", "masked_scores", "attention_weights"] {
        let node = graph.find(&format!("multi_head_attention/{name}")).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(fused(Mode::Train, &[node]), [0, 0], "{name}");
    }
    // What goes in and comes out may be seen.
    let node = graph.find("multi_head_attention/attended").expect("a node");
    assert_eq!(fused(Mode::Train, &[node]), [1, 1]);
    let kept = [[node].to_vec(), case.wanted()].concat();
    let plan = Plan::new(graph, Mode::Train, &kept).expect("a plan");
    let got = case.run(&mut Device::Cpu(Cpu::new()), plan, &kept).expect("values");
    let values = case.values();
    for (node, got) in kept.iter().zip(got) {
        assert!(difference(&got, &values[node.index()]) < 1e-5, "{}", graph.node(*node).name);
    }
}

/// Dropped weights are no operation's, and what does not fit a workgroup of the least device stays as it was.
#[test]
fn what_does_not_fit_stays_composed() {
    for (name, arguments) in [("dropout", json!({ "key_dim": 4, "dropout": 0.1 })), ("very wide heads", json!({ "key_dim": 300 }))] {
        let mut layer = json!({ "type": "MultiHeadAttention", "num_heads": 2 });
        layer.as_object_mut().expect("an object").extend(arguments.as_object().expect("an object").clone());
        let case = Case::of_vectors(name, [4, 6], json!([layer]));
        let plan = Plan::new(&case.built.graph, Mode::Train, &case.wanted()).expect("a plan");
        assert_eq!(counts(&plan, ["attention", "softmax"]), [0, 1], "{name}");
    }
    let graph = &Case::all()[0].built.graph;
    assert!(graph.nodes().iter().any(|node| matches!(&node.kind, Kind::Op(op) if op.name() == "softmax")), "graphs are composed");
}
