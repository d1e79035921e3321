//! Stores that do what they are asked to, and whose answer is lost.

use super::*;
use crate::oauth::{
    SessionEvent, SignOut, SignOutError,
    session::{begin_sign_out, sign_out},
};

/// Counts the refreshes that were reported.
fn counted(world: &World) -> (OAuthClient, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    let events = Events::new(vec![Arc::new(move |event: &SessionEvent| {
        if matches!(event, SessionEvent::Refreshed { .. }) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })]);
    let context = shared_with(&world.store, events);
    (OAuthClient::new(&context, world.client.session_id()), count)
}

#[tokio::test]
async fn o25_a_write_whose_answer_is_lost_costs_neither_a_token_nor_a_wait() {
    // With a lost answer of the server: the intent, that there was none, the intent again, and the new tokens.
    for (answers, writes) in [(&[][..], 2), (&[Answer::Close][..], 4)] {
        for write in 1..=writes {
            let world = World::new(-10).await;
            let (client, refreshed) = counted(&world);
            world.stub.answer(answers);
            world.control.put_answer_lost.store(write, Ordering::SeqCst);
            let begun = std::time::Instant::now();
            // Only of the new tokens it is not known at once that they are stored.
            let outcome = get(&client).await;
            assert_eq!(outcome.is_err(), write == writes, "{write} of {writes}: {outcome:?}");
            ok(&client).await;
            assert_eq!(world.refreshes(), 1 + u32::try_from(answers.len()).unwrap(), "{write} of {writes}");
            assert!(world.control.put_answer_lost.load(Ordering::SeqCst) <= 0, "there was no such write");
            let session = world.stored().await.unwrap();
            assert_eq!((session.access_token.as_str(), session.refresh_in_doubt), ("a1", false));
            assert_eq!(refreshed.load(Ordering::SeqCst), 1, "{write} of {writes}");
            assert!(begun.elapsed() < pace().doubt_grace, "{:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn o27_a_session_that_was_removed_although_the_store_says_otherwise_is_revoked() {
    let world = World::new(200).await;
    world.control.delete_answer_lost.store(1, Ordering::SeqCst);
    assert_eq!(world.client.sign_out().await.unwrap(), SignOut::Confirmed);
    assert!(world.stored().await.is_none());
    assert_eq!(world.stub.with(|s| s.revoked.clone()), ["r0"]);
}

#[tokio::test]
async fn o27_a_session_is_revoked_if_it_is_unknown_whether_it_was_removed() {
    for removed in [true, false] {
        let world = World::new(200).await;
        if removed {
            world.control.delete_answer_lost.store(1, Ordering::SeqCst);
        } else {
            world.control.deletes_fail.store(1, Ordering::SeqCst);
        }
        // The one before the removal.
        world.control.gets_left.store(1, Ordering::SeqCst);
        let error = sign_out(&world.shared, world.client.session_id()).await.unwrap_err();
        assert!(matches!(error, SignOutError::Store { .. }), "{error:?}");
        assert_eq!(world.stub.with(|s| s.revoked.clone()), ["r0"], "before the error is told");
        world.control.gets_left.store(-1, Ordering::SeqCst);
        let again = world.client.sign_out().await.unwrap();
        assert_eq!(again, if removed { SignOut::NoSession } else { SignOut::Confirmed });
        assert!(world.stored().await.is_none());
    }
}

#[tokio::test]
async fn o27_a_session_that_is_still_there_is_not_revoked_and_can_be_signed_out_again() {
    let world = World::new(200).await;
    world.control.deletes_fail.store(1, Ordering::SeqCst);
    let in_progress = begin_sign_out(&world.shared, world.client.session_id());
    assert!(matches!(in_progress.removed.await.unwrap(), Err(SignOutError::Store { .. })));
    assert!(in_progress.revoked.await.unwrap().is_none());
    assert!(world.stub.with(|s| s.revoked.is_empty()));
    ok(&world.client).await;
    assert_eq!(world.client.sign_out().await.unwrap(), SignOut::Confirmed);
    assert_eq!(world.stub.with(|s| s.revoked.clone()), ["r0"]);
}

#[tokio::test]
async fn o27_a_session_is_revoked_whose_removal_may_be_executed_later() {
    let world = World::new(200).await;
    world.control.deletes_hang.store(true, Ordering::SeqCst);
    world.client.sign_out().await.unwrap_err();
    assert!(world.stored().await.is_some());
    assert_eq!(world.stub.with(|s| s.revoked.clone()), ["r0"]);
    world.control.deletes_hang.store(false, Ordering::SeqCst);
    assert_eq!(world.client.sign_out().await.unwrap(), SignOut::Confirmed);
}

#[tokio::test]
async fn o27_of_a_session_that_may_have_been_removed_the_newest_tokens_are_revoked() {
    let world = World::new(-10).await;
    world.puts_left(1);
    get(&world.client).await.unwrap_err();
    world.control.delete_answer_lost.store(1, Ordering::SeqCst);
    // Nothing can be read any more once the session was read for its removal.
    let control = Arc::clone(&world.control);
    *world.control.before_delete.lock().unwrap() =
        Some(Box::new(move || Box::pin(async move { control.gets_left.store(0, Ordering::SeqCst) })));
    world.client.sign_out().await.unwrap_err();
    assert_eq!(world.stub.with(|s| s.revoked.clone()), ["r1"], "those that were not stored");
}
