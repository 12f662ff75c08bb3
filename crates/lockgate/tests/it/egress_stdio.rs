//! Servers of tools beside their agent, with Lockgate asked about every message.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::lockgate;
use crate::support::server::Server;

fn policy(root: &str) -> String {
    format!(
        "tools:
  files:
    actions:
      read_text_file: {{arguments: {{path: path}}}}
      list_directory: {{arguments: {{path: path}}}}
      write_file: {{arguments: {{path: path, content: text}}}}
      move_file: {{arguments: {{source: path, destination: path}}}}
  memory:
    actions:
      create_entities: {{arguments: {{entities: json}}}}
      read_graph: {{arguments: {{}}}}
      delete_entities: {{arguments: {{entityNames: texts}}}}
  python:
    actions:
      echo: {{arguments: {{message: text}}}}
      get-sum: {{arguments: {{a: number, b: number}}}}
      trigger-long-running-operation: {{arguments: {{duration: number, steps: number}}}}
rules:
  - {{id: reading, tool: files, action: [read_text_file, list_directory], effect: allow,
     when: {{path.ancestors: {{contains: '{root}/open'}}}}}}
  - {{id: writing-notes, tool: files, action: write_file, effect: allow, when: {{path.name: {{is: notes.txt}}}}}}
  - {{id: remembering, tool: memory, action: [create_entities, read_graph], effect: allow}}
  - {{id: python, tool: python, action: '*', effect: allow}}
  - {{id: large-sums, tool: python, action: get-sum, effect: deny, when: {{a.value: {{above: 1000}}}},
     message: Smaller sums are allowed.}}
"
    )
}

struct Scene {
    world: World,
    server: Server,
    dir: tempfile::TempDir,
    token: PathBuf,
}

impl Scene {
    fn start() -> Self {
        let world = World::new();
        let dir = tempfile::tempdir().expect("a directory for the test");
        let root = dir.path().canonicalize().expect("it is there");
        for at in ["policies", "open", "closed"] {
            std::fs::create_dir(root.join(at)).expect("it can be made");
        }
        std::fs::write(root.join("open/a.txt"), "open text").expect("it is written");
        std::fs::write(root.join("closed/b.txt"), "closed text").expect("it is written");
        let text = policy(root.to_str().expect("it is text"));
        std::fs::write(root.join("policies/all.yaml"), text).expect("it is written");
        let version = world.agent().url;
        let tools = ["files", "memory", "python"]
            .map(|name| format!("  - {{ name: {name}, protocol: external }}\n"))
            .concat();
        let config = format!(
            "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]\ntools:\n{tools}"
        );
        let mut server = Server::start_with_policies(&config, &root.join("policies"));
        server.until_served(&world);
        let issue = ["identity", "issue", "support", "v1", "--reason", "a test"];
        let issued = server.json(&issue)["token"].as_str().expect("a text").to_owned();
        let token = root.join("identity");
        std::fs::write(&token, issued).expect("it is written");
        Self { world, server, dir, token }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().expect("it is there")
    }

    /// The shim around a server.
    fn shim(&self, egress: &str, tool: &str, server: &[String]) -> (String, Vec<String>) {
        let command = lockgate().get_program().to_str().expect("it is text").to_owned();
        let mut args: Vec<String> =
            ["mcp", "stdio", "--tool", tool, "--egress", egress].map(str::to_owned).to_vec();
        args.extend([
            "--identity-file".to_owned(),
            self.token.display().to_string(),
            "--".to_owned(),
        ]);
        args.extend_from_slice(server);
        (command, args)
    }

