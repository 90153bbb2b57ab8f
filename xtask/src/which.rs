//! Which environment a command is about, and on which cluster it is.

/// One environment.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Which {
    /// The environment, which is also the namespace.
    #[arg(
        short = 'n',
        long = "environment",
        visible_alias = "namespace",
        value_name = "ENVIRONMENT"
    )]
    pub(crate) environment: String,
    /// The cluster, in place of LONGRUN_CLUSTER or the environment's usual one.
    #[arg(long)]
    pub(crate) cluster: Option<String>,
}

/// One environment, or all.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Any {
    /// Only this environment, which is also the namespace.
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
}
