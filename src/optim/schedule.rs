//! The learning rate as a function of the step.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromFields, FromValue, bad_value, out_of_range, spec};

spec! {
    /// The same rate at every step, after a linear rise from 0 over the first `warmup_steps`.
    pub struct ConstantRate {
        /// The rate.
        learning_rate: f64;
        /// Steps of the rise.
        warmup_steps: usize = 0;
    }

    /// One value up to and including each boundary, and a last one after (Keras's `PiecewiseConstantDecay`): rates that fall in steps.
    pub struct PiecewiseConstantDecay {
        /// Steps at which the value changes, ascending.
        boundaries: Vec<usize>;
        /// One more value than boundaries.
        values: Vec<f64>;
    }

    /// initial · rate^(step / decay_steps) (Keras's `ExponentialDecay`).
    pub struct ExponentialDecay {
        /// Rate at step 0.
        initial_learning_rate: f64;
        /// Steps over which the rate is multiplied by `decay_rate` once.
        decay_steps: usize;
        /// Factor.
        decay_rate: f64;
        /// Whether the exponent is rounded down, so that the rate falls in steps.
        staircase: bool = false;
    }

    /// Half a cosine from the initial rate (or `warmup_target`) down to `alpha` times it, over `decay_steps`; before it, if a target is
    /// given, a linear rise from the initial rate to the target over `warmup_steps` (Keras's `CosineDecay`).
    pub struct CosineDecay {
        /// Rate at step 0.
        initial_learning_rate: f64;
        /// Steps of the fall.
        decay_steps: usize;
        /// What is left at the end, as a share.
        alpha: f64 = 0.0;
        /// Rate at the end of the rise.
        warmup_target: Option<f64> = None;
        /// Steps of the rise.
        warmup_steps: usize = 0;
    }
}

/// A learning rate: a number, or a schedule `{ "type": "CosineDecay", ... }`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", as = "LearningRateTwin"))]
pub enum LearningRate {
    /// Constant, possibly after a warm-up.
    Constant(ConstantRate),
    /// In steps.
    Piecewise(PiecewiseConstantDecay),
    /// Exponential.
    Exponential(ExponentialDecay),
    /// Cosine.
    Cosine(CosineDecay),
}

#[cfg(feature = "types")]
#[derive(ts_rs::TS)]
#[ts(untagged, export_to = "protocol.ts")]
#[allow(dead_code)]
enum LearningRateTwin {
    Number(f64),
    Schedule(Schedule),
}

#[cfg(feature = "types")]
#[derive(ts_rs::TS)]
#[ts(tag = "type", export_to = "protocol.ts")]
#[allow(dead_code)]
enum Schedule {
    Constant(ConstantRate),
    PiecewiseConstantDecay(PiecewiseConstantDecay),
    ExponentialDecay(ExponentialDecay),
    CosineDecay(CosineDecay),
}

impl From<f64> for LearningRate {
    fn from(learning_rate: f64) -> Self {
        Self::Constant(ConstantRate { learning_rate, warmup_steps: 0 })
    }
}

impl LearningRate {
    /// The rate at a step; the first step is 0.
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(ConstantRate { learning_rate, warmup_steps }) => match step < *warmup_steps {
                true => learning_rate * step as f64 / *warmup_steps as f64,
                false => *learning_rate,
            },
            Self::Piecewise(PiecewiseConstantDecay { boundaries, values }) => {
                let passed = boundaries.iter().filter(|&&boundary| step > boundary).count();
                values.get(passed).copied().unwrap_or_default()
            }
            Self::Exponential(ExponentialDecay { initial_learning_rate, decay_steps, decay_rate, staircase }) => {
                let exponent = step as f64 / *decay_steps as f64;
                initial_learning_rate * decay_rate.powf(if *staircase { exponent.floor() } else { exponent })
            }
            Self::Cosine(cosine) => cosine.at(step),
        }
    }

    /// Refuses what is not a rate: negative numbers, and lists and lengths that do not fit.
    pub fn check(&self) -> Result<()> {
        let at_least_0 = |name: &str, number: f64| match number >= 0.0 && number.is_finite() {
            true => Ok(()),
            false => Err(out_of_range(name, "a number that is at least 0", number)),
        };
        let at_least_1 = |name: &str, number: usize| if number > 0 { Ok(()) } else { Err(out_of_range(name, "at least 1", number)) };
        match self {
            Self::Constant(constant) => at_least_0("learning_rate", constant.learning_rate),
            Self::Piecewise(PiecewiseConstantDecay { boundaries, values }) => {
                if boundaries.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Err(out_of_range("boundaries", "ascending", format!("{boundaries:?}")));
                }
                if values.len() != boundaries.len() + 1 {
                    let expected = boundaries.len() + 1;
                    return Err(Error::new(
                        ErrorCode::WrongLength,
                        &[("what", &"values of PiecewiseConstantDecay"), ("expected", &expected), ("got", &values.len())],
                    ));
                }
                values.iter().try_for_each(|&value| at_least_0("values", value))
            }
            Self::Exponential(exponential) => {
                at_least_0("initial_learning_rate", exponential.initial_learning_rate)?;
                at_least_0("decay_rate", exponential.decay_rate)?;
                at_least_1("decay_steps", exponential.decay_steps)
            }
            Self::Cosine(cosine) => {
                at_least_0("initial_learning_rate", cosine.initial_learning_rate)?;
                at_least_0("alpha", cosine.alpha)?;
                at_least_0("warmup_target", cosine.warmup_target.unwrap_or(0.0))?;
                at_least_1("decay_steps", cosine.decay_steps)
            }
        }
    }
}

