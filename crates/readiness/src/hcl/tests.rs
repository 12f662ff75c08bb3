use super::*;

fn read(text: &str) -> Node {
    document(text).unwrap_or_else(|unread| panic!("{unread:?}\n{text}"))
}

#[test]
fn blocks_attributes_and_values_have_their_places() {
    let root = read(
        "# resource \"x\" \"y\" {}\nresource \"a\" \"b\" {\n  n = -1.5\n  list = [1, \"two\", # three\n    true,\n  ]\n  in { x = null }\n  in { x = \"é\\n\" }\n}\n",
    );
    let b = root.at(&["resource", "a", "b"]).unwrap();
    assert_eq!(root.entries().len(), 1, "a comment is no block");
    assert_eq!(root.entry("resource").unwrap().key_place, Place { line: 2, column: 1 });
    assert_eq!(b.get("n").unwrap().text(), Some("-1.5"));
    assert_eq!(b.get("list").unwrap().texts(), ["1", "two", "true"]);
    assert_eq!(b.get("list").unwrap().items()[2].place, Place { line: 5, column: 5 });
    let nested: Vec<_> = b.entries().iter().filter(|entry| entry.key == "in").collect();
    assert_eq!(nested.len(), 2);
    assert!(nested[0].value.get("x").unwrap().is_null());
    assert_eq!(nested[1].value.get("x").unwrap().text(), Some("é\n"));
}

#[test]
fn what_only_a_run_can_tell_is_computed_and_ends_where_it_ends() {
    let root = read(
        "a = var.x\nb = \"p-${f(\"q}\")}-${x}\"\nc = 1 + 2\nd = [for x in y : { z = x }]\ne = cond ? \"a\" : \"b\"\nf = { for k, v in m : k => v }\ng = { (k) = 1 }\nh = \"$${not}\"\ni = merge(\n  { a = 1 },\n  var.tags,\n)\nz = 1\n",
    );
    for key in ["a", "b", "c", "d", "e", "f", "g", "i"] {
        assert_eq!(root.get(key).unwrap().tag.as_deref(), Some(COMPUTED), "{key}");
    }
    assert_eq!(root.get("h").unwrap().tag, None);
    assert_eq!(root.get("z").unwrap().text(), Some("1"));
    assert_eq!(root.get("b").unwrap().text(), Some("p-${f(\"q}\")}-${x}"));
}

#[test]
fn encoded_values_and_heredocs_are_read() {
    let root = read(
        "c = jsonencode([{ \"image\" : \"a:1\", memory = 512 }])\nd = <<-END\n  resource \"no\" \"block\" {\n  END\ne = 1\n",
    );
    let first = &root.get("c").unwrap().items()[0];
    assert_eq!(first.get("image").unwrap().text(), Some("a:1"));
    assert_eq!(first.get("memory").unwrap().text(), Some("512"));
    assert_eq!(root.get("d").unwrap().text(), Some("  resource \"no\" \"block\" {\n"));
    assert!(root.get("d").unwrap().is_literal());
    assert_eq!(root.get("e").unwrap().place.line, 5);
}

#[test]
fn what_is_no_hcl_is_refused_with_a_place() {
    let wide = format!("a = [{}]\n", "1,".repeat(VALUES_MAX));
    for (text, line, why) in [
        ("a = \n", 1, "a value"),
        ("a {\n", 2, "a name"),
        ("a = [1}\n", 1, "`,` or `]`"),
        ("a = \"x\n", 2, "does not end"),
        ("\na = <<E\nx\n", 4, "does not end"),
        ("a b c d e f g h i j {}\n", 1, "a block"),
        ("}\n", 1, "a name"),
        (wide.as_str(), 1, "more than"),
    ] {
        let unread = document(text).unwrap_err();
        let start: String = text.chars().take(20).collect();
        assert!(unread.why.contains(why), "{start}: {unread:?}");
        assert_eq!(unread.place.line, line, "{start}: {unread:?}");
    }
    for open in ["a = ", "a "] {
        let unread = document(&(open.to_owned() + &"{a ".repeat(100_000))).unwrap_err();
        assert!(!unread.why.is_empty());
    }
    assert!(document(&format!("a = {}", "[".repeat(100_000))).unwrap_err().why.contains("deeper"));
}
