use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lockgate_model::issuer::Mapped;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

use super::*;

mod forged;

const NOW_S: i64 = 1_800_000_000;
/// A key of `PyJWT` and `cryptography`, and a token of theirs.
const RSA_N: &str = "levUG7bmh-BZcGAJFpR-VSpw9Ymt9esU5Y-_e-FolZwCRG3TUCr_JrCdDdM_bufX7VpnIiCNK1mMN_4vvdOzj_faY7tlU7Br-yHbxCMCKU5E6EJbZmmRHGSseWTxRbeMCism4m9XsOX2Zo6ju8d_p71maKk5DLuN-ZJMJfdeHvgzuj-1PRjfh-BTITsW2lye48-zaIGwcrAEmmurfWxKTIOIlvYoDO96OM0YiFUUIUGH6QIuuBil46erCfuhNc8liqqaC-we1XrRPDj_6E_Yl-AyUT4ymR7WEbiONpgxtpk2WhmzGoh1cWxJvRjf--8E3Xtdw2_NPdiipqgYGr_5eQ";
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSIsImF1ZCI6ImxvY2tnYXRlIiwic3ViIjoic3VwcG9ydC12MiIsImlhdCI6MTgwMDAwMDAwMCwiZXhwIjoxODAwMDAwMzAwLCJqdGkiOiJyLTEifQ.TwDD_E1v4k5nWVVXOAVC5P2vw23hX8red05mngG6gtQNLQf62AMKiGpGkdyUr7SIZ-N3gFrK184jT9Cj0Vjysb-oxOCHy2FN0GMPCJk3PrZyc0MNpYntkk3n0zU4cH7YNNz5kLfn6y0ENnlHKqXRLfzjj3DuvqepIcOKyd34ZPFxjC817VXE_mq_pMyP4I7z4ZttFNRK2NmrvZPVp_1iTUuq30DPZuE5OwSFgxk1umaXO1GNiAPxD7iKmp8pUdb2K4EjS_hrQh1sPRaAe0xvuCUVm1w2IRIFfvsrVoCX7fHNLrcVRt6Op1bl5L9zXeJSrAycJFP02ujU-QGUfFx6qw";

static EC: LazyLock<EcdsaKeyPair> = LazyLock::new(|| {
    let (rng, alg) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let made = EcdsaKeyPair::generate_pkcs8(alg, &rng).unwrap();
    EcdsaKeyPair::from_pkcs8(alg, made.as_ref(), &rng).unwrap()
});

