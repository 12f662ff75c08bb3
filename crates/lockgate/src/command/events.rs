//! `lockgate events`

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::client::{Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// Wait before the stream is opened again after it broke.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Follows the server's events until interrupted.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Start after this event instead of now
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Only events of this agent
    #[arg(long)]
    agent: Option<String>,
    /// End when the connection breaks instead of opening it again
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// One event of a stream of server-sent events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    id: Option<String>,
    name: Option<String>,
    data: String,
}

impl Events {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        let client = Client::new(&self.server)?;
        let mut url = client.url(&["events"])?;
        if let Some(agent) = &self.agent {
            url.query_pairs_mut().append_pair("agent", agent);
        }
        let mut after = self.after.clone();
        // The first connection must succeed: a wrong address or token is told at once.
        let mut response = Some(client.events(url.clone(), after.as_deref()).await?);
        loop {
            if let Some(open) = response.take() {
                let mut bytes = open.bytes_stream();
                let mut reader = Reader::default();
                while let Some(Ok(chunk)) = bytes.next().await {
                    for message in reader.feed(&chunk) {
                        after = message.id.clone().or(after);
                        show(&message, format)?;
                    }
                }
            }
            if self.once {
                return Ok(Exit::Done);
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            match client.events(url.clone(), after.as_deref()).await {
                Ok(open) => response = Some(open),
                Err(error) if error.may_pass() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn show(message: &Message, format: Format) -> CliResult<()> {
    let Ok(body) = serde_json::from_str::<Value>(&message.data) else {
        return Ok(());
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    if format == Format::Json {
        return output::print_json_line(&body);
    }
    let at = body.get("at_wall_ms").and_then(Value::as_i64).map(output::time);
    let kind = text("kind").or(message.name.as_deref()).unwrap_or("event");
    let detail = in_words(kind, body.get("body").unwrap_or(&body));
    output::print(&format!(
        "{}  {kind:<15}{:<16}{detail}",
        at.as_deref().unwrap_or(output::UNKNOWN),
        text("agent").unwrap_or(output::UNKNOWN),
    ))
}

/// What happened, in one line; as JSON what this program has no words for.
fn in_words(kind: &str, body: &Value) -> String {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let words = match kind {
        "transition" => {
            let cause = text("/transition/causes/0/text").unwrap_or_default();
            text("/transition/from").zip(text("/transition/to")).map(|(from, to)| {
                format!("{} {from} → {to}: {cause}", text("/candidate").unwrap_or_default())
            })
        }
        "config" => text("/by")
            .map(|by| format!("applied by {by}: {}", text("/reason").unwrap_or_default())),
        _ => None,
    };
    words.unwrap_or_else(|| body.to_string())
}

/// Cuts bytes into events; an event may arrive in any number of pieces.
#[derive(Debug, Default)]
struct Reader {
    pending: Vec<u8>,
    message: Message,
}

impl Reader {
    fn feed(&mut self, chunk: &[u8]) -> Vec<Message> {
        self.pending.extend_from_slice(chunk);
        let mut done = Vec::new();
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            done.extend(self.line(line.trim_end_matches(['\r', '\n'])));
        }
        done
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (!message.data.is_empty()).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.message.id = Some(value.to_owned()),
            "event" => self.message.name = Some(value.to_owned()),
            "data" => {
                if !self.message.data.is_empty() {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            // Comments keep the connection alive.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_may_arrive_in_any_pieces() {
        let stream = b": hello\n\nid: 7\r\nevent: config\ndata: {\"a\":\ndata: 1}\n\ndata: x\n\n";
        let expected = vec![
            Message {
                id: Some("7".into()),
                name: Some("config".into()),
                data: "{\"a\":\n1}".into(),
            },
            Message { id: None, name: None, data: "x".into() },
        ];
        for size in 1..=stream.len() {
            let mut reader = Reader::default();
            let seen: Vec<_> = stream.chunks(size).flat_map(|chunk| reader.feed(chunk)).collect();
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }
}
