//! What expressions come to.

use super::*;

struct Some3;

impl Names for Some3 {
    fn value(&self, path: &[String]) -> Value {
        match path.join(".").as_str() {
            "github.event_name" => Value::Text("push".into()),
            "github.repository" => Value::Repository,
            "github.actor" => Value::Person,
            "labels.*.name" => Value::List(Vec::new()),
            "env.CARGO" => Value::Text("cargo".into()),
            "vars.X" => Value::Setting,
            "gone" => Value::Null,
            "github.repository_owner" => Value::Owner,
            "github.sha" => Value::Something,
            "github.event.schedule" => Value::OneOf(vec!["0 3 * * *".into()]),
            "needs.a" | "needs.a.outputs.b" => Value::Open,
            _ => Value::Unknown,
        }
    }

    fn is_called(&self, name: &str) -> bool {
        matches!(name, "acme/app" | "acme/")
    }

    fn has_file(&self, pattern: &str) -> bool {
        pattern == "Cargo.lock"
    }
}

#[test]
fn expressions_come_to_what_the_files_say() {
    for (text, expected) in [
        ("github.event_name == 'PUSH'", Truth::Yes),
        ("github.event_name != 'push' || needs.a.outputs.b", Truth::Open),
        ("github.event_name != 'push' && needs.a.outputs.b", Truth::No),
        ("!(github.event_name == 'push')", Truth::No),
        ("github['event_name'] == 'push' && always()", Truth::Yes),
        ("github.repository == 'Acme/App'", Truth::Yes),
        ("github.repository == 'other/app'", Truth::Unknown),
        ("github.repository == 'app'", Truth::No),
        ("github.repository_owner == 'acme'", Truth::Yes),
        ("github.repository_owner != 'other'", Truth::Unknown),
        ("startsWith(github.repository, 'acme/')", Truth::Yes),
        ("github.actor == 'nobody'", Truth::No),
        ("contains(fromJSON('[\"nobody\"]'), github.actor)", Truth::No),
        ("github.sha", Truth::Yes),
        ("github.sha == 'abc'", Truth::Unknown),
        ("github.sha == ''", Truth::No),
        ("hashFiles('Cargo.lock', 'x') != ''", Truth::Yes),
        ("hashFiles('nothing') != ''", Truth::Unknown),
        ("github.event.schedule == '0 3 * * *'", Truth::Open),
        ("github.event.schedule == '0 4 * * *'", Truth::No),
        ("env.NOPE == 'yes'", Truth::Unknown),
        ("needs.a || env.NOPE", Truth::Open),
        ("needs.a && env.NOPE", Truth::Unknown),
        ("github.repository == github.repository", Truth::Yes),
        ("github.actor != 'dependabot[bot]'", Truth::Yes),
        ("contains(labels.*.name, 'e2e')", Truth::No),
        ("contains(fromJSON('[\"push\", \"x\"]'), github.event_name)", Truth::Yes),
        ("startsWith(format('refs/{0}/x', 'tags'), 'refs/tags/')", Truth::Yes),
        ("vars.X == 'true'", Truth::Setting),
        ("vars.X == 'true' || true", Truth::Yes),
        ("vars.X && needs.a", Truth::Setting),
        ("failure()", Truth::No),
        ("gone", Truth::No),
        ("'it''s' == 'it''s'", Truth::Yes),
        ("this is none", Truth::Unknown),
        ("this is not ) valid", Truth::Unknown),
        ("'open", Truth::Unknown),
        ("(true", Truth::Unknown),
        ("contains('a', 'a'", Truth::Unknown),
        ("true &&", Truth::Unknown),
        ("nofunction('x')", Truth::Unknown),
        ("", Truth::Unknown),
        ("NaN", Truth::No),
        ("0x0", Truth::No),
        ("0x1F", Truth::Yes),
        ("-0", Truth::No),
        ("0.0", Truth::No),
        ("1.5", Truth::Yes),
        ("3 > 2.5", Truth::Yes),
        ("'3' <= 2", Truth::No),
        ("1 == '1'", Truth::Yes),
        ("NaN == NaN", Truth::No),
        ("gone == false", Truth::Yes),
    ] {
        assert_eq!(evaluate(text, &Some3).truth(), expected, "{text}");
    }
    let deep = format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(evaluate(&deep, &Some3), Value::Unknown);
    assert_eq!(interpolate("${{ env.CARGO }} test ${{ x }} ${{", &Some3, '?'), "cargo test ? ${{");
    assert_eq!(
        whole("${{ github.event_name == 'push' && 'a' || 'b' }}", &Some3),
        Value::Text("a".into())
    );
}
