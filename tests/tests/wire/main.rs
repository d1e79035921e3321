//! Every query and procedure on the wire: the typed call of the bindings on one side, and what its Lexicon document says on
//! the other.
//!
//! What has to be sent and received is made here, from the documents as they are written; the calls in `generated` are what
//! `cargo run -p codegen` makes beside the bindings. A mistake of the generator is therefore a difference between the two.
#![allow(clippy::unwrap_used)]

#[path = "../documents/mod.rs"]
mod documents;
mod expected;
#[rustfmt::skip]
#[allow(deprecated, reason = "what lexicons deprecate is still sent and received")]
mod generated;
mod recorder;
mod typed;

use std::collections::{BTreeMap, BTreeSet};

use atproto_sdk::PublicClient;
use serde_json::{Value, json};
use tests::Stub;
use tokio::runtime::{Builder, Runtime};

use documents::{
    Breaker, Broken, Document, Examples, Expected, Lexicons, PROPERTY, Systematic, members, rules_of, texts,
};
use expected::{answer_of, content_type_of, query_string, request_of};
use recorder::{Answer, Recorder, Sent};
use typed::{Given, Method, Outcome, Prevented, Source};

/// Bytes that are no text.
const BYTES: &[u8] = &[0, 159, 146, 150, b'\n', 255];

/// Every method: its document and its typed call.
fn methods(lexicons: &Lexicons) -> Vec<(Document<'_>, &'static Method)> {
    let typed: BTreeMap<&str, &Method> =
        generated::METHODS.iter().copied().flatten().map(|method| (method.nsid, method)).collect();
    let documents = lexicons.methods();
    let found: BTreeSet<&str> = documents.iter().map(|document| document.nsid).collect();
    assert_eq!(typed.keys().copied().collect::<BTreeSet<_>>(), found, "every method has a typed call");
    documents.into_iter().map(|document| (document, typed[document.nsid])).collect()
}

/// Everything that a call is made with, and its answer.
fn given<'l>(document: &Document<'l>, examples: &mut Examples<'l, Systematic>) -> Given {
    let request = unanswered(document, examples);
    let answer = document.output().map(|schema| examples.value(schema, document.nsid));
    Given { answer, ..request }
}

/// Everything that a call is made with.
fn unanswered<'l>(document: &Document<'l>, examples: &mut Examples<'l, Systematic>) -> Given {
    let mut value = |schema| examples.value(schema, document.nsid);
    Given {
        params: document.params().map_or_else(|| json!({}), &mut value),
        input: document.input().map(value),
        bytes: BYTES,
        content_type: None,
        answer: None,
        broken: false,
    }
}

/// A call with what is required alone, and calls with everything until each alternative has had its turn.
fn for_each_example<'l>(
    document: &Document<'l>,
    every: &mut Examples<'l, Systematic>,
    make: fn(&Document<'l>, &mut Examples<'l, Systematic>) -> Given,
    mut with: impl FnMut(&Given, &str),
) {
    let mut least = Examples::new(every.lexicons, Systematic::least());
    with(&make(document, &mut least), &format!("{}, what is required", document.nsid));
    every.choices.begin();
    for count in 1.. {
        with(&make(document, every), &format!("{}, example {count}", document.nsid));
        if every.choices.are_enough(count) {
            break;
        }
    }
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
}

fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Makes the call; the requests that were sent, and how it ended.
fn call(
    method: &Method,
    given: &Given,
    answers: impl IntoIterator<Item = Answer>,
) -> (Vec<Sent>, Result<Outcome, Prevented>) {
    let recorder = Recorder::new(answers);
    let outcome = match (method.call)(Source::Transport(&recorder), given) {
        Ok(calling) => Ok(run(calling)),
        Err(prevented) => Err(prevented),
    };
    (recorder.sent(), outcome)
}

