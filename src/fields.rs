//! Reads JSON objects so that every wrong key and every wrong value is named with its place (`"layers[2].kernel_size"`), and writes them back
//! without the defaults. Specs of models, losses and optimizers are all read by it; the [`spec!`] macro derives the reading from a struct.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Error, ErrorCode, Result};

/// Largest whole number that a spec may hold: what a 32-bit float still counts exactly.
pub(crate) const LARGEST: usize = 1 << 24;

/// A type that a field of a spec can have.
pub(crate) trait FromValue: Sized {
    /// Reads it; `at` is the place for errors, `name` the key.
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self>;
}

/// A struct that the [`spec!`] macro made.
pub(crate) trait FromFields: Sized {
    /// Reads every field.
    fn from_fields(fields: &mut Fields) -> Result<Self>;
}

/// An object being read: remembers which keys were asked for, so that the others can be refused.
pub(crate) struct Fields<'a> {
    what: String,
    at: String,
    map: &'a Map<String, Value>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, called `what` in errors.
    pub fn new(value: &'a Value, what: &str, at: &str) -> Result<Self> {
        match value {
            Value::Object(map) => Ok(Self { what: what.to_owned(), at: at.to_owned(), map, asked: Vec::new() }),
            other => Err(bad_value(what, "an object", other).at(at)),
        }
    }

    /// Changes what errors call the object, once its type is known.
    pub fn called(&mut self, what: &str) {
        what.clone_into(&mut self.what);
    }

    /// The value under `key`, which must be there.
    pub fn required<T: FromValue>(&mut self, key: &'static str) -> Result<T> {
        match self.optional(key)? {
            Some(value) => Ok(value),
            None => Err(self.missing(key)),
        }
    }

    #[inline(never)]
    fn missing(&self, key: &str) -> Error {
        let name = format!("{}'s {key}", self.what);
        Error::new(ErrorCode::BadValue, &[("name", &name), ("expected", &"given"), ("got", &"missing")]).at(self.place(key))
    }

    /// The value under `key`, if it is there.
    pub fn optional<T: FromValue>(&mut self, key: &'static str) -> Result<Option<T>> {
        match self.ask(key) {
            Some((value, place)) => T::from_value(value, key, &place).map(Some),
            None => Ok(None),
        }
    }

    /// A key's value and place, if it is there: apart from what is made for every type anew.
    #[inline(never)]
    fn ask(&mut self, key: &'static str) -> Option<(&'a Value, String)> {
        self.asked.push(key);
        self.map.get(key).map(|value| (value, self.place(key)))
    }

    /// Refuses keys that nobody asked for.
    pub fn finish(self) -> Result<()> {
        let Some(unknown) = self.map.keys().find(|key| !self.asked.contains(&key.as_str())) else { return Ok(()) };
        let takes = self.asked.join(", ");
        Err(Error::new(ErrorCode::UnknownKey, &[("what", &self.what), ("got", unknown), ("expected", &takes)]).at(self.at))
    }

    fn place(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }
}

/// Reads a JSON text of our own making, called `name` in errors.
pub(crate) fn from_json<T: FromValue>(text: &str, name: &str) -> Result<T> {
    let value: Value = serde_json::from_str(text).map_err(|error| Error::new(ErrorCode::BadSpec, &[("reason", &error)]))?;
    T::from_value(&value, name, "")
}

/// A value that is no name, or none of those that there are, of that kind. Apart from what is made for every kind anew.
#[inline(never)]
pub(crate) fn no_such(kind: &str, value: &Value, name: &str) -> Error {
    match value.as_str() {
        Some(got) => Error::new(ErrorCode::UnknownName, &[("kind", &kind), ("got", &got)]),
        None => bad_value(name, &format!("the name of a kind of {kind}"), value),
    }
}

/// A value that is not what it must be.
pub(crate) fn bad_value(name: &str, expected: &str, got: &Value) -> Error {
    let got = match got {
        Value::String(text) => text.clone(),
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "a list".into(),
        Value::Null => "null".into(),
        other => other.to_string(),
    };
    Error::new(ErrorCode::BadValue, &[("name", &name), ("expected", &expected), ("got", &got)])
}

