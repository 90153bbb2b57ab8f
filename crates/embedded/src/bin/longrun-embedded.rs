//! The embedded cluster without the rest of the project: `up`, `status` and
//! `down`, for whoever works on this crate and for its tests.

use std::process::ExitCode;

use longrun_embedded::{Cluster, Error, Places, supervise_main};

fn main() -> ExitCode {
    if let Some(code) = supervise_main() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["up", name] => up(name),
        ["status", name] => status(name),
        ["down", name] => down(name, false),
        ["down", name, "--delete-data"] => down(name, true),
        ["import", name, archive] => {
            open(name).and_then(|cluster| cluster.import_image(archive.as_ref()))
        }
        _ => {
            eprintln!(
                "usage: longrun-embedded up|status|down NAME [--delete-data] | import NAME ARCHIVE"
            );
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if let Some(source) = std::error::Error::source(&error) {
                eprintln!("because: {source}");
            }
            ExitCode::FAILURE
        }
    }
}

fn open(name: &str) -> Result<Cluster, Error> {
    Cluster::open(name, &Places::of_user()?)
}

fn report(what: &str) {
    eprintln!("{what}");
}

fn up(name: &str) -> Result<(), Error> {
    let up = open(name)?.up(&report)?;
    let was = if up.started { "started" } else { "was running" };
    println!(
        "{was}: {} ({})",
        up.kubeconfig.display(),
        up.kube_system_uid
    );
    Ok(())
}

fn status(name: &str) -> Result<(), Error> {
    println!("{:#?}", open(name)?.status()?);
    Ok(())
}

fn down(name: &str, delete_data: bool) -> Result<(), Error> {
    let ran = open(name)?.down(delete_data, &report)?;
    println!("{}", if ran { "down" } else { "was not running" });
    Ok(())
}