fn assert_answered(document: &Document<'_>, given: &Given, outcome: Result<Outcome, Prevented>, what: &str) {
    match (outcome, &given.answer) {
        (Ok(Outcome::Json { again, difference }), Some(answer)) => {
            assert_eq!(difference, None, "{what}: the decoded output");
            assert_eq!(again, *answer, "{what}: the output is encoded as it was");
        }
        (Ok(Outcome::Bytes(bytes)), None) => assert_eq!(bytes, BYTES, "{what}"),
        (Ok(Outcome::Empty), None) => assert_eq!(document.output_encoding(), None, "{what}"),
        (outcome, _) => panic!("{what}: {outcome:?}"),
    }
}

#[test]
fn x1_x2_requests_and_answers_are_what_the_documents_say() {
    let lexicons = Lexicons::load();
    let (mut calls, mut examples) = (0, Examples::new(&lexicons, Systematic::every()));
    for (document, method) in methods(&lexicons) {
        for_each_example(&document, &mut examples, given, |given, what| {
            let (sent, outcome) = call(method, given, [answer_of(&document, given)]);
            assert_eq!(sent.len(), 1, "{what}: {outcome:?}");
            request_of(&document, given).assert_is(&sent[0], what);
            assert_answered(&document, given, outcome, what);
            calls += 1;
        });
    }
    assert!(calls > 2500, "there are more alternatives in the documents than {calls}");
}

#[test]
fn l10_unknown_fields_are_kept_in_inputs_and_outputs() {
    let lexicons = Lexicons::load();
    let mut least = Examples::new(&lexicons, Systematic::least().with_unknown_fields());
    let mut every = Examples::new(&lexicons, Systematic::every().with_unknown_fields());
    for (document, method) in methods(&lexicons) {
        for examples in [&mut least, &mut every] {
            let given = given(&document, examples);
            let (sent, outcome) = call(method, &given, [answer_of(&document, &given)]);
            request_of(&document, &given).assert_is(&sent[0], document.nsid);
            assert_answered(&document, &given, outcome, document.nsid);
        }
    }
}

#[test]
fn x3_a_named_error_is_its_variant_and_another_one_is_none() {
    let lexicons = Lexicons::load();
    let mut named = 0;
    for (document, method) in methods(&lexicons) {
        let given = given(&document, &mut Examples::new(&lexicons, Systematic::least()));
        let failure = |name: &str, status: u16| {
            let body = json!({"error": name, "message": "an example"});
            Answer { status, ..Answer::json(&body) }
        };
        // The name counts, whatever the status.
        for (name, status) in
            document.errors().into_iter().zip([400, 401, 403, 404, 409, 422].into_iter().cycle())
        {
            let (_, outcome) = call(method, &given, [failure(name, status)]);
            assert!(
                matches!(outcome, Ok(Outcome::Named(found)) if found == name),
                "{}, {name}: {outcome:?}",
                document.nsid
            );
            named += 1;
        }
        let (_, outcome) = call(method, &given, [failure("SomethingElse", 400)]);
        let expected = format!("{} answered 400 Bad Request: SomethingElse: an example", document.nsid);
        assert!(
            matches!(&outcome, Ok(Outcome::Other(found)) if *found == expected),
            "{}: {outcome:?}",
            document.nsid
        );
    }
    assert!(named > 100, "there are more errors in the documents than {named}");
}

/// The call once for each constraint, with that constraint broken.
fn broken_calls<'l>(
    document: &Document<'l>,
    example: &Given,
    breaker: &mut Breaker<'l>,
) -> Vec<(Given, Broken)> {
    let mut calls = Vec::new();
    if let Some(schema) = document.params() {
        let of_params = breaker.of(schema, document.nsid, &example.params);
        calls.extend(of_params.into_iter().map(|it| (example.with_params(it.value.clone()), it)));
    }
    if let (Some(schema), Some(input)) = (document.input(), &example.input) {
        let of_input = breaker.of(schema, document.nsid, input);
        calls.extend(of_input.into_iter().map(|it| (example.with_input(it.value.clone()), it)));
    }
    calls
}

