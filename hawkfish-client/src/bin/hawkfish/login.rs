//! `login` and `logout`: trust in a service, and a session or a password that is kept for the commands after.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use hawkfish_client::transport::Certificate;
use hawkfish_client::{Client, Kind};
use serde_json::json;

use crate::connect::config::File;
use crate::connect::kept::Kept;
use crate::connect::{Auth, Setup, Who, fingerprint, keyring, untrusted};
use crate::failure::{Failure, Result};
use crate::output::{Format, Output, plain};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Keep the password in the keyring, so that each command opens a session of its own; otherwise one session is left open for all.
    #[arg(long)]
    save: bool,
    /// Read the password from standard input instead of asking for it at the terminal.
    #[arg(long)]
    password_stdin: bool,
}

/// Logs in, and remembers what is to be remembered.
pub(crate) async fn login(
    setup: &mut Setup,
    file: &mut File,
    output: &Output,
    arguments: &Arguments,
) -> Result<()> {
    if setup.auth == Auth::Basic && !arguments.save {
        return Err(Failure::Usage(
            "with --auth basic there is no session that could be kept; use --save to keep the password in the keyring".into(),
        ));
    }
    trust(setup).await?;
    let (user, password) = credentials(setup, arguments).await?;
    let who = Who::Password {
        user: user.clone(),
        password: password.clone(),
        from: "what was typed",
    };
    let client = setup.client(&who)?;
    prove(&client, setup.auth).await?;
    // From here on the service has taken them.
    let place = match arguments.save {
        true => {
            let saved = keyring::set(setup.saved_as(&user), password).await;
            client.logout().await?;
            saved.map_err(|why| {
                Failure::Usage(format!(
                    "{why}. Without a keyring: `hawkfish login` without --save keeps a session, HAWKFISH_CREDENTIALS_FILE names a file"
                ))
            })?;
            "the keyring".to_owned()
        }
        false => keep(setup, &client, &user).await?,
    };
    remember(setup, file, &user)?;
    let what = match arguments.save {
        true => "the password",
        false => "the session",
    };
    match output.format {
        Format::Table => output.line(&format!(
            "logged in at {} as {user}; {what} is kept in {place}",
            setup.origin
        )),
        _ => output.json(&json!({"Service": setup.origin, "UserName": user, "Kept": what.trim_start_matches("the "), "In": place})),
    }
}

/// Closes what was left open, and forgets what was saved.
pub(crate) async fn logout(setup: &Setup, file: &mut File, output: &Output) -> Result<()> {
    let mut forgotten = Vec::new();
    let mut user = setup.user.clone();
    while let Some(kept) = Kept::find(&setup.origin, setup.user.as_deref()).await? {
        let client = setup.client(&Who::Session(kept.clone()))?;
        if let Err(error) = client.end_session().await
            && error.kind != Kind::Unauthorized
        {
            crate::output::warn(&format!(
                "the service could not be told, and ends the session by itself some time: {error}"
            ));
        }
        kept.forget().await?;
        forgotten.push(format!("session of {}", kept.user));
        user.get_or_insert(kept.user);
    }
    if let Some(user) = &user
        && matches!(keyring::remove(setup.saved_as(user)).await, Ok(true))
    {
        forgotten.push(format!("password of {user}"));
    }
    let known = file.config.services.get(&setup.origin);
    if known.is_some_and(|known| known.user.is_some()) {
        file.remove(&["services", &setup.origin], "user");
        file.save()?;
    }
    match output.format {
        Format::Table => output.line(&match forgotten.as_slice() {
            [] => format!("nobody was logged in at {}", setup.origin),
            forgotten => format!("logged out of {}: {}", setup.origin, forgotten.join(", ")),
        }),
        _ => output.json(&json!({"Service": setup.origin, "Forgotten": forgotten})),
    }
}

/// Where nobody vouches for the service, a person is asked.
async fn trust(setup: &mut Setup) -> Result<()> {
    let probe = setup.client(&Who::Nobody)?.root().await;
    let error = match probe {
        Err(error) if untrusted(&error) => error,
        Err(error) if error.kind != Kind::Unauthorized => return Err(error.into()),
        _ => return Ok(()),
    };
    if setup.trusts || !at_terminal() {
        return Err(error.into());
    }
    let shown = Certificate::of(&setup.origin, setup.timeout).await?;
    let question = format!(
        "Nobody that this machine trusts vouches for the certificate of {}.\nIts SHA-256 is\n  {}\nTrust it from now on? [y/N] ",
        setup.origin,
        fingerprint::show(&shown.sha256)
    );
    let answer = ask(question).await?;
    if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Err(error.into());
    }
    setup.fingerprint = Some(shown.sha256);
    setup.trusts = true;
    Ok(())
}

async fn credentials(setup: &Setup, arguments: &Arguments) -> Result<(String, String)> {
    if !arguments.password_stdin
        && let Some(Who::Password { user, password, .. }) = setup.given()?
    {
        return Ok((user, password));
    }
    let user = match &setup.user {
        Some(user) => user.clone(),
        None if arguments.password_stdin || !at_terminal() => {
            return Err(Failure::Usage(
                "who logs in? use --user, or set HAWKFISH_USERNAME".into(),
            ));
        }
        None => ask(format!("User name at {}: ", setup.origin))
            .await?
            .trim()
            .to_owned(),
    };
    let password = match arguments.password_stdin {
        true => aside(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            Ok(line.trim_end_matches(['\r', '\n']).to_owned())
        })
        .await
        .map_err(|error| Failure::Usage(format!("standard input: {error}")))?,
        false => password(&format!("Password of {user} at {}: ", setup.origin)).await?,
    };
    if user.is_empty() || password.is_empty() {
        return Err(Failure::Usage("user name and password are needed".into()));
    }
    Ok((user, password))
}

