//! Listening, feedback and channels.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::witnesses::witnesses;
use super::{Unique, duration_within, items, name, target};
use crate::approval::ApprovalSettings;
use crate::config::field::Field;
use crate::config::file::{
    ApprovalsFile, AuditFile, ChannelFile, ConfigFile, FeedbackFile, ListenFile,
};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::config::text::{AddressText, DurationText, SecretText};
use crate::config::{
    AuditDurability, AuditSettings, Channel, ChannelKind, FeedbackSettings, Listen, SecretRef,
};
use crate::plan::AlertLevel;

pub(super) fn listen(
    report: &mut Report<'_>,
    field: &Field<ListenFile>,
    path: &Path,
) -> Option<Listen> {
    let default = ListenFile::default();
    let file = report.take(field, path).unwrap_or(&default);
    let ingress_default = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
    let egress_default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8081));
    let api_default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8090));
    let ingress = address(report, &file.ingress, &path.key("ingress"), ingress_default)?;
    let egress = address(report, &file.egress, &path.key("egress"), egress_default)?;
    let api = address(report, &file.api, &path.key("api"), api_default)?;
    let all = [
        ("ingress", &file.ingress, ingress),
        ("egress", &file.egress, egress),
        ("api", &file.api, api),
    ];
    for (at, (one, first, address)) in all.iter().enumerate() {
        for (other, second, same) in &all[at + 1..] {
            if !overlap(*address, *same) {
                continue;
            }
            // What is written is at fault, not a default; of two, the latter.
            let written = if second.is_missing() && !first.is_missing() { one } else { other };
            report.error(
                &path.key(written),
                format!("`{one}` ({address}) and `{other}` ({same}) are the same address"),
                "give each its own port",
            );
        }
    }
    Some(Listen { ingress, egress, api })
}

/// How agents reach what listens for their calls. What is wrong with `listen` itself was said before.
pub(super) fn egress_url(
    report: &mut Report<'_>,
    field: &Field<ListenFile>,
    path: &Path,
) -> Option<String> {
    let file = field.ok().filter(|file| !file.egress_url.is_missing())?;
    target(report, &file.egress_url, &path.key("egress_url")).map(|(url, _)| url)
}

/// Whether tunnels are opened.
pub(super) fn egress_inspect(
    report: &mut Report<'_>,
    field: &Field<ListenFile>,
    path: &Path,
) -> bool {
    let path = path.key("egress_inspect");
    field.ok().is_some_and(|file| report.take_or(&file.egress_inspect, &path, false))
}

/// Who vouches for endpoints and tools beside the web's authorities.
pub(super) fn authorities(
    report: &mut Report<'_>,
    file: &ConfigFile,
    root: &Path,
) -> Option<SecretRef> {
    let is_written = !file.authorities.is_missing();
    is_written.then(|| secret(report, &file.authorities, &root.key("authorities")))?
}

fn address(
    report: &mut Report<'_>,
    field: &Field<AddressText>,
    path: &Path,
    default: SocketAddr,
) -> Option<SocketAddr> {
    let Some(text) = report.take(field, path) else { return Some(default) };
    let parsed = text.0.parse().ok();
    if parsed.is_none() {
        report.error(
            path,
            format!("`{}` is not an IP address with a port", text.0),
            "write it like `127.0.0.1:8080` or `[::1]:8080`",
        );
    }
    parsed
}

/// Whether both cannot be bound at once. Port 0 is a new one each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let any = |ip: IpAddr| ip.is_unspecified();
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || any(a.ip()) || any(b.ip()))
}

pub(super) fn feedback(
    report: &mut Report<'_>,
    field: &Field<FeedbackFile>,
    path: &Path,
) -> FeedbackSettings {
    let default = FeedbackFile::default();
    let file = report.take(field, path).unwrap_or(&default);
    let path = path.key("ticket_ttl");
    let range = (SECOND_MS, 90 * DAY_MS);
    let ticket_ttl_ms = duration_within(report, &file.ticket_ttl, &path, range, DAY_MS);
    FeedbackSettings { ticket_ttl_ms }
}

pub(super) fn audit(
    report: &mut Report<'_>,
    field: &Field<AuditFile>,
    path: &Path,
) -> AuditSettings {
    let default = AuditFile::default();
    let file = report.take(field, path).unwrap_or(&default);
    let mirror = report.take(&file.mirror, &path.key("mirror"));
    let (witnesses, cosignatures_min) = witnesses(report, file, path);
    let retention = (!file.retention.is_missing()).then(|| {
        let (path, range) = (path.key("retention"), (DAY_MS, 3_650 * DAY_MS));
        duration_within(report, &file.retention, &path, range, DAY_MS)
    });
    AuditSettings {
        durability: report.take_or(
            &file.durability,
            &path.key("durability"),
            AuditDurability::default(),
        ),
        mirror: mirror.map(|mirror| mirror.0.clone()),
        retention_ms: retention,
        witnesses,
        cosignatures_min,
    }
}

