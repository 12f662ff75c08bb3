//! Files that ship are valid, and mean what they say.

use std::fs;
use std::path::Path;

use lockgate_model::config::{self, Config, Scenario};

fn read(text: &str) -> Config {
    config::read("lockgate.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_example_is_valid() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            config::read(&name, &text).unwrap_or_else(|errors| panic!("{errors}"));
            count += 1;
        }
    }
    assert!(count >= 2, "{count} examples");
}

#[test]
fn every_template_is_valid_and_explained() {
    for scenario in Scenario::ALL {
        let text = config::template(scenario);
        let config = read(&text);
        assert!(!config.agents.is_empty());
        assert!(text.lines().filter(|line| line.contains('#')).count() >= 10, "{scenario}");
        assert_eq!(scenario.as_str().parse(), Ok(scenario));
    }
}

#[test]
fn probe() {
    let c = read(&example("plans.yaml"));
    println!("{}", c.warnings);
    let c = read(&example("first.yaml"));
    println!("{}", c.warnings);
    println!("{}", serde_json::to_string_pretty(&config::schema()).unwrap());
}
