//! `hawkfish-sim world check`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Error, read, say};

#[derive(Debug, Subcommand)]
pub(crate) enum OfWorlds {
    /// Hold a description against what can be, and say what it makes.
    Check {
        /// A file of TOML, or of JSON where its name ends so.
        file: PathBuf,
    },
}

pub(crate) fn run(command: OfWorlds) -> Result<(), Error> {
    match command {
        OfWorlds::Check { file } => {
            let description = read(&file)?;
            let systems: usize = description.racks.iter().map(|rack| rack.systems).sum();
            let (racks, faults) = (description.racks.len(), description.all_faults()?.len());
            say(&format!(
                "{racks} racks, {systems} systems, {faults} faults\n"
            ))
        }
    }
}
