//! The command line: what can be asked, and what a finished command means for the caller.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::command;
use crate::error::{CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

const AFTER_HELP: &str = "\
Exit codes:
  0  done, promoted, passed
  1  a gate or a check failed, or the server refused
  2  wrong usage or configuration
  3  rolled back
  4  paused, or needs a person
  5  timed out
  6  cannot reach the server
  7  it could not be told";

/// Releases AI agents stage by stage, and takes a bad one back by itself
#[derive(Debug, Parser)]
#[command(name = "lockgate", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: gateway for users and for agents' calls, control loop and API
    ///
    /// Runs until it is told to stop. SIGHUP reads the file again; what is wrong with it is logged
    /// and changes nothing. SIGTERM and SIGINT let requests under way finish; a second one ends at
    /// once.
    ///
    /// The first start prints an admin token on standard error, once.
    ///
    /// While it runs, `addresses.json` in the data directory says where it listens:
    /// {"ingress":"HOST:PORT","egress":"HOST:PORT","api":"HOST:PORT"}. Port 0 takes a free one.
    ///
    /// `LOCKGATE_LOG` says what is logged, such as `info` or `lockgate_gateway=debug`.
    Serve(command::serve::Serve),
    /// Write a first configuration file
    Init(command::init::Init),
    /// Check a configuration file
    Check(command::check::Check),
    /// Say which shape an agent system should have, and why
    Advise(command::advise::Advise),
    /// Say how ready a repository is for production, from its files
    Assess(command::assess::Assess),
    /// Say whether what runs is what was written
    ///
    /// Compares infrastructure with its templates, a cluster with its manifests, and a server with its configuration.
    /// Runs only what is asked for: Terraform or OpenTofu for each --terraform, `kubectl diff` for each --kubernetes, and
    /// questions to a server for --lockgate and --policies. Programs get no shell, nothing of the environment that is not
    /// named, and an end to their time. No values are shown.
    ///
    /// The exit code is 0 when there is no drift, 1 when there is, and 7 when it could not be told.
    Drift(command::drift::Drift),
    /// Say where an agent stands on its path to production, and what blocks it
    Path(command::path::Path),
    /// Say what agents are worth
    #[command(subcommand)]
    Value(command::value::Value),
    /// Record what Lockgate does not see: a survey's answer, a baseline, an incident, a cost
    Record(command::record::Record),
    /// Import a file of such events, or a bill
    Import(command::import::Import),
    /// Say what a plan would do, without a server
    Simulate(command::simulate::Simulate),
    /// Say beforehand whether a plan can be decided
    #[command(subcommand)]
    Plan(command::plan::Plan),
    /// Check, test and ask policies: what agents may do with their tools
    #[command(subcommand)]
    Policy(command::policy::Policy),
    /// Print the JSON Schema of the configuration file, or of another one
    Schema(command::schema::Schema),
    /// Show what a file would change on the server
    Diff(command::diff::Diff),
    /// Make the server run a configuration file
    Apply(command::apply::Apply),
    /// Look at agents
    #[command(subcommand)]
    Agent(command::agent::Agent),
    /// Look at versions, and report what one did
    #[command(subcommand)]
    Version(command::version::Version),
    /// Start, follow and steer releases
    #[command(subcommand)]
    Rollout(command::rollout::Rollout),
    /// Answer actions of agents that wait for a person
    #[command(subcommand)]
    Approvals(command::approvals::Approvals),
    /// Look at what agents are told of tools, and accept changes
    #[command(subcommand)]
    Pins(command::pins::Pins),
    /// Stop an agent, a version, a tool or a user at once
    #[command(subcommand)]
    Quarantine(command::quarantine::Quarantine),
    /// Look at, check and prove what was recorded
    #[command(subcommand)]
    Audit(command::audit::Audit),
    /// Manage API tokens
    #[command(subcommand)]
    Token(command::token::Token),
    /// Manage the tokens with which agents call their tools
    #[command(subcommand)]
    Identity(command::identity::Identity),
    /// Run servers of tools beside agents, with Lockgate in between
    #[command(subcommand)]
    Mcp(command::mcp::Mcp),
    /// Follow what happens on the server
    Events(command::events::Events),
    /// Release good and bad versions of a small agent under replayed traffic
    Demo(lockgate_demo::DemoArgs),
    /// Run one version of the demo's agent
    #[command(hide = true)]
    DemoAgent(lockgate_demo::AgentArgs),
    /// Run the demo's tool server
    #[command(hide = true)]
    DemoTools(lockgate_demo::ToolsArgs),
    /// Print a script that completes commands in a shell
    Completions(command::completions::Completions),
    /// Print the manual page, or write all pages to a directory
    Man(command::man::Man),
}

/// Reads the command line, runs the command, prints its error, returns its exit code.
pub(crate) fn run() -> ExitCode {
    // Fails only when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to standard output. Nobody is left to tell
            // when the stream is closed.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::note(&error);
            error.kind.into()
        }
    }
}

/// The whole command tree, for completions and manual pages.
pub(crate) fn tree() -> clap::Command {
    Cli::command()
}

fn dispatch(cli: Cli) -> CliResult {
    let format = cli.output;
    match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Init(init) => init.run(format),
        Command::Check(check) => wait(check.run(format)),
        Command::Advise(advise) => advise.run(format),
        Command::Assess(assess) => wait(assess.run(format)),
        Command::Drift(drift) => wait(drift.run(format)),
        Command::Path(path) => wait(path.run(format)),
        Command::Value(value) => wait(value.run(format)),
        Command::Record(record) => wait(record.run(format)),
        Command::Import(import) => wait(import.run(format)),
        Command::Simulate(simulate) => simulate.run(format),
        Command::Plan(plan) => plan.run(format),
        Command::Policy(policy) => wait(policy.run(format)),
        Command::Schema(schema) => schema.run(),
        Command::Diff(diff) => wait(diff.run(format)),
        Command::Apply(apply) => wait(apply.run(format)),
        Command::Agent(agent) => wait(agent.run(format)),
        Command::Version(version) => wait(version.run(format)),
        Command::Rollout(rollout) => wait(rollout.run(format)),
        Command::Approvals(approvals) => wait(approvals.run(format)),
        Command::Pins(pins) => wait(pins.run(format)),
        Command::Quarantine(quarantine) => wait(quarantine.run(format)),
        Command::Audit(audit) => wait(audit.run(format)),
        Command::Token(token) => wait(token.run(format)),
        Command::Identity(identity) => wait(identity.run(format)),
        Command::Mcp(mcp) => wait(mcp.run()),
        Command::Events(events) => wait(events.run(format)),
        Command::Demo(args) => work(command::demo::run(args, format)),
        Command::DemoAgent(args) => work(command::demo::agent(args)),
        Command::DemoTools(args) => work(command::demo::tools(args)),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}

/// Runs a command that has much to do at once.
fn work(work: impl Future<Output = CliResult>) -> CliResult {
    tokio::runtime::Runtime::new().or_exit(Exit::Failed, "cannot start the runtime")?.block_on(work)
}

/// Runs a command that talks to a server; one thread is enough.
fn wait(work: impl Future<Output = CliResult>) -> CliResult {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Failed, "cannot start the runtime")?
        .block_on(work)
}
