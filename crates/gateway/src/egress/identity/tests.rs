use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const NOW_MS: i64 = 1_800_000_000_500;
const NOW_S: i64 = 1_800_000_000;

fn signer() -> Signer {
    Signer::new(&[7; 32])
}

fn identity() -> Identity {
    Identity {
        id: IdentityId(Uuid::from_u128(1)),
        agent: "support".parse().unwrap(),
        version: "v2".parse().unwrap(),
        manifest: Digest::of(b"manifest"),
        issued_wall_s: NOW_S,
        expires_wall_s: NOW_S + 60,
        voucher: Voucher::Key(signer().kid),
        acting: None,
    }
}

fn verifier() -> Verifier {
    Verifier::new(&[signer().public()])
}

fn verify(token: &str) -> Result<Identity, Refused> {
    verifier().verify(token, NOW_MS)
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": "JWT", "kid": signer().kid })
}

fn claims() -> Value {
    json!({
        "iss": "lockgate", "aud": "lockgate-egress", "sub": "support/v2", "jti": Uuid::from_u128(1),
        "iat": NOW_S, "exp": NOW_S + 60, "lockgate_manifest": Digest::of(b"manifest"),
    })
}

fn with(mut value: Value, field: &str, is: Value) -> Value {
    value[field] = is;
    value
}

#[test]
fn a_token_says_who_it_is_for_as_long_as_it_lasts() {
    let token = signer().issue(&identity()).unwrap();
    assert_eq!(verify(&token), Ok(identity()));
    let verifier = verifier();
    assert_eq!(verifier.verify(&token, NOW_MS + 59_000), Ok(identity()));
    assert_eq!(verifier.verify(&token, NOW_MS + 60_000), Err(Refused::Expired));
    assert_eq!(verifier.verify(&token, NOW_MS - 60_000), Ok(identity()));
    assert_eq!(verifier.verify(&token, NOW_MS - 61_000), Err(Refused::NotYetValid));
}

/// What is remembered of a token is good for no other text, and for no longer than the token.
#[test]
fn a_signature_is_looked_at_once_and_everything_else_each_time() {
    let verifier = verifier();
    let token = signer().issue(&identity()).unwrap();
    for _ in 0..2 {
        assert_eq!(verifier.verify(&token, NOW_MS), Ok(identity()));
    }
    assert_eq!(lock(&verifier.seen).len(), 1);
    assert_eq!(verifier.verify(&token, NOW_MS + 60_000), Err(Refused::Expired));
    let (text, signature) = token.rsplit_once('.').unwrap();
    let of_another = sign_claims(&with(claims(), "sub", "support/v3".into()));
    let (other, _) = of_another.rsplit_once('.').unwrap();
    for forged in [format!("{other}.{signature}"), format!("{text}.{}", "A".repeat(86))] {
        assert_eq!(verifier.verify(&forged, NOW_MS), Err(Refused::Signature));
    }
    assert_eq!(lock(&verifier.seen).len(), 1, "what is wrong is not remembered");
    for n in 0..SEEN_MAX {
        let id = IdentityId(Uuid::from_u128(n as u128 + 2));
        let token = signer().issue(&Identity { id, ..identity() }).unwrap();
        verifier.verify(&token, NOW_MS).unwrap();
    }
    assert!(lock(&verifier.seen).len() <= SEEN_MAX);
}

fn sign_claims(claims: &Value) -> String {
    signer().sign(&header(), claims).unwrap()
}

