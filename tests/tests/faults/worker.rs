//! The driver of this SDK: a process that calls as it is told and tells what came of it.

use std::{
    io::BufRead as _,
    sync::Arc,
    time::{Duration, Instant},
};

use atproto_sdk::{
    api::{app::bsky::feed::post::Post, com::atproto::repo::create_record},
    identity::{HandleResolver, Resolver},
    oauth::{
        AuthorizeOptions, CallbackParams, ClientError, ClientMetadata, OAuth, OAuthBuilder, OAuthClient,
        SessionEnd, SessionError, SessionEvent,
    },
    store::{self, MemoryStore, Store},
    types::{AtIdentifier, Datetime, Did, Expected, Record as _, RecordKey, Tid, Unknown},
    xrpc::{Error, ErrorKind, LexiconError, Reauthenticate, ReauthenticateReason},
};
use tests::faults::Seed;
use tokio::{sync::mpsc, task::JoinSet};

use crate::held_store::{HeldStore, Place};
use crate::protocol::{Account, CallKind, CallReport, Command, Failure, Reason, Report, Settings};

/// How many records a task keeps, so that a long run needs no more memory than a short one.
const MOST_RECORDS: usize = 40;

/// Set in the processes that are drivers.
pub(crate) const MARK: &str = "ATPROTO_FAULTS_WORKER";

/// Prints a line for the runner. The harness may have begun a line.
pub(crate) fn say(report: &Report) {
    println!("\n{}", serde_json::to_string(report).unwrap());
}

/// The lines that the runner sends; the channel ends with its end.
pub(crate) fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// An app on a store.
pub(crate) fn app(pds: &str, plc: &str, store: Arc<dyn Store>) -> OAuth {
    builder(pds, plc, store).build().unwrap()
}

