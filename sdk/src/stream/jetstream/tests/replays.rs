//! Archives, and the streams that go on where they end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tests::{
    Answer,
    stream_server::{Script, StreamServer},
};

use super::{
    super::{ArchiveError, Events, Jetstream, SegmentError, V2},
    Notices, Quick,
    archive_file::Stored,
    archive_server::{Archive, ArchiveServer, Fault},
    archives::{event, note},
    end, seqs,
    version_2::{Split, commit},
};
use crate::{
    stream::{Interruption, Notice, StreamError},
    types::Did,
    xrpc::{Attempt, Backoff, ErrorKind},
};

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// An archive of events with holes in their numbers, in files of blocks, some of them empty.
fn archive(seed: u64, events: usize) -> (Archive, Vec<Stored>) {
    let mut numbers = Numbers(seed * 7919 + 1);
    let mut seq = 0;
    let mut all = Vec::new();
    while all.len() < events {
        seq += 1 + numbers.next(3);
        let mut stored = event(seq, [1, 2, 7][numbers.next(3) as usize], note("archived"));
        if numbers.next(4) == 0 {
            stored.collection = "com.example.other".into();
        }
        if numbers.next(4) == 0 {
            stored.did = "did:web:bob.test".into();
        }
        all.push(stored);
    }
    let mut files = Vec::new();
    let mut rest = &all[..];
    while !rest.is_empty() {
        let mut blocks = Vec::new();
        for _ in 0..1 + numbers.next(6) {
            let (block, after) = rest.split_at(rest.len().min(numbers.next(9) as usize));
            blocks.push(block.to_vec());
            rest = after;
        }
        if blocks.iter().any(|block| !block.is_empty()) {
            files.push(blocks);
        }
    }
    let page = 1 + numbers.next(3) as usize;
    (Archive { files, page, ..Archive::default() }, all)
}

/// A stream that begins with the archive.
fn replay(server: &StreamServer, archive: &ArchiveServer) -> V2<'static> {
    Jetstream::v2_over(Split::new(server, archive.url())).compressed(false).backoff(Quick).replay()
}

fn positions(events: &[Stored]) -> Vec<i64> {
    events.iter().map(|event| event.seq as i64).collect()
}

/// Goes on with what comes after this position, which is sent again.
fn live(last: i64) -> Script {
    Script::accept().text(commit(last)).text(commit(last + 1)).text(commit(last + 2))
}

#[tokio::test]
async fn e8_the_archive_comes_first_and_then_the_stream_without_a_gap_or_a_repeat() {
    for seed in 1..=20 {
        let (archive, all) = archive(seed, 120);
        let last = all.last().unwrap().seq as i64;
        let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
        server.then(live(last));
        let notices = Notices::default();
        let mut events = replay(&server, &archive).observe(notices.observe()).stream().unwrap();
        let expected = [positions(&all), vec![last + 1, last + 2]].concat();
        assert_eq!(seqs(&mut events, expected.len()).await, expected, "seed {seed}");
        assert_eq!(server.seen()[0].cursor(), Some(last));
        assert!(matches!(notices.all()[0], Notice::Replaying { after: None }));
        let connected =
            |notice: &Notice| matches!(notice, Notice::Connected { after: Some(after) } if *after == last);
        assert!(notices.all().iter().any(connected), "{:?}", notices.all());
        // The end of the archive does not move while it is read.
        let plans = archive.archive().plans.clone();
        assert!(plans[1..].iter().all(|plan| plan["beforeSeq"].as_i64() == Some(last)), "{plans:?}");
    }
}

