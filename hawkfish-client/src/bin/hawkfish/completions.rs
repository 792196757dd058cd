//! `completions` and `man`: what a shell and a reader know of the command line, made from the command line itself.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::failure::{Failure, Result};
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write one page for each command into this folder, which is made if missing; without it the first page goes to standard output.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn completions(
    output: &Output,
    mut command: clap::Command,
    arguments: &Completions,
) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "hawkfish", &mut script);
    output.bytes(&script)
}

pub(crate) fn man(output: &Output, command: clap::Command, arguments: &Man) -> Result<()> {
    let Some(dir) = &arguments.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return output.bytes(&page);
    };
    let failed = |error: std::io::Error| Failure::Usage(format!("{}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)
}
