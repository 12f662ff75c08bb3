//! What the demo and its two helper processes can be told on the command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Release six versions of a small agent under replayed traffic, and watch what becomes of them.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Release every version once, print the report and stop
    #[arg(long)]
    pub once: bool,
    /// Where everything is kept; a temporary directory unless given
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Trace to replay: CSV with TIMESTAMP, `ContextTokens`, `GeneratedTokens`; a sample is built in
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Mean arrivals per second that the trace is compressed to, 50 to 1000; below 100 stages take longer
    #[arg(long, value_name = "PER_SECOND", default_value_t = 200, value_parser = clap::value_parser!(u32).range(50..=1_000))]
    pub rate: u32,
    /// Seed of everything that is drawn
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// How well a version answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AnswerQuality {
    /// With the fact that was asked for, and where it stands.
    #[default]
    Good,
    /// Politely, and without it.
    Poor,
}

/// One version of the demo's agent. Flags are the behaviour of the version.
#[derive(Debug, Clone, Args)]
pub struct AgentArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// File that the address is written to once requests are taken
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
    /// Stop when standard input closes, so that nothing outlives the demo
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// Base URL of the tool server, called directly
    #[arg(long, value_name = "URL", required_unless_present = "lockgate_addresses")]
    pub tools_url: Option<String>,
    /// File in which Lockgate says where it listens: the tool is called through it, as `documents`
    #[arg(long, value_name = "FILE", requires = "identity_file", conflicts_with = "tools_url")]
    pub lockgate_addresses: Option<PathBuf>,
    /// File that holds this version's token; read again with every call, as a new one may be issued
    #[arg(long, value_name = "FILE")]
    pub identity_file: Option<PathBuf>,
    /// Model that the answers name
    #[arg(long, default_value = "lock-keeper-small")]
    pub model: String,
    /// Share of requests that fail with status 500
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub fail_share: f64,
    /// Milliseconds that every answer takes longer
    #[arg(long, default_value_t = 0)]
    pub delay_ms: u64,
    /// Output tokens billed per visible one; the rest is reasoning that nobody sees
    #[arg(long, default_value_t = 1.0, value_parser = tokens_factor)]
    pub tokens_factor: f64,
    /// How well it answers
    #[arg(long, value_enum, default_value_t)]
    pub answer_quality: AnswerQuality,
    /// Share of requests in which it also tries to read a file outside the documents
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub read_outside: f64,
    /// Seed of everything that is drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// The tool server: search and read over the documents.
#[derive(Debug, Clone, Args)]
pub struct ToolsArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// File that the address is written to once requests are taken
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
    /// Stop when standard input closes, so that nothing outlives the demo
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// File that holds what callers must show in `authorization`
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 0.0, 1.0)
}

fn tokens_factor(text: &str) -> Result<f64, String> {
    within(text, 1.0, 100.0)
}

fn within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        _ => Err(format!("give a number from {low} to {high}")),
    }
}
