//! Firmware of the parts of a make.

use std::sync::Arc;

use hawkfish_core::backend::PartFirmware;
use serde::{Deserialize, Serialize};

use super::super::{BadDescription, wrong};

/// The firmware of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartMake {
    /// The part: `NIC`. `BMC` is the manager of the system.
    pub part: String,
    /// Its name for people; the part's unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    pub version: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
}

/// The firmware of the parts of a make: that of its base, with what is said in the place of what is there.
pub(super) fn over(
    said: &[PartMake],
    base: &Arc<[PartFirmware]>,
    at: &str,
) -> Result<Arc<[PartFirmware]>, BadDescription> {
    if said.is_empty() {
        return Ok(Arc::clone(base));
    }
    let mut all = base.to_vec();
    for (n, firmware) in said.iter().enumerate() {
        let part = &firmware.part;
        let at = || format!("{at}, part {part:?}");
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if part.is_empty() || part.len() > 32 || !part.chars().all(is_name) {
            return Err(wrong(
                at(),
                "a part is up to 32 letters, digits and underscores",
            ));
        }
        if part == "BIOS" {
            return Err(wrong(at(), "`firmware_version` says that"));
        }
        if said[..n].iter().any(|other| other.part == *part) {
            return Err(wrong(at(), "it is said twice"));
        }
        all.retain(|known| known.part != *part);
        all.push(PartFirmware {
            part: part.clone(),
            name: firmware
                .name
                .clone()
                .unwrap_or_else(|| format!("{part} firmware")),
            version: firmware.version.clone(),
            manufacturer: firmware.manufacturer.clone(),
        });
    }
    if all.len() > 64 {
        return Err(wrong(at, "there are more than 64 parts with a firmware"));
    }
    Ok(all.into())
}
