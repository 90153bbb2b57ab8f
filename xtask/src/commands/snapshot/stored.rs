//! The snapshots that there are: listed, deleted, pruned.

use jiff::Timestamp;
use longrun_core::{
    journal::Journal,
    operations::{
        data::Facts,
        refusal::Refusals,
        snapshot::{self, Choice, Listed, Outcome, Policy},
    },
    plan::{Plan, Target},
};
use longrun_kubernetes::Client;
use serde::Serialize;

use super::Place;
use crate::{
    access::{self, Reached},
    commands::deploy::Which,
    database::{Consent, Database, facts},
    deployment::now,
    failure::{End, Failure},
    operation::{AGAIN, Operation},
    project::{self, Chosen, Project},
    show,
    terminal::Terminal,
};

/// A recognised cluster and what it says of an environment's database. Nothing is started or built for it.
struct Seen {
    client: Client,
    target: Target,
    facts: Facts,
}

impl Seen {
    async fn each(place: &Place, project: &Project) -> Result<Vec<Self>, Failure> {
        let inputs = project.inputs()?;
        let (environment, cluster) = (place.environment.as_deref(), place.cluster.as_deref());
        let mut each = Vec::new();
        for Reached { chosen, client } in access::each(&inputs, environment, cluster).await? {
            each.push(Self::look(&chosen, client?).await?);
        }
        Ok(each)
    }

    async fn one(which: &Which, project: &Project) -> Result<Self, Failure> {
        let inputs = project.inputs()?;
        let chosen = project::choose(&inputs, &which.environment, which.cluster.as_deref())?;
        let client = access::client(chosen.cluster).await?;
        Self::look(&chosen, client).await
    }

    async fn look(chosen: &Chosen<'_>, client: Client) -> Result<Self, Failure> {
        let target = chosen.target(&client);
        let facts = facts(&client, &target.environment).await?;
        Ok(Self {
            client,
            target,
            facts,
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
        let (client, target) = (&self.client, &self.target);
        let verb = plan.operation.clone();
        let Some(approved) = Database::ask(plan, consent, terminal)? else {
            return Ok(None);
        };
        let operation = Operation::begin(&verb, client, target, terminal)?;
        let again = async { Ok(decide(&facts(client, &target.environment).await?)?) };
        let approved = operation.renew(approved, 0, again).await?;
        let driven = operation.drive(approved, None).await;
        let journal = driven
            .map_err(|failure| failure.hint(AGAIN))?
            .map_err(Failure::half_way)?;
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
    snapshot: &'a Listed,
}

pub(super) async fn list(
    place: &Place,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let each: Vec<(Target, Vec<Listed>)> = Seen::each(place, project)
        .await?
        .into_iter()
        .map(|seen| (seen.target, snapshot::list(&seen.facts)))
        .collect();
    let placed: Vec<Placed<'_>> = each
        .iter()
        .flat_map(|(target, listed)| {
            listed.iter().map(|snapshot| Placed {
                cluster: &target.cluster,
                environment: &target.environment,
                snapshot,
            })
        })
        .collect();
    terminal.data(&placed, || {
        let tables = each
            .iter()
            .map(|(target, listed)| show::snapshots(listed, target, now()));
        tables.collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(End::Done)
}

/// The environment whose snapshot is meant: the only one that has it, or that is asked about.
async fn owner(name: &str, place: &Place, project: &Project) -> Result<Seen, Failure> {
    let mut each = Seen::each(place, project).await?;
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
    place: &Place,
    consent: &Consent,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let seen = owner(name, place, project).await?;
    let target = &seen.target;
    let decide = |facts: &_| snapshot::delete(target, facts, name);
    let plan = decide(&seen.facts)?;
    let Some(journal) = seen.carry_out(plan, consent, terminal, decide).await? else {
        return Ok(End::Done);
    };
    terminal.data(&journal.checklist(), || {
        format!("{target}: the snapshot {name} and what was stored for it are gone")
    })?;
    Ok(End::Done)
}

/// What a policy said, and what it came to.
#[derive(Serialize)]
struct Pruned {
    choice: Choice,
    outcome: Outcome,
}

pub(super) async fn prune(
    policy: &Policy,
    which: &Which,
    consent: &Consent,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let seen = Seen::one(which, project).await?;
    let target = &seen.target;
    let began: Timestamp = now();
    let decide = |facts: &_| snapshot::prune(target, facts, policy, began);
    let (choice, plan) = decide(&seen.facts)?;
    terminal.say(&show::choice(&choice));
    if plan.is_empty() {
        let outcome = Outcome::default();
        let pruned = Pruned { choice, outcome };
        terminal.data(&pruned, || format!("{target}: nothing to prune"))?;
        return Ok(End::Done);
    }
    let plan_of = |facts: &_| decide(facts).map(|(_, plan)| plan);
    let Some(journal) = seen.carry_out(plan, consent, terminal, plan_of).await? else {
        return Ok(End::Done);
    };
    let outcome = snapshot::outcome(&choice, &journal);
    let end = if outcome.failed.is_empty() {
        End::Done
    } else {
        End::HalfWay
    };
    let pruned = Pruned { choice, outcome };
    terminal.data(&pruned, || show::pruned(&pruned.outcome))?;
    Ok(end)
}
