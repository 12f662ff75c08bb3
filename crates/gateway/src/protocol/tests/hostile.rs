//! Compressed, cut, malformed and malicious bodies.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use lockgate_model::agent::Protocol;
use lockgate_model::interaction::{ServiceTier, TOKENS_MAX, Usage};
use proptest::prelude::*;

use super::super::body::Body;
use super::super::decode::{Decoder, Encoding};
use super::super::dialect::{Dialect, Form};
use super::super::{Scanned, Scanner};
use super::bodies::{A2A_SSE, CHAT_JSON, CHAT_SSE};
use super::{Answer, JSON, SSE, headers, usage};

const PATH: &str = "/v1/chat/completions";

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn brotli(body: &[u8], window_bits: u32) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, window_bits);
    encoder.write_all(body).unwrap();
    encoder.into_inner()
}

fn encoded(content_type: &str, encoding: &str) -> Answer {
    let mut answer = Answer::new(Protocol::Openai, PATH, content_type);
    answer.headers = headers(content_type, encoding);
    answer
}

#[test]
fn compressed_answers_tell_what_plain_ones_tell() {
    for (content_type, body) in [(JSON, CHAT_JSON), (SSE, CHAT_SSE)] {
        let plain = Answer::new(Protocol::Openai, PATH, content_type).scan([body.as_bytes()]);
        assert!(plain.usage.output_tokens.is_some());
        let body = body.as_bytes();
        for (encoding, bytes) in [
            ("gzip", gzip(body)),
            ("X-GZIP", gzip(body)),
            ("deflate", zlib(body)),
            ("deflate", raw_deflate(body)),
            ("br", brotli(body, 22)),
            ("br", brotli(body, 18)),
        ] {
            let scanned = encoded(content_type, encoding).scan_everywhere(&bytes);
            assert_eq!(scanned, plain, "{encoding}");
        }
        let members = [gzip(&body[..300]), gzip(&body[300..])].concat();
        assert_eq!(encoded(content_type, "gzip").scan([members.as_slice()]), plain);
    }
}

#[test]
fn ids_in_compressed_streams_are_known_at_once() {
    let (first, _) = A2A_SSE.split_at(A2A_SSE.find("\n\n").unwrap() + 2);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(first.as_bytes()).unwrap();
    encoder.flush().unwrap();
    let mut plain = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
    plain.write_all(first.as_bytes()).unwrap();
    plain.flush().unwrap();
    for (encoding, part) in [("gzip", encoder.get_ref()), ("br", plain.get_ref())] {
        let headers = headers(SSE, encoding);
        let mut reader = Scanner::new(Protocol::A2a, "/", 200, &headers);
        reader.push(part);
        assert_eq!(reader.take_ids(), ["t-1", "c-1"], "{encoding}");
    }
}

#[test]
fn unknown_encodings_leave_everything_unknown() {
    for encoding in ["zstd", "gzip, br", "compress", "dcb"] {
        let scanned = encoded(SSE, encoding).broken_off().scan([CHAT_SSE.as_bytes()]);
        let unknown = Scanned { sse: true, provider: Some("openai"), ..Scanned::default() };
        assert_eq!(scanned, unknown, "{encoding}");
    }
    let large_window = brotli(CHAT_SSE.as_bytes(), 24);
    assert_eq!(encoded(SSE, "br").scan([large_window.as_slice()]).usage, Usage::default());
}

#[test]
fn a_body_that_cannot_be_decoded_is_unknown_and_no_failure_of_the_version() {
    let mut corrupt = gzip(CHAT_SSE.as_bytes());
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0xff;
    corrupt[middle + 1] ^= 0xff;
    for bytes in [corrupt.as_slice(), b"this is not gzip at all"] {
        let scanned = encoded(SSE, "gzip").scan_everywhere(bytes);
        assert_eq!((scanned.usage, scanned.stream_error), (Usage::default(), false));
    }
}

