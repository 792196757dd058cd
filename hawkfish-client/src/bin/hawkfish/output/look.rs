//! How it looks: how wide, and in which colours. What a colour means is said here and nowhere else.

use std::io::IsTerminal as _;

use clap::ValueEnum;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set; also elsewhere where CLICOLOR_FORCE is.
    Auto,
    /// Also in a pipe.
    Always,
    /// Not even on a terminal.
    Never,
}

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) colours: bool,
    pub(crate) terminal: bool,
}

impl Look {
    pub(crate) fn of(color: Color) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self {
            colours: colours(color, terminal),
            terminal,
        }
    }

    /// Columns of the terminal, as it is now: it may be made smaller while we run. `None` in a pipe, where nothing is cut.
    pub(crate) fn width(self) -> Option<usize> {
        let (_, columns) = console::Term::stdout().size_checked()?;
        (self.terminal && columns > 0).then_some(columns.into())
    }

    /// Lines of the terminal.
    pub(crate) fn height(self) -> Option<usize> {
        let (lines, _) = console::Term::stdout().size_checked()?;
        (self.terminal && lines > 0).then_some(lines.into())
    }

    /// The text in the colour of its meaning.
    pub(crate) fn paint(self, text: &str, meaning: Option<Meaning>) -> String {
        match meaning {
            Some(meaning) if self.colours && !text.is_empty() => {
                format!("\u{1b}[{}m{text}\u{1b}[0m", meaning.code())
            }
            _ => text.to_owned(),
        }
    }
}

pub(crate) fn colours(color: Color, terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR").is_some() => false,
        Color::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Color::Auto => {
            let off = set("CLICOLOR").is_some_and(|value| value == "0")
                || set("TERM").is_some_and(|value| value == "dumb");
            terminal && !off
        }
    }
}

/// Why something is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Good,
    Doubtful,
    Bad,
    /// On its way from one state to another.
    Moving,
    /// Off, absent, over: nothing to look at.
    Quiet,
    Heading,
}

impl Meaning {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "31",
            Self::Moving => "36",
            Self::Quiet => "2",
            Self::Heading => "1",
        }
    }

    /// What the value at a JSON pointer means, where its property is one that has good and bad values.
    pub(crate) fn of(pointer: &str, text: &str) -> Option<Self> {
        let property = pointer.rsplit('/').next().unwrap_or_default();
        match property {
            "Health" | "HealthRollup" | "Severity" | "MessageSeverity" | "TaskStatus"
            | "JobStatus" => match text {
                "OK" => Some(Self::Good),
                "Warning" => Some(Self::Doubtful),
                "Critical" => Some(Self::Bad),
                _ => None,
            },
            "PowerState" => match text {
                "On" => Some(Self::Good),
                "Off" => Some(Self::Quiet),
                "Paused" => Some(Self::Doubtful),
                _ => Some(Self::Moving),
            },
            "State" => match text {
                "Enabled" => Some(Self::Good),
                "Starting" | "Updating" | "InTest" | "Qualified" | "Deferring" | "Quiesced" => {
                    Some(Self::Moving)
                }
                "UnavailableOffline" | "Degraded" => Some(Self::Bad),
                _ => Some(Self::Quiet),
            },
            "TaskState" | "JobState" => match text {
                "Completed" => Some(Self::Good),
                "Exception" | "Killed" | "CompletedWithErrors" | "Failed" => Some(Self::Bad),
                "Cancelled" | "Interrupted" | "Suspended" | "UserIntervention" => {
                    Some(Self::Doubtful)
                }
                _ => Some(Self::Moving),
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_and_power_have_colours_and_a_name_has_none() {
        assert_eq!(
            Meaning::of("/Status/HealthRollup", "Critical"),
            Some(Meaning::Bad)
        );
        assert_eq!(Meaning::of("/PowerState", "Off"), Some(Meaning::Quiet));
        assert_eq!(Meaning::of("/Name", "OK"), None);
    }

    #[test]
    fn a_flag_says_more_than_terminal_and_environment() {
        assert!(colours(Color::Always, false));
        assert!(!colours(Color::Never, true));
    }
}