/// A number outside its range.
pub(crate) fn out_of_range(name: &str, expected: &str, got: impl fmt::Display) -> Error {
    Error::new(ErrorCode::BadValue, &[("name", &name), ("expected", &expected), ("got", &got)])
}

impl FromValue for usize {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let whole = value.as_u64().or_else(|| value.as_f64().filter(|x| x.fract() == 0.0 && *x >= 0.0).map(|x| x as u64));
        match whole {
            Some(whole) if whole <= LARGEST as u64 => Ok(whole as usize),
            _ => Err(bad_value(name, &format!("a whole number from 0 to {LARGEST}"), value).at(at)),
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let whole = value.as_i64().or_else(|| value.as_f64().filter(|x| x.fract() == 0.0).map(|x| x as i64));
        match whole {
            Some(whole) if whole.unsigned_abs() <= LARGEST as u64 => Ok(whole),
            _ => Err(bad_value(name, &format!("a whole number up to {LARGEST}"), value).at(at)),
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        match value.as_f64() {
            Some(number) if (number as f32).is_finite() => Ok(number),
            _ => Err(bad_value(name, "a number", value).at(at)),
        }
    }
}

impl FromValue for u32 {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let whole = value.as_f64().filter(|x| x.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(x));
        whole.map(|whole| whole as u32).ok_or_else(|| bad_value(name, "a whole number of 32 bits", value).at(at))
    }
}

impl FromValue for i32 {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        i64::from_value(value, name, at).map(|whole| whole as i32)
    }
}

/// NaN and infinities too ([`Exact`] makes texts of them): whoever uses the number says what is wrong with it.
impl FromValue for f32 {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let number = value.as_f64().map(|number| number as f32).or_else(|| value.as_str()?.parse().ok());
        number.ok_or_else(|| bad_value(name, "a number", value).at(at))
    }
}

impl FromValue for [f32; 2] {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let numbers = Vec::from_value(value, name, at)?;
        <[f32; 2]>::try_from(numbers).map_err(|_| bad_value(name, "two numbers", value).at(at))
    }
}

impl<T: FromValue> FromValue for BTreeMap<String, T> {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| bad_value(name, "an object", value).at(at))?;
        let mut values = BTreeMap::new();
        for (key, value) in map {
            values.insert(key.clone(), T::from_value(value, key, &format!("{at}.{key}"))?);
        }
        Ok(values)
    }
}

impl FromValue for bool {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        value.as_bool().ok_or_else(|| bad_value(name, "true or false", value).at(at))
    }
}

impl FromValue for String {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        value.as_str().map(str::to_owned).ok_or_else(|| bad_value(name, "a text", value).at(at))
    }
}

/// `null` is none, as `None` is in Keras.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::from_value(value, name, at).map(Some) }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let items = value.as_array().ok_or_else(|| bad_value(name, "a list", value).at(at))?;
        items.iter().enumerate().map(|(i, item)| T::from_value(item, name, &format!("{at}[{i}]"))).collect()
    }
}

