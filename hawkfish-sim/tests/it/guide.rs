//! Every world that the guide shows can be made, and every example does.

use std::path::{Path, PathBuf};

use hawkfish_sim::{Description, World};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The blocks of a kind in a document of Markdown, with the lines at which they begin.
fn blocks(document: &str, wanted: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in (1..).zip(document.lines()) {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((kind.trim().to_owned(), number, String::new())),
            (Some(_), Some(_)) => {
                let (kind, line, text) = open.take().unwrap();
                if kind == wanted {
                    found.push((line, text));
                }
            }
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

#[tokio::test]
async fn every_world_of_the_guide_can_be_made() {
    let guide = std::fs::read_to_string(top().join("docs/simulator.md")).unwrap();
    let shown = blocks(&guide, "toml");
    assert!(!shown.is_empty());
    for (line, text) in shown {
        let description = Description::from_toml(&text)
            .unwrap_or_else(|error| panic!("docs/simulator.md:{line}: {error}"));
        // Folders of captures are beside the reader's description, not here.
        if text.contains("capture") {
            continue;
        }
        let world = World::builder().describe(description).start().await;
        let world = world.unwrap_or_else(|error| panic!("docs/simulator.md:{line}: {error}"));
        world.close().await.unwrap();
    }
}
