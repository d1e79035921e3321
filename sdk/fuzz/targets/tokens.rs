//! Token responses: what is accepted can be sent in a header, and is not shown.
#![no_main]

use atproto_sdk::{fuzzing::oauth::token_response, types::Did};
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fn check(body: &[u8]) -> bool {
    let Some(tokens) = token_response(body) else { return false };
    for token in [Some(&tokens.access), tokens.refresh.as_ref()].into_iter().flatten() {
        assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(HeaderValue::from_str(&format!("DPoP {token}")).is_ok());
    }
    assert!(tokens.scope.split(' ').any(|scope| scope == "atproto"));
    Did::new(&tokens.sub).expect("it is a DID");
    // What is shown does not depend on the tokens.
    if let Ok(mut other) = serde_json::from_slice::<serde_json::Value>(body) {
        other["access_token"] = "x".into();
        other["refresh_token"] = "x".into();
        let other = token_response(other.to_string().as_bytes()).expect("it was accepted");
        assert_eq!(tokens.debug, other.debug);
    }
    true
}

fuzz_target!(|input: (&[u8], &str, Option<&str>, &str, &str)| {
    let (body, access, refresh, scope, sub) = input;
    check(body);
    let made = json!({
        "access_token": access, "refresh_token": refresh, "token_type": "DPoP", "expires_in": 300,
        "scope": format!("atproto {scope}"), "sub": sub,
    });
    check(made.to_string().as_bytes());
    let good = json!({
        "access_token": access, "refresh_token": refresh, "token_type": "dpop", "scope": "atproto",
        "sub": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    });
    let usable = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    assert_eq!(check(good.to_string().as_bytes()), usable(access) && refresh.is_none_or(usable));
});
