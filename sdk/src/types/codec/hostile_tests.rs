//! JSON that is broken, or made to do harm.
#![allow(clippy::unwrap_used)]

use super::{
    super::{Blob, Bytes, CidLink, Unknown, Value, data_tests::Note, secret::HIDDEN},
    Data as _, DataError, FromData, MAX_DEPTH, Problem, from_cbor, from_json,
};

fn refused<T: FromData>(json: impl AsRef<[u8]>) -> DataError {
    from_json::<T>(json).err().unwrap()
}

#[test]
fn d1_integers_are_64_bits_with_sign() {
    for integer in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(from_json::<i64>(integer.to_string()).unwrap(), integer);
        assert_eq!(integer.to_json().unwrap(), integer.to_string());
        assert_eq!(from_cbor::<i64>(&integer.to_cbor().unwrap()).unwrap(), integer);
    }
    for beyond in
        ["9223372036854775808", "-9223372036854775809", "1".repeat(60).as_str(), "-99999999999999999999"]
    {
        assert_eq!(*refused::<i64>(beyond).problem(), Problem::IntegerRange);
        assert_eq!(*refused::<Value>(beyond).problem(), Problem::IntegerRange);
        assert_eq!(Unknown::from_json(beyond).unwrap().as_json(), beyond);
    }
    assert_eq!(from_json::<i64>("-0").unwrap(), 0);
}

