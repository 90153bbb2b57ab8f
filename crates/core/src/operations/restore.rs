//! A copy of a snapshot in the place of the present database, which is data too and kept as a snapshot.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::iter;

use serde_json::{Value, json};

use super::{
    data::{Facts, Options},
    database::{DatabaseVolume, database, hanging, not_to_be_kept},
    opening::{Opening, node_image, unknown},
    refusal::{Refusal, Refusals},
    snapshot::{Purpose, restorable},
    volume_replacement::{VolumeReplacement, discard, is_empty, restored_claim, size, template},
};
use crate::{
    gate::{Incarnation, Source, found, name, text},
    names::{CLAIM, OPENED_BY_ANNOTATION},
    object::{bytes, uid},
    plan::{Effect, Finding, Guard, Loss, Plan, Step, Target},
    version::{ImageVersion, noted},
    wait::Wait,
};

const OPERATION: &str = "restore";

/// The plan of a restore of this snapshot.
///
/// # Errors
/// Everything that speaks against it.
pub fn plan(
    target: &Target,
    facts: &Facts,
    options: &Options,
    snapshot: &str,
) -> Result<Plan, Refusals> {
    let mut against = not_to_be_kept(facts, options);
    let replacement = VolumeReplacement::new(OPERATION, target, facts, options, &mut against);
    let source = restorable(target, facts, snapshot).map_err(|refusal| against.push(refusal));
    against.extend(source.iter().find_map(|source| empty_inside(source)));
    // Without a bound claim there is nothing to keep: an earlier operation may have ended there.
    let empty = facts.claim.as_ref().filter(|claim| is_empty(claim));
    let database = match &facts.claim {
        Some(_) if empty.is_none() => database(target, facts)
            .map(Some)
            .map_err(|refusals| against.extend(refusals)),
        _ => Ok(None),
    };
    against.extend(facts.claim.as_ref().and_then(|_| hanging(facts)));
    let nodes = source
        .as_ref()
        .ok()
        .map(|source| Nodes::of(source, options));
    against.extend(nodes.as_ref().and_then(|nodes| nodes.unsupported(snapshot)));
    let like = facts.claim.as_ref().or_else(|| template(options));
    if let (Ok(source), Some(like)) = (&source, like) {
        against.extend(too_large(snapshot, source, like));
    }
    let (Some(replacement), Ok(source), Ok(database), Some(like), []) =
        (replacement, source, database, like, &against[..])
    else {
        return Err(Refusals(against));
    };
    // While the node runs, and the tests with it.
    let examined = database
        .as_ref()
        .map(|_| replacement.examine(snapshot, uid(source), like));
    let mut steps = examined.unwrap_or_default();
    steps.extend(replacement.silence());
    let empty_claim = empty.and_then(uid);
    let nothing = replacement.on_claim(empty_claim.map_or(Incarnation::Absent, Incarnation::Is));
    steps.extend(match &database {
        Some(database) => out_of_the_way(&replacement, database, like, snapshot, source),
        None => iter::once(replacement.stop(nothing))
            .chain(empty.and_then(discard))
            .collect(),
    });
    steps.extend(replacement.change_node());
    steps.extend(in_its_place(&replacement, snapshot, source, like));
    steps.push(replacement.start(Some(replacement.on_claim(Incarnation::Made))));
    steps.extend(replacement.record_node());
    steps.extend(replacement.register());
    steps.extend(replacement.resume());
    steps.extend(replacement.prove());
    if let Some(database) = &database {
        steps.extend(replacement.release_volume(database, true));
        steps.push(replacement.forget_rehearsal());
    }
    let mut loses = vec![match &database {
        Some(database) => Loss::Database {
            claim: database.claim_uid.clone(),
        },
        None => Loss::Disruption {
            what: "the node is stopped while the volume is made".to_string(),
        },
    }];
    loses.extend(nodes.as_ref().and_then(Nodes::unknown));
    let notes = notes(&replacement, database.is_some());
    Ok(replacement.plan(steps, loses, notes))
}