    /// What the package's client sees of a server, through the shim or without it.
    fn seen(&self, tool: Option<&str>, server: &[String], more: &Value) -> Value {
        let (command, args) = match tool {
            Some(tool) => self.shim(&self.server.egress(), tool, server),
            None => (server[0].clone(), server[1..].to_vec()),
        };
        let memory = self.root().join(format!("memory-{}.json", tool.is_some()));
        let mut spec =
            json!({ "command": command, "args": args, "env": { "MEMORY_FILE_PATH": memory } });
        for (name, value) in more.as_object().expect("an object") {
            spec[name] = value.clone();
        }
        let ran = Command::new(python())
            .arg(script("mcp_stdio_client.py"))
            .arg(spec.to_string())
            .output();
        let ran = ran.expect("Python starts");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn python() -> String {
    std::env::var("LOCKGATE_TEST_PYTHON")
        .expect("LOCKGATE_TEST_PYTHON must name a Python with `mcp`; ./test sets it")
}

fn node(package: &str, args: &[&str]) -> Vec<String> {
    let modules = std::env::var("LOCKGATE_TEST_NODE_MODULES")
        .expect("LOCKGATE_TEST_NODE_MODULES must name node_modules; ./test sets it");
    let main =
        Path::new(&modules).join("@modelcontextprotocol").join(package).join("dist/index.js");
    let mut command = vec!["node".to_owned(), main.display().to_string()];
    command.extend(args.iter().map(|arg| (*arg).to_owned()));
    command
}

/// Objects and outcomes of what was allowed, and objects of what was refused.
fn recorded(server: &Server) -> (Vec<(String, String)>, Vec<String>) {
    let records = server.records();
    let intents = records.iter().filter(|record| record.step == "intent").count();
    let ends: Vec<(String, String)> = records
        .iter()
        .filter(|record| record.step == "outcome")
        .map(|end| (end.object.clone(), end.detail["outcome"].as_str().expect("a text").to_owned()))
        .collect();
    assert_eq!(intents, ends.len());
    let refused = records.iter().filter(|record| record.action == "action.refused");
    (ends, refused.map(|record| record.object.clone()).collect())
}

#[test]
fn files_are_read_and_written_where_a_policy_says() {
    let mut scene = Scene::start();
    let root = scene.root();
    let root_text = root.to_str().expect("it is text").to_owned();
    let server = node("server-filesystem", &[&root_text]);
    let at = |path: &str| root.join(path).display().to_string();
    let calls = json!({ "calls": [
        ["read_text_file", { "path": at("open/a.txt") }],
        ["list_directory", { "path": at("open") }],
        ["read_text_file", { "path": at("open/none.txt") }],
        ["write_file", { "path": at("open/notes.txt"), "content": "noted" }],
        ["read_text_file", { "path": at("closed/b.txt") }],
        ["read_text_file", { "path": at("open/../closed/b.txt") }],
        ["write_file", { "path": at("open/a.txt"), "content": "overwritten" }],
        ["move_file", { "source": at("open/a.txt"), "destination": at("open/c.txt") }],
        ["create_directory", { "path": at("open/new") }],
    ] });
    let through = scene.seen(Some("files"), &server, &calls);
    assert_eq!(through["tools"], json!(["list_directory", "read_text_file", "write_file"]));
    let told = through["calls"].as_array().expect("a list");
    assert_eq!(told[0], json!({ "error": false, "text": ["open text"] }));
    assert!(told[1].to_string().contains("a.txt") && told[2]["error"] == true, "{told:?}");
    assert_eq!(told[3]["error"], false);
    for refused in &told[4..7] {
        assert_eq!(refused["error"], true);
        let text = refused["text"][0].as_str().expect("a text");
        assert!(
            text.starts_with("Refused by Lockgate: ") && text.contains("(audit record "),
            "{text}"
        );
    }
    for hidden in &told[7..] {
        assert!(
            hidden["refused"].as_str().is_some_and(|text| text.contains("Unknown tool")),
            "{hidden}"
        );
    }
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    assert_eq!(
        (read("open/a.txt"), read("open/notes.txt"), read("open/c.txt")),
        (Some("open text".into()), Some("noted".into()), None)
    );
    assert!(!root.join("open/new").exists());
    // Without Lockgate the same calls are answered the same.
    std::fs::remove_file(root.join("open/notes.txt")).expect("it was written");
    let direct = scene.seen(
        None,
        &server,
        &json!({ "calls": &calls["calls"].as_array().expect("a list")[..3] }),
    );
    assert_eq!(
        (&direct["calls"].as_array().expect("a list")[..], &direct["version"]),
        (&told[..3], &through["version"])
    );
    assert_eq!(scene.server.stop(), Some(0), "{}", scene.server.log());
    let (ends, refused) = recorded(&scene.server);
    let outcomes: Vec<&str> = ends.iter().map(|(_, end)| end.as_str()).collect();
    assert_eq!(outcomes, ["ok", "ok", "tool_error", "ok"]);
    assert_eq!(
        refused,
        [
            "files/read_text_file",
            "files/read_text_file",
            "files/write_file",
            "files/(unknown)",
            "files/(unknown)"
        ]
    );
}

#[test]
fn other_servers_of_both_families_are_governed_the_same() {
    let mut scene = Scene::start();
    let memory = node("server-memory", &[]);
    let entity = json!({ "name": "Ada", "entityType": "person", "observations": ["likes boats"] });
    let calls = json!({ "calls": [
        ["create_entities", { "entities": [entity] }],
        ["read_graph", {}],
        ["delete_entities", { "entityNames": ["Ada"] }],
        ["read_graph", {}],
    ] });
    let through = scene.seen(Some("memory"), &memory, &calls);
    assert_eq!(through["tools"], json!(["create_entities", "read_graph"]));
    let told = &through["calls"];
    assert!(told[0]["error"] == false && told[1].to_string().contains("likes boats"), "{told}");
    assert!(told[2]["refused"].is_string(), "{told}");
    assert_eq!(told[3], told[1], "nothing was deleted");

    let server = [python(), script("mcp_server.py").display().to_string(), "stdio".to_owned()];
    for (mode, version) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        let calls = json!({
            "mode": mode,
            "calls": [["echo", { "message": "hello" }], ["get-sum", { "a": 2, "b": 3 }],
                ["get-sum", { "a": 2000, "b": 3 }], ["get-env", {}]],
            "cancel": ["trigger-long-running-operation", { "duration": 60, "steps": 2 }],
        });
        let through = scene.seen(Some("python"), &server, &calls);
        assert_eq!(through["version"], version);
        assert_eq!(through["tools"], json!(["echo", "get-sum", "trigger-long-running-operation"]));
        let told = &through["calls"];
        assert_eq!(
            (&told[0]["text"][0], &told[1]["text"][0]),
            (&json!("Echo: hello"), &json!("The sum of 2 and 3 is 5."))
        );
        let text = told[2]["text"][0].as_str().expect("a text");
        assert!(
            text.contains("large-sums") && text.contains("Smaller sums are allowed."),
            "{text}"
        );
        assert!(
            told[3]["refused"].as_str().is_some_and(|text| text.contains("Unknown tool: get-env"))
        );
        assert_eq!((&through["cancelled"], &through["after"]), (&json!(true), &told[0]), "{mode}");
    }
    assert_eq!(scene.server.stop(), Some(0), "{}", scene.server.log());
    let (ends, refused) = recorded(&scene.server);
    let of = |object: &str, end: &str| {
        ends.iter().filter(|one| **one == (object.to_owned(), end.to_owned())).count()
    };
    assert_eq!(of("python/trigger-long-running-operation", "cancelled"), 2);
    assert_eq!((of("python/echo", "ok"), of("memory/read_graph", "ok")), (4, 2));
    assert_eq!((ends.len(), refused.len()), (3 + 2 * 4, 1 + 2 * 2));
}

/// A server that writes down what it gets and answers nothing, behind the shim.
struct Pipes {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Pipes {
    fn start(scene: &Scene, egress: &str) -> Self {
        let (seen, env) = (scene.root().join("seen"), scene.root().join("env"));
        let script = format!("env > '{}'; cat > '{}'", env.display(), seen.display());
        let (command, mut args) = scene.shim(egress, "python", &["sh".into(), "-c".into(), script]);
        // The token comes in the environment, and is not passed on.
        let at = args.iter().position(|arg| arg == "--identity-file").expect("it is there");
        args.drain(at..at + 2);
        let token = std::fs::read_to_string(&scene.token).expect("it is there");
        let mut child = Command::new(command)
            .args(args)
            .env("LOCKGATE_IDENTITY", token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let to = child.stdin.take().expect("it is piped");
        let from = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, to, from }
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.to, "{message}").expect("it is taken");
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("it is text");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

#[test]
fn without_lockgate_nothing_passes() {
    let mut scene = Scene::start();
    let egress = scene.server.egress();
    let mut pipes = Pipes::start(&scene, &egress);
    let call = |id: u64| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "echo", "arguments": { "message": format!("number {id}") } } })
    };
    let list = json!({ "jsonrpc": "2.0", "id": "l", "method": "tools/list" });
    pipes.say(&call(1));
    pipes.say(&json!([call(2)]));
    assert_eq!(pipes.hear()["error"]["code"], -32600);
    let seen = scene.root().join("seen");
    scene.server.until("the first call arrives", |_| {
        std::fs::read_to_string(&seen).is_ok_and(|text| text.contains("number 1"))
    });
    scene.server.kill();
    pipes.say(&call(3));
    let refused = pipes.hear();
    assert_eq!((&refused["id"], &refused["result"]["isError"]), (&json!(3), &json!(true)));
    let text = refused["result"]["content"][0]["text"].as_str().expect("a text");
    assert!(text.contains("Lockgate cannot be reached"), "{text}");
    pipes.say(&list);
    assert_eq!(pipes.hear()["error"]["code"], -32603);
    pipes.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    pipes.say(&json!({ "jsonrpc": "2.0", "id": 4, "method": "ping" }));
    assert_eq!(pipes.hear()["error"]["code"], -32603);
    let text = std::fs::read_to_string(&seen).expect("it is there");
    assert_eq!(text.lines().count(), 1, "{text}");
    drop(pipes.to);
    assert!(pipes.child.wait().expect("it ends").code().is_some());
    let env = std::fs::read_to_string(scene.root().join("env")).expect("it is there");
    assert!(env.contains("PATH=") && !env.contains("LOCKGATE_IDENTITY"), "{env}");

    // Nor does a server start that nobody could be asked about.
    std::fs::remove_file(&seen).expect("it is there");
    let mut late = Pipes::start(&scene, &egress);
    assert_eq!(late.child.wait().expect("it ends").code(), Some(6));
    assert!(!seen.exists());
    scene.server.again();
    scene.server.until_served(&scene.world);
    let (command, args) = scene.shim(&scene.server.egress(), "unknown", &["true".into()]);
    let ran = Command::new(command).args(args).stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("protocol: external"));
    assert_eq!(scene.server.stop(), Some(0), "{}", scene.server.log());
    let (ends, _) = recorded(&scene.server);
    let ends: Vec<&str> = ends.iter().map(|(_, end)| end.as_str()).collect();
    assert_eq!(ends, ["unknown"], "it was killed in between");
}
