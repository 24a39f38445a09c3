//! What the engine and the page exchange, and both know by the same names. What the page sends is read from one JSON-like value by code that
//! knows no format: serde's own would be made for every type and format anew, and was a sixth of the engine's download.

use serde_json::Value;

use crate::error::{Error, ErrorCode, Result};
use crate::fields::{FromValue, bad_value};

/// Types of the worker protocol: serde writes them with JavaScript's names, and they have a TypeScript twin under the feature `types`.
macro_rules! wire {
    ($($(#[$meta:meta])* pub $kind:ident $name:ident $body:tt)*) => {$(
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", optional_fields))]
        $(#[$meta])*
        #[allow(clippy::large_enum_variant)]
        pub $kind $name $body
    )*};
}

/// Those that the page sends: they are read, too.
macro_rules! asked {
    ($($(#[$meta:meta])* pub $kind:ident $name:ident $body:tt)*) => {
        wire! { $($(#[$meta])* pub $kind $name $body)* }
        $($crate::wire::read! { $kind $name $body })*
    };
}

/// Reads a struct from an object; an enum from the name of its variant, or from an object whose `type` that is.
macro_rules! read {
    (struct $name:ident { $($(#[$meta:meta])* pub $field:ident: $type:ty,)* }) => {
        impl $crate::fields::FromValue for $name {
            fn from_value(value: &serde_json::Value, name: &str, at: &str) -> $crate::error::Result<Self> {
                let record = $crate::wire::Record::of(value, name, at)?;
                record.only(&[$(stringify!($field)),*])?;
                Ok(Self { $($field: record.field(stringify!($field))?,)* })
            }
        }
    };
    (enum $name:ident { $($(#[$meta:meta])* $variant:ident $({ $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })?,)* }) => {
        impl $crate::fields::FromValue for $name {
            fn from_value(value: &serde_json::Value, name: &str, at: &str) -> $crate::error::Result<Self> {
                let record = $crate::wire::Record { value, name, at };
                $(if record.is(stringify!($variant)) {
                    return Ok(Self::$variant $({ $($field: record.field(stringify!($field))?,)* })?);
                })*
                Err(record.unknown())
            }
        }
    };
}
pub(crate) use read;

/// An object, or a word, that is being read.
pub(crate) struct Record<'a> {
    pub value: &'a Value,
    pub name: &'a str,
    pub at: &'a str,
}

impl<'a> Record<'a> {
    /// An object.
    pub fn of(value: &'a Value, name: &'a str, at: &'a str) -> Result<Self> {
        if value.is_object() { Ok(Self { value, name, at }) } else { Err(bad_value(name, "an object", value).at(at)) }
    }

    /// Refuses keys beside the fields that Rust calls so.
    pub fn only(&self, fields: &[&str]) -> Result<()> {
        let known: Vec<String> = fields.iter().map(|field| camel(field)).collect();
        let Some(unknown) = self.value.as_object().and_then(|map| map.keys().find(|key| !known.contains(key))) else { return Ok(()) };
        let expected = known.join(", ");
        Err(Error::new(ErrorCode::UnknownKey, &[("what", &self.name), ("got", unknown), ("expected", &expected)]).at(self.at))
    }

    /// The field that Rust calls so; one that is missing is null.
    pub fn field<T: FromValue>(&self, field: &str) -> Result<T> {
        let (value, key, place) = self.find(field);
        T::from_value(value, &key, &place)
    }

    /// A field's value, key and place: apart from what is made for every type anew.
    #[inline(never)]
    fn find(&self, field: &str) -> (&'a Value, String, String) {
        let key = camel(field);
        let place = if self.at.is_empty() { key.clone() } else { format!("{}.{key}", self.at) };
        (self.value.get(&key).unwrap_or(&Value::Null), key, place)
    }

    fn word(&self) -> &str {
        self.value.get("type").unwrap_or(self.value).as_str().unwrap_or_default()
    }

    /// Whether it is the variant that Rust calls so.
    pub fn is(&self, variant: &str) -> bool {
        let (mut word, mut variant) = (self.word().chars(), variant.chars());
        word.next() == variant.next().map(|first| first.to_ascii_lowercase()) && word.eq(variant)
    }

    /// That it is none.
    pub fn unknown(&self) -> Error {
        Error::new(ErrorCode::UnknownName, &[("kind", &self.name), ("got", &self.word())]).at(self.at)
    }
}

/// JavaScript's name of a field: `batch_size` is `batchSize`.
fn camel(field: &str) -> String {
    let mut words = field.split('_');
    let mut key = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        key.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        key.push_str(letters.as_str());
    }
    key
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::error::ErrorCode;
    use crate::fields::FromValue;

    asked! {
        /// A request.
        #[serde(tag = "type", rename_all_fields = "camelCase")]
        pub enum Asked {
            /// Nothing more.
            OnlyThis,
            /// With fields.
            More {
                /// A number.
                batch_size: usize,
                /// One that may be missing.
                learning_rate: Option<f32>,
                /// A list.
                inner: Vec<Inner>,
            },
        }

        /// A part of it.
        pub struct Inner {
            /// Two numbers.
            pub point: [f32; 2],
        }
    }

    fn read(value: Value) -> crate::error::Result<Asked> {
        Asked::from_value(&value, "request", "")
    }

    #[test]
    fn what_serde_writes_is_read() {
        let inner = vec![Inner { point: [0.5, -2.0] }];
        for asked in [Asked::OnlyThis, Asked::More { batch_size: 3, learning_rate: None, inner }] {
            assert_eq!(read(serde_json::to_value(&asked).expect("JSON")).expect("the same"), asked);
        }
        assert_eq!(read(json!("onlyThis")).expect("a word"), Asked::OnlyThis);
        let rate = json!({ "type": "more", "batchSize": 1.0, "learningRate": "NaN", "inner": [] });
        assert!(matches!(read(rate), Ok(Asked::More { learning_rate: Some(rate), .. }) if rate.is_nan()));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let cases = [
            (json!({ "type": "less" }), ErrorCode::UnknownName, None),
            (json!(3), ErrorCode::UnknownName, None),
            (json!({ "type": "more", "inner": [] }), ErrorCode::BadValue, Some("batchSize")),
            (json!({ "type": "more", "batchSize": 1, "inner": [{ "point": [1, 2] }, 7] }), ErrorCode::BadValue, Some("inner[1]")),
            (json!({ "type": "more", "batchSize": 1, "inner": [{ "point": [1, 2, 3] }] }), ErrorCode::BadValue, Some("inner[0].point")),
            (json!({ "type": "more", "batchSize": 1, "inner": [{ "point": [1, 2], "pint": 1 }] }), ErrorCode::UnknownKey, Some("inner[0]")),
        ];
        for (value, code, at) in cases {
            let error = read(value).expect_err("a mistake");
            assert_eq!((error.code, error.at.as_deref().filter(|at| !at.is_empty())), (code, at), "{error}");
        }
    }
}
