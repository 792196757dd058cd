//! `registries`: what the messages of a service mean.

use clap::Subcommand;
use hawkfish_client::redfish::message::REGISTRIES;
use hawkfish_client::{Client, Fetched, Kind};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All registries, and where they are to be had.
    Ls,
    /// What a message means, in the words of the service's own registry; where it has none to read, in ours.
    Explain {
        /// Its id: Base.1.22.PropertyUnknown, Base.PropertyUnknown, or PropertyUnknown.
        message: String,
        /// What it is about, in the order of the message.
        arguments: Vec<String>,
    },
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("REGISTRY", &["/Registry"]),
    ("LANGUAGES", &["/Languages"]),
    (
        "AT",
        &[
            "/Location/0/Uri",
            "/Location/0/ArchiveUri",
            "/Location/0/PublicationUri",
        ],
    ),
];

const ROWS: &[Column] = &[
    ("Id", &["/MessageId"]),
    ("Message", &["/Message"]),
    ("Severity", &["/MessageSeverity"]),
    ("Description", &["/Description"]),
    ("To do", &["/Resolution"]),
    ("In detail", &["/LongDescription"]),
    ("Arguments", &["/NumberOfArgs"]),
    ("From", &["/From"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls => {
            let registries = find::values(find::all(client, &collection(client).await?).await?);
            output.list(COLUMNS, &registries)
        }
        Command::Explain { message, arguments } => {
            let id = Id::of(message);
            let explained = match of_service(client, &id).await? {
                Some(found) => Some(found),
                None => of_ours(&id),
            };
            let Some((mut entry, name, from)) = explained else {
                return Err(Failure::NotFound(format!(
                    "{message}: neither the service nor this program has a registry with this message"
                )));
            };
            let text = find::text(&entry, "/Message").unwrap_or_default();
            let filled = fill(text, arguments);
            // What was called so before Message 1.1.
            let severity = ["/MessageSeverity", "/Severity"]
                .iter()
                .find_map(|pointer| find::text(&entry, pointer).map(str::to_owned));
            if let Some(object) = entry.as_object_mut() {
                object.insert("MessageId".into(), name.into());
                object.insert("Message".into(), filled.into());
                object.insert("From".into(), from.into());
                if let Some(severity) = severity {
                    object.insert("MessageSeverity".into(), severity.into());
                }
            }
            output.one(ROWS, &entry)
        }
    }
}

async fn collection(client: &Client) -> Result<String> {
    let root = client.root().await?.value;
    find::linked(&root, "/Registries", "registries").map(str::to_owned)
}

/// `Registry.Major.Minor.Key`, of which all but the key may be left out.
#[derive(Debug, PartialEq)]
struct Id<'a> {
    prefix: Option<&'a str>,
    version: Option<(u32, u32)>,
    key: &'a str,
}

impl<'a> Id<'a> {
    fn of(text: &'a str) -> Self {
        let (registry, key) = match text.rsplit_once('.') {
            Some((registry, key)) => (Some(registry), key),
            None => (None, text),
        };
        let (prefix, version) = match registry {
            None => (None, None),
            Some(registry) => {
                let (prefix, version) = of_registry(registry);
                (Some(prefix), version)
            }
        };
        Self {
            prefix,
            version,
            key,
        }
    }

    fn fits(&self, prefix: &str) -> bool {
        self.prefix
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(prefix))
    }
}

/// `Base.1.22`, `Base.1.22.1`, `Base`.
fn of_registry(text: &str) -> (&str, Option<(u32, u32)>) {
    let number = |part: Option<&str>| part?.parse::<u32>().ok();
    let (prefix, rest) = text.split_once('.').unwrap_or((text, ""));
    let mut numbers = rest.split('.');
    let version = number(numbers.next()).zip(number(numbers.next()));
    (prefix, version)
}

