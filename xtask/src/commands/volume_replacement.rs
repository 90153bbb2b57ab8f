//! What `wipe` and `restore` say in the end.

use longrun_core::{
    journal::{Checklist, Journal},
    operations::{
        opening::node_started,
        snapshot::{Kept, taken},
    },
    plan::Effect,
    version::ImageVersion,
};
use longrun_kubernetes::{Client, kept_by};
use serde::Serialize;

use crate::{
    failure::{ExitStatus, Failure},
    operation::Operation,
    terminal::Terminal,
};

/// An operation on the database, as a document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended<'a> {
    #[serde(flatten)]
    checklist: Checklist,
    /// The snapshot of what was there before; what it is good for is in the checklist.
    snapshot: Option<&'a str>,
    /// The image of the node that opens what is there now.
    image: Option<&'a str>,
    /// For how long the node was stopped, in seconds.
    stopped_seconds: Option<i64>,
}

/// The closing screen of an operation that came to its end.
pub(crate) async fn report(
    client: &Client,
    journal: &Journal,
    operation: Operation<'_>,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let plan = journal.plan();
    let failed = journal
        .notes()
        .into_iter()
        .find(|(effect, _)| is_test(effect));
    operation.done(&match failed {
        None => format!("{} of {}: done", plan.operation, plan.target),
        Some((_, cause)) => format!(
            "{} of {}: done, but the test failed: {cause}",
            plan.operation, plan.target
        ),
    });
    print(client, journal, terminal).await
}

pub(crate) async fn print(
    client: &Client,
    journal: &Journal,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let ended = Ended {
        checklist: Checklist {
            kept: kept_by(client, journal).await,
            ..journal.checklist()
        },
        snapshot: taken(journal),
        image: node_started(journal),
        stopped_seconds: journal.stopped_for().map(|stopped| stopped.as_secs()),
    };
    terminal.data(&ended, || screen(journal, &ended))?;
    Ok(ExitStatus::Done)
}

fn screen(journal: &Journal, ended: &Ended<'_>) -> String {
    let flags = journal.plan().target.flags();
    let mut lines = vec![journal.plan().target.to_string()];
    let kept = ended.checklist.kept.as_ref();
    match kept.and_then(Kept::way_back) {
        Some(snapshot) => {
            lines.push(format!(
                "  kept as        VolumeSnapshot {snapshot}, compared with the database"
            ));
            lines.push(format!(
                "  the way back   cargo xtask restore {flags} -s {snapshot}"
            ));
        }
        None => lines.extend(kept.map(|kept| format!("  {kept}"))),
    }
    if let Some(image) = ended.image {
        let version = ImageVersion::of(image);
        lines.push(format!("  opened by      Restate {version}, {image}"));
    }
    if let Some(seconds) = ended.stopped_seconds {
        lines.push(format!("  node stopped   {seconds} s"));
    }
    for (effect, cause) in journal.notes() {
        lines.push(format!("  not done       {effect}: {cause}"));
    }
    lines.push(format!(
        "  each step      cargo xtask operation status {flags}"
    ));
    lines.join("\n")
}

/// The last step of a replacement before it tidies up.
fn is_test(effect: &Effect) -> bool {
    let object = effect.object();
    object.is_some_and(|object| {
        let is_test = object.kind == "CronJob" || object.kind == "Job";
        is_test && matches!(effect, Effect::Watch { .. } | Effect::Create { .. })
    })
}
