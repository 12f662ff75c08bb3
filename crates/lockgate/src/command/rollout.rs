//! `lockgate rollout …`

use clap::{Args, Subcommand};
use lockgate_api::Reason;
use lockgate_api::shapes::{CommandAnswer, CommandState, Replaced, RolloutSummary};
use lockgate_rollout::view::RolloutView;
use serde_json::json;

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;
use crate::watch::{self, Follow};

mod list;
mod story;

pub(crate) use story::why;

/// Starts, follows and steers releases.
#[derive(Debug, Subcommand)]
pub(crate) enum Rollout {
    /// Release a version of an agent
    Start(Start),
    /// List releases, newest first
    List {
        /// Only of this agent
        #[arg(long)]
        agent: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show where a release is
    ///
    /// Ends with the code of what it shows: 0 under way or promoted, 3 taken back, 4 paused.
    Status(Which),
    /// Follow a release to its end, live
    Watch {
        #[command(flatten)]
        which: Which,
        /// Give up after this long, such as 90s or 2h
        #[arg(long, value_name = "TIME", value_parser = watch::time_limit)]
        timeout: Option<std::time::Duration>,
    },
    /// Hold a release; triggers stay armed
    Pause(Steer),
    /// Let a held release go on
    Resume(Steer),
    /// Give the candidate all traffic now, skipping what is left
    Promote(Steer),
    /// Take a release back
    Abort(Steer),
    /// Agree that the stage which waits for it may be left
    Confirm(Steer),
    /// Release the same version again after it was taken back
    Retry(Steer),
    /// List the transitions of a release
    History(Which),
    /// Say why each transition happened and what would have changed it
    Explain(Which),
}

/// Which release.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its id; without it the latest of --agent, or the only open one
    id: Option<String>,
    /// The agent whose latest release is meant
    #[arg(long, conflicts_with = "id")]
    agent: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// A release and a reason.
#[derive(Debug, Args)]
pub(crate) struct Steer {
    #[command(flatten)]
    which: Which,
    /// Why
    #[arg(long, value_parser = reason::parse)]
    reason: Reason,
}

/// A new release.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The agent
    agent: String,
    /// The version to release
    version: String,
    /// Why
    #[arg(long, value_parser = reason::parse)]
    reason: Reason,
    /// Another plan than the agent's
    #[arg(long)]
    plan: Option<String>,
    /// Take back the agent's open release first, if there is one
    #[arg(long)]
    replace: bool,
    /// Start although the path to production is blocked, and why; needs an admin's token, and is recorded
    #[arg(long = "override", value_name = "REASON", value_parser = reason::parse)]
    in_spite_because: Option<Reason>,
    /// Wait for the end; the exit code tells which
    #[arg(long)]
    wait: bool,
    /// Give up waiting after this long, such as 90s or 2h
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = watch::time_limit)]
    timeout: Option<std::time::Duration>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Rollout {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Start(start) => start.run(format).await,
            Self::List { agent, limit, server } => {
                list::run(&server, agent.as_deref(), limit, format).await
            }
            Self::Status(which) => which.status(format).await,
            Self::Watch { which, timeout } => {
                let client = Client::new(&which.server)?;
                let id = which.resolve(&client).await?;
                let follow = Follow { id, timeout, stop_when_paused: false };
                watch::live(&client, &follow, format).await
            }
            Self::Pause(steer) => steer.run("pause", format).await,
            Self::Resume(steer) => steer.run("resume", format).await,
            Self::Promote(steer) => steer.run("promote", format).await,
            Self::Abort(steer) => steer.run("abort", format).await,
            Self::Confirm(steer) => steer.run("confirm", format).await,
            Self::Retry(steer) => steer.run("retry", format).await,
            Self::History(which) => story::history(&which, format).await,
            Self::Explain(which) => story::explain(&which, format).await,
        }
    }
}

