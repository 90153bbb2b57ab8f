//! The one way in for values that are written as text: parsed once, kept as written, described in the
//! JSON Schema by the same pattern that a person can read.

/// A value from a literal that is known to be right: for defaults.
pub(super) trait Literal {
    fn of(literal: &'static str) -> Self;
}

/// Declares a type for a value that is written as text. `$check` answers why a text is refused: what is
/// wrong and, on a second line, what would be right.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, check: $check:path, pattern: $pattern:literal, example: $example:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "alloc::string::String", into = "alloc::string::String")]
        pub struct $name(alloc::string::String);

        impl $name {
            /// As it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl $crate::inputs::text::Literal for $name {
            fn of(literal: &'static str) -> Self {
                debug_assert_eq!($check(literal), Ok(()));
                Self(alloc::string::String::from(literal))
            }
        }

        impl TryFrom<alloc::string::String> for $name {
            type Error = alloc::string::String;

            fn try_from(text: alloc::string::String) -> Result<Self, Self::Error> {
                $check(&text).map(|()| Self(text))
            }
        }

        impl core::str::FromStr for $name {
            type Err = alloc::string::String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(alloc::string::String::from(text))
            }
        }

        impl From<$name> for alloc::string::String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> alloc::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "examples": [$example],
                })
            }
        }
    };
}

pub(super) use text_type;
