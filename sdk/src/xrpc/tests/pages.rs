//! Listings of servers that do not want them to end (X8).

use std::time::Duration;

use futures_util::StreamExt as _;

use super::{Scripted, json};
use crate::{
    api::com::atproto::sync::{ComAtprotoSync, list_repos},
    xrpc::{Request, Transport},
};

fn page(entries: usize, cursor: Option<&str>) -> super::Answer {
    let entry = r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "head": "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy", "rev": "3jzfcijpj2z2a"}"#;
    let cursor = cursor.map(|cursor| format!(r#""cursor": "{cursor}","#)).unwrap_or_default();
    Ok(json(format!(r#"{{{cursor} "repos": [{}]}}"#, vec![entry; entries].join(","))))
}

/// How many entries a listing has, and its error.
async fn list(transport: &dyn Transport) -> (usize, Option<String>) {
    let mut items = ComAtprotoSync::over(transport).list_repos().items();
    let mut count = 0;
    while let Some(item) = items.next().await {
        match item {
            Ok(_) => count += 1,
            Err(error) => {
                assert!(items.next().await.is_none(), "an error ends a listing");
                return (count, Some(error.to_string()));
            }
        }
    }
    (count, None)
}

#[tokio::test]
async fn x8_endless_empty_pages_are_an_error_that_names_the_cursor() {
    let transport = Scripted::new(|number, _| {
        assert!(number < 2000, "the listing does not end");
        page(usize::from(number == 0), Some(&format!("cursor-{number}")))
    });
    let (count, error) = list(&transport).await;
    assert_eq!(count, 1);
    let error = error.unwrap();
    let last = format!("cursor-{}", transport.count() - 1);
    assert!(error.contains(&last) && error.contains("com.atproto.sync.listRepos"), "{error}");
}

#[tokio::test]
async fn x8_some_empty_pages_are_not_an_error() {
    let transport = Scripted::new(|number, _| {
        let cursor = format!("c{number}");
        page(usize::from(number % 50 == 0), (number < 500).then_some(cursor.as_str()))
    });
    assert_eq!(list(&transport).await, (11, None));
}

#[tokio::test]
async fn x8_a_cycle_of_any_length_ends_the_listing() {
    for length in [1, 2, 7, 900, 5000] {
        let transport = Scripted::new(move |number, _| {
            assert!(number < 40_000, "the listing does not end");
            page(1, Some(&format!("c{}", number % length)))
        });
        let (count, error) = list(&transport).await;
        assert!(count > length && error.is_none(), "{length}: {count} {error:?}");
        // A short cycle is noticed at once.
        assert!(length > 1000 || count == length + 1, "{length}: {count}");
    }
}

#[tokio::test]
async fn x8_a_server_that_returns_the_cursor_of_the_caller_ends_the_listing() {
    let transport = Scripted::new(|number, _| {
        assert!(number < 10, "the listing does not end");
        page(1, Some("start"))
    });
    let params = list_repos::Params::new().cursor("start");
    let items = ComAtprotoSync::over(&transport).list_repos().params(params).items();
    assert_eq!((items.count().await, transport.count()), (1, 1));
}

#[tokio::test]
async fn x8_an_entry_is_not_lost_when_waiting_for_it_is_given_up() {
    struct Slow(Scripted<fn(usize, &Request) -> super::Answer>);
    impl Transport for Slow {
        fn send<'a>(&'a self, request: Request) -> crate::xrpc::BoxFuture<'a, super::Answer> {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                self.0.send(request).await
            })
        }
    }
    let transport =
        Slow(Scripted::new(|number, _| page(2, (number < 3).then(|| "abcd".split_at(number + 1).0))));
    let mut items = ComAtprotoSync::over(&transport).list_repos().items();
    let (mut count, mut given_up) = (0, 0);
    loop {
        match tokio::time::timeout(Duration::from_millis(7), items.next()).await {
            Ok(Some(item)) => {
                item.unwrap();
                count += 1;
            }
            Ok(None) => break,
            Err(_) => given_up += 1,
        }
    }
    assert_eq!((count, transport.0.count()), (8, 4));
    assert!(given_up > 0);
}
