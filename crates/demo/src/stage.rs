//! Everything that runs during the demo: the tool server, the versions, Lockgate itself.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::api::{AgentState, Api};
use crate::args::DemoArgs;
use crate::children::Process;
use crate::config_file::{self, AGENT};
use crate::error::DemoError;
use crate::server::http_client;
use crate::text::draw;
use crate::tools::{Addresses, ToolSettings};
use crate::versions::{FIRST, RELEASED, VersionSpec};

/// The running demo. Dropping it kills every process.
#[derive(Debug)]
pub(crate) struct Running {
    lockgate: Process,
    helpers: Vec<Process>,
    /// The API with an admin's token.
    pub(crate) api: Api,
    /// Base URL of the agent as users reach it.
    pub(crate) ingress: String,
    /// Base URL of API and console.
    pub(crate) console: String,
    /// File with the admin's token.
    pub(crate) token_file: PathBuf,
    /// Where everything is kept.
    pub(crate) dir: PathBuf,
}

impl Running {
    /// Starts everything in `dir` and waits until every version is healthy.
    pub(crate) async fn start(args: &DemoArgs, dir: &Path) -> Result<Self, DemoError> {
        for part in ["logs", "keys"] {
            let path = dir.join(part);
            std::fs::create_dir_all(&path).map_err(DemoError::file("create", &path))?;
        }
        let dir = dir.canonicalize().map_err(DemoError::file("find", dir))?;
        let state = dir.join("state");
        let addresses_file = state.join("addresses.json");
        // A directory that is used again holds the addresses of the last run.
        let _ = std::fs::remove_file(&addresses_file);
        let (mut helpers, endpoints) = start_helpers(args, &dir, &addresses_file).await?;

        let config = dir.join("lockgate.yaml");
        let text = config_file::text(&endpoints, args.rate);
        std::fs::write(&config, text).map_err(DemoError::file("write", &config))?;
        let token_file = dir.join("keys/admin-token");
        let arguments = ["serve", "--config"].map(str::to_owned).into_iter().chain([
            shown(&config),
            "--data-dir".into(),
            shown(&state),
            "--token-file".into(),
            shown(&token_file),
        ]);
        let mut lockgate = Process::start("lockgate", &dir.join("logs"), arguments)?;
        let addresses = lockgate.ready(async || Addresses::read(&addresses_file)).await?;
        let token = lockgate.ready(async || std::fs::read_to_string(&token_file).ok()).await?;

        let console = format!("http://{}", addresses.api);
        let api = Api::new(http_client()?, console.clone(), token.trim().to_owned());
        lockgate.ready(async || api.is_ready().await.then_some(())).await?;
        write_secret(&dir.join("keys/operator-token"), &api.operator_token().await?)?;
        lockgate.ready(async || api.agent().await.ok().filter(AgentState::is_ready)).await?;
        helpers.iter_mut().try_for_each(Process::check)?;
        let ingress = format!("http://{}", addresses.ingress);
        Ok(Self { lockgate, helpers, api, ingress, console, token_file, dir })
    }

    /// Fails when one of the processes has ended.
    pub(crate) fn check(&mut self) -> Result<(), DemoError> {
        self.lockgate.check()?;
        self.helpers.iter_mut().try_for_each(Process::check)
    }

    /// Stops everything: Lockgate first, so that it never sees its versions gone.
    pub(crate) async fn stop(self) {
        self.lockgate.stop().await;
        futures_util::future::join_all(self.helpers.into_iter().map(Process::stop)).await;
    }
}

/// Starts the tool server and one process per version.
async fn start_helpers(
    args: &DemoArgs,
    dir: &Path,
    addresses_file: &Path,
) -> Result<(Vec<Process>, BTreeMap<&'static str, String>), DemoError> {
    let versions: Vec<&VersionSpec> = std::iter::once(&FIRST).chain(&RELEASED).collect();
    let mut callers = BTreeMap::new();
    for version in &versions {
        let key = key_of(version.name)?;
        write_secret(&dir.join(format!("keys/tools-{}", version.name)), &key)?;
        callers.insert(key, version.name.to_owned());
    }
    let settings = ToolSettings {
        callers,
        agent: AGENT.to_owned(),
        addresses_file: addresses_file.to_owned(),
        token_file: dir.join("keys/operator-token"),
    };
    let settings_file = dir.join("keys/tools.json");
    let text = serde_json::to_string(&settings).map_err(std::io::Error::other);
    write_secret(&settings_file, &text.map_err(DemoError::file("write", &settings_file))?)?;

    let flags = ["demo-tools".into(), "--settings".into(), shown(&settings_file)];
    let (tools, tools_address) = start_helper("tools", dir, flags.to_vec()).await?;
    let mut helpers = vec![tools];
    let mut endpoints = BTreeMap::new();
    for version in versions {
        let flags = agent_flags(args, version, dir, &tools_address);
        let (process, address) = start_helper(version.name, dir, flags).await?;
        helpers.push(process);
        endpoints.insert(version.name, format!("http://{address}"));
    }
    Ok((helpers, endpoints))
}

async fn start_helper(
    name: &str,
    dir: &Path,
    mut flags: Vec<String>,
) -> Result<(Process, String), DemoError> {
    let logs = dir.join("logs");
    let address_file = logs.join(format!("{name}.address"));
    let _ = std::fs::remove_file(&address_file);
    flags.extend(["--stop-with-stdin".into(), "--address-file".into(), shown(&address_file)]);
    let mut process = Process::start(name, &logs, flags)?;
    let address = process.address(&address_file).await?;
    Ok((process, address))
}

fn agent_flags(
    args: &DemoArgs,
    version: &VersionSpec,
    dir: &Path,
    tools_address: &str,
) -> Vec<String> {
    let mut flags = vec![
        "demo-agent".into(),
        "--tools-url".into(),
        format!("http://{tools_address}"),
        "--tools-key-file".into(),
        shown(&dir.join(format!("keys/tools-{}", version.name))),
        "--model".into(),
        version.model.to_owned(),
        "--seed".into(),
        draw(args.seed, &[version.name.as_bytes()]).to_string(),
    ];
    flags.extend(version.flags.iter().map(|&flag| flag.to_owned()));
    flags
}

/// A key that nobody can guess: 16 bytes of the system's randomness.
fn key_of(version: &str) -> Result<String, DemoError> {
    use std::io::Read as _;
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 16];
    std::fs::File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(DemoError::file("read", source))?;
    Ok(format!("{version}-{:032x}", u128::from_le_bytes(bytes)))
}

fn write_secret(path: &Path, text: &str) -> Result<(), DemoError> {
    use std::io::Write as _;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(DemoError::file("write", path))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
