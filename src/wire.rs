//! What the engine and the page exchange, and both know by the same names.

/// Types of the worker protocol: serde with JavaScript's names, and a TypeScript twin under the feature `types`.
macro_rules! wire {
    ($($(#[$meta:meta])* pub $kind:ident $name:ident $body:tt)*) => {$(
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", optional_fields))]
        $(#[$meta])*
        #[allow(clippy::large_enum_variant)]
        pub $kind $name $body
    )*};
}
