//! What every op says of itself, for all rows of the table at once.

use super::{Arg, Chain, Instr, OPERANDS, Pointwise, WGSL_FUNCTIONS, samples};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::kernel::broadcast_index;
use crate::ops::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::tensor::Meta;

impl OpDef for Pointwise {
    fn name(&self) -> &'static str {
        self.label()
    }

    fn formula(&self) -> String {
        self.tex().to_owned()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        match self.arity() {
            arity if arity == inputs.len() => Ok(Meta::f32(self.shape(inputs.iter().map(|meta| &meta.shape))?)),
            arity => Err(Error::new(
                ErrorCode::BadShape,
                &[("op", &self.label()), ("expected", &format!("{arity} operands")), ("got", &inputs.len())],
            )),
        }
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let operands = [cx.inputs[0], cx.inputs[1.min(cx.inputs.len() - 1)]];
        let partials = self.partials(cx.graph, operands, cx.out, cx.dy)?;
        let undo = |(&input, partial): (&NodeId, Option<NodeId>)| {
            let shape = cx.graph.shape(input).clone();
            partial.map(|partial| cx.graph.sum_to(partial, &shape)).transpose()
        };
        cx.inputs.iter().zip(partials).map(undo).collect()
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let instr = Instr { function: *self, args: (0..inputs.len()).map(Arg::Input).collect() };
        let shape = self.shape(inputs.iter().map(|view| view.shape)).unwrap_or_default();
        Chain { instrs: vec![instr], outputs: vec![0] }.run(&shape, inputs, None, &mut [out]);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let bind = |(k, name): (usize, &&str)| {
            let index = broadcast_index(&cx.inputs[k].shape, &cx.out.shape, "i");
            format!("let {name} = load{k}({index}); ")
        };
        let operands: Vec<usize> = (0..cx.inputs.len()).collect();
        let bindings: String = OPERANDS[..operands.len()].iter().enumerate().map(bind).collect();
        let code = format!("{bindings}store(i, {});", self.wgsl_expression());
        vec![Pass::elementwise_with(cx.out.shape.numel(), &operands, WGSL_FUNCTIONS, &code)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let shape = self.shape(inputs.iter().map(|meta| &meta.shape)).unwrap_or_default();
        let coordinates = shape.unravel(out);
        let operand = |(k, meta): (usize, &&Meta)| {
            let strides = meta.shape.broadcast_strides(&shape);
            Expr::element(k, coordinates.iter().zip(strides).map(|(c, stride)| c * stride).sum())
        };
        let operands: Vec<Expr> = inputs.iter().enumerate().map(operand).collect();
        match self {
            Pointwise::Add => Expr::Sum(operands),
            Pointwise::Mul => Expr::Product(operands),
            _ => Expr::Call(*self, operands),
        }
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        samples::all()
    }
}
