//! What is said of a layer's weights: how they begin and how their size is penalised.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromValue, out_of_range};
use crate::graph::{Initializer, NodeId};
use crate::ops::Graph;

/// An initialiser by name (`"glorot_uniform"`) or as an object (`{ "type": "RandomNormal", "stddev": 0.1 }`), with Keras's names and
/// defaults; `{ "type": "Values", "values": [...] }` gives the weights themselves, row-major in Keras's layout.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", as = "InitTwin"))]
pub struct Init(pub Initializer);

#[cfg(feature = "types")]
#[derive(ts_rs::TS)]
#[ts(untagged, export_to = "protocol.ts")]
#[allow(dead_code)]
enum InitTwin {
    Name(String),
    Options(Initializer),
}

impl Serialize for Init {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl FromValue for Init {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let empty = Value::Object(serde_json::Map::new());
        let (kind, mut fields) = match value.as_str() {
            Some(kind) => (kind.to_owned(), Fields::new(&empty, name, at)?),
            None => {
                let mut fields = Fields::new(value, name, at)?;
                (fields.required("type")?, fields)
            }
        };
        fields.called(&kind);
        let init = match kind.to_ascii_lowercase().replace('_', "").as_str() {
            "zeros" => Initializer::Zeros,
            "ones" => Initializer::Ones,
            "constant" => Initializer::Constant { value: fields.optional("value")?.unwrap_or(0.0) },
            "glorotuniform" => Initializer::GlorotUniform,
            "glorotnormal" => Initializer::GlorotNormal,
            "heuniform" => Initializer::HeUniform,
            "henormal" => Initializer::HeNormal,
            "randomnormal" | "normal" => {
                let mean = fields.optional("mean")?.unwrap_or(0.0);
                Initializer::RandomNormal { mean, stddev: fields.optional("stddev")?.unwrap_or(0.05) }
            }
            "randomuniform" | "uniform" => {
                let minval = fields.optional("minval")?.unwrap_or(-0.05);
                Initializer::RandomUniform { minval, maxval: fields.optional("maxval")?.unwrap_or(0.05) }
            }
            "orthogonal" => Initializer::Orthogonal { gain: fields.optional("gain")?.unwrap_or(1.0) },
            "values" => Initializer::Values { values: fields.required("values")? },
            _ => return Err(Error::new(ErrorCode::UnknownName, &[("kind", &"initializer"), ("got", &kind)]).at(at)),
        };
        fields.finish()?;
        Ok(Self(init))
    }
}

/// A penalty on a variable w that is added to the loss: l1 Σ |w| + l2 Σ w² (Keras's `L1`, `L2` and `L1L2`).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "types", derive(ts_rs::TS))]
#[cfg_attr(
    feature = "types",
    ts(export_to = "protocol.ts", type = "\"l1\" | \"l2\" | { type?: \"L1\" | \"L2\" | \"L1L2\", l1?: number, l2?: number }")
)]
pub struct Regularizer {
    /// Weight of the sum of magnitudes.
    pub l1: f64,
    /// Weight of the sum of squares.
    pub l2: f64,
}

impl Serialize for Regularizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "L1L2")?;
        map.serialize_entry("l1", &self.l1)?;
        map.serialize_entry("l2", &self.l2)?;
        map.end()
    }
}

impl FromValue for Regularizer {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let by_name = |kind: &str| match kind {
            "l1" | "L1" => Some(Self { l1: 0.01, l2: 0.0 }),
            "l2" | "L2" => Some(Self { l1: 0.0, l2: 0.01 }),
            "l1l2" | "L1L2" | "l1_l2" => Some(Self { l1: 0.0, l2: 0.0 }),
            _ => None,
        };
        let unknown = |got: &str| Error::new(ErrorCode::UnknownName, &[("kind", &"regularizer"), ("got", &got)]).at(at);
        if let Some(kind) = value.as_str() {
            return by_name(kind).ok_or_else(|| unknown(kind));
        }
        let mut fields = Fields::new(value, name, at)?;
        let kind = fields.optional::<String>("type")?.unwrap_or("L1L2".into());
        let default = by_name(&kind).ok_or_else(|| unknown(&kind))?;
        fields.called(&kind);
        let l1 = if kind.contains('1') { fields.optional("l1")?.unwrap_or(default.l1) } else { 0.0 };
        let l2 = if kind.contains("l2") || kind.contains("L2") { fields.optional("l2")?.unwrap_or(default.l2) } else { 0.0 };
        fields.finish()?;
        let negative = [("l1", l1), ("l2", l2)].into_iter().find(|(_, weight)| *weight < 0.0);
        match negative {
            Some((key, weight)) => Err(out_of_range(key, "at least 0", weight).at(at)),
            None => Ok(Self { l1, l2 }),
        }
    }
}

impl Regularizer {
    /// Appends the penalty on `w`, a scalar; none where both weights are 0.
    pub fn build(&self, graph: &mut Graph, w: NodeId) -> Result<Option<NodeId>> {
        let axes: Vec<usize> = (0..graph.shape(w).rank()).collect();
        let mut penalty = None;
        for (weight, squared) in [(self.l1, false), (self.l2, true)] {
            if weight == 0.0 {
                continue;
            }
            let each = if squared { graph.mul(w, w)? } else { graph.abs(w)? };
            let sum = graph.sum(each, &axes, false)?;
            let term = graph.scale(sum, weight as f32)?;
            penalty = Some(match penalty {
                Some(other) => graph.add(other, term)?,
                None => term,
            });
        }
        Ok(penalty)
    }
}
