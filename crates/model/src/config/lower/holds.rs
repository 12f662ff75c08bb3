//! What keeps a release from advancing besides gates on metrics, and what lets one come back.

use super::settings::secret;
use super::{duration_within, name, target};
use crate::config::field::Field;
use crate::config::file::{ConfirmBy, ConfirmFile, DriftFile, PlanFile, WebhookFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::config::text::FreezeText;
use crate::config::units;
use crate::drift::{DriftGate, SOURCE_DEFAULT};
use crate::freeze::{self, Freeze, InvalidFreeze};
use crate::hook::{Confirm, Hook};

/// Each is looked up at every tick.
const WINDOWS_MAX: usize = 100;

pub(super) fn freeze(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<FreezeText>>>,
    path: &Path,
) -> Vec<Freeze> {
    let Some(entries) = report.take(list, path) else { return Vec::new() };
    if entries.len() > WINDOWS_MAX {
        let message = format!("more than {WINDOWS_MAX} windows");
        report.error(path, message, "join those that follow each other");
        return Vec::new();
    }
    let mut windows = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = path.index(index);
        let Some(text) = report.take(entry, &path) else { continue };
        match text.0.parse::<Freeze>() {
            Ok(window) => windows.push(window),
            Err(error) => {
                let hint = match error {
                    InvalidFreeze::Form => "days are `mon` to `sun`, or dates such as `2026-12-23`",
                    InvalidFreeze::Time => "times go from `00:00` to `23:59`",
                    InvalidFreeze::Empty => "write when it begins, then when it ends",
                    InvalidFreeze::Zone => "use a name of the IANA list, such as `Europe/Berlin`",
                };
                report.error(&path, format!("`{}` {error}", text.0), hint);
            }
        }
    }
    if freeze::leave_nothing(&windows) {
        let message =
            "these windows leave no moment of a week: no release begins or goes on by itself";
        report.warning(path, message, "leave some hours, or use dates for what ends some day");
    }
    windows
}

pub(super) fn initial_delay(report: &mut Report<'_>, file: &PlanFile, path: &Path) -> u64 {
    let path = path.key("initial_delay");
    duration_within(report, &file.initial_delay, &path, (0, HOUR_MS), 0)
}

pub(super) fn rollback_window(
    report: &mut Report<'_>,
    file: &PlanFile,
    path: &Path,
) -> Option<u64> {
    let path = path.key("rollback_window");
    let Some(text) = report.take(&file.rollback_window, &path) else { return Some(DAY_MS) };
    if text.0 == "none" {
        return None;
    }
    let found = units::duration_ms(&text.0);
    if let Err(problem) = found {
        report.error(&path, format!("`{}` {problem}", text.0), "write it like `24h`, or `none`");
    }
    found.ok().filter(|ms| *ms > 0)
}

pub(super) fn drift(
    report: &mut Report<'_>,
    field: &Field<DriftFile>,
    path: &Path,
) -> Option<DriftGate> {
    let file = report.take(field, path)?;
    if file.max_age.is_missing() {
        let hint = "add `max_age: 24h`: older results count for nothing";
        report.missing(path, "max_age", "`max_age` is missing", hint);
    }
    let age = path.key("max_age");
    let max_age_ms = duration_within(report, &file.max_age, &age, (MINUTE_MS, 30 * DAY_MS), DAY_MS);
    let of_path = path.key("of");
    let of = match report.take(&file.of, &of_path) {
        None => vec![SOURCE_DEFAULT.parse().expect("a literal that is a name")],
        Some(names) => names
            .iter()
            .enumerate()
            .filter_map(|(index, field)| name(report, field, &of_path.index(index)))
            .collect(),
    };
    Some(DriftGate { max_age_ms, of })
}

pub(super) fn hook(
    report: &mut Report<'_>,
    field: &Field<WebhookFile>,
    path: &Path,
) -> Option<Hook> {
    let file = report.take(field, path)?;
    let url = target(report, &file.url, &path.key("url"));
    let secret = secret(report, &file.secret, &path.key("secret"));
    Some(Hook { url: url?.0, secret })
}

pub(super) fn confirm(
    report: &mut Report<'_>,
    field: &Field<ConfirmFile>,
    path: &Path,
) -> Option<Confirm> {
    let file = report.take(field, path)?;
    let by = report.take(&file.by, &path.key("by")).copied()?;
    match by {
        ConfirmBy::Person => {
            for (name, is_missing) in
                [("url", file.url.is_missing()), ("secret", file.secret.is_missing())]
            {
                if !is_missing {
                    let message = format!("`{name}` means nothing where a person confirms");
                    report.key_error(&path.key(name), message, "remove it, or use `by: webhook`");
                }
            }
            Some(Confirm::Person)
        }
        ConfirmBy::Webhook => {
            if file.url.is_missing() {
                let hint = "add `url: https://…`. It is asked by POST, and 200 is a yes";
                report.missing(path, "url", "`url` is missing", hint);
            }
            let url = target(report, &file.url, &path.key("url"));
            let secret = secret(report, &file.secret, &path.key("secret"));
            Some(Confirm::Webhook(Hook { url: url?.0, secret }))
        }
    }
}
