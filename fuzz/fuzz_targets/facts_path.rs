//! Facts of paths: any text, and what is canonical stays so.

#![no_main]

mod facts;

use libfuzzer_sys::fuzz_target;
use lockgate_policy::facts::FactType;

fuzz_target!(|data: &[u8]| facts::check_canonical(FactType::Path, data));
