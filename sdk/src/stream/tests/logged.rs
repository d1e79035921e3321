//! What streams log, above all when nothing comes.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, Once},
    time::{Duration, SystemTime},
};

use tests::stream_server::{Script, StreamServer, at, identity};
use tokio::time::{pause, timeout};
use tracing::{
    Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{next, seqs, subscribe};
use crate::store::MemoryStore;

/// What is logged about streams in a test, by its thread.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<Line>>>);

#[derive(Clone)]
pub(crate) struct Line {
    level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Line {
    /// A field, or nothing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> f64 {
        self.get(name).parse().unwrap()
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

impl Logged {
    /// Until the guard is dropped.
    pub(crate) fn start(&self) -> Guard {
        // One for all tests, because which events are of interest is remembered for all threads.
        static ALL: Once = Once::new();
        ALL.call_once(|| tracing::subscriber::set_global_default(OfThread).unwrap());
        CURRENT.set(Some(self.clone()));
        Guard
    }

    /// The events with this message.
    pub(crate) fn of(&self, message: &str) -> Vec<Line> {
        self.0.lock().unwrap().iter().filter(|line| line.get("message") == message).cloned().collect()
    }

    /// The state of the stream, as it is logged from time to time.
    pub(crate) fn reports(&self) -> Vec<Line> {
        self.of("reading stream")
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Logged>> = const { RefCell::new(None) };
}

/// The end of what a test has logged.
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// Gives each test what its thread logs.
struct OfThread;

impl Subscriber for OfThread {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("atproto_sdk::stream")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line { level: *event.metadata().level(), fields: BTreeMap::new() };
        event.record(&mut line);
        CURRENT.with_borrow(|logged| {
            if let Some(logged) = logged {
                logged.0.lock().unwrap().push(line);
            }
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

const HOUR: Duration = Duration::from_secs(3600);
/// Three times as long as it takes until the state is logged, and some.
const THREE: Duration = Duration::from_secs(35);

#[tokio::test]
async fn e9_a_server_that_answers_pings_and_sends_nothing_is_seen_in_the_log() {
    let (logged, server) = (Logged::default(), StreamServer::start().await.unwrap());
    let _guard = logged.start();
    server.then(Script::accept().frame(identity(1)));
    let mut events = subscribe(&server).keep_alive(HOUR * 2).stream();
    assert_eq!(events.stats().last_message, None);
    assert_eq!(seqs(&mut events, 1).await, [1]);
    let read = events.stats().last_message.unwrap();
    assert!(read <= SystemTime::now() && read.elapsed().unwrap() < Duration::from_secs(20));
    pause();
    assert!(timeout(HOUR, events.next()).await.is_err(), "nothing comes");
    let reports = logged.reports();
    assert!((350..=360).contains(&reports.len()), "{}", reports.len());
    let last = reports.last().unwrap();
    let field = |name| last.get(name);
    assert_eq!(
        (last.level, field("nsid"), field("connected")),
        (Level::DEBUG, "\"com.atproto.sync.subscribeRepos\"", "true")
    );
    assert_eq!((field("messages"), field("position"), field("buffered")), ("1", "1", "0"));
    assert_eq!(last.number("histogram.atproto_stream_rate"), 0.0);
    assert!(last.number("histogram.atproto_stream_lag_ms") >= 0.0 && last.number("silence_ms") >= 0.0);
    assert_eq!(events.stats().last_message, Some(read));
}

#[tokio::test]
async fn a_stream_that_is_not_connected_is_seen_in_the_log() {
    let (logged, server) = (Logged::default(), StreamServer::start().await.unwrap());
    let _guard = logged.start();
    server.then(Script::never_answer());
    let mut events = subscribe(&server).stream();
    assert!(timeout(Duration::from_millis(300), events.next()).await.is_err());
    pause();
    assert!(timeout(THREE, events.next()).await.is_err());
    let reports = logged.reports();
    assert!(reports.len() >= 3 && reports[0].get("connected") == "false", "{}", reports.len());
    assert_eq!(reports[0].get("silence_ms"), "", "there was no message");
}

#[tokio::test]
async fn a_stream_whose_consumer_acknowledges_nothing_is_seen_in_the_log() {
    let (logged, server) = (Logged::default(), StreamServer::start().await.unwrap());
    let _guard = logged.start();
    server.then(Script::accept().frame(identity(1)).frame(identity(2)));
    let mut events = subscribe(&server)
        .keep_alive(HOUR)
        .resume("test", MemoryStore::new())
        .max_unacknowledged(1)
        .explicit_acknowledgements()
        .stream();
    let held = next(&mut events).await.unwrap().unwrap();
    pause();
    assert!(timeout(THREE, events.next()).await.is_err(), "there is no room");
    let reports = logged.reports();
    assert!(reports.len() >= 3, "{}", reports.len());
    assert_eq!(reports[2].get("unacknowledged"), "1");
    held.ack();
}

#[tokio::test]
async fn a_stream_that_falls_behind_and_catches_up_is_seen_in_the_log() {
    let (logged, server) = (Logged::default(), StreamServer::start().await.unwrap());
    let _guard = logged.start();
    let ago = |seconds: u64| {
        let since = (SystemTime::now() - Duration::from_secs(seconds)).duration_since(SystemTime::UNIX_EPOCH);
        crate::types::Datetime::from_unix_millis(since.unwrap().as_millis() as i64).as_str().to_owned()
    };
    let frames = [(1, 3600), (2, 1800), (3, 0)].map(|(seq, seconds)| at(seq, &ago(seconds)));
    server.then(Script::accept().frames(frames));
    assert_eq!(seqs(&mut subscribe(&server).stream(), 3).await, [1, 2, 3]);
    let (behind, caught_up) = (logged.of("stream has fallen behind"), logged.of("stream has caught up"));
    let [behind] = behind.as_slice() else { panic!("{}", behind.len()) };
    assert!(behind.level == Level::WARN && behind.number("lag_ms") >= 3_600_000.0);
    assert_eq!(behind.get("position"), "1");
    let [caught_up] = caught_up.as_slice() else { panic!("{}", caught_up.len()) };
    assert!(caught_up.level == Level::INFO && caught_up.number("lag_ms") < 60_000.0);
}

#[cfg(feature = "jetstream")]
mod archives {
    use futures_util::stream;

    use super::*;
    use crate::{
        PublicClient,
        api::com::atproto::sync::subscribe_repos::{Identity, Message, SubscribeRepos},
        stream::{
            Events, FrameError,
            channel::Incoming,
            engine::Over,
            options::StreamOptions,
            protocol::{Archive, Archived, Protocol, Read, StreamRequest},
        },
        types::{Datetime, Did},
        xrpc::ErrorResponse,
    };

    /// A stream that begins with an archive, which has no end.
    struct Replaying(Arc<str>, Option<Archive<Message>>);

    impl Protocol for Replaying {
        type Message = Message;

        fn name(&self) -> &Arc<str> {
            &self.0
        }

        fn request(&self, _: Option<i64>) -> StreamRequest {
            StreamRequest::default()
        }

        fn begin(&mut self, _: Option<&str>) -> Result<(), String> {
            Ok(())
        }

        fn archive(&mut self, _: Option<i64>, _: Option<&ErrorResponse>) -> Option<Archive<Message>> {
            self.1.take()
        }

        fn read(&mut self, _: Incoming) -> Result<Read<Message>, FrameError> {
            Ok(Read::Skipped)
        }
    }

    fn archived(seq: i64) -> Archived<Message> {
        let (did, time) = (Did::new("did:web:a.test").unwrap(), Datetime::now());
        let message = Identity::new(seq, did, time).into();
        let read =
            Read::Message { message, position: Some(seq), distinguisher: 0, time: None, outdated: false };
        Archived::Read(read)
    }

    fn replay(archive: Archive<Message>) -> Events<'static, SubscribeRepos> {
        let client = PublicClient::new("https://relay.example.com").unwrap();
        let protocol = Replaying("com.example.replaying".into(), Some(archive));
        Events::new(Over::Owned(Arc::new(client)), Box::new(protocol), StreamOptions::default())
    }

    /// Whether what is waited for are events or the consumer.
    #[tokio::test(start_paused = true)]
    async fn the_replay_of_an_archive_is_seen_in_the_log() {
        let second = Duration::from_secs(1);
        let slow = stream::unfold(1, move |seq| async move {
            tokio::time::sleep(second * 3).await;
            Some((Ok(archived(seq)), seq + 1))
        });
        let ready = stream::iter((1..).map(|seq| Ok(archived(seq))));
        let archives: [(Archive<Message>, Duration); 2] =
            [(Box::pin(slow), Duration::ZERO), (Box::pin(ready), second)];
        for (archive, pause) in archives {
            let logged = Logged::default();
            let _guard = logged.start();
            let mut events = replay(archive);
            let consume = async {
                loop {
                    next(&mut events).await.unwrap().unwrap();
                    tokio::time::sleep(pause).await;
                }
            };
            assert!(timeout(THREE, consume).await.is_err());
            let reports = logged.reports();
            assert!(reports.len() >= 3, "{}", reports.len());
            assert!(reports[2].number("histogram.atproto_stream_rate") > 0.1);
            assert!(reports[2].number("messages") >= 9.0 && reports[2].get("connected") == "false");
        }
    }
}
