//! `cargo xtask chaos`

use comfy_table::{Table, presets::NOTHING};
use jiff::Timestamp;
use longrun_core::{
    approval::Ask,
    faults::{
        self, Facts, Fault, Pause, Settings,
        ledger::{Entry, OpenFault, Outcome},
    },
    inputs::Period,
    plan::{Plan, Target},
};
use longrun_kubernetes::{
    Client,
    faults::{Chaos, Followed, Verdict, by_hand},
};
use serde::Serialize;

use crate::{
    access,
    deployment::holder,
    failure::{ExitStatus, Failure},
    project::Project,
    show,
    terminal::{Answers, Terminal},
    which::Which,
};

/// Show, trigger and pause the faults of an environment.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show each fault: its minute, its last outcome and recovery time, and what prevents it now.
    Status(Which),
    /// Inject a fault now, and follow it until its target is healthy again.
    Trigger(Trigger),
    /// Pause fault injection; a running fault finishes normally.
    Pause(PauseArgs),
    /// End a pause early.
    Resume(Which),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Trigger {
    /// A fault that the environment's file names.
    fault: String,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    answers: Answers,
    /// Print the plan, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {
    /// How long, such as 2h. A pause always ends.
    #[arg(long = "for", value_name = "TIME")]
    time: Period,
    /// The reason, which `status` shows.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    which: Which,
}

/// An environment with faults, on a cluster that is recognised.
struct Place {
    client: Client,
    settings: Settings,
    rotation: Vec<(&'static Fault, u32)>,
}

pub(crate) async fn run(
    command: &Command,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    match command {
        Command::Status(which) => status(&Place::open(which, project).await?, terminal).await,
        Command::Trigger(args) => trigger(args, project, terminal).await,
        Command::Pause(args) => pause(args, project, terminal).await,
        Command::Resume(which) => resume(&Place::open(which, project).await?, terminal).await,
    }
}

impl Place {
    async fn open(which: &Which, project: &Project) -> Result<Self, Failure> {
        let inputs = project.inputs()?;
        let chosen = project.choose(&inputs, &which.environment, which.cluster.as_deref())?;
        let chaos = &chosen.environment.chaos;
        if !chaos.is_on() {
            let name = &chosen.environment.name;
            return Err(Failure::refused(format!(
                "the environment {name} has no faults, and nothing was changed"
            ))
            .hint(format!(
                "name them in environments/{name}.yaml under `chaos.faults`, and deploy it"
            )));
        }
        let client = access::client(&chosen).await?;
        let settings = Settings {
            target: chosen.target(&client),
            replicas: chosen.environment.verification.replicas.get().into(),
            hold: chaos.hold.duration(),
            enforces_policies: chosen.cluster.enforces_policies,
            seed: 0,
        };
        Ok(Self {
            client,
            settings,
            rotation: chaos.rotation(),
        })
    }

    fn environment(&self) -> &str {
        &self.settings.target.environment
    }

    async fn read(&self) -> Result<Chaos, Failure> {
        longrun_kubernetes::faults::chaos(&self.client, &self.settings, &self.rotation)
            .await
            .map_err(Failure::refused)
    }

    fn find(&self, name: &str) -> Result<&'static Fault, Failure> {
        let fault = faults::find(name).map_err(|hint| {
            Failure::refused(format!("unknown fault `{name}`, and nothing was changed")).hint(hint)
        })?;
        if self
            .rotation
            .iter()
            .any(|(there, _)| there.name == fault.name)
        {
            return Ok(fault);
        }
        let names: Vec<&str> = self.rotation.iter().map(|(fault, _)| fault.name).collect();
        Err(Failure::refused(format!(
            "{name} is not among the faults of {}, and nothing was changed: {}",
            self.environment(),
            names.join(", ")
        ))
        .hint(format!(
            "add it to environments/{}.yaml under `chaos.faults`, and deploy it",
            self.environment()
        )))
    }

    /// The plan of a fault, if it may be injected now.
    fn plan(&self, fault: &'static Fault, facts: &Facts, now: Timestamp) -> Result<Plan, Failure> {
        faults::decide(fault, &self.settings, facts, now).map_err(|reason| {
            Failure::refused(format!(
                "no {}, and nothing was changed: {reason}",
                fault.name
            ))
        })
    }
}

