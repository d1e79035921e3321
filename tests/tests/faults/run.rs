//! Runs a plan with a seed, and gathers what is needed to judge it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use atproto_sdk::types::Did;
use serde::Deserialize;
use tests::faults::{Exchange, Plan, Seed, Trouble};
use tokio::sync::mpsc;

use crate::{
    driver::{Client, Driver},
    protocol::{Account, Command, Failure, Report, Settings},
    worker,
    world::World,
};

/// How long drivers may take for calls that they have begun.
const REST: Duration = Duration::from_secs(150);
/// How often it is looked at what the drivers need.
const SAMPLE: Duration = Duration::from_secs(3);
/// How often a sign-in is tried again whose way is blocked by a fault.
const SIGN_INS: u32 = 60;
/// The same while nothing goes wrong but clocks.
const FIRST_SIGN_INS: u32 = 3;

/// Everything that is known about a run.
pub(crate) struct Evidence {
    pub(crate) plan: Plan,
    pub(crate) store: String,
    pub(crate) exchanges: Vec<Exchange>,
    /// What the drivers said, and when by the proxy's clock.
    pub(crate) reports: Vec<(Duration, Report)>,
    /// What the server did on its own.
    pub(crate) actions: Vec<(Duration, Action)>,
    pub(crate) injected: HashMap<String, u64>,
    /// The sessions that are in the store at the end, with the outcome of a call without faults.
    pub(crate) stored: Vec<Stored>,
    /// When they were looked at. A process may end a session after its last call.
    pub(crate) inspected: Duration,
    /// What is wrong with the store.
    pub(crate) store_problems: Vec<String>,
    /// The records that are there at the end, by account: key and text.
    pub(crate) records: HashMap<String, Vec<(String, String)>>,
    /// What the drivers needed, from time to time.
    pub(crate) samples: Vec<Sample>,
    /// Why an account could not sign in, after many attempts.
    pub(crate) no_sign_in: Option<String>,
    /// Drivers that did not come to an end.
    pub(crate) hanging: bool,
    pub(crate) took: Duration,
}

/// A session in the store at the end.
pub(crate) struct Stored {
    pub(crate) did: String,
    pub(crate) session: String,
    pub(crate) failure: Option<Failure>,
}

/// What a process needs at some time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// The number of the driver.
    pub(crate) driver: usize,
    /// Since the calls began.
    pub(crate) at: Duration,
    /// The memory that is really there, in bytes.
    pub(crate) memory: u64,
    /// Open files, connections included.
    pub(crate) files: u64,
}

/// What the server does on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    ExpireTokens,
    EndSessions(String),
    SignOut(String),
    Restart,
    StoreAway,
    StoreBack,
}

/// A run in progress.
struct Run<'a> {
    world: &'a World,
    plan: &'a Plan,
    accounts: Vec<tests::Account>,
    drivers: Vec<Driver>,
    reports: mpsc::UnboundedReceiver<(u32, Report)>,
    heard: Vec<(Duration, Report)>,
    actions: Vec<(Duration, Action)>,
    /// Accounts that are signing in, and how often that was tried.
    signing_in: HashMap<String, u32>,
    done: BTreeSet<u32>,
    samples: Vec<Sample>,
    sign_ins: u32,
    no_sign_in: Option<String>,
    /// The kind of the store, and the name of its part.
    store: (String, String),
}

/// Makes a server as the plan wants it; once for all runs of a plan.
pub(crate) async fn prepare(world: &World, plan: &Plan) {
    let network = &world.network;
    network.set_token_lifetime(Duration::from_secs(plan.token_seconds)).await.unwrap();
    if let Some(window) = plan.server.changing_nonces {
        network.change_nonces(window).await.unwrap();
    }
    let clock = plan.server.clock_seconds;
    let distance = Duration::from_secs(clock.unsigned_abs());
    if clock >= 0 {
        network.forward(distance).await.unwrap()
    } else {
        network.back(distance).await.unwrap()
    }
    world.proxy.set_date_offset(plan.server.date_seconds.unwrap_or(clock));
}

