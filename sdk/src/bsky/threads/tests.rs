#![allow(clippy::unwrap_used)]

mod reference;

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::{
    api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    bsky::transport_tests::{Answering, run},
    types::{AtUri, Did},
    xrpc::{BoxFuture, CallSettings, Labeler, Request, Transport, TransportError, TransportResponse},
};

const CID: &str = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";

fn uri(author: &str, key: &str) -> String {
    format!("at://did:web:{author}.test/app.bsky.feed.post/{key}")
}

/// A post of this author at this minute, with so many likes.
fn view(author: &str, key: &str, minute: u32, likes: i64) -> Value {
    json!({
        "uri": uri(author, key), "cid": CID, "author": {"did": format!("did:web:{author}.test"), "handle": format!("{author}.test")},
        "record": {"$type": "app.bsky.feed.post", "text": key, "createdAt": "2026-01-02T03:04:05Z"},
        "indexedAt": format!("2026-01-02T03:{minute:02}:00Z"), "likeCount": likes,
    })
}

fn node(post: Value, replies: Vec<Value>) -> Value {
    json!({"$type": "app.bsky.feed.defs#threadViewPost", "post": post, "replies": replies})
}

fn gone(key: &str) -> Value {
    json!({"$type": "app.bsky.feed.defs#notFoundPost", "uri": uri("gone", key), "notFound": true})
}

fn blocked(key: &str) -> Value {
    json!({"$type": "app.bsky.feed.defs#blockedPost", "uri": uri("blocked", key), "blocked": true, "author": {"did": "did:web:blocked.test"}})
}

fn output(thread: Value) -> get_post_thread::Output {
    serde_json::from_value(json!({"thread": thread})).unwrap()
}

fn anchor() -> AtUri {
    AtUri::new(uri("op", "anchor")).unwrap()
}

fn view_of_me() -> ThreadView {
    let mut moderation = Moderation::new();
    moderation.viewer = Some(Did::new("did:web:me.test").unwrap());
    // Half past three.
    ThreadView::new().moderation(moderation).at(UNIX_EPOCH + Duration::from_secs(1_767_324_600))
}

/// Key and depth of each item.
fn shown(items: &[ThreadItem]) -> Vec<(String, i64)> {
    items.iter().map(|item| (item.uri.rkey().unwrap().to_owned(), item.depth)).collect()
}

fn keys(items: &[ThreadItem]) -> Vec<String> {
    shown(items).into_iter().map(|(key, _)| key).collect()
}

fn order(sort: ThreadSort, replies: &[Value]) -> Vec<String> {
    let replies = replies.iter().map(|post| node(post.clone(), vec![])).collect();
    let thread = node(view("op", "anchor", 0, 0), replies);
    keys(&view_of_me().sort(sort).arrange(&anchor(), output(thread)).replies)
}

#[test]
fn replies_are_sorted_as_the_viewer_wants() {
    let replies = [
        view("a", "old", 1, 5),
        view("b", "liked", 10, 90),
        view("c", "new", 29, 0),
        view("d", "both", 25, 90),
    ];
    assert_eq!(order(ThreadSort::Oldest, &replies), ["old", "liked", "both", "new"]);
    assert_eq!(order(ThreadSort::Newest, &replies), ["new", "both", "liked", "old"]);
    assert_eq!(order(ThreadSort::MostLikes, &replies), ["both", "liked", "old", "new"]);
    assert_eq!(order(ThreadSort::Hot, &replies), ["both", "liked", "old", "new"]);
    // The same in any order.
    let mut turned = replies.clone();
    turned.reverse();
    for sort in [ThreadSort::Random, ThreadSort::Hot, ThreadSort::MostLikes] {
        assert_eq!(order(sort, &replies), order(sort, &turned), "{sort:?}");
    }
}

#[test]
fn what_is_hot_cools_down() {
    // A day old with many likes, and some minutes old with few.
    let mut old = view("a", "old", 0, 50);
    old["indexedAt"] = "2026-01-01T03:00:00Z".into();
    assert_eq!(order(ThreadSort::Hot, &[old.clone(), view("b", "new", 25, 1)]), ["new", "old"]);
    assert_eq!(order(ThreadSort::MostLikes, &[old, view("b", "new", 25, 1)]), ["old", "new"]);
}

