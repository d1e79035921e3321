//! Query strings: whatever the values, they come out of percent-decoding as they went in.
#![no_main]

use atproto_sdk::xrpc::QueryString;
use libfuzzer_sys::fuzz_target;

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, behind)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(&behind[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
            rest = &behind[2..];
        } else {
            assert!(first.is_ascii_alphanumeric() || b"-._~".contains(&first));
            bytes.push(first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).expect("what went in was UTF-8")
}

fuzz_target!(|input: (Vec<(String, String)>, Vec<String>, i64, bool)| {
    let (pairs, list, integer, boolean) = input;
    let mut query = QueryString::default();
    for (name, value) in &pairs {
        query.push(name, value);
    }
    query.push("list", &list);
    query.push("integer", &integer);
    query.push("boolean", &boolean);
    query.push("absent", &None::<String>);
    let expected = pairs
        .iter()
        .cloned()
        .chain(list.into_iter().map(|value| ("list".to_owned(), value)))
        .chain([("integer".to_owned(), integer.to_string()), ("boolean".to_owned(), boolean.to_string())]);
    let found = query.as_str().split('&').map(|pair| {
        let (name, value) = pair.split_once('=').expect("every entry has a value");
        (decode(name), decode(value))
    });
    assert!(found.eq(expected));
});