#[tokio::test]
async fn e8_a_replay_begins_after_a_position_in_the_middle_of_a_block() {
    for seed in 1..=20 {
        let (archive, all) = archive(seed, 60);
        let after = all[all.len() / 2].seq as i64;
        let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
        let last = all.last().unwrap().seq as i64;
        server.then(live(last));
        let mut events = replay(&server, &archive).after(after).stream().unwrap();
        let expected: Vec<i64> =
            positions(&all).into_iter().filter(|seq| *seq > after).chain([last + 1]).collect();
        assert_eq!(seqs(&mut events, expected.len()).await, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn e8_an_archive_is_filtered_exactly() {
    let (archive, all) = archive(3, 100);
    let last = all.last().unwrap().seq as i64;
    let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
    server.then(live(last));
    let bob = Did::new("did:web:bob.test").unwrap();
    let mut events =
        replay(&server, &archive).collections(["com.example.note"]).dids([bob]).stream().unwrap();
    let wanted = |event: &&Stored| event.collection == "com.example.note" && event.did == "did:web:bob.test";
    let mut expected: Vec<i64> = all.iter().filter(wanted).map(|event| event.seq as i64).collect();
    assert!(expected.len() > 5 && expected.len() < 50);
    expected.push(last + 1);
    assert_eq!(seqs(&mut events, expected.len()).await, expected);
    // Where nothing passed the filter up to the end, the stream nevertheless begins there.
    assert_eq!(server.seen()[0].cursor(), Some(last));
    let plan = archive.archive().plans[0].clone();
    assert_eq!(plan["collections"], serde_json::json!(["com.example.note"]));
    assert_eq!(plan["dids"], serde_json::json!(["did:web:bob.test"]));
}

#[tokio::test]
async fn e8_an_empty_archive_is_followed_by_everything_in_the_stream() {
    let (server, archive) = (
        StreamServer::start().await.unwrap(),
        ArchiveServer::start(Archive { page: 1, ..Archive::default() }).await,
    );
    server.then(Script::accept().text(commit(1)));
    let mut events = replay(&server, &archive).stream().unwrap();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    assert_eq!(server.seen()[0].cursor(), Some(0), "and not only by what comes from now on");
}

#[tokio::test]
async fn e8_what_was_missed_for_too_long_is_read_from_the_archive() {
    let (archive, all) = archive(5, 80);
    let middle = all[40].seq as i64;
    let last = all.last().unwrap().seq as i64;
    let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
    // The archive ends before the stream begins; then it is read, and has more.
    server.then(Script::accept().text(commit(middle)).cut());
    server.then(too_old());
    server.then(live(last));
    archive.archive().files.clear();
    let mut events = replay(&server, &archive).stream().unwrap();
    assert_eq!(seqs(&mut events, 1).await, [middle]);
    archive.archive().files = vec![vec![all.clone()]];
    let expected: Vec<i64> =
        positions(&all).into_iter().filter(|seq| *seq > middle).chain([last + 1]).collect();
    assert_eq!(seqs(&mut events, expected.len()).await, expected);
    let cursors: Vec<_> = server.seen().iter().map(|seen| seen.cursor()).collect();
    assert_eq!(cursors, [Some(0), Some(middle), Some(last)]);

    // A server whose archive never reaches its stream is not asked for ever.
    let server = StreamServer::start().await.unwrap();
    server.then(too_old());
    let mut events = replay(&server, &archive).stream().unwrap();
    assert!(matches!(end(&mut events).await, StreamError::Call(_)));
    assert!(server.seen().len() < 10);
}

#[tokio::test]
async fn e8_a_replay_goes_on_after_failures_without_giving_anything_twice() {
    let faults = [Fault::Unavailable, Fault::Cut, Fault::Flipped, Fault::Replaced, Fault::Gone];
    for seed in 1..=20 {
        let (mut archive, all) = archive(seed, 120);
        let mut numbers = Numbers(seed);
        // Three in a row at most: what makes no progress is given up.
        archive.faults = (0..3).map(|_| faults[numbers.next(5) as usize]).collect();
        let last = all.last().unwrap().seq as i64;
        let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
        server.then(live(last));
        let mut events = replay(&server, &archive).stream().unwrap();
        let expected = [positions(&all), vec![last + 1]].concat();
        assert_eq!(seqs(&mut events, expected.len()).await, expected, "seed {seed}");
    }
}

async fn replay_error(
    archive: Archive,
    change: impl FnOnce(V2<'static>) -> V2<'static>,
) -> (ArchiveError, ErrorKind) {
    let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
    let mut events: Events<'_> = change(replay(&server, &archive)).stream().unwrap();
    let error = end(&mut events).await;
    assert!(server.seen().is_empty(), "without the archive, the stream would have a gap");
    let kind = error.kind();
    let StreamError::Archive(error) = error else { panic!("{error:?}") };
    (*error, kind)
}

#[tokio::test]
async fn an_archive_that_cannot_be_read_ends_the_stream_with_the_reason() {
    let (damaged, _) = archive(1, 20);
    let (error, kind) = replay_error(Archive { faults: vec![Fault::Flipped; 50], ..damaged }, |it| it).await;
    assert!(matches!(&error, ArchiveError::Damaged(_)) && kind == ErrorKind::BadAnswer, "{error}");
    let (unavailable, _) = archive(1, 20);
    let (error, kind) = replay_error(Archive { faults: vec![Fault::Gone; 50], ..unavailable }, |it| it).await;
    assert!(matches!(&error, ArchiveError::Segment(_) | ArchiveError::Block(_)), "{error} {kind:?}");
    let (endless, _) = archive(1, 20);
    let (error, kind) = replay_error(Archive { endless: true, ..endless }, |it| it).await;
    assert!(matches!(error, ArchiveError::Endless { .. }) && kind == ErrorKind::BadAnswer, "{error}");
    let replaced =
        Archive { files: vec![vec![vec![event(1, 1, note("one"))]]], page: 1, ..Archive::default() };
    let (error, _) = replay_error(Archive { faults: vec![Fault::Replaced; 50], ..replaced }, |it| it).await;
    assert!(matches!(&error, ArchiveError::Changed { name } if name == "seg_0000000000.jss"), "{error}");
}

fn too_old() -> Script {
    let body = r#"{"error":"CursorTooOld","message":"the oldest is 1000"}"#;
    Script::answer(Answer::json(body).with_status(400))
}

/// Waits as long as the server asks for, but not by the clock of a test.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<Option<Duration>>>>);

impl Backoff for Asked {
    fn wait(&self, attempt: &Attempt<'_>) -> Duration {
        self.0.lock().unwrap().push(attempt.asked);
        Duration::from_millis(5)
    }
}

#[tokio::test]
async fn e5_a_stream_that_was_connected_outlives_an_archive_that_is_away() {
    let (archive, all) = archive(5, 80);
    let (middle, last) = (all[40].seq as i64, all.last().unwrap().seq as i64);
    let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
    server.then(Script::accept().text(commit(middle)).cut());
    // Longer than a call and the reading of an archive try it again, at any of the times.
    for _ in 0..8 {
        server.then(too_old());
    }
    server.then(live(last));
    let files = std::mem::take(&mut archive.archive().files);
    let (notices, asked) = (Notices::default(), Asked::default());
    let mut events =
        replay(&server, &archive).backoff(asked.clone()).observe(notices.observe()).stream().unwrap();
    assert_eq!(seqs(&mut events, 1).await, [middle]);
    {
        let mut archive = archive.archive();
        // A wait that is longer than calls have patience for.
        (archive.files, archive.unavailable) = (files, (7, Some("600")));
    }
    let expected: Vec<i64> =
        positions(&all).into_iter().filter(|seq| *seq > middle).chain([last + 1]).collect();
    assert_eq!(seqs(&mut events, expected.len()).await, expected);
    let of_archive =
        notices.interruptions().into_iter().filter(|why| matches!(why, Interruption::Archive(_))).count();
    assert_eq!(of_archive, 7);
    let waits =
        asked.0.lock().unwrap().iter().filter(|asked| **asked == Some(Duration::from_secs(600))).count();
    assert_eq!(waits, 7);

    // What does not pass ends it.
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(commit(middle)).cut());
    server.then(too_old());
    archive.archive().files.clear();
    let mut events = replay(&server, &archive).stream().unwrap();
    assert_eq!(seqs(&mut events, 1).await, [middle]);
    archive.archive().token = Some("changed".into());
    let error = end(&mut events).await;
    assert!(matches!(error, StreamError::Archive(_)), "{error:?}");
}

#[tokio::test]
async fn e5_the_time_without_a_connection_does_not_have_that_of_the_archive() {
    let (archive, all) = archive(5, 80);
    let (middle, last) = (all[40].seq as i64, all.last().unwrap().seq as i64);
    let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(archive).await);
    server.then(Script::accept().text(commit(middle)).cut());
    server.then(too_old());
    server.then(Script::answer(Answer::status(503)));
    server.then(live(last));
    archive.archive().files.clear();
    let limit = Duration::from_secs(1);
    let mut events = replay(&server, &archive).give_up_after(limit).stream().unwrap();
    assert_eq!(seqs(&mut events, 1).await, [middle]);
    {
        let mut archive = archive.archive();
        (archive.files, archive.delay) = (vec![vec![all.clone()]], limit + limit / 5);
    }
    let expected: Vec<i64> =
        positions(&all).into_iter().filter(|seq| *seq > middle).chain([last + 1]).collect();
    assert_eq!(seqs(&mut events, expected.len()).await, expected);
}

#[tokio::test]
async fn an_archive_that_is_away_at_the_beginning_ends_the_stream() {
    let (away, _) = archive(1, 20);
    let (error, kind) = replay_error(Archive { unavailable: (500, None), ..away }, |it| it).await;
    assert!(matches!(&error, ArchiveError::Plan(_)) && kind == ErrorKind::TryLater, "{error}");
}

#[tokio::test]
async fn blocks_that_no_file_can_have_are_an_error_and_no_gap() {
    let files = || vec![vec![vec![event(1, 1, note("one"))]], vec![vec![event(2, 1, note("two"))]]];
    for (first, last) in [(0, 1 << 16), (0, i64::MAX), (-1, 0), (3, 2), (i64::MIN, i64::MAX)] {
        let ranges = Some(serde_json::json!([{"first": 0, "last": 0}, {"first": first, "last": last}]));
        let (server, archive) = (
            StreamServer::start().await.unwrap(),
            ArchiveServer::start(Archive { files: files(), page: 9, ranges, ..Archive::default() }).await,
        );
        let mut events = replay(&server, &archive).stream().unwrap();
        let error = end(&mut events).await;
        let StreamError::Archive(error) = error else { panic!("{error:?}") };
        assert!(
            matches!(&*error, ArchiveError::Blocks { name, first: from, last: to }
                if name == "seg_0000000001.jss" && (*from, *to) == (first, last)),
            "{error:?}"
        );
        assert_eq!((error.kind(), archive.archive().plans.len()), (ErrorKind::BadAnswer, 1));
    }
}

#[tokio::test]
async fn e8_the_token_is_for_the_archive_alone() {
    let with_token = || Archive { token: Some("secret".into()), ..archive(2, 20).0 };
    let (error, kind) = replay_error(with_token(), |it| it).await;
    assert!(matches!(error, ArchiveError::Plan(_)), "{error} {kind:?}");
    let (error, _) = replay_error(with_token(), |it| it.token("wrong-token")).await;
    assert!(!format!("{error} {error:?}").contains("wrong-token"));

    let last = archive(2, 20).1.last().unwrap().seq as i64;
    let (server, archive) = (StreamServer::start().await.unwrap(), ArchiveServer::start(with_token()).await);
    server.then(live(last));
    let mut events = replay(&server, &archive).token("secret").stream().unwrap();
    assert_eq!(seqs(&mut events, 21).await.len(), 21);
    assert_eq!(server.seen()[0].request.header("authorization"), None);
}

#[test]
fn errors_of_archives_say_what_is_wrong() {
    let error = ArchiveError::Damaged(SegmentError::Version { version: 9 });
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("version 9"));
}
