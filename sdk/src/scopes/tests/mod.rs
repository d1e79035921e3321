//! Tests of scopes.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "app-bsky")]
mod bundled;
mod constants;
mod granted;
mod random;
mod reference;

use super::*;

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn refused(text: &str) -> String {
    text.parse::<Scope>().unwrap_err().to_string()
}

#[test]
fn o40_scopes_that_are_not_known_are_kept_as_they_are() {
    for text in
        ["openid", "foo:bar?x=%zz", "transition:other", "Atproto", "REPO:*", "repository:x", "transition"]
    {
        assert!(matches!(scope(text), Scope::Unknown(_)), "{text}");
        assert_eq!(scope(text).to_string(), text);
    }
    assert!("openid".parse::<Permission>().unwrap_err().to_string().contains("`include`"));
}

#[test]
fn o40_a_set_prints_in_order_and_without_duplicates() {
    let scopes: Scopes =
        "transition:email rpc:a.b.c?aud=* atproto repo?collection=a.b.c repo:a.b.c".parse().unwrap();
    assert_eq!(scopes.to_string(), "atproto repo:a.b.c rpc:a.b.c?aud=* transition:email");
    assert_eq!(scopes.iter().count(), 4);
    assert_eq!("".parse::<Scopes>().unwrap().to_string(), "");
    let error = "atproto  repo:a.b.c".parse::<Scopes>().unwrap_err();
    assert_eq!(error.problem, ScopeProblem::Empty);
    assert!("atproto repo:a.b".parse::<Scopes>().is_err());
    assert_eq!(String::from(Scopes::new().with(Transition::Email)), "atproto transition:email");
}

#[test]
fn o41_errors_say_what_is_wrong_where_and_what_is_allowed() {
    for (text, words) in [
        ("", "empty"),
        ("repo:a.b.c d", "character ` ` at byte 10"),
        ("repo:a.b.c\"", "character `\\\"` at byte 10"),
        ("repo:a.b", "`a.b` is not a valid `collection`, expected the NSID of a collection or `*`"),
        ("repo", "`collection` is missing"),
        ("repo:", "`` is not a valid `collection`"),
        ("repo:a.b.c?collection=a.b.d", "`collection` is given more than once"),
        ("repo:a.b.c?action=write", "expected `create`, `update` or `delete`"),
        ("repo:%zz", "percent-encoding in `%zz`"),
        ("repo:a.b.c?action=%C3", "percent-encoding in `%C3`"),
        ("rpc:a.b.c", "`aud` is missing, expected a service like"),
        ("rpc:a.b.c?aud=did:web:example.com", "expected a service like"),
        ("rpc:a.b.c?aud=*&aud=*", "`aud` is given more than once"),
        ("blob:image", "expected a MIME type like `image/png`, a pattern like `image/*`, or `*/*`"),
        ("blob?accept=image/svg+xml", "write `%2B`"),
        ("account:phone", "expected `email`, `repo` or `status`"),
        ("account:email?action=write", "expected `read` or `manage`"),
        ("account?attr=email&attr=repo", "`attr` is given more than once"),
        ("identity:did", "expected `handle` or `*`"),
        ("include:a.b", "expected the NSID of a permission set"),
        ("include:a.b.c?aud=*", "expected a service like"),
    ] {
        let message = refused(text);
        assert!(message.contains(words), "{text}: {message}");
        assert!(message.starts_with(&format!("`{text}` is not a valid scope: ")), "{message}");
    }
}

#[test]
fn o43_unknown_parameters_make_a_permission_invalid() {
    for (text, words) in [
        ("repo:a.b.c?acton=create", "`repo` has no parameter `acton`, allowed are `collection` and `action`"),
        ("rpc:a.b.c?aud=*&x=", "`rpc` has no parameter `x`, allowed are `lxm` and `aud`"),
        ("blob:*/*?size=1", "allowed are `accept`"),
        ("account:email?actions=read", "allowed are `attr` and `action`"),
        ("identity:*?action=manage", "allowed are `attr`"),
        ("include:a.b.c?audience=x", "allowed are `nsid` and `aud`"),
    ] {
        assert!(refused(text).contains(words), "{text}: {}", refused(text));
    }
}

