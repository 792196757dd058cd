//! How far something is: on standard error, and only on a terminal. In a pipe all of it does nothing.

use std::io::{IsTerminal as _, Result};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

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
            bar.set_style(style("{prefix} {spinner} {msg}"));
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
                Some(_) => "{prefix} [{bar:30.cyan}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
                None => "{prefix} {spinner} {bytes} {bytes_per_sec}",
            }));
        }
        Self { bar }
    }

    fn start(bar: ProgressBar, what: &str) -> Option<ProgressBar> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(
            Box::new(Margin(console::Term::buffered_stderr())),
            20,
        ));
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
                bar.set_style(style("{prefix} [{bar:30.cyan}] {pos:>3} % {msg}"));
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

/// Standard error, a little narrower than it is: a bar is drawn up to the edge, and there the `^C` that the terminal shows would go into the next line,
/// which would then be cleared in place of the bar.
#[derive(Debug)]
struct Margin(console::Term);

impl TermLike for Margin {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(4).max(1)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()
    }
}