/// The node that has opened what a snapshot holds, as far as that is noted, and the one that is to open the copy.
struct Nodes {
    opened_by: Option<ImageVersion>,
    node: ImageVersion,
}

impl Nodes {
    fn of(source: &Value, options: &Options) -> Self {
        Self {
            opened_by: noted(source),
            node: ImageVersion::of(node_image(&options.set).unwrap_or_default()),
        }
    }

    fn opening(&self) -> Opening {
        Opening::of(self.opened_by.as_ref(), &self.node)
    }

    fn unsupported(&self, snapshot: &str) -> Option<Refusal> {
        let Opening::Unsupported(rule) = self.opening() else {
            return None;
        };
        Some(Refusal::Version {
            name: snapshot.to_string(),
            opened_by: self.opened_by.as_ref()?.to_string(),
            node: self.node.to_string(),
            rule,
        })
    }

    fn unknown(&self) -> Option<Loss> {
        (self.opening() == Opening::Unknown).then(|| unknown(self.opened_by.as_ref(), &self.node))
    }
}

/// The present state is kept, and its claim goes.
fn out_of_the_way(
    replacement: &VolumeReplacement<'_>,
    database: &DatabaseVolume,
    live: &Value,
    snapshot: &str,
    source: &Value,
) -> Vec<Step> {
    let mut steps: Vec<Step> = replacement.keep_volume(database).into_iter().collect();
    steps.push(replacement.rehearse(database));
    steps.push(replacement.stop(replacement.kept(database)));
    steps.push(replacement.preserve(database, Purpose::BeforeRestore));
    steps.extend(replacement.verify(database, live));
    let source = uid(source).map(|uid| Source {
        name: snapshot.to_string(),
        uid,
    });
    steps.push(replacement.delete_claim(database, true, source));
    steps
}

/// The claim exists before the node starts, which would make an empty one, and is read before that: the
/// reader is also what makes the storage provide it (`WaitForFirstConsumer`).
fn in_its_place(
    replacement: &VolumeReplacement<'_>,
    snapshot: &str,
    source: &Value,
    like: &Value,
) -> Vec<Step> {
    let namespace = &replacement.target.environment;
    let mut object = restored_claim(namespace, CLAIM, snapshot, like);
    if let Some(opened_by) = noted(source) {
        let note = json!({OPENED_BY_ANNOTATION: opened_by.to_string()});
        object["metadata"]["annotations"] = note;
    }
    let create = Step::new(Effect::Create { object }, Guard::Absent, Wait::None)
        .why("before the node starts, which would make an empty one");
    let name = format!("{}-restored", replacement.stamp);
    let [read, end] = replacement.read(&name, CLAIM, None);
    let read = read.why("what was restored is a database; its volume is made for the reader");
    vec![create, read, end]
}

/// It need not be read once more.
fn empty_inside(snapshot: &Value) -> Option<Refusal> {
    (found(snapshot) == Some(Finding::Empty)).then(|| Refusal::NotReady {
        name: name(snapshot).to_string(),
        cause: "it was read and is EMPTY: it has no database".to_string(),
    })
}

fn too_large(name: &str, snapshot: &Value, like: &Value) -> Option<Refusal> {
    let needs = text(snapshot, "/status/restoreSize");
    (bytes(needs) > bytes(size(like))).then(|| Refusal::TooLarge {
        name: name.to_string(),
        needs: needs.to_string(),
        claim: size(like).to_string(),
    })
}

fn notes(replacement: &VolumeReplacement<'_>, is_kept: bool) -> Vec<String> {
    let flags = replacement.target.flags();
    let stamp = &replacement.stamp;
    let mut notes = if is_kept {
        vec![
            format!(
                "the present database is kept as VolumeSnapshot {stamp}, until it is deleted by name; the way back: cargo xtask restore {flags} -s {stamp}"
            ),
            "the node is stopped while the storage makes a snapshot and a volume: minutes, and hours for large ones; until the claim is deleted everything can be taken back".to_string(),
        ]
    } else {
        vec!["there is no database at present: nothing is lost".to_string()]
    };
    notes.extend(replacement.told("the copy"));
    notes
}
