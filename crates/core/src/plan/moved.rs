//! What a plan is apart from the time at which it was made, and how another one differs from it: for whoever has to
//! answer again.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;

use serde_json::{Value, json};

use super::{Effect, Plan, Step};
use crate::change::changes;

/// A step without generated names: what is done, in words, and what is hashed of it.
type Masked = (String, Value);

impl Plan {
    /// What is hashed of the steps from this one on, but for what is only waited for.
    pub(super) fn documents(&self, first: usize) -> Vec<Value> {
        let generated = self.generated();
        let document = |step: &Step| {
            let mut document =
                json!({"act": step.act, "guard": step.guard, "changes": step.changes});
            mask(&mut document, &generated);
            document
        };
        self.writes(first).map(document).collect()
    }

    /// What another plan does otherwise than this one, whose first steps are done.
    pub(crate) fn moved(&self, first: usize, now: &Plan) -> Vec<String> {
        let (before, after) = (self.told(first), now.told(0));
        let of = |steps: &[Masked], act: &str| steps.iter().position(|(other, _)| other == act);
        let mut moved: Vec<String> = before
            .iter()
            .filter_map(|old| match of(&after, &old.0) {
                None => Some(format!("no longer: {}", old.0)),
                Some(at) => differs(old, &after[at]),
            })
            .collect();
        let new = after.iter().filter(|(act, _)| of(&before, act).is_none());
        moved.extend(new.map(|(act, _)| format!("now too: {act}")));
        if moved.is_empty() {
            moved.push("the order of the steps, the target or the losses changed".to_string());
        }
        moved
    }

    fn told(&self, first: usize) -> Vec<Masked> {
        let generated = self.generated();
        let act = |step: &Step| {
            let mut act = step.act.to_string();
            mask_text(&mut act, &generated);
            act
        };
        self.writes(first)
            .map(act)
            .zip(self.documents(first))
            .collect()
    }

    fn writes(&self, first: usize) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter().skip(first);
        steps.filter(|step| !step.act.is_watch())
    }

    /// Names that hold the time at which the plan was made, and what stands for them.
    fn generated(&self) -> Vec<(&str, String)> {
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
        generated
    }
}

/// How the same step differs.
fn differs((act, old): &Masked, (_, new): &Masked) -> Option<String> {
    let found = changes(old, new);
    let is = |name: &str| {
        let mut paths = found.iter().map(|change| change.path.as_str());
        paths.any(|path| path.starts_with("guard.") && path.ends_with(name))
    };
    let how = match () {
        () if found.is_empty() => return None,
        () if is(".uid") => "its object has been recreated",
        () if is(".intent") => "its object was changed",
        () if is("") => "its precondition changed",
        () => "what it writes changed",
    };
    Some(format!("{act}: {how}"))
}

/// Puts something else in place of each generated name, also where it is a part of another one.
fn mask(value: &mut Value, generated: &[(&str, String)]) {
    match value {
        Value::String(text) => mask_text(text, generated),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, generated)),
        Value::Object(fields) => fields.values_mut().for_each(|field| mask(field, generated)),
        _ => {}
    }
}

fn mask_text(text: &mut String, generated: &[(&str, String)]) {
    for (name, by) in generated {
        if text.contains(*name) {
            *text = text.replace(*name, by);
        }
    }
}