#[test]
fn a_compressed_stream_that_breaks_off_lacks_its_end() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let cut = CHAT_SSE.find("data: {\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"created\":1694268190,\"model\":\"gpt-4o-mini\",\"choices\":[]").unwrap();
    encoder.write_all(&CHAT_SSE.as_bytes()[..cut]).unwrap();
    encoder.flush().unwrap();
    let part = encoder.get_ref().clone();
    let scanned = encoded(SSE, "gzip").broken_off().scan([part.as_slice()]);
    assert_eq!((scanned.stream_error, scanned.model.as_deref()), (true, Some("gpt-4o-mini")));
    assert_eq!(scanned.usage.output_tokens, None);
}

/// What [`CHAT_JSON`] says that it used.
fn chat_json() -> Usage {
    Usage {
        reasoning_tokens: Some(12),
        tier: Some(ServiceTier::Standard),
        ..usage(Some(1117), Some(1024), None, Some(46))
    }
}

/// The usage of an answer whose end lies behind `padding` bytes that compress to almost nothing.
fn behind(padding: usize, encoding: &str, encode: fn(&[u8]) -> Vec<u8>) -> Usage {
    let body = CHAT_JSON.replacen('{', &format!("{{{}", " ".repeat(padding)), 1);
    let bytes = encode(body.as_bytes());
    encoded(JSON, encoding).scan(bytes.chunks(16 * 1024)).usage
}

#[test]
fn bombs_are_given_up() {
    let known = chat_json();
    let brotli: fn(&[u8]) -> Vec<u8> = |body| brotli(body, 22);
    for (encoding, encode) in
        [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("deflate", zlib), ("br", brotli)]
    {
        assert_eq!(behind(512 * 1024, encoding, encode), known, "{encoding}");
        assert_eq!(behind(8 * 1024 * 1024, encoding, encode), Usage::default(), "{encoding}");
    }
}

#[test]
fn a_bomb_is_given_up_early() {
    let bomb = gzip(&vec![b' '; 32 * 1024 * 1024]);
    let body = Body::new(Dialect::OpenAi, Form::Json, true).unwrap();
    let mut decoder = Decoder::new(Encoding::Gzip, body);
    for (at, part) in bomb.chunks(1_024).enumerate() {
        match decoder.push(part) {
            Ok(more) => decoder = more,
            Err(_) => return assert!(at < 8, "after {at} KiB"),
        }
    }
    panic!("all of it was decoded");
}

#[test]
fn usage_behind_megabytes_of_plain_body_is_found() {
    let text = format!("\"content\": \"{}\\\"", "abc \\\\ ".repeat(700_000));
    let body = CHAT_JSON.replacen("\"content\": \"", &text, 1);
    let answer = Answer::new(Protocol::Openai, PATH, JSON);
    let scanned = answer.scan(body.as_bytes().chunks(8_191));
    assert_eq!(scanned.usage, chat_json());

    let long = CHAT_SSE.replace("Say ", &"x".repeat(3_000_000));
    let scanned = Answer::new(Protocol::Openai, PATH, SSE).scan(long.as_bytes().chunks(8_191));
    assert_eq!((scanned.usage.output_tokens, scanned.stream_error), (Some(10), false));
}

#[test]
fn what_a_scanner_holds_does_not_grow_with_the_body() {
    // the whole state is inline; only model and ids live elsewhere, and both are bounded
    let ids: Vec<_> =
        (0..1_000).map(|n| format!("\"contextId\":\"{n}-{}\"", "y".repeat(100))).collect();
    let body = format!("{{\"jsonrpc\":\"2.0\",\"result\":{{{}}}}}", ids.join(","));
    let scanned = Answer::new(Protocol::A2a, "/", JSON).scan([body.as_bytes()]);
    assert_eq!(scanned.ids.len(), 8);
    let model = CHAT_JSON.replace("gpt-4o-2024-08-06", &"m".repeat(257));
    let scanned = Answer::new(Protocol::Openai, PATH, JSON).scan([model.as_bytes()]);
    assert_eq!((scanned.model, scanned.usage.output_tokens), (None, Some(46)));
}

