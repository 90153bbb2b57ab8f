//! The snapshots that there are: listed, deleted, pruned.

use jiff::Timestamp;
use longrun_core::{
    journal::Journal,
    operations::{
        data::Facts,
        refusal::Refusals,
        snapshot::{self, Choice, Listed, Orphan, Outcome, Policy},
    },
    plan::{Plan, Target},
};
use longrun_kubernetes::{Client, to_carry_out};
use serde::Serialize;

use super::orphans;
use crate::{
    access::{self, Reached},
    database::{facts, permitted_by},
    deployment::now,
    failure::{ExitStatus, Failure},
    operation::{Consent, Locking, Operation, ask},
    project::{Chosen, Project},
    show,
    terminal::Terminal,
    which::Any,
};

/// A recognised cluster and what it says of an environment's database. Nothing is started or built for it.
pub(super) struct Seen {
    pub(super) client: Client,
    pub(super) target: Target,
    pub(super) facts: Facts,
    /// The class with which the cluster keeps what guards a database.
    pub(super) retain_class: String,
}

impl Seen {
    pub(super) async fn each(which: &Any, project: &Project) -> Result<Vec<Self>, Failure> {
        let inputs = project.inputs()?;
        let mut each = Vec::new();
        for Reached { chosen, client } in access::each(which, &inputs, project).await? {
            each.push(Self::look(&chosen, client?).await?);
        }
        Ok(each)
    }

    async fn look(chosen: &Chosen<'_>, client: Client) -> Result<Self, Failure> {
        let target = chosen.target(&client);
        let facts = facts(&client, &target.environment).await?;
        Ok(Self {
            client,
            target,
            facts,
            retain_class: chosen.cluster.storage.snapshot_classes.retain.to_string(),
        })
    }

    /// Shows, asks and does what is still decided then; nothing when it was only to be shown.
    async fn carry_out(
        &self,
        plan: Plan,
        consent: &Consent,
        terminal: &Terminal,
        decide: impl Fn(&Facts) -> Result<Plan, Refusals>,
    ) -> Result<Option<Journal>, Failure> {
        let again = async {
            Ok(decide(
                &facts(&self.client, &self.target.environment).await?,
            )?)
        };
        self.carry_out_as(plan, consent, terminal, again).await
    }

    pub(super) async fn carry_out_as(
        &self,
        plan: Plan,
        consent: &Consent,
        terminal: &Terminal,
        again: impl Future<Output = Result<Plan, Failure>>,
    ) -> Result<Option<Journal>, Failure> {
        let (client, target) = (&self.client, &self.target);
        let verb = plan.operation.clone();
        let Some(approved) = ask(plan, consent, terminal)? else {
            return Ok(None);
        };
        let operation = Operation::begin(&verb, client, target, terminal)?;
        let journal = operation
            .carry_out(approved, 0, Locking::None, again)
            .await?;
        operation.done(&format!("{verb} of {target}: done"));
        Ok(Some(journal))
    }
}

/// A snapshot of one of several environments, as a document.
#[derive(Serialize)]
struct Placed<'a> {
    cluster: &'a str,
    environment: &'a str,
    #[serde(flatten)]
    snapshot: Stored<'a>,
}

/// What stands for a stored snapshot.
#[derive(Serialize)]
#[serde(untagged)]
enum Stored<'a> {
    /// A `VolumeSnapshot`.
    Snapshot(&'a Listed),
    /// A content alone.
    Orphan {
        orphaned: bool,
        #[serde(flatten)]
        orphan: &'a Orphan,
    },
}