#[test]
fn nothing_in_a_token_chooses_how_it_is_checked() {
    let sign = |header: &Value| signer().sign(header, &claims()).unwrap();
    for algorithm in ["none", "None", "HS256", "ES256", "RS256", "Ed25519", "eddsa", ""] {
        let token = sign(&with(header(), "alg", algorithm.into()));
        assert_eq!(verify(&token), Err(Refused::Algorithm), "{algorithm}");
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert!(verify(&unsigned).is_err());
    }
    // The public key as a shared secret.
    let token = sign(&with(header(), "alg", "HS256".into()));
    let text = token.rsplit_once('.').unwrap().0;
    let public = signer().key.verifying_key();
    let mut mac = Hmac::<Sha256>::new_from_slice(public.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let forged = format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    assert_eq!(verify(&forged), Err(Refused::Algorithm));
    let text = sign(&header());
    let text = text.rsplit_once('.').unwrap().0;
    assert_eq!(verify(&format!("{text}.")), Err(Refused::Signature));
    for (field, is) in [
        ("jwk", json!({ "kty": "OKP" })),
        ("jku", "https://evil.example/keys".into()),
        ("crit", json!(["exp"])),
        ("typ", "at+jwt".into()),
    ] {
        assert_eq!(verify(&sign(&with(header(), field, is))), Err(Refused::Malformed), "{field}");
    }
    assert_eq!(verify(&sign(&with(header(), "kid", "0".into()))), Err(Refused::UnknownKey));
}

#[test]
fn another_key_is_nobodys() {
    let other = Signer::new(&[8; 32]);
    assert_eq!(verify(&other.issue(&identity()).unwrap()), Err(Refused::UnknownKey));
    let disguised = Signer { kid: signer().kid, ..other };
    assert_eq!(verify(&disguised.issue(&identity()).unwrap()), Err(Refused::Signature));
}

#[test]
fn several_keys_are_known_until_they_end() {
    let other = Signer::new(&[8; 32]);
    let issued = |signer: &Signer| signer.issue(&identity()).unwrap();
    let word = |signer: &Signer| Ok(Voucher::Key(signer.kid.clone()));
    let (former, new) = (issued(&signer()), issued(&other));
    let ends = |ends_wall_ms| IdentityKey { ends_wall_ms, ..signer().public() };
    let both = Verifier::new(&[ends(Some(NOW_MS + 10_000)), other.public()]);
    let said = both.verify(&former, NOW_MS).unwrap();
    assert_eq!(said.expires_wall_s, NOW_S + 10, "what it opens ends with its key");
    assert_eq!(both.verify(&former, NOW_MS + 9_999).map(|one| one.voucher), word(&signer()));
    assert_eq!(both.verify(&former, NOW_MS + 10_000), Err(Refused::UnknownKey));
    assert_eq!(both.verify(&new, NOW_MS + 10_000).map(|one| one.voucher), word(&other));
    let retired = Verifier::new(&[other.public()]);
    assert_eq!(retired.verify(&former, NOW_MS), Err(Refused::UnknownKey));
    assert!(retired.holds(&other.kid) && !retired.holds(&signer().kid));
    assert_eq!(Verifier::default().verify(&new, NOW_MS), Err(Refused::UnknownKey));
    // What calls itself something else, or is no key at all, is left out, and nothing else with it.
    let disguised = IdentityKey { kid: signer().kid, ..other.public() };
    let none = IdentityKey { public: "AA".into(), ..signer().public() };
    let some = Verifier::new(&[disguised, none, other.public()]);
    assert!(some.holds(&other.kid) && !some.holds(&signer().kid));
}

#[test]
fn claims_are_exactly_these() {
    let check = |claims: &Value| verify(&signer().sign(&header(), claims).unwrap());
    assert_eq!(check(&claims()), Ok(identity()));
    for (field, is, refused) in [
        ("aud", json!("lockgate"), Refused::Audience),
        ("aud", json!(["lockgate-egress"]), Refused::Malformed),
        ("iss", json!("somebody"), Refused::Audience),
        ("sub", json!("support"), Refused::Malformed),
        ("sub", json!("support/v2/x"), Refused::Malformed),
        ("sub", json!("../v2"), Refused::Malformed),
        ("exp", json!(NOW_S), Refused::Expired),
        ("exp", json!("never"), Refused::Malformed),
        ("exp", Value::Null, Refused::Malformed),
        ("iat", json!(NOW_S + 61), Refused::NotYetValid),
        ("iat", json!(i64::MAX), Refused::NotYetValid),
        ("jti", json!("1"), Refused::Malformed),
        ("admin", json!(true), Refused::Malformed),
    ] {
        let is_shown = is.clone();
        assert_eq!(check(&with(claims(), field, is)), Err(refused), "{field} {is_shown}");
    }
    let mut without = claims();
    without.as_object_mut().unwrap().remove("exp");
    assert_eq!(check(&without), Err(Refused::Malformed));
}

proptest! {
    #[test]
    fn a_token_that_was_changed_anywhere_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let token = signer().issue(&identity()).unwrap();
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(changed) = String::from_utf8(bytes) && changed != token {
            prop_assert!(verify(&changed).is_err());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,300}") {
        prop_assert!(verify(&text).is_err());
    }
}