#[test]
fn malformed_counts_are_unknown_and_never_zero() {
    let body = |counts: &str| format!("{{\"object\":\"chat.completion\",\"usage\":{counts}}}");
    let answer = Answer::new(Protocol::Openai, PATH, JSON);
    let known = |input, output| usage(input, None, None, output);
    for (counts, expected) in [
        ("null", known(None, None)),
        ("{}", known(None, None)),
        ("[]", known(None, None)),
        ("\"3\"", known(None, None)),
        (r#"{"prompt_tokens":-1,"completion_tokens":2}"#, known(None, Some(2))),
        (r#"{"prompt_tokens":1.5,"completion_tokens":2}"#, known(None, Some(2))),
        (r#"{"prompt_tokens":1e3,"completion_tokens":2}"#, known(None, Some(2))),
        (r#"{"prompt_tokens":"7","completion_tokens":2}"#, known(None, Some(2))),
        (r#"{"prompt_tokens":null,"completion_tokens":2}"#, known(None, Some(2))),
        (r#"{"prompt_tokens":true,"completion_tokens":{"a":[1]}}"#, known(None, None)),
        (
            r#"{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551616}"#,
            known(None, None),
        ),
        (r#"{"prompt_tokens":20000000,"completion_tokens":2}"#, known(Some(20_000_000), Some(2))),
        (r#"{"prompt_tokens":1,"completion_tokens":2"#, known(None, None)),
        (r#"{"prompt_tokens":1,"completion_tokens":2]"#, known(None, None)),
        (r#"{"prompt_tokens" 1,"completion_tokens":2}"#, known(None, None)),
    ] {
        let scanned = answer.scan_everywhere(body(counts).as_bytes());
        assert_eq!(scanned.usage, expected, "{counts}");
    }
    let overflow = format!(
        "{{\"usage\":{{\"input_tokens\":{max},\"cache_read_input_tokens\":{max},\"output_tokens\":1}}}}",
        max = u64::MAX
    );
    let answer = Answer::new(Protocol::Anthropic, "/v1/messages", JSON);
    assert_eq!(answer.scan([overflow.as_bytes()]).usage.input_tokens, None);
}

/// No answer took so many tokens, whichever kind: nothing that it counts is believed, and that is told apart from silence.
#[test]
fn counts_beyond_any_answer_are_no_counts() {
    let openai = Answer::new(Protocol::Openai, PATH, JSON);
    let anthropic = Answer::new(Protocol::Anthropic, "/v1/messages", JSON);
    let body = |counts: &str| {
        format!("{{\"object\":\"chat.completion\",\"model\":\"m\",\"usage\":{{{counts}}}}}")
    };
    for (answer, counts) in [
        (&openai, r#""prompt_tokens":1000000000000000,"completion_tokens":2"#),
        (&openai, r#""prompt_tokens":1,"completion_tokens":20000001"#),
        (&openai, r#""prompt_tokens":1,"completion_tokens":99999999999999999999999"#),
        (
            &openai,
            r#""prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":20000001}"#,
        ),
        (
            &openai,
            r#""prompt_tokens":9,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":20000001}"#,
        ),
        // Each is none too many, and all input is.
        (
            &anthropic,
            r#""input_tokens":19000000,"cache_read_input_tokens":19000000,"output_tokens":1"#,
        ),
        (
            &anthropic,
            r#""input_tokens":1,"cache_creation_input_tokens":18446744073709551615,"output_tokens":1"#,
        ),
    ] {
        let scanned = answer.scan_everywhere(body(counts).as_bytes());
        assert_eq!((scanned.usage, scanned.bad_usage), (Usage::default(), true), "{counts}");
        assert_eq!(scanned.model.as_deref(), Some("m"));
    }
    let silent = openai.scan([body("").as_bytes()]);
    assert_eq!((silent.usage, silent.bad_usage), (Usage::default(), false));
}

#[test]
fn truncated_documents_tell_nothing() {
    let answer = Answer::new(Protocol::Openai, PATH, JSON).broken_off();
    let end = CHAT_JSON.trim_end().len();
    for at in 0..end {
        let scanned = answer.scan([&CHAT_JSON.as_bytes()[..at]]);
        assert_eq!((scanned.usage, scanned.stream_error), (Usage::default(), false), "{at}");
    }
}

#[test]
fn deep_nesting_is_walked_without_recursion() {
    for open in ["[", "{\"choices\":", "{\"usage\":["] {
        let body = format!("{{\"choices\":{}", open.repeat(1_000_000));
        let scanned = Answer::new(Protocol::Openai, PATH, JSON).scan([body.as_bytes()]);
        assert_eq!(scanned.usage, Usage::default());
    }
    let deep = format!(
        "{{\"a\":{}{},\"usage\":{{\"completion_tokens\":5}}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let scanned = Answer::new(Protocol::Openai, PATH, JSON).scan([deep.as_bytes()]);
    assert_eq!(scanned.usage.output_tokens, Some(5));
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(vec![
        Protocol::Auto,
        Protocol::Openai,
        Protocol::Anthropic,
        Protocol::A2a,
        Protocol::Mcp,
    ])
}

/// Bytes that look enough like the real thing to get far.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u00",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "data:",
        "data: ",
        "event: ",
        "[DONE]",
        "\"usage\":",
        "\"choices\":",
        "\"model\":\"m\"",
        "\"error\":",
        "\"prompt_tokens\":1",
        "\"completion_tokens\":2",
        "\"finish_reason\":",
        "null",
        "true",
        "17",
        "-3",
        "response.completed",
        "message_stop",
        "\"type\":\"message_start\"",
        "\"message\":",
        "\"result\":",
        "\"task\":",
        "\"id\":\"x\"",
        "\"object\":\"response\"",
        " ",
        ":",
        "\u{feff}",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn garbage_never_panics_and_cuts_change_nothing(
        protocol in protocol(),
        sse in any::<bool>(),
        body in prop_oneof![nearly(), prop::collection::vec(any::<u8>(), 0..300)],
        size in 1_usize..20,
        complete in any::<bool>(),
    ) {
        let mut answer = Answer::new(protocol, PATH, if sse { SSE } else { JSON });
        answer.complete = complete;
        prop_assert_eq!(answer.scan(body.chunks(size)), answer.scan([body.as_slice()]));
    }

    #[test]
    fn garbage_never_panics_decoders(
        encoding in prop::sample::select(vec!["gzip", "deflate", "br"]),
        body in prop::collection::vec(any::<u8>(), 0..600),
        flip in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        encoded(SSE, encoding).scan(body.chunks(7));
        let mut real = match encoding {
            "gzip" => gzip(CHAT_SSE.as_bytes()),
            "deflate" => zlib(CHAT_SSE.as_bytes()),
            _ => brotli(CHAT_SSE.as_bytes(), 22),
        };
        let at = flip.index(real.len());
        real[at] ^= 1 << bit;
        encoded(SSE, encoding).scan(real.chunks(50));
    }

    #[test]
    fn counts_survive_any_text_around_them(text in ".{0,80}", input in 0..=TOKENS_MAX, output in 0..=TOKENS_MAX) {
        let quoted = serde_json::to_string(&text).unwrap();
        let body = format!(
            "{{\"id\":{quoted},\"choices\":[{{\"message\":{{\"content\":{quoted}}}}}],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output}}}}}"
        );
        let scanned = Answer::new(Protocol::Openai, PATH, JSON).scan(body.as_bytes().chunks(3));
        prop_assert_eq!(scanned.usage, usage(Some(input), None, None, Some(output)));
    }
}