/// Runs a plan.
pub(crate) async fn run(world: &World, plan: &Plan, seed: u64, client: &Client) -> Evidence {
    let begun = Instant::now();
    let kind = match client {
        Client::Sdk => plan.stores[usize::try_from(seed).unwrap() % plan.stores.len()].clone(),
        Client::Reference(_) => "memory".to_owned(),
    };
    let part = format!("{}-{seed}", plan.name);
    let store = if plan.outages.is_empty() || kind == "memory" {
        world.store(&kind, &part)
    } else {
        world.fragile_store(&kind, &part).await
    };
    let before = world.proxy.exchanges().len();
    let mut run = Run::begin(world, plan, seed, client, &store).await;
    run.store = (kind.clone(), part);
    for account in run.accounts.clone() {
        run.sign_in(account.did.as_str()).await;
    }
    while !run.signing_in.is_empty() && run.no_sign_in.is_none() {
        run.hear_one(Duration::from_secs(60)).await;
    }
    let mut hanging = false;
    if run.no_sign_in.is_none() {
        run.sign_ins = SIGN_INS;
        world.proxy.play(&plan.faults, Seed::new(seed));
        for driver in &mut run.drivers {
            driver.tell(&Command::Go).await;
        }
        hanging = !run.watch().await;
    }
    let injected = world.proxy.stop_playing();
    let inspected = world.proxy.now();
    let mut stored = Vec::new();
    let mut store_problems = Vec::new();
    if matches!(client, Client::Sdk) {
        (stored, store_problems) = inspect(world, &store, &run.accounts).await;
    }
    let mut records = HashMap::new();
    for account in &run.accounts {
        records.insert(account.did.to_string(), records_of(world, account.did.as_str()).await);
    }
    let Run { drivers, reports, mut heard, actions, samples, no_sign_in, .. } = run;
    let mut reports = reports;
    while let Ok((_, report)) = reports.try_recv() {
        heard.push((world.proxy.now(), report));
    }
    for driver in drivers {
        drop(driver);
    }
    let exchanges = world.proxy.exchanges().split_off(before);
    let took = begun.elapsed();
    let plan = plan.clone();
    Evidence {
        plan,
        store: kind,
        exchanges,
        reports: heard,
        actions,
        injected,
        stored,
        inspected,
        store_problems,
        records,
        samples,
        no_sign_in,
        hanging,
        took,
    }
}

impl<'a> Run<'a> {
    async fn begin(world: &'a World, plan: &'a Plan, seed: u64, client: &Client, store: &str) -> Self {
        let mut accounts = Vec::new();
        for _ in 0..plan.accounts {
            accounts.push(world.network.account("carla").await.unwrap());
        }
        let (sender, mut reports) = mpsc::unbounded_channel();
        // One process does the work of all where a client has nothing that processes could share.
        let (processes, tasks) = match client {
            Client::Sdk => (plan.processes, plan.tasks),
            Client::Reference(_) => (1, plan.tasks * plan.processes),
        };
        let mut drivers = Vec::new();
        for worker in 0..processes {
            let settings = Settings {
                pds: world.pds().to_owned(),
                plc: world.network.plc().to_owned(),
                store: store.to_owned(),
                accounts: accounts
                    .iter()
                    .map(|it| Account { did: it.did.to_string(), handle: it.handle.to_string() })
                    .collect(),
                worker,
                apps: plan.apps,
                tasks,
                calls: plan.calls,
                seed,
                millis: plan.seconds * 1000,
            };
            let clocks = &plan.client_clocks;
            let ahead = clocks.get(worker as usize % clocks.len().max(1)).copied().unwrap_or_default();
            let variables = if ahead == 0 { Vec::new() } else { other_clock(ahead) };
            drivers.push(Driver::start(client, &settings, &variables, sender.clone()).await);
        }
        drop(sender);
        let mut ready = 0;
        while ready < processes {
            let heard = tokio::time::timeout(Duration::from_secs(60), reports.recv()).await;
            if let (_, Report::Ready) = heard.expect("a driver starts").expect("a driver stays") {
                ready += 1;
            }
        }
        let (heard, actions) = (Vec::new(), Vec::new());
        let (signing_in, done, samples) = (HashMap::new(), BTreeSet::new(), Vec::new());
        Self {
            world,
            plan,
            accounts,
            drivers,
            reports,
            heard,
            actions,
            signing_in,
            done,
            samples,
            sign_ins: FIRST_SIGN_INS,
            no_sign_in: None,
            store: Default::default(),
        }
    }

    /// Has the first driver sign in an account, unless it is doing so.
    async fn sign_in(&mut self, did: &str) {
        if !self.signing_in.contains_key(did) {
            self.signing_in.insert(did.to_owned(), 1);
            self.drivers[0].tell(&Command::SignIn { did: did.to_owned() }).await;
        }
    }

