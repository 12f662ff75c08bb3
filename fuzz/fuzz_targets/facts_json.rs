//! Facts of JSON: any value, as every type.

#![no_main]

mod facts;

use libfuzzer_sys::fuzz_target;
use lockgate_policy::facts::FactType;

fuzz_target!(|data: &[u8]| {
    if let Ok(argument) = serde_json::from_slice(data) {
        for of in FactType::ALL {
            facts::check(of, &argument);
        }
    }
});
