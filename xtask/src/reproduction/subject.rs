//! Which program is run again, and on which Restate: from the Job as long as Kubernetes keeps it, else from
//! its name and what the environment's file says today. Which of these it was is said.

use std::{collections::BTreeMap, time::Duration};

use longrun_core::inputs::{Environment, Inputs};
use longrun_kubernetes::stamped;
use longrun_program::{InvalidId, ProgramId, Seed, Size};

use crate::{
    access,
    commands::reproduce::Args,
    failure::Failure,
    project::{self, Project},
    terminal::Terminal,
};

/// A cluster that has not answered by then is not waited for: the name of the Job is enough.
const CLUSTER: Duration = Duration::from_secs(10);

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) program: ProgramId,
    /// The version of Restate.
    pub(crate) restate: String,
    /// What the environment sets of Restate, by environment variable.
    pub(crate) settings: BTreeMap<String, String>,
}

/// What was asked for.
#[derive(Debug)]
enum Asked {
    /// The whole program.
    Program(ProgramId),
    /// A test's Job.
    Job(Seed),
}

/// What an environment's file says today of the programs of its tests and of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    size: u32,
    restate: String,
    settings: BTreeMap<String, String>,
}

pub(crate) async fn find(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<Subject, Failure> {
    let asked = parse(&args.job)?;
    let inputs = project.inputs()?;
    let environments: Vec<&Environment> = match &args.environment {
        Some(name) => vec![inputs.environment(name).map_err(project::unknown)?],
        None => inputs.environments().collect(),
    };
    let (program, environment) = match &asked {
        Asked::Program(_) => (None, None),
        Asked::Job(_) if args.size.is_some() => (None, None),
        Asked::Job(job) => from_cluster(job, &environments, &inputs, args, terminal).await?,
    };
    let present = match environment {
        Some(environment) => Settings::of(environment),
        None => present(&environments)?,
    };
    let program = match (program, asked) {
        (Some(program), _) | (None, Asked::Program(program)) => program,
        (None, Asked::Job(job)) => {
            let asked = args.size.unwrap_or(present.size);
            let size = Size::new(asked).map_err(Failure::refused)?;
            let program = ProgramId::new(job, size);
            let whose = match args.size {
                Some(_) => "the size given here makes",
                None => "the environment's present settings make",
            };
            terminal.say(&format!("program: {program}, which {whose} of the name"));
            program
        }
    };
    let restate = args.restate.clone().unwrap_or(present.restate);
    Ok(Subject {
        program,
        restate,
        settings: present.settings,
    })
}

fn parse(text: &str) -> Result<Asked, Failure> {
    match text.parse::<ProgramId>() {
        Ok(program) => return Ok(Asked::Program(program)),
        Err(InvalidId::Shape(_)) => {}
        Err(error @ InvalidId::Version(_)) => {
            return Err(Failure::refused(error)
                .hint("run this from a revision of the project that has that generator"));
        }
        Err(error) => return Err(Failure::refused(error)),
    }
    // The CronJob controller names a Job by its minute.
    let minute = text.strip_prefix("test-").unwrap_or_default();
    let is_test = !minute.is_empty() && minute.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(job) if is_test => Ok(Asked::Job(job)),
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
    terminal: &Terminal,
) -> Result<(Option<ProgramId>, Option<&'a Environment>), Failure> {
    let mut why = BTreeMap::new();
    for environment in environments {
        let name = environment.name.as_str();
        let chosen = project::choose(inputs, name, args.cluster.as_deref())?;
        let cluster = chosen.cluster.name.to_string();
        // A cluster that could not be reached once is not tried for its next environment.
        if why.contains_key(&cluster) {
            continue;
        }
        let asking = async {
            let client = access::client(chosen.cluster)
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
            Ok(Some(program)) => {
                terminal.say(&format!(
                    "program: {program}, which the Job {cluster}/{name}/{job} says it ran"
                ));
                let program = program.parse().map_err(|error: InvalidId| {
                    Failure::refused(error)
                        .hint("run this from a revision of the project that has that generator")
                })?;
                return Ok((Some(program), Some(environment)));
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
    Ok((None, None))
}

/// What all of the environments say, if it is the same.
fn present(environments: &[&Environment]) -> Result<Settings, Failure> {
    let (first, rest) = environments.split_first().ok_or_else(|| {
        Failure::refused("there is no environment, whose size and Restate would be taken")
            .hint("give --inputs a directory with `environments`")
    })?;
    let settings = Settings::of(first);
    match rest.iter().find(|other| Settings::of(other) != settings) {
        None => Ok(settings),
        Some(other) => Err(Failure::refused(format!(
            "{} and {} have tests of different sizes, or other nodes",
            first.name, other.name
        ))
        .hint(format!("say whose settings are meant: -n {}", first.name))),
    }
}

impl Settings {
    fn of(environment: &Environment) -> Self {
        let restate = &environment.restate;
        let further = restate.settings.iter();
        let settings = further
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .chain([(
                "RESTATE_DEFAULT_NUM_PARTITIONS".to_owned(),
                restate.partitions.to_string(),
            )])
            .collect();
        Self {
            size: environment.test.size.get(),
            restate: restate.image.tag().to_owned(),
            settings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_a_test_or_any_program_by_its_id_is_taken() {
        assert!(matches!(parse("test-28114121"), Ok(Asked::Job(_))));
        for id in ["v1-s300-all-a", "v1-s300-k2_3.1c0-test-28114121"] {
            assert!(matches!(parse(id), Ok(Asked::Program(_))), "{id}");
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
}
