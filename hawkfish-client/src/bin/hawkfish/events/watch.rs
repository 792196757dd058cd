//! `events watch`: the stream of events of the service.

use std::time::Duration;

use clap::Args;
use hawkfish_client::Client;
use hawkfish_client::events::Turn;

use super::tell::tell;
use super::wanted::Choice;
use crate::failure::Result;
use crate::output::{Output, warn};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// An expression of the service's own $filter in place of, or beside, the options above.
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// What followed the event with this number, where the service still knows it; else only what happens from now on.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// Ends after so many events.
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Seconds that the service may be out of reach before this ends; as long as it takes, if not said.
    #[arg(long, value_name = "SECONDS")]
    give_up_after: Option<u64>,
}

pub(super) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let mut events = client
        .events()
        .wanted(arguments.choice.wanted())
        .on_turn(|turn| match turn {
            Turn::Broken { why, again_in, .. } => {
                warn(&format!("{why}; again in {:.1} s", again_in.as_secs_f64()));
            }
            Turn::Back { resumed: true } => warn("the stream is back, and goes on where it was"),
            Turn::Back { resumed: false } => {
                warn("the stream is back; what happened meanwhile is not told");
            }
        });
    if let Some(filter) = &arguments.filter {
        events = events.filter(filter);
    }
    if let Some(number) = &arguments.from {
        events = events.from(number);
    }
    if let Some(seconds) = arguments.give_up_after {
        events = events.give_up_after(Duration::from_secs(seconds));
    }
    let mut stream = events.open().await?;
    let mut left = arguments.count;
    while left != Some(0)
        && let Some(event) = stream.next().await
    {
        match event {
            Ok(event) => {
                tell(output, &event)?;
                left = left.map(|left| left.saturating_sub(event.records.len().max(1)));
            }
            Err(error) if stream.is_over() => return Err(error.into()),
            // One that cannot be read; the others can.
            Err(error) => warn(&error.to_string()),
        }
    }
    Ok(())
}
