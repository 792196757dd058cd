//! A new password: asked for, or from standard input or a file; never from the command line, where every user of the machine could read it.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::change::text_in;
use crate::failure::{Failure, Result};
use crate::login::password;

#[derive(Debug, Args)]
pub(crate) struct NewPassword {
    /// The new password is the first line of standard input.
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// The new password is the first line of this file, which only its owner can read.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl NewPassword {
    /// The new password of that user.
    pub(super) async fn read(&self, user: &str) -> Result<String> {
        let new = match &self.password_file {
            Some(file) => from_file(file)?,
            None if self.password_stdin => {
                let mut line = String::new();
                std::io::stdin()
                    .lock()
                    .read_line(&mut line)
                    .map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
                first_line(&line)
            }
            None => ask(user).await?,
        };
        match new.is_empty() {
            true => Err(Failure::Usage("the new password is empty".into())),
            false => Ok(new),
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn from_file(file: &Path) -> Result<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let wrong = |why: &str| Failure::Usage(format!("{}: {why}", file.display()));
        let facts = std::fs::metadata(file).map_err(|error| wrong(&error.to_string()))?;
        if facts.permissions().mode() & 0o077 != 0 {
            return Err(wrong("others can read it; chmod 600 it"));
        }
    }
    Ok(first_line(&text_in(file)?))
}

/// Asks twice, because nobody sees what is typed.
async fn ask(user: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "there is no terminal to ask for the new password; use --password-stdin or --password-file"
                .into(),
        ));
    }
    let first = password(&format!("New password of {user}: ")).await?;
    let second = password("Once more: ").await?;
    match first == second {
        true => Ok(first),
        false => Err(Failure::Usage("the two were not the same".into())),
    }
}
