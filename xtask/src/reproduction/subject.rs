//! Which program is run again, and on which Restate: from the Job as long as Kubernetes keeps it, from saved
//! evidence, else from its name and what the environment's file says today. Which of these it was is said.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use longrun_core::{
    inputs::{Environment, Inputs},
    triage::{Evidence, program_of, restate_of},
};
use longrun_kubernetes::stamped;
use longrun_program::{InvalidId, ProgramId, Seed, Size};

use crate::{
    access,
    commands::reproduce::Args,
    failure::Failure,
    project::{self, Project},
    saved::Saved,
    terminal::Terminal,
};

/// A cluster that has not answered by then is not waited for: the name of the Job is enough.
const CLUSTER: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) program: ProgramId,
    pub(crate) restate: String,
    pub(crate) why_restate: &'static str,
    /// What the environment sets of Restate, by environment variable.
    pub(crate) settings: BTreeMap<String, String>,
    /// The environment whose settings these are, where others may have other ones.
    pub(crate) environment: Option<String>,
}

#[derive(Debug)]
enum Request {
    /// The whole program.
    Program(ProgramId),
    /// A test's Job.
    Job(Seed),
}

/// What was written down of a Job when it was made.
struct Recorded<'a> {
    program: ProgramId,
    environment: &'a Environment,
    /// The version of Restate, where that is known.
    restate: Option<String>,
}

/// What programs and nodes are made of: from an environment's file as it is today, or as it is said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    size: u32,
    restate: String,
    settings: BTreeMap<String, String>,
}

/// Those that are not the environment's to say.
#[derive(Clone, Debug)]
struct Given {
    size: Option<u32>,
    restate: Option<String>,
}

pub(crate) async fn find(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<Subject, Failure> {
    let asked = parse(&args.job)?;
    if let (Request::Program(program), Some(size)) = (&asked, args.size) {
        return Err(
            Failure::refused(format!("--size {size}: `{program}` says its size itself")).hint(
                format!("leave --size out, or give only the name: {}", program.seed),
            ),
        );
    }
    let inputs = project.inputs()?;
    let mut environments: Vec<&Environment> = match &args.environment {
        Some(name) => vec![inputs.environment(name).map_err(project::unknown)?],
        None => inputs.environments().collect(),
    };
    let recorded = match &asked {
        Request::Job(job) if args.size.is_none() => match &args.from {
            Some(directory) => {
                let saved = Saved::at(directory);
                let found = saved.best(args.environment.as_deref(), Some(job.as_str()))?;
                let recorded = from_evidence(&found, &environments, terminal)?;
                Some(recorded.ok_or_else(|| none_saved(&saved, job))?)
            }
            None => match from_cluster(job, &environments, &inputs, args, project, terminal).await?
            {
                Some(recorded) => Some(recorded),
                None => {
                    let saved = Saved::of_user()?;
                    let found = saved.best(args.environment.as_deref(), Some(job.as_str()))?;
                    from_evidence(&found, &environments, terminal)?
                }
            },
        },
        _ => None,
    };
    let mut environment = args.environment.clone();
    if let Some(recorded) = &recorded {
        environments = vec![recorded.environment];
        environment = Some(recorded.environment.name.to_string());
    }
    let ran_on = recorded.as_ref().and_then(|one| one.restate.clone());
    let (restate, why_restate) = restate(args.restate.clone(), ran_on);
    let (known, seed) = match (recorded, asked) {
        (Some(Recorded { program, .. }), _) | (None, Request::Program(program)) => {
            (Some(program.clone()), program.seed)
        }
        (None, Request::Job(job)) => (None, job),
    };
    let size = known.as_ref().map(|program| program.size.invocations());
    let given = Given {
        size: size.or(args.size),
        restate,
    };
    let settings = agreed(&environments, &given)?;
    let program = match known {
        Some(program) => program,
        None => of_name(&seed, &settings, args, terminal)?,
    };
    Ok(Subject {
        program,
        restate: settings.restate,
        why_restate,
        settings: settings.settings,
        environment,
    })
}

/// The version of Restate that is not the environment's to say, and whose it is in any case.
fn restate(asked: Option<String>, ran_on: Option<String>) -> (Option<String>, &'static str) {
    match (asked, ran_on) {
        (Some(asked), _) => (Some(asked), "as asked"),
        (None, Some(ran_on)) => (Some(ran_on), "which the test ran on"),
        (None, None) => (None, "the environment's present version"),
    }
}

/// The program that a test of this name has with these settings.
fn of_name(
    job: &Seed,
    settings: &Settings,
    args: &Args,
    terminal: &Terminal,
) -> Result<ProgramId, Failure> {
    let size = Size::new(settings.size).map_err(Failure::refused)?;
    let program = ProgramId::new(job.clone(), size);
    let whose = match args.size {
        Some(_) => "the size given here makes",
        None => "the environment's present settings make",
    };
    terminal.say(&format!("program: {program}, which {whose} of the name"));
    Ok(program)
}

/// The program that a record names.
fn of_record(id: &str, record: &str, terminal: &Terminal) -> Result<ProgramId, Failure> {
    terminal.say(&format!("program: {id}, which {record} says it ran"));
    id.parse().map_err(|error| unknown(&error))
}

fn unknown(error: &InvalidId) -> Failure {
    let failure = Failure::refused(error);
    match error {
        InvalidId::Version(_) => {
            failure.hint("run this from a revision of the project that has that generator")
        }
        _ => failure,
    }
}

fn parse(text: &str) -> Result<Request, Failure> {
    match text.parse::<ProgramId>() {
        Ok(program) => return Ok(Request::Program(program)),
        Err(InvalidId::Shape(_)) => {}
        Err(error) => return Err(unknown(&error)),
    }
    // The CronJob controller names a Job by its minute.
    let minute = text.strip_prefix("test-").unwrap_or_default();
    let is_test = !minute.is_empty() && minute.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(job) if is_test => Ok(Request::Job(job)),
        _ => Err(
            Failure::refused(format!("`{text}` is not the name of a test's Job"))
                .hint("a test's Job is called test-<minute since the epoch>: test-28114121")
                .hint(
                    "any program can be named by its id: v1-s<size>-all-<name>, such as v1-s300-all-a",
                ),
        ),
    }
}

