//! Deleting everything, at servers that make that hard.

use super::*;
use crate::xrpc::DecodeError;

/// Lists one record, and then empty pages without end.
#[derive(Default)]
struct Endless {
    listed: AtomicUsize,
    deleted: AtomicUsize,
}

impl Transport for Endless {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        let body = if request.nsid() == "com.atproto.repo.listRecords" {
            let page = self.listed.fetch_add(1, SeqCst);
            assert!(page < 2000, "the listing does not end");
            let uri = format!("at://{DID}/app.bsky.feed.post/r");
            let record = json!({"uri": uri, "cid": CID, "value": {"any": "thing"}});
            json!({"records": (page == 0).then_some(record).into_iter().collect::<Vec<_>>(), "cursor": format!("c{page}")})
        } else {
            self.deleted.fetch_add(1, SeqCst);
            json!({"results": [{"$type": "com.atproto.repo.applyWrites#deleteResult"}]})
        };
        let body = ByteStream::new(futures_util::stream::iter([Ok(body.to_string().into())]));
        Box::pin(async { Ok(TransportResponse::new(StatusCode::OK, HeaderMap::new(), body)) })
    }

    fn account(&self) -> Option<&Did> {
        static ACCOUNT: std::sync::LazyLock<Did> = std::sync::LazyLock::new(|| Did::new(DID).unwrap());
        Some(&ACCOUNT)
    }
}

#[tokio::test]
async fn x8_endless_empty_pages_end_the_deletion_after_what_was_listed_is_deleted() {
    let server = Arc::new(Endless::default());
    struct Shared(Arc<Endless>);
    impl Transport for Shared {
        fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
            self.0.send(request)
        }

        fn account(&self) -> Option<&Did> {
            self.0.account()
        }
    }
    let client = Client::new(Shared(server.clone()));
    let mut deleting = client.delete_all::<Post>();
    let deleted = deleting.next().await.unwrap().unwrap();
    assert_eq!((deleted.total, server.deleted.load(SeqCst)), (1, 1));
    let error = deleting.next().await.unwrap().unwrap_err();
    let DeleteAllError::List(Error::Decode(DecodeError::EmptyPages { cursor, .. })) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*cursor, format!("c{}", server.listed.load(SeqCst) - 1));
    assert!(deleting.next().await.is_none());
}

#[tokio::test]
async fn what_was_deleted_one_by_one_is_told_before_the_one_that_fails() {
    let (client, state) = world();
    state.records.lock().unwrap().extend((0..320).map(|n| format!("app.bsky.feed.post/r{n:03}")));
    // The second call is refused because of one of its records, and then one of them fails.
    state.fails.lock().unwrap().push((1, refused(500, "InternalServerError")));
    *state.deletes_until.lock().unwrap() = Some(40);
    let mut deleting = client.delete_all::<Post>();
    let (mut reported, mut totals, mut failed) = (Vec::new(), Vec::new(), None);
    while let Some(progress) = deleting.next().await {
        match progress {
            Ok(deleted) => {
                totals.push(deleted.total);
                reported.extend(deleted.uris);
            }
            Err(error) => failed = Some(error),
        }
    }
    let Some(DeleteAllError::DeleteOne { uri, .. }) = failed else { panic!("{failed:?}") };
    assert_eq!((totals, reported.len()), (vec![200, 240], 240));
    assert_eq!(uri.rkey().unwrap(), "r240");
    let left = state.records.lock().unwrap();
    assert!(
        reported
            .iter()
            .all(|uri| !left.contains(uri.as_str().split_once(DID).unwrap().1.trim_start_matches('/')))
    );
    assert_eq!(left.len(), 80, "everything that is gone has been reported");
}