/// The call was impossible, or refused because of the constraint and nothing else.
fn assert_refused(case: &Broken, outcome: Result<Outcome, Prevented>, what: &str) {
    match (&case.expected, outcome) {
        (Expected::Prevented, Err(prevented)) => assert_eq!(prevented.path, case.path, "{what}"),
        (Expected::Refused(wrong), Ok(Outcome::Refused(found))) => case.assert_found(wrong, &found, what),
        (expected, outcome) => panic!("{what}: {outcome:?}, expected {expected:?}"),
    }
}

#[test]
fn l4_l5_a_call_that_breaks_a_constraint_is_refused_before_it_is_sent() {
    let lexicons = Lexicons::load();
    let (mut broken, mut done, mut wanted) = (0, BTreeSet::new(), BTreeMap::new());
    let mut examples = Examples::new(&lexicons, Systematic::every());
    for (document, method) in methods(&lexicons) {
        for schema in [document.params(), document.input()].into_iter().flatten() {
            for (nsid, schema) in lexicons.reachable(schema, document.nsid) {
                wanted.extend(rules_of(schema).into_iter().map(|rule| (rule, format!("{nsid}, {}", rule.1))));
            }
        }
        let mut breaker = Breaker::new(&lexicons);
        for_each_example(&document, &mut examples, unanswered, |example, _| {
            for (given, case) in broken_calls(&document, example, &mut breaker) {
                let what = format!("{}, {} of `{}`", document.nsid, case.rule.1, case.path);
                let (sent, outcome) = call(method, &given, []);
                assert_eq!(sent, [], "{what}: nothing is sent");
                assert_refused(&case, outcome, &what);
                broken += 1;
            }
        });
        done.append(&mut breaker.done);
    }
    let missing: Vec<&String> =
        wanted.iter().filter(|(rule, _)| !done.contains(rule)).map(|(_, name)| name).collect();
    assert_eq!(missing, Vec::<&String>::new(), "constraints that have not been broken");
    assert!(broken > 650, "there are more constraints in the documents than {broken}");
}

/// An answer is not refused for its limits, nor for malformed identifiers and other texts; for a string that a closed set does
/// not have, it is.
#[test]
fn l4_l5_l6_an_answer_is_refused_only_if_no_value_can_hold_it() {
    let lexicons = Lexicons::load();
    let (mut refused, mut kept) = (0, 0);
    let (mut examples, mut breaker) =
        (Examples::new(&lexicons, Systematic::every()), Breaker::new(&lexicons));
    for (document, method) in methods(&lexicons) {
        let Some(schema) = document.output() else { continue };
        for_each_example(&document, &mut examples, given, |example, _| {
            let answer = example.answer.as_ref().unwrap();
            for case in breaker.of(schema, document.nsid, answer) {
                let what = format!("{}, {} of `{}`", document.nsid, case.rule.1, case.path);
                let given = Given { answer: Some(case.value), broken: true, ..example.clone() };
                let (_, outcome) = call(method, &given, [answer_of(&document, &given)]);
                if let Expected::Refused(_) = case.expected {
                    assert_answered(&document, &given, outcome, &what);
                    kept += 1;
                } else {
                    let start =
                        format!("the response of {} does not conform to its lexicon: ", document.nsid);
                    let is_refused = matches!(&outcome, Ok(Outcome::Other(it)) if it.starts_with(&start));
                    assert!(is_refused, "{what}: {outcome:?}");
                    refused += 1;
                }
            }
        });
    }
    assert!(refused > 0 && kept > 500, "there is more to break in the documents than {refused} and {kept}");
}

