//! `lockgate identity …`

use clap::Subcommand;
use lockgate_api::Reason;
use lockgate_model::config;
use serde::Deserialize;
use serde_json::json;

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;

/// Manages tokens of agents' versions.
#[derive(Debug, Subcommand)]
pub(crate) enum Identity {
    /// Issue a token with which a version calls its tools; it is printed once and kept nowhere
    Issue {
        /// The agent
        agent: String,
        /// Its version
        version: String,
        /// How long it lasts
        #[arg(long, default_value = "90d", value_name = "DURATION", value_parser = seconds)]
        expires: u64,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List tokens of versions
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a token useless, or all that a version has
    Revoke {
        /// A token's id, from `identity list`, or AGENT/VERSION
        what: String,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Take tokens of issuers outside again, for a version that a release has cut off
    AdmitOutside {
        /// AGENT/VERSION
        what: String,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the keys that sign tokens, or did
    Keys {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Have a new key sign tokens from now on
    RotateKey {
        /// Void the tokens of the former key after this time, `0s` for at once; without it they are good as long as they last
        #[arg(long, value_name = "DURATION", value_parser = seconds)]
        retire_after: Option<u64>,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Void every token of a key that signs no more
    RetireKey {
        /// The key, from `identity keys`
        kid: String,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
}

fn seconds(text: &str) -> Result<u64, String> {
    let ms = config::duration_ms(text)
        .map_err(|problem| format!("it {problem}; write it like `90d`"))?;
    Ok(ms / 1_000)
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    agent: String,
    version: String,
    issued_wall_s: i64,
    expires_wall_s: i64,
    by: String,
    revoked_wall_ms: Option<i64>,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let when = |at_s: i64| output::time(at_s.saturating_mul(1_000));
        vec![
            self.id.clone(),
            format!("{}/{}", self.agent, self.version),
            when(self.issued_wall_s),
            when(self.expires_wall_s),
            self.by.clone(),
            self.revoked_wall_ms
                .map_or_else(|| "good".into(), |at| format!("revoked {}", output::time(at))),
        ]
    }
}

#[derive(Debug, Deserialize)]
struct Key {
    kid: String,
    state: String,
    since_wall_ms: i64,
    until_wall_ms: Option<i64>,
    void_wall_ms: Option<i64>,
    by: String,
}

impl Key {
    fn cells(&self) -> Vec<String> {
        let when = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), output::time);
        vec![
            self.kid.clone(),
            output::time(self.since_wall_ms),
            when(self.until_wall_ms),
            self.by.clone(),
            match (self.state.as_str(), self.void_wall_ms) {
                ("retired", Some(at)) => format!("retired {}", output::time(at)),
                ("good", Some(at)) => format!("good until {}", output::time(at)),
                (state, _) => state.to_owned(),
            },
        ]
    }
}

#[derive(Debug, Deserialize)]
struct RotatedKey {
    kid: String,
    former: String,
    former_void_wall_ms: Option<i64>,
}

impl Identity {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Issue { agent, version, expires, reason, server } => {
                let body = json!({ "expires_s": expires, "reason": reason });
                let path = ["agents", &agent, "versions", &version, "identities"];
                let issued = Client::new(&server)?.post(&path, &body).await?;
                if format == Format::Json {
                    output::print_json(&issued)?;
                    return Ok(Exit::Done);
                }
                let token = issued.get("token").and_then(|token| token.as_str());
                let token = token.ok_or_else(|| {
                    CliError::text(Exit::Failed, "the server's answer holds no token")
                })?;
                output::note("keep it: it cannot be shown again");
                output::print(token)?;
            }
            Self::AdmitOutside { what, reason, server } => {
                let (agent, version) = what
                    .split_once('/')
                    .ok_or_else(|| CliError::usage(format!("`{what}` is not AGENT/VERSION")))?;
                let path = ["agents", agent, "versions", version, "identities", "outside"];
                let answer =
                    Client::new(&server)?.post(&path, &json!({ "reason": reason })).await?;
                if format == Format::Json {
                    output::print_json(&answer)?;
                } else {
                    output::print(&format!("tokens of issuers outside are taken for {what}"))?;
                }
            }
            Self::Keys { server } => {
                let listed = Client::new(&server)?.get(&["identity-keys"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let keys: Vec<Key> = client::typed(&listed)?;
                let cells: Vec<_> = keys.iter().map(Key::cells).collect();
                let head = ["KEY", "SINCE", "UNTIL", "BY", "STATE"];
                output::print(&output::table(&head, &cells))?;
            }
            Self::RotateKey { retire_after, reason, server } => {
                rotate(format, retire_after, &reason, &server).await?;
            }
            Self::RetireKey { kid, reason, server } => {
                let path = ["identity-keys", &kid];
                let answer = Client::new(&server)?.delete(&path, reason.as_str()).await?;
                if format == Format::Json {
                    output::print_json(&answer)?;
                } else {
                    output::print(&format!("every token of {kid} is void"))?;
                }
            }
            Self::List { server } => {
                let listed = Client::new(&server)?.get(&["identities"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let rows: Vec<Row> = client::typed(&listed)?;
                let cells: Vec<_> = rows.iter().map(Row::cells).collect();
                let head = ["ID", "VERSION", "ISSUED", "EXPIRES", "BY", "STATE"];
                output::print(&output::table(&head, &cells))?;
            }
            Self::Revoke { what, reason, server } => {
                let client = Client::new(&server)?;
                let path = match what.split_once('/') {
                    Some((agent, version)) => {
                        vec!["agents", agent, "versions", version, "identities"]
                    }
                    None => vec!["identities", &what],
                };
                let answer = client.delete(&path, reason.as_str()).await?;
                if format == Format::Json {
                    output::print_json(&answer)?;
                } else {
                    output::print(&format!("{what} is revoked"))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

async fn rotate(
    format: Format,
    retire_after_s: Option<u64>,
    reason: &Reason,
    server: &ServerArgs,
) -> CliResult<()> {
    let mut body = json!({ "reason": reason });
    if let Some(after) = retire_after_s {
        body["retire_after_s"] = after.into();
    }
    let answer = Client::new(server)?.post(&["identity-keys"], &body).await?;
    if format == Format::Json {
        return output::print_json(&answer);
    }
    let RotatedKey { kid, former, former_void_wall_ms } = client::typed(&answer)?;
    let good = match former_void_wall_ms {
        Some(at) => format!("are good until {}", output::time(at)),
        None => "are good as long as they last".to_owned(),
    };
    output::print(&format!("{kid} signs from now on; tokens of {former} {good}"))
}