pub(super) fn approvals(
    report: &mut Report<'_>,
    field: &Field<ApprovalsFile>,
    path: &Path,
) -> ApprovalSettings {
    let written = ApprovalsFile::default();
    let file = report.take(field, path).unwrap_or(&written);
    let default = ApprovalSettings::default();
    let mut within = |field: &Field<DurationText>, name: &str, range, default_ms| {
        duration_within(report, field, &path.key(name), range, default_ms)
    };
    let asked = (10 * SECOND_MS, 30 * DAY_MS);
    ApprovalSettings {
        hold_ms: within(&file.hold, "hold", (0, 10 * MINUTE_MS), default.hold_ms),
        expires_ms: within(&file.expires, "expires", asked, default.expires_ms),
        use_within_ms: within(
            &file.use_within,
            "use_within",
            (SECOND_MS, DAY_MS),
            default.use_within_ms,
        ),
        refusal_ms: within(
            &file.refusal_stands,
            "refusal_stands",
            (MINUTE_MS, 365 * DAY_MS),
            default.refusal_ms,
        ),
    }
}

pub(super) fn candidate_stale_max(report: &mut Report<'_>, file: &ConfigFile, root: &Path) -> u64 {
    let path = root.key("candidate_stale_max");
    let range = (SECOND_MS, 24 * HOUR_MS);
    duration_within(report, &file.candidate_stale_max, &path, range, 10 * MINUTE_MS)
}

pub(super) fn snapshot_max_age(report: &mut Report<'_>, file: &ConfigFile, root: &Path) -> u64 {
    let path = root.key("snapshot_max_age");
    let range = (SECOND_MS, 24 * HOUR_MS);
    duration_within(report, &file.snapshot_max_age, &path, range, 10 * MINUTE_MS)
}

pub(super) fn channels(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<ChannelFile>>>,
    path: &Path,
) -> Vec<Channel> {
    let mut unique = Unique::of("channel");
    let mut channels = Vec::new();
    for (path, file) in items(report, list, path) {
        let name_path = path.key("name");
        if let Some(name) = file.name.ok() {
            unique.check(report, &name.0, &name_path);
        }
        let name = name(report, &file.name, &name_path);
        let kind = channel_kind(report, file, &path);
        let min_level = report.take_or(&file.min_level, &path.key("min_level"), AlertLevel::Info);
        if let (Some(name), Some(kind)) = (name, kind) {
            channels.push(Channel { name, kind, min_level });
        }
    }
    channels
}

fn channel_kind(report: &mut Report<'_>, file: &ChannelFile, path: &Path) -> Option<ChannelKind> {
    let (webhook_path, slack_path) = (path.key("webhook"), path.key("slack"));
    let both_or_none = "a channel is either a `webhook` or `slack`";
    match (file.webhook.is_missing(), file.slack.is_missing()) {
        (true, true) => {
            let hint = "add `webhook: { url: https://… }` or `slack: { url: env:SLACK_URL }`";
            report.error(path, both_or_none, hint);
            None
        }
        (false, false) => {
            report.key_error(&slack_path, both_or_none, "make two channels of it");
            None
        }
        (false, true) => {
            let webhook = report.take(&file.webhook, &webhook_path)?;
            let url = target(report, &webhook.url, &webhook_path.key("url"));
            let secret = secret(report, &webhook.secret, &webhook_path.key("secret"));
            Some(ChannelKind::Webhook { url: url?.0, secret })
        }
        (true, false) => {
            let slack = report.take(&file.slack, &slack_path)?;
            let url = secret(report, &slack.url, &slack_path.key("url"))?;
            Some(ChannelKind::Slack { url })
        }
    }
}

pub(super) fn secret(
    report: &mut Report<'_>,
    field: &Field<SecretText>,
    path: &Path,
) -> Option<SecretRef> {
    let text = report.take(field, path)?;
    match text.0.parse() {
        Ok(reference) => Some(reference),
        Err(error) => {
            let error: crate::config::InvalidSecretRef = error;
            report.error(path, error.to_string(), "write where it is found: `env:ALERT_KEY`");
            None
        }
    }
}
