//! Whether the path to production lets a release start. Nothing that runs is touched by it, and no way back is held up.

use lockgate_model::agent::Agent;
use lockgate_model::config::{Config, Scenario};
use lockgate_model::ledger::{LedgerEntry, Principal};
use lockgate_model::plan::Plan;
use lockgate_model::version::Manifest;
use lockgate_readiness::path::{self, Asked, Posted, Release};
use lockgate_rollout::explain::Cause;
use lockgate_store::{PathReport, StoreError};
use serde_json::json;

use crate::precede;
use crate::reconcile::Pass;

/// A start that may wait for its path.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) config: &'a Config,
    pub(crate) agent: &'a Agent,
    pub(crate) version: &'a Manifest,
    /// The plan that it follows.
    pub(crate) plan: &'a Plan,
}

impl Start<'_> {
    /// The path that must be open. That of the agent's own plan binds also where another plan is named.
    fn path(&self) -> Option<Scenario> {
        self.config.plan(&self.agent.plan).and_then(|own| own.path).or(self.plan.path)
    }
}

/// What the path says of a start; `None` when no path is asked for, or the version was stable until lately and is gone
/// back to.
pub(crate) async fn judge(pass: &Pass, start: &Start<'_>) -> Result<Option<Release>, StoreError> {
    let Some(path) = start.path() else { return Ok(None) };
    let now_wall_ms = pass.clock.now().wall_ms;
    let (agent, version) = (&start.agent.name, &start.version.name);
    if let Some(until_wall_ms) = precede::stable_until(&pass.store, agent, version).await?
        && start.plan.rollback_window_ms.is_some_and(|window_ms| {
            u64::try_from(now_wall_ms - until_wall_ms).is_ok_and(|since_ms| since_ms <= window_ms)
        })
    {
        return Ok(None);
    }
    let posted = pass.store.path_report(agent, version, path).await?.and_then(posted);
    let oversight = pass.oversight.as_ref();
    let Start { config, agent, plan, .. } = *start;
    let facts = pass.store.path_facts(config, agent, plan, oversight, now_wall_ms).await?;
    let commit = start.version.commit.as_deref();
    let asked = Asked { path, agent: &agent.name, version, commit, now_wall_ms };
    Ok(Some(path::release(&asked, posted.as_ref(), &facts)))
}

/// A report that this program cannot read is none.
fn posted(report: PathReport) -> Option<Posted> {
    let PathReport { version, path, commit, at_wall_ms, findings, .. } = report;
    match serde_json::from_value(findings) {
        Ok(findings) => Some(Posted { path, version, commit, at_wall_ms, findings }),
        Err(error) => {
            tracing::warn!(%error, %version, "a report of a path cannot be read");
            None
        }
    }
}

/// What the first step of a release says of its path.
pub(crate) fn causes(release: &Release, in_spite: Option<(&str, &str)>) -> Vec<Cause> {
    let rule = format!("path {}", release.path);
    if let (false, Some((by, because))) = (release.open, in_spite) {
        let blocked = format!("started although {}", release.in_short());
        let of_person = Cause::said(by, format!("override by {by}"), because);
        return vec![Cause::plain(rule, blocked), of_person];
    }
    let commit = release.commit.as_deref().unwrap_or("no commit");
    let mut text = format!("open, by the report of commit {commit}");
    if !release.attested.is_empty() {
        let words = release.attested.iter();
        let words: Vec<String> =
            words.map(|word| format!("{} until {}", word.of, word.until)).collect();
        text = format!("{text}; on people's word for {}", words.join(", "));
    }
    vec![Cause::plain(rule, text)]
}

/// Records that the file names a version whose path is blocked. Returns whether that is on record.
pub(crate) async fn record_held(pass: &Pass, start: &Start<'_>, release: &Release) -> bool {
    let (agent, version) = (&start.agent.name, &start.version.name);
    let why = release.why();
    tracing::warn!(%agent, %version, why, "the file names a version whose path is blocked; it starts once the path is open");
    let by = Principal::Part("configuration".into());
    let at_wall_ms = pass.clock.now().wall_ms;
    let object = format!("{agent}/{version}");
    let mut entry = LedgerEntry::event(at_wall_ms, by, "rollout.start.refused", object);
    entry.labels = vec![("agent", agent.to_string()), ("version", version.to_string())];
    entry.detail = json!({ "reason": release.in_short() });
    match pass.ledger.record(entry).await {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(%error, "a refusal is not recorded yet");
            false
        }
    }
}
