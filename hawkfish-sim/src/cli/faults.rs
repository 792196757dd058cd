//! `hawkfish-sim faults`.

use super::{Error, say};

/// Lists the presets.
pub(crate) fn run() -> Result<(), Error> {
    let mut text = String::new();
    for preset in hawkfish_sim::fault::PRESETS {
        text.push_str(&format!("{:24} {}\n", preset.name, preset.about));
    }
    say(&text)
}
