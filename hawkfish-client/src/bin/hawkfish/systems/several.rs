//! One thing done to several machines: bounded at once, a result for each, one exit code for all.

use clap::Args;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hawkfish_client::{Client, Fetched, Kind};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};

/// A machine as a person named it, and what was found by that name.
pub(crate) type Machine = (String, Result<Fetched<Value>>);

/// How many machines at once.
#[derive(Debug, Args)]
pub(crate) struct AtOnce {
    /// Most machines that are worked on at once.
    #[arg(long, value_name = "MACHINES", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
}

/// What became of one of them.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) result: Result<String>,
}

const COLUMNS: &[Column] = &[("ID", &["/Id"]), ("RESULT", &["/Result", "/Error"])];

impl AtOnce {
    /// Does it to each, and gives what became of them in their order.
    pub(crate) async fn each<'a, F, Done>(&self, machines: &'a [Machine], act: F) -> Vec<Told>
    where
        F: Fn(&'a str, &'a Fetched<Value>) -> Done,
        Done: Future<Output = Result<String>>,
    {
        let all = machines.iter().map(|(id, machine)| {
            let doing = machine.as_ref().map(|machine| act(id, machine));
            async move {
                let result = match doing {
                    Ok(doing) => doing.await,
                    Err(failure) => Err(again(failure)),
                };
                Told {
                    id: id.clone(),
                    result,
                }
            }
        });
        let all: Vec<_> = all.collect();
        stream::iter(all)
            .buffered(self.at_once.into())
            .collect()
            .await
    }
}

/// The machines that a person named; one that is not there does not keep the others from their turn.
pub(crate) async fn named(client: &Client, ids: &[String]) -> Result<Vec<Machine>> {
    let found = ids.iter().map(|id| async move {
        match find::system(client, id).await {
            // That there is no way to the service is no fault of one machine.
            Err(Failure::Client(error)) if error.kind != Kind::NotFound => Err(error.into()),
            other => Ok((id.clone(), other)),
        }
    });
    let found: Vec<_> = found.collect();
    stream::iter(found).buffered(8).try_collect().await
}

/// The failure once more, as each machine has one of its own.
pub(crate) fn again(failure: &Failure) -> Failure {
    match failure {
        Failure::Usage(text) => Failure::Usage(text.clone()),
        other => Failure::NotFound(other.to_string()),
    }
}

/// All machines of the service, by their ids.
pub(crate) async fn all(client: &Client) -> Result<Vec<Machine>> {
    let collection = find::systems(client).await?;
    let systems = find::all(client, &collection).await?;
    Ok(systems
        .into_iter()
        .map(|system| (super::parts::id(&system).to_owned(), Ok(system)))
        .collect())
}

/// Prints what became of each. It failed if one of them did: with the exit code that all that failed have, or 1 where theirs are different.
pub(crate) fn report(output: &Output, told: &[Told]) -> Result<()> {
    let rows: Vec<Value> = told
        .iter()
        .map(|told| match &told.result {
            Ok(done) => json!({"Id": told.id, "Done": true, "Result": done}),
            Err(failure) => json!({"Id": told.id, "Done": false, "Error": failure.to_string(),
                "ExitCode": failure.exit_code()}),
        })
        .collect();
    output.list(COLUMNS, &rows)?;
    let mut codes: Vec<u8> = told
        .iter()
        .filter_map(|told| told.result.as_ref().err().map(Failure::exit_code))
        .collect();
    let failed = codes.len();
    codes.dedup();
    match codes[..] {
        [] => Ok(()),
        [code] => Err(Failure::Several {
            failed,
            of: told.len(),
            code,
        }),
        _ => Err(Failure::Several {
            failed,
            of: told.len(),
            code: 1,
        }),
    }
}