impl Which {
    /// The id of the release that is meant.
    async fn resolve(&self, client: &Client) -> CliResult<String> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        let mut url = client.url(&["rollouts"])?;
        if let Some(agent) = &self.agent {
            url.query_pairs_mut().append_pair("agent", agent).append_pair("limit", "1");
        } else {
            url.query_pairs_mut().append_pair("limit", "100");
        }
        let rows: Vec<RolloutSummary> = client::typed(&client.get_url(url).await?)?;
        if let Some(agent) = &self.agent {
            let first = rows.into_iter().next();
            return first.map(|row| row.id.to_string()).ok_or_else(|| {
                CliError::usage(format!("agent `{agent}` has no releases"))
                    .hint(format!("`lockgate rollout start {agent} VERSION --reason …` starts one"))
            });
        }
        let mut open = rows.into_iter().filter(|row| row.ended_wall_ms.is_none());
        match (open.next(), open.next()) {
            (Some(only), None) => Ok(only.id.to_string()),
            (None, _) => Err(CliError::usage("no release is open")
                .hint("name one by its id, or the latest of an agent with --agent; `lockgate rollout list` shows them")),
            (Some(_), Some(_)) => Err(CliError::usage("several releases are open")
                .hint("name one by its id or with --agent; `lockgate rollout list` shows them")),
        }
    }

    async fn status(&self, format: Format) -> CliResult {
        let client = Client::new(&self.server)?;
        let id = self.resolve(&client).await?;
        let answer = client.get(&["rollouts", &id]).await?;
        let view: RolloutView = client::typed(&answer)?;
        match format {
            Format::Json => output::print_json(&answer)?,
            Format::Text => output::print(&watch::plain(&view))?,
        }
        Ok(watch::exit_of(&view).unwrap_or(Exit::Done))
    }
}

impl Steer {
    async fn run(&self, verb: &str, format: Format) -> CliResult {
        let client = Client::new(&self.which.server)?;
        let id = self.which.resolve(&client).await?;
        let answer =
            client.post(&["rollouts", &id, verb], &json!({ "reason": self.reason })).await?;
        if format == Format::Json {
            output::print_json(&answer)?;
            return Ok(Exit::Done);
        }
        let said: CommandAnswer = client::typed(&answer)?;
        // A retry is another release than the one that was named.
        let id = said.rollout.map_or(id, |id| id.to_string());
        // Of a start, the result is the id once more.
        let told = said.result.filter(|result| *result != id);
        let done = told.unwrap_or_else(|| match verb {
            "retry" => "started".into(),
            verb => format!("{verb} done"),
        });
        output::print(&match said.state {
            CommandState::Pending => format!("{id}  accepted; control has not handled it yet"),
            CommandState::Done | CommandState::Refused => format!("{id}  {done}"),
        })?;
        Ok(Exit::Done)
    }
}

impl Start {
    async fn run(&self, format: Format) -> CliResult {
        let client = Client::new(&self.server)?;
        let body = json!({
            "agent": self.agent,
            "version": self.version,
            "plan": self.plan,
            "reason": self.reason,
            "replace": self.replace,
            "override": self.in_spite_because,
        });
        let answer = client.post(&["rollouts"], &body).await?;
        let said: CommandAnswer = client::typed(&answer)?;
        if let Some(Replaced { version, .. }) = &said.replaces {
            output::note(format!(
                "takes the place of release of {version}, which goes back to 0 % first"
            ));
        }
        let id = said.rollout.map(|id| id.to_string());
        if !self.wait {
            match (format, id) {
                (Format::Json, _) => output::print_json(&answer)?,
                (Format::Text, Some(id)) => {
                    output::print(&id)?;
                    output::note(format!("started; `lockgate rollout watch {id}` follows it"));
                }
                (Format::Text, None) => output::print(&match said.state {
                    // What is stable already only needs the other one gone.
                    CommandState::Done => format!("{} is stable", self.version),
                    _ => "accepted; control has not handled it yet".into(),
                })?,
            }
            return Ok(Exit::Done);
        }
        if said.state == CommandState::Done && id.is_none() {
            output::note(format!("{} is stable", self.version));
            return Ok(Exit::Done);
        }
        let id = id.ok_or_else(|| {
            CliError::text(
                Exit::TimedOut,
                "the release was accepted, but control has not started it yet",
            )
            .hint(format!("`lockgate rollout list --agent {}` shows when it has", self.agent))
        })?;
        let follow = Follow { id, timeout: self.timeout, stop_when_paused: true };
        watch::wait(&client, &follow, format).await
    }
}
