//! Reports of what agents are worth.

use axum::extract::State;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use lockgate_model::ids::AgentName;
use lockgate_value::event::Invalid;
use lockgate_value::report::{ValueReport, report};
use lockgate_value::window::Window;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use crate::auth::Viewer;
use crate::canonical::Canonical;
use crate::extract::QueryArgs;
use crate::problem::{ApiError, Kind, Problem, sentence};
use crate::state::App;
use crate::{clock, fleet};

/// Days of a report that names no first day, the last one included.
const DAYS_DEFAULT: i32 = 30;

/// Which report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichReport {
    /// Of this agent; left out, of all of them.
    #[param(value_type = Option<String>)]
    agent: Option<AgentName>,
    /// The first day, such as `2026-03-01`; left out, 29 days before the last.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// The last day; left out, today.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// Whose days, by a name of the IANA database such as `Europe/Berlin`; left out, `UTC`.
    time_zone: Option<String>,
    /// Puts the time before beside, which is as many days.
    #[serde(default)]
    compare: bool,
}

/// The first and the last day; `count` of them when the first is left out, and until today when the last is.
fn first_and_last(
    from: Option<Date>,
    to: Option<Date>,
    zone: &str,
    count: i32,
) -> Result<(Date, Date), Invalid> {
    let today = || {
        let now = Timestamp::from_millisecond(clock::wall_ms()).ok()?;
        Some(TimeZone::get(zone).ok()?.to_datetime(now).date())
    };
    // A zone that is not known is told by the window.
    let last = to.or_else(today).unwrap_or(Date::ZERO);
    let default = || last.checked_sub((count - 1).days()).ok();
    Ok((from.or_else(default).ok_or_else(|| no_day("from"))?, last))
}

fn no_day(field: &str) -> Invalid {
    Invalid { field: field.into(), reason: "no such day".into() }
}

/// The window of some days.
pub(super) fn days(
    from: Option<Date>,
    to: Option<Date>,
    time_zone: Option<&str>,
    count: i32,
) -> Result<Window, ApiError> {
    let zone = time_zone.unwrap_or("UTC");
    let window = first_and_last(from, to, zone, count)
        .and_then(|(first, last)| Window::of_days(first, last, zone));
    window.map_err(|error| no_window(&error))
}

fn no_window(error: &Invalid) -> ApiError {
    ApiError::new(Kind::BadRequest, sentence(error))
        .hint("Days are written like 2026-03-01, and time zones like Europe/Berlin.")
}

impl WhichReport {
    /// The days asked for, and as many before.
    fn windows(&self) -> Result<(Window, Window), Invalid> {
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        let (first, last) = first_and_last(self.from, self.to, zone, DAYS_DEFAULT)?;
        let window = Window::of_days(first, last, zone)?;
        let days = last.since(first).map_err(|_| no_day("from"))?.get_days() + 1;
        let before_last = first.yesterday().map_err(|_| no_day("from"))?;
        let before_first = first.checked_sub(days.days()).map_err(|_| no_day("from"))?;
        Ok((window, Window::of_days(before_first, before_last, zone)?))
    }
}

/// Reports that are made at the same time, at most: others wait, and users' requests do not.
static REPORTS: Semaphore = Semaphore::const_new(2);

/// What agents were worth: every measure with its number, or with what is missing and how to record it.
#[utoipa::path(get, path = "/api/v1/value/report", tag = "value", operation_id = "value_report",
    security(("token" = [])), params(WhichReport), responses(
    (status = 200, description = "Canonical JSON (RFC 8785) and a line's end: the same window of the same data is the same bytes.", body = serde_json::Value),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(
    State(app): State<App>,
    Viewer(principal): Viewer,
    QueryArgs(which): QueryArgs<WhichReport>,
) -> Result<Canonical<ValueReport>, ApiError> {
    match &which.agent {
        Some(agent) => fleet::known(&app, &principal, agent).await?,
        None => principal.need_all_agents("A report of all agents")?,
    }
    let (window, before) = which.windows().map_err(|error| no_window(&error))?;
    // Ends with the server, never closed.
    let _place = REPORTS.acquire().await;
    let of = async |window| -> Result<ValueReport, ApiError> {
        let gathered = app.store.value_gathered(window, which.agent.as_ref()).await?;
        tokio::task::spawn_blocking(move || report(&gathered))
            .await
            .map_err(|_| ApiError::new(Kind::Internal, "The report could not be made."))
    };
    let asked = of(window).await?;
    Ok(Canonical(if which.compare { asked.compared_with(&of(before).await?) } else { asked }))
}
