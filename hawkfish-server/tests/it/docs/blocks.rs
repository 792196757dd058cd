//! The fenced blocks of a Markdown document, and the steps that a reader takes by them.

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// What stands behind the fence: `console`, `rust,ignore`, nothing.
    pub(super) kind: String,
    pub(super) lines: Vec<String>,
}

/// All blocks of a document; those in lists, too.
pub(super) fn blocks(document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    for (number, line) in document.lines().enumerate() {
        let text = line.trim_start();
        match (&mut open, text.strip_prefix("```")) {
            (None, Some(kind)) => {
                let block = Block {
                    line: number + 1,
                    kind: kind.trim().to_owned(),
                    lines: Vec::new(),
                };
                open = Some((line.len() - text.len(), block));
            }
            (Some(_), Some("")) => found.extend(open.take().map(|(_, block)| block)),
            (Some((indent, block)), _) => {
                block.lines.push(line.get(*indent..).unwrap_or("").into());
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    found
}

/// A command, and what the document says that it prints.
#[derive(Debug)]
pub(super) struct Command {
    /// Without the comment behind it.
    pub(super) text: String,
    /// Nothing at all where the document does not show it.
    pub(super) prints: Vec<String>,
}

impl Block {
    /// The commands of a `console` block.
    pub(super) fn commands(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        for line in &self.lines {
            if let Some(text) = line.strip_prefix("$ ") {
                let text = text.split_once("  # ").map_or(text, |(command, _)| command);
                commands.push(Command {
                    text: text.trim().to_owned(),
                    prints: Vec::new(),
                });
            } else {
                let command = commands.last_mut();
                let command = command.expect("a console block begins with a command");
                command.prints.push(line.clone());
            }
        }
        commands
    }

    /// Whether its first line names the file that it is: `# lab.toml`.
    pub(super) fn is_named(&self) -> bool {
        let name = self.lines.first().and_then(|line| line.strip_prefix("# "));
        name.is_some_and(|name| name.ends_with(".toml") && !name.contains(' '))
    }

    pub(super) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// Whether what was printed is what the document shows. There `…` stands for anything in a line, and by itself for any lines.
pub(super) fn shows(document: &[String], printed: &[&str]) -> bool {
    match (document.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any.trim() == "…" => {
            (0..=printed.len()).any(|skipped| shows(rest, &printed[skipped..]))
        }
        (Some((line, rest)), Some((first, others))) => {
            line_shows(line.trim_end(), first.trim_end()) && shows(rest, others)
        }
        _ => false,
    }
}

fn line_shows(pattern: &str, line: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == line,
        Some((begin, rest)) => line.strip_prefix(begin).is_some_and(|left| {
            left.char_indices()
                .map(|(at, _)| at)
                .chain([left.len()])
                .any(|at| line_shows(rest, &left[at..]))
        }),
    }
}
