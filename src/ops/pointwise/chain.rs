//! Several pointwise functions in one kernel: a straight-line program over one element, with some of its values stored. Fusion builds
//! chains; a single pointwise node is a chain of one.

use super::{OPERANDS, Pointwise, WGSL_FUNCTIONS};
use crate::ops::kernel::{Pass, broadcast_index, literal};
use crate::ops::{Real, View};
use crate::tensor::Shape;

/// An operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
    /// The value that the kernel in front of the chain computed.
    Anchor,
    /// An input of the chain, broadcast to the result's shape.
    Input(usize),
    /// The result of an earlier instruction.
    Value(usize),
    /// A number.
    Constant(f32),
}

/// A function of its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Instr {
    /// The function.
    pub function: Pointwise,
    /// As many operands as it has.
    pub args: Vec<Arg>,
}

/// Instructions in order, and which of their results are stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// The program.
    pub instrs: Vec<Instr>,
    /// Instructions whose results are stored, one an output; in a chain behind a kernel the last is the output that takes the kernel's place.
    pub outputs: Vec<usize>,
}

/// Elements that pass through the whole program at a time: they stay in the first-level cache.
const BLOCK: usize = 512;

impl Chain {
    /// Runs the program for every element of `shape`. `anchor` holds the values of [`Arg::Anchor`] if they are not already in the last output.
    pub fn run<T: Real>(&self, shape: &Shape, inputs: &[View<T>], anchor: Option<&[T]>, outputs: &mut [&mut [T]]) {
        let count = shape.numel();
        let last = self.instrs.len() - 1;
        debug_assert_eq!(self.outputs.last(), Some(&last), "the last value is an output");
        let readers: Vec<Reader<T>> = inputs.iter().map(|input| Reader::new(input, shape)).collect();
        // Of biases as long as that, every block reads the same.
        let cycle = readers.iter().filter_map(Reader::cycle).filter(|&cycle| cycle <= BLOCK).max().unwrap_or(1);
        let step = (BLOCK / cycle * cycle).min(count.max(1));
        let mut fetched = vec![T::ZERO; inputs.len() * step];
        let mut held = [T::ZERO; BLOCK];
        let mut values = vec![T::ZERO; last * step];
        // Blocks of the numbers among the operands, and where that of each operand begins.
        let mut numbers: Vec<T> = Vec::new();
        let mut number = |arg: &Arg| match arg {
            Arg::Constant(number) => {
                numbers.resize(numbers.len() + step, T::of(f64::from(*number)));
                numbers.len() - step
            }
            Arg::Anchor | Arg::Input(_) | Arg::Value(_) => 0,
        };
        let places: Vec<Vec<usize>> = self.instrs.iter().map(|instr| instr.args.iter().map(&mut number).collect()).collect();
        let uses_anchor = self.instrs.iter().any(|instr| instr.args.contains(&Arg::Anchor));
        for start in (0..count).step_by(step) {
            let len = step.min(count - start);
            for (reader, block) in readers.iter().zip(fetched.chunks_exact_mut(step)) {
                if start == 0 || reader.cycle().is_none_or(|cycle| !step.is_multiple_of(cycle)) {
                    reader.fetch(start, &mut block[..len]);
                }
            }
            if uses_anchor {
                let source = match anchor {
                    Some(values) => &values[start..start + len],
                    None => &outputs[outputs.len() - 1][start..start + len],
                };
                held[..len].copy_from_slice(source);
            }
            for (position, instr) in self.instrs.iter().enumerate() {
                let (earlier, rest) = values.split_at_mut(position * step);
                let operand = |slot: usize| -> &[T] {
                    let slot = slot.min(instr.args.len() - 1);
                    match instr.args[slot] {
                        Arg::Anchor => &held[..len],
                        Arg::Input(input) => readers[input].direct(start, len).unwrap_or(&fetched[input * step..input * step + len]),
                        Arg::Value(value) => &earlier[value * step..value * step + len],
                        Arg::Constant(_) => &numbers[places[position][slot]..][..len],
                    }
                };
                // Nobody reads the last value but who reads the output.
                let out = match outputs.last_mut().filter(|_| position == last) {
                    Some(output) => &mut output[start..start + len],
                    None => &mut rest[..len],
                };
                instr.function.apply([operand(0), operand(1), operand(2)], out);
            }
            for (output, &value) in outputs.iter_mut().zip(&self.outputs).filter(|&(_, &value)| value != last) {
                output[start..start + len].copy_from_slice(&values[value * step..value * step + len]);
            }
        }
    }

