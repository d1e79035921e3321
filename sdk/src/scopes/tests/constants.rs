//! Scopes that are computed at compile time.

use super::super::{Need, Scopes, needs::*};
use crate::{
    test_lexicons::{Access, Bar, NoErrors, NoParams, Note, Ping, Profile},
    types::{PermissionSet as _, SetAudience, SetPermission},
    xrpc::{Empty, Kind, Method},
};

const SERVICE: &str = "did:web:example.com#x";

macro_rules! both {
    ($($need:expr),* $(,)?) => {{
        const TEXT: &str = crate::scopes![$($need),*];
        let needs: &[Need<'_>] = &[$($need),*];
        // Each separately, so that `minimal` must do all of the work.
        let alone = needs.iter().flat_map(|need| Scopes::of(&[*need]).unwrap());
        assert_eq!(alone.collect::<Scopes>().minimal().to_string(), if needs.is_empty() { "atproto" } else { TEXT });
        assert_eq!(Scopes::of(needs).unwrap().to_string(), TEXT);
        TEXT
    }};
}

#[test]
fn atproto_comes_first_and_alone() {
    assert_eq!(both![], "atproto");
    assert_eq!(both![account(EMAIL)], "atproto account:email");
}

#[test]
fn actions_on_one_collection_become_one_permission() {
    assert_eq!(
        both![delete::<Note>(), create::<Note>(), update::<Note>(), create::<Note>()],
        "atproto repo:com.example.note"
    );
    assert_eq!(both![put::<Note>()], "atproto repo:com.example.note?action=create&action=update");
    assert_eq!(
        both![write::<Note>(), write::<Profile>()],
        "atproto repo:com.example.note repo:com.example.profile"
    );
}

#[test]
fn collections_are_joined_where_that_is_shorter() {
    assert_eq!(
        both![create::<Note>(), create::<Profile>()],
        "atproto repo:com.example.note?action=create repo:com.example.profile?action=create"
    );
    assert_eq!(
        both![put::<Profile>(), put::<Note>()],
        "atproto repo?collection=com.example.note&collection=com.example.profile&action=create&action=update"
    );
    assert_eq!(both![write_all(crate::scopes::RepoActions::ALL), create::<Note>()], "atproto repo:*");
}

#[test]
fn methods_of_one_service_become_one_permission() {
    assert_eq!(
        both![call::<Ping>(SERVICE), call::<Bar>(SERVICE), call::<Ping>(SERVICE)],
        "atproto rpc?lxm=com.example.foo.bar&lxm=com.example.ping&aud=did:web:example.com%23x"
    );
    assert_eq!(
        both![call::<Ping>(SERVICE), call::<Ping>(ANY), call::<Bar>(SERVICE)],
        "atproto rpc:com.example.foo.bar?aud=did:web:example.com%23x rpc:com.example.ping?aud=*"
    );
    assert_eq!(
        both![call::<Ping>(SERVICE), call_all(SERVICE), call::<Bar>(SERVICE)],
        "atproto rpc:*?aud=did:web:example.com%23x"
    );
}

#[test]
fn what_another_covers_is_left_out() {
    assert_eq!(
        both![upload("image/png"), upload("IMAGE/*"), upload("video/mp4"), upload("image/jpeg")],
        "atproto blob:image/* blob:video/mp4"
    );
    assert_eq!(both![upload("image/svg+xml"), upload("a/b&c")], "atproto blob:a/b%26c blob:image/svg+xml");
    assert_eq!(both![upload("video/mp4"), upload("*/*")], "atproto blob:*/*");
    assert_eq!(both![account(EMAIL), manage(EMAIL)], "atproto account:email?action=manage");
    assert_eq!(both![identity(HANDLE), identity(EVERYTHING)], "atproto identity:*");
    assert_eq!(
        both![include::<Access>(), include_for::<Access>(SERVICE), transition(GENERIC)],
        "atproto include:com.example.access?aud=did:web:example.com%23x transition:generic"
    );
}

/// The compiler limits the number of steps of a constant.
#[test]
#[allow(non_camel_case_types)]
fn a_long_list_still_compiles() {
    macro_rules! many {
        ($($method:ident)*) => {{
            $(
                struct $method;
                impl Method for $method {
                    const NSID: &'static str = concat!("com.example.", stringify!($method));
                    const KIND: Kind = Kind::Query;
                    const INPUT: Option<&'static str> = None;
                    const OUTPUT: Option<&'static str> = None;
                    type Params = NoParams;
                    type Input = Empty;
                    type Output = Empty;
                    type Error = NoErrors;
                }
            )*
            const TEXT: &str = crate::scopes![$(call::<$method>(SERVICE), call::<$method>("did:web:b.example#x")),*];
            TEXT
        }};
    }
    let text = many! {
        getAa getAb getAc getAd getAe getAf getAg getAh getAi getAj getAk getAl getAm getAn getAo getAp getAq getAr
        getBa getBb getBc getBd getBe getBf getBg getBh getBi getBj getBk getBl getBm getBn getBo getBp getBq getBr
        getCa getCb getCc getCd getCe getCf getCg getCh getCi getCj getCk getCl getCm getCn getCo getCp getCq getCr
    };
    assert_eq!((text.matches("lxm=").count(), text.matches("rpc?").count()), (108, 2));
}

#[test]
fn bad_needs_are_errors_at_run_time() {
    for need in
        [call::<Ping>("did:web:example.com"), call_all(ANY), upload("*/png"), include_for::<Access>("x")]
    {
        assert!(Scopes::of(&[need]).is_err(), "{need:?}");
    }
}

#[test]
fn l11_permission_sets_say_what_they_list() {
    assert_eq!(Access::PERMISSIONS.len(), 4);
    let audience = SetAudience::Inherited;
    let methods = &["com.example.foo.bar", "com.example.download"];
    assert_eq!(Access::PERMISSIONS[2], SetPermission::Rpc { methods, audience });
    let scope = super::Scope::include::<Access>(Some(super::Service::new(SERVICE).unwrap()));
    assert_eq!(scope.to_string(), "include:com.example.access?aud=did:web:example.com%23x");
}