#[test]
fn broken_times_and_counts_sort_too() {
    let mut broken = view("a", "broken", 0, i64::MIN);
    broken["indexedAt"] = "yesterday".into();
    for sort in
        [ThreadSort::Oldest, ThreadSort::Newest, ThreadSort::MostLikes, ThreadSort::Hot, ThreadSort::Random]
    {
        assert_eq!(order(sort, &[view("b", "whole", 5, i64::MAX), broken.clone()]).len(), 2, "{sort:?}");
    }
}

#[test]
fn the_thread_goes_on_before_others_reply() {
    let replies = [
        view("a", "a", 1, 90),
        view("me", "mine", 2, 0),
        view("op", "second", 9, 0),
        view("op", "first", 5, 0),
    ];
    for sort in [ThreadSort::Newest, ThreadSort::MostLikes] {
        assert_eq!(order(sort, &replies), ["first", "second", "mine", "a"], "{sort:?}");
    }
}

#[test]
fn replies_follow_what_they_reply_to() {
    let thread = node(
        view("op", "anchor", 0, 0),
        vec![
            node(
                view("a", "1", 1, 0),
                vec![node(view("b", "1-1", 5, 0), vec![node(view("c", "1-1-1", 6, 0), vec![])]), gone("x")],
            ),
            blocked("y"),
            node(view("d", "2", 2, 0), vec![]),
            json!({"$type": "app.bsky.feed.defs#somethingNew"}),
        ],
    );
    let thread = view_of_me().sort(ThreadSort::Oldest).arrange(&anchor(), output(thread));
    let expected = [("1", 1), ("1-1", 2), ("1-1-1", 3), ("2", 1)].map(|(key, depth)| (key.to_owned(), depth));
    assert_eq!(shown(&thread.replies), expected);
    assert_eq!(thread.items().count(), 5);
    assert!(thread.can_reply());
}

#[test]
fn parents_are_there_from_the_first_post_with_what_is_missing() {
    let mut thread = node(view("op", "anchor", 9, 0), vec![]);
    thread["parent"] = node(view("a", "parent", 5, 0), vec![]);
    thread["parent"]["parent"] = gone("root");
    let shown_of = |thread: Value| view_of_me().arrange(&anchor(), output(thread)).parents;
    let parents = shown_of(thread.clone());
    assert_eq!(shown(&parents), [("root".to_owned(), -2), ("parent".to_owned(), -1)]);
    assert_eq!(parents[0].content, ThreadContent::NotFound);
    thread["parent"]["parent"] = blocked("root");
    assert!(matches!(shown_of(thread)[0].content, ThreadContent::Blocked(_)));
}

#[test]
fn what_the_viewer_does_not_want_is_hidden_with_the_replies_to_it() {
    let mut view_of_me = view_of_me();
    let word = MutedWord::new("spiders", vec![MutedWordTarget::Content]);
    view_of_me.moderation.as_mut().unwrap().muted_words.push(word);
    let mut muted = view("m", "muted", 3, 0);
    muted["author"]["viewer"] = json!({"muted": true});
    let thread = node(
        view("op", "anchor", 0, 0),
        vec![
            node(view("a", "spiders", 1, 0), vec![node(view("b", "below", 2, 0), vec![])]),
            node(muted, vec![]),
            node(view("c", "fine", 4, 0), vec![node(view("d", "spiders", 5, 0), vec![])]),
            node(view("me", "spiders", 6, 0), vec![]),
        ],
    );
    let thread = view_of_me.sort(ThreadSort::Oldest).arrange(&anchor(), output(thread));
    assert_eq!(keys(&thread.replies), ["spiders", "fine"]);
    assert!(thread.replies[0].decision.as_ref().unwrap().is_own);
    assert_eq!(keys(&thread.hidden), ["spiders", "below", "muted", "spiders"]);
}

