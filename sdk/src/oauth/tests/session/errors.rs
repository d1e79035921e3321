//! Errors of calls that say nothing about the session, and a server that rejects its own tokens.

use super::*;
use crate::xrpc::{AccountProblem, Error, ErrorKind};

async fn call(world: &World) -> Error {
    world.client.com_atproto_server().get_session().await.unwrap_err().erase()
}

/// The error of a call that is answered like this, after which the session is as it was.
async fn answered(world: &World, status: u16, headers: &str, body: &str) -> Error {
    world.stub.with(|s| s.answers_calls = Some((status, headers.into(), body.into())));
    let error = call(world).await;
    world.stub.with(|s| s.answers_calls = None);
    assert_eq!(world.refreshes(), 0, "{error}");
    assert!(world.stored().await.is_some());
    ok(&world.client).await;
    error
}

#[tokio::test]
async fn x14_a_problem_of_the_account_neither_ends_nor_refreshes_the_session() {
    let world = World::new(250).await;
    for status in [400, 401, 403] {
        let body = r#"{"error": "AccountDeactivated", "message": "Account is deactivated"}"#;
        let error = answered(&world, status, "", body).await;
        assert_eq!(error.kind(), ErrorKind::AccountUnavailable, "{status}");
        assert_eq!(error.account_problem(), Some(AccountProblem::Deactivated));
        assert!(error.to_string().contains("reactivate"), "{error}");
    }
    let error = answered(&world, 401, "WWW-Authenticate: Basic realm=x\r\n", "<html>").await;
    assert_ne!(error.kind(), ErrorKind::SignInAgain, "the page of a proxy");
}

#[tokio::test]
async fn o46_a_missing_scope_names_itself_and_its_item_and_the_session_goes_on() {
    let world = World::new(250).await;
    let body = r#"{"error": "ScopeMissingError", "message": "Missing required scope \"rpc:app.bsky.feed.getTimeline?aud=*\""}"#;
    let challenge = "WWW-Authenticate: DPoP error=\"insufficient_scope\", scope=\"rpc:app.bsky.feed.getTimeline?aud=*\"\r\n";
    for (status, headers, body) in [(403, "", body), (401, challenge, "{}"), (403, challenge, "<html>")] {
        let error = answered(&world, status, headers, body).await;
        assert_eq!(error.kind(), ErrorKind::MissingScope, "{status}");
        assert_eq!(error.missing_scope(), Some("rpc:app.bsky.feed.getTimeline?aud=*"));
        assert!(
            error.to_string().contains("call::<app::bsky::feed::get_timeline::GetTimeline>(ANY)"),
            "{error}"
        );
        assert_eq!(error.response().unwrap().status, status);
    }
    // The server does not say which, but the call is known to require one.
    let body = r#"{"collection": "a.b.note", "repo": "x", "rkey": "y"}"#;
    let write = Request::new(Kind::Procedure, "com.atproto.repo.deleteRecord").with_body(body);
    world
        .stub
        .with(|s| s.answers_calls = Some((403, String::new(), r#"{"error": "ScopeMissingError"}"#.into())));
    let unchecked = world.client.clone().check_scopes(false);
    let error = unchecked.send(write).await.unwrap_err();
    let TransportError::MissingScope { scope, .. } = &error else { panic!("{error:?}") };
    assert_eq!(scope, "repo:a.b.note?action=delete");
    assert_eq!(world.refreshes(), 0);
}

#[tokio::test]
async fn a_server_that_rejects_its_own_tokens_is_not_asked_for_more_of_them() {
    let world = World::new(250).await;
    world.stub.with(|s| s.rejects_all = true);
    for _ in 0..10 {
        let error = call(&world).await;
        assert_eq!(error.kind(), ErrorKind::TryLater);
        let Error::Transport(TransportError::Session { source, .. }) = &error else { panic!("{error:?}") };
        assert!(source.to_string().contains("rejects access tokens that it has just issued"), "{source}");
    }
    assert_eq!(world.refreshes(), 1);
    // One more try after the pause, and a longer pause.
    tokio::time::sleep(pace().fresh_token_pause).await;
    call(&world).await;
    call(&world).await;
    assert_eq!(world.refreshes(), 2);
    assert!(world.stored().await.is_some());
    world.stub.with(|s| s.rejects_all = false);
    ok(&world.client).await;
    assert_eq!(world.refreshes(), 2);
}

#[tokio::test]
async fn many_calls_at_once_on_such_a_server_count_as_one() {
    let world = World::new(250).await;
    world.stub.with(|s| s.rejects_all = true);
    join_all((0..50).map(|_| call(&world))).await;
    assert_eq!(world.refreshes(), 1);
    tokio::time::sleep(pace().fresh_token_pause).await;
    call(&world).await;
    assert_eq!(world.refreshes(), 2, "the pause was not lengthened by each call");
}

#[tokio::test]
async fn a_token_that_another_process_has_replaced_in_the_meantime_is_no_such_case() {
    let world = World::new(250).await;
    // The token in the cache is old, and so is the one that the store has next.
    ok(&world.client).await;
    let other = world.other_process();
    other.refresh().await.unwrap();
    other.refresh().await.unwrap();
    ok(&world.client).await;
    assert_eq!(world.refreshes(), 2);
}

/// Another process has stored other tokens since they were cached.
async fn replaced(world: &World, access: &str, refresh: &str, expires_in: i64) {
    ok(&world.client).await;
    let mut session = world.stored().await.unwrap();
    (session.access_token, session.refresh_token) = (access.into(), Some(refresh.into()));
    session.expires_at = unix_now() + expires_in;
    world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
}

#[tokio::test]
async fn a_stored_token_that_has_expired_is_refreshed_instead_of_used() {
    let world = World::new(250).await;
    replaced(&world, "a5", "r5", -10).await;
    world.stub.with(|s| s.generation = 5);
    ok(&world.client).await;
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (1, "a6"));
}

#[tokio::test]
async fn a_stored_token_that_nobody_saw_issued_is_refreshed_when_it_is_rejected() {
    let world = World::new(250).await;
    replaced(&world, "a5", "r5", 250).await;
    world.stub.with(|s| (s.generation, s.rejected) = (5, Some("a5")));
    ok(&world.client).await;
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (1, "a6"));
}
