//! What servers say is shown to people, and written to terminals and logs.

use super::{Scripted, answer, handle, json};
use crate::{
    api::{
        app::bsky::feed::like::Like,
        com::atproto::identity::{ComAtprotoIdentity, resolve_handle},
    },
    records::Records,
    types::{Data as _, Did, RecordKey, from_json},
    xrpc::{Caller, Error},
};

const HOSTILE: &str = "one\\r\\ntwo\\u001b[2J\\u202egnp.exe";

fn is_clean(text: &str) {
    assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}' && c != '\u{2066}'), "{text:?}");
    assert!(text.chars().count() < 1000, "{} characters", text.chars().count());
}

async fn error_of(
    response: impl Fn() -> crate::xrpc::TransportResponse + Send + Sync,
) -> Error<resolve_handle::Error> {
    let transport = Scripted::new(|_, _| Ok(response()));
    let call = ComAtprotoIdentity::over(&transport).resolve_handle(resolve_handle::Params::new(handle()));
    call.without_retry().await.unwrap_err()
}

#[tokio::test]
async fn x3_messages_of_servers_are_short_and_harmless() {
    let long = "x".repeat(60_000);
    for text in [HOSTILE, &long] {
        let bodies = [
            format!(r#"{{"error": "{text}", "message": "{text}"}}"#),
            format!(
                "<html><b>{}</b></html>",
                text.replace("\\u001b", "\u{1b}").replace("\\u202e", "\u{202e}")
            ),
        ];
        for body in bodies {
            let error = error_of(|| answer(400, &[("ratelimit-policy", "1;w=1")], body.clone())).await;
            is_clean(&error.to_string());
            is_clean(error.server_message().unwrap());
            let response = error.response().unwrap();
            is_clean(&format!("{response:?}"));
        }
    }
    let error = error_of(|| answer(400, &[], format!(r#"{{"error": "E", "message": "{HOSTILE}"}}"#))).await;
    assert_eq!(error.server_message(), Some("one  two [2J\u{fffd}gnp.exe"));
}

#[tokio::test]
async fn values_in_the_errors_of_decoding_are_short_and_harmless() {
    let long = "x".repeat(60_000);
    for text in [HOSTILE, &long] {
        // A broken identifier is kept, and what is said about it is as harmless.
        let body = format!(r#"{{"did": "{text}"}}"#);
        let output: resolve_handle::Output = from_json(body).unwrap();
        is_clean(&output.validate().unwrap_err().to_string());
        is_clean(&Did::new(output.did.as_str()).unwrap_err().to_string());
        let record = format!(r#"{{"uri": "{text}", "value": {{"$type": "{text}"}}}}"#);
        let transport = Scripted::new(move |_, _| Ok(json(record.clone())));
        let likes = Records::<Like>::new(Caller::new(&transport), handle());
        let error = likes.get(&RecordKey::new("self").unwrap()).await.unwrap_err();
        assert!(error.unreadable_record().is_some());
        is_clean(&error.to_string());
        for body in [
            format!(r#"{{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "{text}": 1, "{text}": 2}}"#),
            format!(r#"{{"did": {{"{text}": "#),
        ] {
            let error = error_of(|| json(body.clone())).await;
            is_clean(&error.to_string());
        }
    }
    let error = error_of(|| answer(200, &[("content-type", &"text/x".repeat(1000))], "{}")).await;
    is_clean(&error.to_string());
}

#[tokio::test]
async fn x3_an_error_of_the_lexicon_is_named_once() {
    let error =
        error_of(|| answer(400, &[], r#"{"error": "HandleNotFound", "message": "no such handle"}"#)).await;
    assert_eq!(error.lexicon_error(), Some(resolve_handle::Error::HandleNotFound));
    assert_eq!(
        error.to_string(),
        "com.atproto.identity.resolveHandle answered 400 Bad Request: HandleNotFound: no such handle"
    );
    assert_eq!(format!("{:?}", crate::Report::new(error)).matches("HandleNotFound").count(), 1);
}