/// The program that the Job says, and the environment that has the Job; none when no cluster has it.
async fn from_cluster<'a>(
    job: &Seed,
    environments: &[&'a Environment],
    inputs: &Inputs,
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<Option<Recorded<'a>>, Failure> {
    let mut why = BTreeMap::new();
    for environment in environments {
        let name = environment.name.as_str();
        let chosen = project.choose(inputs, name, args.cluster.as_deref())?;
        let cluster = chosen.cluster.name.to_string();
        // A cluster that could not be reached once is not tried for its next environment.
        if why.contains_key(&cluster) {
            continue;
        }
        let asking = async {
            let client = access::client(&chosen)
                .await
                .map_err(|failure| failure.message)?;
            stamped(&client, name, job.as_str())
                .await
                .map_err(|failure| Failure::chain(&failure))
        };
        let answer = tokio::time::timeout(CLUSTER, asking)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", CLUSTER.as_secs())));
        match answer {
            Ok(Some(id)) => {
                let record = format!("the Job {cluster}/{name}/{job}");
                return Ok(Some(Recorded {
                    program: of_record(&id, &record, terminal)?,
                    environment,
                    restate: None,
                }));
            }
            Ok(None) => {}
            Err(reason) => {
                why.insert(cluster, reason);
            }
        }
    }
    if why.is_empty() {
        terminal.say(&format!("no environment has the Job {job} any more"));
    }
    for (cluster, reason) in why {
        let reason = reason.lines().next().unwrap_or_default();
        terminal.say(&format!(
            "the Job cannot be asked what it ran: cluster {cluster}: {reason}"
        ));
    }
    Ok(None)
}

/// The program that saved evidence says, and the environment it is of; none when nothing was saved.
fn from_evidence<'a>(
    found: &[(PathBuf, Evidence)],
    environments: &[&'a Environment],
    terminal: &Terminal,
) -> Result<Option<Recorded<'a>>, Failure> {
    let [(path, evidence)] = found else {
        let places: Vec<String> = found
            .iter()
            .map(|(path, evidence)| format!("{} in {}", evidence.target, path.display()))
            .collect();
        return match &places[..] {
            [] => Ok(None),
            places => Err(Failure::refused(format!(
                "there is evidence of several Jobs of that name: {}",
                places.join(", ")
            ))
            .hint("name the environment with -n, or the file of one of them with --from")),
        };
    };
    let name = &evidence.target.environment;
    let environment = environments.iter().find(|one| one.name.as_str() == name);
    let Some(environment) = environment else {
        return Err(Failure::refused(format!(
            "{} is of the environment {name}, which is not in these inputs: its settings are not known",
            path.display()
        ))
        .hint("name one whose settings are taken, and the program itself: reproduce v1-s300-all-… -n ENV"));
    };
    let Some(id) = program_of(&evidence.case) else {
        return Err(Failure::refused(format!(
            "{} does not say which program it was",
            path.display()
        )));
    };
    let record = format!("the evidence in {}", path.display());
    Ok(Some(Recorded {
        program: of_record(&id, &record, terminal)?,
        environment,
        restate: restate_of(evidence),
    }))
}

