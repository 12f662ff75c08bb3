//! What is sent to a witness, and what a witness answers: any bytes are read or refused, and what was read has one spelling.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_audit::{AddCheckpoint, CosignerKey, VerifierKey, checkpoint_from_note, cosignatures};

const WITNESS: &str = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const LOG: &str = "witness.example/w1+47f53f4c+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";

fuzz_target!(|data: &[u8]| {
    let witness = CosignerKey::parse(WITNESS).expect("it is one");
    let log = VerifierKey::parse(LOG).expect("it is one");
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert!(request.proof.len() <= 63);
        assert_eq!(request.to_bytes(), data);
        let _ = cosignatures(&request.note, std::slice::from_ref(&witness));
        let _ = checkpoint_from_note(&request.note, std::slice::from_ref(&log));
    }
    let _ = cosignatures(data, std::slice::from_ref(&witness));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = CosignerKey::parse(text);
    }
});
