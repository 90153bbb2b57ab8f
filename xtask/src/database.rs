//! What the commands about the database have in common: from a name on the command line to facts, to a plan,
//! and to its end.

use longrun_core::{
    approval::{Approved, Ask},
    journal::{Journal, Stored},
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
    operation::{AGAIN, Operation},
    project::Project,
    show,
    terminal::{Answers, Terminal},
    which::Which,
};

/// The database of an environment whose cluster is recognised.
pub(crate) struct Database {
    deployment: Deployment,
    options: Options,
}

/// How a command that changes something is answered.
#[derive(Debug, clap::Args)]
pub(crate) struct Consent {
    #[command(flatten)]
    pub(crate) answers: Answers,
    /// Print the plan with the reason for each step and its digest, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What else may be at work meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locking {
    /// Nothing: under the lease, with a journal that is kept in the namespace.
    None,
    /// Nothing that minds it: the plan looks whether an operation is at work or not finished, and takes no lease.
    Anybody,
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

    /// Shows the plan, and gets the answer to it. Nothing when it was only to be shown, or when there is
    /// nothing to do.
    pub(crate) fn ask(
        plan: Plan,
        consent: &Consent,
        terminal: &Terminal,
    ) -> Result<Option<Approved>, Failure> {
        if consent.dry_run {
            show::dry_run(&plan, &show::to_approve(&plan), terminal)?;
            return Ok(None);
        }
        terminal.say(show::plan(&plan).trim_end());
        let approved = match Ask::new(plan).unneeded() {
            Ok(approved) => approved,
            Err(ask) => terminal.answer(ask, &consent.answers)?,
        };
        Ok(Some(approved))
    }

    /// Does what was approved, if it is still what would be planned.
    pub(crate) async fn carry_out(
        &self,
        operation: &Operation<'_>,
        approved: Approved,
        locking: Locking,
        decide: impl Fn(&Facts) -> Result<Plan, Refusals>,
    ) -> Result<Journal, Failure> {
        if locking == Locking::Anybody {
            let approved = operation.renew(approved, 0, self.plan(decide)).await?;
            let driven = operation.drive(approved, None).await;
            return driven
                .map_err(|failure| failure.hint(AGAIN))?
                .map_err(Failure::half_way);
        }
        operation
            .alone(async |lease| {
                let approved = operation.renew(approved, 0, self.plan(decide)).await?;
                let last = last(self.client(), &self.target().environment).await?;
                let now = self.client().now();
                let stored = Stored::begin(Journal::open(approved), last.as_ref(), now);
                let driven = operation.drive(stored, Some(lease)).await;
                driven
                    .map_err(|failure| {
                        failure.hint(format!(
                            "see where it stands, and go on: cargo xtask operation status {}",
                            self.target().flags()
                        ))
                    })?
                    .map_err(Failure::half_way)
            })
            .await
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