/// Asks at the terminal, without showing what is typed.
///
/// # Errors
/// Where there is no terminal.
pub(crate) async fn password(question: &str) -> Result<String> {
    let question = plain(question);
    hidden(question).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::Interrupted => Failure::Interrupted(130),
        std::io::ErrorKind::UnexpectedEof => Failure::Usage("nothing was typed".into()),
        _ => Failure::Usage(format!(
            "there is no terminal to ask at ({error}); use --password-stdin"
        )),
    })
}

#[cfg(unix)]
async fn hidden(question: String) -> std::io::Result<String> {
    let mut options = std::fs::OpenOptions::new();
    let mut tty = options.read(true).write(true).open("/dev/tty")?;
    // Before the question, so that nothing is seen of an answer that comes at once.
    let _until_answered = Unseen::start(tty.try_clone()?)?;
    aside(move || {
        tty.write_all(question.as_bytes())?;
        tty.flush()?;
        let mut line = String::new();
        match std::io::BufReader::new(tty).read_line(&mut line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        }
    })
    .await
}

#[cfg(not(unix))]
async fn hidden(question: String) -> std::io::Result<String> {
    aside(move || rpassword::prompt_password(question)).await
}

/// A terminal that shows nothing of what is typed but the end of the line. As it was when dropped: also when Ctrl-C has ended the waiting.
#[cfg(unix)]
struct Unseen {
    tty: std::fs::File,
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Unseen {
    fn start(tty: std::fs::File) -> std::io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

        let before = tcgetattr(&tty)?;
        let mut during = before.clone();
        during.local_modes.remove(LocalModes::ECHO);
        during.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&tty, OptionalActions::Flush, &during)?;
        Ok(Self { tty, before })
    }
}

#[cfg(unix)]
impl Drop for Unseen {
    fn drop(&mut self) {
        let now = rustix::termios::OptionalActions::Now;
        let _ = rustix::termios::tcsetattr(&self.tty, now, &self.before);
    }
}

/// That the service takes them: a session is opened, or where there is none something is read that is not for everybody.
async fn prove(client: &Client, auth: Auth) -> Result<()> {
    match auth {
        Auth::Session => Ok(client.login().await?),
        Auth::Basic => {
            let root = client.root().await?.value;
            let closed = ["/SessionService", "/AccountService", "/Systems"];
            let uri = closed
                .iter()
                .find_map(|pointer| hawkfish_client::link(&root, pointer));
            match uri {
                Some(uri) => Ok(client.get_value(uri).await.map(drop)?),
                None => Ok(()),
            }
        }
    }
}

/// Leaves the session open, in place of the one that was open before.
async fn keep(setup: &Setup, client: &Client, user: &str) -> Result<String> {
    let session = client.session().ok_or_else(|| {
        Failure::NotFound(
            "the service has no sessions that could be kept; --save keeps the password".into(),
        )
    })?;
    let before = Kept::find(&setup.origin, Some(user)).await?;
    let place = match Kept::new(&setup.origin, user, session).keep().await {
        Ok(place) => place,
        Err(failure) => {
            client.logout().await?;
            return Err(failure);
        }
    };
    client.keep_session();
    if let Some(before) = before {
        // It would count against the limit of the service until it ends by itself.
        if let Err(error) = setup.client(&Who::Session(before))?.end_session().await {
            crate::output::warn(&format!(
                "the session of before could not be closed: {error}"
            ));
        }
    }
    Ok(place)
}

/// Writes down what later commands need and nobody else would tell them.
fn remember(setup: &Setup, file: &mut File, user: &str) -> Result<()> {
    let pinned = setup.fingerprint.map(|sha256| fingerprint::show(&sha256));
    let (table, known_user, known_pin) = match &setup.profile {
        Some(name) => {
            let profile = file.profile(name)?;
            let known = (profile.user.clone(), profile.fingerprint.clone());
            (["profiles", name.as_str()], known.0, known.1)
        }
        None => {
            let known = file.config.services.get(&setup.origin).cloned();
            let known = known.unwrap_or_default();
            (
                ["services", setup.origin.as_str()],
                known.user,
                known.fingerprint,
            )
        }
    };
    let mut changed = false;
    if known_user.as_deref() != Some(user) {
        file.set(&table, "user", user);
        changed = true;
    }
    if let Some(pinned) = pinned
        && known_pin.as_deref() != Some(&pinned)
    {
        file.set(&table, "fingerprint", pinned);
        changed = true;
    }
    match changed {
        true => file.save(),
        false => Ok(()),
    }
}

fn at_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// A question and its answer, both to be seen.
async fn ask(question: String) -> Result<String> {
    aside(move || {
        let mut err = std::io::stderr().lock();
        err.write_all(question.as_bytes())?;
        err.flush()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        Ok(line)
    })
    .await
    .map_err(|error| Failure::Usage(format!("nobody answers: {error}")))
}

/// In a thread that nobody waits for when we are interrupted.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = tell.send(work());
    });
    told.await
        .unwrap_or_else(|_| Err(std::io::Error::other("no answer")))
}
