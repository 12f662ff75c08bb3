//! Facts of texts: any of them.

#![no_main]

mod facts;

use libfuzzer_sys::fuzz_target;
use lockgate_policy::facts::FactType;

fuzz_target!(|data: &[u8]| facts::check_text(FactType::Text, data));