#[test]
fn d1_a_fraction_is_refused_and_never_rounded() {
    for number in ["1.5", "1e-3", "-0.5", "1.05E+1", "0.1e-7", "15e-1", "1e-999999999999999999999"] {
        let error = refused::<i64>(number);
        assert_eq!(*error.problem(), Problem::Float, "{number}");
        assert!(error.to_string().contains("not an integer"), "{error}");
        assert_eq!(*refused::<Value>(number).problem(), Problem::Float, "{number}");
        // Not ours to judge as long as nobody asks.
        let kept = Unknown::from_json(number).unwrap();
        assert_eq!(kept.as_json(), number);
        assert_eq!(*kept.to_cbor().unwrap_err().problem(), Problem::Float);
    }
    let note: Note = from_json(r#"{"text":"","new":{"a":[1.5]}}"#).unwrap();
    assert_eq!(note.to_json().unwrap(), r#"{"$type":"com.example.note","text":"","new":{"a":[1.5]}}"#);
    assert_eq!(note.to_cbor().unwrap_err().path(), "new.a[0]");
}

#[test]
fn numbers_that_are_none() {
    for number in ["01", "-", "-a", "1.", ".5", "1e", "1e+", "+1", "0x10", "--1", "00", "-01", "1.e5"] {
        for error in [refused::<i64>(number), refused::<Value>(number), refused::<Unknown>(number)] {
            let text = error.to_string();
            let fits = ["invalid JSON", "unexpected end of input", "unexpected input after"]
                .iter()
                .any(|problem| text.contains(problem));
            assert!(fits, "{number}: {text}");
        }
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested =
        |open: &str, close: &str, levels: usize| format!("{}{}", open.repeat(levels), close.repeat(levels));
    let most = usize::from(MAX_DEPTH);
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        // The object in the middle needs a value.
        let text = |levels| nested(open, close, levels).replace(":}", ":1}");
        assert!(from_json::<Value>(text(most)).is_ok() && from_json::<Unknown>(text(most)).is_ok());
        assert_eq!(*refused::<Value>(text(most + 1)).problem(), Problem::Depth);
        assert_eq!(*refused::<Value>(open.repeat(1 << 20)).problem(), Problem::Depth);
        let typed = |levels| format!(r#"{{"text":"","new":{}}}"#, text(levels));
        assert!(from_json::<Note>(typed(most - 1)).is_ok());

        // What nobody decodes has none: the odd record of a stranger must not cost the answer that it is in.
        for levels in [most, most + 1, 100_000] {
            let deep = from_json::<Unknown>(text(levels)).unwrap();
            assert_eq!((deep == deep.clone(), deep.to_value().is_ok()), (true, levels <= most));
            assert_eq!(deep.to_cbor().is_ok(), levels <= most);
            assert!(deep.to_json().unwrap() == text(levels));
            // What cannot be read may contain a secret.
            let shown = format!("{deep:?}");
            assert!(if levels <= most { shown == text(levels) } else { shown.ends_with(HIDDEN) });
            let note = from_json::<Note>(typed(levels)).unwrap();
            assert_eq!(note.extra.get("new"), Some(&deep));
            assert_eq!(note.validate().is_ok(), levels <= most);
            assert!(from_json::<Note>(note.to_json().unwrap()).unwrap() == note);
            // It is checked nevertheless.
            for cut in [1, levels / 2, levels] {
                assert!(Unknown::from_json(&text(levels)[..text(levels).len() - cut]).is_err());
            }
            let other = if close == "]" { "}" } else { "]" };
            assert!(Unknown::from_json(text(levels).replacen(close, other, 1)).is_err());
        }
        assert!(Unknown::from_json(open.repeat(1 << 20)).is_err());
    }
    for (head, end) in [(&[0x81][..], &[0x01][..]), (&[0xa1, 0x61, 0x61], &[0x01])] {
        let cbor = |levels: usize| [head.repeat(levels), end.to_vec()].concat();
        assert!(from_cbor::<Value>(&cbor(most)).is_ok() && Unknown::from_cbor(&cbor(most)).is_ok());
        assert_eq!(*from_cbor::<Value>(&cbor(most + 1)).unwrap_err().problem(), Problem::Depth);
        assert_eq!(*Unknown::from_cbor(&cbor(1 << 20)).unwrap_err().problem(), Problem::Depth);
    }
    let mut deep = Value::Null;
    for _ in 0..=most {
        deep = Value::List(vec![deep]);
    }
    assert_eq!(*deep.to_json().unwrap_err().problem(), Problem::Depth);
    assert_eq!(*deep.to_cbor().unwrap_err().problem(), Problem::Depth);
}

#[test]
fn a_field_stands_there_once() {
    for json in
        [r#"{"text":"a","text":"b"}"#, r#"{"text":"","a":1,"a":2}"#, r#"{"a":{"b":1,"b":1},"text":""}"#]
    {
        let error = refused::<Value>(json);
        assert!(matches!(error.problem(), Problem::Duplicate { .. }), "{json}: {error}");
    }
    let error = refused::<Note>(r#"{"text":"a","langs":[],"text":"b"}"#);
    assert!(error.to_string().contains("the field `text` occurs twice"), "{error}");
    let error = refused::<Note>(r#"{"text":"","a":1,"a":2}"#);
    assert!(error.to_string().contains("the field `a` occurs twice"), "{error}");
    for json in [
        r#"{"$type":"com.example.note","text":"","$type":"com.example.note"}"#,
        r#"{"text":"","embed":{"$type":"com.example.embed#link","uri":"x","$type":"com.example.embed#nothing"}}"#,
    ] {
        let error = refused::<Note>(json);
        assert!(error.to_string().contains("the field `$type` occurs twice"), "{error}");
    }
    let kept = Unknown::from_json(r#"{"a":{"b":1,"b":2}}"#).unwrap();
    assert_eq!(kept.to_value().unwrap_err().path(), "a");
}

#[test]
fn very_many_fields_take_no_longer_than_they_have_to() {
    let fields: Vec<String> = (0..50_000).map(|number| format!(r#""new{number}":{number}"#)).collect();
    let json = format!(r#"{{"text":"",{}}}"#, fields.join(","));
    let note: Note = from_json(&json).unwrap();
    assert_eq!(note.extra.len(), 50_000);
    let reversed: Vec<String> = fields.into_iter().rev().collect();
    assert!(note == from_json(format!(r#"{{"text":"",{}}}"#, reversed.join(","))).unwrap());
    let note = from_json::<Value>(note.to_json().unwrap()).unwrap();
    assert_eq!(from_cbor::<Note>(&note.to_cbor().unwrap()).unwrap().extra.len(), 50_000);
}

#[test]
fn escapes_are_decoded_and_broken_ones_refused() {
    let text: String = from_json(r#""\"\\\/\b\f\n\r\tA\u00fc\u6c34\ud83d\ude00 plain""#).unwrap();
    assert_eq!(text, "\"\\/\u{8}\u{c}\n\r\tAü水😀 plain");
    assert_eq!(from_json::<String>(text.to_json().unwrap()).unwrap(), text);
    for bad in [r#""\x""#, r#""\u12""#, r#""\u12g4""#, "\"\n\"", "\"\u{0}\"", r#""\"#, r#""abc"#] {
        let error = refused::<String>(bad).to_string();
        assert!(
            error.contains("invalid JSON") || error.contains("unexpected end of input"),
            "{bad}: {error}"
        );
        assert!(Unknown::from_json(bad).is_err());
    }
}

/// JavaScript writes the half of a character where it has cut a text.
#[test]
fn half_of_a_surrogate_pair_is_the_replacement_character_and_costs_no_page() {
    for (half, text) in [
        (r#""\ud800""#, "\u{fffd}"),
        (r#""\udc00""#, "\u{fffd}"),
        (r#""\uDBFF""#, "\u{fffd}"),
        (r#""\ud800\ud800""#, "\u{fffd}\u{fffd}"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""ü\\ud83d\\\ud83d""#, "ü\\ud83d\\\u{fffd}"),
        (r#""\ud83d\ude00\ud83d\"水""#, "😀\u{fffd}\"水"),
    ] {
        assert_eq!(from_json::<String>(half).unwrap(), text, "{half}");
        assert_eq!(from_json::<Value>(half).unwrap(), Value::from(text), "{half}");
        // What is kept undecoded is JSON for every reader, and has one form in DAG-CBOR.
        let kept = Unknown::from_json(format!(r#"{{ "a": [1, {half}], {half}: {{}} }}"#)).unwrap();
        let tree = serde_json::from_str::<serde_json::Value>(&kept.as_json()).unwrap();
        assert_eq!(tree["a"][1], text, "{half}");
        assert!(tree.get(text).is_some(), "{half}");
        assert_eq!(Unknown::from_cbor(&kept.to_cbor().unwrap()).unwrap(), kept, "{half}");
        assert!(kept.validate().is_ok() && serde_json::to_string(&kept).is_ok(), "{half}");
    }
    let page =
        r#"[{"text":"a"},{"text":"b\ud83d","new":{"cut":"c\ud83d"}},{"text":"d","new":"e\ud83d\ude00"}]"#;
    let notes: Vec<Note> = from_json(page).unwrap();
    assert_eq!(notes[1].text, "b\u{fffd}");
    assert_eq!(notes[1].extra.get("new").unwrap().as_json(), r#"{"cut":"c\ufffd"}"#);
    // What comes after it is kept as it was.
    assert_eq!(notes[2].extra.get("new").unwrap().as_json(), r#""e\ud83d\ude00""#);
    // A half with broken digits behind it is no JSON.
    assert!(
        from_json::<String>(r#""\ud83d\u12""#).is_err() && Unknown::from_json(r#""\ud83d\u12""#).is_err()
    );
}

#[test]
fn text_is_utf_8() {
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xed\xa0\x80\"",
        b"\"\xc0\xaf\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\xef\xbb\xbf1\xff",
    ] {
        let error = refused::<Unknown>(bytes);
        assert_eq!(*error.problem(), Problem::Utf8);
        assert!(error.offset().is_some());
    }
}

#[test]
fn json_that_is_none() {
    for json in [
        "",
        " ",
        "nul",
        "truth",
        "[1,]",
        "[1 2]",
        "[,1]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{a:1}",
        "{1:2}",
        "]",
        "[1}",
        r#"{"a":1]"#,
        "1 2",
        "NaN",
        "Infinity",
        "'a'",
        "// x\n1",
        "[1]]",
    ] {
        assert!(from_json::<Value>(json).is_err(), "{json:?}");
        assert!(Unknown::from_json(json).is_err(), "{json:?}");
        assert!(serde_json::from_str::<serde_json::Value>(json).is_err(), "{json:?}");
    }
    for json in [" 1 ", "\t[\n1 ,\r2 ] ", " { \"a\" : { } , \"b\" : [ ] } "] {
        assert!(from_json::<Value>(json).is_ok() && Unknown::from_json(json).is_ok(), "{json:?}");
    }
}

#[test]
fn d2_links_bytes_and_blobs_have_one_form_in_json() {
    const CID: &str = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a";
    for json in [r#"{"$bytes":"AQI"}"#, r#"{"$bytes":"AQI="}"#] {
        assert_eq!(from_json::<Bytes>(json).unwrap()[..], [1, 2]);
        assert_eq!(from_json::<Value>(json).unwrap().to_json().unwrap(), r#"{"$bytes":"AQI"}"#);
    }
    let link = format!(r#"{{"$link":"{CID}"}}"#);
    assert_eq!(from_json::<CidLink>(&link).unwrap().to_json().unwrap(), link);
    for bad in [
        format!(r#"{{"$link":"{CID}","more":1}}"#),
        format!(r#"{{"a":1,"$link":"{CID}"}}"#),
        r#"{"$link":7}"#.into(),
        r#"{"$bytes":"A?"}"#.into(),
        r#"{"$bytes":"AQI=","a":1}"#.into(),
        r#"{"$bytes":null}"#.into(),
        r#"{"$bytes":"AQI","$link":"x"}"#.into(),
    ] {
        assert!(from_json::<Value>(&bad).is_err(), "{bad}");
        // Kept as it came, all the same.
        assert_eq!(Unknown::from_json(&bad).unwrap().as_json(), bad);
    }
    let blob = format!(r#"{{"$type":"blob","ref":{link},"mimeType":"image/png","size":9,"new":true}}"#);
    assert_eq!(from_json::<Blob>(&blob).unwrap().to_json().unwrap(), blob);
    assert!(matches!(from_json::<Value>(&blob).unwrap(), Value::Blob(_)));
    for bad in [
        format!(r#"{{"$type":"blob","ref":{link},"size":9}}"#),
        format!(r#"{{"$type":"bolb","ref":{link},"mimeType":"a/b","size":9}}"#),
        "{}".into(),
    ] {
        assert!(from_json::<Blob>(&bad).is_err(), "{bad}");
    }
}

#[test]
fn an_error_tells_path_and_place_but_no_value() {
    let error = refused::<Note>(r#"{"text":"secret","embed":{"uri":5,"$type":"com.example.embed#link"}}"#);
    assert_eq!(error.path(), "embed.uri");
    assert_eq!(error.to_string(), "embed.uri: expected a string, found a number (at byte 32)");
    assert!(!format!("{error:?}").contains("secret"));
}
