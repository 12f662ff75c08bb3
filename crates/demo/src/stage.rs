//! Everything that runs during the demo: the tool server, the versions, Lockgate itself between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::api::{AgentState, Api};
use crate::children::Process;
use crate::config_file;
use crate::error::DemoError;
use crate::server::http_client;
use crate::text::draw;
use crate::users::Users;
use crate::versions::VersionSpec;

/// What Lockgate shows the tool server.
const TOOLS_KEY: &str = "keys/tools";

/// One process that answers as a version of an agent.
#[derive(Debug, Clone)]
pub struct Player {
    /// The process's name, unique in the cast.
    pub name: String,
    /// The agent.
    pub agent: String,
    /// The version, with its behaviour.
    pub version: VersionSpec,
}

/// Who plays.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The `lockgate` binary.
    pub binary: PathBuf,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// One process each.
    pub players: Vec<Player>,
}

impl Cast {
    fn agents(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self.players.iter().map(|one| one.agent.as_str()).collect();
        names.into_iter().collect()
    }
}

/// The running demo. Dropping it kills every process.
#[derive(Debug)]
pub struct Running {
    lockgate: Process,
    helpers: Vec<Process>,
    /// The API with an admin's token.
    pub api: Api,
    /// Base URL of what users reach.
    pub(crate) ingress: String,
    /// Base URL of API and console.
    pub console: String,
    /// File with the admin's token.
    pub token_file: PathBuf,
    /// Where everything is kept.
    pub(crate) dir: PathBuf,
    /// Held while it runs.
    _lock: File,
}

/// One demo in a directory: another one would change what the first one's processes read.
fn lock(dir: &Path) -> Result<File, DemoError> {
    let path = dir.join("demo.lock");
    let file = File::create(&path).map_err(DemoError::file("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DemoError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(DemoError::file("lock", &path)(error)),
    }
}

impl Running {
    /// Starts everything in `dir` and waits until every version is healthy. `config` writes the
    /// configuration file, given the base URL of each player.
    pub async fn start(
        cast: &Cast,
        dir: &Path,
        config: impl FnOnce(&BTreeMap<String, String>) -> String,
    ) -> Result<Self, DemoError> {
        for part in ["logs", "keys", "policies"] {
            let path = dir.join(part);
            std::fs::create_dir_all(&path).map_err(DemoError::file("create", &path))?;
        }
        let dir = dir.canonicalize().map_err(DemoError::file("find", dir))?;
        let lock = lock(&dir)?;
        let state = dir.join("state");
        let addresses_file = state.join("addresses.json");
        // A directory that is used again holds the addresses of the last run.
        let _ = std::fs::remove_file(&addresses_file);
        let (mut helpers, endpoints, tools_address) =
            start_helpers(cast, &dir, &addresses_file).await?;

        let file = dir.join("lockgate.yaml");
        let text = config(&endpoints) + &config_file::tools(&tools_address, &dir.join(TOOLS_KEY));
        std::fs::write(&file, text).map_err(DemoError::file("write", &file))?;
        let policies = dir.join("policies");
        let policy = policies.join("documents.yaml");
        std::fs::write(&policy, config_file::POLICY).map_err(DemoError::file("write", &policy))?;
        let token_file = dir.join("keys/admin-token");
        let arguments =
            ["serve", "--stop-with-stdin", "--config"].map(str::to_owned).into_iter().chain([
                shown(&file),
                "--data-dir".into(),
                shown(&state),
                "--token-file".into(),
                shown(&token_file),
                "--policies".into(),
                shown(&policies),
            ]);
        let mut lockgate = Process::start(&cast.binary, "lockgate", &dir.join("logs"), arguments)?;
        let addresses = lockgate.ready(async || Addresses::read(&addresses_file)).await?;
        let token = lockgate.ready(async || std::fs::read_to_string(&token_file).ok()).await?;

        let console = format!("http://{}", addresses.api);
        let api = Api::new(http_client()?, console.clone(), token.trim().to_owned());
        lockgate.ready(async || api.is_ready().await.then_some(())).await?;
        for player in &cast.players {
            issue(&api, &dir, player).await?;
        }
        for agent in cast.agents() {
            let known = async || api.agent(agent).await.ok().filter(AgentState::is_ready);
            lockgate.ready(known).await?;
        }
        helpers.iter_mut().try_for_each(Process::check)?;
        let ingress = format!("http://{}", addresses.ingress);
        Ok(Self { lockgate, helpers, api, ingress, console, token_file, dir, _lock: lock })
    }

    /// Issues a version's token anew: one that was taken back after a security event has none.
    pub(crate) async fn issue(&self, player: &Player) -> Result<(), DemoError> {
        issue(&self.api, &self.dir, player).await
    }

    /// Users of the agent below `path` of the ingress.
    pub fn users(&self, path: &str, seed: u64) -> Result<Users, DemoError> {
        Ok(Users::new(http_client()?, &self.ingress, path, seed))
    }

    /// Hands over the process of a player; who drops it kills it.
    pub fn take(&mut self, player: &str) -> Option<Process> {
        let at = self.helpers.iter().position(|process| process.name() == player)?;
        Some(self.helpers.swap_remove(at))
    }

    /// Fails when one of the processes has ended.
    pub(crate) fn check(&mut self) -> Result<(), DemoError> {
        self.lockgate.check()?;
        self.helpers.iter_mut().try_for_each(Process::check)
    }

    /// Stops everything: Lockgate first, so that it never sees its versions gone.
    pub async fn stop(self) {
        self.lockgate.stop().await;
        futures_util::future::join_all(self.helpers.into_iter().map(Process::stop)).await;
    }
}

/// Where Lockgate listens, as it says itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Addresses {
    /// Users' traffic.
    pub(crate) ingress: String,
    /// Agents' calls.
    pub(crate) egress: String,
    /// REST and console.
    pub(crate) api: String,
}