#[test]
fn x8_the_second_page_is_asked_for_with_the_cursor_and_nothing_else_changes() {
    let lexicons = Lexicons::load();
    let mut listings = 0;
    for (document, method) in methods(&lexicons) {
        let listed = document.listed(&lexicons);
        assert_eq!(method.list.is_some(), listed.is_some(), "whether {} is paginated", document.nsid);
        let (Some(list), Some(listed)) = (method.list, listed) else { continue };
        let mut given = given(&document, &mut Examples::new(&lexicons, Systematic::full()));
        given.params.as_object_mut().unwrap().remove("cursor");
        let mut pages = [given.answer.clone().unwrap(), given.answer.clone().unwrap()];
        let entries = pages[0][listed].as_array().unwrap().len();
        assert!(entries > 0, "{}", document.nsid);
        pages[0]["cursor"] = "a second/page".into();
        pages[1].as_object_mut().unwrap().remove("cursor");
        let recorder = Recorder::new(pages.iter().map(Answer::json));
        let listing = list(Source::Transport(&recorder), &given).unwrap();
        assert_eq!(run(listing), Ok(entries * 2), "{}", document.nsid);
        let sent = recorder.sent();
        assert_eq!(sent.len(), 2, "{}", document.nsid);
        request_of(&document, &given).assert_is(&sent[0], document.nsid);
        given.params["cursor"] = "a second/page".into();
        request_of(&document, &given).assert_is(&sent[1], document.nsid);
        listings += 1;
    }
    assert!(listings > 50, "there are more listings in the documents than {listings}");
}

#[test]
fn x9_an_answer_of_another_content_type_is_refused() {
    let lexicons = Lexicons::load();
    for (document, method) in methods(&lexicons) {
        let given = given(&document, &mut Examples::new(&lexicons, Systematic::least()));
        let page = Answer { content_type: Some("text/html"), ..answer_of(&document, &given) };
        let (_, outcome) = call(method, &given, [page]);
        match document.output_encoding() {
            // Nothing is read, or everything.
            None | Some("*/*") => assert_answered(&document, &given, outcome, document.nsid),
            Some(encoding) => {
                let expected = format!(
                    "the response of {} has the content type `text/html`, expected `{encoding}`",
                    document.nsid
                );
                assert!(
                    matches!(&outcome, Ok(Outcome::Other(found)) if *found == expected),
                    "{}: {outcome:?}",
                    document.nsid
                );
            }
        }
    }
}

#[test]
fn x7_the_content_type_of_bytes_is_that_of_the_caller() {
    let lexicons = Lexicons::load();
    let of_any_type: Vec<_> = methods(&lexicons)
        .into_iter()
        .filter(|(document, _)| document.input_encoding() == Some("*/*"))
        .collect();
    assert!(!of_any_type.is_empty());
    for (document, method) in of_any_type {
        let mut given = given(&document, &mut Examples::new(&lexicons, Systematic::least()));
        given.content_type = Some("image/png");
        let (sent, _) = call(method, &given, [answer_of(&document, &given)]);
        request_of(&document, &given).assert_is(&sent[0], document.nsid);
        assert!(sent[0].headers.contains(&("content-type".to_owned(), "image/png".to_owned())));
    }
}

/// Nothing that a method can send or receive is left out of the examples.
#[test]
fn examples_have_every_property_and_every_alternative() {
    let lexicons = Lexicons::load();
    let (mut examples, mut wanted) = (Examples::new(&lexicons, Systematic::every()), BTreeMap::new());
    for document in lexicons.methods() {
        for_each_example(&document, &mut examples, given, |_, _| {});
        let schemas = [document.params(), document.input(), document.output()].into_iter().flatten();
        for (nsid, schema) in schemas.flat_map(|schema| lexicons.reachable(schema, document.nsid)) {
            for (key, property) in schema.get("properties").into_iter().flat_map(members) {
                wanted.insert((std::ptr::from_ref(property), PROPERTY), format!("{nsid}: {key}"));
            }
            for key in ["enum", "knownValues", "refs"] {
                let values = texts(schema, key).into_iter().enumerate();
                wanted.extend(values.map(|(number, value)| {
                    ((std::ptr::from_ref(schema), number), format!("{nsid}: {value}"))
                }));
            }
        }
    }
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|(place, _)| !examples.choices.seen.contains(place))
        .map(|(_, name)| name)
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert!(wanted.len() > 3000, "there is more in the documents than {}", wanted.len());
}

