//! Whether gateways have what was decided.

use std::time::Duration;

use lockgate_model::ids::Revision;
use tokio::time::Instant;

use crate::problem::ApiError;
use crate::state::App;

/// A gateway that was not heard of for so long is not waited for.
const SEEN_MS: u64 = 10_000;
/// How long the answer waits for gateways.
const WAIT_MAX: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Whether every gateway that is up has applied a revision; waits a little for it.
pub(crate) async fn have(app: &App, revision: Revision) -> Result<bool, ApiError> {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let gateways = app.store.gateways(SEEN_MS).await?;
        if gateways.iter().all(|gateway| gateway.report.applied >= revision) {
            return Ok(!gateways.is_empty());
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits for them to have what was published last, for a little at most. One that has not may take calls until it hears of
/// it, or is too old to take any (`snapshot_max_age`).
pub(crate) async fn have_newest(app: &App) -> Result<(), ApiError> {
    if !have(app, app.store.published()).await? {
        tracing::warn!("a gateway has not yet confirmed what was revoked");
    }
    Ok(())
}
