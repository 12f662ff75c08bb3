//! Follows a release to its end: live on a terminal, line by line elsewhere, as JSON for programs.

mod frame;
mod screen;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use lockgate_rollout::view::RolloutView;
use lockgate_store::TransitionRecord;
use serde_json::Value;
use tokio::time::Instant;

use crate::client::{self, Client};

use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use frame::{Frame, Line};
use screen::Screen;

/// Time between two looks at the server.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How long a server that answered before may be away, as during a restart.
const AWAY_MAX: Duration = Duration::from_mins(1);

/// What is followed, and for how long.
#[derive(Debug)]
pub(crate) struct Follow {
    /// The release.
    pub(crate) id: String,
    /// Longest time; `None` for no limit.
    pub(crate) timeout: Option<Duration>,
    /// Whether a pause ends it: nobody is looking who could decide.
    pub(crate) stop_when_paused: bool,
}

/// One look at the server.
struct Look {
    /// As it was answered, for JSON.
    answer: Value,
    view: RolloutView,
    /// Whether anything but the passing of time differs from the look before.
    changed: bool,
}

/// Reads `90s`, `15m`, `2h` or `1h 30m`.
pub(crate) fn time_limit(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text
        .parse()
        .map_err(|_| format!("`{text}` is not a length of time, such as 90s, 15m or 2h"))?;
    Duration::try_from(parsed).map_err(|_| "a length of time cannot be negative".into())
}

/// The exit code that a release stands for; `None` while it is under way.
pub(crate) fn exit_of(view: &RolloutView) -> Option<Exit> {
    match view.phase.as_str() {
        "promoted" => Some(Exit::Done),
        "rolled_back" | "aborted" | "superseded" => Some(Exit::RolledBack),
        "paused" => Some(Exit::NeedsPerson),
        // A webhook may still answer by itself.
        "waiting_gate" if view.detail.as_ref().is_some_and(|gate| gate.starts_with("a person")) => {
            Some(Exit::NeedsPerson)
        }
        _ => None,
    }
}

/// A release as text without colours.
pub(crate) fn plain(view: &RolloutView) -> String {
    text(view, &[])
}

fn text(view: &RolloutView, last: &[TransitionRecord]) -> String {
    let lines = Frame { view, last, notice: None }.lines();
    let lines: Vec<String> = lines.iter().map(Line::plain).collect();
    lines.join("\n")
}

/// Shows a release until it ends.
pub(crate) async fn live(client: &Client, follow: &Follow, format: Format) -> CliResult {
    if format == Format::Text && io::stdout().is_terminal() {
        let mut screen = Screen::open()?;
        let ended = tokio::select! {
            ended = draw(client, follow, &mut screen) => ended,
            _ = tokio::signal::ctrl_c() => Err(interrupted()),
        };
        screen.close();
        let (last_picture, exit) = ended?;
        output::print(&last_picture)?;
        return Ok(exit);
    }
    let mut before = String::new();
    let show = |look: &Look| match format {
        Format::Json if look.changed => output::print_json_line(&look.answer),
        Format::Json => Ok(()),
        Format::Text => {
            // Growing numbers are news to programs, but not worth a line of text each.
            let line = summary(&look.view);
            if line == before {
                return Ok(());
            }
            output::print(&line)?;
            before = line;
            Ok(())
        }
    };
    to_end(client, follow, show).await.map(|(_, exit)| exit)
}

/// Waits for the end of a release; progress goes to standard error, the end to standard output.
pub(crate) async fn wait(client: &Client, follow: &Follow, format: Format) -> CliResult {
    let mut before = String::new();
    let (look, exit) = to_end(client, follow, |look| {
        let line = summary(&look.view);
        if line != before {
            output::note(&line);
            before = line;
        }
        Ok(())
    })
    .await?;
    match format {
        Format::Json => output::print_json(&look.answer)?,
        Format::Text => output::print(&plain(&look.view))?,
    }
    Ok(exit)
}

