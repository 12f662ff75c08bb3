//! Lockgate in front of two agents: the demo's own, and one made with `a2a-sdk`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{Running, helper, lockgate, output, python, script};

/// Everything that runs; ends with the value.
pub(crate) struct Served {
    /// Base URL of the demo's agent itself.
    pub(crate) direct: String,
    /// Base URL of the a2a agent itself.
    pub(crate) direct_a2a: String,
    /// Base URL of both through Lockgate.
    pub(crate) through: String,
    api: String,
    token: String,
    _processes: Vec<Running>,
    _dir: tempfile::TempDir,
}

impl Served {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let helper = |name: &str, command: &mut Command| helper(dir.path(), name, command);
        let mut tools = Command::new(lockgate());
        tools.arg("demo-tools").arg("--address-file").arg(at("tools.address"));
        let (tools, tools_address) = helper("tools", &mut tools);
        let mut agent = Command::new(lockgate());
        agent
            .args(["demo-agent", "--tools-url", &format!("http://{tools_address}")])
            .arg("--address-file")
            .arg(at("agent.address"));
        let (agent, agent_address) = helper("agent", &mut agent);
        let public_url = at("public-url");
        let mut a2a = Command::new(python());
        a2a.arg(script("a2a_server.py")).arg(at("a2a.address")).arg(&public_url);
        let (a2a, a2a_address) = helper("a2a", &mut a2a);

        std::fs::write(at("lockgate.yaml"), config(&agent_address, &a2a_address)).unwrap();
        let mut serve = Command::new(lockgate());
        serve.arg("serve").arg("--config").arg(at("lockgate.yaml"));
        serve.arg("--data-dir").arg(at("state")).arg("--token-file").arg(at("token"));
        let log = at("serve.log");
        let mut serve = Running::start(&mut serve, &log);
        let addresses: Value = serve.ready(&log, || read_json(&at("state/addresses.json")));
        let token = serve.ready(&log, || std::fs::read_to_string(at("token")).ok());
        let url = |name: &str| format!("http://{}", addresses[name].as_str().unwrap());
        let served = Self {
            direct: format!("http://{agent_address}"),
            direct_a2a: format!("http://{a2a_address}"),
            through: url("ingress"),
            api: url("api"),
            token: token.trim().to_owned(),
            _processes: Vec::new(),
            _dir: tempfile::tempdir().unwrap(),
        };
        std::fs::write(&public_url, format!("{}/", served.through)).unwrap();
        for agent in ["harbour", "reverser"] {
            serve.ready(&log, || served.healthy(agent).then_some(()));
        }
        Self { _processes: vec![serve, a2a, agent, tools], _dir: dir, ..served }
    }

    /// What the API says at `path`; null when it says nothing useful.
    pub(crate) fn api(&self, path: &str) -> Value {
        let asked = Command::new("curl")
            .args(["-sS", "-H", &format!("authorization: Bearer {}", self.token)])
            .arg(format!("{}/api/v1/{path}", self.api))
            .output()
            .unwrap();
        serde_json::from_slice(&asked.stdout).unwrap_or(Value::Null)
    }

    fn healthy(&self, agent: &str) -> bool {
        self.api(&format!("agents/{agent}"))["versions"][0]["healthy"] == true
    }
}

fn config(agent: &str, a2a: &str) -> String {
    format!(
        r"listen:
  ingress: 127.0.0.1:0
  egress: 127.0.0.1:0
  api: 127.0.0.1:0
agents:
  - name: harbour
    match:
      - path: /v1
    sticky:
      header: x-user
    health:
      path: /healthz
      interval: 1s
      healthy_after: 1
    versions:
      - name: first
        endpoint: http://{agent}
        test_endpoint: http://{agent}
  - name: reverser
    protocol: a2a
    health:
      path: /healthz
      interval: 1s
      healthy_after: 1
    versions:
      - name: first
        endpoint: http://{a2a}
        test_endpoint: http://{a2a}
"
    )
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Status, and body as it came over the wire.
pub(crate) fn curl(url: &str, body: &str, headers: &[&str]) -> (String, Vec<u8>) {
    let mut command = Command::new("curl");
    command.args(["-sS", "--no-buffer", "-H", "content-type: application/json"]);
    for header in headers {
        command.args(["-H", header]);
    }
    command.args(["--data-binary", body, "-w", "%{stderr}%{http_code}", url]);
    let told = command.output().unwrap();
    assert!(told.status.success(), "{command:?}: {}", String::from_utf8_lossy(&told.stderr));
    (String::from_utf8_lossy(&told.stderr).trim().to_owned(), told.stdout)
}

/// What a client script printed, as JSON.
pub(crate) fn client(name: &str, base: &str) -> Value {
    let told = output(Command::new(python()).arg(script(name)).arg(base));
    serde_json::from_slice(&told).unwrap()
}
