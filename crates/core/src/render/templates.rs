//! The templates, parsed once.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use handlebars::Handlebars;
use serde::Serialize;
use serde_json::Value;

use super::{
    Place, RenderError, Rendered, SHARED, TEMPLATES,
    condition::If,
    labels::{self, Scope},
    quote, strict, yaml,
};

const SUFFIX: &str = ".hbs";

/// What makes handlebars write a value as it is, and with it whatever YAML is in it.
const RAW: [&str; 4] = ["{{{", "{{~{", "{{&", "{{~&"];

/// All templates, ready to be filled in.
#[derive(Debug)]
pub struct Templates {
    registry: Handlebars<'static>,
    /// The paths of those that make files.
    files: BTreeSet<String>,
    /// The paths of those that others include, by the name they do it under.
    parts: BTreeMap<String, String>,
}

impl Templates {
    /// Parses templates: their paths relative to the project's root, and their texts. A file whose name
    /// begins with `_` is included by others, under its name without `_` and `.hbs`.
    ///
    /// # Errors
    /// The first, by path, that cannot be parsed, or has the name of another that is included.
    pub fn new<P, T>(files: impl IntoIterator<Item = (P, T)>) -> Result<Self, RenderError>
    where
        P: AsRef<str>,
        T: AsRef<str>,
    {
        let texts: BTreeMap<String, T> = files
            .into_iter()
            .map(|(path, text)| (path.as_ref().to_string(), text))
            .collect();
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        registry.register_escape_fn(quote::escape);
        registry.register_helper("quote", Box::new(quote::Quote));
        registry.register_helper("if", Box::new(If { positive: true }));
        registry.register_helper("unless", Box::new(If { positive: false }));
        let mut files = BTreeSet::new();
        let mut parts = BTreeMap::new();
        for (path, text) in &texts {
            let text = text.as_ref();
            let refuse = |place, message: String, hint: &str| RenderError {
                file: path.clone(),
                place,
                message,
                hint: Some(hint.to_string()),
            };
            if let Some(place) = raw(text) {
                return Err(refuse(
                    place,
                    "a value here would be inserted unquoted".to_string(),
                    "write {{quote …}}, or two plain braces",
                ));
            }
            let name = path
                .rsplit_once('/')
                .map_or(path.as_str(), |(_, name)| name);
            let included = name
                .strip_prefix('_')
                .and_then(|name| name.strip_suffix(SUFFIX));
            registry
                .register_template_string(included.unwrap_or(path), text)
                .map_err(|error| RenderError::template(path, text, &error))?;
            match included {
                None => {
                    files.insert(path.clone());
                }
                Some(part) => {
                    if let Some(other) = parts.insert(part.to_string(), path.clone()) {
                        return Err(refuse(
                            Place::File { line: 1, column: 1 },
                            format!("`{{{{> {part}}}}}` is {other} already"),
                            "what is included needs a name of its own, whatever its folder",
                        ));
                    }
                }
            }
        }
        Ok(Self {
            registry,
            files,
            parts,
        })
    }

    /// Fills in the templates of a scope. One that makes nothing makes no file.
    pub(super) fn render(
        &self,
        scope: &Scope<'_>,
        values: &impl Serialize,
    ) -> Result<Vec<Rendered>, RenderError> {
        let mut rendered = Vec::new();
        let whole = |error: &dyn core::fmt::Display| RenderError {
            file: TEMPLATES.to_string(),
            place: Place::File { line: 1, column: 1 },
            message: error.to_string(),
            hint: None,
        };
        let values: Value = serde_json::to_value(values).map_err(|error| whole(&error))?;
        let context = handlebars::Context::wraps(&values).map_err(|error| whole(&error))?;
        for file in &self.files {
            let path = file
                .strip_prefix(TEMPLATES)
                .and_then(|path| path.strip_prefix('/'))
                .unwrap_or(file);
            let component = path.split_once('/').map_or("", |(component, _)| component);
            if (component == SHARED) != (*scope == Scope::Shared) {
                continue;
            }
            let text = self
                .registry
                .render_with_context(file, &context)
                .map_err(|error| {
                    let at = error.template_name.as_ref().unwrap_or(file);
                    RenderError::filling(self.parts.get(at).unwrap_or(at), &values, &error)
                })?;
            let objects = yaml::parse(file, &text)?;
            for object in &objects {
                strict::check(file, object)?;
                labels::check(file, object, scope)?;
            }
            if !objects.is_empty() {
                let path = path.strip_suffix(SUFFIX).unwrap_or(path);
                // The files of what is shared are in a folder of that name already.
                let path = path
                    .strip_prefix(SHARED)
                    .and_then(|path| path.strip_prefix('/'))
                    .unwrap_or(path);
                rendered.push(Rendered {
                    path: path.to_string(),
                    text,
                    objects,
                });
            }
        }
        Ok(rendered)
    }
}

fn raw(text: &str) -> Option<Place> {
    text.lines().enumerate().find_map(|(index, line)| {
        let at = RAW.iter().filter_map(|braces| line.find(braces)).min()?;
        Some(Place::File {
            line: index + 1,
            column: line[..at].chars().count() + 1,
        })
    })
}