pub(super) async fn list(
    which: &Any,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let seen = Seen::each(which, project).await?;
    let orphaned = orphans::of_each(which, &seen, terminal).await;
    let each: Vec<(&Target, Vec<Listed>)> = seen
        .iter()
        .map(|seen| (&seen.target, snapshot::list(&seen.facts)))
        .collect();
    let of_snapshots = each.iter().flat_map(|(target, listed)| {
        listed.iter().map(|snapshot| Placed {
            cluster: &target.cluster,
            environment: &target.environment,
            snapshot: Stored::Snapshot(snapshot),
        })
    });
    let of_orphans = orphaned.iter().map(|(cluster, orphan)| Placed {
        cluster,
        environment: &orphan.namespace,
        snapshot: Stored::Orphan {
            orphaned: true,
            orphan,
        },
    });
    let placed: Vec<Placed<'_>> = of_snapshots.chain(of_orphans).collect();
    terminal.data(&placed, || {
        let tables = each
            .iter()
            .map(|(target, listed)| show::snapshots(listed, target, now()));
        let orphans = show::orphans(&orphaned, now());
        tables.chain(orphans).collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(ExitStatus::Done)
}

/// The environment whose snapshot is meant: the only one that has it, or that is asked about.
async fn owner(name: &str, which: &Any, project: &Project) -> Result<Seen, Failure> {
    let mut each = Seen::each(which, project).await?;
    if each.len() != 1 {
        let all: Vec<String> = each.iter().map(|seen| seen.target.to_string()).collect();
        each.retain(|seen| {
            snapshot::list(&seen.facts)
                .iter()
                .any(|one| one.name == name)
        });
        if each.is_empty() {
            return Err(Failure::refused(format!(
                "no snapshot is called {name} in {}",
                all.join(" or in ")
            ))
            .hint("which there are: cargo xtask snapshot list"));
        }
    }
    let having: Vec<String> = each.iter().map(|seen| seen.target.to_string()).collect();
    match each.pop() {
        Some(only) if each.is_empty() => Ok(only),
        _ => Err(Failure::refused(format!(
            "several environments have a snapshot {name}: {}; nothing was changed",
            having.join(", ")
        ))
        .hint("say which one: -n ENVIRONMENT")),
    }
}

pub(super) async fn delete(
    name: &str,
    which: &Any,
    consent: &Consent,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let seen = owner(name, which, project).await?;
    let target = &seen.target;
    let decide = |facts: &_| snapshot::delete(target, facts, name);
    let facts = seen.facts.clone();
    let plan = permitted_by(facts, &seen.client, decide, to_carry_out).await?;
    let Some(journal) = seen.carry_out(plan, consent, terminal, decide).await? else {
        return Ok(ExitStatus::Done);
    };
    terminal.data(&journal.checklist(), || {
        format!("{target}: the snapshot {name} and what was stored for it are gone")
    })?;
    Ok(ExitStatus::Done)
}

/// What a policy says of an environment's snapshots.
struct Judged {
    seen: Seen,
    choice: Choice,
    plan: Plan,
}

/// The same, and what it came to, as a document.
#[derive(Serialize)]
struct Pruned<'a> {
    cluster: &'a str,
    environment: &'a str,
    choice: &'a Choice,
    outcome: Outcome,
}

pub(super) async fn prune(
    policy: &Policy,
    which: &Any,
    consent: &Consent,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let began: Timestamp = now();
    let mut each = Vec::new();
    for seen in Seen::each(which, project).await? {
        let decide = |facts: &_| snapshot::prune(&seen.target, facts, policy, began);
        let takes = |(_, plan): &(Choice, Plan)| to_carry_out(plan);
        let facts = seen.facts.clone();
        let (choice, plan) = permitted_by(facts, &seen.client, decide, takes).await?;
        terminal.say(&show::choice(&seen.target, &choice));
        each.push(Judged { seen, choice, plan });
    }
    let mut due = each.iter().filter(|judged| !judged.plan.is_empty());
    let mut outcome = Outcome::default();
    if let Some(Judged { seen, choice, plan }) = due.next() {
        let others: Vec<&Judged> = due.collect();
        if !others.is_empty() {
            return Err(several(&seen.target, &others));
        }
        let decide = |facts: &_| {
            let (_, plan) = snapshot::prune(&seen.target, facts, policy, began)?;
            Ok(plan)
        };
        let done = seen.carry_out(plan.clone(), consent, terminal, decide);
        let Some(journal) = done.await? else {
            return Ok(ExitStatus::Done);
        };
        outcome = snapshot::outcome(choice, &journal);
    }
    let end = if outcome.failed.is_empty() {
        ExitStatus::Done
    } else {
        ExitStatus::HalfWay
    };
    let pruned: Vec<Pruned<'_>> = each
        .iter()
        .map(|Judged { seen, choice, plan }| Pruned {
            cluster: &seen.target.cluster,
            environment: &seen.target.environment,
            choice,
            outcome: if plan.is_empty() {
                Outcome::default()
            } else {
                std::mem::take(&mut outcome)
            },
        })
        .collect();
    terminal.data(&pruned, || {
        show::pruned(pruned.iter().map(|one| &one.outcome))
    })?;
    Ok(end)
}

/// An answer is for one plan.
fn several(first: &Target, others: &[&Judged]) -> Failure {
    let others = others.iter().map(|judged| &judged.seen.target);
    let all: Vec<&Target> = std::iter::once(first).chain(others).collect();
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    let flags: Vec<String> = all.iter().map(|target| target.flags()).collect();
    Failure::refused(format!(
        "there is something to prune in {}, and each is asked about by itself; nothing was changed",
        names.join(" and in ")
    ))
    .hint(format!(
        "one after the other, with the same policy: {}",
        flags.join("; ")
    ))
}
