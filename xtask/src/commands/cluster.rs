//! `cargo xtask cluster`

use longrun_kubernetes::identity;

use crate::{
    access,
    failure::{ExitStatus, Failure},
    project::{self, Project},
    terminal::Terminal,
};

/// Manage cluster files.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Record the cluster's identity, the UID of its namespace kube-system, in its file.
    ///
    /// From then on every command refuses a cluster with another UID. Without a recorded UID no command connects.
    Trust {
        /// The cluster file's name.
        name: String,
        /// Answer yes: the UID was compared elsewhere.
        #[arg(long)]
        yes: bool,
    },
}

/// The field of the cluster file.
const FIELD: &str = "kubeSystemUid";

pub(crate) async fn run(
    command: &Command,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let Command::Trust { name, yes } = command;
    let inputs = project.inputs()?;
    let cluster = inputs.cluster(name).map_err(project::unknown)?;
    if cluster.access.is_embedded() {
        return Err(Failure::refused(format!(
            "{name} is an embedded cluster: its identity is recorded when it is made"
        )));
    }
    let (way, recorded) = access::way(cluster)?;
    let (found, server) = identity(&way)
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))?;
    if recorded.as_ref() == Some(&found) {
        terminal.say(&format!(
            "nothing to do: {name} is recorded as {found} already"
        ));
        return Ok(ExitStatus::Done);
    }
    let before = recorded.map_or_else(String::new, |uid| format!("; recorded is {uid}"));
    let what = format!("{server} has the kube-system UID {found}{before}");
    terminal.consent(&what, &format!("Is this the cluster {name}?"), *yes)?;

    let path = project.cluster_file(name);
    let text = std::fs::read_to_string(&path).map_err(|error| project::unusable(&path, &error))?;
    std::fs::write(&path, with_field(&text, found.0.as_str()))
        .map_err(|error| project::unusable(&path, &error))?;
    terminal.say(&format!(
        "recorded in {}: review and commit it",
        path.display()
    ));
    Ok(ExitStatus::Done)
}

/// The file with the UID in it and every other line as it was, comments included.
fn with_field(text: &str, uid: &str) -> String {
    let line = format!("{FIELD}: {uid}");
    let mut lines: Vec<&str> = text.lines().collect();
    match lines
        .iter()
        .position(|existing| existing.starts_with(FIELD))
    {
        Some(index) => lines[index] = &line,
        None => {
            let after_name = lines
                .iter()
                .position(|existing| existing.starts_with("name:"))
                .map_or(0, |index| index + 1);
            lines.insert(after_name, &line);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::with_field;

    #[test]
    fn the_uid_is_added_once_and_comments_stay() {
        let file = "# ours\nname: dev # EKS\naccess: embedded\n";
        let once = with_field(file, "a");
        assert_eq!(
            once,
            "# ours\nname: dev # EKS\nkubeSystemUid: a\naccess: embedded\n"
        );
        assert_eq!(with_field(&once, "b"), once.replace("Uid: a", "Uid: b"));
    }
}
