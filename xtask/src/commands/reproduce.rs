//! `cargo xtask reproduce`

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    access,
    failure::{ExitStatus, Failure},
    images,
    interrupt::Interrupts,
    project::Project,
    reproduction::{
        machine::{Patience, Programs},
        place::{Listening, Place},
        report::{Again, Report},
        runs::{RunContext, until_failure},
        smaller::{End as Searched, Search},
        subject::{self, Subject},
    },
    terminal::Terminal,
};

/// Run the program of a test again on this machine, with a real Restate node and the service as processes.
///
/// Exits 0 when every run verified, and 1 when one failed: the failure is reproduced. The data directory and the logs of
/// the failed run are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The test's Job, such as test-28114121, or a program's id, such as v1-s300-all-a.
    pub(crate) job: String,
    /// The environment that has the Job, or whose present settings are used. It may be omitted while all environments have
    /// the same settings.
    #[arg(
        short = 'n',
        long = "environment",
        visible_alias = "namespace",
        value_name = "ENVIRONMENT"
    )]
    pub(crate) environment: Option<String>,
    /// The cluster, in place of LONGRUN_CLUSTER or the environment's usual one.
    #[arg(long)]
    pub(crate) cluster: Option<String>,
    /// Find the program in evidence that `triage --save` saved in this directory, without a cluster.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cluster", "size"])]
    pub(crate) from: Option<PathBuf>,
    /// Kill the node and the service at moments that follow from --chaos-seed.
    #[arg(long)]
    chaos: bool,
    /// The seed of the first run's kills; each further run has the next number [default: 0]
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        requires = "chaos",
        hide_default_value = true
    )]
    chaos_seed: u32,
    /// How often to run the program, as many at a time as there are cores. The first failure ends all runs.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Run another program of this name, with about this many invocations.
    #[arg(long, value_name = "INVOCATIONS")]
    pub(crate) size: Option<u32>,
    /// After a failure, search for a smaller program that fails in the same way.
    #[arg(long)]
    shrink: bool,
    /// A version of Restate, or the path of a `restate-server` (with a `/`) [default: the version that the test ran on,
    /// where its evidence has it, or the environment's]
    #[arg(long, value_name = "VERSION|PATH", value_parser = version_or_server)]
    pub(crate) restate: Option<String>,
    /// Write data and logs here [default: `reproductions` in the user's state directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The first of five ports on 127.0.0.1 for a node and its service; the next node takes the next five [default: free
    /// ones]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Test-only: serve with this fault in the service, by a program that is in no image.
    #[arg(long, hide = true)]
    fault: Option<String>,
}

/// A healthy program takes a quarter of a minute; on a busy machine, and with kills, much longer. A wrong one
/// is told sooner, by standing still.
const LONGEST: Duration = Duration::from_secs(600);
/// What waits longest in a healthy program are delayed calls, for 4 s.
const STILL: Duration = Duration::from_secs(20);
/// A node that was killed needs half a minute before all goes on.
const STILL_AFTER_KILLS: Duration = Duration::from_secs(60);

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let subject = subject::find(args, project, terminal).await?;
    let interrupts = Interrupts::listen()?;
    let prepared = prepare(args, &subject, project, terminal);
    let context = Arc::new(unless(&interrupts, prepared).await?);
    let mut report = Report::new(&subject, args.runs, args.chaos);
    terminal.say(&format!(
        "running {} on restate-server {}, {}, in {}",
        subject.program,
        subject.restate,
        subject.why_restate,
        context.place.path().display()
    ));

    let work = terminal.work("reproducing");
    let running = until_failure(&context, &subject.program, args.runs, "run", &work);
    let ran = unless(&interrupts, running).await?;
    drop(work);
    let again = again(args, &subject, project);
    report.ran(&ran, &again);
    let Some(found) = ran.found else {
        return report.print(terminal, ExitStatus::Done);
    };
    if args.shrink {
        terminal.say(&format!(
            "run {} failed: {}",
            found.run, found.failed.symptom
        ));
        let search = Search::new(&context, &subject.program, &found, args.runs);
        let work = terminal.work("looking for a smaller program");
        let searched = tokio::select! {
            biased;
            () = interrupts.first() => Ok(Searched::CutShort),
            searched = search.to_the_end(&work) => searched,
        };
        drop(work);
        // What was found before is worth no less.
        let searched = searched.unwrap_or_else(|failure| {
            let message = failure.message;
            terminal.say(&format!(
                "the search for a smaller program ended early: {message}"
            ));
            for hint in failure.hints {
                terminal.say(&format!("  → {hint}"));
            }
            Searched::CutShort
        });
        report.shrunk(&search.found(), &searched, &again);
    }
    report.print(terminal, ExitStatus::Differences)
}

