//! Which kernels for products suit a device: those of a family are timed, turn and turn about, on products like the models'.

use std::rc::Rc;

use super::Gpu;
use crate::backend::{Backend, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::Graph;
use crate::ops::conv2d::{Conv2d, Conv2dKernelGrad};
use crate::ops::kernel::{Products, Tuning};
use crate::plan::{Mode, Operand, Place, Plan};
use crate::tensor::Meta;

/// Turns that each takes.
const ROUNDS: usize = 3;
/// Milliseconds of a turn, beside which the time until its end is known does not count.
const TURN: f64 = 10.0;
/// Most runs in a turn.
const MOST_RUNS: usize = 64;

/// A layer's product and the gradient of its weights as a transformer has them, and those of a convolution.
fn work() -> Result<(Graph, Vec<NodeId>)> {
    let mut graph = Graph::default();
    let shapes: [&[usize]; 6] = [&[1024, 128], &[128, 384], &[1024, 384], &[64, 13, 13, 32], &[3, 3, 32, 64], &[64, 11, 11, 64]];
    let mut column = 0..;
    let [x, w, dy, images, kernel, d_maps] = shapes.map(|shape| graph.input(column.next().unwrap_or_default(), Meta::f32(shape.to_vec())));
    let keep = vec![
        graph.matmul(x, w, false, false)?,
        graph.matmul(x, dy, true, false)?,
        graph.conv2d(images, kernel, Conv2d::default())?,
        graph.push(Conv2dKernelGrad { conv: Conv2d::default(), kernel: [3, 3] }.into(), &[images, d_maps])?,
    ];
    Ok((graph, keep))
}

impl Gpu {
    /// Takes for products, from now on, whatever of [`Products::FAMILY`] is fastest here, and returns it; `clock` tells milliseconds. What the device
    /// refuses is no contender. Where nothing can be timed that is an error, and all stays as it was.
    pub async fn tune(&mut self, clock: impl Fn() -> f64) -> Result<Products> {
        let before = self.tuning();
        let fastest = self.fastest(clock).await;
        self.set_tuning(before);
        let products = fastest?;
        self.set_tuning(Tuning { products, ..before });
        Ok(products)
    }

    async fn fastest(&mut self, clock: impl Fn() -> f64) -> Result<Products> {
        let (graph, keep) = work()?;
        let plan = Rc::new(Plan::new(&graph, Mode::Train, &keep)?);
        let Some(Operand::Memory(place)) = keep.last().and_then(|&node| plan.place(node)) else { return Err(untimed()) };
        let mut contenders = Vec::new();
        for products in Products::FAMILY {
            self.set_tuning(Tuning { products, ..self.tuning() });
            if let Ok(exec) = self.compile(Rc::clone(&plan), &[]).await {
                contenders.push((products, exec, f64::INFINITY));
            }
        }
        // The first turn is for what a driver does late, the second tells how many runs make one long enough.
        let mut runs = 1;
        for turn in 0..ROUNDS + 2 {
            if turn == 2 {
                let quickest = contenders.iter().map(|&(.., least)| least).fold(f64::INFINITY, f64::min);
                runs = ((TURN / quickest) as usize).clamp(1, MOST_RUNS);
            }
            for (_, exec, least) in &mut contenders {
                let begun = clock();
                for _ in 0..runs {
                    self.run(exec, &StepData::default(), 0..plan.steps.len())?;
                }
                // What a device is given it does in order: where this is known, all is done.
                self.read_place(exec, Place { len: 1, ..place }).await?;
                let took = (clock() - begun) / runs as f64;
                *least = if turn == 0 { f64::INFINITY } else { least.min(took) };
            }
        }
        let (products, _, least) = contenders.into_iter().min_by(|(.., a), (.., b)| a.total_cmp(b)).ok_or_else(untimed)?;
        if least.is_finite() { Ok(products) } else { Err(untimed()) }
    }
}

fn untimed() -> Error {
    Error::new(ErrorCode::Gpu, &[("what", &"tuning"), ("reason", &"nothing could be timed")])
}
