//! What is printed: one row for each case, medians over the rounds.

use std::io::Write as _;
use std::time::Duration;

use crate::client::Measured;

/// A case, with its head before the first.
pub(crate) fn row(number: usize, name: &str, ours: &[Measured], bare: &[Measured]) {
    if number == 0 {
        line(&format!(
            "{:<40} {:>21} {:>21} {:>6} {:>25} {:>6}",
            "", "p50 / p99 µs", "bare axum's", "p99 ×", "CPU µs each: ours, bare", "CPU ×"
        ));
    }
    let ratio = |of: &dyn Fn(&Measured) -> f64| {
        median(ours.iter().zip(bare).map(|(a, b)| of(a) / of(b)).collect())
    };
    let cpu = |all: &[Measured]| median(all.iter().map(|m| micros(m.cpu)).collect());
    line(&format!(
        "{name:<40} {:>21} {:>21} {:>6.2} {:>25} {:>6.2}   {:>7.0}/s against {:>7.0}/s = {:.0} %",
        latency(ours),
        latency(bare),
        ratio(&|m| micros(m.p99)),
        format!("{:.2}, {:.2}", cpu(ours), cpu(bare)),
        ratio(&|m| micros(m.cpu)),
        rate(ours),
        rate(bare),
        100.0 * ratio(&|m| m.per_second),
    ));
}

/// What has nothing to compare with.
pub(crate) fn alone(name: &str, rounds: &[Measured]) {
    let cpu = median(rounds.iter().map(|m| micros(m.cpu)).collect());
    line(&format!(
        "{name:<40} {:>21} {:>28} {:>25} {:>6}   {:>7.0}/s",
        latency(rounds),
        "",
        format!("{cpu:.2}"),
        "",
        rate(rounds)
    ));
}

fn latency(rounds: &[Measured]) -> String {
    let of =
        |pick: fn(&Measured) -> Duration| median(rounds.iter().map(|m| micros(pick(m))).collect());
    format!("{:.1} / {:.1}", of(|m| m.p50), of(|m| m.p99))
}

fn rate(rounds: &[Measured]) -> f64 {
    median(rounds.iter().map(|m| m.per_second).collect())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn line(text: &str) {
    // A reader that is gone wants no more of it.
    let _ = writeln!(std::io::stdout(), "{text}");
}