fn ed() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The keys of both issuers: one for each algorithm, and more that are for nothing.
fn jwks(used: &str) -> Value {
    let (x, y) = EC.public_key().as_ref()[1..].split_at(32);
    let ed = b64(ed().verifying_key().as_bytes());
    json!({ "keys": [
        { "kty": "RSA", "kid": "rs", "use": used, "n": RSA_N, "e": "AQAB" },
        { "kty": "EC", "crv": "P-256", "kid": "es", "use": used, "alg": "ES256", "x": b64(x), "y": b64(y) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": used, "x": ed },
        { "kty": "oct", "kid": "hs", "use": used, "k": b64([1; 32]) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "leaked", "use": used, "x": ed, "d": b64([3; 32]) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "other-use", "use": "enc", "x": ed },
        { "kty": "OKP", "crv": "Ed25519", "kid": "other-alg", "use": used, "alg": "RS256", "x": ed },
        { "kty": "OKP", "crv": "Ed25519", "kid": "twice", "use": used, "x": ed },
        { "kty": "OKP", "crv": "Ed25519", "kid": "twice", "use": used, "x": ed },
        { "kty": "OKP", "crv": "Ed25519", "use": used, "x": ed },
        { "kty": "EC", "crv": "P-521", "kid": "unknown", "use": used, "x": "AA", "y": "AA" },
    ]})
}

fn mapped(who: Who, version: &str) -> Mapped {
    Mapped { who, agent: "support".parse().unwrap(), version: version.parse().unwrap() }
}

fn claims_of(pairs: &[(&str, &str)]) -> Who {
    Who::Claims(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

fn issuer(name: &str, kind: IssuerKind, map: Vec<Mapped>) -> OutsideIssuer {
    OutsideIssuer {
        name: name.parse().unwrap(),
        kind,
        audience: "lockgate".into(),
        jwks: JwksAt::File("none".into()),
        refresh_ms: 60_000,
        max_age_ms: 600_000,
        map,
    }
}

fn settings() -> Vec<OutsideIssuer> {
    let oidc = IssuerKind::Oidc { issuer: "https://idp.example.com".into() };
    let spiffe = IssuerKind::Spiffe { trust_domain: "example.org".into() };
    let workload = |name: &str| Who::SpiffeId(format!("spiffe://example.org/ns/agents/sa/{name}"));
    vec![
        issuer(
            "corp",
            oidc,
            vec![
                mapped(claims_of(&[("sub", "support-v1")]), "v1"),
                mapped(claims_of(&[("sub", "support-v2"), ("env", "prod")]), "v3"),
                mapped(claims_of(&[("sub", "support-v2")]), "v2"),
            ],
        ),
        issuer(
            "mesh",
            spiffe,
            vec![mapped(workload("support-v1"), "v1"), mapped(workload("support-v2"), "v2")],
        ),
    ]
}

/// Both issuers with their keys.
fn world() -> (Outside, Keys) {
    let outside = Outside::new(&settings());
    let keys = Keys::default();
    for one in outside.issuers() {
        let used = if one.is_svid() { "jwt-svid" } else { "sig" };
        let set = jwk::set(jwks(used).to_string().as_bytes(), one.is_svid()).unwrap();
        assert_eq!(set.len(), 3, "{:?}", set.keys());
        keys.put(&one.source, set, Instant::now());
    }
    (outside, keys)
}

fn header(alg: &str, kid: &str) -> Value {
    json!({ "alg": alg, "kid": kid, "typ": "JWT" })
}

fn oidc() -> Value {
    json!({ "iss": "https://idp.example.com", "aud": "lockgate", "sub": "support-v1", "iat": NOW_S,
        "exp": NOW_S + 300, "jti": "1" })
}

fn svid() -> Value {
    json!({ "aud": ["lockgate"], "sub": "spiffe://example.org/ns/agents/sa/support-v1", "iat": NOW_S,
        "exp": NOW_S + 300 })
}

fn with(mut value: Value, field: &str, is: Value) -> Value {
    value[field] = is;
    value
}

fn without(mut value: Value, field: &str) -> Value {
    value.as_object_mut().unwrap().remove(field);
    value
}

fn signed(header: &str, claims: &str, alg: &str) -> String {
    let text = format!("{}.{}", b64(header), b64(claims));
    let signature = match alg {
        "ES256" => EC.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec(),
        _ => ed().sign(text.as_bytes()).to_bytes().to_vec(),
    };
    format!("{text}.{}", b64(signature))
}

fn token(header: &Value, claims: &Value) -> String {
    let alg = header["alg"].as_str().unwrap_or_default();
    signed(&header.to_string(), &claims.to_string(), alg)
}

fn verify(token: &str) -> Result<Said, Refused> {
    let (outside, keys) = world();
    outside.verify(&keys, token, NOW_S).unwrap_or(Err(Refused::Malformed))
}

#[test]
fn tokens_of_every_kind_stand_for_the_version_that_is_mapped() {
    let es = verify(&token(&header("ES256", "es"), &oidc())).unwrap();
    assert_eq!((es.agent.as_str(), es.version.as_str()), ("support", "v1"));
    assert_eq!((es.issued_wall_s, es.expires_wall_s), (NOW_S, NOW_S + 300 + LEEWAY_S));
    assert_eq!(es.voucher.issuer().unwrap().as_str(), "corp");
    let ed = verify(&token(&header("EdDSA", "ed"), &oidc())).unwrap();
    assert_eq!(ed.id, es.id, "one `jti`, one name");
    let rs = verify(RSA_TOKEN).unwrap();
    assert_eq!(rs.version.as_str(), "v2");
    let svid = verify(&token(&header("ES256", "es"), &svid())).unwrap();
    assert_eq!((svid.version.as_str(), svid.voucher.issuer().unwrap().as_str()), ("v1", "mesh"));
    assert_ne!(svid.id, es.id);
    // Without a name of its own it is named after all of it, which is another one each time.
    let nameless = without(oidc(), "jti");
    let [one, other] = [&nameless, &with(nameless.clone(), "nonce", json!(1))]
        .map(|claims| verify(&token(&header("EdDSA", "ed"), claims)).unwrap().id);
    assert_ne!(one, other);
    for (typ, of_oidc, of_svid) in [
        (json!("jwt"), true, true),
        (json!("at+jwt"), true, false),
        (json!("JOSE"), false, true),
        (json!("secevent+jwt"), false, false),
        (json!(1), false, false),
    ] {
        let header = with(header("ES256", "es"), "typ", typ.clone());
        assert_eq!(verify(&token(&header, &oidc())).is_ok(), of_oidc, "{typ}");
        assert_eq!(verify(&token(&header, &self::svid())).is_ok(), of_svid, "{typ}");
    }
    assert!(verify(&token(&without(header("ES256", "es"), "typ"), &self::svid())).is_ok());
    // What points elsewhere is not looked at, and what it points to is not used.
    for field in ["jku", "x5u", "x5c", "jwk"] {
        let header = with(header("ES256", "es"), field, json!("https://evil.example/keys"));
        assert!(verify(&token(&header, &oidc())).is_ok(), "{field}");
    }
}

#[test]
fn a_workload_is_one_of_the_trust_domain_and_signs_as_spiffe_says() {
    let check = |claims: &Value| verify(&token(&header("ES256", "es"), claims));
    assert!(check(&svid()).is_ok());
    for (sub, refused) in [
        ("spiffe://example.org/ns/agents/sa/support-v9", Refused::Unmapped),
        ("spiffe://example.org/ns/agents/sa/support-v1/x", Refused::Unmapped),
        ("spiffe://other.org/ns/agents/sa/support-v1", Refused::UnknownIssuer),
        ("spiffe://sub.example.org/ns/agents/sa/support-v1", Refused::UnknownIssuer),
        ("spiffe://example.org", Refused::UnknownIssuer),
        ("spiffe://example.org/../example.org/ns/agents/sa/support-v1", Refused::UnknownIssuer),
        ("spiffe://EXAMPLE.org/ns/agents/sa/support-v1", Refused::UnknownIssuer),
        ("spiffe://*/ns/agents/sa/support-v1", Refused::UnknownIssuer),
        ("support-v1", Refused::UnknownIssuer),
    ] {
        assert_eq!(check(&with(svid(), "sub", json!(sub))), Err(refused), "{sub}");
    }
    assert_eq!(check(&without(svid(), "aud")), Err(Refused::Audience));
    assert_eq!(check(&without(svid(), "exp")), Err(Refused::Undated));
    assert_eq!(check(&without(svid(), "iat")), Err(Refused::Undated));
    // JWT-SVID 3 knows no EdDSA.
    assert_eq!(verify(&token(&header("EdDSA", "ed"), &svid())), Err(Refused::OutsideAlgorithm));
    // A name of the trust domain in a token of the other issuer is that issuer's word, which is about nobody there.
    let crossed = with(oidc(), "sub", svid()["sub"].clone());
    assert_eq!(check(&crossed), Err(Refused::Unmapped));
}

#[test]
fn keys_are_good_for_a_while_and_only_under_the_terms_of_now() {
    let (outside, keys) = world();
    let good = token(&header("ES256", "es"), &oidc());
    let said = outside.verify(&keys, &good, NOW_S).unwrap().unwrap();
    let Voucher::Issuer { name, terms, kid } = &said.voucher else { panic!("an issuer outside") };
    assert!(outside.stands(name, terms, kid, &keys));
    assert!(!outside.stands(name, terms, "gone", &keys));
    // Other terms: whoever was let in is looked at again.
    let mut other = settings();
    other[0].map.pop();
    assert!(!Outside::new(&other).stands(name, terms, kid, &keys));
    assert!(!Outside::new(&[]).stands(name, terms, kid, &keys));
    // Keys that are unknown, or were read too long ago.
    let unread = Keys::default();
    assert_eq!(outside.verify(&unread, &good, NOW_S), Some(Err(Refused::KeysTooOld)));
    let source = &outside.issuers()[0].source;
    let set = || jwk::set(jwks("sig").to_string().as_bytes(), false).unwrap();
    let long_ago = Instant::now().checked_sub(Duration::from_millis(600_001)).unwrap();
    keys.put(source, set(), long_ago);
    assert_eq!(outside.verify(&keys, &good, NOW_S), Some(Err(Refused::KeysTooOld)));
    assert!(!outside.stands(name, terms, kid, &keys));
    keys.put(source, set(), Instant::now());
    assert!(outside.verify(&keys, &good, NOW_S).unwrap().is_ok());
    // What nobody asks about any more is forgotten.
    keys.keep(&HashSet::new());
    assert_eq!(outside.verify(&keys, &good, NOW_S), Some(Err(Refused::KeysTooOld)));
    // Where a key was missed is told once.
    let (outside, keys) = world();
    let missing = token(&header("EdDSA", "new"), &oidc());
    for _ in 0..3 {
        assert_eq!(outside.verify(&keys, &missing, NOW_S), Some(Err(Refused::UnknownKey)));
    }
    assert_eq!(keys.missed(), [outside.issuers()[0].source.clone()].into());
    assert!(keys.missed().is_empty());
}

#[test]
fn our_own_tokens_and_everything_without_issuers_is_looked_at_elsewhere() {
    let (outside, keys) = world();
    let ours = token(&header("EdDSA", "ed"), &with(oidc(), "iss", json!("lockgate")));
    assert_eq!(outside.verify(&keys, &ours, NOW_S), None);
    assert_eq!(outside.verify(&keys, "x", NOW_S), None);
    let good = token(&header("EdDSA", "ed"), &oidc());
    assert_eq!(Outside::default().verify(&keys, &good, NOW_S), None);
}

#[test]
fn a_set_of_keys_is_bounded_and_has_one_meaning() {
    let set = |text: &str| jwk::set(text.as_bytes(), false).map(|set| set.len());
    assert_eq!(set("{\"keys\":[]}"), Ok(0), "an issuer may have none");
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}", "{\"keys\":[]} x"] {
        assert!(set(text).is_err(), "{text}");
    }
    let many = json!({ "keys": vec![json!({}); 65] });
    assert!(set(&many.to_string()).is_err());
    let one = |key: Value| set(&json!({ "keys": [key] }).to_string()).unwrap();
    let rsa = json!({ "kty": "RSA", "kid": "rs", "n": RSA_N, "e": "AQAB" });
    assert_eq!(one(rsa.clone()), 1);
    for (field, is) in [
        ("n", json!(b64([1; 255]))),
        ("n", json!(b64(vec![1; 1_025]))),
        ("n", json!("*")),
        ("e", json!("")),
        ("e", json!(b64([1; 9]))),
        ("kid", json!("")),
        ("key_ops", json!(["encrypt"])),
        ("use", json!("enc")),
        ("alg", json!("HS256")),
        ("crv", json!("P-256")),
    ] {
        assert_eq!(one(with(rsa.clone(), field, is)), 0, "{field}");
    }
    // The neutral point has signed everything.
    let weak = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "w", "x": b64([&[1][..], &[0; 31]].concat()) });
    assert_eq!(one(weak), 0);
    // In a bundle of SPIFFE, keys say that they are for tokens.
    assert_eq!(jwk::set(json!({ "keys": [rsa] }).to_string().as_bytes(), true).unwrap().len(), 0);
}

proptest! {
    #[test]
    fn a_token_that_was_changed_anywhere_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let good = token(&header("EdDSA", "ed"), &oidc());
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(changed) = String::from_utf8(bytes) && changed != good {
            prop_assert!(verify(&changed).is_err());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,300}") {
        prop_assert!(verify(&text).is_err());
    }
}
