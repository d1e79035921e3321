#![allow(clippy::unwrap_used)]

use super::{JsonProblem, Kind, MAX_DEPTH, parse, parse_object_literal, to_pretty};

fn fails(text: &str) -> (u32, u32, String, String) {
    let error = parse(text.as_bytes()).unwrap_err();
    (error.position.line, error.position.column, error.json_path, error.problem.to_string())
}

#[test]
fn every_kind_of_value_keeps_its_place() {
    let value =
        parse(b" {\"a\": [1, -2.5e+3, \"x\"],\n  \"b\": null, \"c\": true, \"d\": {}, \"e\": []}\r\n")
            .unwrap();
    let b = value.get("b").unwrap();
    assert_eq!((b.position.line, b.position.column), (2, 8));
    assert_eq!(value.as_object().unwrap()["b"].position.column, 3);
    let a = value.get("a").unwrap().as_array().unwrap();
    assert_eq!(a[1].kind, Kind::Number("-2.5e+3".to_owned()));
    assert_eq!(a[2].as_str(), Some("x"));
    assert_eq!(parse(to_pretty(&value).as_bytes()).unwrap().get("c").unwrap().kind, Kind::Bool(true));
}

#[test]
fn syntax_errors_name_line_column_and_path() {
    assert_eq!(fails("{\n  \"a\": {\"b\": ?}}").3, "expected a value, found `?`");
    let (line, column, path, _) = fails("{\n  \"a\": {\"b\": [1, ?]}}");
    assert_eq!((line, column, path.as_str()), (2, 18, "a.b[1]"));
    assert_eq!(fails("").3, "expected a value, found the end of the file");
    assert_eq!(parse("\u{feff}1".as_bytes()).unwrap().kind, Kind::Number("1".to_owned()));
    assert_eq!(fails("{\"a\":1,}").3, "expected a key in double quotes, found `}`");
    assert_eq!(fails("[1,]").3, "expected a value, found `]`");
    assert_eq!(fails("[1 2]").3, "expected `,` or `]`, found `2`");
    assert_eq!(fails("{\"a\" 1}").3, "expected `:`, found `1`");
    assert_eq!(fails("{} x").3, "expected the end of the file, found `x`");
    assert_eq!(fails("nil").3, "expected a value, found `nil`");
    assert_eq!(fails("{'a': 1}").3, "expected a key in double quotes, found `'`");
    assert_eq!(fails("{a: 1}").3, "expected a key in double quotes, found `a`");
    assert_eq!(fails("// x\n1").3, "expected a value, found `/`");
}

#[test]
fn numbers_follow_the_grammar() {
    for good in ["0", "-0", "12", "1.5", "1e9", "-1E-9"] {
        assert_eq!(parse(good.as_bytes()).unwrap().kind, Kind::Number(good.to_owned()));
    }
    for bad in ["01", "-", "1.", ".5", "1e", "+1", "0x10", "1_000", "1.2.3", "NaN"] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn strings_and_escapes() {
    let value = parse(br#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#).unwrap();
    assert_eq!(value.as_str(), Some("\"\\/\u{8}\u{c}\n\r\té😀"));
    for bad in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dA""#, r#""\x41""#, r#""\u12""#, "\"a\nb\"", "\"a"] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn duplicate_keys_are_refused() {
    let error = parse(b"{\"a\": {\"b\": 1,\n \"b\": 2}}").unwrap_err();
    assert_eq!((error.position.line, error.position.column, error.json_path.as_str()), (2, 2, "a"));
    assert!(matches!(error.problem, JsonProblem::DuplicateKey { .. }));
}

#[test]
fn nesting_is_bounded() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(parse(deep(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(parse(deep(MAX_DEPTH + 2).as_bytes()).unwrap_err().problem, JsonProblem::TooDeep);
    assert_eq!(parse("[".repeat(100_000).as_bytes()).unwrap_err().problem, JsonProblem::TooDeep);
    assert_eq!(parse("{\"a\":".repeat(100_000).as_bytes()).unwrap_err().problem, JsonProblem::TooDeep);
}

#[test]
fn bad_utf8_names_its_place() {
    let error = parse(b"{\"a\":\n \"\xC3\xA9\xFF\"}").unwrap_err();
    assert_eq!(error.problem, JsonProblem::NotUtf8);
    assert_eq!((error.position.line, error.position.column), (2, 4));
}

#[test]
fn object_literals_of_javascript() {
    let text = "// x = {\nexport const x = /* here */ {\n  bare: 'it\\'s \"so\"', // end\n  'quoted-key': \"a\\x41\\u{1F600}\\v\",\n  t: `line\n$two \\` end`, list: [1, 2,], joined: 'a' +\n 'b', $d_1: -1,\n} as const;\nrest ?";
    let start = text.find("x = /*").unwrap() + 4;
    let value = parse_object_literal(text, start).unwrap();
    assert_eq!(value.position.line, 2);
    assert_eq!(value.get("bare").unwrap().as_str(), Some("it's \"so\""));
    assert_eq!(value.get("quoted-key").unwrap().as_str(), Some("aA😀\u{b}"));
    assert_eq!(value.get("t").unwrap().as_str(), Some("line\n$two ` end"));
    assert_eq!(value.get("list").unwrap().as_array().unwrap().len(), 2);
    assert_eq!(value.get("joined").unwrap().as_str(), Some("ab"));
    assert_eq!(value.get("$d_1").unwrap().kind, Kind::Number("-1".to_owned()));
    for bad in
        ["{a: b}", "{...a}", "{a: `${b}`}", "{a: 1", "{a: 1 /* }", "{a: f()}", "{[a]: 1}", "{a: 'b' + c}"]
    {
        assert!(parse_object_literal(bad, 0).is_err(), "{bad}");
    }
}

#[test]
fn printing_is_stable() {
    let text = "{\n  \"a\": [\n    1,\n    \"x\\ty\\u0001é\"\n  ],\n  \"b\": {},\n  \"c\": []\n}\n";
    assert_eq!(to_pretty(&parse(text.as_bytes()).unwrap()), text);
}