fn builder(pds: &str, plc: &str, store: Arc<dyn Store>) -> OAuthBuilder {
    let resolver = Resolver::builder()
        .plc_directory(plc)
        .handle_resolver(HandleResolver::Xrpc(pds.to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    OAuth::builder(ClientMetadata::loopback()).resolver(resolver).shared_store(store).allow_loopback_http()
}

fn tell(event: &SessionEvent) {
    if let SessionEvent::Ended { id, reason } = event {
        let reason = match reason {
            SessionEnd::SignedOut => Reason::SignedOut,
            SessionEnd::Lost(reason) => reason_of(reason),
            _ => Reason::Other,
        };
        say(&Report::Ended { did: id.did().to_string(), session: id.to_string(), reason });
    }
}

fn reason_of(reason: &ReauthenticateReason) -> Reason {
    match reason {
        ReauthenticateReason::Revoked => Reason::Revoked,
        ReauthenticateReason::LostRefresh => Reason::LostRefresh,
        ReauthenticateReason::InvalidRefresh => Reason::InvalidRefresh,
        ReauthenticateReason::NotFound => Reason::NotFound,
        _ => Reason::Other,
    }
}

/// Opens the store of a plan.
pub(crate) async fn open(store: &str) -> Arc<dyn Store> {
    if store == "memory" {
        return Arc::new(MemoryStore::new());
    }
    store::connect(store).await.unwrap()
}

/// The driver's whole life.
pub(crate) async fn run() {
    if std::env::var_os("FAULTS_TRACE").is_some() {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
        subscriber.with_writer(std::io::stderr).init();
    }
    let mut lines = lines();
    let settings: Settings = serde_json::from_str(&lines.recv().await.unwrap()).unwrap();
    let settings = Arc::new(settings);
    let mut apps = Vec::new();
    let mut shared = open(&settings.store).await;
    let held = Place::told().map(|place| HeldStore::new(Arc::clone(&shared), place));
    if let Some(held) = &held {
        shared = held.clone();
    }
    for number in 0..settings.apps {
        let own = if number == 0 || settings.store == "memory" {
            Arc::clone(&shared)
        } else {
            open(&settings.store).await
        };
        apps.push(builder(&settings.pds, &settings.plc, own).on_session_event(tell).build().unwrap());
    }
    say(&Report::Ready);
    while let Some(line) = lines.recv().await {
        let command: Command = serde_json::from_str(&line).unwrap();
        match command {
            Command::Go => {
                let (settings, apps) = (Arc::clone(&settings), apps.clone());
                tokio::spawn(async move {
                    call(settings, apps).await;
                    say(&Report::Done);
                });
            }
            Command::Release => held.iter().for_each(|held| held.release()),
            other => {
                held.iter().for_each(|held| held.begin());
                drop(tokio::spawn(session_command(apps[0].clone(), Arc::clone(&settings), other)));
            }
        }
    }
}

/// Does what concerns the session of one account.
async fn session_command(oauth: OAuth, settings: Arc<Settings>, command: Command) {
    match command {
        Command::SignIn { did } => {
            let account = settings.accounts.iter().find(|account| account.did == did).unwrap();
            say(&match oauth.authorize(&account.handle, AuthorizeOptions::new()).await {
                Ok(authorization) => Report::Authorize { did, url: authorization.url },
                Err(error) => Report::SignInFailed { did, error: chain(&error) },
            });
        }
        Command::Callback { did, query } => {
            let signed_in = async {
                let params = CallbackParams::from_query(&query).map_err(|error| chain(&error))?;
                oauth.callback(&params).await.map_err(|error| chain(&error))
            };
            say(&match signed_in.await {
                Ok(it) => Report::SignedIn { did, session: it.client.session_id().to_string() },
                Err(error) => Report::SignInFailed { did, error },
            });
        }
        Command::SignOut { did } => {
            let error = match oauth.client(&Did::new(&did).unwrap()).await {
                Ok(client) => client.sign_out().await.err().map(|error| chain(&error)),
                Err(error) => Some(chain(&error)),
            };
            say(&Report::SignedOut { did, error });
        }
        Command::Refresh { did } => {
            let failure = match oauth.client(&Did::new(&did).unwrap()).await {
                Ok(client) => client.refresh().await.err().map(|error| refresh_failure(&error)),
                Err(error) => Some(no_client(&error)),
            };
            say(&Report::Refreshed { did, failure });
        }
        Command::Call { did } => {
            let failure = match oauth.client(&Did::new(&did).unwrap()).await {
                Ok(client) => {
                    let called = client.com_atproto_server().get_session().await;
                    called.err().map(|error| failure_of(&error))
                }
                Err(error) => Some(no_client(&error)),
            };
            say(&Report::Called { did, failure });
        }
        Command::Go | Command::Release => {}
    }
}

/// The failure of a client that could not be made.
pub(crate) fn no_client(error: &ClientError) -> Failure {
    let ended = matches!(error, ClientError::SessionNotFound { .. }).then_some(Reason::NotFound);
    let kind = if ended.is_some() { Failure::SIGN_IN_AGAIN } else { "other" };
    Failure { kind: kind.to_owned(), ended, name: None, message: chain(error) }
}

/// The failure of a refresh that was asked for.
pub(crate) fn refresh_failure(error: &SessionError) -> Failure {
    let ended = match error {
        SessionError::Reauthenticate(Reauthenticate { reason, .. }) => Some(reason_of(reason)),
        _ => None,
    };
    let kind = if ended.is_some() { Failure::SIGN_IN_AGAIN } else { "try-later" };
    Failure { kind: kind.to_owned(), ended, name: None, message: chain(error) }
}

pub(crate) fn failure_of<E: LexiconError>(error: &Error<E>) -> Failure {
    let ended = match error {
        Error::Reauthenticate(it) => Some(reason_of(&it.reason)),
        _ => None,
    };
    let kind = match error.kind() {
        ErrorKind::SignInAgain => Failure::SIGN_IN_AGAIN,
        ErrorKind::TryLater => "try-later",
        ErrorKind::InvalidInput => "invalid-input",
        ErrorKind::BadAnswer => "bad-answer",
        _ => "other",
    };
    let name = error.response().and_then(|response| response.name.clone());
    Failure { kind: kind.to_owned(), ended, name, message: chain(error) }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|source| format!(": {}", chain(source))).unwrap_or_default();
    format!("{error}{cause}")
}

/// All tasks of this process, until their time is over.
async fn call(settings: Arc<Settings>, apps: Vec<OAuth>) {
    let end = Instant::now() + Duration::from_millis(settings.millis);
    let mut tasks = JoinSet::new();
    for (app, oauth) in apps.into_iter().enumerate() {
        for task in 0..settings.tasks {
            let number = (u64::from(settings.worker) * 100 + app as u64) * 100 + u64::from(task);
            let name = format!("s{}-w{}-a{app}-t{task}", settings.seed, settings.worker);
            let seed = Seed::new(settings.seed).part(number);
            let task = Task { settings: Arc::clone(&settings), oauth: oauth.clone(), seed, name, drawn: 0 };
            tasks.spawn(task.run(end));
        }
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
}

/// A task that makes one call after another. It works on records of its own, so it knows what it must read.
struct Task {
    settings: Arc<Settings>,
    oauth: OAuth,
    seed: Seed,
    name: String,
    drawn: u64,
}

/// A record that is there.
struct Written {
    did: String,
    rkey: String,
    text: String,
}

impl Task {
    fn draw(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        self.seed.below(self.drawn, end)
    }

    async fn run(mut self, end: Instant) {
        let mut written: Vec<Written> = Vec::new();
        let mut clients: Vec<Option<OAuthClient>> = self.settings.accounts.iter().map(|_| None).collect();
        let calls = self.settings.calls;
        while Instant::now() < end {
            let chance = self.draw(calls.read + calls.create + calls.delete);
            let kind = match chance {
                _ if written.is_empty() => CallKind::Create,
                _ if written.len() >= MOST_RECORDS => CallKind::Delete,
                chance if chance < calls.read => CallKind::Read,
                chance if chance < calls.read + calls.create => CallKind::Create,
                _ => CallKind::Delete,
            };
            let accounts = self.settings.accounts.len() as u64;
            let (mut account, old) = (self.draw(accounts) as usize, self.draw(written.len() as u64) as usize);
            if kind != CallKind::Create {
                let did = &written[old].did;
                account = self.settings.accounts.iter().position(|account| account.did == *did).unwrap();
            }
            let Some(client) = self.client(&mut clients[account], account).await else { continue };
            let begun = Instant::now();
            let mut report = match kind {
                CallKind::Create => self.create(&client, account).await,
                CallKind::Read => read(&client, &written[old]).await,
                CallKind::Delete => delete(&client, written.swap_remove(old)).await,
            };
            report.millis = u64::try_from(begun.elapsed().as_millis()).unwrap();
            if report.failure.as_ref().is_some_and(|failure| failure.ended.is_some()) {
                clients[account] = None;
            }
            if let (CallKind::Create, None, Some(rkey)) = (kind, &report.failure, &report.rkey) {
                let (did, text) = (report.did.clone(), report.text.clone());
                written.push(Written { did, rkey: rkey.clone(), text });
            }
            say(&Report::Call(report));
            let pause = self.draw(calls.pause_millis + 1);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// The client of an account. While it has no session, somebody else has to sign in.
    async fn client(&self, kept: &mut Option<OAuthClient>, account: usize) -> Option<OAuthClient> {
        if let Some(client) = kept {
            return Some(client.clone());
        }
        let did = &self.settings.accounts[account].did;
        match self.oauth.client(&Did::new(did).unwrap()).await {
            Ok(client) => {
                *kept = Some(client.clone());
                return Some(client);
            }
            Err(ClientError::SessionNotFound { .. }) => say(&Report::NoSession { did: did.clone() }),
            // The store is away for a moment.
            Err(error) => eprintln!("{}", chain(&error)),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        None
    }

    /// Creates a record: every other one under a key of its own, so that a second write shows in either way.
    async fn create(&mut self, client: &OAuthClient, account: usize) -> CallReport {
        let number = self.drawn;
        let Account { did, .. } = &self.settings.accounts[account];
        let text = format!("{}-{number}", self.name);
        let post = Post::new(&text, Datetime::now());
        let made = if number.is_multiple_of(2) {
            let repo = AtIdentifier::from(client.did());
            let input = create_record::Input::new(repo, Post::collection(), Unknown::encode(&post).unwrap());
            client.com_atproto_repo().create_record(input.rkey(RecordKey::from(Tid::now()))).await
        } else {
            client.records::<Post>().create(&post).await
        };
        let (rkey, failure) = match made {
            Ok(made) => (made.uri.as_str().rsplit('/').next().map(str::to_owned), None),
            Err(error) => (None, Some(failure_of(&error))),
        };
        CallReport { did: did.clone(), kind: CallKind::Create, rkey, text, read: None, failure, millis: 0 }
    }
}

async fn read(client: &OAuthClient, old: &Written) -> CallReport {
    let (read, failure) = match client.records::<Post>().get(&RecordKey::new(&old.rkey).unwrap()).await {
        Ok(entry) => (Some(entry.value.text), None),
        Err(error) => (None, Some(failure_of(&error))),
    };
    let (did, rkey, text) = (old.did.clone(), Some(old.rkey.clone()), old.text.clone());
    CallReport { did, kind: CallKind::Read, rkey, text, read, failure, millis: 0 }
}

async fn delete(client: &OAuthClient, old: Written) -> CallReport {
    let deleted = client.records::<Post>().delete(&RecordKey::new(&old.rkey).unwrap(), Expected::Any).await;
    let failure = deleted.err().map(|error| failure_of(&error));
    let Written { did, rkey, text } = old;
    CallReport { did, kind: CallKind::Delete, rkey: Some(rkey), text, read: None, failure, millis: 0 }
}
