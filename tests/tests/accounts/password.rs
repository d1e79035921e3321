//! Sessions with a password.

use std::sync::Arc;

use atproto_sdk::{
    AccountStatus, PasswordClient,
    store::{MemoryStore, Store},
    xrpc::{AccountProblem, Error, ErrorKind},
};

use crate::{World, post};

async fn create(client: &PasswordClient) -> Result<(), Error> {
    client.records().create(&post()).await.map(drop).map_err(Error::erase)
}

impl World {
    async fn password_client(&self, store: &Arc<dyn Store>) -> PasswordClient {
        let (handle, password) = (self.account.handle.as_str(), &self.account.password);
        PasswordClient::resume_or_sign_in(Arc::clone(store), self.network.pds(), handle, password)
            .await
            .unwrap()
    }

    /// How often a session was created with a password.
    async fn password_sign_ins(&self) -> u32 {
        self.network
            .requests()
            .await
            .unwrap()
            .get("POST /xrpc/com.atproto.server.createSession")
            .copied()
            .unwrap_or(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x14_a_deactivated_account_keeps_its_password_session() {
    let world = World::new().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = world.password_client(&store).await;
    world.network.deactivate(&world.account).await.unwrap();
    let sign_ins = world.password_sign_ins().await;
    for _ in 0..3 {
        let error = create(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccountUnavailable, "{error}");
        assert_eq!(error.account_problem(), Some(AccountProblem::Deactivated));
    }
    assert_eq!(world.password_sign_ins().await, sign_ins, "signing in again would not help");
    // A program that starts now is told as well.
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let account = world.password_client(&store).await.account();
    assert_eq!((account.active, account.status), (Some(false), Some(AccountStatus::Deactivated)));
    world.network.activate(&world.account).await.unwrap();
    create(&client).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn x14_a_takedown_is_told_and_ends_no_password_session() {
    let world = World::new().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = world.password_client(&store).await;
    world.network.take_down(&world.account, true).await.unwrap();
    // The access token expires as well.
    world.network.forward(std::time::Duration::from_secs(3 * 3600)).await.unwrap();
    let sign_ins = world.password_sign_ins().await;
    for _ in 0..3 {
        let error = create(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccountUnavailable, "{error}");
        assert_eq!(error.account_problem(), Some(AccountProblem::TakenDown), "{error}");
    }
    assert_eq!(world.password_sign_ins().await, sign_ins);
}

#[tokio::test(flavor = "multi_thread")]
async fn x14_a_deleted_account_is_told_and_not_signed_in_again() {
    let world = World::new().await;
    let client = world.password_client(&(Arc::new(MemoryStore::new()) as Arc<dyn Store>)).await;
    world.network.delete_account(&world.account).await.unwrap();
    let sign_ins = world.password_sign_ins().await;
    for _ in 0..3 {
        let error = create(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccountUnavailable, "{error}");
        assert_eq!(error.account_problem(), Some(AccountProblem::NotFound), "{error}");
    }
    assert_eq!(world.password_sign_ins().await, sign_ins);
}

#[tokio::test(flavor = "multi_thread")]
async fn x14_an_account_that_has_moved_is_deactivated_for_a_client_of_the_old_pds() {
    let world = World::new().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = world.password_client(&store).await;
    let pds = world.network.move_account(&world.account).await.unwrap();
    let error = create(&client).await.unwrap_err();
    assert_eq!(error.account_problem(), Some(AccountProblem::Deactivated), "{error}");
    let (did, password) = (world.account.did.as_str(), &world.account.password);
    let there = PasswordClient::sign_in(&pds, did, password).await.unwrap();
    create(&there).await.unwrap();
    assert_eq!(there.account().active, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn x11_accounts_with_did_web_resume_their_password_sessions() {
    let mut world = World::new().await;
    world.account = world.network.web_account("librarian").await.unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = world.password_client(&store).await;
    create(&client).await.unwrap();
    let sign_ins = world.password_sign_ins().await;
    create(&world.password_client(&store).await).await.unwrap();
    assert_eq!(world.password_sign_ins().await, sign_ins, "the stored session is used");
}

#[tokio::test(flavor = "multi_thread")]
async fn x11_a_changed_handle_changes_nothing_about_a_password_session_and_is_told_with_the_next_refresh() {
    let world = World::new().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = world.password_client(&store).await;
    let handle = world.account.handle.clone();
    world.network.change_handle(&world.account, "renamed.test").await.unwrap();
    let sign_ins = world.password_sign_ins().await;
    create(&client).await.unwrap();
    assert_eq!(client.account().handle, Some(handle.clone()), "nothing has said anything else yet");
    // The access token expires.
    world.network.forward(std::time::Duration::from_secs(3 * 3600)).await.unwrap();
    create(&client).await.unwrap();
    assert_eq!(client.account().handle.as_ref().map(|handle| handle.as_str()), Some("renamed.test"));
    assert_eq!(client.handle(), Some(&handle), "that of the sign-in");
    // A program that starts now finds its session under the handle that it signed in with.
    let resumed = world.password_client(&store).await;
    create(&resumed).await.unwrap();
    assert_eq!(resumed.handle().map(|handle| handle.as_str()), Some("renamed.test"));
    assert_eq!(world.password_sign_ins().await, sign_ins, "the session is the same");
}
