//! The layers inside `core`: a module uses those of its own line and of the lines before, and no other.

use std::path::Path;

use super::{root, tracked};

/// From the bottom up. A plan is made of gates and waits, and the file of an environment names faults.
const LAYERS: [&[&str]; 14] = [
    &["names", "known", "nearest", "network"],
    &["object"],
    &["applied", "change", "schedule", "version"],
    &["cluster"],
    &["gate", "wait"],
    &["plan"],
    &["approval"],
    &["journal"],
    &["execution", "faults"],
    &["inputs"],
    &["operations", "render"],
    &["triage"],
    &["records"],
    &["lib"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules that a file uses by `crate::…`, with the lines where it does. Comments and tests may name all.
fn used(text: &str) -> Vec<(usize, String)> {
    let product = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = product.unwrap_or_default().lines();
    let code: Vec<&str> = lines
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let code = code.join("\n");
    let places = code.match_indices("crate::");
    // `$crate::` of a macro, and `crate::…` alone.
    places
        .flat_map(|(at, path)| {
            let line = code[..at].lines().count();
            let rest = &code[at + path.len()..];
            names(rest).into_iter().map(move |name| (line, name))
        })
        .collect()
}

/// The first names of a path or of a group of paths.
fn names(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        return first(rest).into_iter().collect();
    };
    let (mut depth, mut names, mut begins) = (1, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => begins = true,
            _ if begins && !character.is_whitespace() => {
                names.extend(first(&group[at..]));
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn first(path: &str) -> Option<String> {
    let word = path.split(|one: char| !one.is_alphanumeric() && one != '_');
    let word = word.into_iter().next()?;
    (!word.is_empty()).then(|| word.to_owned())
}

#[test]
fn paths_are_found_in_groups_and_alone() {
    let text = "use crate::{\n    gate::{Gate, name},\n    wait,\n};\n// crate::records\nlet a = crate::plan::shared::map();\n#[cfg(test)]\nmod tests {\n    use crate::triage;\n}\n";
    let found: Vec<String> = used(text).into_iter().map(|(_, name)| name).collect();
    assert_eq!(found, ["gate", "wait", "plan"]);
}

#[test]
fn modules_of_core_use_only_the_layers_before_them() {
    let mut wrong = Vec::new();
    for file in tracked() {
        let Some(path) = file.strip_prefix("crates/core/src/") else {
            continue;
        };
        let is_test = path.contains("/tests");
        if is_test || Path::new(path).extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let module = path.split(['/', '.']).next().unwrap_or_default();
        let Some(own) = layer(module) else {
            wrong.push(format!("{file} is in no layer"));
            continue;
        };
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for (line, name) in used(&text) {
            if layer(&name).is_none_or(|used| used > own) {
                wrong.push(format!("{file}:{line} uses {name}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "ARCHITECTURE.md has the layers of core, from the bottom up:\n{}",
        wrong.join("\n")
    );
}