#[test]
fn what_the_author_of_the_thread_has_hidden_is_hidden() {
    let thread = node(
        view("op", "anchor", 0, 0),
        vec![
            node(view("a", "hidden", 1, 0), vec![node(view("b", "below", 2, 0), vec![])]),
            node(view("me", "mine", 3, 0), vec![]),
            node(view("c", "fine", 4, 0), vec![]),
        ],
    );
    let gate = json!({"record": {"$type": "app.bsky.feed.threadgate", "post": uri("op", "anchor"), "createdAt": "2026-01-02T03:04:05Z",
        "hiddenReplies": [uri("a", "hidden"), uri("me", "mine")]}});
    let output = || serde_json::from_value(json!({"thread": thread, "threadgate": gate})).unwrap();
    let arranged = view_of_me().arrange(&anchor(), output());
    assert_eq!(keys(&arranged.hidden), ["hidden", "below"]);
    // One's own reply is shown, and says so.
    assert_eq!(keys(&arranged.replies), ["mine", "fine"]);
    assert!(arranged.replies[0].is_hidden_by_author && !arranged.replies[1].is_hidden_by_author);
    // Also without a moderation, but then for everybody.
    let arranged = ThreadView::new().arrange(&anchor(), output());
    assert_eq!(keys(&arranged.replies), ["fine"]);
}

#[test]
fn a_post_says_how_many_replies_are_missing_and_whether_one_can_reply() {
    let mut post = view("op", "anchor", 0, 0);
    post["replyCount"] = 5.into();
    post["viewer"] = json!({"replyDisabled": true});
    let thread = node(post, vec![node(view("a", "1", 1, 0), vec![]), gone("x")]);
    let thread = view_of_me().arrange(&anchor(), output(thread));
    assert_eq!(thread.anchor.more_replies, 3);
    assert!(!thread.can_reply());
}

#[test]
fn a_post_that_is_not_there_is_an_anchor_that_says_so() {
    for (thread, content) in [
        (gone("x"), ThreadContent::NotFound),
        (json!({"$type": "app.bsky.feed.defs#somethingNew"}), ThreadContent::NotFound),
    ] {
        let thread = view_of_me().arrange(&anchor(), output(thread));
        assert_eq!((&thread.anchor.content, thread.can_reply()), (&content, false));
    }
    let thread = view_of_me().arrange(&anchor(), output(blocked("x")));
    assert!(matches!(thread.anchor.content, ThreadContent::Blocked(_)));
}

/// An item of the newer method.
fn row(author: &str, key: &str, depth: i64, more: Value) -> Value {
    let mut value = json!({"$type": "app.bsky.unspecced.defs#threadItemPost", "post": view(author, key, 1, 0), "moreParents": false,
        "moreReplies": 2, "opThread": false, "hiddenByThreadgate": false, "mutedByViewer": false});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"uri": uri(author, key), "depth": depth, "value": value})
}

