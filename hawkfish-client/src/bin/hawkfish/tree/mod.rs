//! `tree`: all that a service has, as its links lead to it.

mod save;

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use futures::StreamExt as _;
use hawkfish_client::{Client, SERVICE_ROOT, link};
use serde_json::{Map, Value};

use self::save::Folder;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Format, Output, plain, warn};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to begin.
    #[arg(default_value = SERVICE_ROOT)]
    from: String,
    /// Not further than so many links.
    #[arg(long, value_name = "LINKS")]
    depth: Option<usize>,
    /// Not more than so many resources.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    at_most: usize,
    /// Only the URIs, one in each line, in the order in which links lead to them.
    #[arg(long)]
    uris: bool,
    /// Also schemas, and the bodies of registries.
    #[arg(long)]
    all: bool,
    /// Writes what is found into this new folder, in the layout of DMTF's mockups, for a simulator to show.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// What is told of a resource.
#[derive(Debug)]
struct Told {
    kind: String,
    name: String,
    bad: bool,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let mut folder = match &arguments.save {
        Some(dir) => Some(Folder::new(dir)?),
        None => None,
    };
    let mut walk = client
        .walk(&arguments.from)
        .at_most(arguments.at_most)
        .depth(arguments.depth.unwrap_or(usize::MAX));
    if arguments.all {
        walk = walk.documents();
    } else {
        let root = client.root().await?.value;
        let schemas =
            link(&root, "/JsonSchemas").map(|uri| format!("{}/", uri.trim_end_matches('/')));
        walk =
            walk.follow_if(move |uri| !schemas.as_deref().is_some_and(|all| uri.starts_with(all)));
    }
    let progress = output.progress("walking");
    let listed = arguments.uris && output.format == Format::Table;
    let whole = output.format != Format::Table && !arguments.uris && folder.is_none();
    let (mut count, mut missing) = (0_u64, 0_u64);
    let mut tree = Node::default();
    let mut documents = Map::new();
    let mut uris = Vec::new();
    while let Some(found) = walk.next().await {
        let (uri, told) = match found {
            Ok(visited) => {
                count += 1;
                if let Some(folder) = &mut folder {
                    folder.keep(&visited.uri, &visited.value)?;
                }
                let told = Told::of(&visited.value);
                if whole {
                    documents.insert(visited.uri.clone(), visited.value);
                }
                (visited.uri, told)
            }
            Err(missed) if missed.from.is_none() => return Err(Failure::Client(missed.error)),
            Err(missed) => {
                missing += 1;
                let status = missed
                    .error
                    .answered
                    .as_ref()
                    .map(|answered| answered.status);
                let why =
                    status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                let told = Told {
                    kind: why,
                    name: String::new(),
                    bad: true,
                };
                (missed.uri, told)
            }
        };
        progress.percent(None, &format!("{count} resources"));
        if told.bad && (arguments.uris || whole) {
            warn(&format!("{uri}: {}", told.kind));
        } else if listed && folder.is_none() {
            output.line(&uri)?;
        } else if arguments.uris {
            uris.push(Value::from(uri));
        } else if !whole {
            tree.put(&uri, told);
        }
    }
    drop(progress);
    if walk.left() > 0 {
        warn(&format!(
            "there is more: {} links were not followed; --at-most N reads on",
            walk.left()
        ));
    }
    if let Some(folder) = folder {
        return folder.done(output, count, missing);
    }
    if whole {
        return output.json(&documents.into());
    }
    if arguments.uris {
        return match listed {
            true => Ok(()),
            false => output.json(&uris.into()),
        };
    }
    let mut text = String::new();
    tree.write("", 0, true, &mut text);
    output.text(&text)?;
    if missing > 0 {
        warn(&format!("{missing} links lead nowhere"));
    }
    Ok(())
}

impl Told {
    fn of(resource: &Value) -> Self {
        let kind = find::text(resource, "/@odata.type").unwrap_or_default();
        let kind = kind.trim_start_matches('#').split('.').next();
        let mut name = find::text(resource, "/Name").unwrap_or_default().to_owned();
        if let Some(members) = resource.get("Members").and_then(Value::as_array) {
            let count = resource.get("Members@odata.count").and_then(Value::as_u64);
            name = count.unwrap_or(members.len() as u64).to_string();
        }
        Self {
            kind: kind.unwrap_or_default().to_owned(),
            name,
            bad: false,
        }
    }
}

/// Resources by the parts of their URIs, each beside the others in the order in which they were met.
#[derive(Debug, Default)]
struct Node {
    told: Option<Told>,
    order: Vec<String>,
    children: HashMap<String, Node>,
}

impl Node {
    fn put(&mut self, uri: &str, told: Told) {
        let (path, query) = match uri.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (uri, String::new()),
        };
        let mut parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        if let Some(last) = parts.last_mut() {
            last.push_str(&query);
        }
        let mut node = self;
        for part in parts {
            if !node.children.contains_key(&part) {
                node.order.push(part.clone());
            }
            node = node.children.entry(part).or_default();
        }
        node.told = Some(told);
    }

    /// A line for each resource. What is no resource itself and has only one below it stands in one line with that.
    fn write(&self, above: &str, depth: usize, top: bool, text: &mut String) {
        for part in &self.order {
            let Some(child) = self.children.get(part) else {
                continue;
            };
            let path = format!(
                "{above}{}{part}",
                if top || !above.is_empty() { "/" } else { "" }
            );
            if child.told.is_none() && child.order.len() == 1 {
                child.write(&path, depth, top, text);
                continue;
            }
            text.push_str(&"  ".repeat(depth));
            text.push_str(&plain(&path));
            if let Some(told) = &child.told {
                let (kind, name) = (plain(&told.kind), plain(&told.name));
                for said in [&kind, &name] {
                    if !said.is_empty() {
                        text.push_str("  ");
                        text.push_str(said);
                    }
                }
                if told.bad {
                    text.push_str("  (!)");
                }
            }
            text.push('\n');
            child.write("", depth + 1, false, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resources_stand_below_one_another_by_their_uris() {
        let mut tree = Node::default();
        for (uri, kind) in [
            ("/redfish/v1/", "ServiceRoot"),
            ("/redfish/v1/Systems", "ComputerSystemCollection"),
            ("/redfish/v1/Systems/1", "ComputerSystem"),
            ("/redfish/v1/Systems?$skip=1", "ComputerSystemCollection"),
            ("/redfish/v1/Managers/1/Oem/Own/A", "Own"),
        ] {
            let told = Told::of(&json!({"@odata.type": format!("#{kind}.v1_0_0.{kind}")}));
            tree.put(uri, told);
        }
        let mut text = String::new();
        tree.write("", 0, true, &mut text);
        assert_eq!(
            text,
            "/redfish/v1  ServiceRoot\n\
             \x20 Systems  ComputerSystemCollection\n\
             \x20   1  ComputerSystem\n\
             \x20 Systems?$skip=1  ComputerSystemCollection\n\
             \x20 Managers/1/Oem/Own/A  Own\n"
        );
    }

    #[test]
    fn a_name_in_a_tree_cannot_write_to_the_terminal() {
        let mut tree = Node::default();
        tree.put(
            "/redfish/v1/\u{1b}[2J",
            Told::of(&json!({"Name": "a\nb\u{7}"})),
        );
        let mut text = String::new();
        tree.write("", 0, true, &mut text);
        assert_eq!(text.lines().count(), 1);
        assert!(!text.contains(['\u{1b}', '\u{7}']));
    }
}
