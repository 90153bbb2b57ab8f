//! `verification`: everything of the workload that runs in a container.
//!
//! Exit codes: 0 done, 1 it failed (the last line says why), 2 wrong usage, 3 the copy that was compared or examined is
//! empty, 143 ended by SIGTERM.

mod arguments;

use arguments::{Arguments, Command, Test};
use clap::Parser;
use longrun_restate::{Admin, Ingress, one_line};
use longrun_verification::directory::{self, Found};
use longrun_verification::{Error, discover, inspect, log, observe, service, test};
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start();
    let ends_itself = matches!(arguments.command, Command::Serve(_) | Command::Observe(_));
    let result = if ends_itself {
        run(arguments.command).await
    } else {
        tokio::select! {
            // Listens before anything begins.
            biased;
            () = terminated() => return ExitCode::from(SIGTERM_EXIT),
            result = run(arguments.command) => result,
        }
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            tracing::error!("{}", one_line(&failure));
            ExitCode::FAILURE
        }
    }
}

/// 128 and the number of the signal, as shells have it.
const SIGTERM_EXIT: u8 = 143;
/// Operations on the database tell a copy of nothing from one that differs or cannot be read.
const EMPTY_EXIT: u8 = 3;
/// How long one request of a command that runs by hand or once may take.
const REQUEST: Duration = Duration::from_secs(30);

/// Ends when the process is asked to. As process 1 of a container it would otherwise ignore that,
/// and its pod would take the whole grace period to go.
async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// How it ended; or why it could not even be tried.
async fn run(command: Command) -> Result<ExitCode, Error> {
    let succeeded = match command {
        Command::Compare(of) => return Ok(read(directory::compare(of.one, of.other).await?)),
        Command::Examine(of) => return Ok(read(directory::examine(of.directory).await?)),
        Command::Serve(addresses) => {
            let served = service::serve(addresses, Arc::new(service::Faithful)).await;
            served.map_err(Error::Serve)?;
            true
        }
        Command::Test(Test { program, options }) => {
            let ended = test::run(program.id(), options, &mut std::io::stdout()).await;
            ended.map_err(Error::Result)?
        }
        Command::Discover(discover) => {
            let admin = Admin::new(discover.admin, REQUEST);
            let found = discover::discover(&admin, &discover.deployment, discover.wait);
            print(found.await)
        }
        Command::Observe(options) => {
            let observed = observe::observe(options).await;
            observed.map_err(Error::Observe)?;
            true
        }
        Command::Inspect(of) => {
            let (ingress, admin) = (Ingress::new(of.ingress), Admin::new(of.admin, REQUEST));
            print(inspect::inspect(&ingress, &admin, &of.program.id(), REQUEST).await)
        }
        Command::Clear(of) => {
            let ingress = Ingress::new(of.ingress);
            print(inspect::clear(&ingress, &of.program.id(), REQUEST).await)
        }
        Command::Send(of) => directory::send(of.directory, of.at).await?,
        Command::Signal(of) => {
            let hits = longrun_verification::signal::signal(of.signal, &of.process)?;
            println!("{}", serde_json::json!({ "hit": hits }));
            true
        }
    };
    Ok(match succeeded {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn read(found: Found) -> ExitCode {
    match found {
        Found::Same => ExitCode::SUCCESS,
        Found::Other => ExitCode::FAILURE,
        Found::Empty => ExitCode::from(EMPTY_EXIT),
    }
}

/// Prints a result, or the error, as one JSON document on stdout.
fn print<T: Serialize>(result: Result<T, longrun_restate::Error>) -> bool {
    let ok = result.is_ok();
    let document = match result {
        Ok(value) => serde_json::json!({ "code": "ok", "result": value }),
        Err(error) => {
            let outcome = longrun_verification::line::Outcome::from(&error);
            serde_json::json!({ "code": outcome.code, "message": outcome.message })
        }
    };
    println!("{document}");
    ok
}