/// Over HTTP, with the methods of a client.
#[tokio::test]
async fn x1_over_http_the_request_line_and_headers_are_what_the_documents_say() {
    let lexicons = Lexicons::load();
    let stub = Stub::start().await.unwrap();
    let client = PublicClient::new(&stub.url()).unwrap();
    for (document, method) in methods(&lexicons) {
        let given = given(&document, &mut Examples::new(&lexicons, Systematic::full()));
        let (path, answer) = (format!("/xrpc/{}", document.nsid), answer_of(&document, &given));
        let scripted = tests::Answer::status(answer.status).body(answer.body);
        stub.answer(
            &path,
            match answer.content_type {
                Some(mime) => scripted.header("content-type", mime),
                None => scripted,
            },
        );
        let outcome = (method.call)(Source::Client(&client), &given).unwrap().await;
        assert_answered(&document, &given, Ok(outcome), document.nsid);
        let [received] = stub.received_at(&path).try_into().unwrap();
        let expected = request_of(&document, &given);
        assert_eq!((received.method.as_str(), &received.query), (document.verb(), &expected.query), "{path}");
        assert_eq!(received.header("content-type"), content_type_of(&document, &given), "{path}");
        assert_eq!(received.header("accept"), document.output_encoding().or(Some("*/*")), "{path}");
        let body =
            received.header("content-length").is_some_and(|length| length != "0").then_some(received.body);
        expected.assert_body(body.as_deref(), &path);
    }
}

/// What is expected, written by hand for some methods: the half of these tests that is made from documents is right.
#[test]
fn expectations_are_those_that_a_person_would_write() {
    let lexicons = Lexicons::load();
    let document =
        |nsid: &str| lexicons.methods().into_iter().find(|document| document.nsid == nsid).unwrap();
    let query = |nsid: &str, params: Value| query_string(&document(nsid), &params);
    let list_records = "com.atproto.repo.listRecords";
    let params = json!({"cursor": "ü /&=+", "repo": "did:plc:abc", "collection": "app.bsky.feed.post", "reverse": true});
    assert_eq!(
        query(list_records, params),
        "repo=did%3Aplc%3Aabc&collection=app.bsky.feed.post&limit=50&cursor=%C3%BC%20%2F%26%3D%2B&reverse=true"
    );
    let posts = json!({"uris": ["at://b.example/c/1", "at://a.example/c/2"]});
    assert_eq!(
        query("app.bsky.feed.getPosts", posts),
        "uris=at%3A%2F%2Fb.example%2Fc%2F1&uris=at%3A%2F%2Fa.example%2Fc%2F2"
    );
    let put_record = document("com.atproto.repo.putRecord");
    let least = given(&put_record, &mut Examples::new(&lexicons, Systematic::least()));
    assert_eq!(
        least.input,
        Some(json!({
            "repo": "did:plc:z72i7hdynmk6r22z27h6tvur",
            "collection": "app.bsky.feed.post",
            "rkey": "3jzfcijpj2z2a",
            "record": {"$type": "com.example.thing", "text": "€", "list": [1, {"of": null}]},
        }))
    );
    let request = request_of(&put_record, &least);
    let json_type = "application/json".to_owned();
    assert_eq!(
        (request.verb, request.nsid.as_str(), request.query.as_str()),
        ("POST", "com.atproto.repo.putRecord", "")
    );
    assert_eq!(
        request.headers,
        [("accept".to_owned(), json_type.clone()), ("content-type".to_owned(), json_type)]
    );
    assert_eq!((put_record.errors(), put_record.listed(&lexicons)), (vec!["InvalidSwap"], None));
    assert_eq!(document(list_records).listed(&lexicons), Some("records"));
    assert_eq!(
        request_of(&document("com.atproto.repo.uploadBlob"), &least).headers[1].1,
        "application/octet-stream"
    );
    assert_eq!(document("com.atproto.sync.getRepo").output_encoding(), Some("application/vnd.ipld.car"));
}
