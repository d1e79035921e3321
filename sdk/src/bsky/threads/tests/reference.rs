//! Compared with the reference server, `@atproto/bsky` 0.0.280: in which order it shows the replies to a post.
//! `tests/reference/threads/cases.mjs` writes the cases. Where the server has two orders, either will do.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{ThreadSort, anchor, node, output, view, view_of_me};

type Map<T> = BTreeMap<String, T>;

#[derive(Deserialize)]
struct Case {
    replies: Vec<Reply>,
    /// The keys of the replies, by how they are sorted.
    orders: Map<Vec<String>>,
}

#[derive(Deserialize)]
struct Reply {
    author: String,
    key: String,
    likes: i64,
    minute: u32,
    replies: Vec<Reply>,
}

const GOES_ON: &str =
    "what somebody adds to their own post is read from its beginning, whatever the order of the others";
const ANSWERED: &str =
    "the author is whoever has written the post that is answered, and not only that of the first post";

/// Where the order is another one, and why.
const DIFFERENCES: [(&str, &str, &str, &str); 8] = [
    ("several replies of the author", "newest", "4 1 3 2", GOES_ON),
    ("several replies of the author", "top", "4 1 3 2", GOES_ON),
    ("several replies of the viewer", "newest", "4 1 3 2", GOES_ON),
    ("several replies of the viewer", "top", "4 1 3 2", GOES_ON),
    ("the author answers a reply", "oldest", "1 2 3 4", ANSWERED),
    ("the author answers a reply", "top", "1 2 3 4", ANSWERED),
    ("somebody answers themselves", "oldest", "1 3 2 4", ANSWERED),
    ("somebody answers themselves", "top", "1 3 2 4", ANSWERED),
];

fn nodes(replies: &[Reply]) -> Vec<Value> {
    let node = |reply: &Reply| {
        node(view(&reply.author, &reply.key, reply.minute, reply.likes), nodes(&reply.replies))
    };
    replies.iter().map(node).collect()
}

#[test]
fn replies_are_in_the_order_of_the_reference() {
    let cases: Map<Case> = serde_json::from_str(include_str!("reference.json")).unwrap();
    assert!(cases.len() >= 35, "{}", cases.len());
    let mut listed = 0;
    for (name, case) in &cases {
        for (how, reference) in &case.orders {
            let sort = match how.as_str() {
                "oldest" => ThreadSort::Oldest,
                "newest" => ThreadSort::Newest,
                "top" => ThreadSort::MostLikes,
                other => panic!("{other}"),
            };
            let thread = output(node(view("op", "anchor", 0, 0), nodes(&case.replies)));
            let thread = view_of_me().sort(sort).arrange(&anchor(), thread);
            assert!(thread.hidden.is_empty(), "{name}");
            let keys: Vec<&str> = thread.replies.iter().map(|item| item.uri.rkey().unwrap()).collect();
            let found = keys.join(" ");
            match DIFFERENCES
                .iter()
                .find(|(thread, order, ..)| (thread, order) == (&name.as_str(), &how.as_str()))
            {
                Some((.., ours, why)) => {
                    assert!(!reference.contains(&found), "{name}, {how}: no difference anymore");
                    assert_eq!(found, *ours, "{name}, {how}: {why}");
                    listed += 1;
                }
                None => assert!(reference.contains(&found), "{name}, {how}: {found}, not {reference:?}"),
            }
        }
    }
    assert_eq!(listed, DIFFERENCES.len());
}
