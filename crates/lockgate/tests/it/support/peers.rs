//! Real servers of tools, and Python that talks to them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What is not there after so long never will be; generous, as machines that test are busy.
const READY_MAX: Duration = Duration::from_secs(90);

/// A process that ends with the test, and all that it started.
pub(crate) struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        // A bridge has children of its own: the group goes.
        let _ =
            Command::new("kill").args(["-s", "KILL", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file beside the tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// A file of the repository.
pub(crate) fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// The Python with `mcp`.
pub(crate) fn python() -> Command {
    let python = std::env::var("LOCKGATE_TEST_PYTHON");
    Command::new(
        python.expect("LOCKGATE_TEST_PYTHON must name a Python with `mcp`; ./test sets it"),
    )
}

/// Where the packages of npm are.
pub(crate) fn node_modules() -> PathBuf {
    let modules = std::env::var("LOCKGATE_TEST_NODE_MODULES");
    modules.expect("LOCKGATE_TEST_NODE_MODULES must name node_modules; ./test sets it").into()
}

/// A port that nobody has at the moment, for servers that take no port 0 and say nothing of where they are.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("bound").port()
}

/// Starts something whose words go to a file.
pub(crate) fn started(command: &mut Command, log: &Path) -> Peer {
    use std::os::unix::process::CommandExt as _;

    let out = fs::File::create(log).expect("the directory takes files");
    let err = out.try_clone().expect("a file can be shared");
    let child = command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).spawn();
    Peer(child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
}

/// Looks until something is there.
pub(crate) fn ready<T>(mut look: impl FnMut() -> Option<T>, log: &Path) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < READY_MAX, "{}", fs::read_to_string(log).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Waits until somebody listens on a port of this machine.
pub(crate) fn listening(port: u16, log: &Path) {
    ready(|| TcpStream::connect(("127.0.0.1", port)).ok().map(drop), log);
}

/// A server of npm that speaks over pipes, behind a bridge that makes HTTP of it.
pub(crate) struct Bridged {
    _peer: Peer,
    pub(crate) url: String,
    seen: PathBuf,
}

impl Bridged {
    /// Starts one; all that reaches it is written down before it.
    pub(crate) fn start(dir: &Path, package: &str, argument: &str) -> Self {
        let modules = node_modules();
        let (seen, log) = (dir.join(format!("{package}.seen")), dir.join(format!("{package}.log")));
        fs::write(&seen, "").expect("the directory takes files");
        let server = modules.join("@modelcontextprotocol").join(package).join("dist/index.js");
        let piped =
            format!("tee -a '{}' | node '{}' '{argument}'", seen.display(), server.display());
        let port = free_port();
        let mut bridge = Command::new("node");
        bridge
            .arg(modules.join("supergateway/dist/index.js"))
            .args(["--stdio", &piped, "--outputTransport", "streamableHttp", "--stateful"])
            .args(["--port", &port.to_string()])
            .env("MEMORY_FILE_PATH", dir.join("memory.jsonl"));
        let peer = started(&mut bridge, &log);
        listening(port, &log);
        Self { _peer: peer, url: format!("http://127.0.0.1:{port}/mcp"), seen }
    }

    /// The calls that reached the server: tool and arguments, in order.
    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        let text = fs::read_to_string(&self.seen).expect("it is there");
        let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        messages
            .filter(|message| message["method"] == "tools/call")
            .map(|message| {
                let params = &message["params"];
                let name = params["name"].as_str().expect("a text").to_owned();
                (name, params["arguments"].clone())
            })
            .collect()
    }
}
