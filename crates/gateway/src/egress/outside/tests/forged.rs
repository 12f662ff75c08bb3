//! Tokens that somebody would like to be believed.

use super::*;

#[test]
fn forged_tokens_are_refused_each_for_its_reason() {
    for alg in ["none", "None", "nOnE", "HS256", "RS384", "PS256", "ES384", "Ed25519", "eddsa", ""]
    {
        let forged = token(&header(alg, "ed"), &oidc());
        assert_eq!(verify(&forged), Err(Refused::OutsideAlgorithm), "{alg}");
        let (unsigned, _) = forged.rsplit_once('.').unwrap();
        assert!(verify(&format!("{unsigned}.")).is_err());
    }
    // The public key as a shared secret, in the forms in which one finds it.
    let public = ed().verifying_key();
    for secret in [
        public.as_bytes().to_vec(),
        jwks("sig").to_string().into_bytes(),
        STANDARD.encode(public).into(),
    ] {
        for kid in ["ed", "hs"] {
            let text =
                format!("{}.{}", b64(header("HS256", kid).to_string()), b64(oidc().to_string()));
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            mac.update(text.as_bytes());
            let forged = format!("{text}.{}", b64(mac.finalize().into_bytes()));
            assert_eq!(verify(&forged), Err(Refused::OutsideAlgorithm));
        }
    }
    // A key of another kind than the algorithm, or another key of the issuer's.
    for (alg, kid) in [("EdDSA", "es"), ("ES256", "ed"), ("EdDSA", "rs"), ("RS256", "ed")] {
        let forged = token(&header(alg, kid), &oidc());
        assert_eq!(verify(&forged), Err(Refused::OutsideAlgorithm), "{alg} {kid}");
    }
    let swapped = token(&header("EdDSA", "ed"), &oidc()).replacen(
        &b64(header("EdDSA", "ed").to_string()),
        &b64(header("ES256", "es").to_string()),
        1,
    );
    assert_eq!(verify(&swapped), Err(Refused::Signature));
    for kid in [
        "none",
        "",
        "hs",
        "leaked",
        "other-use",
        "other-alg",
        "twice",
        "unknown",
        "../../etc/passwd",
        "/dev/null",
        "https://evil.example/keys",
        "' OR 1=1",
        &"k".repeat(257),
    ] {
        let forged = token(&header("EdDSA", kid), &oidc());
        assert_eq!(verify(&forged), Err(Refused::UnknownKey), "{kid}");
    }
    assert_eq!(
        verify(&token(&without(header("EdDSA", "ed"), "kid"), &oidc())),
        Err(Refused::UnknownKey)
    );
    assert_eq!(
        verify(&token(&with(header("EdDSA", "ed"), "kid", json!(1)), &oidc())),
        Err(Refused::UnknownKey)
    );
}

#[test]
fn what_could_be_read_in_two_ways_is_not_read() {
    let good = token(&header("EdDSA", "ed"), &oidc());
    let es = token(&header("ES256", "es"), &oidc());
    for (field, is) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
    ] {
        let forged = token(&with(header("EdDSA", "ed"), field, is), &oidc());
        assert_eq!(verify(&forged), Err(Refused::Malformed), "{field}");
    }
    // Claims twice, in the payload and in the header: what others read is not what we do.
    let claims = oidc().to_string();
    let twice = claims.replacen('{', "{\"sub\":\"support-v2\",", 1);
    assert_eq!(
        verify(&signed(&header("EdDSA", "ed").to_string(), &twice, "EdDSA")),
        Err(Refused::Malformed)
    );
    let twice = header("EdDSA", "ed").to_string().replacen('{', "{\"alg\":\"none\",", 1);
    assert_eq!(verify(&signed(&twice, &claims, "EdDSA")), Err(Refused::Malformed));
    // Tokens within tokens, other numbers of parts, other spellings of the same bytes, and what is too long.
    let nested = signed(&header("EdDSA", "ed").to_string(), &format!("\"{good}\""), "EdDSA");
    let long = token(&header("EdDSA", "ed"), &with(oidc(), "x", json!("x".repeat(8_192))));
    for forged in [
        nested,
        format!("{good}.x"),
        format!("x.{good}"),
        good.rsplit_once('.').unwrap().0.to_owned(),
        format!("{good}="),
        format!("{good} "),
        good.replace('.', ".."),
        good.replacen('e', "%65", 1),
        String::new(),
        "..".into(),
        long,
    ] {
        assert_eq!(verify(&forged), Err(Refused::Malformed), "{forged}");
    }
    // An ES256 signature in the form of others (DER), with zeros, and one that is cut short.
    let (text, signature) = es.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for forged in
        [vec![0; 64], bytes[..63].to_vec(), [&[0x30, 0x44, 2, 32][..], &bytes].concat(), Vec::new()]
    {
        assert_eq!(verify(&format!("{text}.{}", b64(forged))), Err(Refused::Signature));
    }
    let other = SigningKey::from_bytes(&[4; 32]);
    let (text, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{text}.{}", b64(other.sign(text.as_bytes()).to_bytes()));
    assert_eq!(verify(&forged), Err(Refused::Signature));
}

