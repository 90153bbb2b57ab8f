//! `cargo xtask local`

use longrun_embedded::{Cluster, Status};

use crate::{
    access,
    failure::{ExitStatus, Failure},
    terminal::{Terminal, seconds},
};

/// Start, stop and inspect the embedded cluster.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Start the embedded cluster, and build what is missing.
    Up {
        #[command(flatten)]
        name: Name,
        /// Install missing Debian packages without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Stop the embedded cluster. Its data stays, and is back with the next `up`.
    Down {
        #[command(flatten)]
        name: Name,
        /// Also delete all its data: every database and snapshot.
        #[arg(long)]
        delete_data: bool,
        /// Delete without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Show its components, address and size.
    Status {
        #[command(flatten)]
        name: Name,
    },
}

/// Which embedded cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct Name {
    /// The embedded cluster, by the name of its cluster file.
    #[arg(long, default_value = access::LOCAL)]
    name: String,
}

pub(crate) fn run(command: &Command, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    match command {
        Command::Up { name, yes } => up(&name.name, *yes, terminal),
        Command::Down {
            name,
            delete_data,
            yes,
        } => down(&name.name, *delete_data, *yes, terminal),
        Command::Status { name } => status(&name.name, terminal),
    }
}

fn up(name: &str, yes: bool, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let cluster = access::prepare_machine(name, yes, terminal)?;
    access::up(&cluster, terminal)?;
    show(name, &cluster, terminal)
}

fn down(
    name: &str,
    delete_data: bool,
    yes: bool,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let cluster = access::embedded(name)?;
    let state = cluster.status()?.state;
    let deletes = delete_data && state.exists();
    if deletes {
        let what = format!(
            "This deletes the embedded cluster {name} with every database and snapshot in it ({}), for good.",
            state.display()
        );
        terminal.consent(&what, "Delete all of it?", yes)?;
    }
    let work = terminal.work("taking the embedded cluster down");
    // Also one that does not run: it may not have ended as it should have.
    let ran = cluster.down(delete_data, &|news| work.report(news))?;
    if deletes {
        work.done(&format!(
            "the embedded cluster {name} and its data are gone"
        ));
    } else if ran {
        work.done(&format!(
            "the embedded cluster {name} is down; its data stays and comes back with `cargo xtask local up --name {name}`"
        ));
    } else {
        drop(work);
        terminal.say(&format!(
            "nothing to do: the embedded cluster {name} does not run"
        ));
    }
    Ok(ExitStatus::Done)
}

fn status(name: &str, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    show(name, &access::embedded(name)?, terminal)
}

fn show(name: &str, cluster: &Cluster, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let status = cluster.status()?;
    terminal.data(&status, || text(name, &status))?;
    Ok(ExitStatus::Done)
}

fn text(name: &str, status: &Status) -> String {
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let place = format!(
        "data        {} in {}",
        mebibytes(status.disk),
        status.state.display()
    );
    let Some(running) = &status.running else {
        return format!("the embedded cluster {name} is down\n{place}");
    };
    let age = seconds(running.since.elapsed().unwrap_or_default());
    let mut lines = vec![
        format!(
            "{name} is running for {age} at {}, {} resident, pods included",
            running.address,
            mebibytes(running.memory)
        ),
        place,
        format!("kubeconfig  {}", status.kubeconfig.display()),
        String::new(),
    ];
    for component in &running.components {
        let mut line = format!(
            "{:<26} {:<10} {:>8}",
            component.name,
            component.state,
            mebibytes(component.memory)
        );
        if component.restarts > 0 {
            let exit = component.last_exit.as_deref().unwrap_or("unknown");
            line.push_str(&format!(
                "  {} restarts, last exit: {exit}, log: {}",
                component.restarts,
                component.log.display()
            ));
        }
        if let Some(end) = &component.log_end {
            line.push_str(&format!("\n{end}"));
        }
        lines.push(line);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use longrun_embedded::{ComponentStatus, Running};

    use super::*;

    #[test]
    fn a_crashed_component_is_shown_with_the_end_of_its_log() {
        let status = Status {
            running: Some(Running {
                since: SystemTime::now(),
                address: [10, 88, 0, 2].into(),
                memory: 900 << 20,
                components: vec![ComponentStatus {
                    name: "coredns".into(),
                    state: "restarting".into(),
                    healthy: false,
                    pid: None,
                    restarts: 2,
                    last_exit: Some("exit status 3".into()),
                    memory: 0,
                    log: "/state/logs/coredns.log".into(),
                    log_end: Some("  no zone today".into()),
                }],
            }),
            kube_system_uid: None,
            state: "/state".into(),
            disk: 0,
            kubeconfig: "/cache/kubeconfig".into(),
        };
        let shown = text("mine", &status);
        assert!(
            shown.ends_with(
                "coredns                    restarting    0 MiB  2 restarts, last exit: exit status 3, \
                 log: /state/logs/coredns.log\n  no zone today"
            ),
            "{shown}"
        );
        let down = Status {
            running: None,
            ..status
        };
        assert!(text("mine", &down).starts_with("the embedded cluster mine is down\n"));
    }
}