impl Addresses {
    /// From the file that the server writes once it listens.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// Where a player finds its token.
fn identity_file(dir: &Path, player: &Player) -> PathBuf {
    dir.join(format!("keys/identity-{}", player.name))
}

async fn issue(api: &Api, dir: &Path, player: &Player) -> Result<(), DemoError> {
    let token = api.identity(&player.agent, player.version.name).await?;
    write_secret(&identity_file(dir, player), &token)
}

/// Starts the tool server and one process per player; the players' base URLs and the tool server's address.
async fn start_helpers(
    cast: &Cast,
    dir: &Path,
    addresses_file: &Path,
) -> Result<(Vec<Process>, BTreeMap<String, String>, String), DemoError> {
    let key_file = dir.join(TOOLS_KEY);
    write_secret(&key_file, &new_key()?)?;
    let flags = ["demo-tools".into(), "--key-file".into(), shown(&key_file)];
    let (tools, tools_address) = start_helper(&cast.binary, "tools", dir, flags.to_vec()).await?;
    let mut helpers = vec![tools];
    let mut endpoints = BTreeMap::new();
    for player in &cast.players {
        let flags = agent_flags(cast.seed, player, dir, addresses_file);
        let (process, address) = start_helper(&cast.binary, &player.name, dir, flags).await?;
        helpers.push(process);
        endpoints.insert(player.name.clone(), format!("http://{address}"));
    }
    Ok((helpers, endpoints, tools_address))
}

async fn start_helper(
    binary: &Path,
    name: &str,
    dir: &Path,
    mut flags: Vec<String>,
) -> Result<(Process, String), DemoError> {
    let logs = dir.join("logs");
    let address_file = logs.join(format!("{name}.address"));
    // A version is where it is: in a directory that is used again it listens where it did.
    let port_file = dir.join(format!("keys/{name}.port"));
    if let Ok(port) = std::fs::read_to_string(&port_file) {
        flags.extend(["--port".into(), port]);
    }
    let _ = std::fs::remove_file(&address_file);
    flags.extend(["--stop-with-stdin".into(), "--address-file".into(), shown(&address_file)]);
    let mut process = Process::start(binary, name, &logs, flags)?;
    let address = process.address(&address_file).await?;
    if let Ok(address) = address.trim().parse::<SocketAddr>() {
        std::fs::write(&port_file, address.port().to_string())
            .map_err(DemoError::file("write", &port_file))?;
    }
    Ok((process, address))
}

fn agent_flags(seed: u64, player: &Player, dir: &Path, addresses_file: &Path) -> Vec<String> {
    let Player { name, version, .. } = player;
    let mut flags = vec![
        "demo-agent".into(),
        "--lockgate-addresses".into(),
        shown(addresses_file),
        "--identity-file".into(),
        shown(&identity_file(dir, player)),
        "--model".into(),
        version.model.to_owned(),
        "--seed".into(),
        draw(seed, &[name.as_bytes()]).to_string(),
    ];
    flags.extend(version.flags.iter().map(|&flag| flag.to_owned()));
    flags
}

/// A key that nobody can guess: 16 bytes of the system's randomness.
fn new_key() -> Result<String, DemoError> {
    use std::io::Read as _;
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 16];
    std::fs::File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(DemoError::file("read", source))?;
    Ok(format!("Bearer {:032x}", u128::from_le_bytes(bytes)))
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