fn rows() -> Value {
    let empty = |name: &str, more: Value| {
        let mut value = json!({"$type": format!("app.bsky.unspecced.defs#{name}")});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    json!([
        {"uri": uri("gone", "root"), "depth": -2, "value": empty("threadItemNotFound", json!({}))},
        {"uri": uri("x", "parent"), "depth": -1, "value": empty("threadItemNoUnauthenticated", json!({}))},
        row("op", "anchor", 0, json!({})),
        row("a", "1", 1, json!({"hiddenByThreadgate": true})),
        row("b", "1-1", 2, json!({})),
        row("c", "2", 1, json!({})),
        row("d", "2-1", 2, json!({"mutedByViewer": true})),
        row("e", "2-1-1", 3, json!({})),
        row("f", "2-2", 2, json!({})),
        {"uri": uri("x", "3"), "depth": 1, "value": empty("somethingNew", json!({}))},
        row("g", "4", 1, json!({})),
    ])
}

#[test]
fn the_newer_method_gives_the_same_kind_of_thread() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = asked.clone();
    let client = Answering::new(move |nsid, query, _| {
        seen.lock().unwrap().push(query.to_owned());
        match nsid {
            "app.bsky.unspecced.getPostThreadV2" => (200, json!({"thread": rows(), "hasOtherReplies": true})),
            "app.bsky.unspecced.getPostThreadOtherV2" => {
                (200, json!({"thread": [row("h", "5", 1, json!({}))]}))
            }
            other => panic!("{other}"),
        }
    });
    let view = view_of_me().sort(ThreadSort::MostLikes).depth(50);
    let thread = run(view.fetch_v2(&client, &anchor())).unwrap();
    assert_eq!(shown(&thread.parents), [("root".to_owned(), -2), ("parent".to_owned(), -1)]);
    assert_eq!(thread.parents[1].content, ThreadContent::SignedInOnly);
    assert_eq!(thread.anchor.uri, anchor());
    assert_eq!(thread.anchor.more_replies, 2);
    assert_eq!(keys(&thread.replies), ["2", "2-2", "4"]);
    assert_eq!(keys(&thread.hidden), ["1", "1-1", "2-1", "2-1-1"]);
    assert!(thread.hidden[0].is_hidden_by_author && thread.has_more_hidden);
    assert_eq!(keys(&run(view.fetch_more_hidden(&client, &anchor())).unwrap()), ["5"]);
    let asked = asked.lock().unwrap();
    assert!(asked[0].contains("sort=top") && asked[0].contains("below=20"), "{}", asked[0]);

    let nearest = view_of_me().parents(1);
    let output = serde_json::from_value(json!({"thread": rows(), "hasOtherReplies": false})).unwrap();
    assert_eq!(keys(&nearest.arrange_v2(&anchor(), output).parents), ["parent"]);
}

#[test]
fn a_thread_is_fetched_as_far_as_asked() {
    let client = Answering::new(|nsid, query, _| {
        assert_eq!(nsid, "app.bsky.feed.getPostThread");
        assert!(query.contains("depth=2") && query.contains("parentHeight=3"), "{query}");
        (200, json!({"thread": node(view("op", "anchor", 0, 0), vec![])}))
    });
    let thread = run(view_of_me().depth(2).parents(3).fetch(&client, &anchor())).unwrap();
    assert_eq!(thread.items().count(), 1);

    let client = Answering::new(|_, _, _| (400, json!({"error": "NotFound", "message": "no such post"})));
    let error = run(view_of_me().fetch(&client, &anchor())).unwrap_err();
    assert_eq!(error.lexicon_error(), Some(get_post_thread::Error::NotFound));
}

#[test]
fn labels_are_asked_for_of_those_who_decide() {
    let client = || {
        Answering::new(|nsid, _, _| match nsid {
            "app.bsky.feed.getPostThread" => {
                (200, json!({"thread": node(view("op", "anchor", 0, 0), vec![])}))
            }
            _ => (200, json!({"thread": [], "hasOtherReplies": false})),
        })
    };
    let fetch_all = |view: &ThreadView, client: &Answering| {
        run(view.fetch(client, &anchor())).unwrap();
        run(view.fetch_v2(client, &anchor())).unwrap();
        run(view.fetch_more_hidden(client, &anchor())).unwrap();
        client.labelers()
    };
    let mut moderation = Moderation::new();
    let labelers = [crate::bsky::labelers::BLUESKY, Did::new("did:web:labeler.example.com").unwrap()];
    moderation.labelers = labelers.map(|labeler| (labeler, Default::default())).into();
    let view = ThreadView::new().moderation(moderation);
    let accepted = "did:plc:ar7c4by46qjdydhdevvrndac;redact, did:web:labeler.example.com";
    assert_eq!(fetch_all(&view, &client()), vec![Some(accepted.to_owned()); 3]);
    // Then the server has its own.
    for view in [ThreadView::new(), ThreadView::new().moderation(Moderation::new())] {
        assert_eq!(fetch_all(&view, &client()), [None, None, None]);
    }
}