impl CosineDecay {
    fn at(&self, step: usize) -> f64 {
        let Some(target) = self.warmup_target else {
            return self.fall(step, self.initial_learning_rate);
        };
        match step < self.warmup_steps {
            true => self.initial_learning_rate + (target - self.initial_learning_rate) * step as f64 / self.warmup_steps as f64,
            false => self.fall(step - self.warmup_steps, target),
        }
    }

    fn fall(&self, step: usize, from: f64) -> f64 {
        let done = step.min(self.decay_steps) as f64 / self.decay_steps as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        from * ((1.0 - self.alpha) * cosine + self.alpha)
    }
}

impl FromValue for LearningRate {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let rate = match value {
            Value::Object(_) => {
                let mut fields = Fields::new(value, name, at)?;
                let kind: String = fields.required("type")?;
                fields.called(&kind);
                let rate = match kind.as_str() {
                    "Constant" => Self::Constant(FromFields::from_fields(&mut fields)?),
                    "PiecewiseConstantDecay" | "StepDecay" => Self::Piecewise(FromFields::from_fields(&mut fields)?),
                    "ExponentialDecay" => Self::Exponential(FromFields::from_fields(&mut fields)?),
                    "CosineDecay" => Self::Cosine(FromFields::from_fields(&mut fields)?),
                    _ => return Err(Error::new(ErrorCode::UnknownName, &[("kind", &"schedule"), ("got", &kind)]).at(at)),
                };
                fields.finish()?;
                rate
            }
            Value::Number(_) => f64::from_value(value, name, at)?.into(),
            _ => return Err(bad_value(name, "a number that is at least 0, or a schedule", value).at(at)),
        };
        rate.check().map_err(|error| error.at(at))?;
        Ok(rate)
    }
}

/// A number if that says it all.
impl Serialize for LearningRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let (kind, fields) = match self {
            Self::Constant(ConstantRate { learning_rate, warmup_steps: 0 }) => return serializer.serialize_f64(*learning_rate),
            Self::Constant(schedule) => ("Constant", serde_json::to_value(schedule)),
            Self::Piecewise(schedule) => ("PiecewiseConstantDecay", serde_json::to_value(schedule)),
            Self::Exponential(schedule) => ("ExponentialDecay", serde_json::to_value(schedule)),
            Self::Cosine(schedule) => ("CosineDecay", serde_json::to_value(schedule)),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", kind)?;
        if let Value::Object(fields) = fields.map_err(S::Error::custom)? {
            for (key, value) in &fields {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> LearningRate {
        LearningRate::from_value(&value, "learning_rate", "").expect("a schedule")
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn a_number_is_a_constant_rate() {
        close(read(json!(0.05)).at(1_000_000), 0.05);
    }

    #[test]
    fn a_constant_rate_warms_up_linearly() {
        let rate = read(json!({ "type": "Constant", "learning_rate": 0.1, "warmup_steps": 4 }));
        close(rate.at(0), 0.0);
        close(rate.at(1), 0.025);
        close(rate.at(4), 0.1);
    }

    /// Keras's documentation: 1.0 for the first 100001 steps, 0.5 for the next 10000, 0.1 after.
    #[test]
    fn steps_change_after_their_boundary() {
        let rate = read(json!({ "type": "PiecewiseConstantDecay", "boundaries": [100_000, 110_000], "values": [1.0, 0.5, 0.1] }));
        for (step, expected) in [(0, 1.0), (100_000, 1.0), (100_001, 0.5), (110_000, 0.5), (110_001, 0.1)] {
            close(rate.at(step), expected);
        }
    }

    #[test]
    fn exponential_decay_is_smooth_or_a_staircase() {
        let smooth = read(json!({ "type": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.25 }));
        close(smooth.at(5), 0.05);
        let stairs = json!({
            "type": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.25, "staircase": true
        });
        close(read(stairs.clone()).at(9), 0.1);
        close(read(stairs).at(10), 0.025);
    }

    #[test]
    fn cosine_decay_warms_up_and_ends_at_alpha() {
        let plain = read(json!({ "type": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": 100 }));
        close(plain.at(0), 0.1);
        close(plain.at(50), 0.05);
        close(plain.at(100), 0.0);
        close(plain.at(1000), 0.0);
        let warm = read(json!({
            "type": "CosineDecay", "initial_learning_rate": 0.0, "decay_steps": 100, "alpha": 0.1, "warmup_target": 0.2, "warmup_steps": 10
        }));
        close(warm.at(5), 0.1);
        close(warm.at(10), 0.2);
        close(warm.at(60), 0.2 * (0.9 * 0.5 + 0.1));
        close(warm.at(110), 0.02);
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        let bad = [
            json!(-0.1),
            json!("NaN"),
            json!(null),
            json!({ "type": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": 0 }),
            json!({ "type": "PiecewiseConstantDecay", "boundaries": [5, 5], "values": [1.0, 0.5, 0.1] }),
        ];
        for value in bad {
            let error = LearningRate::from_value(&value, "learning_rate", "optimizer.learning_rate").expect_err("bad");
            assert_eq!(error.code, ErrorCode::BadValue, "{value}: {error}");
            assert!(error.at.is_some_and(|at| at.starts_with("optimizer.learning_rate")));
        }
        let short = json!({ "type": "StepDecay", "boundaries": [5], "values": [1.0] });
        let error = LearningRate::from_value(&short, "learning_rate", "").expect_err("short");
        assert_eq!(error.code, ErrorCode::WrongLength);
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        for value in [json!(0.05), json!({ "type": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": 100 })] {
            assert_eq!(serde_json::to_value(read(value.clone())).ok(), Some(value));
        }
    }
}
