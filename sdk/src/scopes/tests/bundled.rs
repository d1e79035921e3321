//! Scopes of the permission sets that come with the crate.

use super::super::{Grant, Scope, Scopes, Service, needs::*};
use crate::{
    api::app::bsky::{
        auth_create_posts::AuthCreatePosts,
        auth_manage_moderation::AuthManageModeration,
        feed::{like::Like, post::Post},
    },
    types::{PermissionSet, SetAudience, SetPermission},
};

const APPVIEW: &str = "did:web:api.bsky.app#bsky_appview";

#[test]
fn o43_a_bundled_set_becomes_an_include_scope() {
    assert_eq!(AuthCreatePosts::scope(), "include:app.bsky.authCreatePosts");
    let with_service = "include:app.bsky.authCreatePosts?aud=did:web:api.bsky.app%23bsky_appview";
    let service = Service::new(APPVIEW).unwrap();
    assert_eq!(Scope::include::<AuthCreatePosts>(Some(service)).to_string(), with_service);
    const SCOPE: &str = crate::scopes![
        include_for::<AuthCreatePosts>(APPVIEW),
        include::<AuthManageModeration>(),
        upload("image/*")
    ];
    assert_eq!(SCOPE, format!("atproto blob:image/* {with_service} include:app.bsky.authManageModeration"));

    let requested: Scopes = SCOPE.parse().unwrap();
    assert_eq!(requested.grant(include_for::<AuthCreatePosts>(APPVIEW)), Grant::Granted);
    assert_eq!(requested.grant(include::<AuthManageModeration>()), Grant::Granted);
    // Whether the audience of another set is enough, only the server can say.
    assert_eq!(requested.grant(include_for::<AuthManageModeration>(APPVIEW)), Grant::Unknown);
}

/// Servers answer with the permissions of a set in its place.
#[test]
fn o43_the_permissions_of_a_bundled_set_grant_it() {
    let records = "repo?collection=app.bsky.feed.post&collection=app.bsky.feed.postgate\
                   &collection=app.bsky.feed.threadgate&action=create";
    let SetPermission::Rpc { methods, audience: SetAudience::Inherited } = AuthCreatePosts::PERMISSIONS[0]
    else {
        panic!("expected calls with the audience of the scope");
    };
    let calls = format!("rpc?lxm={}&aud=did:web:api.bsky.app%23bsky_appview", methods.join("&lxm="));
    let granted = Scopes::granted(&format!("atproto {calls} {records}"));
    assert_eq!(granted.grant(include_for::<AuthCreatePosts>(APPVIEW)), Grant::Granted);
    assert_eq!(granted.grant(create::<Post>()), Grant::Granted);
    assert_eq!(granted.grant(delete::<Post>()), Grant::Missing);
    assert_eq!(granted.grant(create::<Like>()), Grant::Missing);
    let granted = Scopes::granted(&format!("atproto {records}"));
    assert_eq!(granted.grant(include_for::<AuthCreatePosts>(APPVIEW)), Grant::Missing);
}
