//! A model as data: an input shape and a list of layers, read from JSON with Keras's layer and argument names.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::layers::Layer;
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromValue, deserialize_from_json};

/// A model: `{ "input": [28, 28, 1], "layers": [{ "type": "Conv2D", "filters": 32, "kernel_size": 3 }, ...] }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
pub struct ModelSpec {
    /// Shape of one example, without the batch: `[height, width, channels]` of an image.
    pub input: Vec<usize>,
    /// Layers, each reading the one before it unless it names its inputs.
    pub layers: Vec<LayerSpec>,
}

/// What `inputs` calls the model's input.
pub(super) const INPUT: &str = "input";

/// A layer with its place among the others: its name, what it reads, whose weights it has.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
pub struct LayerSpec {
    /// Unique in the model; Keras's own if none is given: `conv2d`, `conv2d_1`.
    #[cfg_attr(feature = "types", ts(optional))]
    pub name: Option<String>,
    /// Names of the earlier layers that it reads, `"input"` for the model's input; the layer before it if none are given.
    #[cfg_attr(feature = "types", ts(optional))]
    pub inputs: Option<Vec<String>>,
    /// Name of an earlier layer whose variables are used instead of own ones: one layer in several places.
    #[cfg_attr(feature = "types", ts(optional))]
    pub shares: Option<String>,
    /// Whether its variables are trained (Keras's `trainable`); those of a frozen layer get no gradient and stay as they are.
    #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
    pub trainable: bool,
    /// The layer.
    #[cfg_attr(feature = "types", ts(flatten))]
    pub layer: Layer,
}

impl ModelSpec {
    /// Reads a spec; an error names the layer and the key (`"layers[2].kernel_size"`).
    pub fn from_json(value: &Value) -> Result<Self> {
        let mut fields = Fields::new(value, "a model", "")?;
        let spec = Self { input: fields.required("input")?, layers: fields.required("layers")? };
        fields.finish()?;
        Ok(spec)
    }

    /// Reads a spec from text.
    pub fn parse(text: &str) -> Result<Self> {
        let value = serde_json::from_str(text).map_err(|error| Error::new(ErrorCode::BadSpec, &[("reason", &error)]))?;
        Self::from_json(&value)
    }
}

deserialize_from_json!(ModelSpec);

impl LayerSpec {
    /// Reads one layer.
    pub fn from_json(value: &Value) -> Result<Self> {
        Self::from_value(value, "layer", "")
    }
}

impl FromValue for LayerSpec {
    fn from_value(value: &Value, _: &str, at: &str) -> Result<Self> {
        let mut fields = Fields::new(value, "a layer", at)?;
        let kind: String = fields.required("type")?;
        fields.called(&kind);
        let name: Option<String> = fields.optional("name")?.flatten();
        let inputs: Option<Vec<String>> = fields.optional("inputs")?.flatten();
        let shares: Option<String> = fields.optional("shares")?.flatten();
        let trainable = fields.optional("trainable")?.unwrap_or(true);
        let layer = Layer::read(&kind, &mut fields).map_err(|error| error.at(at))?;
        fields.finish()?;
        Ok(Self { name, inputs, shares, trainable, layer })
    }
}

impl Serialize for LayerSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let Value::Object(arguments) = self.layer.arguments().map_err(S::Error::custom)? else {
            return Err(S::Error::custom("a layer's arguments are an object"));
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.layer.kind())?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        if let Some(inputs) = &self.inputs {
            map.serialize_entry("inputs", inputs)?;
        }
        if let Some(shares) = &self.shares {
            map.serialize_entry("shares", shares)?;
        }
        if !self.trainable {
            map.serialize_entry("trainable", &false)?;
        }
        for (key, argument) in &arguments {
            map.serialize_entry(key, argument)?;
        }
        map.end()
    }
}

impl From<Layer> for LayerSpec {
    fn from(layer: Layer) -> Self {
        Self { name: None, inputs: None, shares: None, trainable: true, layer }
    }
}

impl LayerSpec {
    /// The same layer under a name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// The same layer reading these layers.
    #[must_use]
    pub fn reading(self, inputs: &[&str]) -> Self {
        Self { inputs: Some(inputs.iter().map(|&name| name.to_owned()).collect()), ..self }
    }

    /// The same layer with variables that stay as they are.
    #[must_use]
    pub fn frozen(self) -> Self {
        Self { trainable: false, ..self }
    }

    /// The same layer with the variables of another.
    #[must_use]
    pub fn sharing(self, layer: &str) -> Self {
        Self { shares: Some(layer.to_owned()), ..self }
    }
}