async fn status(place: &Place, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let chaos = place.read().await?;
    terminal.data(&chaos, || text(place, &chaos))?;
    Ok(ExitStatus::Done)
}

fn text(place: &Place, chaos: &Chaos) -> String {
    let pause = match &chaos.pause {
        None => "none".to_owned(),
        Some(pause) => format!(
            "until {} by {}: {}",
            clock(pause.until),
            pause.by,
            pause.reason
        ),
    };
    let operation = chaos.operation.as_deref().unwrap_or("none");
    let mut text = format!(
        "{}\n  pause          {pause}\n  operation      {operation}\n",
        place.settings.target
    );
    for open in &chaos.open {
        text.push_str(&format!(
            "  not ended      {open}: its runner is at work, or was killed and the next start takes it back\n"
        ));
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        "FAULT",
        "MINUTE",
        "LAST",
        "OUTCOME",
        "RECOVERED",
        "NEXT",
        "NOW",
    ]);
    for verdict in &chaos.faults {
        table.add_row(row(verdict));
    }
    text.push_str(&table.trim_fmt());
    text
}

fn row(verdict: &Verdict) -> [String; 7] {
    let none = || "–".to_owned();
    let last = verdict.last.as_ref();
    let outcome = last.map_or_else(none, |entry| match entry.outcome {
        Some(outcome) => outcome.words().to_owned(),
        None => "not ended".to_owned(),
    });
    let next = match (verdict.deployed, verdict.suspended, verdict.next) {
        (false, ..) => "not deployed".to_owned(),
        (true, true, _) => "suspended".to_owned(),
        (true, false, next) => next.map_or_else(none, clock),
    };
    [
        verdict.fault.to_owned(),
        format!(":{:02}", verdict.minute),
        last.map_or_else(none, |entry| clock(entry.began)),
        outcome,
        verdict
            .recovery_seconds
            .map_or_else(none, |seconds| format!("{seconds} s")),
        next,
        verdict.no_go.clone().unwrap_or_else(|| "go".to_owned()),
    ]
}

