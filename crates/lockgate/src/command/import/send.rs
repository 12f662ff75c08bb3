//! Sends the events of a file in parts, from where the server has them.

use std::io::{IsTerminal as _, Write as _};

use lockgate_value::event::Event;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rows::{Looked, Rows, Sum};
use crate::client::Client;
use crate::command::charged::AlsoCharged;
use crate::command::record::Told;
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output;

/// Events in one request.
const PART: usize = 1_000;

/// How far the server says that an import is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) digest: String,
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) taken: u64,
    pub(super) known: u64,
    pub(super) done: bool,
    pub(super) also_charged: Vec<AlsoCharged>,
}

/// Sends what is not there yet.
pub(super) async fn all(
    client: &Client,
    rows: Rows,
    looked: &Looked,
    name: &str,
) -> CliResult<Sent> {
    let body = json!({ "digest": looked.digest, "name": name, "rows": looked.rows });
    let mut sent: Sent = told(client.post(&["value", "imports"], &body).await?)?;
    if sent.done {
        output::note("this file was imported before; nothing was sent");
        return Ok(sent);
    }
    if sent.taken > 0 {
        output::note(format!("going on after event {}", output::count(sent.taken)));
    }
    let mut progress = Progress::new(looked.rows);
    let mut parts = Parts { rows, sum: Sum::default() };
    let mut first = 0;
    while let Some(part) = parts.next()? {
        let next = first + part.len() as u64;
        // What the server has is only passed over.
        if next > sent.taken {
            if next == looked.rows {
                parts.is_still(looked)?;
            }
            let body = json!({ "first": first, "events": part });
            let path = ["value", "imports", looked.digest.as_str(), "rows"];
            sent = told(client.post(&path, &body).await?)?;
        }
        first = next;
        progress.show(first);
    }
    progress.end();
    if !sent.done {
        return Err(changed());
    }
    Ok(sent)
}

/// Asks whether the server would take them.
pub(super) async fn tried(client: &Client, rows: Rows) -> CliResult<Told> {
    let mut parts = Parts { rows, sum: Sum::default() };
    let mut all = Told::default();
    while let Some(part) = parts.next()? {
        let body = json!({ "events": part, "dry_run": true });
        let one: Told = told(client.post(&["value", "events"], &body).await?)?;
        all.new += one.new;
        all.known += one.known;
        AlsoCharged::merge(&mut all.also_charged, one.also_charged);
    }
    Ok(all)
}

fn told<T: serde::de::DeserializeOwned>(answer: serde_json::Value) -> CliResult<T> {
    serde_json::from_value(answer).or_exit(Exit::Failed, "cannot read the server's answer")
}

fn changed() -> CliError {
    CliError::usage("the file was changed while it was imported").hint(
        "nothing of it counts; run the command again, and give up what was begun with --discard",
    )
}

/// Rows, as many as one request takes.
struct Parts {
    rows: Rows,
    sum: Sum,
}

impl Parts {
    fn next(&mut self) -> CliResult<Option<Vec<Event>>> {
        let mut part = Vec::with_capacity(PART);
        for row in self.rows.by_ref().take(PART) {
            let event = row?.map_err(|_| changed())?;
            self.sum.add(&event)?;
            part.push(event);
        }
        Ok((!part.is_empty()).then_some(part))
    }

    /// Whether the whole file, now read again, is what it was.
    fn is_still(&self, looked: &Looked) -> CliResult<()> {
        if self.sum.digest == looked.digest { Ok(()) } else { Err(changed()) }
    }
}

/// How far it is: on a terminal one line, elsewhere one for each tenth.
struct Progress {
    rows: u64,
    tenth: u64,
    is_terminal: bool,
}

impl Progress {
    fn new(rows: u64) -> Self {
        Self { rows, tenth: 0, is_terminal: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, done: u64) {
        let percent = done * 100 / self.rows.max(1);
        let text =
            format!("{} of {} events ({percent} %)", output::count(done), output::count(self.rows));
        if self.is_terminal {
            let mut stream = std::io::stderr().lock();
            // Nobody is left to tell when standard error is closed.
            let _ = write!(stream, "\r\x1b[K{text}").and_then(|()| stream.flush());
        } else if percent / 10 > self.tenth {
            self.tenth = percent / 10;
            output::note(text);
        }
    }

    fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
