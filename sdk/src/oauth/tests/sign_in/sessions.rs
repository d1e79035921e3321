//! Many sessions, what happens to them, and going on with one.

use std::{future::IntoFuture as _, sync::Mutex, time::Duration};

use super::*;
use crate::{
    clock::unix_now,
    oauth::{SessionEnd, SessionEvent, SignInError},
};

#[tokio::test]
async fn sessions_are_listed_and_signed_out_one_or_all() {
    let net = Net::start().await;
    let did = Did::new(DID).unwrap();
    assert!(net.oauth.accounts().await.unwrap().is_empty());
    let first = net.sign_in("alice.example.com").await.unwrap().client;
    let second = net.sign_in(DID).await.unwrap().client;
    assert_eq!(net.oauth.accounts().await.unwrap(), std::slice::from_ref(&did));
    let sessions = net.oauth.sessions(&did).await.unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().any(|info| info.id == *first.session_id()));
    assert_eq!(sessions[0].scopes, ["atproto"]);
    assert_eq!(sessions[0].requested_scope, "atproto transition:generic");
    assert!(sessions[0].expires_at > std::time::SystemTime::now() && sessions[0].can_refresh);
    first.sign_out().await.unwrap();
    assert_eq!(net.oauth.client(&did).await.unwrap().session_id(), second.session_id());
    net.sign_in(DID).await.unwrap();
    let ended = net.oauth.sign_out_all(&did).await.unwrap();
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|(_, outcome)| *outcome == SignOut::Confirmed));
    assert_eq!(net.stored("").await, 0);
    assert!(net.oauth.sign_out_all(&did).await.unwrap().is_empty());
    assert!(net.oauth.client(&did).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn events_tell_sign_in_refresh_and_end_with_its_reason() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let net = Net::with(|builder| {
        builder.on_session_event(move |event| listener.lock().unwrap().push(event.clone()))
    })
    .await;
    let mut events = net.oauth.events();
    let client = net.sign_in("alice.example.com").await.unwrap().client;
    let id = client.session_id().clone();
    let mut tokens = net.stub.tokens();
    tokens["access_token"] = "access-2".into();
    net.stub.answer("/token", Reply::json(200, tokens));
    client.refresh().await.unwrap();
    client.sign_out().await.unwrap();
    drop(client);
    assert_eq!(events.next().await, Some(SessionEvent::SignedIn { id: id.clone() }));
    let Some(SessionEvent::Refreshed { id: refreshed, expires_at }) = events.next().await else { panic!() };
    assert!(refreshed == id && expires_at > std::time::SystemTime::now());
    assert_eq!(events.next().await, Some(SessionEvent::Ended { id, reason: SessionEnd::SignedOut }));

    let client = net.sign_in("alice.example.com").await.unwrap().client;
    net.stub.answer("/token", Reply::json(400, json!({ "error": "invalid_grant" })));
    client.refresh().await.unwrap_err();
    let reason = SessionEnd::Lost(crate::xrpc::ReauthenticateReason::Revoked);
    let last = SessionEvent::Ended { id: client.session_id().clone(), reason };
    assert!(matches!(events.next().await, Some(SessionEvent::SignedIn { .. })));
    assert_eq!(events.next().await.as_ref(), Some(&last));
    let heard = heard.lock().unwrap().clone();
    assert_eq!((heard.len(), heard.last()), (5, Some(&last)));
    drop((net, client));
    assert_eq!(events.next().await, None, "the app is gone");
}