async fn draw(client: &Client, follow: &Follow, screen: &mut Screen) -> CliResult<(String, Exit)> {
    let mut looker = Looker::new(client, follow);
    let mut history: Vec<TransitionRecord> = Vec::new();
    loop {
        let look = looker.look().await?;
        if let Some(look) = &look {
            if look.changed {
                history = looker.history().await.unwrap_or(history);
            }
            if let Some(exit) = looker.ended(&look.view) {
                return Ok((text(&look.view, &history), exit));
            }
        }
        if let Some(view) = &looker.seen {
            let notice = look.is_none().then_some("the server is away; trying again");
            screen.draw(&Frame { view, last: &history, notice }.lines())?;
        }
        looker.pause().await?;
    }
}

/// Looks again and again until the release ends.
async fn to_end(
    client: &Client,
    follow: &Follow,
    mut show: impl FnMut(&Look) -> CliResult<()>,
) -> CliResult<(Look, Exit)> {
    let mut looker = Looker::new(client, follow);
    loop {
        if let Some(look) = looker.look().await? {
            show(&look)?;
            if let Some(exit) = looker.ended(&look.view) {
                return Ok((look, exit));
            }
        }
        looker.pause().await?;
    }
}

/// Asks the server where a release is, and bears with a server that is away for a while.
struct Looker<'a> {
    client: &'a Client,
    follow: &'a Follow,
    started: Instant,
    heard: Instant,
    seen: Option<RolloutView>,
}

impl<'a> Looker<'a> {
    fn new(client: &'a Client, follow: &'a Follow) -> Self {
        let now = Instant::now();
        Self { client, follow, started: now, heard: now, seen: None }
    }

    /// `None` when the server, which answered before, does not answer now.
    async fn look(&mut self) -> CliResult<Option<Look>> {
        let answer = match self.client.get(&["rollouts", &self.follow.id]).await {
            Ok(answer) => answer,
            Err(error)
                if error.may_pass() && self.seen.is_some() && self.heard.elapsed() < AWAY_MAX =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.heard = Instant::now();
        let view: RolloutView = client::typed(&answer)?;
        let changed = self.seen.as_ref().is_none_or(|seen| timeless(seen) != timeless(&view));
        self.seen = Some(view.clone());
        Ok(Some(Look { answer, view, changed }))
    }

    async fn history(&self) -> CliResult<Vec<TransitionRecord>> {
        client::typed(&self.client.get(&["rollouts", &self.follow.id, "history"]).await?)
    }

    /// A promoted release has ended for whoever waits when its version is the stable one.
    fn ended(&self, view: &RolloutView) -> Option<Exit> {
        if view.phase == "promoted" && !view.applied {
            return None;
        }
        exit_of(view).filter(|exit| *exit != Exit::NeedsPerson || self.follow.stop_when_paused)
    }

    async fn pause(&self) -> CliResult<()> {
        if let Some(limit) = self.follow.timeout
            && self.started.elapsed() >= limit
        {
            let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            let id = &self.follow.id;
            return Err(CliError::text(
                Exit::TimedOut,
                format!("release {id} has not ended within {}", output::duration(limit_ms)),
            )
            .hint(format!("it goes on; `lockgate rollout watch {id}` follows it")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        Ok(())
    }
}

/// The view without what grows by itself.
fn timeless(view: &RolloutView) -> RolloutView {
    let (why, would_change) = Default::default();
    RolloutView { dwell_ms: 0, left_ms: 0, why, would_change, ..view.clone() }
}

/// One line about where a release is; the same line as long as nothing happens.
fn summary(view: &RolloutView) -> String {
    let stages = view.stages.len();
    let stage = view.stages.get(view.stage).map_or("", |stage| stage.name.as_str());
    let number = (view.stage + 1).min(stages.max(1));
    let detail = view.detail.as_ref().map_or_else(String::new, |detail| format!(" {detail}"));
    let end = match view.ended_wall_ms {
        Some(_) => format!("  {}", view.why),
        None => String::new(),
    };
    format!(
        "{} {}  stage {number}/{stages} {stage}  weight {}  {}{detail}{end}",
        view.agent,
        view.candidate,
        output::weight(view.weight_bp),
        view.phase,
    )
}

fn interrupted() -> CliError {
    CliError::text(Exit::Failed, "interrupted")
        .hint("the release goes on; `lockgate rollout status` shows it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_people_write_them() {
        assert_eq!(time_limit("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time_limit("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(time_limit("1h 30m"), Ok(Duration::from_mins(90)));
        assert!(time_limit("-1s").is_err());
        assert!(time_limit("soon").is_err());
    }
}
