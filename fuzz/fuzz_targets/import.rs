//! Files of another toolkit: whatever they say, what comes out of them is a policy file.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use lockgate_policy::{ActionName, Bundle, Importing, ToolName, import};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(tool) = ToolName::new("tool") else { return };
    let actions = ActionName::new("run").into_iter().collect();
    let importing = Importing { tool, actions, arguments: BTreeMap::new() };
    match import(&[("theirs.yaml", text)], &importing) {
        Ok(imported) => assert!(Bundle::load(&[("imported.yaml", &imported.yaml)]).is_ok()),
        Err(errors) => assert!(errors.iter().next().is_some()),
    }
});
