//! A process that is killed at any step of a refresh or of a sign-in: the next one goes on without a sign-in, unless
//! new tokens had been given and not been written, and then it says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use atproto_sdk::{
    oauth::{AuthorizeOptions, CallbackParams, OAuth},
    store::Store,
    types::Did,
    xrpc::{Error, ReauthenticateReason},
};
use futures_util::{StreamExt as _, future::join_all, stream};
use tests::faults::{Calls, Hold, Matches, Point};
use tokio::sync::mpsc;

use crate::{
    chains::chains,
    driver::{Client, Driver},
    held_store::Place,
    protocol::{Account, Command, Report, Settings},
    worker,
    world::World,
};

/// How many processes are started at the same time.
const AT_ONCE: usize = 4;
/// The limit for a process to reach its step.
const STEP_LIMIT: Duration = Duration::from_secs(60);
/// How long the next process may take: until the lease of the dead one has expired, and then until it is certain that
/// nobody has new tokens in memory. [`followed_by_short_processes`] has processes that do not live for so long.
const RECOVERY: Duration = Duration::from_secs(130);
/// The same if neither is to be waited for.
const QUICK_RECOVERY: Duration = Duration::from_secs(20);
/// When a database lets go of the lock of a dead process, by the SDK's limits.
const LEASE: Duration = Duration::from_secs(45);
/// How many calls of short processes may fail: the lease of the dead one is waited for, and then whether it is dead.
const MOST_SHORT: u32 = 4;
/// No refresh is due in the meantime.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_secs(2);

/// A place at which the process is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Store(Place),
    /// The refresh has been sent, and the server has not got it, or has got it.
    Network(Point),
    /// The refresh has been sent, and reaches the server only when its process is dead.
    Late,
}

impl Step {
    fn label(self, operations: &[String]) -> String {
        match self {
            Self::Store(Place { step, done }) => {
                let when = if done { "after" } else { "before" };
                format!("{when} operation {step}, {}", operations[step as usize - 1])
            }
            Self::Network(Point::BeforeServer) => "sent, and never arrived".to_owned(),
            Self::Network(_) => "answered, and the answer never arrived".to_owned(),
            Self::Late => "sent, and arrived later".to_owned(),
        }
    }

    /// Where the refresh is held by the network.
    fn point(self) -> Option<Point> {
        match self {
            Self::Store(_) => None,
            Self::Network(point) => Some(point),
            Self::Late => Some(Point::BeforeServer),
        }
    }
}

/// A driver on a world's store, with the channel of what it says.
pub(crate) struct Child {
    pub(crate) driver: Driver,
    pub(crate) says: mpsc::UnboundedReceiver<(u32, Report)>,
}

impl Child {
    pub(crate) async fn start(
        world: &World,
        store: &str,
        account: &tests::Account,
        place: Option<Place>,
    ) -> Self {
        Self::start_with(&Client::Sdk, world, store, account, place).await
    }

    /// The same with any client.
    pub(crate) async fn start_with(
        client: &Client,
        world: &World,
        store: &str,
        account: &tests::Account,
        place: Option<Place>,
    ) -> Self {
        let settings = Settings {
            pds: world.pds().to_owned(),
            plc: world.network.plc().to_owned(),
            store: store.to_owned(),
            accounts: vec![Account { did: account.did.to_string(), handle: account.handle.to_string() }],
            worker: 0,
            apps: 1,
            tasks: 1,
            calls: Calls { read: 1, create: 1, delete: 1, pause_millis: 1 },
            seed: 0,
            millis: 0,
        };
        let (sender, says) = mpsc::unbounded_channel();
        let variables: Vec<_> = place.map(Place::variable).into_iter().collect();
        let driver = Driver::start(client, &settings, &variables, sender).await;
        let mut child = Self { driver, says };
        child.until(|report| matches!(report, Report::Ready)).await;
        child
    }

