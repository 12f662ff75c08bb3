use proptest::prelude::*;

use super::*;
use crate::pipeline::jenkins::syntax::{Expression, Part};

fn one(text: &str) -> Says {
    let (mut block, _) = file(text).unwrap();
    assert_eq!(block.len(), 1, "{text}: {block:?}");
    block.remove(0).says
}

fn expression(text: &str) -> Expression {
    match one(text) {
        Says::Expression(expression) => expression,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn calls_have_their_arguments_with_and_without_parentheses() {
    for text in [
        "a 'x', b: 1, { c() }",
        "a('x', b: 1) { c() }",
        "a('x', b: 1, { c() })",
        "a 'x',\n  b: 1, {\n  c()\n}",
        "a('x',\n  b: 1\n) { n, m ->\n  c()\n}",
    ] {
        let expression = expression(text);
        let call = expression.call().unwrap();
        assert_eq!(call.name, "a", "{text}");
        assert_eq!(call.plain().next().unwrap().text().as_deref(), Some("x"), "{text}");
        assert_eq!(call.named("b").unwrap().value, Value::Number("1".into()), "{text}");
        let Says::Expression(inner) = &call.body().unwrap()[0].says else { panic!("{text}") };
        assert_eq!(inner.call().unwrap().name, "c", "{text}");
    }
    let chained = expression("docker.image('x')\n  .inside('-v') { sh 'y' }");
    let call = chained.call().unwrap();
    assert_eq!((call.name.as_str(), call.of.is_some()), ("inside", true));
}

/// A statement in a few words.
fn told(says: Says) -> String {
    match says {
        Says::Assign { target, .. } => format!("assign {}", target.as_deref().unwrap_or("?")),
        Says::Function { name, parameters, .. } => {
            format!("function {name} {}", parameters.join(" ")).trim_end().to_owned()
        }
        Says::Expression(expression) => match expression.call() {
            Some(call) => format!("call {}", call.name),
            None => "other".into(),
        },
        Says::If { branches, .. } => format!("if {}", branches.len()),
        Says::Try { caught, .. } => format!("try {}", caught.len()),
        Says::Perhaps(_) => "perhaps".into(),
        Says::Library(names) => format!("library {}", names.join(" ")),
        Says::Return(_) => "return".into(),
        Says::Throw => "throw".into(),
        Says::Unknown => "unknown".into(),
        Says::Nothing => "nothing".into(),
    }
}

#[test]
fn statements_are_told_from_each_other() {
    for (text, expected) in [
        ("def a = 1", "assign a"),
        ("String a = 'b'", "assign a"),
        ("Map<String, List<String>> a = [:]", "assign a"),
        ("env.A = 'b'", "assign env.A"),
        ("env['A'] = 'b'", "assign env.A"),
        ("a += 1", "assign ?"),
        ("def (a, b) = c()", "assign ?"),
        ("def f(String a, b = 1) { }", "function f a b"),
        ("private void f() {\n}", "function f"),
        ("@NonCPS\ndef f(a) { }", "function f a"),
        ("def f = { a() }", "function f"),
        ("agent any", "call agent"),
        ("checkout scm", "call checkout"),
        ("if (a) b() else c()", "if 1"),
        ("if (a) {\n}\nelse if (b) {\n}\nelse {\n}", "if 2"),
        ("try { a() } catch (B | C e) { } finally { }", "try 1"),
        ("for (int i = 0; i < 3; i++) { }", "perhaps"),
        ("switch (a) { case 'b': c(); break\n default: d() }", "perhaps"),
        ("@Library(['a', 'b']) _", "library a b"),
        ("return a ?: b", "return"),
        ("throw new Exception('a')", "throw"),
        ("a b c d", "unknown"),
        ("[a: 1]", "other"),
    ] {
        assert_eq!(told(one(text)), expected, "{text}");
    }
    for nothing in ["import a.b.*", "class A { def b() { c() } }", "", "// a", "/* a */"] {
        assert!(file(nothing).unwrap().0.is_empty(), "{nothing}");
    }
}

#[test]
fn texts_are_what_groovy_makes_of_them() {
    let code = |code: &str| Part::Code(code.to_owned());
    let text = |text: &str| Part::Text(text.to_owned());
    for (source, expected) in [
        ("'a $b ${c}'", vec![text("a $b ${c}")]),
        (
            "\"a $b.c ${d['e']}!\"",
            vec![text("a "), code("b.c"), text(" "), code("d['e']"), text("!")],
        ),
        ("\"${a ? \"}\" : '}'}\"", vec![code("a ? \"}\" : '}'")]),
        ("\"\\$a \\t\\u0041\\q\"", vec![text("$a \tA\\q")]),
        ("'''a\n'b' ''c'''", vec![text("a\n'b' ''c")]),
        ("\"\"\"a\n\"b\" $c\"\"\"", vec![text("a\n\"b\" "), code("c")]),
        ("x = /a\\/b\\d/", vec![text("a/b\\d")]),
        ("x = $/a $$ $/ b/$", vec![text("a $ / b")]),
        ("''", vec![]),
    ] {
        let value = match one(source) {
            Says::Expression(expression) | Says::Assign { value: expression, .. } => expression,
            other => panic!("{source}: {other:?}"),
        };
        let Value::Text(found) = value.value else { panic!("{source}: {value:?}") };
        assert_eq!(found.parts, expected, "{source}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_within_bounds(
        any in ".{0,300}",
        signs in "[a-c '\"/$(){}\\[\\]:,.;=!?*+\\-\n\\\\@<>0]{0,300}",
    ) {
        for text in [any, signs] {
            let lines: Vec<usize> = text.split('\n').map(|line| line.chars().count()).collect();
            let inside = |place: Place| {
                let line = lines.get(place.line as usize - 1);
                line.is_some_and(|length| place.column as usize <= length + 1)
            };
            match file(&text) {
                Ok((_, tokens)) => {
                    prop_assert!(tokens.len() <= text.chars().count());
                    prop_assert!(tokens.iter().all(|token| inside(token.place)));
                }
                Err(error) => prop_assert!(inside(error.place), "{error:?}"),
            }
        }
    }
}