/// What embeds as much as anything: a quoted post that quotes another one and has images, with the facets of its text.
fn quoting(mut post: Value) -> Value {
    let image = json!({"thumb": "https://cdn.test/t", "fullsize": "https://cdn.test/f", "alt": "", "aspectRatio": {"width": 1, "height": 1}});
    let images = json!({"$type": "app.bsky.embed.images#view", "images": [image]});
    let feature = json!({"$type": "app.bsky.richtext.facet#tag", "tag": "rust"});
    let facet = json!({"index": {"byteStart": 0, "byteEnd": 1}, "features": [feature]});
    post["record"]["facets"] = json!([facet]);
    let quoted = json!({
        "$type": "app.bsky.embed.record#viewRecord", "uri": uri("bob", "quoted"), "cid": CID, "author": post["author"],
        "value": post["record"], "indexedAt": "2026-01-02T03:04:05Z",
        "embeds": [{"$type": "app.bsky.embed.recordWithMedia#view", "record": {"record": {
            "$type": "app.bsky.embed.record#viewNotFound", "uri": uri("bob", "gone"), "notFound": true
        }}, "media": images}],
    });
    post["embed"] = json!({
        "$type": "app.bsky.embed.recordWithMedia#view", "record": {"record": quoted}, "media": images
    });
    post
}

#[test]
fn as_much_of_a_long_thread_is_fetched_as_can_be_read() {
    const LONG: usize = 200;
    let number = |query: &str, name: &str| -> usize {
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok()).unwrap()
    };
    let client = Answering::new(move |_, query, _| {
        let (depth, parents) = (number(query, "depth"), number(query, "parentHeight"));
        let post = |name: &str, n: usize| quoting(view("op", &format!("{name}{n}"), 0, 0));
        let mut replies = vec![];
        for n in (1..=depth.min(LONG)).rev() {
            replies = vec![node(post("reply", n), replies)];
        }
        let mut thread = node(quoting(view("op", "anchor", 0, 0)), replies);
        let mut above = Value::Null;
        for n in (1..=parents.min(LONG)).rev() {
            let mut parent = node(post("parent", n), vec![]);
            parent["parent"] = std::mem::replace(&mut above, Value::Null);
            if parent["parent"].is_null() {
                parent.as_object_mut().unwrap().remove("parent");
            }
            above = parent;
        }
        if !above.is_null() {
            thread["parent"] = above;
        }
        (200, json!({"thread": thread}))
    });
    let fetched = |depth, parents| {
        let view = view_of_me().depth(depth).parents(parents);
        let thread = run(view.fetch(&client, &anchor())).unwrap();
        assert_eq!(thread.parents.len(), thread.parents.iter().filter(|item| item.post().is_some()).count());
        (thread.replies.len(), thread.parents.len())
    };
    assert_eq!(fetched(1000, 1000), (55, 110));
    assert_eq!(fetched(u16::MAX, 0), (55, 0));
    assert_eq!(fetched(0, 200), (0, 110));
    assert_eq!(fetched(54, 109), (54, 109));
}

#[test]
fn labelers_of_the_client_are_asked_besides_those_who_decide() {
    struct Labeled(Answering, CallSettings);
    impl Transport for Labeled {
        fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
            self.0.send(request)
        }

        fn settings(&self) -> &CallSettings {
            &self.1
        }
    }
    let did = |name: &str| Did::new(format!("did:web:{name}.example.com")).unwrap();
    let answering =
        Answering::new(|_, _, _| (200, json!({"thread": node(view("op", "anchor", 0, 0), vec![])})));
    let settings = CallSettings::new().labelers([Labeler::redacting(did("both")), did("app").into()]);
    let client = Labeled(answering, settings);
    let mut moderation = Moderation::new();
    moderation.labelers = [did("both"), did("viewer")].map(|labeler| (labeler, Default::default())).into();
    run(ThreadView::new().moderation(moderation).fetch(&client, &anchor())).unwrap();
    run(ThreadView::new().fetch(&client, &anchor())).unwrap();
    let all = "did:web:both.example.com;redact, did:web:viewer.example.com, did:web:app.example.com";
    let of_client = "did:web:both.example.com;redact, did:web:app.example.com";
    assert_eq!(client.0.labelers(), [all, of_client].map(|list| Some(list.to_owned())));
}
