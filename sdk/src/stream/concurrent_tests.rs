#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::stream;
use tokio::time::sleep;

use super::{
    super::cursor::{Acknowledgements, EventId, Ledger, Progress},
    *,
};

/// An event: its position and the number of its account.
type Given = (i64, u8);

fn did(account: u8) -> Option<Did> {
    (account > 0).then(|| Did::new(format!("did:web:{account}.example")).unwrap())
}

fn acknowledgements() -> Acknowledgements {
    Acknowledgements::new(Ledger::new(Progress::default(), 0, 10_000), false, None)
}

/// A stream of events that are given and have to be acknowledged.
fn events<'a>(
    of: &'a Acknowledgements,
    events: &'a [Given],
) -> impl Stream<Item = Result<(Given, Acknowledgement), io::Error>> + 'a {
    stream::iter(events).map(|&event| {
        let id = EventId { position: event.0, distinguisher: 0 };
        Ok((event, of.give(Some(id)).unwrap()))
    })
}

fn many() -> Vec<Given> {
    (1..=400).map(|position| (position, (position * position % 7) as u8)).collect()
}

#[tokio::test(start_paused = true)]
async fn events_of_an_account_keep_their_order_and_others_run_at_the_same_time() {
    let (of, given) = (acknowledgements(), many());
    let seen: RefCell<BTreeMap<u8, Vec<i64>>> = RefCell::default();
    let (running, most) = (Cell::new(0), Cell::new(0));
    let busy: RefCell<BTreeMap<u8, u32>> = RefCell::default();
    let result = for_each(
        pin!(events(&of, &given)),
        4,
        |event| did(event.1),
        |(position, account)| {
            let (seen, running, most, busy) = (&seen, &running, &most, &busy);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                *busy.borrow_mut().entry(account).or_default() += 1;
                assert!(account == 0 || busy.borrow()[&account] == 1, "two events of an account at once");
                sleep(Duration::from_millis(position as u64 * 31 % 17)).await;
                *busy.borrow_mut().get_mut(&account).unwrap() -= 1;
                running.set(running.get() - 1);
                seen.borrow_mut().entry(account).or_default().push(position);
                Ok::<_, io::Error>(())
            }
        },
    )
    .await;
    result.unwrap();
    assert_eq!(most.get(), 4);
    for (account, positions) in seen.into_inner() {
        let wanted: Vec<_> = given.iter().filter(|event| event.1 == account).map(|event| event.0).collect();
        let mut sorted = positions.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, wanted);
        assert!(account == 0 || positions == wanted, "account {account}");
    }
    assert_eq!((of.resume_after(), of.outstanding()), (Some(400), 0));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fails_ends_the_processing_and_is_not_acknowledged() {
    let (of, given) = (acknowledgements(), many());
    let handle = |(position, _): Given| async move {
        sleep(Duration::from_millis(1)).await;
        if position == 100 { Err("no room") } else { Ok(()) }
    };
    let result = for_each(pin!(events(&of, &given)), 8, |event| did(event.1), handle).await;
    assert!(matches!(result, Err(ForEachError::Handler("no room"))));
    assert!(of.resume_after().unwrap() < 100);
    // What was being processed at that moment is not taken for processed either.
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(of.poll_room(&mut context), Poll::Ready(Err(_))));
    assert!(of.resume_after().unwrap() < 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_is_not_acknowledged() {
    let (of, given) = (acknowledgements(), many());
    let handle = |(position, _): Given| async move {
        sleep(Duration::from_secs(if position > 10 { 1000 } else { 0 })).await;
        Ok::<_, io::Error>(())
    };
    let mut events = pin!(events(&of, &given));
    let processing = for_each(events.as_mut(), 8, |event| did(event.1), handle);
    tokio::time::timeout(Duration::from_secs(5), processing).await.unwrap_err();
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(of.poll_room(&mut context), Poll::Ready(Err(_))));
    assert_eq!(of.resume_after(), Some(10));
}

#[tokio::test(start_paused = true)]
async fn a_busy_account_holds_only_so_many_events() {
    let of = acknowledgements();
    let read = Cell::new(0);
    let endless = stream::iter(1..).map(|position| {
        read.set(position);
        let id = EventId { position, distinguisher: 0 };
        Ok::<_, io::Error>(((position, 1), of.give(Some(id)).unwrap()))
    });
    let handle = |_| std::future::pending::<Result<(), io::Error>>();
    let mut endless = pin!(endless);
    let processing = for_each(endless.as_mut(), 2, |event: &Given| did(event.1), handle);
    tokio::time::timeout(Duration::from_secs(5), processing).await.unwrap_err();
    assert_eq!(read.get(), 1 + 2 * WAITING_PER_RUNNING as i64);
}

#[tokio::test]
async fn a_stream_that_fails_ends_the_processing() {
    let failing = stream::iter([Err::<(Given, Acknowledgement), _>(io::Error::other("cut off"))]);
    let result = for_each(pin!(failing), 2, |_| None, |_| async { Ok::<_, io::Error>(()) }).await;
    assert!(matches!(result, Err(ForEachError::Stream(_))));
}
