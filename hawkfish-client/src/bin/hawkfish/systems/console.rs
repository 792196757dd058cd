//! `systems console`: how to get to a machine's consoles, and there where it is by SSH or Telnet.

use clap::{Args, ValueEnum};
use hawkfish_client::Client;
use serde_json::{Value, json};
use url::Url;

use super::parts;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Id, name or UUID of the machine.
    id: String,
    /// Go there, with the ssh or telnet of this computer.
    #[arg(long)]
    connect: bool,
    /// How: ssh unless only telnet is offered.
    #[arg(long, requires = "connect")]
    over: Option<Over>,
    /// Not to the machine's console but to its manager's own command line.
    #[arg(long, requires = "connect")]
    shell: bool,
    /// As this user there; who asks the service need not have a name there.
    #[arg(long, value_name = "NAME", env = "HAWKFISH_CONSOLE_LOGIN")]
    login: Option<String>,
    /// The host on which the consoles are, if it is not that of the service.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Over {
    Ssh,
    Telnet,
}

impl Over {
    fn name(self) -> &'static str {
        match self {
            Self::Ssh => "SSH",
            Self::Telnet => "Telnet",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Telnet => "telnet",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Ssh => 22,
            Self::Telnet => 23,
        }
    }
}

const COLUMNS: &[Column] = &[
    ("CONSOLE", &["/Console"]),
    ("BY", &["/By"]),
    ("ENABLED", &["/Enabled"]),
    ("PORT", &["/Port"]),
    ("HOW", &["/How"]),
];

/// A way to a console.
#[derive(Debug, Clone)]
struct Way {
    console: &'static str,
    by: String,
    enabled: bool,
    port: Option<u16>,
    /// Where it is reached, if the service says so itself.
    uri: Option<String>,
    /// What is typed at the manager's command line to get there.
    command: Option<String>,
}

pub(crate) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let system = find::system(client, &arguments.id).await?.value;
    let ways = ways(client, &system).await?;
    let host = match &arguments.host {
        Some(host) => host.clone(),
        None => host(&client.origin()),
    };
    if arguments.connect {
        let way = choose(&ways, arguments)?;
        return go(&way, &host, arguments.login.as_deref()).await;
    }
    if ways.is_empty() {
        return Err(Failure::NotFound(format!(
            "the service offers no console of {}",
            arguments.id
        )));
    }
    let rows: Vec<Value> = ways
        .iter()
        .map(|way| {
            json!({"Console": way.console, "By": way.by, "Enabled": way.enabled, "Port": way.port,
                "How": way.how(&host, arguments.login.as_deref())})
        })
        .collect();
    output.list(COLUMNS, &rows)
}

fn host(origin: &str) -> String {
    let url = Url::parse(origin).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.trim_matches(['[', ']']).to_owned()
}

/// What the machine says of its consoles, and what its managers say of theirs.
async fn ways(client: &Client, system: &Value) -> Result<Vec<Way>> {
    let mut ways = Vec::new();
    if let Some(serial) = system.get("SerialConsole") {
        of_machine(serial, &mut ways);
    }
    if let Some(graphical) = system.get("GraphicalConsole") {
        listed("graphical", graphical, &Value::Null, &mut ways);
    }
    if let Some(media) = system.get("VirtualMediaConfig") {
        of_media(media, &mut ways);
    }
    let managers = parts::at(client, system, "/Links/ManagedBy").await?;
    for manager in managers.unwrap_or_default() {
        let protocols = parts::linked(client, &manager.value, "/NetworkProtocol").await?;
        let protocols = protocols.map_or(Value::Null, |found| found.value);
        for (console, name) in [
            ("serial", "SerialConsole"),
            ("graphical", "GraphicalConsole"),
            ("manager's shell", "CommandShell"),
        ] {
            // What the machine says itself is nearer to the truth.
            if ways.iter().any(|way| way.console == console) {
                continue;
            }
            if let Some(offered) = manager.value.get(name) {
                listed(console, offered, &protocols, &mut ways);
            }
        }
        if let Some(media) = protocols.get("VirtualMedia")
            && !ways.iter().any(|way| way.console == MEDIA)
        {
            of_media(media, &mut ways);
        }
    }
    Ok(ways)
}

/// `HostSerialConsole` of a ComputerSystem: an object for each way.
fn of_machine(serial: &Value, ways: &mut Vec<Way>) {
    for by in ["SSH", "Telnet", "IPMI"] {
        let Some(one) = serial.get(by) else {
            continue;
        };
        ways.push(Way {
            console: "serial",
            by: by.to_owned(),
            enabled: one.get("ServiceEnabled") != Some(&Value::Bool(false)),
            port: port(one),
            uri: None,
            command: parts::text(one, "/ConsoleEntryCommand").map(str::to_owned),
        });
    }
    if let Some(one) = serial.get("WebSocket") {
        ways.push(Way {
            console: "serial",
            by: "WebSocket".to_owned(),
            enabled: one.get("ServiceEnabled") != Some(&Value::Bool(false)),
            port: None,
            uri: parts::text(one, "/ConsoleURI").map(str::to_owned),
            command: None,
        });
    }
}

const MEDIA: &str = "virtual media";

/// The port to which a viewer brings media of its own; where there is none, nothing can be brought.
fn of_media(media: &Value, ways: &mut Vec<Way>) {
    if let Some(port) = port(media) {
        let switches = ["ServiceEnabled", "ProtocolEnabled"].iter();
        let mut switches = switches.filter_map(|name| media.get(*name)?.as_bool());
        ways.push(Way {
            console: MEDIA,
            by: "Oem".to_owned(),
            enabled: switches.all(|on| on),
            port: Some(port),
            uri: None,
            command: None,
        });
    }
}

