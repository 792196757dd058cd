//! `--watch`: the same command again and again. On a terminal the picture is redrawn where it stands; in a pipe it is written anew when it has changed.

use std::io::Write as _;
use std::time::Duration;

use super::{Format, Output, warn};
use crate::failure::Result;

/// Another screen beside the one with the shell's history, without cursor; and back.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// Runs `pass` until Ctrl-C, or until whoever reads us has gone. A pass that fails while it is watched does not end it: BMCs restart.
pub(crate) async fn watch<F>(output: &Output, every: Duration, mut pass: F) -> Result<()>
where
    F: AsyncFnMut() -> Result<()>,
{
    let screen = output.look.terminal.then(Screen::enter).transpose()?;
    let mut last = Vec::new();
    let mut first = true;
    loop {
        *output.kept() = Some(Vec::new());
        let passed = tokio::select! {
            passed = pass() => passed,
            _ = tokio::signal::ctrl_c() => break,
        };
        let picture = output.kept().take().unwrap_or_default();
        match passed {
            Ok(()) => {
                let changed = picture != last;
                last = picture;
                match &screen {
                    // Also when nothing has changed: the terminal may have another size now.
                    Some(screen) => screen.draw(&last, output)?,
                    None if changed || first => append(&last, output.format, first)?,
                    None => {}
                }
            }
            // What cannot be done at all is not tried for ever.
            Err(failure) if first => {
                drop(screen);
                return Err(failure);
            }
            Err(failure) => match &screen {
                Some(screen) => {
                    let mut with = format!("hawkfish: {}\n\n", super::plain(&failure.to_string()))
                        .into_bytes();
                    with.extend_from_slice(&last);
                    screen.draw(&with, output)?;
                }
                None => warn(&failure.to_string()),
            },
        }
        first = false;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    *output.kept() = None;
    if let Some(screen) = screen {
        drop(screen);
        // What was seen last stays readable.
        output.bytes(&last)?;
    }
    Ok(())
}

fn append(picture: &[u8], format: Format, first: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Yaml => out.write_all(b"---\n")?,
        Format::Table if !first => out.write_all(b"\n")?,
        _ => {}
    }
    out.write_all(picture)?;
    Ok(out.flush()?)
}

/// The other screen of the terminal; it is left when dropped, whatever happens.
struct Screen;

impl Screen {
    fn enter() -> Result<Self> {
        let mut out = std::io::stdout().lock();
        out.write_all(ENTER.as_bytes())?;
        out.flush()?;
        Ok(Self)
    }

    fn draw(&self, picture: &[u8], output: &Output) -> Result<()> {
        let picture = String::from_utf8_lossy(picture);
        let height = output.look.height().unwrap_or(usize::MAX);
        let lines: Vec<&str> = picture.lines().collect();
        // From the top, each line over the old one, so that nothing flickers.
        let mut drawn = String::from("\u{1b}[H");
        let shown = if lines.len() > height {
            &lines[..height - 1]
        } else {
            &lines[..]
        };
        for (number, line) in shown.iter().enumerate() {
            if number > 0 {
                drawn.push_str("\r\n");
            }
            drawn.push_str(line);
            drawn.push_str("\u{1b}[K");
        }
        if lines.len() > shown.len() {
            let more = format!("\r\n… {} more lines\u{1b}[K", lines.len() - shown.len());
            drawn.push_str(&more);
        }
        drawn.push_str("\u{1b}[J");
        let mut out = std::io::stdout().lock();
        out.write_all(drawn.as_bytes())?;
        Ok(out.flush()?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(LEAVE.as_bytes());
        let _ = out.flush();
    }
}