/// When the only session in the store expires, in days from now.
async fn days_left(net: &Net) -> i64 {
    let key = net.store.list("session/").await.unwrap().pop().unwrap();
    let end = net.store.get(&key).await.unwrap().unwrap().expires_at.unwrap();
    // Rounded up.
    (end - unix_now() + DAY - 1) / DAY
}

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn o45_a_stored_session_expires_with_its_refresh_token_and_every_write_renews_it() {
    let net = Net::start().await;
    let client = net.sign_in(DID).await.unwrap().client;
    assert_eq!(days_left(&net).await, 15, "two weeks for a public client, and a day for wrong clocks");
    // Written by an earlier version, without an end, or long ago.
    let key = client.session_id().store_key();
    for (end, token) in [(None, "access-2"), (Some(unix_now() + 100), "access-3")] {
        let row = net.store.get(&key).await.unwrap().unwrap();
        net.store.put(&key, &row.value, end, Expected::Any).await.unwrap();
        tokens(&net, json!({ "access_token": token }));
        client.refresh().await.unwrap();
        assert_eq!(days_left(&net).await, 15);
    }
    let net = Net::start().await;
    let oauth = net.confidential(&confidential::keyset());
    oauth.authorize(DID, AuthorizeOptions::new()).await.unwrap();
    oauth.callback(&CallbackParams::from_query(&net.stub.consent()).unwrap()).await.unwrap();
    assert_eq!(days_left(&net).await, 181);
    let hour = Duration::from_secs(3600);
    for (lifetime, days) in [(90 * 24 * hour, 91), (hour, 2), (Duration::ZERO, 2), (Duration::MAX, 36_501)] {
        let net = Net::with(|builder| builder.session_lifetime(lifetime)).await;
        net.sign_in(DID).await.unwrap();
        assert_eq!(days_left(&net).await, days, "{lifetime:?}");
    }
    // A token that is valid for longer is stored for longer, but not for good.
    for (expires_in, days) in [(100 * DAY, 101), (i64::MAX, 181)] {
        let net = Net::start().await;
        tokens(&net, json!({ "expires_in": expires_in, "refresh_token": null }));
        net.sign_in(DID).await.unwrap();
        assert_eq!(days_left(&net).await, days, "{expires_in}");
    }
}

