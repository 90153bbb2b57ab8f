//! `cargo xtask triage`

use std::path::{Path, PathBuf};

use longrun_core::{
    plan::Plan,
    records::merge_case,
    triage::{Case, Group, Report, group, minute, resolve},
};
use longrun_kubernetes::failed_tests;
use serde::Serialize;

use crate::{
    failure::{ExitStatus, Failure},
    operation::{Consent, Operation, ask},
    project::Project,
    recorded,
    saved::Saved,
    show,
    terminal::Terminal,
};

mod gather;

use gather::{Gathered, Seen};

/// Explain failed tests: all failed Jobs grouped by signature, or everything about one.
///
/// Facts that could not be gathered are listed with the reason, and never count as good news.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A Job such as test-28114121 [default: all that failed]
    job: Option<String>,
    /// The environment, which is also the namespace.
    #[arg(
        short = 'n',
        long = "environment",
        visible_alias = "namespace",
        value_name = "ENVIRONMENT",
        required_unless_present = "from"
    )]
    environment: Option<String>,
    /// The cluster, in place of LONGRUN_CLUSTER or the environment's usual one.
    #[arg(long)]
    cluster: Option<String>,
    /// Save the evidence in this directory: the facts, not the verdict.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Judge the evidence saved in this directory by today's rules, without a cluster.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cluster", "save", "resolve"])]
    from: Option<PathBuf>,
    /// Delete the Job, which ends its alert. Its evidence is saved first, with --save or in the user's state directory.
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
    /// Those of them that Kubernetes has let go: they are from the recorder.
    remembered: Vec<String>,
    /// Where their evidence was kept.
    saved: Vec<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Triaged {
    report: Report,
    /// Whether Kubernetes has let it go, so that this is from the recorder.
    remembered: bool,
    saved: Option<PathBuf>,
    resolved: bool,
}

/// Below what is told of a Job that is gone.
const REMEMBERED: &str =
    "  source       from the recorder: Kubernetes has let the Job go, and its pods\n";

pub(crate) async fn run(
    args: &Args,
    project: impl FnOnce() -> Result<Project, Failure>,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    // Before anything is connected to.
    if let Some(job) = &args.job {
        minute(job)?;
    }
    if let Some(directory) = &args.from {
        return again(args, directory, terminal);
    }
    let seen = Seen::look(args, &project()?).await?;
    match &args.job {
        None => list(args, &seen, terminal).await,
        Some(job) if args.resolve => end(args, job, &seen, terminal).await,
        Some(job) => {
            let Gathered {
                evidence,
                remembered,
            } = seen.gather(job, args.save.as_deref()).await?;
            let saved = match &args.save {
                Some(directory) => Some(Saved::at(directory).keep(&evidence)?),
                None => None,
            };
            let report = if remembered {
                Report::of_gone(&evidence)
            } else {
                Report::of(&evidence)
            };
            print(report, remembered, saved, terminal)
        }
    }
}

async fn list(args: &Args, seen: &Seen, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let environment = &seen.target.environment;
    let mut cases = failed_tests(&seen.client, environment)
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))?;
    let mut remembered = Vec::new();
    match recorded::cases(&seen.client, environment).await {
        Ok(kept) => {
            for kept in kept {
                let is_same = |case: &&mut Case| case.job.uid == kept.job.uid;
                match cases.iter_mut().find(is_same) {
                    Some(case) => *case = merge_case(kept, case.clone()),
                    None => {
                        remembered.push(kept.job.name.clone());
                        cases.push(kept);
                    }
                }
            }
        }
        Err(why) => terminal.say(&format!(
            "what the recorder has of failures that Kubernetes has let go is unknown: {why}"
        )),
    }
    let mut saved = Vec::new();
    if let Some(directory) = &args.save {
        for case in &cases {
            let job = &case.job.name;
            match seen.gather(job, None).await {
                Ok(gathered) => saved.push(Saved::at(directory).keep(&gathered.evidence)?),
                // The recorder may have no more than its result.
                Err(failure) if remembered.contains(job) => {
                    terminal.say(&format!("nothing of {job} is saved: {}", failure.message));
                }
                Err(failure) => return Err(failure),
            }
        }
    }
    let cluster = &seen.target.cluster;
    let one = format!("cargo xtask triage -n {environment} --cluster {cluster}");
    let place = seen.target.to_string();
    print_all(&place, &one, &cases, remembered, saved, terminal)
}

fn again(args: &Args, directory: &Path, terminal: &Terminal) -> Result<ExitStatus, Failure> {
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
            return print(Report::of(evidence), false, Some(path.clone()), terminal);
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
    print_all(&place, &one, &cases, Vec::new(), paths, terminal)
}

/// Deletes one Job, after its evidence is kept.
async fn end(
    args: &Args,
    job: &str,
    seen: &Seen,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let Gathered {
        evidence,
        remembered,
    } = seen.gather(job, args.save.as_deref()).await?;
    if remembered {
        let target = &seen.target;
        return Err(Failure::refused(format!(
            "{job} of {target} is gone already, and with it its alert; nothing was changed"
        ))
        .hint(format!(
            "see what the recorder has of it: cargo xtask triage -n {} {job}",
            target.environment
        )));
    }
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
    let Some(approved) = ask(plan, &args.consent, terminal)? else {
        return Ok(ExitStatus::Done);
    };
    let operation = Operation::begin("triage --resolve", &seen.client, &seen.target, terminal)?;
    let again = async {
        let again = seen.gather(job, args.save.as_deref()).await?;
        Ok(resolve(&seen.target, &again.evidence.case)?)
    };
    let approved = operation.renew(approved, 0, again).await?;
    let path = saved.keep(&evidence)?;
    operation.finish(approved, None).await?;
    operation.done(&format!("{}: {job} is gone", seen.target));
    let triaged = Triaged {
        report,
        remembered,
        saved: Some(path.clone()),
        resolved: true,
    };
    terminal.data(&triaged, || {
        format!("its evidence is in {}", path.display())
    })?;
    Ok(ExitStatus::Done)
}

fn print(
    report: Report,
    remembered: bool,
    saved: Option<PathBuf>,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let triaged = Triaged {
        report,
        remembered,
        saved,
        resolved: false,
    };
    terminal.data(&triaged, || {
        let mut screen = show::report(&triaged.report);
        if triaged.remembered {
            screen.push_str(REMEMBERED);
        }
        match &triaged.saved {
            Some(path) => format!("{screen}  evidence     {}\n", path.display()),
            None => screen,
        }
    })?;
    Ok(ExitStatus::Done)
}

fn print_all(
    place: &str,
    one: &str,
    cases: &[Case],
    remembered: Vec<String>,
    saved: Vec<PathBuf>,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let failures = Failures {
        groups: group(cases),
        cases,
        remembered,
        saved,
    };
    terminal.data(&failures, || {
        let mut screen = show::failures(place, one, &failures.groups, cases, &failures.remembered);
        for path in &failures.saved {
            screen.push_str(&format!("evidence in {}\n", path.display()));
        }
        screen
    })?;
    Ok(ExitStatus::Done)
}
