//! `cargo xtask completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{
    command_line::CommandLine,
    failure::{ExitStatus, Failure},
    terminal::Terminal,
};

/// Print a completion script for `longrun`, the program that `cargo install --path xtask` installs.
///
/// For bash: longrun completions bash > ~/.local/share/bash-completion/completions/longrun
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    shell: Shell,
}

pub(crate) fn run(args: &Args, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut CommandLine::command(),
        "longrun",
        &mut script,
    );
    let script = String::from_utf8_lossy(&script);
    terminal.data(&script, || script.to_string())?;
    Ok(ExitStatus::Done)
}
