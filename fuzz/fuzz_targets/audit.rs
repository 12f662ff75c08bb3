//! What an audit log and its proofs are read from: any bytes are read or refused, and a record opens nothing by itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_audit::{
    InclusionProof, LogKey, RangeProof, Record, VerifierKey, check_inclusion, checkpoint_from_note,
};

const LOG: &str = "witness.example/w1+47f53f4c+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";

fuzz_target!(|data: &[u8]| {
    let log = VerifierKey::parse(LOG).expect("it is one");
    if let Ok(record) = Record::parse(data) {
        let text = serde_json::to_vec(&record).expect("a record can be written");
        assert_eq!(Record::parse(&text).expect("and read again"), record);
    }
    // Nobody here has the key, so nothing is ever signed.
    assert!(checkpoint_from_note(data, std::slice::from_ref(&log)).is_err());
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(proof) = InclusionProof::parse(text) {
            assert!(check_inclusion(&proof, std::slice::from_ref(&log)).is_err());
            assert_eq!(InclusionProof::parse(&proof.to_text()).expect("it is one"), proof);
        }
        if let Ok(proof) = RangeProof::parse(text) {
            assert_eq!(RangeProof::parse(&proof.to_text()).expect("it is one"), proof);
        }
        let _ = VerifierKey::parse(text);
        let _ = LogKey::parse(text);
    }
});