/// The entry of a registry that the service carries; that of the version that was asked for, where there are several.
async fn of_service(client: &Client, id: &Id<'_>) -> Result<Option<(Value, String, String)>> {
    let collection = match collection(client).await {
        Ok(collection) => collection,
        Err(Failure::NotFound(_)) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let mut files: Vec<Fetched<Value>> = find::all(client, &collection).await?;
    let named = |file: &Fetched<Value>| {
        let registry = find::text(&file.value, "/Registry").unwrap_or_default();
        let (prefix, version) = of_registry(registry);
        (prefix.to_owned(), version)
    };
    files.retain(|file| id.fits(&named(file).0));
    files.sort_by_key(|file| named(file).1 != id.version);
    for file in files {
        let Some(uri) = place(&file.value) else {
            continue;
        };
        // Services link to registries that they do not have.
        let registry = match client.get_value(uri).await {
            Ok(registry) => registry.value,
            Err(error)
                if matches!(
                    error.kind,
                    Kind::NotFound | Kind::Protocol | Kind::Refused | Kind::Service
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let entry = registry.get("Messages").and_then(|all| all.get(id.key));
        if let Some(entry) = entry.filter(|entry| entry.is_object()) {
            let (prefix, version) = named(&file);
            let name = match version {
                Some((major, minor)) => format!("{prefix}.{major}.{minor}.{}", id.key),
                None => format!("{prefix}.{}", id.key),
            };
            return Ok(Some((entry.clone(), name, uri.to_owned())));
        }
    }
    Ok(None)
}

/// Where the service itself has the registry; English rather than another language.
fn place(file: &Value) -> Option<&str> {
    let places = file.get("Location")?.as_array()?;
    let english = |place: &&Value| {
        find::text(place, "/Language")
            .is_some_and(|language| language.to_ascii_lowercase().starts_with("en"))
    };
    let uri = |place: &'_ Value| place.get("Uri").is_some_and(Value::is_string);
    let mut there = places.iter().filter(|place| uri(place));
    let first = there.clone().find(english).or_else(|| there.next())?;
    find::text(first, "/Uri")
}

/// What we know of the message ourselves.
fn of_ours(id: &Id<'_>) -> Option<(Value, String, String)> {
    REGISTRIES
        .iter()
        .filter(|registry| id.fits(registry.prefix))
        .find_map(|registry| {
            let (key, count, _) = registry.facts().find(|(key, ..)| *key == id.key)?;
            let places: Vec<String> = (1..=count).map(|n| format!("%{n}")).collect();
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            let message = registry.message(key, &places);
            let entry = json!({
                "Message": message.message,
                "MessageSeverity": message.severity,
                "Resolution": message.resolution,
                "NumberOfArgs": count,
            });
            let from = "hawkfish, in its own words: the service does not carry the registry";
            Some((entry, message.message_id, from.to_owned()))
        })
}

/// The message with its arguments; what no argument is given for stays as it is.
fn fill(text: &str, arguments: &[String]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, behind) = rest.split_at(at);
        filled.push_str(before);
        let digits = behind[1..].bytes().take_while(u8::is_ascii_digit).count();
        let number: Option<usize> = behind[1..=digits].parse().ok();
        let argument = number.and_then(|number| arguments.get(number.checked_sub(1)?));
        match argument {
            Some(argument) => filled.push_str(argument),
            None => filled.push_str(&behind[..=digits]),
        }
        rest = &behind[digits + 1..];
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_however_much_of_it_is_there() {
        let id = |prefix, version, key| Id {
            prefix,
            version,
            key,
        };
        assert_eq!(
            Id::of("Base.1.22.PropertyUnknown"),
            id(Some("Base"), Some((1, 22)), "PropertyUnknown")
        );
        assert_eq!(
            Id::of("Base.1.22.1.PropertyUnknown"),
            id(Some("Base"), Some((1, 22)), "PropertyUnknown")
        );
        assert_eq!(Id::of("IDRAC.SYS1"), id(Some("IDRAC"), None, "SYS1"));
        assert_eq!(Id::of("SYS1"), id(None, None, "SYS1"));
    }

    #[test]
    fn arguments_are_put_in_once_and_what_has_none_is_left() {
        let arguments = ["%2".to_owned(), "b".to_owned()];
        assert_eq!(
            fill("%1 and %2 and %3, 100%", &arguments),
            "%2 and b and %3, 100%"
        );
        assert_eq!(fill("%10 %0 %ü", &arguments), "%10 %0 %ü");
    }

    #[test]
    fn what_the_service_does_not_carry_is_explained_in_our_words() {
        let (entry, name, _) = of_ours(&Id::of("Base.1.4.PropertyUnknown")).unwrap();
        assert!(name.ends_with(".PropertyUnknown"));
        assert!(find::text(&entry, "/Message").unwrap().contains("%1"));
        assert!(of_ours(&Id::of("Base.1.4.NoSuchThing")).is_none());
        assert!(of_ours(&Id::of("Ilo.PropertyUnknown")).is_none());
    }
}
