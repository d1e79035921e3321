#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use super::*;
use crate::{
    api::app::bsky::notification::list_notifications::Notification,
    bsky::transport_tests::{Answering, run},
};

const CID: &str = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";
const POST: &str = "at://did:web:me.test/app.bsky.feed.post/3kabcdefgh22a";

/// A notification of this day in January, by this account.
fn of(reason: &str, by: &str, subject: Option<&str>, day: u32) -> Value {
    let mut notification = json!({
        "uri": format!("at://did:web:{by}.test/app.bsky.feed.post/{day}"), "cid": CID,
        "author": {"did": format!("did:web:{by}.test"), "handle": format!("{by}.test")},
        "reason": reason, "isRead": true, "indexedAt": format!("2026-01-{day:02}T12:00:00Z"), "record": {},
    });
    if let Some(subject) = subject {
        notification["reasonSubject"] = subject.into();
    }
    notification
}

fn read(notifications: &[Value]) -> Vec<Notification> {
    notifications.iter().map(|value| serde_json::from_value(value.clone()).unwrap()).collect()
}

/// How many notifications each group has.
fn sizes(notifications: &[Value]) -> Vec<usize> {
    let groups = Grouping::new().group(read(notifications));
    groups.iter().map(|group| group.notifications().count()).collect()
}

#[test]
fn likes_of_a_post_by_several_people_are_one_group() {
    let like = |by, day| of("like", by, Some(POST), day);
    assert_eq!(sizes(&[like("a", 20), like("b", 20), like("c", 19)]), [3]);
    // Somebody who has taken the like back and likes again.
    assert_eq!(sizes(&[like("a", 20), like("a", 19)]), [1, 1]);
    // Two days count from the newest.
    assert_eq!(sizes(&[like("a", 20), like("b", 18), like("c", 17)]), [2, 1]);
    let other = of("like", "d", Some("at://did:web:me.test/app.bsky.feed.post/other"), 20);
    assert_eq!(sizes(&[like("a", 20), other, like("b", 20)]), [2, 1]);
    assert_eq!(sizes(&[like("a", 20), of("repost", "b", Some(POST), 20)]), [1, 1]);
    assert_eq!(sizes(&[of("follow", "a", None, 20), of("follow", "b", None, 19)]), [2]);
}

#[test]
fn what_is_read_one_by_one_is_not_grouped() {
    for reason in ["reply", "mention", "quote", "subscribed-post", "verified", "something-new"] {
        assert_eq!(
            sizes(&[of(reason, "a", Some(POST), 20), of(reason, "b", Some(POST), 20)]),
            [1, 1],
            "{reason}"
        );
    }
}

#[test]
fn what_is_new_is_not_hidden_among_what_was_seen() {
    let mut new = of("like", "a", Some(POST), 20);
    new["isRead"] = false.into();
    let groups = Grouping::new().group(read(&[new, of("like", "b", Some(POST), 20)]));
    assert_eq!(groups.iter().map(Group::is_unread).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn groups_go_on_over_pages_and_within_another_time() {
    let grouping = Grouping::new().within(Duration::from_secs(3600));
    let mut groups = Vec::new();
    grouping.add(&mut groups, read(&[of("like", "a", Some(POST), 20)]));
    grouping.add(&mut groups, read(&[of("like", "b", Some(POST), 20), of("like", "c", Some(POST), 19)]));
    let authors: Vec<Vec<&str>> =
        groups.iter().map(|group| group.authors().map(|author| author.handle.as_str()).collect()).collect();
    assert_eq!(authors, [vec!["a.test", "b.test"], vec!["c.test"]]);
}

#[test]
fn a_time_that_cannot_be_read_is_close_to_none() {
    let mut broken = of("like", "b", Some(POST), 20);
    broken["indexedAt"] = "yesterday".into();
    assert_eq!(sizes(&[of("like", "a", Some(POST), 20), broken]), [1, 1]);
}

#[test]
fn a_group_says_which_post_it_is_about() {
    let subject =
        |value: Value| Grouping::new().group(read(&[value]))[0].subject().map(|uri| uri.as_str().to_owned());
    assert_eq!(subject(of("like", "a", Some(POST), 20)).as_deref(), Some(POST));
    let own = "at://did:web:a.test/app.bsky.feed.post/20";
    assert_eq!(subject(of("reply", "a", Some(POST), 20)).as_deref(), Some(own));
    assert_eq!(subject(of("follow", "a", None, 20)), None);
    // A like of a feed.
    assert_eq!(subject(of("like", "a", Some("at://did:web:me.test/app.bsky.feed.generator/cats"), 20)), None);
    let mut via = of("like-via-repost", "a", Some("at://did:web:me.test/app.bsky.feed.repost/1"), 20);
    assert_eq!(subject(via.clone()), None);
    via["record"] = json!({"$type": "app.bsky.feed.like", "subject": {"uri": POST, "cid": CID}});
    assert_eq!(subject(via).as_deref(), Some(POST));
}

/// Methods with their parameters or input.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// A server with these notifications, and what it was asked.
fn server(notifications: Vec<Value>) -> (Answering, Asked) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let client = Answering::new(move |nsid, query, body| {
        let name = nsid.rsplit('.').next().unwrap();
        let pairs: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let input = if body.is_null() { json!(pairs) } else { body };
        seen.lock().unwrap().push((name.to_owned(), input));
        match name {
            "listNotifications" => (
                200,
                json!({"notifications": notifications, "cursor": "next", "seenAt": "2026-01-01T00:00:00Z"}),
            ),
            "getUnreadCount" => (200, json!({"count": 7})),
            "getPosts" => {
                let posts: Vec<Value> = pairs
                    .iter()
                    .map(|pair| json!({"uri": pair.strip_prefix("uris=").unwrap(), "cid": CID, "record": {}, "indexedAt": "2026-01-02T03:04:05Z",
                        "author": {"did": "did:web:me.test", "handle": "me.test"}}))
                    .collect();
                (200, json!({"posts": posts}))
            }
            _ => (200, json!({})),
        }
    });
    (client, asked)
}

#[test]
fn a_page_has_groups_and_where_the_next_begins() {
    let (client, asked) = server(vec![of("like", "a", Some(POST), 20), of("like", "b", Some(POST), 20)]);
    let page = run(fetch(&client, Some("here"))).unwrap();
    assert_eq!((page.groups.len(), page.cursor.as_deref()), (1, Some("next")));
    assert_eq!(page.seen_at.unwrap(), "2026-01-01T00:00:00Z");
    assert_eq!(asked.lock().unwrap()[0], ("listNotifications".into(), json!(["limit=50", "cursor=here"])));
    assert_eq!(run(unread_count(&client)).unwrap(), 7);
}

#[test]
fn what_is_shown_is_marked_as_seen_and_nothing_newer() {
    let unread = |mut value: Value| {
        value["isRead"] = false.into();
        value
    };
    let (client, asked) =
        server(vec![unread(of("reply", "a", None, 20)), unread(of("like", "b", Some(POST), 21))]);
    run(async { fetch(&client, None).await.unwrap().mark_seen(&client).await }).unwrap();
    assert_eq!(asked.lock().unwrap()[1], ("updateSeen".into(), json!({"seenAt": "2026-01-21T12:00:00Z"})));

    let (client, asked) = server(vec![of("reply", "a", None, 20)]);
    run(async { fetch(&client, None).await.unwrap().mark_seen(&client).await }).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1);

    let mut broken = unread(of("reply", "a", None, 20));
    broken["indexedAt"] = "yesterday".into();
    let (client, asked) = server(vec![broken, unread(of("reply", "b", None, 19))]);
    run(async { fetch(&client, None).await.unwrap().mark_seen(&client).await }).unwrap();
    assert_eq!(asked.lock().unwrap()[1].1, json!({"seenAt": "2026-01-19T12:00:00Z"}));
}

