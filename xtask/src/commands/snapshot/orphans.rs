//! Stored snapshots whose `VolumeSnapshot` is gone: shown, and adopted.

use longrun_core::{
    operations::snapshot::{self, Adoption, Orphan, StoredSnapshots},
    plan::Plan,
};
use longrun_kubernetes::{stored_snapshots, to_carry_out};

use super::stored::Seen;
use crate::{
    database::{facts, permitted_by},
    failure::{ExitStatus, Failure},
    operation::Consent,
    project::Project,
    terminal::Terminal,
    which::Any,
};

/// Those of the environments that are listed, with their clusters; and, where all are, those of namespaces that are no
/// environment any more, as far as the cluster's class says that they guarded a database.
pub(super) async fn of_each(
    which: &Any,
    seen: &[Seen],
    terminal: &Terminal,
) -> Vec<(String, Orphan)> {
    let mut found: Vec<(String, Orphan)> = Vec::new();
    for (index, one) in seen.iter().enumerate() {
        let cluster = &one.target.cluster;
        let same = |other: &&Seen| other.target.cluster == *cluster;
        if seen[..index].iter().any(|other| same(&other)) {
            continue;
        }
        let stored = match stored_snapshots(&one.client).await {
            Ok(stored) => stored,
            Err(failure) => {
                terminal.say(&format!(
                    "stored snapshots of {cluster} whose VolumeSnapshot is gone are not shown: {failure}"
                ));
                continue;
            }
        };
        let is_listed = |orphan: &Orphan| {
            let mut listed = seen.iter().filter(same);
            listed.any(|one| one.target.environment == orphan.namespace)
        };
        let guarded = |orphan: &Orphan| {
            which.environment.is_none() && orphan.class.as_ref() == Some(&one.retain_class)
        };
        let orphans = stored.orphans().into_iter();
        let shown = orphans.filter(|orphan| is_listed(orphan) || guarded(orphan));
        found.extend(shown.map(|orphan| (cluster.clone(), orphan)));
    }
    found
}

/// The environment in which a stored snapshot is to be used: the one that is named, or from which it is.
async fn adopter(wish: &Adoption, which: &Any, project: &Project) -> Result<Seen, Failure> {
    let mut each = Seen::each(which, project).await?;
    if which.environment.is_some() || each.len() == 1 {
        return each.pop().ok_or_else(nowhere);
    }
    for seen in each {
        let is_its = |orphan: &Orphan| {
            orphan.content == wish.content && orphan.namespace == seen.target.environment
        };
        if stored(&seen).await?.orphans().iter().any(is_its) {
            return Ok(seen);
        }
    }
    Err(nowhere())
}

fn nowhere() -> Failure {
    Failure::refused("the content is of none of the environments, and nothing was changed")
        .hint("say where it is to be used: -n ENVIRONMENT")
        .hint("which there are: cargo xtask snapshot list")
}

async fn stored(seen: &Seen) -> Result<StoredSnapshots, Failure> {
    stored_snapshots(&seen.client)
        .await
        .map_err(|failure| Failure::refused(format!("nothing was changed: {failure}")))
}

pub(super) async fn adopt(
    wish: &Adoption,
    which: &Any,
    consent: &Consent,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let seen = adopter(wish, which, project).await?;
    let target = &seen.target;
    let contents = stored(&seen).await?;
    let decide = |facts: &_| snapshot::adopt(target, facts, &contents, wish);
    let plan = permitted_by(seen.facts.clone(), &seen.client, decide, to_carry_out).await?;
    let again = async {
        let contents = stored(&seen).await?;
        let facts = facts(&seen.client, &target.environment).await?;
        let plan: Plan = snapshot::adopt(target, &facts, &contents, wish)?;
        Ok(plan)
    };
    let Some(journal) = seen.carry_out_as(plan, consent, terminal, again).await? else {
        return Ok(ExitStatus::Done);
    };
    let flags = target.flags();
    let made = snapshot::adopted(&journal).unwrap_or_default();
    terminal.data(&journal.checklist(), || {
        format!("{target}: VolumeSnapshot {made} is ready, UNVERIFIED\n  look into it: cargo xtask attach {flags} -s {made}")
    })?;
    Ok(ExitStatus::Done)
}
