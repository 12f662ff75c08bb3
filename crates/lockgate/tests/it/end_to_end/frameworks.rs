//! Agents of frameworks as their makers ship them, with their tools and their model behind Lockgate, and a model that does
//! as it is told: see docs/frameworks.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_audit::Record;
use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::packs;
use crate::support::peers::{Bridged, Peer, python, ready, repository, started};
use crate::support::server::Server;

/// Who may call the model, and how.
const MODEL: &str = "tools:
  scripted:
    actions:
      chat.completions:
        arguments: {model: text, bytes: number, messages: number, tools: texts, built_in: texts, stream: bool,
          max_tokens: {type: number, optional: true}, choices: number, stores: bool}
rules:
  - {id: model, tool: scripted, action: chat.completions, effect: allow,
     when: {built_in.values: {empty: true}, stores.value: {is: false}}}
  - {id: model-tokens, tool: scripted, action: chat.completions, effect: limit,
     limit: {tokens: 1000000/day, otherwise: 1000}}
";

/// The Python that has a framework.
fn framework(name: &str) -> PathBuf {
    let all = std::env::var("LOCKGATE_TEST_FRAMEWORKS");
    let all = all.expect("LOCKGATE_TEST_FRAMEWORKS must name the directory with the environments of frameworks; ./test sets it");
    Path::new(&all).join(name).join("bin/python")
}

/// A model that asks for these calls; where it is.
fn model(dir: &Path, script: &Value) -> (Peer, String) {
    let (file, address, log) =
        (dir.join("script.json"), dir.join("model.address"), dir.join("model.log"));
    fs::write(&file, script.to_string()).expect("the directory takes files");
    let mut command = python();
    command.arg(repository("examples/frameworks/model.py")).arg(&file).arg(&address);
    let peer = started(&mut command, &log);
    let at = ready(|| fs::read_to_string(&address).ok().filter(|text| !text.is_empty()), &log);
    (peer, format!("http://{at}/v1"))
}

/// An agent of a framework reads what it may, is refused what it may not, and is not offered what nobody may.
fn is_governed(name: &str) {
    let world = World::new();
    // Nothing hidden, as the pack wants it.
    let dir = tempfile::Builder::new().prefix("lockgate").tempdir();
    let dir = dir.expect("a directory for the test");
    let (workspace, policies) = (dir.path().join("workspace"), dir.path().join("policies"));
    for one in [&workspace, &policies] {
        fs::create_dir(one).expect("the directory takes files");
    }
    fs::write(workspace.join("hours.txt"), "Open from nine to five.").expect("it is written");
    fs::write(dir.path().join("outside.txt"), "a secret").expect("it is written");
    packs::copy(&["filesystem"], &policies, &workspace);
    // Whoever may move nothing does not see that there is moving.
    let pack = policies.join("filesystem.yaml");
    let text = fs::read_to_string(&pack).expect("it is there");
    let agents = text.replace("id: fs-move\n", "id: fs-move\n    agents: [mover]\n");
    assert_ne!(text, agents);
    fs::write(&pack, agents).expect("it is written");
    fs::write(policies.join("model.yaml"), MODEL).expect("it is written");
    let top = workspace.to_str().expect("it is text");
    let files = Bridged::start(dir.path(), "server-filesystem", top);
    let good = json!({ "paths": [format!("{top}/hours.txt")] });
    let (_model, base) = model(
        dir.path(),
        &json!([
            { "tool": "read_multiple_files", "arguments": good },
            { "tool": "read_multiple_files", "arguments": { "paths": [format!("{top}/../outside.txt")] } },
            { "tool": "move_file", "arguments": { "source": format!("{top}/hours.txt"), "destination": format!("{top}/x") } },
        ]),
    );
    let config = format!(
        "agents: [{{ name: support, versions: [{{ name: v1, endpoint: '{}' }}] }}]\n\
         tools:\n  - {{ name: files, url: '{}' }}\n\
        \x20 - {{ name: scripted, protocol: openai, url: '{base}', models: [scripted] }}\n",
        world.agent().url,
        files.url
    );
    let mut server = Server::start_with_policies(&config, &policies);
    server.until_served(&world);
    let issued = server.json(&["identity", "issue", "support", "v1", "--reason", "a test"]);
    let token = issued["token"].as_str().expect("a text");
    // The request of a user that the agent answers.
    let asked = world.http().post(format!("{}/ask", server.ingress())).body("When are you open?");
    let asked = world.block_on(async { asked.send().await }).expect("an answer");
    let id = asked.headers().get("lockgate-interaction").expect("its id");
    let id = id.to_str().expect("a text");

    let mut agent = Command::new(framework(name));
    agent
        .arg(repository(&format!("examples/frameworks/{name}_agent.py")))
        .arg("When are you open?")
        .current_dir(dir.path())
        .env("LOCKGATE_EGRESS", server.egress())
        .env("LOCKGATE_AGENT_TOKEN", token)
        .env("OPENAI_BASE_URL", format!("{}/model/scripted/v1", server.egress()))
        .envs([("OPENAI_API_KEY", token), ("MODEL", "scripted")])
        .env("OPENAI_CUSTOM_HEADERS", format!("lockgate-interaction: {id}"))
        // Nothing is written elsewhere, and nobody is told that it ran.
        .env("HOME", dir.path())
        .envs([("CREWAI_DISABLE_TELEMETRY", "true"), ("OTEL_SDK_DISABLED", "true")])
        .envs([("LANGSMITH_TRACING", "false"), ("PYTHONDONTWRITEBYTECODE", "1")]);
    let ran = agent.output().expect("the environment of the framework is there");
    let (said, complained) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}{complained}");
    let offered = said.lines().find_map(|line| line.strip_prefix("offered: ")).expect("a list");
    let offered: Vec<&str> = offered.split(", ").collect();
    assert!(offered.contains(&"read_multiple_files") && !offered.contains(&"move_file"), "{said}");
    assert!(said.contains("Open from nine to five."), "{said}");
    assert!(said.contains("Refused by Lockgate: by fs-no-parent-in-several."), "{said}");
    assert!(!said.contains("a secret"), "{said}");
    assert_eq!(files.calls(), [("read_multiple_files".to_owned(), good)], "{said}");

    assert_eq!(server.stop(), Some(0), "{}", server.log());
    is_recorded(&server.records(), id);
}

