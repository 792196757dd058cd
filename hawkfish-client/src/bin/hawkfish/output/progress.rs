//! How far something is: on standard error, and only on a terminal. In a pipe all of it does nothing.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain;

/// Work that is watched; gone from the screen when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Of something that is not shown.
    pub(crate) fn none() -> Self {
        Self { bar: None }
    }

    /// Work of which the service tells percents, perhaps.
    pub(crate) fn of_work(what: &str) -> Self {
        let bar = Self::start(ProgressBar::no_length(), what);
        if let Some(bar) = &bar {
            bar.set_style(style("{prefix} {spinner} {wide_msg}"));
        }
        Self { bar }
    }

    /// Bytes that go over the wire; without a total only how many have gone.
    pub(crate) fn of_bytes(what: &str, total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        let bar = Self::start(bar, what);
        if let Some(bar) = &bar {
            bar.set_style(style(match total {
                Some(_) => {
                    "{prefix} [{wide_bar:.cyan}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"
                }
                None => "{prefix} {spinner} {bytes} {bytes_per_sec}",
            }));
        }
        Self { bar }
    }

    fn start(bar: ProgressBar, what: &str) -> Option<ProgressBar> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.set_prefix(plain(what));
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    }

    /// How far the work is, where the service says so, and its word for the state it is in.
    pub(crate) fn percent(&self, percent: Option<u64>, state: &str) {
        let Some(bar) = &self.bar else { return };
        bar.set_message(plain(state));
        if let Some(percent) = percent {
            if bar.length().is_none() {
                bar.set_length(100);
                bar.set_style(style("{prefix} [{bar:40.cyan}] {pos:>3} % {wide_msg}"));
            }
            bar.set_position(percent.min(100));
        }
    }

    /// So many bytes have gone.
    pub(crate) fn at(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
