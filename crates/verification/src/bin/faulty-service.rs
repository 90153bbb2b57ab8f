//! Test-only: `verification serve` with a fault, to see that verify notices. In no image that is
//! released, and refused without a fault that it knows.

use clap::Parser;
use longrun_program::Target;
use longrun_verification::{log, service};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

/// Serve the services with a fault in them.
#[derive(Debug, Parser)]
struct Arguments {
    /// `lose-increment=<target>`, `double-increment=<target>` or `deadlock=<target>,<target>`.
    #[arg(long)]
    fault: Fault,
    #[command(flatten)]
    addresses: service::Addresses,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Increments of this target count so often.
    Growth(Target, u64),
    /// Exclusive nodes of each target also take the lock of the other one, before they end.
    Deadlock(Target, Target),
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "`{text}` is not a fault of this program: write lose-increment=<target>, \
                 double-increment=<target> or deadlock=<target>,<target>"
            )
        };
        let target = |text: &str| text.parse().map(Target).map_err(|_| unknown());
        match text.split_once('=').ok_or_else(unknown)? {
            ("lose-increment", of) => Ok(Self::Growth(target(of)?, 0)),
            ("double-increment", of) => Ok(Self::Growth(target(of)?, 2)),
            ("deadlock", of) => {
                let (one, other) = of.split_once(',').ok_or_else(unknown)?;
                Ok(Self::Deadlock(target(one)?, target(other)?))
            }
            _ => Err(unknown()),
        }
    }
}

impl service::Conduct for Fault {
    fn growth(&self, target: Target) -> u64 {
        match self {
            Self::Growth(of, growth) if *of == target => *growth,
            _ => 1,
        }
    }

    fn detour(&self, target: Target) -> Option<Target> {
        match self {
            Self::Deadlock(one, other) if *one == target => Some(*other),
            Self::Deadlock(one, other) if *other == target => Some(*one),
            _ => None,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { fault, addresses } = Arguments::parse();
    log::start();
    match service::serve(addresses, Arc::new(fault)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("cannot serve: {error}");
            ExitCode::FAILURE
        }
    }
}