    /// Waits for it to say something.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Report) -> bool) -> Report {
        let found = async {
            loop {
                match self.says.recv().await {
                    Some((_, report)) if wanted(&report) => return report,
                    Some(_) => {}
                    None => panic!("the driver has died"),
                }
            }
        };
        tokio::time::timeout(STEP_LIMIT, found).await.expect("the driver gets there")
    }

    /// How many operations of the store a command takes, up to what it says in the end.
    async fn steps(&mut self, command: &Command, end: impl Fn(&Report) -> bool) -> Vec<String> {
        self.driver.tell(command).await;
        let mut operations = Vec::new();
        loop {
            let said = self.until(|report| matches!(report, Report::Step { .. }) || end(report)).await;
            match said {
                Report::Step { operation, .. } => operations.push(operation),
                _ => return operations,
            }
        }
    }
}

/// A place that no operation has: only the operations are told.
const NOWHERE: Place = Place { step: u32::MAX, done: false };

/// A sign-in of this process.
pub(crate) async fn sign_in(world: &World, oauth: &OAuth, account: &tests::Account) {
    let authorization = oauth.authorize(account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = world.network.approve(&authorization.url, account).await.unwrap();
    oauth.callback(&params(&callback)).await.unwrap();
}

fn params(callback: &str) -> CallbackParams {
    CallbackParams::from_query(callback.split_once(['?', '#']).unwrap().1).unwrap()
}

/// The stored sessions of an account, as the store has them.
pub(crate) async fn rows(store: &Arc<dyn Store>, did: &str) -> Vec<serde_json::Value> {
    let mut rows = Vec::new();
    for key in store.list(&format!("session/{did}/")).await.unwrap() {
        if let Some(entry) = store.get(&key).await.unwrap() {
            rows.push(serde_json::from_slice(&entry.value).unwrap());
        }
    }
    rows
}

struct Case {
    step: Step,
    label: String,
    account: tests::Account,
    /// Whether the access token has expired when the next process comes.
    expired: bool,
    /// The row before.
    row: serde_json::Value,
}

/// What became of a case.
struct Outcome {
    label: String,
    lost: bool,
    took: Duration,
}

async fn killed_in_a_refresh(kind: &str) {
    let world = World::start().await;
    let url = world.store(kind, "crashes");
    let store = worker::open(&url).await;
    let oauth = worker::app(world.pds(), world.network.plc(), Arc::clone(&store));
    world.network.set_token_lifetime(LONG).await.unwrap();

    // What a refresh does in the store.
    let account = world.network.account("carla").await.unwrap();
    sign_in(&world, &oauth, &account).await;
    let mut child = Child::start(&world, &url, &account, Some(NOWHERE)).await;
    let refresh = Command::Refresh { did: account.did.to_string() };
    let operations = child.steps(&refresh, |report| matches!(report, Report::Refreshed { .. })).await;
    child.driver.kill().await;
    println!("{kind}: a refresh is {operations:?}");
    assert!(operations.iter().filter(|operation| *operation == "put").count() >= 2, "{operations:?}");

    let mut steps = vec![Step::Network(Point::BeforeServer), Step::Network(Point::AfterServer), Step::Late];
    for step in 1..=u32::try_from(operations.len()).unwrap() {
        steps.extend([false, true].map(|done| Step::Store(Place { step, done })));
    }
    let mut cases = Vec::new();
    for expired in [false, true] {
        world.network.set_token_lifetime(if expired { SHORT } else { LONG }).await.unwrap();
        for step in &steps {
            let account = world.network.account("carla").await.unwrap();
            sign_in(&world, &oauth, &account).await;
            let row = rows(&store, account.did.as_str()).await.remove(0);
            let label = step.label(&operations);
            cases.push(Case { step: *step, label, account, expired, row });
        }
    }
    world.network.set_token_lifetime(LONG).await.unwrap();
    // The requests of the others must not stop where one is held.
    for case in cases.iter().filter(|case| case.step.point().is_some()) {
        kill_at(&world, &url, case).await;
    }
    let others = cases.iter().filter(|case| case.step.point().is_none());
    stream::iter(others)
        .map(|case| kill_at(&world, &url, case))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
    tokio::time::sleep(SHORT).await;

    let outcomes = join_all(cases.iter().map(|case| recover(&world, kind, &store, case))).await;
    let lost = outcomes.iter().filter(|outcome| outcome.lost).count();
    for Outcome { label, lost, took } in &outcomes {
        println!("{kind}: {label}: {} after {took:.1?}", if *lost { "reported as lost" } else { "goes on" });
    }
    println!("{kind}: {} cases, {lost} lost", outcomes.len());
    // With a valid and an expired token each: on the way back, when it came late, and at the operations up to the
    // write.
    assert!(lost >= 8 && lost < outcomes.len() / 2, "{lost} of {}", outcomes.len());
}

/// Runs a process up to a step, and kills it there.
async fn kill_at(world: &World, url: &str, case: &Case) {
    let place = if let Step::Store(place) = case.step { place } else { NOWHERE };
    let path = Some("/oauth/token".to_owned());
    let refreshes = Matches { path, grant: Some("refresh_token".to_owned()), ..Matches::default() };
    let mut hold = case.step.point().map(|point| world.proxy.hold(refreshes, point));
    let mut child = Child::start(world, url, &case.account, Some(place)).await;
    child.driver.tell(&Command::Refresh { did: case.account.did.to_string() }).await;
    match &mut hold {
        Some(hold) => {
            let reached = async |hold: &mut Hold| {
                tokio::time::timeout(STEP_LIMIT, hold.reached()).await.expect("the request comes");
            };
            // The first one brings the nonce.
            reached(hold).await;
            hold.release(true);
            reached(hold).await;
        }
        None => drop(child.until(|report| matches!(report, Report::Held { .. })).await),
    }
    child.driver.kill().await;
    if let Some(hold) = &mut hold {
        hold.release(matches!(case.step, Step::Late));
    }
}

/// The next process calls until it gets an answer, or hears that the user must sign in.
async fn recover(world: &World, kind: &str, store: &Arc<dyn Store>, case: &Case) -> Outcome {
    let Case { label, account, expired, row, .. } = case;
    let label = format!("{label}; access token {}", if *expired { "expired" } else { "valid" });
    let did = Did::new(&account.did).unwrap();
    let now = rows(store, account.did.as_str()).await.remove(0);
    let written = now["refresh_token"] != row["refresh_token"];
    let exchanges = world.proxy.exchanges();
    let seen = chains(&exchanges);
    let rotated = seen.iter().any(|chain| chain.did == account.did.as_str() && chain.given().count() > 0);
    let in_doubt = now["refresh_in_doubt"] == true;
    // An app of its own: what this process knows already does not count.
    let oauth = worker::app(world.pds(), world.network.plc(), Arc::clone(store));
    let begun = Instant::now();
    let client = oauth.client(&did).await.unwrap();
    let ended = loop {
        match client.com_atproto_server().get_session().await {
            Ok(session) => {
                assert_eq!(session.did, did, "{label}");
                break None;
            }
            Err(Error::Reauthenticate(ended)) => break Some(ended),
            Err(error) => {
                let text = worker::chain(&error);
                assert!(begun.elapsed() < RECOVERY, "{kind}, {label}: {text}");
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    };
    let took = begun.elapsed();
    assert!(took < RECOVERY + Duration::from_secs(30), "{kind}, {label}: {took:?}");
    let lost = rotated && !written;
    match &ended {
        Some(ended) => {
            assert!(lost, "{kind}, {label}: {ended}");
            assert_eq!(ended.reason, ReauthenticateReason::LostRefresh, "{kind}, {label}: {ended}");
            assert!(
                rows(store, account.did.as_str()).await.is_empty(),
                "{kind}, {label}: the session is still there"
            );
        }
        None => {
            assert!(!lost, "{kind}, {label}: how can it go on?");
            let leased = matches!(kind, "postgres" | "redis");
            // A token that is still good needs neither the lock nor a refresh.
            if !*expired || (!leased && !in_doubt) {
                assert!(took < QUICK_RECOVERY, "{kind}, {label}: {took:?}");
            } else if !in_doubt {
                assert!(took < LEASE + QUICK_RECOVERY, "{kind}, {label}: {took:?}");
            }
        }
    }
    Outcome { label, lost, took }
}

async fn killed_in_a_sign_in(kind: &str) {
    let world = World::start().await;
    let url = world.store(kind, "crashes");
    let store = worker::open(&url).await;
    let oauth = worker::app(world.pds(), world.network.plc(), Arc::clone(&store));
    world.network.set_token_lifetime(LONG).await.unwrap();

    // What a sign-in does in the store, before and after the browser.
    let account = world.network.account("carla").await.unwrap();
    let mut child = Child::start(&world, &url, &account, Some(NOWHERE)).await;
    let did = account.did.to_string();
    let begin = Command::SignIn { did: did.clone() };
    let mut going = String::new();
    child.driver.tell(&begin).await;
    let mut first = 0;
    while going.is_empty() {
        match child.until(|report| matches!(report, Report::Step { .. } | Report::Authorize { .. })).await {
            Report::Authorize { url, .. } => going = url,
            _ => first += 1,
        }
    }
    let back = world.network.approve(&going, &account).await.unwrap();
    let callback = Command::Callback { did, query: back.split_once(['?', '#']).unwrap().1.to_owned() };
    let second = child.steps(&callback, |report| matches!(report, Report::SignedIn { .. })).await;
    child.driver.kill().await;
    println!("{kind}: a sign-in is {first} operations, and then {second:?}");
    assert!(first >= 1 && second.len() >= 2, "{first} {second:?}");

    for step in 1..=first {
        for done in [false, true] {
            let account = world.network.account("carla").await.unwrap();
            let mut child = Child::start(&world, &url, &account, Some(Place { step, done })).await;
            child.driver.tell(&Command::SignIn { did: account.did.to_string() }).await;
            child.until(|report| matches!(report, Report::Held { .. })).await;
            child.driver.kill().await;
            assert!(rows(&store, account.did.as_str()).await.is_empty());
            sign_in(&world, &oauth, &account).await;
            everything_works(&oauth, &account, 1).await;
        }
    }
    for step in 1..=u32::try_from(second.len()).unwrap() {
        for done in [false, true] {
            killed_in_a_callback(&world, &url, &store, Place { step, done }).await;
        }
    }
    // The answer with the tokens never arrives.
    let account = world.network.account("carla").await.unwrap();
    let path = Some("/oauth/token".to_owned());
    let mut hold = world.proxy.hold(Matches { path, ..Matches::default() }, Point::AfterServer);
    let mut child = Child::start(&world, &url, &account, None).await;
    begin_callback(&world, &mut child, &account).await;
    tokio::time::timeout(STEP_LIMIT, hold.reached()).await.expect("the request comes");
    child.driver.kill().await;
    drop(hold);
    assert!(rows(&store, account.did.as_str()).await.is_empty());
    sign_in(&world, &oauth, &account).await;
    everything_works(&oauth, &account, 1).await;
}

/// Signs in at a driver up to the return of the browser. Gives the address to which the browser came back.
async fn begin_callback(world: &World, child: &mut Child, account: &tests::Account) -> String {
    child.driver.tell(&Command::SignIn { did: account.did.to_string() }).await;
    let said = child.until(|report| matches!(report, Report::Authorize { .. })).await;
    let Report::Authorize { url: going, .. } = said else { unreachable!() };
    let back = world.network.approve(&going, account).await.unwrap();
    let query = back.split_once(['?', '#']).unwrap().1.to_owned();
    child.driver.tell(&Command::Callback { did: account.did.to_string(), query }).await;
    back
}

async fn killed_in_a_callback(world: &World, url: &str, store: &Arc<dyn Store>, place: Place) {
    let account = world.network.account("carla").await.unwrap();
    // The first command is not held: its steps are fewer, or it is let go on.
    let mut child = Child::start(world, url, &account, Some(place)).await;
    child.driver.tell(&Command::SignIn { did: account.did.to_string() }).await;
    let going = loop {
        match child.until(|report| matches!(report, Report::Held { .. } | Report::Authorize { .. })).await {
            Report::Authorize { url, .. } => break url,
            _ => child.driver.tell(&Command::Release).await,
        }
    };
    let back = world.network.approve(&going, &account).await.unwrap();
    let query = back.split_once(['?', '#']).unwrap().1.to_owned();
    child.driver.tell(&Command::Callback { did: account.did.to_string(), query }).await;
    child.until(|report| matches!(report, Report::Held { .. })).await;
    child.driver.kill().await;

    let oauth = worker::app(world.pds(), world.network.plc(), Arc::clone(store));
    let there = rows(store, account.did.as_str()).await.len();
    // The browser tries again.
    let again = oauth.callback(&params(&back)).await;
    match (&again, there) {
        (Ok(_), 0) => everything_works(&oauth, &account, 1).await,
        (Err(error), 0) => {
            println!("{place:?}: {}", worker::chain(error));
            sign_in(world, &oauth, &account).await;
            everything_works(&oauth, &account, 1).await;
        }
        // The session was stored before the end: nobody has to sign in.
        (Err(_), 1) => everything_works(&oauth, &account, 1).await,
        (again, there) => panic!("{place:?}: {there} sessions, and {again:?}"),
    }
}

/// The account has that many sessions, and each works.
async fn everything_works(oauth: &OAuth, account: &tests::Account, count: usize) {
    let did = Did::new(&account.did).unwrap();
    let sessions = oauth.sessions(&did).await.unwrap();
    assert_eq!(sessions.len(), count);
    for session in sessions {
        let client = oauth.client_for(&session.id).await.unwrap();
        client.com_atproto_server().get_session().await.unwrap();
        client.refresh().await.unwrap();
    }
}

/// A process dies in a refresh, and after it come others that make one call each and then end, like those of a timer.
async fn followed_by_short_processes(kind: &str) {
    let world = World::start().await;
    let url = world.store(kind, "short");
    let store = worker::open(&url).await;
    let oauth = worker::app(world.pds(), world.network.plc(), Arc::clone(&store));
    world.network.set_token_lifetime(SHORT).await.unwrap();
    let account = world.network.account("carla").await.unwrap();
    sign_in(&world, &oauth, &account).await;
    let row = rows(&store, account.did.as_str()).await.remove(0);
    let step = Step::Network(Point::BeforeServer);
    let case = Case { step, label: String::new(), account, expired: true, row };
    kill_at(&world, &url, &case).await;
    tokio::time::sleep(SHORT).await;
    world.network.set_token_lifetime(LONG).await.unwrap();

    let (begun, did) = (Instant::now(), case.account.did.to_string());
    let mut failed = 0;
    loop {
        let mut child = Child::start(&world, &url, &case.account, None).await;
        child.driver.tell(&Command::Call { did: did.clone() }).await;
        let said = child.until(|report| matches!(report, Report::Called { .. })).await;
        child.driver.kill().await;
        let Report::Called { failure, .. } = said else { unreachable!() };
        let Some(failure) = failure else { break };
        failed += 1;
        println!("{kind}: call {failed} after {:.1?}: {}", begun.elapsed(), failure.message);
        assert!(failure.ended.is_none(), "nothing was lost: {failure:?}");
        assert!(failed < MOST_SHORT, "{kind}: they never get through");
    }
    println!("{kind}: it goes on after {failed} calls and {:.1?}", begun.elapsed());
    // Otherwise this is about nothing: one process must not be enough.
    assert!(failed > 0, "{kind}");
    let exchanges = world.proxy.exchanges();
    let chain = chains(&exchanges).into_iter().rfind(|chain| chain.did == did).unwrap();
    assert_eq!(chain.given().count(), 1, "{chain:#?}");
}

macro_rules! each_store {
    ($($kind:literal $refresh:ident $sign_in:ident $short:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $refresh() {
            killed_in_a_refresh($kind).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $sign_in() {
            killed_in_a_sign_in($kind).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $short() {
            followed_by_short_processes($kind).await;
        }
    )* };
}

each_store! {
    "file" o25_a_process_killed_in_a_refresh_on_a_file a_process_killed_in_a_sign_in_on_a_file
        o25_short_processes_go_on_after_one_that_was_killed_on_a_file,
    "sqlite" o25_a_process_killed_in_a_refresh_on_sqlite a_process_killed_in_a_sign_in_on_sqlite
        o25_short_processes_go_on_after_one_that_was_killed_on_sqlite,
    "postgres" o25_a_process_killed_in_a_refresh_on_postgresql a_process_killed_in_a_sign_in_on_postgresql
        o25_short_processes_go_on_after_one_that_was_killed_on_postgresql,
    "redis" o25_a_process_killed_in_a_refresh_on_redis a_process_killed_in_a_sign_in_on_redis
        o25_short_processes_go_on_after_one_that_was_killed_on_redis,
}
