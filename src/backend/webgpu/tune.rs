//! Which kernels for products suit a device: those of a family are timed, turn and turn about, on products like the models'.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Gpu, GpuExec};
use crate::backend::{Backend, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::Graph;
use crate::ops::conv2d::{Conv2d, Conv2dKernelGrad};
use crate::ops::kernel::{Products, Tuning};
use crate::plan::{Mode, Place, Plan};
use crate::tensor::Meta;

/// Turns that each takes.
const ROUNDS: usize = 3;
/// Milliseconds that a turn should take, so that neither a coarse clock nor the time until its end is known counts.
const TURN: f64 = 20.0;
/// Most runs in a turn, however short it is then.
const MOST_RUNS: usize = 32;
/// How much less time another kernel must take than the usual one.
const GAIN: f64 = 0.95;

/// A layer's product and both its gradients as a transformer has them, and those of a convolution.
fn work() -> Result<(Graph, Vec<NodeId>)> {
    let mut graph = Graph::default();
    let shapes: [&[usize]; 6] = [&[1024, 128], &[128, 384], &[1024, 384], &[64, 13, 13, 32], &[3, 3, 32, 64], &[64, 11, 11, 64]];
    let mut column = 0..;
    let [x, w, dy, images, kernel, d_maps] = shapes.map(|shape| graph.input(column.next().unwrap_or_default(), Meta::f32(shape.to_vec())));
    let keep = vec![
        graph.matmul(x, w, false, false)?,
        graph.matmul(dy, w, false, true)?,
        graph.matmul(x, dy, true, false)?,
        graph.conv2d(images, kernel, Conv2d::default())?,
        graph.push(Conv2dKernelGrad { conv: Conv2d::default(), kernel: [3, 3] }.into(), &[images, d_maps])?,
    ];
    Ok((graph, keep))
}

impl Gpu {
    /// Takes for products, from now on, whatever of [`Products::FAMILY`] is fastest here, if it is faster than what there was, and returns it; `clock`
    /// tells milliseconds. What the device does not compile is no contender. Where nothing can be timed that is an error, and all stays as it was.
    pub async fn tune(&mut self, clock: impl Fn() -> f64) -> Result<Products> {
        let before = self.tuning();
        let fastest = self.fastest(before.products, clock).await;
        self.set_tuning(before);
        let products = fastest?;
        self.set_tuning(Tuning { products, ..before });
        Ok(products)
    }

    async fn fastest(&mut self, usual: Products, clock: impl Fn() -> f64) -> Result<Products> {
        let (graph, keep) = work()?;
        // Each by itself, which the plan for looking gives: what shares a dispatch would differ from one to another.
        let plan = Rc::new(Plan::new(&graph, Mode::Inspect, &keep)?);
        let mut contenders = Vec::new();
        for products in Products::FAMILY {
            self.set_tuning(Tuning { products, ..self.tuning() });
            if let Ok(exec) = self.compile(Rc::clone(&plan), &[]).await {
                contenders.push((products, exec, f64::INFINITY));
            }
        }
        // Once for what a driver does late.
        for (_, exec, _) in &mut contenders {
            self.turn(exec, 1, &clock).await?;
        }
        let (_, first, _) = contenders.first_mut().ok_or_else(untimed)?;
        let (mut runs, mut took) = (1, self.turn(first, 1, &clock).await?);
        while runs < MOST_RUNS && took < TURN {
            runs *= 2;
            took = self.turn(first, runs, &clock).await?;
        }
        // A clock that stands still, or tells nothing.
        if took.partial_cmp(&0.0) != Some(Ordering::Greater) {
            return Err(untimed());
        }
        for _ in 0..ROUNDS {
            for (_, exec, least) in &mut contenders {
                *least = least.min(self.turn(exec, runs, &clock).await?);
            }
        }
        let time = |of: Products| contenders.iter().find(|&&(products, ..)| products == of).map_or(f64::INFINITY, |&(.., least)| least);
        let (fastest, _, least) = contenders.iter().min_by(|(.., a), (.., b)| a.total_cmp(b)).ok_or_else(untimed)?;
        Ok(if *least < GAIN * time(usual) { *fastest } else { usual })
    }

    /// Milliseconds of so many runs.
    async fn turn(&mut self, exec: &mut GpuExec, runs: usize, clock: impl Fn() -> f64) -> Result<f64> {
        let begun = clock();
        let plan = Rc::clone(&exec.plan);
        for _ in 0..runs {
            self.run(exec, &StepData::default(), 0..plan.steps.len())?;
        }
        let last = plan.steps.last().and_then(|step| step.outputs.last()).ok_or_else(untimed)?;
        // What a device is given it does in order: where this is known, all is done.
        self.read_place(exec, Place { len: 1, ..*last }).await?;
        Ok(clock() - begun)
    }
}

fn untimed() -> Error {
    Error::new(ErrorCode::Gpu, &[("what", &"tuning"), ("reason", &"nothing could be timed")])
}
