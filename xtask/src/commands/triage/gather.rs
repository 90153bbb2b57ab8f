//! What is known of a test Job: from Kubernetes and the node, or from whoever has kept it.

use std::{collections::BTreeMap, path::Path};

use longrun_core::{
    known::Known,
    plan::Target,
    records::merge_faults,
    triage::{Absence, COUNTERS, Evidence, Window, absence, faults_in, judge},
};
use longrun_kubernetes::{Client, Failure as Unanswered, Found, evidence, query};
use longrun_restate::{OPEN_AT_MOST, open_invocations, state_of};

use super::Args;
use crate::{
    access,
    failure::Failure,
    project::Project,
    recorded::{self, Memory},
    saved::Saved,
};

/// Evidence, and where it is from.
pub(super) struct Gathered {
    pub(super) evidence: Evidence,
    /// The Job is gone, and the recorder has kept this.
    pub(super) remembered: bool,
}

/// An environment on a cluster that was recognised.
pub(super) struct Seen {
    pub(super) client: Client,
    pub(super) target: Target,
    twins: Vec<String>,
    links: BTreeMap<String, String>,
}

impl Seen {
    pub(super) async fn look(args: &Args, project: &Project) -> Result<Self, Failure> {
        let inputs = project.inputs()?;
        // Required where nothing is read from a directory.
        let environment = args.environment.as_deref().unwrap_or_default();
        let chosen = project.choose(&inputs, environment, args.cluster.as_deref())?;
        let usual = &chosen.environment.cluster;
        let twins = inputs
            .environments()
            .filter(|other| other.cluster == *usual && other.name != chosen.environment.name);
        let links = chosen.cluster.links.iter();
        let client = access::client(&chosen).await?;
        Ok(Self {
            target: chosen.target(&client),
            twins: twins.map(|twin| twin.name.to_string()).collect(),
            links: links
                .map(|(name, link)| (name.to_string(), link.to_string()))
                .collect(),
            client,
        })
    }

    /// All that is known of a Job, or what is still known of one that is not there.
    pub(super) async fn gather(&self, job: &str, save: Option<&Path>) -> Result<Gathered, Failure> {
        let (client, target) = (&self.client, &self.target);
        let found = evidence(client, target, job, &self.twins, self.links.clone())
            .await
            .map_err(|error| Failure::refused(Failure::chain(&error)))?;
        match found {
            Found::Evidence(mut evidence) => {
                ask_node(client, &mut evidence).await;
                let mut evidence = recorded::complete(client, *evidence).await;
                recorded::remember(client, &mut evidence).await;
                Ok(Gathered {
                    evidence,
                    remembered: false,
                })
            }
            Found::Absent { made, kept, faults } => {
                let now = client.now();
                let absence = absence(job, now, made)?;
                let memory = match (made, absence) {
                    // Whoever has it knows better than what its name says.
                    (Some(_), Absence::Gone(_) | Absence::Before(_)) => {
                        Some(recorded::memory(client, target, job).await)
                    }
                    _ => None,
                };
                let memory = match memory {
                    Some(Ok(Memory::Evidence(mut evidence))) => {
                        evidence.links = self.links.clone();
                        // A fault that was at work when the Job failed has ended since.
                        evidence.faults = merge_faults(evidence.faults, faults);
                        recorded::compare(client, &mut evidence, &self.twins).await;
                        recorded::remember(client, &mut evidence).await;
                        return Ok(Gathered {
                            evidence: *evidence,
                            remembered: true,
                        });
                    }
                    memory => memory,
                };
                let mut failure = self.gone(job, absence, made.is_some(), save);
                if let Some(memory) = &memory {
                    failure = failure.hint(recorded::in_words(memory));
                }
                if let (Some(_), Absence::Gone(minute)) = (made, absence) {
                    let faults = faults_in(&faults, Window::of_minute(minute, now), now);
                    failure = failure.hint(match faults {
                        Known::Value(faults) => format!("faults in its half hour: {faults}"),
                        Known::Unknown(why) => {
                            format!("faults in its half hour are unknown: {why}")
                        }
                    });
                }
                Err(match &kept[..] {
                    [] => failure,
                    kept => failure.hint(format!("test Jobs that are there: {}", kept.join(", "))),
                })
            }
        }
    }

    fn gone(&self, job: &str, absence: Absence, deployed: bool, save: Option<&Path>) -> Failure {
        let target = &self.target;
        let at = |minute: jiff::Timestamp| minute.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let why = match absence {
            _ if !deployed => format!("{target} is not deployed"),
            Absence::Future(minute) => format!("its minute, {}, has not come", at(minute)),
            Absence::Before(minute) => format!(
                "its minute was {}, before {target} was made: it never was there",
                at(minute)
            ),
            Absence::Gone(minute) => format!(
                "its minute was {}: it was deleted, let go after it verified or as the oldest failure, or never made",
                at(minute)
            ),
        };
        let failure = Failure::refused(format!(
            "{target} has no Job {job}; nothing was changed: {why}"
        ));
        self.still_known(failure, job, save)
    }

    /// Adds what saved evidence says of a Job that is not there.
    fn still_known(&self, mut failure: Failure, job: &str, save: Option<&Path>) -> Failure {
        let environment = self.target.environment.as_str();
        let places = [Saved::of_user().ok(), save.map(Saved::at)];
        let mut found = false;
        for saved in places.into_iter().flatten() {
            // One file that cannot be read must not hide the cause.
            for (path, evidence) in saved.best(Some(environment), Some(job)).unwrap_or_default() {
                if evidence.target.cluster != self.target.cluster {
                    continue;
                }
                let (verdict, because) = judge(&evidence.case);
                failure = failure
                    .hint(format!(
                        "saved of it in {}: {verdict}: {because}",
                        path.display()
                    ))
                    .hint(format!(
                        "see all of that: cargo xtask triage {job} --from {}",
                        saved.directory().display()
                    ));
                found = true;
            }
        }
        if found {
            failure
        } else {
            failure.hint("nothing is saved of it")
        }
    }
}

/// Adds what the node knows of the program.
async fn ask_node(client: &Client, evidence: &mut Evidence) {
    let Some(program) = evidence.program_to_ask_about() else {
        return;
    };
    let (service, value) = COUNTERS;
    let open = open_invocations(&program, OPEN_AT_MOST);
    let kept = state_of(service, value, &program);
    let environment = &evidence.target.environment;
    let (open, kept) = tokio::join!(
        query(client, environment, &open),
        query(client, environment, &kept)
    );
    let words = |failure: Unanswered| failure.words();
    evidence.answered(open.map_err(words), kept.map_err(words));
}