    /// WGSL that computes every instruction as `v0`, `v1`, ... for element `i` of `shape`; input `k` of the chain is read by
    /// `load{first + k}`, the anchor is the variable `anchor`.
    pub fn wgsl_body(&self, shape: &Shape, inputs: &[&Shape], first: usize) -> String {
        let operand = |arg: &Arg| match *arg {
            Arg::Anchor => "anchor".to_owned(),
            Arg::Input(k) => format!("load{}({})", first + k, broadcast_index(inputs[k], shape, "i")),
            Arg::Value(value) => format!("v{value}"),
            Arg::Constant(number) => literal(number),
        };
        let mut code = String::new();
        for (position, instr) in self.instrs.iter().enumerate() {
            let bind = |(name, arg): (&&str, &Arg)| format!("let {name} = {}; ", operand(arg));
            let bindings: String = OPERANDS.iter().zip(&instr.args).map(bind).collect();
            code += &format!("    var v{position}: f32; {{ {bindings}v{position} = {}; }}\n", instr.function.wgsl_expression());
        }
        code
    }

    /// The pass that runs the chain by itself; output `k` is written by `store{k}`.
    pub fn pass(&self, shape: &Shape, inputs: &[&Shape]) -> Pass {
        let mut code = self.wgsl_body(shape, inputs, 0);
        for (k, value) in self.outputs.iter().enumerate() {
            code += &format!("    store{k}(i, v{value});\n");
        }
        let operands: Vec<usize> = (0..inputs.len()).collect();
        Pass::elementwise_with(shape.numel(), &operands, WGSL_FUNCTIONS, &code)
    }
}

/// How broadcasting reads an input.
enum Reader<'a, T> {
    /// Element by element.
    Same(&'a [T]),
    /// One number.
    Splat(T),
    /// A vector again and again: a bias.
    Cycle(&'a [T]),
    /// In general: extents and strides, innermost last.
    Strided { data: &'a [T], extents: Vec<usize>, strides: Vec<usize> },
}

impl<'a, T: Real> Reader<'a, T> {
    fn new(input: &View<'a, T>, shape: &Shape) -> Self {
        let trimmed: Vec<usize> = input.shape.iter().copied().skip_while(|&extent| extent == 1).collect();
        if input.data.len() == shape.numel() {
            Reader::Same(input.data)
        } else if input.data.len() == 1 {
            Reader::Splat(input.data[0])
        } else if shape.ends_with(&trimmed) {
            Reader::Cycle(input.data)
        } else {
            Reader::Strided { data: input.data, extents: shape.to_vec(), strides: input.shape.broadcast_strides(shape) }
        }
    }

    /// After how many elements it reads the same again.
    fn cycle(&self) -> Option<usize> {
        match self {
            Reader::Same(_) | Reader::Strided { .. } => None,
            Reader::Splat(_) => Some(1),
            Reader::Cycle(data) => Some(data.len()),
        }
    }

    fn direct(&self, start: usize, len: usize) -> Option<&[T]> {
        match self {
            Reader::Same(data) => Some(&data[start..start + len]),
            _ => None,
        }
    }

    fn fetch(&self, start: usize, block: &mut [T]) {
        match self {
            Reader::Same(_) => {}
            Reader::Splat(value) => block.fill(*value),
            Reader::Cycle(data) => {
                let mut at = start % data.len();
                let mut filled = 0;
                while filled < block.len() {
                    let len = (data.len() - at).min(block.len() - filled);
                    block[filled..filled + len].copy_from_slice(&data[at..at + len]);
                    filled += len;
                    at = 0;
                }
            }
            Reader::Strided { data, extents, strides } => {
                let mut index = Shape::from(&extents[..]).unravel(start);
                let mut at: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
                for value in block {
                    *value = data[at];
                    for axis in (0..extents.len()).rev() {
                        index[axis] += 1;
                        at += strides[axis];
                        if index[axis] < extents[axis] {
                            break;
                        }
                        at -= strides[axis] * extents[axis];
                        index[axis] = 0;
                    }
                }
            }
        }
    }
}