#[test]
fn o43_all_calls_of_any_service_are_refused_and_the_status_is_known() {
    for text in ["rpc:*?aud=*", "rpc?lxm=*&lxm=a.b.c&aud=*", "rpc?aud=*&lxm=*"] {
        assert_eq!(text.parse::<Scope>().unwrap_err().problem, ScopeProblem::EveryCall);
    }
    let (attr, action) = (AccountAttribute::Status, AccountAction::Manage);
    assert_eq!(scope("account:status?action=manage"), Permission::Account { attr, action }.into());
}

#[test]
fn o41_services_are_those_that_the_protocol_can_resolve() {
    for good in [
        "did:web:example.com#a",
        "did:web:localhost%3A2583#bsky_appview",
        "did:web:localhost#x",
        "did:plc:ewvi7nxzyoun6zhxrhs64oiz#a!b~c(d)/?",
        "did:web:example.com#%20",
    ] {
        Service::new(good).unwrap();
    }
    for bad in [
        "did:web:example.com",
        "did:web:example.com#",
        "did:web:example.com#a#b",
        "did:web:example.com#%2",
        "did:web:example.com:path#a",
        "did:web:example.com%3A80#a",
        "did:web:10.0.0.1#a",
        "did:web:a..b#a",
        "did:web:#a",
        "did:web:localhost%3A#a",
        "did:web:localhost%3Ax#a",
        "did:plc:short#a",
        "did:plc:ewvi7nxzyoun6zhxrhs64oi1#a",
        "did:key:zabc#a",
        "*",
        "",
    ] {
        assert!(Service::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn o42_what_the_builders_make_is_valid() {
    let nsid = |text: &str| crate::types::Nsid::new(text).unwrap();
    let service = Service::new("did:web:example.com#x").unwrap();
    let png = MimePattern::new("IMAGE/png").unwrap();
    let built: Vec<(Scope, &str)> = vec![
        (RepoPermission::all(RepoAction::Delete).and(nsid("a.b.c")).into(), "repo:*?action=delete"),
        (
            RepoPermission::of(nsid("a.b.d"), RepoActions::ALL).and(nsid("a.b.c")).and(nsid("a.b.d")).into(),
            "repo?collection=a.b.c&collection=a.b.d",
        ),
        (RpcPermission::all(service.clone()).and(nsid("a.b.c")).into(), "rpc:*?aud=did:web:example.com%23x"),
        (
            RpcPermission::of(nsid("a.b.d"), Audience::Any).and(nsid("a.b.c")).into(),
            "rpc?lxm=a.b.c&lxm=a.b.d&aud=*",
        ),
        (BlobPermission::new(png.clone()).and(png).into(), "blob:image/png"),
        (
            Permission::Include { set: nsid("a.b.c"), audience: Some(service) }.into(),
            "include:a.b.c?aud=did:web:example.com%23x",
        ),
    ];
    for (built, text) in built {
        assert_eq!(built.to_string(), text);
        assert_eq!(scope(text), built);
    }
}

#[test]
fn o42_a_name_that_is_not_valid_never_widens_a_permission() {
    // As they could stand in a server's answer. The first one would mean all collections.
    for text in ["*", "", "a.b.*", "a.b.c&action=delete", "a.b.c transition:generic"] {
        let name = || crate::types::from_json::<crate::types::Nsid>(format!("{text:?}")).unwrap();
        let permissions: [Scope; 4] = [
            RepoPermission::of(name(), RepoActions::ALL).into(),
            RepoPermission::of(crate::types::Nsid::new("a.b.c").unwrap(), RepoActions::ALL)
                .and(name())
                .into(),
            RpcPermission::of(name(), Service::new("did:web:example.com#x").unwrap()).into(),
            RpcPermission::of(name(), Audience::Any).into(),
        ];
        for permission in permissions {
            let written = permission.to_string();
            assert!(written.parse::<Scope>().is_err(), "{written}");
            assert!(
                !written.contains(' ') && !written.contains("collection=*") && !written.contains("lxm=*"),
                "{written}"
            );
        }
    }
}