    /// Waits for something to be said, and reacts to it. Returns whether something was.
    async fn hear_one(&mut self, limit: Duration) -> bool {
        let Ok(Some((worker, report))) = tokio::time::timeout(limit, self.reports.recv()).await else {
            return false;
        };
        match &report {
            Report::Authorize { did, url } => {
                let account = self.accounts.iter().find(|account| account.did.as_str() == did).unwrap();
                match self.world.network.approve(url, account).await {
                    Ok(back) => {
                        let query = back.split_once(['?', '#']).unwrap().1.to_owned();
                        let command = Command::Callback { did: did.clone(), query };
                        self.drivers[0].tell(&command).await;
                    }
                    // The browser, too, goes through the proxy.
                    Err(error) => self.sign_in_again(&did.clone(), &error.to_string()).await,
                }
            }
            Report::SignedIn { did, .. } => drop(self.signing_in.remove(did)),
            Report::SignInFailed { did, error } => self.sign_in_again(&did.clone(), error).await,
            Report::NoSession { did } => self.sign_in(&did.clone()).await,
            Report::SignedOut { did, .. } => self.sign_in(&did.clone()).await,
            Report::Done => drop(self.done.insert(worker)),
            _ => {}
        }
        self.heard.push((self.world.proxy.now(), report));
        true
    }