/// A list of ways, as managers have it; the ports are those of their protocols.
fn listed(console: &'static str, offered: &Value, protocols: &Value, ways: &mut Vec<Way>) {
    let enabled = offered.get("ServiceEnabled") != Some(&Value::Bool(false));
    for by in parts::texts(offered, "/ConnectTypesSupported") {
        let protocol = protocols.get(&by);
        let off =
            protocol.is_some_and(|one| one.get("ProtocolEnabled") == Some(&Value::Bool(false)));
        ways.push(Way {
            console,
            enabled: enabled && !off,
            port: port(offered).or_else(|| port(protocol?)),
            uri: None,
            command: None,
            by,
        });
    }
}

fn port(of: &Value) -> Option<u16> {
    u16::try_from(of.get("Port")?.as_u64()?).ok()
}

impl Way {
    fn over(&self) -> Option<Over> {
        [Over::Ssh, Over::Telnet]
            .into_iter()
            .find(|over| over.name() == self.by)
    }

    /// Program and arguments, for SSH and Telnet.
    fn line(&self, host: &str, user: Option<&str>) -> Option<Vec<String>> {
        let over = self.over()?;
        let mut line = vec![over.program().to_owned()];
        let port = self.port.unwrap_or(over.port()).to_string();
        match over {
            Over::Ssh => {
                line.extend(["-p".to_owned(), port]);
                if let Some(user) = user {
                    line.extend(["-l".to_owned(), user.to_owned()]);
                }
                if self.command.is_some() {
                    line.push("-t".to_owned());
                }
                // What comes after is no option, whatever the service calls its command.
                line.extend(["--".to_owned(), host.to_owned()]);
                line.extend(self.command.clone());
            }
            Over::Telnet => line.extend([host.to_owned(), port]),
        }
        Some(line)
    }

    /// What a person does to get there; empty where only the vendor's own program or page can.
    fn how(&self, host: &str, user: Option<&str>) -> String {
        if let Some(line) = self.line(host, user) {
            let words = line.into_iter().filter(|word| word != "--");
            let words = words.map(|word| match word.contains(' ') {
                true => format!("'{word}'"),
                false => word,
            });
            return words.collect::<Vec<_>>().join(" ");
        }
        match (&self.uri, self.by.as_str()) {
            (Some(uri), _) => uri.clone(),
            (None, "IPMI") => {
                let port = self.port.unwrap_or(623);
                format!("ipmitool -I lanplus -H {host} -p {port} sol activate")
            }
            (None, "Oem") => "the vendor's own way".to_owned(),
            _ => String::new(),
        }
    }
}

fn choose(ways: &[Way], arguments: &Arguments) -> Result<Way> {
    let (wanted, what) = match arguments.shell {
        true => ("manager's shell", "manager's shell"),
        false => ("serial", "serial console"),
    };
    let id = &arguments.id;
    let reached = ways.iter().filter(|way| way.console == wanted);
    let reached: Vec<&Way> = reached
        .filter(|way| match arguments.over {
            Some(over) => way.over() == Some(over),
            None => way.over().is_some(),
        })
        .collect();
    if let Some(way) = reached.iter().find(|way| way.enabled) {
        return Ok((*way).clone());
    }
    let by = arguments.over.map_or("SSH or Telnet", Over::name);
    if !reached.is_empty() {
        return Err(Failure::NotFound(format!(
            "{id}: its {what} by {by} is switched off"
        )));
    }
    let else_by: Vec<&str> = ways
        .iter()
        .filter(|way| way.console == wanted && way.enabled)
        .map(|way| way.by.as_str())
        .collect();
    let but = match else_by.is_empty() {
        true => String::new(),
        false => format!("; there is {}", else_by.join(", ")),
    };
    Err(Failure::NotFound(format!(
        "the service offers no {what} of {id} by {by}{but}"
    )))
}

/// Starts the program on this terminal and waits for its end, which is the end of the command.
async fn go(way: &Way, host: &str, user: Option<&str>) -> Result<()> {
    let line = way.line(host, user).unwrap_or_default();
    let Some((program, arguments)) = line.split_first() else {
        return Err(Failure::NotFound(format!(
            "no program goes there by {}",
            way.by
        )));
    };
    let mut command = crate::connect::program(program);
    command.args(arguments);
    let ended = tokio::task::spawn_blocking(move || command.status()).await;
    let ended = ended.map_err(|error| Failure::Output(std::io::Error::other(error)))?;
    let status =
        ended.map_err(|error| Failure::NotFound(format!("cannot start {program}: {error}")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Ended(u8::try_from(code).unwrap_or(1))),
        None => Err(Failure::Ended(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_begins_with_a_dash_is_no_option_of_ssh() {
        let serial = json!({"SSH": {"ServiceEnabled": true, "Port": 2222, "ConsoleEntryCommand": "-oProxyCommand=evil"}});
        let mut ways = Vec::new();
        of_machine(&serial, &mut ways);
        let line = ways[0].line("bmc.example", Some("admin")).unwrap();
        assert_eq!(
            line,
            [
                "ssh",
                "-p",
                "2222",
                "-l",
                "admin",
                "-t",
                "--",
                "bmc.example",
                "-oProxyCommand=evil"
            ]
        );
    }

    #[test]
    fn the_host_of_an_origin_is_without_brackets() {
        assert_eq!(host("https://[2001:db8::1]:8443"), "2001:db8::1");
        assert_eq!(host("https://bmc.example"), "bmc.example");
    }
}