fn clock(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn trigger(
    args: &Trigger,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let mut place = Place::open(&args.which, project).await?;
    let fault = place.find(&args.fault)?;
    let chaos = place.read().await?;
    // The runner chooses by its Job's name.
    let job = by_hand(fault, chaos.now);
    place.settings.seed = faults::seed(place.environment(), &job);
    let plan = place.plan(fault, chaos.facts(), chaos.now)?;
    if let Some(operation) = &chaos.operation {
        return Err(Failure::refused(format!(
            "no {}, and nothing was changed: {operation} is at work",
            fault.name
        ))
        .hint("wait until it has ended"));
    }
    if args.dry_run {
        show::dry_run(&plan, "nothing was changed", terminal)?;
        return Ok(ExitStatus::Done);
    }
    terminal.say(show::plan(&plan).trim_end());
    let approved = terminal.answer(Ask::new(plan), &args.answers)?;
    let by = holder("chaos").who;
    let work = terminal.work(&format!("{} of {}", fault.name, place.settings.target));
    let triggered = longrun_kubernetes::faults::trigger(&place.client, &approved, fault, &job, &by)
        .await
        .map_err(Failure::refused)?;
    let followed = triggered
        .follow(&place.client, &|news| work.report(news))
        .await;
    let Followed { entry, open, said } = followed.map_err(|failure| {
        Failure::half_way(format!("{} continues unobserved: {failure}", triggered.job)).hint(
            format!(
                "see how it ended: cargo xtask chaos status {}",
                place.settings.target.flags()
            ),
        )
    })?;
    let Some(entry) = entry else {
        drop(work);
        return Err(not_begun(fault, &said, &place.settings.target));
    };
    if entry.outcome != Some(Outcome::Recovered) {
        drop(work);
        return Err(not_recovered(&entry, open.as_ref(), &place.settings.target));
    }
    let seconds = entry.recovery().map_or(0, |time| time.as_secs());
    work.done(&format!(
        "{}: its target is healthy again, {seconds} s after the injection",
        fault.name
    ));
    terminal.data(&entry, || format!("recovered after {seconds} s"))?;
    Ok(ExitStatus::Done)
}

fn not_begun(fault: &Fault, said: &str, target: &Target) -> Failure {
    let name = fault.name;
    if said.is_empty() {
        let failure = format!("{name} was not injected, and its runner left no word on why");
        return Failure::refused(failure).hint(format!(
            "see what prevents it now: cargo xtask chaos status {}",
            target.flags()
        ));
    }
    Failure::refused(format!("{name} was not injected: {said}"))
}

/// What was not taken back is the one thing to be seen to.
fn not_recovered(entry: &Entry, open: Option<&OpenFault>, target: &Target) -> Failure {
    let how = match entry.outcome {
        Some(outcome) => outcome.words(),
        None => "its runner ended and did not take it back",
    };
    let note = entry.note.iter().map(|note| format!(": {note}"));
    let failure = Failure::half_way(format!(
        "{}: {how}{}",
        entry.fault,
        note.collect::<String>()
    ));
    match (entry.outcome, open) {
        (None, Some(open)) => failure.hint(open.to_string()),
        _ => failure.hint(format!(
            "see the cause: cargo xtask status {}",
            target.flags()
        )),
    }
}

async fn pause(
    args: &PauseArgs,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let place = Place::open(&args.which, project).await?;
    let since = place.client.now();
    let until = since
        .checked_add(args.time.duration())
        .map_err(|_| Failure::refused("that is longer than there is time"))?;
    if let Some(other) = place.read().await?.pause
        && other.until > until
    {
        return Err(Failure::refused(format!(
            "it is paused already, for longer, until {} by {}: {}; nothing was changed",
            clock(other.until),
            other.by,
            other.reason
        ))
        .hint(format!(
            "to pause for less, end that first: cargo xtask chaos resume {}",
            place.settings.target.flags()
        )));
    }
    let pause = Pause {
        until,
        since,
        reason: args.reason.clone(),
        by: holder("chaos").who,
    };
    longrun_kubernetes::faults::pause(&place.client, place.environment(), &pause)
        .await
        .map_err(Failure::refused)?;
    terminal.data(&pause, || {
        format!(
            "nothing is injected into {} until {}; to end that before: cargo xtask chaos resume {}",
            place.settings.target,
            clock(until),
            place.settings.target.flags()
        )
    })?;
    Ok(ExitStatus::Done)
}

#[derive(Serialize)]
struct Resumed {
    resumed: bool,
}

async fn resume(place: &Place, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let lasts = place.read().await?.pause.is_some();
    let there = longrun_kubernetes::faults::resume(&place.client, place.environment())
        .await
        .map_err(Failure::refused)?;
    let resumed = lasts && there;
    let target = &place.settings.target;
    terminal.data(&Resumed { resumed }, || {
        if resumed {
            format!("{target}: faults happen again")
        } else {
            format!("{target}: there was no pause")
        }
    })?;
    Ok(ExitStatus::Done)
}

#[cfg(test)]
mod tests {
    use longrun_core::{faults::ledger::Ledger, object::Uid};

    use super::*;

    #[test]
    fn a_fault_that_its_runner_left_is_told_with_what_takes_it_back() {
        let target = Target {
            cluster: "dev".to_owned(),
            kube_system: Uid("k".to_owned()),
            environment: "restate-chaos".to_owned(),
        };
        let began = "2026-01-05T10:05:00Z".parse().expect("a time");
        let mut entry = Entry::begin("cut-network", "ana", Vec::new(), began);
        let mut ledger = Ledger::default();
        ledger.begin(entry.clone());
        let open = ledger.in_the_way(&target.environment);
        let told = not_recovered(&entry, open.as_ref(), &target);
        let message = "cut-network: its runner ended and did not take it back";
        assert_eq!(told.message, message);
        let back = "create job take-back --from cronjob/fault-cut-network";
        assert!(told.hints[0].contains(back), "{:?}", told.hints);

        entry.outcome = Some(Outcome::NotRecovered);
        entry.note = Some("two pods are not ready".to_owned());
        let told = not_recovered(&entry, None, &target);
        let message = "cut-network: NOT RECOVERED: two pods are not ready";
        assert_eq!(told.message, message);
        assert!(told.hints[0].contains("cargo xtask status"));
    }
}
