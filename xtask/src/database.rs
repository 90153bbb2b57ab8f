//! What the commands about the database have in common: from a name on the command line to facts, and to a plan.

use longrun_core::{
    journal::Stored,
    operations::{
        data::{Facts, Options, Permission},
        refusal::Refusals,
    },
    plan::{Plan, Target},
};
use longrun_kubernetes::{Client, denied, last_operation, observe_data, to_carry_out};

use crate::{
    commands::deploy::Choices,
    deployment::Deployment,
    failure::Failure,
    project::Project,
    terminal::{Answers, Terminal},
    which::Which,
};

/// The database of an environment whose cluster is recognised.
pub(crate) struct Database {
    deployment: Deployment,
    options: Options,
}

impl Database {
    /// Gets everything ready that a plan needs, as a deployment does.
    pub(crate) async fn open(
        which: &Which,
        answers: &Answers,
        project: &Project,
        terminal: &Terminal,
    ) -> Result<Self, Failure> {
        let choices = Choices::default();
        let deployment = Deployment::open(which, answers, &choices, project, terminal).await?;
        let options = deployment.data_options()?;
        Ok(Self {
            deployment,
            options,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.deployment.client
    }

    pub(crate) fn target(&self) -> &Target {
        &self.deployment.target
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// What the cluster says of the database.
    pub(crate) async fn facts(&self) -> Result<Facts, Failure> {
        facts(self.client(), &self.target().environment).await
    }

    /// The plan as of now, if the user may do all of it: what is not allowed is found out before anything
    /// is changed.
    pub(crate) async fn plan(
        &self,
        decide: impl Fn(&Facts) -> Result<Plan, Refusals>,
    ) -> Result<Plan, Failure> {
        permitted(self.client(), self.target(), decide, to_carry_out).await
    }
}

/// What is decided as of now, if the user may do all that it takes.
pub(crate) async fn permitted<T>(
    client: &Client,
    target: &Target,
    decide: impl Fn(&Facts) -> Result<T, Refusals>,
    takes: impl Fn(&T) -> Vec<Permission>,
) -> Result<T, Failure> {
    let facts = facts(client, &target.environment).await?;
    permitted_by(facts, client, decide, takes).await
}

/// The same of facts that were read just now.
pub(crate) async fn permitted_by<T>(
    mut facts: Facts,
    client: &Client,
    decide: impl Fn(&Facts) -> Result<T, Refusals>,
    takes: impl Fn(&T) -> Vec<Permission>,
) -> Result<T, Failure> {
    let decided = decide(&facts)?;
    facts.denied = denied(client, takes(&decided))
        .await
        .map_err(|failure| Failure::refused(format!("nothing was changed: {failure}")))?;
    if facts.denied.is_empty() {
        Ok(decided)
    } else {
        Ok(decide(&facts)?)
    }
}

/// What the cluster says of the database of an environment.
pub(crate) async fn facts(client: &Client, environment: &str) -> Result<Facts, Failure> {
    observe_data(client, environment)
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))
}

/// The journal of the last operation on the database.
pub(crate) async fn last(client: &Client, environment: &str) -> Result<Option<Stored>, Failure> {
    last_operation(client, environment)
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))
}
