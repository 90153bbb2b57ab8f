//! `cargo xtask triage`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use longrun_core::{
    plan::{Plan, Target},
    triage::{
        Absence, Asked, COUNTERS, Case, Evidence, Group, Report, Window, absence, counters,
        faults_in, group, invocations, judge, minute, resolve,
    },
};
use longrun_kubernetes::{Client, Found, evidence, failed_tests, query};
use longrun_restate::{open_invocations, state_of};
use serde::Serialize;

use crate::{
    access,
    database::{Consent, Database},
    failure::{End, Failure},
    operation::{AGAIN, Operation},
    project::{self, Project},
    saved::Saved,
    show,
    terminal::Terminal,
};

/// Why tests failed: all failed Jobs by signature, or the whole story of one on a screen.
///
/// What cannot be found out is said, and is never taken for good news. Evidence that was saved is judged again
/// by the rules of the day, without a cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One Job: test-28114121. Otherwise all that failed.
    job: Option<String>,
    /// The environment, which is the namespace.
    #[arg(
        short = 'n',
        long = "environment",
        value_name = "ENVIRONMENT",
        required_unless_present = "from"
    )]
    environment: Option<String>,
    /// Another cluster than the environment's usual one.
    #[arg(long)]
    cluster: Option<String>,
    /// Keep the evidence in this directory: the facts, not the verdict.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Judge evidence that was saved in this directory, instead of a cluster.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cluster", "save", "resolve"])]
    from: Option<PathBuf>,
    /// Delete this Job, which ends its alert. Its evidence is kept first, in the directory of --save or in the
    /// user's state directory.
    #[arg(long, requires = "job")]
    resolve: bool,
    #[command(flatten)]
    consent: Consent,
}

/// The failed Jobs of an environment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failures<'a> {
    groups: Vec<Group>,
    cases: &'a [Case],
    /// Where their evidence was kept.
    saved: Vec<PathBuf>,
}

/// One Job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Triaged {
    report: Report,
    /// Where its evidence is.
    saved: Option<PathBuf>,
    /// Whether it was deleted.
    resolved: bool,
}

/// Open invocations that are asked for at most.
const OPEN_AT_MOST: u32 = 1_000;

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    // Before anything is connected to.
    if let Some(job) = &args.job {
        minute(job)?;
    }
    if let Some(directory) = &args.from {
        return again(args, directory, terminal);
    }
    let seen = Seen::look(args, project).await?;
    match &args.job {
        None => list(args, &seen, terminal).await,
        Some(job) if args.resolve => end(args, job, &seen, terminal).await,
        Some(job) => {
            let evidence = seen.gather(job, args.save.as_deref()).await?;
            let saved = match &args.save {
                Some(directory) => Some(Saved::at(directory).keep(&evidence)?),
                None => None,
            };
            print(Report::of(&evidence), saved, terminal)
        }
    }
}

/// An environment on a cluster that was recognised.
struct Seen {
    client: Client,
    target: Target,
    twins: Vec<String>,
    links: BTreeMap<String, String>,
}