#[test]
fn the_mark_is_not_moved_back() {
    let unread = |day| {
        let mut value = of("reply", "a", None, day);
        value["isRead"] = false.into();
        value
    };
    // A later page.
    let (client, asked) = server(vec![unread(20)]);
    run(async { fetch(&client, Some("here")).await.unwrap().mark_seen(&client).await }).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1);

    // Not newer than what was seen, whatever the server calls it.
    for (day, is_sent) in [(19, false), (20, false), (21, true)] {
        let (client, asked) = server(vec![unread(day)]);
        run(async {
            let mut page = fetch(&client, None).await.unwrap();
            page.seen_at = Some(Datetime::new("2026-01-20T13:00:00+01:00").unwrap());
            page.mark_seen(&client).await.unwrap();
            page.seen_at = None;
            page.mark_seen(&client).await.unwrap();
        });
        assert_eq!(asked.lock().unwrap().len(), 2 + usize::from(is_sent), "{day}");
    }
    // A time that cannot be read is no mark.
    let mut broken = unread(20);
    broken["indexedAt"] = "yesterday".into();
    let (client, asked) = server(vec![broken]);
    run(async { fetch(&client, None).await.unwrap().mark_seen(&client).await }).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn the_posts_of_a_page_are_fetched_once_each_and_in_several_calls() {
    let mut notifications: Vec<Value> =
        (0..40).map(|n| of("reply", &format!("a{n}"), Some(POST), 20)).collect();
    notifications.push(of("like", "b", Some(POST), 20));
    notifications.push(of("repost", "b", Some(POST), 20));
    notifications.push(of("like", "c", Some("no address"), 20));
    let (client, asked) = server(notifications);
    let posts = run(async { fetch(&client, None).await.unwrap().subjects(&client).await }).unwrap();
    assert_eq!(posts.len(), 41);
    let calls: Vec<usize> =
        asked.lock().unwrap()[1..].iter().map(|(_, uris)| uris.as_array().unwrap().len()).collect();
    assert_eq!(calls, [25, 16]);
}

#[test]
fn labels_are_asked_for_with_notifications_and_with_the_posts_that_they_are_about() {
    let about = || vec![of("like", "a", Some(POST), 20)];
    let (client, _) = server(about());
    let labelers = [Labeler::redacting(crate::bsky::labelers::BLUESKY)];
    let view = NotificationView::new().labelers(labelers);
    run(async { view.fetch(&client, None).await.unwrap().subjects(&client).await }).unwrap();
    let accepted = Some("did:plc:ar7c4by46qjdydhdevvrndac;redact".to_owned());
    assert_eq!(client.labelers(), [accepted.clone(), accepted]);
    // Otherwise the server chooses.
    for view in [NotificationView::new(), NotificationView::new().labelers(Vec::<Labeler>::new())] {
        let (client, _) = server(about());
        run(async { view.fetch(&client, None).await.unwrap().subjects(&client).await }).unwrap();
        assert_eq!(client.labelers(), [None, None]);
    }
}
