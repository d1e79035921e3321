#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::{
    api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    types::Did,
};

const CID: &str = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";
const AT: &str = "2026-01-02T03:04:05Z";
const ME: &str = "did:web:me.test";

/// An account; the names of those that the viewer follows begin with `f`.
fn account(name: &str) -> Value {
    let mut account =
        json!({"did": format!("did:web:{name}.test"), "handle": format!("{name}.test"), "viewer": {}});
    if name.starts_with('f') {
        account["viewer"]["following"] = json!(format!("at://{ME}/app.bsky.graph.follow/{name}"));
    }
    account
}

fn post(author: &str, key: &str) -> Value {
    json!({
        "$type": "app.bsky.feed.defs#postView", "uri": format!("at://did:web:{author}.test/app.bsky.feed.post/{key}"), "cid": CID,
        "author": account(author), "indexedAt": AT, "record": {"$type": "app.bsky.feed.post", "text": "Hello", "createdAt": AT},
    })
}

fn with(mut value: Value, more: Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn reply(author: &str, parent: Value, root: Value) -> Value {
    let record = json!({"$type": "app.bsky.feed.post", "text": "Hello", "createdAt": AT, "reply": {
        "root": {"uri": root["uri"], "cid": CID}, "parent": {"uri": parent["uri"], "cid": CID}}});
    json!({"post": with(post(author, "reply"), json!({"record": record})), "reply": {"root": root, "parent": parent}})
}

fn repost(by: &str, post: Value) -> Value {
    json!({"post": post, "reason": {"$type": "app.bsky.feed.defs#reasonRepost", "by": account(by), "indexedAt": AT}})
}

fn quote(author: &str, record: Value) -> Value {
    json!({"post": with(post(author, "quote"), json!({"embed": {"$type": "app.bsky.embed.record#view", "record": record}}))})
}

fn gone() -> Value {
    let uri = "at://did:web:x.test/app.bsky.feed.post/gone";
    json!({"$type": "app.bsky.feed.defs#notFoundPost", "uri": uri, "notFound": true})
}

fn item(item: &Value) -> FeedViewPost {
    serde_json::from_value(item.clone()).unwrap_or_else(|error| panic!("{error}: {item}"))
}

fn viewer() -> Moderation {
    let mut moderation = Moderation::new();
    moderation.viewer = Some(Did::new(ME).unwrap());
    moderation
}

fn shows(preferences: FeedViewPref, value: &Value) -> bool {
    Timeline::new().moderation(viewer()).preferences(preferences).show(item(value)).is_some()
}

fn home() -> FeedViewPref {
    FeedViewPref::new("home")
}

#[test]
fn replies_are_shown_among_those_whom_the_viewer_follows() {
    let all = home().hide_replies_by_unfollowed(false);
    for (name, value, by_default) in [
        ("no reply", json!({"post": post("stranger", "1")}), true),
        ("all followed", reply("fa", post("fb", "1"), post("fc", "1")), true),
        ("to a stranger", reply("fa", post("stranger", "1"), post("fb", "1")), false),
        ("in the thread of a stranger", reply("fa", post("fb", "1"), post("stranger", "1")), false),
        ("by a stranger", reply("stranger", post("fb", "1"), post("fb", "1")), false),
        ("to the viewer", reply("fa", post("me", "1"), post("me", "1")), true),
        ("by the viewer", reply("me", post("stranger", "1"), post("stranger", "1")), true),
        ("to oneself", reply("stranger", post("stranger", "1"), post("stranger", "1")), true),
        ("to something deleted", reply("fa", gone(), gone()), true),
        (
            "without what it replies to",
            with(json!({}), json!({"post": reply("fa", post("fb", "1"), post("fb", "1"))["post"]})),
            false,
        ),
    ] {
        assert_eq!(shows(home(), &value), by_default, "{name}");
        assert!(shows(all.clone(), &value), "{name}");
    }
}

#[test]
fn replies_to_oneself_are_a_thread_only_if_all_of_it_is() {
    let mut thread = reply("stranger", post("stranger", "2"), post("stranger", "1"));
    assert!(shows(home(), &thread));
    thread["reply"]["grandparentAuthor"] = account("other");
    assert!(!shows(home(), &thread));
}

#[test]
fn replies_are_hidden_except_own_threads() {
    let hidden = home().hide_replies(true);
    assert!(!shows(hidden.clone(), &reply("fa", post("fb", "1"), post("fb", "1"))));
    assert!(shows(hidden.clone(), &reply("fa", post("fa", "1"), post("fa", "1"))));
    assert!(shows(hidden.clone(), &reply("me", post("fb", "1"), post("fb", "1"))));
    assert!(shows(hidden, &json!({"post": post("fa", "1")})));
}

#[test]
fn own_posts_are_shown_with_and_without_moderation() {
    let own = reply("me", post("stranger", "1"), post("stranger", "1"));
    let me = || Did::new(ME).unwrap();
    let timeline = || Timeline::new().preferences(home().hide_replies(true));
    assert!(timeline().show(item(&own)).is_none(), "nobody has said who the viewer is");
    assert!(timeline().viewer(me()).show(item(&own)).is_some());
    assert!(timeline().viewer(me()).moderation(Moderation::new()).show(item(&own)).is_some());
    assert!(timeline().moderation(viewer()).show(item(&own)).is_some());
    let other = Did::new("did:web:other.test").unwrap();
    assert!(timeline().moderation(viewer()).viewer(other).show(item(&own)).is_none());
}

#[test]
fn replies_need_the_likes_that_the_viewer_asks_for() {
    let liked = |likes: i64| {
        let mut value = reply("fa", post("fb", "1"), post("fb", "1"));
        value["post"]["likeCount"] = likes.into();
        shows(home().hide_replies_by_like_count(3), &value)
    };
    assert_eq!((liked(2), liked(3)), (false, true));
}

#[test]
fn reposts_and_quotes_are_hidden_if_the_viewer_wants_that() {
    let value = repost("fa", post("stranger", "1"));
    assert!(shows(home(), &value) && !shows(home().hide_reposts(true), &value));
    // A reply that is reposted is there because of the repost.
    let mut value = reply("stranger", post("other", "1"), post("other", "1"));
    value["reason"] = repost("fa", post("stranger", "1"))["reason"].clone();
    assert!(shows(home().hide_replies(true), &value));

    let quoted = json!({"$type": "app.bsky.embed.record#viewDetached", "detached": true, "uri": "at://did:web:x.test/app.bsky.feed.post/1"});
    let value = quote("fa", quoted.clone());
    assert!(shows(home(), &value) && !shows(home().hide_quote_posts(true), &value));
    assert!(shows(home().hide_quote_posts(true), &quote("me", quoted)));
    // A list in a post is no quote.
    let list = json!({"$type": "app.bsky.graph.defs#listView", "uri": "at://did:web:x.test/app.bsky.graph.list/1", "cid": CID,
        "creator": account("x"), "name": "List", "purpose": "app.bsky.graph.defs#curatelist", "indexedAt": AT});
    assert!(shows(home().hide_quote_posts(true), &quote("fa", list)));
}

#[test]
fn a_post_is_shown_once_also_above_a_reply() {
    let uris = |items: &[Value]| {
        let mut timeline = Timeline::new();
        items.iter().filter(|value| timeline.show(item(value)).is_some()).count()
    };
    let one = json!({"post": post("fa", "1")});
    assert_eq!(uris(&[one.clone(), one.clone(), repost("fb", post("fa", "1"))]), 1);
    assert_eq!(uris(&[reply("fb", post("fa", "1"), post("fa", "1")), one.clone()]), 1);
    assert_eq!(uris(&[one.clone(), reply("fb", post("fa", "1"), post("fa", "1"))]), 2);

    let mut timeline = Timeline::new();
    assert!(timeline.show(item(&one)).is_some() && timeline.show(item(&one)).is_none());
    timeline.restart();
    assert!(timeline.show(item(&one)).is_some());
}

#[test]
fn what_is_remembered_has_a_limit() {
    let mut timeline = Timeline::new();
    for n in 0..REMEMBERED * 2 {
        assert!(timeline.show(item(&json!({"post": post("fa", &n.to_string())}))).is_some());
    }
    assert_eq!((timeline.seen.len(), timeline.order.len()), (REMEMBERED, REMEMBERED));
}

#[test]
fn what_is_moderated_is_left_out_or_says_how_to_show_it() {
    let mut moderation = viewer();
    moderation.muted_words.push(MutedWord::new("hello", vec![MutedWordTarget::Content]));
    let mut timeline = Timeline::new().moderation(moderation);
    assert!(timeline.show(item(&json!({"post": post("fa", "1")}))).is_none());
    let own = timeline.show(item(&json!({"post": post("me", "1")}))).unwrap();
    assert!(own.decision.unwrap().is_own);

    // A muted account is not shown because somebody whom the viewer follows replies to it, nor by reposting.
    let mut muted = repost("fa", post("fb", "2"));
    muted["reason"]["by"]["viewer"]["muted"] = true.into();
    assert!(Timeline::new().moderation(viewer()).show(item(&muted)).is_none());
    assert!(Timeline::new().show(item(&muted)).unwrap().decision.is_none());
}

#[test]
fn an_item_says_why_it_is_there() {
    let pinned = json!({"post": post("fa", "1"), "reason": {"$type": "app.bsky.feed.defs#reasonPin"}, "feedContext": "c", "reqId": "r"});
    let shown = FeedItem::from(item(&pinned));
    assert!(shown.is_pinned() && shown.reposted_by().is_none() && !shown.is_reply());
    assert_eq!((shown.feed_context.as_deref(), shown.req_id.as_deref()), (Some("c"), Some("r")));

    let blocked = json!({"$type": "app.bsky.feed.defs#blockedPost", "uri": "at://did:web:x.test/app.bsky.feed.post/1", "blocked": true,
        "author": {"did": "did:web:x.test"}});
    let shown = FeedItem::from(item(&reply("fa", blocked, gone())));
    assert!(matches!(shown.parent(), Some(Ancestor::Blocked(_))) && shown.parent().unwrap().post().is_none());
    assert!(matches!(shown.root(), Some(Ancestor::NotFound(_))));
    assert!(shown.is_reply() && !shown.is_reply_to_self());
}

#[test]
fn only_the_reposts_or_quotes_of_an_account_can_be_muted() {
    let shows = |value: &Value| Timeline::new().show(item(value)).is_some();
    let mut value = repost("fa", post("fb", "1"));
    assert!(shows(&value));
    value["reason"]["by"]["viewer"]["mutedOnlyReposts"] = true.into();
    assert!(!shows(&value));
    let quoted = json!({"$type": "app.bsky.embed.record#viewDetached", "detached": true, "uri": "at://did:web:x.test/app.bsky.feed.post/1"});
    let mut value = quote("fa", quoted);
    assert!(shows(&value));
    value["post"]["author"]["viewer"]["mutedOnlyQuoteposts"] = true.into();
    assert!(!shows(&value));
    let mut value = json!({"post": post("fa", "1")});
    value["post"]["author"]["viewer"] = json!({"mutedOnlyReposts": true, "mutedOnlyQuoteposts": true});
    assert!(shows(&value));
}

#[test]
fn a_reply_that_the_author_of_its_thread_has_hidden_is_left_out() {
    let mut value = reply("fa", post("fb", "1"), post("fb", "1"));
    let shows = |value: &Value| Timeline::new().moderation(viewer()).show(item(value)).is_some();
    assert!(shows(&value));
    value["reply"]["root"]["threadgate"] = json!({"record": {"hiddenReplies": [value["post"]["uri"]]}});
    assert!(!shows(&value));
}
