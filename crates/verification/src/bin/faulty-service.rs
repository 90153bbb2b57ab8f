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
    /// `lose-increment=<target>` or `double-increment=<target>`.
    #[arg(long)]
    fault: Fault,
    #[command(flatten)]
    addresses: service::Addresses,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    target: Target,
    growth: u64,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is not a fault of this program");
        let (name, target) = text.split_once('=').ok_or_else(unknown)?;
        let growth = match name {
            "lose-increment" => 0,
            "double-increment" => 2,
            _ => return Err(unknown()),
        };
        let target = Target(target.parse().map_err(|_| unknown())?);
        Ok(Self { target, growth })
    }
}

impl service::Conduct for Fault {
    fn growth(&self, target: Target) -> u64 {
        if target == self.target {
            self.growth
        } else {
            1
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
