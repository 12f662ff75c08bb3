//! `lockgate check`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures_util::future;
use lockgate_model::config::{self, Config, Diagnostic, Diagnostics, Severity};
use serde_json::json;

use crate::config_file;
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// Longest wait for one endpoint.
const PROBE_MAX: Duration = Duration::from_secs(3);

/// Checks a file without a server.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file
    #[arg(default_value = config_file::DEFAULT)]
    file: PathBuf,
    /// Also try every endpoint; one that cannot be reached is a warning
    #[arg(long)]
    probe: bool,
}

impl Check {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        let source = config_file::source(&self.file)?;
        let name = self.file.display().to_string();
        let read = config::read_with(&name, &source);
        let found: Vec<Diagnostic> = match &read {
            Err(diagnostics) => diagnostics.iter().cloned().collect(),
            Ok(config) => {
                let mut warnings: Vec<_> = config.warnings.iter().cloned().collect();
                if self.probe {
                    warnings.extend(probe(&name, &source.text, config).await);
                }
                warnings
            }
        };
        let exit = if read.is_ok() { Exit::Done } else { Exit::Usage };
        if format == Format::Json {
            output::print_json(&json!({
                "file": name,
                "valid": read.is_ok(),
                "digest": read.as_ref().ok().map(|config| config.digest.as_str()),
                "diagnostics": found,
            }))?;
            return Ok(exit);
        }
        match read {
            Err(_) => config_file::read(&self.file).map(|_| exit),
            Ok(config) => {
                if !found.is_empty() {
                    output::note(format!("{}\n", Diagnostics::from(found)));
                }
                output::print(&summary(&self.file, &config))?;
                Ok(exit)
            }
        }
    }
}

fn summary(file: &Path, config: &Config) -> String {
    let versions: usize = config.agents.iter().map(|agent| agent.versions.len()).sum();
    format!(
        "{} is valid: agents {}, versions {versions}, plans {}, channels {}",
        file.display(),
        config.agents.len(),
        config.plans.len(),
        config.channels.len(),
    )
}

/// Warnings about endpoints that do not answer at all. Any HTTP status is an answer.
async fn probe(file: &str, text: &str, config: &Config) -> Vec<Diagnostic> {
    let http = reqwest::Client::builder().tls_certs_only([]).timeout(PROBE_MAX).build();
    let http = http.expect("a client without certificates has nothing to load");
    let mut tries = Vec::new();
    for (a, agent) in config.agents.iter().enumerate() {
        for (v, version) in agent.versions.iter().enumerate() {
            let all = Some(("endpoint", &version.endpoint));
            let all = all
                .into_iter()
                .chain(version.test_endpoint.as_ref().map(|url| ("test_endpoint", url)));
            for (field, url) in all {
                let path = format!("agents[{a}].versions[{v}].{field}");
                let http = &http;
                tries.push(async move {
                    let error = reachable(http, url).await.err()?;
                    let (line, column) = place(text, url);
                    Some(Diagnostic {
                        file: file.to_owned(),
                        line,
                        column,
                        severity: Severity::Warning,
                        message: format!("{url} cannot be reached: {error}"),
                        hint: Some(
                            "start the version before it gets traffic, or correct its address"
                                .into(),
                        ),
                        path,
                    })
                });
            }
        }
    }
    future::join_all(tries).await.into_iter().flatten().collect()
}

/// Whether something listens there. Of an `https` address only the port is tried.
async fn reachable(http: &reqwest::Client, url: &str) -> Result<(), String> {
    let parsed: reqwest::Url = url.parse().map_err(|_| "not a URL".to_owned())?;
    if parsed.scheme() == "http" {
        let answer = http.get(parsed).send().await;
        return answer.map(drop).map_err(|error| root(&error.without_url()));
    }
    let host = parsed.host_str().unwrap_or_default().to_owned();
    let port = parsed.port_or_known_default().unwrap_or(443);
    match tokio::time::timeout(PROBE_MAX, tokio::net::TcpStream::connect((host, port))).await {
        Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err("no answer in time".into()),
    }
}

/// The innermost cause, which names the fault.
fn root(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

/// Line and column, from 1, of the first place where `needle` stands.
fn place(text: &str, needle: &str) -> (u32, u32) {
    let Some(at) = text.find(needle) else {
        return (1, 1);
    };
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_from_one_in_characters() {
        assert_eq!(place("a: http://x\n", "http://x"), (1, 4));
        assert_eq!(place("é\n  ü: http://x\n", "http://x"), (2, 6));
        assert_eq!(place("nothing", "http://x"), (1, 1));
    }
}
