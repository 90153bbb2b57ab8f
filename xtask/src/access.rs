//! From the kind of a cluster to a checked client of it, starting the embedded one where it does not
//! run.

use std::path::PathBuf;

use longrun_core::{
    inputs::{Access, Cluster, Inputs},
    object::Uid,
};
use longrun_embedded::{Cluster as Embedded, Error as EmbeddedError, Places, Up};
use longrun_kubernetes::{Client, ConnectError, connect};

use crate::{
    failure::Failure,
    project::{Chosen, Project},
    terminal::Terminal,
    which::Any,
};

/// The embedded cluster of a name, running or not.
pub(crate) fn embedded(name: &str) -> Result<Embedded, Failure> {
    Ok(Embedded::open(name, &places()?)?)
}

/// Where this user's embedded clusters and caches are.
pub(crate) fn places() -> Result<Places, Failure> {
    Ok(Places::of_user()?)
}

/// Installs what the machine lacks for the embedded cluster, after saying so.
pub(crate) fn prepare_machine(
    name: &str,
    yes: bool,
    terminal: &Terminal,
) -> Result<Embedded, Failure> {
    let cluster = embedded(name)?;
    let missing = longrun_embedded::missing_packages()?;
    if !missing.is_empty() {
        let question = format!(
            "The embedded cluster needs these Debian packages: {}",
            missing.join(", ")
        );
        terminal.consent(&question, "Install them?", yes)?;
        let work = terminal.work("installing packages");
        longrun_embedded::install(&missing, &|news| work.output(news))?;
        work.done("packages are installed");
    }
    Ok(cluster)
}

/// Starts the embedded cluster, unless it runs.
pub(crate) fn up(cluster: &Embedded, terminal: &Terminal) -> Result<Up, Failure> {
    let work = terminal.work("embedded cluster");
    let up = cluster.up(&|news| work.output(news))?;
    if up.started {
        work.done("the embedded cluster runs");
    } else {
        drop(work);
    }
    Ok(up)
}

/// A client of the cluster that the file means, and of no other.
pub(crate) async fn client(chosen: &Chosen<'_>) -> Result<Client, Failure> {
    let (way, uid) = way(chosen.cluster)?;
    let connected = connect(&way, uid.as_ref()).await;
    connected.map_err(|error| {
        let failure = Failure::refused(Failure::chain(&error));
        if chosen.is_usual() && is_out_of_reach(&error) && embedded_runs() {
            let name = &chosen.cluster.name;
            failure.hint(format!(
                "{name} is not reachable; the embedded cluster runs: add --cluster {LOCAL}, or set LONGRUN_CLUSTER={LOCAL}"
            ))
        } else {
            failure
        }
    })
}

/// Whether nothing answers, as opposed to a cluster that answers with a refusal.
fn is_out_of_reach(error: &ConnectError) -> bool {
    match error {
        ConnectError::NoKubeconfig { .. }
        | ConnectError::NoContext { .. }
        | ConnectError::NoEksContext { .. }
        | ConnectError::Unreachable { .. } => true,
        ConnectError::Kubeconfig { .. }
        | ConnectError::Credentials { .. }
        | ConnectError::AnotherServer { .. }
        | ConnectError::Forbidden { .. }
        | ConnectError::AnotherCluster { .. }
        | ConnectError::Untrusted { .. }
        | ConnectError::Other(_) => false,
    }
}

/// The embedded cluster that `local` commands mean when none is named.
pub(crate) const LOCAL: &str = "local";

/// Whether the user may have meant the embedded cluster, and it answers.
fn embedded_runs() -> bool {
    let uid = embedded(LOCAL).and_then(|cluster| Ok(cluster.running_uid()?));
    uid.is_ok_and(|uid| uid.is_some())
}

/// An environment, and a client of its cluster or why there is none.
pub(crate) struct Reached<'a> {
    pub(crate) chosen: Chosen<'a>,
    pub(crate) client: Result<Client, Failure>,
}

/// The environment that is named, or all. No cluster is connected to twice.
pub(crate) async fn each<'a>(
    which: &Any,
    inputs: &'a Inputs,
    project: &Project,
) -> Result<Vec<Reached<'a>>, Failure> {
    let names: Vec<&str> = match which.environment.as_deref() {
        Some(name) => vec![name],
        None => inputs
            .environments()
            .map(|environment| environment.name.as_str())
            .collect(),
    };
    let mut each: Vec<Reached<'a>> = Vec::new();
    for name in names {
        let chosen = project.choose(inputs, name, which.cluster.as_deref())?;
        let tried = each
            .iter()
            .find(|other| other.chosen.cluster.name == chosen.cluster.name);
        let client = match tried {
            Some(other) => other.client.clone(),
            None => client(&chosen).await,
        };
        each.push(Reached { chosen, client });
    }
    Ok(each)
}

/// How a cluster is reached, and the identity that is expected there.
pub(crate) fn way(cluster: &Cluster) -> Result<(longrun_kubernetes::Access, Option<Uid>), Failure> {
    let recorded = cluster
        .kube_system_uid
        .as_ref()
        .map(|uid| Uid(uid.as_str().to_owned()));
    match &cluster.access {
        Access::Embedded => {
            let (kubeconfig, uid) = running(cluster.name.as_str())?;
            Ok((longrun_kubernetes::Access::File(kubeconfig), Some(uid)))
        }
        Access::Eks { name, region } => Ok((
            longrun_kubernetes::Access::Eks {
                name: name.to_string(),
                region: region.to_string(),
            },
            recorded,
        )),
        Access::Kubeconfig { context } => Ok((
            longrun_kubernetes::Access::Context(context.clone()),
            recorded,
        )),
    }
}

fn running(name: &str) -> Result<(PathBuf, Uid), Failure> {
    let cluster = embedded(name)?;
    match cluster.running_uid()? {
        Some(uid) => Ok((cluster.kubeconfig(), Uid(uid))),
        None => Err(
            Failure::refused(format!("the embedded cluster {name} does not run"))
                .hint(format!("start it: cargo xtask local up --name {name}")),
        ),
    }
}

impl From<EmbeddedError> for Failure {
    fn from(error: EmbeddedError) -> Self {
        let message = Self::chain(&error);
        match error {
            EmbeddedError::Left { .. } => Self::half_way(message),
            EmbeddedError::Build(_) => Self::refused(message)
                .hint("run the command again: what is compiled already is kept"),
            EmbeddedError::Component { .. }
            | EmbeddedError::NotReady { .. }
            | EmbeddedError::SupervisorEnded { .. } => Self::refused(message)
                .hint("see what runs: cargo xtask local status")
                .hint(
                    "its data is kept: put it right and run the command again, or begin without \
                     it: cargo xtask local down --delete-data",
                ),
            _ => Self::refused(message),
        }
    }
}