#[tokio::test]
async fn an_account_with_too_many_sessions_loses_the_least_recently_refreshed() {
    let net = Net::with(|builder| builder.max_sessions_per_account(3)).await;
    let mut events = net.oauth.events();
    let mut ids = Vec::new();
    for number in 0..3 {
        let id = net.sign_in(DID).await.unwrap().client.session_id().clone();
        let sessions = &net.oauth.context.app.sessions;
        let mut session = sessions.get(&id).await.unwrap().unwrap();
        session.refreshed_at = unix_now() - [200, 300, 100][number];
        sessions.put(&session.id, &session, Expected::Any).await.unwrap();
        ids.push(id);
        assert!(matches!(events.next().await, Some(SessionEvent::SignedIn { .. })));
    }
    assert!(net.stub.requests("/revoke").is_empty());
    for oldest in [1, 0, 2] {
        let newest = net.sign_in(DID).await.unwrap().client.session_id().clone();
        assert_eq!(events.next().await, Some(SessionEvent::SignedIn { id: newest.clone() }));
        let ended = SessionEvent::Ended { id: ids[oldest].clone(), reason: SessionEnd::SignedOut };
        assert_eq!(events.next().await, Some(ended));
        assert_eq!(net.stored("session/").await, 3);
        let did = Did::new(DID).unwrap();
        assert!(net.oauth.sessions(&did).await.unwrap().iter().any(|session| session.id == newest));
    }
    while net.stub.requests("/revoke").len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn tokens_that_are_too_long_to_store_are_refused_and_revoked() {
    for field in ["access_token", "refresh_token"] {
        let net = Net::start().await;
        tokens(&net, json!({ field: "x".repeat((16 << 10) + 1) }));
        let error = net.sign_in(DID).await.unwrap_err();
        assert!(error_text(&error).contains("longer than 16384 bytes"), "{error:?}");
        assert_eq!(net.stub.requests("/revoke").len(), 1);
        assert_eq!(net.stored("").await, 0);
    }
}

#[tokio::test]
async fn a_dropped_callback_still_stores_its_session() {
    let net = Net::start().await;
    net.authorize("alice.example.com").await.unwrap();
    let params = CallbackParams::from_query(&net.stub.consent()).unwrap();
    {
        let mut callback = std::pin::pin!(net.oauth.callback(&params));
        // Until the first wait after the request was sent.
        while net.stub.requests("/token").is_empty() {
            let once = std::future::poll_fn(|cx| std::task::Poll::Ready(callback.as_mut().poll(cx)));
            assert!(once.await.is_pending());
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..200 {
        if net.stored("session/").await == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the session was not stored");
}

#[tokio::test]
async fn o19_a_prompt_that_the_server_does_not_know_is_refused_before_it_is_sent() {
    let net = Net::start().await;
    net.stub.change(SERVER, json!({ "prompt_values_supported": ["none", "login"] }));
    let create = AuthorizeOptions::new().prompt(Prompt::Create);
    let error = net.oauth.authorize(&net.stub.origin, create.clone()).await.unwrap_err();
    assert!(matches!(error, AuthorizeError::Prompt { prompt: "create", .. }), "{error:?}");
    assert!(net.stub.requests("/par").is_empty());
    net.stub.change(SERVER, json!({ "prompt_values_supported": ["none", "create"] }));
    net.oauth.authorize(&net.stub.origin, create).await.unwrap();
    assert_eq!(net.stub.last("/par").form["prompt"], "create");
}

#[tokio::test]
async fn o22_prompt_none_tells_that_the_user_has_to_be_asked() {
    let net = Net::start().await;
    net.oauth.authorize(DID, AuthorizeOptions::new().prompt(Prompt::None)).await.unwrap();
    let query = net.stub.consent().replace("code=code-1", "error=login_required");
    let error = net.callback(&query).await.unwrap_err();
    assert!(error.needs_interaction() && !error.is_denied(), "{error}");
}

#[tokio::test]
async fn a_session_is_resumed_and_its_end_leads_to_a_sign_in() {
    let net = Net::start().await;
    let first = net.sign_in("alice.example.com").await.unwrap().client;
    let resume = || net.oauth.resume_or_sign_in("@alice.example.com").browser(false);
    // As people spell it; sign-ins accept all of these.
    let (scheme, host) = net.stub.origin.split_once("://").unwrap();
    let spelled =
        [format!("{}/", net.stub.origin), format!("{}://{}", scheme.to_uppercase(), host.to_uppercase())];
    for input in ["alice.example.com", DID, &net.stub.origin, &spelled[0], &spelled[1]] {
        let resumed = net.oauth.resume_or_sign_in(input).browser(false).await.unwrap();
        assert!(resumed.resumed && resumed.client.session_id() == first.session_id());
    }
    assert_eq!(net.stub.requests("/par").len(), 2, "nobody was sent anywhere");
    for spelled in ["https://PDS.Example.com", "https://pds.example.com:443/", "HTTPS://pds.example.com"] {
        let origin = net.oauth.context.discovery().typed_server(spelled).unwrap();
        assert_eq!(origin, "https://pds.example.com", "{spelled}");
    }
    // What cannot be signed in at is told in the same way.
    let error = net.oauth.resume_or_sign_in("https://pds.example.com/path").browser(false).await.unwrap_err();
    assert!(matches!(error, SignInError::Authorize(AuthorizeError::Discovery(_))), "{error:?}");
    first.sign_out().await.unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    let waiting = resume().on_url(move |url| drop(tell.send(url.to_owned())));
    let outcome = tokio::spawn(waiting.into_future());
    told.await.unwrap();
    let redirect = net.stub.last("/par").form["redirect_uri"].clone();
    let (origin, path) = redirect.split_at(redirect.rfind('/').unwrap());
    plain_get(origin, &format!("{path}?{}", net.stub.consent())).await;
    let signed_in = outcome.await.unwrap().unwrap();
    assert!(!signed_in.resumed && signed_in.client.session_id() != first.session_id());
}

#[tokio::test]
async fn a_session_of_fewer_scopes_is_not_resumed() {
    let net = Net::start().await;
    net.oauth.authorize(DID, AuthorizeOptions::new().scope("atproto")).await.unwrap();
    net.callback(&net.stub.consent()).await.unwrap();
    assert!(net.oauth.context.resume(DID, "atproto").await.unwrap().is_some());
    assert!(net.oauth.context.resume(DID, "atproto transition:generic").await.unwrap().is_none());
}
