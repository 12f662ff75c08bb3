//! The `lockgate` binary: command line and wiring. No decision is taken here.

mod changes;
mod cli;
mod client;
mod command;
mod config_file;
mod error;
mod output;
mod policy_files;
mod reason;
mod serve;
mod text_file;
mod watch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