fn none_saved(saved: &Saved, job: &Seed) -> Failure {
    Failure::refused(format!(
        "{} has no evidence of {job}",
        saved.directory().display()
    ))
    .hint("it is the directory that `triage --save` was given, or a file in it")
}

/// What all of the environments say, if it is the same.
fn agreed(environments: &[&Environment], given: &Given) -> Result<Settings, Failure> {
    let (first, rest) = environments.split_first().ok_or_else(|| {
        Failure::refused("there is no environment, whose size and Restate would be taken")
            .hint("give --inputs a directory with `environments`")
    })?;
    let settings = Settings::of(first, given);
    for other in rest {
        if let Some(difference) = settings.difference(&Settings::of(other, given)) {
            let (one, other) = (&first.name, &other.name);
            return Err(Failure::refused(format!(
                "the environments {one} and {other} differ, in {difference}"
            ))
            .hint(format!(
                "say whose settings are meant: -n {one} or -n {other}"
            )));
        }
    }
    Ok(settings)
}

impl Settings {
    fn of(environment: &Environment, given: &Given) -> Self {
        let restate = &environment.restate;
        let further = restate.settings.iter();
        let settings = further
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .chain([(
                "RESTATE_DEFAULT_NUM_PARTITIONS".to_owned(),
                restate.partitions.to_string(),
            )])
            .collect();
        let present = || restate.image.tag().to_owned();
        Self {
            size: given.size.unwrap_or(environment.test.size.get()),
            restate: given.restate.clone().unwrap_or_else(present),
            settings,
        }
    }

    /// What is not the same, with both values.
    fn difference(&self, other: &Self) -> Option<String> {
        if self.size != other.size {
            return Some(format!("`test.size`: {} and {}", self.size, other.size));
        }
        if self.restate != other.restate {
            return Some(format!(
                "the version of Restate: {} and {}",
                self.restate, other.restate
            ));
        }
        let names = self.settings.keys().chain(other.settings.keys());
        names
            .map(|name| (name, self.settings.get(name), other.settings.get(name)))
            .find(|(_, one, other)| one != other)
            .map(|(name, one, other)| format!("{name}: {} and {}", value(one), value(other)))
    }
}

fn value(of: Option<&String>) -> &str {
    of.map_or("not set", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_a_test_or_any_program_by_its_id_is_taken() {
        assert!(matches!(parse("test-28114121"), Ok(Request::Job(_))));
        for id in ["v1-s300-all-a", "v1-s300-k2_3.1c0-test-28114121"] {
            assert!(matches!(parse(id), Ok(Request::Program(_))), "{id}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_the_reason() {
        for (text, reason) in [
            ("discover", "`discover` is not the name of a test's Job"),
            ("test", "is not the name of a test's Job"),
            ("test-", "is not the name of a test's Job"),
            ("test-1x", "is not the name of a test's Job"),
            ("restate-0", "is not the name of a test's Job"),
            (
                "v9-s300-all-test-1",
                "generator version 9 is not in this build",
            ),
            ("v1-s0-all-test-1", "`0` is not a program size"),
        ] {
            let refused = parse(text).expect_err(text);
            assert!(refused.message.contains(reason), "{}", refused.message);
        }
    }

    fn settings(size: u32, restate: &str, partitions: Option<&str>) -> Settings {
        let partitions = partitions.map(|value| ("PARTITIONS".to_owned(), value.to_owned()));
        Settings {
            size,
            restate: restate.to_owned(),
            settings: partitions.into_iter().collect(),
        }
    }

    #[test]
    fn the_restate_that_the_test_ran_on_comes_before_the_environments() {
        let some = |version: &str| Some(version.to_owned());
        let asked = restate(some("1.7.10"), some("1.7.11"));
        assert_eq!(asked, (some("1.7.10"), "as asked"));
        let ran_on = restate(None, some("1.7.11"));
        assert_eq!(ran_on, (some("1.7.11"), "which the test ran on"));
    }

    #[test]
    fn what_environments_differ_in_is_named_with_both_values() {
        let one = settings(300, "1.7.12", Some("4"));
        for (other, difference) in [
            (one.clone(), None),
            (
                settings(20, "1.7.12", Some("4")),
                Some("`test.size`: 300 and 20"),
            ),
            (
                settings(300, "1.7.11", Some("4")),
                Some("the version of Restate: 1.7.12 and 1.7.11"),
            ),
            (
                settings(300, "1.7.12", Some("8")),
                Some("PARTITIONS: 4 and 8"),
            ),
            (
                settings(300, "1.7.12", None),
                Some("PARTITIONS: 4 and not set"),
            ),
        ] {
            assert_eq!(one.difference(&other).as_deref(), difference);
        }
    }
}