#[test]
fn claims_must_say_for_whom_since_when_and_how_long() {
    for (field, is, refused) in [
        ("iss", json!("https://evil.example"), Refused::UnknownIssuer),
        ("iss", json!("https://idp.example.com/"), Refused::UnknownIssuer),
        ("iss", json!(["https://idp.example.com"]), Refused::UnknownIssuer),
        ("aud", json!("lockgate-egress"), Refused::Audience),
        ("aud", json!("Lockgate"), Refused::Audience),
        ("aud", json!([]), Refused::Audience),
        ("aud", json!(["other"]), Refused::Audience),
        ("aud", json!(["lockgate", 1]), Refused::Audience),
        ("aud", json!({ "lockgate": true }), Refused::Audience),
        ("aud", json!(vec!["lockgate"; 17]), Refused::Audience),
        ("exp", json!(NOW_S - LEEWAY_S), Refused::Expired),
        ("exp", json!(-1), Refused::Malformed),
        ("exp", json!("never"), Refused::Malformed),
        ("exp", json!(1e300), Refused::Malformed),
        ("exp", json!(u64::MAX), Refused::Malformed),
        ("exp", Value::Null, Refused::Malformed),
        ("nbf", json!(NOW_S + LEEWAY_S + 1), Refused::NotYetValid),
        ("iat", json!(NOW_S + LEEWAY_S + 1), Refused::NotYetValid),
        ("iat", json!("now"), Refused::Malformed),
        ("jti", json!(""), Refused::Malformed),
        ("jti", json!(7), Refused::Malformed),
        ("jti", json!("x".repeat(257)), Refused::Malformed),
        ("sub", json!("support-v9"), Refused::Unmapped),
        ("sub", json!("SUPPORT-V1"), Refused::Unmapped),
        ("sub", json!(["support-v1"]), Refused::Unmapped),
    ] {
        let shown = is.clone();
        let forged = token(&header("EdDSA", "ed"), &with(oidc(), field, is));
        assert_eq!(verify(&forged), Err(refused), "{field} {shown}");
    }
    for (field, refused) in [
        ("iss", Refused::UnknownIssuer),
        ("aud", Refused::Audience),
        ("exp", Refused::Undated),
        ("iat", Refused::Undated),
        ("sub", Refused::Unmapped),
    ] {
        let forged = token(&header("EdDSA", "ed"), &without(oidc(), field));
        assert_eq!(verify(&forged), Err(refused), "{field}");
    }
    for (field, is) in [
        ("exp", json!(NOW_S - LEEWAY_S + 1)),
        ("exp", json!(1_800_000_300.5)),
        ("iat", json!(NOW_S + LEEWAY_S)),
        ("nbf", json!(NOW_S + LEEWAY_S)),
        ("nbf", json!(NOW_S - 1_000)),
        ("aud", json!(["other", "lockgate"])),
        ("scope", json!({ "anything": [1, null] })),
    ] {
        let shown = is.clone();
        let fine = token(&header("EdDSA", "ed"), &with(oidc(), field, is));
        assert!(verify(&fine).is_ok(), "{field} {shown}");
    }
    // One that two entries mean is nobody's, whatever a file's check let pass.
    let both = with(with(oidc(), "sub", json!("support-v2")), "env", json!("prod"));
    assert_eq!(verify(&token(&header("EdDSA", "ed"), &both)), Err(Refused::Unmapped));
}
