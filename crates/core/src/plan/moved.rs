//! What a plan is apart from the time at which it was made, and how another one differs from it: for whoever has to
//! answer again.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;

use serde_json::{Value, json};

use super::{Effect, Plan};
use crate::change::changes;

/// A step without generated names.
pub(super) struct Masked {
    /// What is done, in words.
    act: String,
    /// What is hashed of it.
    pub(super) document: Value,
}

impl Plan {
    /// The steps from this one on, but for what is only waited for.
    pub(super) fn masked(&self, first: usize) -> Vec<Masked> {
        let snapshots = self.steps.iter().filter_map(|step| match &step.act {
            Effect::Snapshot { object, .. } => object.pointer("/metadata/name")?.as_str(),
            _ => None,
        });
        let names = snapshots.chain(self.generated.iter().map(String::as_str));
        let mut generated: Vec<(&str, String)> = names
            .enumerate()
            .map(|(index, name)| (name, format!("(generated {index})")))
            .collect();
        // A name that begins like another one must not be taken for it.
        generated.sort_by_key(|(name, _)| Reverse(name.len()));
        self.steps
            .iter()
            .skip(first)
            .filter(|step| !step.act.is_watch())
            .map(|step| {
                let mut document =
                    json!({"act": step.act, "guard": step.guard, "changes": step.changes});
                mask(&mut document, &generated);
                let act = masked(&step.act.to_string(), &generated);
                Masked { act, document }
            })
            .collect()
    }

    /// What another plan does otherwise than this one, whose first steps are done.
    pub(crate) fn moved(&self, first: usize, now: &Plan) -> Vec<String> {
        let (before, after) = (self.masked(first), now.masked(0));
        let of = |steps: &[Masked], act: &str| steps.iter().position(|step| step.act == act);
        let mut moved: Vec<String> = before
            .iter()
            .filter_map(|old| match of(&after, &old.act) {
                None => Some(format!("no longer: {}", old.act)),
                Some(at) => differs(old, &after[at]),
            })
            .collect();
        let new = after.iter().filter(|new| of(&before, &new.act).is_none());
        moved.extend(new.map(|new| format!("now too: {}", new.act)));
        if moved.is_empty() {
            moved.push(
                "the order of the steps, where it happens, or what is lost by it".to_string(),
            );
        }
        moved
    }
}

/// How the same step differs.
fn differs(old: &Masked, new: &Masked) -> Option<String> {
    let found = changes(&old.document, &new.document);
    let is = |name: &str| {
        let mut paths = found.iter().map(|change| change.path.as_str());
        paths.any(|path| path.starts_with("guard.") && path.ends_with(name))
    };
    let how = match () {
        () if found.is_empty() => return None,
        () if is(".uid") => "its object is another one by now",
        () if is(".intent") => "its object was changed",
        () if is("") => "what must hold before it is something else",
        () => "what it writes is something else",
    };
    Some(format!("{}: {how}", old.act))
}

fn masked(text: &str, generated: &[(&str, String)]) -> String {
    let mask = |text: String, (name, by): &(&str, String)| text.replace(*name, by);
    generated.iter().fold(text.to_string(), mask)
}

/// Puts something else in place of each generated name, also where it is a part of another one.
fn mask(value: &mut Value, generated: &[(&str, String)]) {
    match value {
        Value::String(text) => *text = masked(text, generated),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, generated)),
        Value::Object(fields) => fields.values_mut().for_each(|field| mask(field, generated)),
        _ => {}
    }
}
