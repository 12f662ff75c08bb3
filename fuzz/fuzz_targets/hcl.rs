//! Templates of Terraform: any text is read or refused, with places that lie inside it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tried::hcl;

fuzz_target!(|text: &str| {
    let (Ok(line) | Err(line)) = hcl(text);
    assert!(line >= 1 && line as usize <= text.split('\n').count());
});
