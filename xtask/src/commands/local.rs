//! `cargo xtask local`

use longrun_embedded::{Cluster, Status};

use crate::{
    access,
    failure::{End, Failure},
    terminal::{Answers, Terminal, seconds},
};

/// What can be done to the embedded cluster.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Start the embedded cluster, building what is missing. Nothing to do when it runs.
    Up {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        answers: Answers,
    },
    /// Stop it. Its data stays and comes back with the next `up`.
    Down {
        #[command(flatten)]
        name: Name,
        /// Also delete everything it holds: every database and snapshot in it.
        #[arg(long)]
        delete_data: bool,
        #[command(flatten)]
        answers: Answers,
    },
    /// Its components, address and size.
    Status {
        #[command(flatten)]
        name: Name,
    },
}

/// Which embedded cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct Name {
    /// Which embedded cluster: the name of its cluster file.
    #[arg(long, default_value = "local")]
    name: String,
}

pub(crate) fn run(command: &Command, terminal: &Terminal) -> Result<End, Failure> {
    match command {
        Command::Up { name, answers } => up(&name.name, answers, terminal),
        Command::Down {
            name,
            delete_data,
            answers,
        } => down(&name.name, *delete_data, answers, terminal),
        Command::Status { name } => status(&name.name, terminal),
    }
}

fn up(name: &str, answers: &Answers, terminal: &Terminal) -> Result<End, Failure> {
    let cluster = access::prepare_machine(name, answers, terminal)?;
    access::up(&cluster, terminal)?;
    show(&cluster, terminal)
}

fn down(
    name: &str,
    delete_data: bool,
    answers: &Answers,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let cluster = access::embedded(name)?;
    let before = cluster.status().map_err(access::embedded_failure)?;
    if before.running.is_none() && !(delete_data && before.state.exists()) {
        terminal.say(&format!(
            "nothing to do: the embedded cluster {name} does not run"
        ));
        return Ok(End::Done);
    }
    if delete_data {
        let what = format!(
            "This deletes the embedded cluster {name} with every database and snapshot in it ({}), for good.",
            before.state.display()
        );
        terminal.consent(&what, "Delete all of it?", answers)?;
    }
    let work = terminal.work("taking the embedded cluster down");
    cluster
        .down(delete_data, &|news| work.report(news))
        .map_err(access::embedded_failure)?;
    work.done(&if delete_data {
        format!("the embedded cluster {name} and its data are gone")
    } else {
        format!("the embedded cluster {name} is down; its data stays and comes back with `cargo xtask local up`")
    });
    Ok(End::Done)
}

fn status(name: &str, terminal: &Terminal) -> Result<End, Failure> {
    show(&access::embedded(name)?, terminal)
}

fn show(cluster: &Cluster, terminal: &Terminal) -> Result<End, Failure> {
    let status = cluster.status().map_err(access::embedded_failure)?;
    terminal.data(&status, || text(&status))?;
    Ok(End::Done)
}

fn text(status: &Status) -> String {
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let place = format!(
        "data        {} in {}",
        mebibytes(status.disk),
        status.state.display()
    );
    let Some(running) = &status.running else {
        return format!("the embedded cluster is down\n{place}");
    };
    let age = seconds(running.since.elapsed().unwrap_or_default());
    let mut lines = vec![
        format!(
            "running for {age} at {}, {} resident, pods included",
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
        lines.push(line);
    }
    lines.join("\n")
}
