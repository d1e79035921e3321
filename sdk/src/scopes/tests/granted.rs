//! Checks with granted scopes.

use super::super::{Grant, Need, Scopes, needs::*};
use crate::test_lexicons::{Access, Download, Note, Ping, Profile};

const SERVICE: &str = "did:web:example.com#x";

fn granted(scopes: &str, need: Need<'_>) -> Grant {
    Scopes::granted(scopes).grant(need)
}

#[test]
fn o41_permissions_grant_what_they_name() {
    use Grant::{Granted, Missing};
    for (scopes, need, expected) in [
        ("repo:com.example.note", write::<Note>(), Granted),
        ("repo:com.example.note", create::<Profile>(), Missing),
        ("repo:com.example.note?action=create", put::<Note>(), Missing),
        ("repo:com.example.note?action=create repo:*?action=update", put::<Note>(), Granted),
        ("repo:*?action=create", write_all(super::super::RepoActions::ALL), Missing),
        ("rpc:com.example.ping?aud=did:web:example.com%23x", call::<Ping>(SERVICE), Granted),
        ("rpc:com.example.ping?aud=did:web:example.com%23y", call::<Ping>(SERVICE), Missing),
        ("rpc:com.example.ping?aud=did:web:example.com%23y", call::<Ping>(ANY), Missing),
        ("rpc:*?aud=did:web:example.com%23x", call::<Ping>(SERVICE), Granted),
        ("rpc:com.example.ping?aud=*", call::<Ping>(SERVICE), Granted),
        ("rpc:com.example.ping?aud=*", call::<Ping>(CHOSEN_BY_SERVER), Granted),
        ("rpc:com.example.ping?aud=did:web:example.com%23x", call::<Ping>(CHOSEN_BY_SERVER), Grant::Unknown),
        ("rpc:com.example.pong?aud=*", call::<Ping>(CHOSEN_BY_SERVER), Missing),
        ("blob:image/*", upload("image/PNG"), Granted),
        ("blob:image/*", upload("video/mp4"), Missing),
        ("blob:image/*", upload("*/*"), Missing),
        ("account:email", account(EMAIL), Granted),
        ("account:email", manage(EMAIL), Missing),
        ("account:email?action=manage", account(EMAIL), Granted),
        ("identity:handle", identity(EVERYTHING), Missing),
        ("identity:*", identity(HANDLE), Granted),
    ] {
        assert_eq!(granted(&format!("atproto {scopes}"), need), expected, "{scopes} {need:?}");
    }
}

#[test]
fn o40_transition_scopes_mean_what_they_mean_for_the_reference_server() {
    let generic = "atproto transition:generic";
    for need in [write::<Note>(), call::<Ping>(SERVICE), call::<Ping>(ANY), upload("a/b"), call_all(SERVICE)]
    {
        assert_eq!(granted(generic, need), Grant::Granted, "{need:?}");
        assert_eq!(granted("atproto transition:email", need), Grant::Missing, "{need:?}");
    }
    for need in [account(EMAIL), manage(REPO), identity(HANDLE), transition(CHAT_BSKY)] {
        assert_eq!(granted(generic, need), Grant::Missing, "{need:?}");
    }
    assert_eq!(granted("transition:email", account(EMAIL)), Grant::Granted);
    assert_eq!(granted("transition:email", manage(EMAIL)), Grant::Missing);
    assert_eq!(granted("transition:chat.bsky", call::<Ping>(ANY)), Grant::Missing);
    #[cfg(feature = "chat-bsky")]
    {
        use crate::api::chat::bsky::convo::list_convos::ListConvos;
        assert_eq!(granted(generic, call::<ListConvos>(SERVICE)), Grant::Missing);
        assert_eq!(granted("transition:chat.bsky", call::<ListConvos>(SERVICE)), Grant::Granted);
    }
}

#[test]
fn o43_an_include_grants_only_what_lies_under_its_own_group() {
    let sets = "atproto include:com.example.other";
    assert_eq!(granted(sets, create::<Note>()), Grant::Unknown);
    assert_eq!(granted(sets, call::<Ping>(SERVICE)), Grant::Unknown);
    assert_eq!(granted("atproto include:com.example.more.other", create::<Note>()), Grant::Missing);
    assert_eq!(granted("atproto include:com.exam.other", create::<Note>()), Grant::Missing);
    for need in [upload("image/png"), account(EMAIL), identity(HANDLE), call_all(SERVICE)] {
        assert_eq!(granted(sets, need), Grant::Missing, "{need:?}");
    }
    let scopes = Scopes::granted(sets);
    assert!(scopes.allows(create::<Note>()), "what cannot be known may be tried");
}

#[test]
fn o43_a_set_is_granted_where_all_that_it_lists_is() {
    let rest = "repo:com.example.note repo:com.example.profile?action=create&action=update rpc:com.example.ping?aud=*";
    assert_eq!(granted(rest, include::<Access>()), Grant::Granted);
    assert_eq!(granted(rest, include_for::<Access>(SERVICE)), Grant::Missing);
    let calls = "rpc?lxm=com.example.foo.bar&lxm=com.example.download&aud=did:web:example.com%23x";
    assert_eq!(granted(&format!("{rest} {calls}"), include_for::<Access>(SERVICE)), Grant::Granted);
    assert_eq!(granted("include:com.example.access", include::<Access>()), Grant::Granted);
    assert_eq!(granted("atproto", include::<Access>()), Grant::Missing);
    let unlisted: super::Scope = "include:com.example.access".parse().unwrap();
    assert_eq!(Scopes::new().grant(&unlisted), Grant::Unknown);
}

#[test]
fn o40_what_is_not_understood_leaves_doubt_where_it_may_mean_something() {
    assert_eq!(granted("atproto openid", create::<Note>()), Grant::Unknown);
    let newer = "atproto repo:com.example.note?rkey=self";
    assert_eq!(granted(newer, create::<Note>()), Grant::Unknown);
    assert_eq!(granted(newer, call::<Download>(ANY)), Grant::Missing);
    assert_eq!(Scopes::granted("atproto  repo:x y").to_string(), "atproto repo:x y");
}

#[test]
fn several_needs_have_to_be_allowed_all() {
    let scopes = Scopes::granted("atproto repo:com.example.note blob:*/*");
    assert!(scopes.allows([create::<Note>(), upload("a/b")]));
    assert!(!scopes.allows([create::<Note>(), create::<Profile>()]));
    assert!(scopes.allows(&scopes));
    assert!(scopes.allows(super::scope("atproto")));
    let _ = call::<Download>(SERVICE);
}
