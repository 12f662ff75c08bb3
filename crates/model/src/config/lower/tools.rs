//! Servers with tools, and what they are shown.

use super::settings::secret;
use super::{Unique, duration_within, items, name, target};
use crate::config::field::Field;
use crate::config::file::{CredentialFile, ToolServerFile};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::standard::{HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::tool::{Credential, Tool, ToolProtocol};

/// Headers that say how a request is to be read, or that are the protocol's own.
const NOT_A_CREDENTIAL: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn tools(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<ToolServerFile>>>,
    path: &Path,
) -> Vec<Tool> {
    let mut unique = Unique::of("tool");
    let mut tools = Vec::new();
    for (path, file) in items(report, list, path) {
        let name_path = path.key("name");
        if let Some(name) = file.name.ok() {
            unique.check(report, &name.0, &name_path);
        }
        let name = name(report, &file.name, &name_path);
        let url = target(report, &file.url, &path.key("url"));
        let protocol = report.take_or(&file.protocol, &path.key("protocol"), ToolProtocol::Mcp);
        let credential_path = path.key("credential");
        let credential = report
            .take(&file.credential, &credential_path)
            .and_then(|file| credential(report, file, &credential_path));
        let range = (SECOND_MS, HOUR_MS);
        let timeout_ms =
            duration_within(report, &file.timeout, &path.key("timeout"), range, MINUTE_MS);
        // A server may tell `/mcp/` from `/mcp`: the URL stays as it is written.
        let url = url.and(file.url.ok()).map(|url| url.0.clone());
        if let (Some(name), Some(url)) = (name, url) {
            tools.push(Tool { name, url, protocol, credential, timeout_ms });
        }
    }
    tools
}

fn credential(report: &mut Report<'_>, file: &CredentialFile, path: &Path) -> Option<Credential> {
    let header = report
        .take(&file.header, &path.key("header"))
        .map_or_else(|| "authorization".to_owned(), |header| header.0.to_ascii_lowercase());
    let ours = ["mcp-", "lockgate-", "proxy-"].iter().any(|ours| header.starts_with(ours));
    if ours || NOT_A_CREDENTIAL.contains(&header.as_str()) {
        let message = format!("`{header}` is no header for a credential");
        report.error(
            &path.key("header"),
            message,
            "use `authorization`, or the one that the server asks for",
        );
    }
    let value = secret(report, &file.value, &path.key("value"))?;
    Some(Credential { header, value })
}
