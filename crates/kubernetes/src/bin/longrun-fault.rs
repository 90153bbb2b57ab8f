//! The runner of faults: injects one fault into the environment that it runs in, and ends when that is healthy
//! again. Its arguments come from the CronJob's template. One line of JSON on stdout says how it ended; what goes
//! on is on stderr.
//!
//! Exit codes: 0 recovered, or skipped for a reason; 1 the target did not recover, or it could not be tried; 2 wrong
//! usage.

use std::{process::ExitCode, time::Duration};

use jiff::SignedDuration;
use longrun_core::{
    faults::{self, Settings},
    object::Uid,
    plan::Target,
};
use longrun_kubernetes::{
    OWN_CLUSTER, connect_within,
    faults::{Order, run},
};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "longrun-fault --fault=NAME --environment=NAMESPACE --cluster=NAME --replicas=N --hold=SECONDS --enforces-policies=true|false [--by=WHO]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let order = match order(&arguments) {
        Ok(order) => order,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return ExitCode::from(2);
        }
    };
    // Listens before anything begins: as process 1 it would ignore it otherwise.
    let terminated = signal(SignalKind::terminate());
    let interrupted = async move {
        match terminated {
            Ok(mut terminated) => drop(terminated.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    let say = |news: &str| eprintln!("{news}");
    let ran = match connect_within() {
        Ok(client) => run(&client, &order, &say, interrupted).await,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match ran {
        Ok(ran) => {
            let failed = ran.failed();
            println!("{}", serde_json::to_string(&ran).unwrap_or_default());
            if failed {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `--key=value`, each key once; the last one counts.
fn order(arguments: &[String]) -> Result<Order, String> {
    let value = |key: &str| {
        let start = format!("--{key}=");
        let mut found = arguments.iter().rev();
        found.find_map(|argument| argument.strip_prefix(&start).map(str::to_owned))
    };
    let needed = |key: &str| value(key).ok_or_else(|| format!("--{key}=… is missing"));
    let number = |key: &str| {
        let text = needed(key)?;
        text.parse::<u32>()
            .map_err(|_| format!("--{key}={text} is not a whole number"))
    };
    let name = needed("fault")?;
    let fault = faults::find(&name).map_err(|hint| format!("unknown fault {name}: {hint}"))?;
    let environment = needed("environment")?;
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let job = variable("JOB_NAME");
    // The CronJob controller puts the minute since the epoch behind the name.
    let minute = job
        .strip_prefix(&format!("{}-", fault.cron_job()))
        .and_then(|minute| minute.parse::<u64>().ok());
    let jitter = minute.map_or(0, |minute| faults::jitter(&environment, fault.name, minute));
    let enforces_policies = match needed("enforces-policies")?.as_str() {
        "true" => true,
        "false" => false,
        other => {
            return Err(format!(
                "--enforces-policies={other} is neither true nor false"
            ));
        }
    };
    let seed = faults::seed(&environment, &job);
    Ok(Order {
        fault,
        settings: Settings {
            target: Target {
                cluster: needed("cluster")?,
                kube_system: Uid(OWN_CLUSTER.to_owned()),
                environment,
            },
            replicas: number("replicas")?.into(),
            hold: SignedDuration::from_secs(number("hold")?.into()),
            enforces_policies,
            seed,
        },
        by: value("by").unwrap_or_else(|| "schedule".to_owned()),
        pod: variable("POD_NAME"),
        jitter: Duration::from_secs(jitter.into()),
    })
}
