//! What a guest has written to its first serial console, from the file that libvirt or QEMU writes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::host::Host;
use crate::backend::MachineKey;
use crate::error::{Error, Result};

/// Most that is read, in bytes.
const MOST: u64 = 64 * 1024;

impl Host {
    /// How much the console's file holds before a start; `None` if it will be emptied, or there is none.
    pub(super) fn console_length(&self, key: MachineKey) -> Option<u64> {
        let console = self.entry(key)?.config.console.clone()?;
        if !console.keeps || !self.settings.is_local() {
            return None;
        }
        std::fs::metadata(&console.path).ok().map(|m| m.len())
    }

    /// Reads the end of it.
    pub(super) fn console(&self, key: MachineKey) -> Result<Vec<u8>> {
        let entry = self
            .entry(key)
            .ok_or_else(|| Error::not_found("ComputerSystem", &key.to_string()))?;
        let facts = entry.live.as_ref().unwrap_or(&entry.config);
        let unsupported = || {
            Error::unsupported(
                "Reading the console of a machine whose serial port is not kept in a file of this host",
            )
        };
        let console = facts.console.as_ref().ok_or_else(unsupported)?;
        if !self.settings.is_local() {
            return Err(unsupported());
        }
        let mut file = match File::open(&console.path) {
            Ok(file) => file,
            // It was never started.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unsupported().caused_by(error)),
        };
        let failed = |error| Error::backend("The console's file cannot be read.").caused_by(error);
        let length = file.metadata().map_err(failed)?.len();
        let from = entry
            .console_from
            .filter(|from| *from <= length)
            .unwrap_or(0);
        let from = from.max(length.saturating_sub(MOST));
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut text = Vec::new();
        file.take(MOST).read_to_end(&mut text).map_err(failed)?;
        Ok(text)
    }
}