impl Seen {
    async fn look(args: &Args, project: &Project) -> Result<Self, Failure> {
        let inputs = project.inputs()?;
        // Required where nothing is read from a directory.
        let environment = args.environment.as_deref().unwrap_or_default();
        let chosen = project::choose(&inputs, environment, args.cluster.as_deref())?;
        let usual = &chosen.environment.cluster;
        let twins = inputs
            .environments()
            .filter(|other| other.cluster == *usual && other.name != chosen.environment.name);
        let links = chosen.cluster.links.iter();
        let client = access::client(chosen.cluster).await?;
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
    async fn gather(&self, job: &str, save: Option<&Path>) -> Result<Evidence, Failure> {
        let (client, target) = (&self.client, &self.target);
        let found = evidence(client, target, job, &self.twins, self.links.clone())
            .await
            .map_err(|error| Failure::refused(Failure::chain(&error)))?;
        match found {
            Found::Evidence(mut evidence) => {
                ask_node(client, &mut evidence).await;
                Ok(*evidence)
            }
            Found::Absent { made, kept, faults } => {
                let now = client.now();
                let absence = absence(job, now, made)?;
                let mut failure = self.gone(job, absence, made.is_some(), save);
                if let (Some(_), Absence::Gone(minute)) = (made, absence) {
                    let faults = faults_in(&faults, Window::of_minute(minute, now), now);
                    failure = failure.hint(match faults {
                        Asked::Known(faults) => format!("faults in its half hour: {faults}"),
                        Asked::Unknown(why) => {
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
            "there is no Job {job} in {target}, and nothing was changed: {why}"
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
    let Some(program) = &evidence.case.job.program else {
        let why = "the Job does not say which program it ran".to_owned();
        evidence.invocations = Asked::Unknown(why.clone());
        evidence.counters = Asked::Unknown(why);
        return;
    };
    let (service, value) = COUNTERS;
    let (open, kept) = (
        open_invocations(program, OPEN_AT_MOST),
        state_of(service, value, program),
    );
    let environment = &evidence.target.environment;
    let (open, kept) = tokio::join!(
        query(client, environment, &open),
        query(client, environment, &kept)
    );
    let open = open.map_err(|failure| failure.words());
    let kept = kept.map_err(|failure| failure.words());
    evidence.invocations = asked(open.and_then(|rows| invocations(&rows)));
    evidence.counters = asked(kept.and_then(|rows| counters(&rows)));
}

fn asked<T>(answer: Result<T, String>) -> Asked<T> {
    answer.map_or_else(Asked::Unknown, Asked::Known)
}

/// All that failed.
async fn list(args: &Args, seen: &Seen, terminal: &Terminal) -> Result<End, Failure> {
    let environment = &seen.target.environment;
    let cases = failed_tests(&seen.client, environment)
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))?;
    let mut saved = Vec::new();
    if let Some(directory) = &args.save {
        for case in &cases {
            let evidence = seen.gather(&case.job.name, None).await?;
            saved.push(Saved::at(directory).keep(&evidence)?);
        }
    }
    let cluster = &seen.target.cluster;
    let one = format!("cargo xtask triage -n {environment} --cluster {cluster}");
    print_all(&seen.target.to_string(), &one, &cases, saved, terminal)
}

/// Judges what was saved.
fn again(args: &Args, directory: &Path, terminal: &Terminal) -> Result<End, Failure> {
    let saved = Saved::at(directory);
    let environment = args.environment.as_deref();
    let mut found = saved.best(environment, args.job.as_deref())?;
    if found.is_empty() {
        let there = saved.best(None, None)?;
        let mut names: Vec<String> = there
            .iter()
            .map(|(_, evidence)| format!("{} {}", evidence.target, evidence.case.job.name))
            .collect();
        names.sort();
        let what = args.job.as_deref().unwrap_or("any failed test");
        let failure =
            Failure::refused(format!("{} has no evidence of {what}", directory.display()));
        return Err(match names.is_empty() {
            true => failure.hint("it is the directory that `triage --save` was given"),
            false => failure.hint(format!("there is evidence of {}", names.join(", "))),
        });
    }
    if args.job.is_some() {
        if let [(path, evidence)] = &found[..] {
            return print(Report::of(evidence), Some(path.clone()), terminal);
        }
        let places: Vec<String> = found
            .iter()
            .map(|(path, evidence)| format!("{} in {}", evidence.target, path.display()))
            .collect();
        return Err(Failure::refused(format!(
            "there is evidence of several Jobs of that name: {}",
            places.join(", ")
        ))
        .hint("name the environment with -n, or the directory of one of them with --from"));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (paths, cases): (Vec<PathBuf>, Vec<Case>) = found
        .into_iter()
        .map(|(path, evidence)| (path, evidence.case))
        .unzip();
    let place = directory.display().to_string();
    let one = format!("cargo xtask triage --from {place}");
    print_all(&place, &one, &cases, paths, terminal)
}

/// Deletes one Job, after its evidence is kept.
async fn end(args: &Args, job: &str, seen: &Seen, terminal: &Terminal) -> Result<End, Failure> {
    let evidence = seen.gather(job, args.save.as_deref()).await?;
    let saved = match &args.save {
        Some(directory) => Saved::at(directory),
        None => Saved::of_user()?,
    };
    let mut plan: Plan = resolve(&seen.target, &evidence.case)?;
    plan.notes.push(format!(
        "what is known of it is kept first, in {}",
        saved.directory().display()
    ));
    let report = Report::of(&evidence);
    terminal.say(show::report(&report).trim_end());
    let Some(approved) = Database::ask(plan, &args.consent, terminal)? else {
        return Ok(End::Done);
    };
    let operation = Operation::begin("triage --resolve", &seen.client, &seen.target, terminal)?;
    let again = async {
        let evidence = seen.gather(job, args.save.as_deref()).await?;
        Ok(resolve(&seen.target, &evidence.case)?)
    };
    let approved = operation.renew(approved, 0, again).await?;
    let path = saved.keep(&evidence)?;
    operation
        .drive(approved, None)
        .await
        .map_err(|failure| failure.hint(AGAIN))?
        .map_err(Failure::half_way)?;
    operation.done(&format!("{}: {job} is gone", seen.target));
    let triaged = Triaged {
        report,
        saved: Some(path.clone()),
        resolved: true,
    };
    terminal.data(&triaged, || {
        format!("its evidence is in {}", path.display())
    })?;
    Ok(End::Done)
}

fn print(report: Report, saved: Option<PathBuf>, terminal: &Terminal) -> Result<End, Failure> {
    let triaged = Triaged {
        report,
        saved,
        resolved: false,
    };
    terminal.data(&triaged, || {
        let screen = show::report(&triaged.report);
        match &triaged.saved {
            Some(path) => format!("{screen}  evidence     {}\n", path.display()),
            None => screen,
        }
    })?;
    Ok(End::Done)
}

fn print_all(
    place: &str,
    one: &str,
    cases: &[Case],
    saved: Vec<PathBuf>,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let failures = Failures {
        groups: group(cases),
        cases,
        saved,
    };
    terminal.data(&failures, || {
        let mut screen = show::failures(place, one, &failures.groups, cases);
        for path in &failures.saved {
            screen.push_str(&format!("evidence in {}\n", path.display()));
        }
        screen
    })?;
    Ok(End::Done)
}