    async fn sign_in_again(&mut self, did: &str, problem: &str) {
        let tries = self.signing_in.entry(did.to_owned()).or_default();
        *tries += 1;
        if *tries > self.sign_ins {
            self.no_sign_in = Some(problem.to_owned());
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.drivers[0].tell(&Command::SignIn { did: did.to_owned() }).await;
    }

    /// Listens and does what the server does on its own, until all drivers are done. Returns whether they are.
    async fn watch(&mut self) -> bool {
        let server = self.plan.server.clone();
        let begun = Instant::now();
        let calls_end = begun + Duration::from_secs(self.plan.seconds);
        let mut timers: BTreeMap<&str, (Duration, Instant)> = [
            ("rotate", server.rotate_nonces_millis),
            ("restart", server.restart_millis),
            ("expire", server.expire_tokens_millis),
            ("end", server.end_sessions_millis),
            ("sign-out", server.sign_out_millis),
        ]
        .into_iter()
        .filter_map(|(name, every)| {
            let every = Duration::from_millis(every?);
            Some((name, (every, begun + every)))
        })
        .collect();
        let mut outages = self.outages(begun);
        let (mut turn, mut next_sample) = (0, begun);
        while self.done.len() < self.drivers.len() {
            if self.no_sign_in.is_some() {
                return true;
            }
            if Instant::now() > calls_end + REST {
                return false;
            }
            self.hear_one(Duration::from_millis(20)).await;
            while outages.front().is_some_and(|(at, _)| Instant::now() >= *at) {
                if let Some((_, trouble)) = outages.pop_front() {
                    self.meddle(trouble);
                }
            }
            if Instant::now() > calls_end {
                continue;
            }
            if Instant::now() > next_sample {
                next_sample += SAMPLE;
                self.sample(begun.elapsed());
            }
            let due: Vec<&str> = timers
                .iter_mut()
                .filter(|(_, (_, next))| Instant::now() >= *next)
                .map(|(name, (every, next))| {
                    *next += *every;
                    *name
                })
                .collect();
            for name in due {
                turn += 1;
                self.act(name, turn).await;
            }
        }
        true
    }

    /// What becomes of the store and when: a trouble, or its end.
    fn outages(&self, begun: Instant) -> VecDeque<(Instant, Option<Trouble>)> {
        if self.store.0 == "memory" {
            return VecDeque::new();
        }
        let both = self.plan.outages.iter().flat_map(|outage| {
            let from = begun + Duration::from_millis(outage.at_millis);
            [(from, Some(outage.trouble)), (from + Duration::from_millis(outage.millis), None)]
        });
        both.collect()
    }

    /// Takes the store away or brings it back.
    fn meddle(&mut self, trouble: Option<Trouble>) {
        let (kind, part) = &self.store;
        let world = self.world;
        if let Some(trouble) = trouble {
            self.actions.push((world.proxy.now(), Action::StoreAway));
            tokio::task::block_in_place(|| world.take_away(kind, part, trouble));
        } else {
            world.bring_back(kind, part);
            self.actions.push((world.proxy.now(), Action::StoreBack));
        }
    }

    fn sample(&mut self, at: Duration) {
        for (driver, process) in self.drivers.iter().enumerate() {
            if let Some((memory, files)) = process.id().and_then(needs) {
                self.samples.push(Sample { driver, at, memory, files });
            }
        }
    }

    async fn act(&mut self, name: &str, turn: usize) {
        let network = &self.world.network;
        let account = self.accounts[turn % self.accounts.len()].clone();
        let action = match name {
            "rotate" => return network.rotate_nonces().await.unwrap(),
            "restart" => {
                self.actions.push((self.world.proxy.now(), Action::Restart));
                network.restart(Duration::from_millis(300)).await.unwrap();
                Action::Restart
            }
            "expire" => {
                for account in &self.accounts {
                    network.expire_tokens(account).await.unwrap();
                }
                Action::ExpireTokens
            }
            "end" => {
                network.end_sessions(&account).await.unwrap();
                Action::EndSessions(account.did.to_string())
            }
            _ => {
                // Not while it is signing in: there is nothing to end.
                if self.signing_in.contains_key(account.did.as_str()) {
                    return;
                }
                self.drivers[0].tell(&Command::SignOut { did: account.did.to_string() }).await;
                Action::SignOut(account.did.to_string())
            }
        };
        self.actions.push((self.world.proxy.now(), action));
    }
}

/// What gives a process another clock. Its monotonic clock stays right.
fn other_clock(ahead: i64) -> Vec<(&'static str, String)> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    let library = folders.map(|folder| format!("{folder}/faketime/libfaketime.so.1"));
    let library = library.into_iter().find(|path| std::path::Path::new(path).exists());
    let library = library.expect("processes with other clocks need Debian's package faketime");
    vec![
        ("LD_PRELOAD", library),
        ("FAKETIME", format!("{ahead:+}")),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// The memory and the open files of a process.
fn needs(id: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
    Some((kilobytes * 1024, files as u64))
}

/// What is in the store at the end, without faults: every entry decodes, and every session is what it seems to be.
async fn inspect(world: &World, url: &str, accounts: &[tests::Account]) -> (Vec<Stored>, Vec<String>) {
    let (mut stored, mut problems) = (Vec::new(), Vec::new());
    if url == "memory" {
        return (stored, problems);
    }
    let store = worker::open(url).await;
    let oauth = worker::app(world.pds(), world.network.plc(), store.clone());
    for account in accounts {
        let did = Did::new(&account.did).unwrap();
        let keys = store.list(&format!("session/{did}/")).await.unwrap();
        for key in &keys {
            let Some(entry) = store.get(key).await.unwrap() else { continue };
            if let Err(error) = serde_json::from_slice::<serde_json::Value>(&entry.value) {
                problems.push(format!("{key} is not JSON: {error}"));
            }
        }
        let sessions = oauth.sessions(&did).await.unwrap();
        if sessions.len() != keys.len() {
            problems.push(format!("{} of {} entries of {did} can be read", sessions.len(), keys.len()));
        }
        for session in sessions {
            let client = oauth.client_for(&session.id).await.unwrap();
            let outcome = client.com_atproto_server().get_session().await;
            let failure = outcome.err().map(|error| worker::failure_of(&error));
            stored.push(Stored { did: account.did.to_string(), session: session.id.to_string(), failure });
        }
    }
    (stored, problems)
}

/// The records of an account, read from the server and not through the proxy.
async fn records_of(world: &World, did: &str) -> Vec<(String, String)> {
    #[derive(Deserialize)]
    struct Page {
        cursor: Option<String>,
        records: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        uri: String,
        value: serde_json::Value,
    }
    let http = tests::plain_client(Duration::from_secs(30)).unwrap();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let url = format!(
            "{}/xrpc/com.atproto.repo.listRecords?repo={did}&collection=app.bsky.feed.post&limit=100{cursor}",
            world.proxy.server()
        );
        let body = http.get(url).send().await.unwrap().bytes().await.unwrap();
        let page: Page = serde_json::from_slice(&body).unwrap();
        for Entry { uri, value } in page.records {
            let text = value["text"].as_str().unwrap_or_default().to_owned();
            found.push((uri.rsplit('/').next().unwrap().to_owned(), text));
        }
        match page.cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}
