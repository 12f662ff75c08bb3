//! `lockgate init`

use crate::support::{run, run_in};

#[test]
fn every_scenario_gives_a_valid_file_and_nothing_is_overwritten() {
    for scenario in ["monolith", "microservices", "serverless"] {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let made = run_in(dir.path(), &["init", "--scenario", scenario]);
        assert_eq!((made.code, made.stdout.as_str()), (0, "lockgate.yaml is written\n"));
        let checked = run_in(dir.path(), &["check"]);
        assert_eq!(checked.code, 0, "{scenario}: {}", checked.shown());
        let text = std::fs::read_to_string(dir.path().join("lockgate.yaml")).expect("written");
        assert!(text.contains('#'), "{scenario} has comments");
        assert_eq!(triggers_told(&text), triggers_armed(&text), "{scenario}");
        let again = run_in(dir.path(), &["init", "--scenario", scenario]);
        assert_eq!(again.code, 2);
        assert!(again.stderr.contains("--force"), "{}", again.stderr);
        assert_eq!(run_in(dir.path(), &["init", "--scenario", scenario, "--force"]).code, 0);
    }
}

#[test]
fn releases_wait_for_the_path_of_the_scenario_unless_they_need_not() {
    for scenario in ["monolith", "microservices", "serverless"] {
        for (more, waits) in [(&[][..], true), (&["--no-path"], false)] {
            let dir = tempfile::tempdir().expect("a directory for the test");
            let made = run_in(dir.path(), &[&["init", "--scenario", scenario], more].concat());
            assert_eq!(made.code, 0, "{}", made.shown());
            let text = std::fs::read_to_string(dir.path().join("lockgate.yaml")).expect("written");
            let config = lockgate_model::config::read("lockgate.yaml", &text).expect("it is valid");
            for agent in &config.agents {
                let path = config.plan(&agent.plan).expect("its plan").path;
                let path = path.map(lockgate_model::config::Scenario::as_str);
                assert_eq!(path, waits.then_some(scenario), "{}", agent.name);
            }
            assert_eq!(text.contains("--report"), waits, "what is not asked for is not told of");
        }
    }
}

/// How many triggers a file says are armed, in words.
fn triggers_told(text: &str) -> Option<usize> {
    const WORDS: [&str; 9] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"];
    let (before, _) = text.split_once(" triggers are always armed")?;
    let word = before.rsplit(' ').next()?.to_lowercase();
    WORDS.iter().position(|known| *known == word)
}

/// How many there are, if the file counts them at all.
fn triggers_armed(text: &str) -> Option<usize> {
    triggers_told(text)?;
    let config = lockgate_model::config::read("lockgate.yaml", text).expect("it is valid");
    Some(config.plans[0].triggers.len())
}

#[test]
fn names_and_addresses_from_options_stand_in_the_file() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let args = [
        "init",
        "--agent",
        "billing",
        "--endpoint",
        "http://127.0.0.1:7001",
        "--endpoint",
        "http://127.0.0.1:7002",
        "--endpoint",
        "http://127.0.0.1:7003",
        "mine.yaml",
    ];
    let made = run_in(dir.path(), &args);
    assert_eq!(made.code, 0, "{}", made.shown());
    let text = std::fs::read_to_string(dir.path().join("mine.yaml")).expect("written");
    for part in ["name: billing", "http://127.0.0.1:7001", "http://127.0.0.1:7002", "name: v3"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let wrong = run(&["init", "--agent", "Not A Name", "never.yaml"]);
    assert_eq!(wrong.code, 2);
    let bad = run_in(dir.path(), &["init", "--agent", "a", "--endpoint", "ftp://x", "bad.yaml"]);
    assert_eq!(bad.code, 2, "{}", bad.shown());
    assert!(!dir.path().join("bad.yaml").exists());
}
