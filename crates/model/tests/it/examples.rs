//! Files that ship are valid, and mean what they say.

use std::fs;
use std::path::Path;

use lockgate_model::config::{self, Config, Scenario};
use serde_json::Value;

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
fn the_smallest_example_has_nothing_to_warn_of() {
    let config = read(&example("first.yaml"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!(config.agents[0].versions.len(), 2);
}

#[test]
fn the_schema_describes_every_field() {
    fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
        let Some(map) = schema.as_object() else { return };
        for (key, value) in map {
            if let ("properties", Some(fields)) = (key.as_str(), value.as_object()) {
                let bare = fields.iter().filter(|(_, field)| field.get("description").is_none());
                found.extend(bare.map(|(name, _)| format!("{path}/{name}")));
            }
            undescribed(value, &format!("{path}/{key}"), found);
        }
    }
    let schema = config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["required"], serde_json::json!(["agents"]));
    let mut found = Vec::new();
    undescribed(&schema, "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
