//! Plans as people read them.

use std::fmt::Write as _;

use longrun_core::{
    change::Change,
    plan::{Checked, Effect, Loss, Plan, Step},
};
use longrun_kubernetes::Progress;
use serde::Serialize;
use serde_json::Value;

use crate::{failure::Failure, terminal::Terminal};

mod data;
mod hour;
mod status;
mod triage;

pub(crate) use data::{checklist, choice, orphans, pruned, snapshots};
pub(crate) use status::{status, together, unseen};
pub(crate) use triage::{failures, report};

/// A change's values longer than this are cut: the whole is in `--output json`.
const WIDEST: usize = 100;

/// A plan as a document, with the digest that `--approve` takes.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    digest: String,
    #[serde(flatten)]
    plan: &'a Plan,
}

pub(crate) fn document(plan: &Plan) -> Document<'_> {
    Document {
        digest: plan.digest().to_string(),
        plan,
    }
}

/// Prints a plan as the result of a dry run; the last line says how to go on.
pub(crate) fn dry_run(planned: &Plan, last: &str, terminal: &Terminal) -> Result<(), Failure> {
    terminal.data(&document(planned), || {
        format!("{}\n{last}", plan(planned).trim_end())
    })
}

/// The last line of a dry run whose plan can be approved by its digest.
pub(crate) fn to_approve(plan: &Plan) -> String {
    if plan.is_empty() {
        return "nothing is to be done".to_owned();
    }
    format!(
        "nothing was changed; to do exactly this: --approve {}",
        plan.digest().short()
    )
}

/// The plan, step by step, with the fields that change.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut text = format!("{} {}: {}\n", plan.operation, plan.target, summary(plan));
    for step in &plan.steps {
        if is_plain_wait(step) {
            continue;
        }
        text.push_str(&line(step));
        if !step.why.is_empty() {
            let _ = writeln!(text, "      {}", step.why);
        }
        for change in &step.changes {
            let _ = writeln!(text, "      {}", shortened(change));
        }
    }
    let waits: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| is_plain_wait(step))
        .filter_map(|step| Some(step.act.object()?.to_string()))
        .collect();
    if !waits.is_empty() {
        let _ = writeln!(text, "  then wait for {}", waits.join(", "));
    }
    for loss in &plan.loses {
        let _ = writeln!(text, "  ! {}", lost(loss));
    }
    for note in &plan.notes {
        let _ = writeln!(text, "  note: {note}");
    }
    text
}

/// A wait that needs no reason is told with the others.
fn is_plain_wait(step: &Step) -> bool {
    step.act.is_watch() && step.why.is_empty()
}

fn line(step: &Step) -> String {
    let sign = match &step.act {
        Effect::Create { .. } | Effect::Snapshot { .. } => "+",
        Effect::Delete { .. } | Effect::Discard { .. } => "-",
        Effect::Update { .. }
        | Effect::Suspend { .. }
        | Effect::Scale { .. }
        | Effect::Interrupt { .. }
        | Effect::Grow { .. }
        | Effect::Inject { .. }
        | Effect::RecordFinding { .. }
        | Effect::RecordNode { .. }
        | Effect::Reclaim { .. } => "~",
        Effect::Watch { .. } => "…",
    };
    let checked = if step.checked == Checked::Locally {
        "  (checked locally)"
    } else {
        ""
    };
    format!("  {sign} {}{checked}\n", step.act)
}

/// `18 to create, 2 to update`
fn summary(plan: &Plan) -> String {
    let count =
        |what: fn(&Effect) -> bool| plan.steps.iter().filter(|step| what(&step.act)).count();
    let counts = [
        (
            count(|act| matches!(act, Effect::Create { .. })),
            "to create",
        ),
        (
            count(|act| matches!(act, Effect::Update { .. } | Effect::Grow { .. })),
            "to update",
        ),
        (
            count(|act| matches!(act, Effect::Delete { .. } | Effect::Discard { .. })),
            "to delete",
        ),
        (
            count(|act| matches!(act, Effect::Snapshot { .. })),
            "to snapshot",
        ),
        (
            count(|act| matches!(act, Effect::Suspend { .. })),
            "to suspend or resume",
        ),
        (
            count(|act| matches!(act, Effect::Scale { .. })),
            "to stop or start",
        ),
        (
            count(|act| matches!(act, Effect::RecordNode { .. })),
            "to note",
        ),
        (
            count(|act| matches!(act, Effect::Inject { .. })),
            "to strike or take back",
        ),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match (parts.is_empty(), plan.is_empty()) {
        (true, true) => "nothing to do".to_owned(),
        (true, false) => "nothing to change; not everything runs yet".to_owned(),
        (false, _) => parts.join(", "),
    }
}

pub(crate) fn progress(progress: &Progress<'_>) -> String {
    match progress {
        Progress::Step { index, of, step } => format!("{}/{of} {}", index + 1, step.act),
        Progress::Waiting {
            index,
            of,
            step,
            cause,
            latest,
            ..
        } => {
            let object = step
                .act
                .object()
                .map_or_else(String::new, |object| object.to_string());
            let news = latest.filter(|warning| !cause.contains(&warning.message));
            let latest = news.map_or_else(String::new, |warning| {
                format!("; {}: {}", warning.reason, warning.message)
            });
            format!("{}/{of} {object}: {cause}{latest}", index + 1)
        }
        Progress::Ended { index, of, step } => format!("{}/{of} {}: done", index + 1, step.act),
        Progress::Undoing { effect } => format!("taking back: {effect}"),
        Progress::Note(note) => (*note).to_owned(),
    }
}

/// What a loss means for the reader.
fn lost(loss: &Loss) -> String {
    match loss {
        Loss::Disruption { what } => what.clone(),
        Loss::Copy { name } => format!("the copy {name} is deleted"),
        Loss::Evidence { job } => {
            format!("what the failed Job {job} left is deleted with its pods and logs")
        }
        Loss::Snapshot { name } => format!("the snapshot {name} is deleted with its data"),
        Loss::Incomparable { opened_by, node } => {
            let what = match opened_by {
                Some(opened_by) => format!("A DATABASE THAT {opened_by} HAS OPENED"),
                None => "A DATABASE OF WHICH NOBODY HAS NOTED WHO OPENED IT".to_owned(),
            };
            format!("RESTATE {node} OPENS {what}: WHETHER IT CAN IS NOT KNOWN")
        }
        Loss::Database { claim } => format!("THE DATABASE IS DELETED (claim UID {claim})"),
        Loss::OnlyCopy { claim } => {
            format!("THE DATABASE IS DELETED AND NO COPY IS KEPT (claim UID {claim})")
        }
    }
}

fn shortened(change: &Change) -> String {
    let value = |value: &Option<Value>| match value {
        None => "(none)".to_owned(),
        Some(value) => cut(&value.to_string()),
    };
    format!(
        "{}: {} → {}",
        change.path,
        value(&change.before),
        value(&change.after)
    )
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
