//! The one error type: what is wrong, where, and the values that a sentence about it needs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$meta:meta])* $code:ident => $template:literal,)*) => {
        /// What went wrong. The page has a sentence for each in every language; `message` is the English one for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
        pub enum ErrorCode { $($(#[$meta])* $code,)* }

        impl ErrorCode {
            /// The English sentence, with `{key}` where an argument goes.
            pub fn template(self) -> &'static str {
                match self { $(Self::$code => $template,)* }
            }
        }
    };
}

codes! {
    /// Two shapes that an op cannot take together.
    ShapeMismatch => "{op} cannot take shapes {left} and {right}",
    /// A tensor of the wrong rank or extent.
    BadShape => "{op} expects {expected}, but got shape {got}",
    /// A convolution or pooling window larger than its input.
    WindowTooLarge => "a window of {window} does not fit into an input of {input}",
    /// An argument outside its range.
    BadValue => "{name} must be {expected}, but is {got}",
    /// A spec names a layer type that does not exist.
    UnknownLayer => "there is no layer type {got}",
    /// A spec has a key that the layer does not take.
    UnknownKey => "{what} takes no {got}; it takes {expected}",
    /// A spec that is not of the right form.
    BadSpec => "the spec cannot be read: {reason}",
    /// A name that stands for nothing here.
    UnknownName => "there is no {kind} named {got}",
    /// A label outside the classes.
    LabelOutOfRange => "label {label} of example {index} is not one of {classes} classes",
    /// A token outside the vocabulary.
    TokenOutOfRange => "token {token} of example {index} is not one of the {vocabulary} of the embedding",
    /// A character that the data do not hold.
    UnknownCharacter => "the character {got} does not occur in what the model learns from",
    /// A text that makes not one example.
    TextTooShort => "a text of {got} tokens is too short for windows of {context}: {expected} are the least",
    /// Numbers of examples and labels differ.
    CountMismatch => "{left} examples but {right} labels",
    /// Wrong number of values for a shape.
    WrongLength => "{what} needs {expected} values, but got {got}",
    /// A data file that is not what it should be.
    BadFile => "{file} is not a valid {format} file: {reason}",
    /// A data set that the set-up has not installed.
    DatasetMissing => "the data set {name} is not installed",
    /// No data of that part.
    EmptySplit => "there are no {split} examples",
    /// A value became NaN or infinite.
    NotFinite => "{what} became {value} at step {step}",
    /// Memory could not be had.
    OutOfMemory => "{bytes} bytes could not be allocated for {what}",
    /// More than the device allows one buffer to hold.
    BufferTooLarge => "{what} would take {bytes} bytes in one piece, and the device allows {most_bytes}",
    /// There is no WebGPU, or no adapter.
    NoWebGpu => "WebGPU is not available: {reason}",
    /// A kernel was refused by the GPU's compiler, or a GPU call failed.
    Gpu => "the GPU refused {what}: {reason}",
    /// The GPU went away.
    DeviceLost => "the GPU was lost: {reason}",
    /// The worker died.
    WorkerDied => "the engine's worker stopped: {reason}",
    /// A program with something else than its grammar wants.
    Unexpected => "{expected} is expected, but there is {found}",
    /// A character that the language does not know, or a bracket that closes nothing.
    UnexpectedCharacter => "{found} cannot stand here",
    /// A bracket without its partner.
    UnclosedBracket => "{bracket} is never closed",
    /// A program without a statement.
    EmptyProgram => "there is nothing to compute",
    /// A name that gets its value only later.
    UsedBeforeDefined => "{name} is used here, but gets its value in line {defined}",
    /// A function with too few or too many values.
    WrongArguments => "{function} takes {expected} values, but gets {got}",
    /// Something else than a whole number that is written out.
    WholeNumber => "a whole number is expected here, written out",
    /// A number beyond 32-bit floats.
    NumberTooLarge => "{got} is more than a 32-bit float can hold",
    /// Positions beyond a tensor's end.
    OutOfRange => "{got} is outside axis {axis} of shape {shape}",
    /// Gradients can flow only from one number.
    NotScalar => "gradients flow from one number, but {name} has shape {shape}",
    /// Brackets or operators within one another.
    TooDeep => "this is nested more than {most} deep",
    /// More than a page should hold or compute.
    TooLarge => "there may be at most {most} {what}",
    /// A request that makes no sense now.
    WrongState => "{what} is not possible now: {reason}",
}

/// An error with its code, the place, and the values for its sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", optional_fields))]
pub struct Error {
    /// What.
    pub code: ErrorCode,
    /// The English sentence.
    pub message: String,
    /// Where: a layer, a node, a file, a key (`"layers[2].kernel_size"`).
    #[serde(rename = "where")]
    pub at: Option<String>,
    /// Values for the sentence, by key.
    pub args: std::collections::BTreeMap<String, String>,
}

impl Error {
    /// An error of `code` with the values of its sentence.
    pub fn new(code: ErrorCode, args: &[(&str, &dyn fmt::Display)]) -> Self {
        let mut message = code.template().to_owned();
        let mut values = std::collections::BTreeMap::new();
        for (key, value) in args {
            let value = value.to_string();
            message = message.replace(&format!("{{{key}}}"), &value);
            values.insert((*key).to_owned(), value);
        }
        Self { code, message, at: None, args: values }
    }

    /// The same error with its place, unless a nearer one is known already.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.at.get_or_insert_with(|| place.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{at}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}