/// Each call of a model and of a tool is recorded with whose it is, and the model's tokens are counted.
fn is_recorded(records: &[Record], interaction: &str) {
    let of = |step: &str, object: &str| -> Vec<&Record> {
        let all = records.iter().filter(|one| one.step == step && one.object == object);
        all.collect()
    };
    let (call, chat) = ("files/read_multiple_files", "scripted/chat.completions");
    // Three calls are asked for, and then the answer is given.
    assert_eq!((of("intent", call).len(), of("outcome", call).len()), (1, 1));
    assert_eq!((of("intent", chat).len(), of("outcome", chat).len()), (4, 4));
    let all_intents = records.iter().filter(|one| one.step == "intent").count();
    assert_eq!(all_intents, 5, "nothing else is done");
    for outcome in of("outcome", chat) {
        assert_eq!(outcome.detail["usage"]["input_tokens"], 10, "{}", outcome.detail);
        assert_eq!(outcome.detail["usage"]["output_tokens"], 5);
    }
    let refused = records.iter().find(|record| record.action == "action.refused").expect("one");
    assert_eq!(refused.principal, "agent support/v1");
    assert_eq!(refused.detail["risk"], "ASI02");
    // The agent says whose the calls of the model are; those of the tool are what that asked for.
    let told = of("intent", chat).into_iter().map(|one| (one, "explicit"));
    let guessed = of("intent", call).into_iter().chain([refused]).map(|one| (one, "inferred"));
    for (record, link) in told.chain(guessed) {
        assert_eq!(record.detail["governed"]["link"], link, "{}", record.object);
        let whose = record.labels.get("interaction").map(String::as_str);
        assert_eq!(whose, Some(interaction), "{}", record.object);
    }
}

#[test]
fn an_agent_of_langgraph_is_governed() {
    is_governed("langgraph");
}

#[test]
fn an_agent_of_autogen_is_governed() {
    is_governed("autogen");
}

#[test]
fn an_agent_of_crewai_is_governed() {
    is_governed("crewai");
}