/// What is run, and where: nothing runs yet, and nothing is left when this fails.
async fn prepare(
    args: &Args,
    subject: &Subject,
    project: &Project,
    terminal: &Terminal,
) -> Result<RunContext, Failure> {
    let places = access::places()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = cores.min(usize::try_from(args.runs).unwrap_or(cores));
    if let Some(first) = args.port {
        for lane in 0..lanes {
            Listening::from(first, lane)?;
        }
    }
    let images = images::ImageBuilder::new(project.root(), &places.cache);
    let work = terminal.work("programs");
    let report = |news: &str| work.output(news);
    let server = match Path::new(&subject.restate) {
        own if own.is_absolute() => own.to_owned(),
        _ => images.restate_server(&subject.restate, &report).await?,
    };
    let verification = images.verification(&report).await?;
    let service = match &args.fault {
        None => vec![verification.clone().into(), "serve".into()],
        Some(fault) => {
            let faulty = images.faulty_service(&report).await?;
            vec![faulty.into(), "--fault".into(), fault.into()]
        }
    };
    drop(work);
    if let Some(fault) = &args.fault {
        terminal.say(&format!("THE SERVICE IS WRONG ON PURPOSE: {fault}"));
    }
    let parent = match &args.dir {
        Some(dir) => std::path::absolute(dir)
            .map_err(|error| Failure::refused(format!("--dir {}: {error}", dir.display())))?,
        None => places.state.join("reproductions"),
    };
    Ok(RunContext {
        programs: Arc::new(Programs {
            server,
            settings: subject.settings.clone(),
            verification,
            service,
        }),
        place: Place::make(&parent, &subject.program.seed, lanes)?,
        patience: Patience {
            whole: LONGEST,
            still: if args.chaos { STILL_AFTER_KILLS } else { STILL },
        },
        lanes,
        port: args.port,
        chaos: args.chaos.then_some(args.chaos_seed),
    })
}

/// A version as it is; the path of a program as seen from everywhere.
fn version_or_server(text: &str) -> Result<String, String> {
    if !text.contains('/') {
        return Ok(text.to_owned());
    }
    let words = |error: std::io::Error| error.to_string();
    let path = std::path::absolute(text).map_err(words)?;
    let found = std::fs::metadata(&path).map_err(words)?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err("it is not a program".to_owned());
    }
    Ok(path.display().to_string())
}

/// What repeats a failure, but for the program, the kills and how often.
fn again(args: &Args, subject: &Subject, project: &Project) -> Again {
    let mut flags = vec![("--restate", subject.restate.clone())];
    flags.extend(subject.environment.clone().map(|name| ("-n", name)));
    let elsewhere = project.elsewhere();
    flags.extend(elsewhere.map(|dir| ("--inputs", dir.display().to_string())));
    flags.extend(args.fault.clone().map(|fault| ("--fault", fault)));
    Again { flags }
}

/// The result of what goes on, or its end when a signal comes: dropping it ends all processes.
async fn unless<T>(
    interrupts: &Interrupts,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = interrupts.first() => Err(Failure::half_way(
            "interrupted: nothing of it runs any more, and its data and logs are removed",
        )
        .hint("run the command again: it begins anew")),
        done = work => done,
    }
}