/// Declares structs that are read from JSON by [`FromFields`] and written without what is default. A field without `=` must be given; a
/// field of type `Option` with `= None` may be. `: Default` after the name makes the defaults that of the struct; `: New` a constructor from what must be
/// given, which leaves all else at its default.
macro_rules! spec {
    (@struct [$($meta:tt)*] $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty $(= $default:expr)?;)* }) => {
        $($meta)*
        #[derive(Clone, Debug, PartialEq)]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
        pub struct $name {
            $(
                $(#[$field_meta])*
                $(
                    #[doc = ""]
                    #[doc = concat!(" Default: `", stringify!($default), "`.")]
                    #[cfg_attr(feature = "types", ts(optional, as = "Option<_>"))]
                )?
                pub $field: $kind,
            )*
        }

        impl $crate::fields::FromFields for $name {
            #[allow(unused_variables)]
            fn from_fields(fields: &mut $crate::fields::Fields) -> $crate::error::Result<Self> {
                Ok(Self { $($field: $crate::fields::spec!(@read fields, $field $(, $default)?),)* })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                #[allow(unused_mut)]
                let mut map = serializer.serialize_map(None)?;
                $($crate::fields::spec!(@write self, map, $field: $kind $(, $default)?);)*
                map.end()
            }
        }
    };
    (@all $name:ident { $($body:tt)* }) => {};
    (@all Default $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty = $default:expr;)* }) => {
        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
    (@all New $name:ident { $($body:tt)* }) => { $crate::fields::spec!(@new $name () () { $($body)* }); };
    (@new $name:ident ($($given:ident: $type:ty,)*) ($($field:ident = $value:expr,)*) {}) => {
        impl $name {
            /// With what must be given, and all else at its default.
            pub fn new($($given: $type),*) -> Self {
                Self { $($given,)* $($field: $value,)* }
            }
        }
    };
    (@new $name:ident $given:tt ($($defaults:tt)*) { $(#[$meta:meta])* $field:ident: $kind:ty = $default:expr; $($rest:tt)* }) => {
        $crate::fields::spec!(@new $name $given ($($defaults)* $field = $default,) { $($rest)* });
    };
    (@new $name:ident ($($given:tt)*) $defaults:tt { $(#[$meta:meta])* $field:ident: $kind:ty; $($rest:tt)* }) => {
        $crate::fields::spec!(@new $name ($($given)* $field: $kind,) $defaults { $($rest)* });
    };
    (@read $fields:ident, $field:ident) => { $fields.required(stringify!($field))? };
    (@read $fields:ident, $field:ident, $default:expr) => {
        match $fields.optional(stringify!($field))? {
            Some(value) => value,
            None => $default,
        }
    };
    (@write $self:ident, $map:ident, $field:ident: $kind:ty) => { $map.serialize_entry(stringify!($field), &$self.$field)? };
    (@write $self:ident, $map:ident, $field:ident: $kind:ty, $default:expr) => {
        let default: $kind = $default;
        if $self.$field != default {
            $map.serialize_entry(stringify!($field), &$self.$field)?;
        }
    };
    ($($(#[$meta:meta])* pub struct $name:ident $(: $all:ident)? { $($body:tt)* })*) => {$(
        $crate::fields::spec!(@struct [$(#[$meta])*] $name { $($body)* });
        $crate::fields::spec!(@all $($all)? $name { $($body)* });
    )*};
}
pub(crate) use spec;

/// Has serde read a type by its own `from_json`, so that wrong keys are never ignored and the typed error survives (see [`recover`]).
macro_rules! deserialize_from_json {
    ($($name:ty),*) => {$(
        impl $crate::fields::FromValue for $name {
            fn from_value(value: &serde_json::Value, _: &str, _: &str) -> $crate::error::Result<Self> {
                Self::from_json(value)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = $crate::fields::Exact::deserialize(deserializer)?;
                Self::from_json(&value.0).map_err($crate::fields::carry)
            }
        }
    )*};
}
pub(crate) use deserialize_from_json;

/// Packs a typed error into one of serde's, which can only hold a text.
pub(crate) fn carry<E: serde::de::Error>(error: Error) -> E {
    E::custom(serde_json::to_string(&error).unwrap_or(error.message))
}

/// The typed error that a failed deserialisation carried, or [`ErrorCode::BadSpec`] with serde's own text.
pub fn recover(error: impl fmt::Display) -> Error {
    let text = error.to_string();
    let packed = text.find('{').and_then(|start| {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Error>();
        values.next().and_then(Result::ok)
    });
    packed.unwrap_or_else(|| Error::new(ErrorCode::BadSpec, &[("reason", &text)]))
}

/// A JSON value read from any format; NaN and infinities, which JSON lacks, become the texts that name them, so that they are refused
/// where a number must be rather than taken for an absent value.
pub(crate) struct Exact(pub Value);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExactVisitor).map(Exact)
    }
}

struct ExactVisitor;

impl<'de> Visitor<'de> for ExactVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Exact(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Exact(value))) = entries.next_entry::<String, Exact>()? {
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
