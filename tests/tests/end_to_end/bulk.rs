//! Many writes at once, one client for all kinds of accounts, and names as people type them.

use std::sync::{Arc, Mutex};

use atproto_sdk::{
    Client, PasswordClient, PasswordClientBuilder,
    api::{
        app::bsky::{
            actor::profile::Profile,
            feed::{
                like::Like,
                post::{Post, ReplyRef},
            },
        },
        com::atproto::repo::strong_ref::StrongRef,
    },
    identity::{HandleResolver, Resolver},
    record_key,
    records::WriteKind,
    types::{AtUri, Datetime, Did, Record},
    xrpc::{BoxFuture, CallSettings, ErrorKind, Request, Transport, TransportError, TransportResponse},
};
use futures_util::StreamExt as _;

use crate::{World, post};

async fn count<R: Record>(client: &Client) -> usize {
    client.records::<R>().list().count().await
}

/// The same work for an account of any kind.
async fn work(client: &Client) {
    let created = client.records::<Post>().create(&post("first")).await.unwrap();
    let like = Like::new(StrongRef::from(&created), Datetime::now());
    let mut writes = client.writes();
    writes.create(&like);
    for number in 0..450 {
        writes.create(&post(&number.to_string()));
    }
    writes.create(&Profile::new());
    let written = writes.send().await.unwrap();
    assert_eq!((written.len(), count::<Post>(client).await), (452, 451));
    assert!(written.iter().all(|written| written.kind == WriteKind::Create && written.cid.is_some()));

    // A reply is in the thread of the post that it answers.
    let rkey = written[1].uri.record_key().unwrap();
    let first = client.records::<Post>().get(&rkey).await.unwrap();
    let reply = post("reply").reply(first.reply_ref().unwrap());
    let mut writes = client.writes();
    writes.update(&rkey, &reply).delete_at(&written[0].uri).delete_at(&created.uri);
    let changed = writes.send().await.unwrap();
    assert_eq!((changed[0].kind, &changed[0].uri), (WriteKind::Update, &written[1].uri));
    let stored = client.records::<Post>().get(&rkey).await.unwrap();
    assert_eq!(stored.value.reply.as_deref().map(|reply: &ReplyRef| &reply.root.uri), Some(&written[1].uri));
    assert_eq!((count::<Like>(client).await, count::<Post>(client).await), (0, 450));

    // One write of a call that cannot be made: none of the call are.
    let mut writes = client.writes();
    writes.create(&post("with a delete of nothing")).delete::<Post>(&record_key!("nothing"));
    let error = writes.send().await.unwrap_err();
    assert!(error.done.is_empty(), "{error}: {:?}", error.source);
    assert_eq!(count::<Post>(client).await, 450);

    let mut totals = Vec::new();
    let mut deleting = client.delete_all::<Post>();
    while let Some(progress) = deleting.next().await {
        totals.push(progress.unwrap().total);
    }
    assert_eq!((totals, count::<Post>(client).await), (vec![200, 400, 450], 0));
    client.delete_at(&written[451].uri).await.unwrap();
    client.delete_at(&written[451].uri).await.unwrap();
    assert_eq!(count::<Profile>(client).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_with_oauth_and_with_a_password() {
    let world = World::new().await;
    work(&world.sign_in().await.into()).await;
    let password = &world.account.password;
    work(
        &PasswordClient::sign_in(world.network.pds(), world.account.handle.as_str(), password)
            .await
            .unwrap()
            .into(),
    )
    .await;
}

/// Passes calls on, and deletes a record as soon as it has been listed, as another app would.
struct Meanwhile {
    client: Client,
    gone: AtUri,
    /// The methods that were called.
    called: Arc<Mutex<Vec<String>>>,
}

impl Transport for Meanwhile {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            let name = request.nsid().to_owned();
            let response = self.client.send(request).await;
            if name == "com.atproto.repo.listRecords" {
                self.client.delete_at(&self.gone).await.unwrap();
            }
            self.called.lock().unwrap().push(name);
            response
        })
    }

    fn settings(&self) -> &CallSettings {
        self.client.settings()
    }

    fn account(&self) -> Option<&Did> {
        self.client.did()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_gone_does_not_stop_the_others_from_being_deleted() {
    let world = World::new().await;
    let client = Client::from(world.sign_in().await);
    let mut writes = client.writes();
    for number in 0..90 {
        writes.create(&post(&number.to_string()));
    }
    let written = writes.send().await.unwrap();
    let gone = written[60].uri.clone();
    let called = Arc::new(Mutex::new(Vec::new()));
    let meanwhile =
        Client::new(Meanwhile { client: client.clone(), gone: gone.clone(), called: Arc::clone(&called) });
    let deleted = meanwhile.delete_all::<Post>().next().await.unwrap().unwrap();
    assert_eq!((deleted.total, count::<Post>(&client).await), (90, 0));
    assert!(deleted.uris.contains(&gone), "it was listed before it was gone");
    // All were refused together, and then deleted one by one.
    let count_of = |name: &str| called.lock().unwrap().iter().filter(|called| called.ends_with(name)).count();
    assert_eq!((count_of("applyWrites"), count_of("deleteRecord")), (1, 90));

    let mut again = client.writes();
    let error = again.delete_at(&gone).send().await.unwrap_err();
    assert_eq!(error.source.response().map(|response| response.status.as_u16()), Some(500), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn o1_accounts_are_found_by_what_people_paste() {
    let world = World::new().await;
    let handle = &world.account.handle;
    let resolver = Resolver::builder()
        .plc_directory(world.network.plc())
        .handle_resolver(HandleResolver::Xrpc(world.network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    for typed in [
        format!("\u{202a}@{}.\u{202c}", handle.as_str().to_uppercase()),
        format!("https://bsky.app/profile/{handle}"),
        format!("at://{}/app.bsky.feed.post/3jzfcijpj2z2a", world.account.did),
    ] {
        assert_eq!(resolver.resolve(&typed).await.unwrap().did, world.did(), "{typed}");
        assert_eq!(*world.sign_in_from(&typed).await.unwrap().did(), world.did(), "{typed}");
        let builder = PasswordClientBuilder::new().resolver(resolver.clone()).allow_loopback_http();
        let client = builder.sign_in(&typed, &world.account.password).await.unwrap();
        assert_eq!((client.did(), client.origin()), (&world.did(), world.network.pds()), "{typed}");
        client.com_atproto_server().get_session().await.unwrap();
    }
    let builder = PasswordClientBuilder::new().resolver(resolver).allow_loopback_http();
    let error = builder.sign_in(handle.as_str(), "wrong").await.unwrap_err();
    let atproto_sdk::PasswordError::SignIn(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
