//! Responses of name servers: only those to our own question count, and whatever is in them leads to one DID at most.
#![no_main]

use atproto_sdk::{
    fuzzing::identity::{did_in_records, question, texts_in_response},
    types::Did,
};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "_atproto.alice.example.com";

fuzz_target!(|input: (&[u8], Vec<String>, bool)| {
    let (bytes, records, to_our_question) = input;
    let mut response = bytes.to_vec();
    if to_our_question {
        // Our question with other counts and flags, and then whatever the server likes.
        response = question(7, NAME).expect("the name is good");
        let (flags, rest) = bytes.split_at(bytes.len().min(10));
        response[2..2 + flags.len()].copy_from_slice(flags);
        response.extend_from_slice(rest);
    }
    if let Some(texts) = texts_in_response(7, NAME, &response) {
        assert!(response.len() >= 12 && response[..2] == [0, 7] && response[2] & 0x80 != 0);
        let length: usize = texts.iter().map(String::len).sum();
        assert!(length <= response.len(), "texts are not compressed");
        assert!(texts_in_response(8, NAME, &response).is_none());
        check(&texts);
    }
    check(&records);
    let claimed: Vec<String> = records.iter().map(|record| format!("did={record}")).collect();
    check(&claimed);
});

fn check(records: &[String]) {
    if let Some(did) = did_in_records(records) {
        Did::new(&did).expect("it is a DID");
        let claims = records.iter().filter_map(|record| record.strip_prefix("did="));
        assert!(claims.clone().count() > 0 && claims.map(str::trim).all(|claim| claim == did));
    }
}
