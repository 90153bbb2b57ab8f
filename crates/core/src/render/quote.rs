//! How values get into templates: written by the YAML writer, so that none can break out of its place.

use alloc::{
    format,
    string::{String, ToString},
};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderErrorReason,
};
use serde_json::Value;
use serde_yaml::SerializerOptions;

/// `{{quote a "/" b}}`: one YAML scalar. A single value keeps its type, several are joined to a text.
pub(super) struct Quote;

impl HelperDef for Quote {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let params = helper.params();
        for param in params {
            if param.is_value_missing() {
                return Err(
                    RenderErrorReason::MissingVariable(param.relative_path().cloned()).into(),
                );
            }
            if param.value().is_array() || param.value().is_object() || param.value().is_null() {
                return Err(
                    RenderErrorReason::InvalidParamType("a text, a number or a boolean").into(),
                );
            }
        }
        let written = match params.as_slice() {
            [] => return Err(RenderErrorReason::ParamNotFoundForIndex("quote", 0).into()),
            [one] => scalar(one.value()),
            several => scalar(&Value::String(
                several.iter().map(|param| text(param.value())).collect(),
            )),
        };
        let written = written.map_err(|error| RenderErrorReason::NestedError(error.into()))?;
        out.write(&written)?;
        Ok(())
    }
}

/// What `{{value}}` alone writes: numbers as they are, everything else as `quote` would. A text of digits
/// only would become a number; the check of the object's types finds that.
pub(super) fn escape(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_string();
    }
    // Writing a text cannot fail; were it to, the marker is no YAML.
    scalar(&Value::String(text.to_string())).unwrap_or_else(|_| "\0".to_string())
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToString::to_string)
}

/// A scalar on one line.
fn scalar(value: &Value) -> Result<String, String> {
    let options: SerializerOptions = serde_yaml::ser_options! { prefer_block_scalars: false };
    let mut written =
        serde_yaml::to_string_with_options(value, options).map_err(|error| format!("{error}"))?;
    written.truncate(written.trim_end_matches('\n').len());
    Ok(written)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// In the places where templates put values: of a mapping, of a list, nested.
    fn read_back(written: &str) -> Vec<Value> {
        let text = format!(
            "a:\n- b: {written}\n  c: 1\n- {written}\n- d:\n    e: {written} # a comment\n"
        );
        let value: Value =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(value["a"][0]["c"], 1, "{text}");
        [
            &value["a"][0]["b"],
            &value["a"][1],
            &value["a"][2]["d"]["e"],
        ]
        .into_iter()
        .cloned()
        .collect()
    }

    fn survives(text: &str) {
        let value = Value::String(text.to_string());
        let written = scalar(&value).unwrap();
        assert!(!written.contains('\n'), "{written:?}");
        assert_eq!(read_back(&written), [value.clone(), value.clone(), value]);
    }

    #[test]
    fn what_is_not_a_text_elsewhere_stays_one() {
        for text in [
            "",
            " ",
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "~",
            "null",
            "true",
            "1",
            "1_000",
            "0x1f",
            "0o17",
            "017",
            "1e3",
            ".5",
            "1.",
            ".inf",
            ".nan",
            "12:30:45",
            "2026-11-23",
            "=",
            "<<",
            "- a",
            "a: b",
            "a #b",
            "#",
            "{}",
            "[",
            "&a",
            "*a",
            "!t",
            "|",
            ">",
            "%",
            "@",
            "`",
            "'",
            "\"",
            "\\",
            "? a",
            "---",
            "...",
            "a\nb",
            "\n",
            "a\n",
            "\ta",
            "a\tb",
            "\r\n",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\0",
            "\u{7f}",
            "🔑",
            ": #{}\n- x",
        ] {
            survives(text);
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            survives(&text);
        }

        #[test]
        fn yaml_shaped_texts_survive(text in "[ \t\n\r:#{}\\[\\],&*!|>'\"%@`?\\-~=<0-9a-fnoxyN._\\\\]{0,40}") {
            survives(&text);
        }

        #[test]
        fn long_texts_stay_on_one_line(text in "[a-z :#\n]{100,400}") {
            survives(&text);
        }

        #[test]
        fn numbers_stay_numbers(number in any::<i64>()) {
            let value = Value::from(number);
            prop_assert_eq!(&read_back(&scalar(&value).unwrap())[0], &value);
        }
    }
}
