//! Policy files: any text is a bundle or refused with what is wrong and where, and always the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_policy::Bundle;

fuzz_target!(|text: &str| {
    let load = || Bundle::load(&[("policy.yaml", text)]);
    match (load(), load()) {
        (Ok(one), Ok(two)) => assert_eq!(one.digest, two.digest),
        (Err(one), Err(two)) => {
            assert!(one.iter().next().is_some());
            assert_eq!(one.to_string(), two.to_string());
        }
        _ => panic!("it is read once and refused once"),
    }
});
