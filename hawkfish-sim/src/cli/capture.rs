//! `hawkfish-sim capture check`.

use std::path::PathBuf;

use clap::Subcommand;
use hawkfish_sim::capture::{Capture, Flaw};

use super::{Error, say};

#[derive(Debug, Subcommand)]
pub(crate) enum OfCaptures {
    /// Say what a capture holds, what of it can work, and what is wrong with it.
    Check {
        /// A folder, or an archive of one: .tar, .tar.gz, .tar.xz.
        path: PathBuf,
        /// Say each thing that is wrong, and not only the first of them.
        #[arg(long)]
        all: bool,
    },
}

/// How many findings are said where not all are wanted.
const FIRST: usize = 10;

pub(crate) fn run(command: OfCaptures) -> Result<(), Error> {
    match command {
        OfCaptures::Check { path, all } => {
            let capture = Capture::read(&path)?;
            say(&report(&capture, all))
        }
    }
}

fn report(capture: &Capture, all: bool) -> String {
    let source = &capture.source;
    let summary = capture.summary();
    let findings = capture.check();
    let dangling = findings
        .iter()
        .filter(|finding| matches!(finding.what, Flaw::Dangling(_) | Flaw::NoSuchPart(_)));
    let said = |what: &Option<String>| what.clone().unwrap_or_else(|| "not said".to_owned());
    let mut lines = vec![
        format!("vendor      {}", said(&source.vendor)),
        format!("model       {}", said(&source.model)),
        format!("firmware    {}", said(&source.firmware)),
        format!(
            "anonymised  {}",
            match source.is_anonymised {
                Some(true) => "yes",
                Some(false) => "no",
                None => "not said",
            }
        ),
        format!("documents   {}", capture.documents.len()),
        format!(
            "links       {}, {} lead nowhere",
            summary.links,
            dangling.count()
        ),
        format!("unread      {}", capture.unread.len()),
        format!(
            "works       {}",
            match summary.can.is_empty() {
                true => "nothing".to_owned(),
                false => summary.can.join(", "),
            }
        ),
        format!("findings    {}", findings.len()),
    ];
    let most = if all { findings.len() } else { FIRST };
    lines.extend(
        findings
            .iter()
            .take(most)
            .map(|finding| format!("  {finding}")),
    );
    if findings.len() > most {
        lines.push(format!("  and {} more (--all)", findings.len() - most));
    }
    if all {
        lines.push("types".to_owned());
        let kinds = summary.kinds.iter();
        lines.extend(kinds.map(|(kind, count)| format!("  {count:6} {kind}")));
        lines.push(format!("  {:6} others", summary.others));
    }
    lines.push(String::new());
    lines.join("\n")
}
