//! Accounts with repositories, a network that knows them, and a stream.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::timeout;

use super::super::*;
use crate::{
    api::com::atproto::sync::subscribe_repos::{self, RepoOp, SyncDef},
    identity::IdentityError,
    repo::{
        ReadOptions, RepoError, Repository, RepositoryEditor, SignedCommit, SigningKey, VerifyingKey,
        write_car,
    },
    stream::cursor_tests::Acknowledgements,
    sync::{
        RepoStates, SignerError, VerifierBuilder,
        network::{Network, Signer},
    },
    types::{Bytes, CidLink, Datetime, Nsid, RecordKey, Value},
    xrpc::BoxFuture,
};

pub(super) const PDS: &str = "https://pds.example.com";

/// An account that writes.
pub(super) struct Writer {
    pub(super) did: Did,
    pub(super) key: SigningKey,
    pub(super) editor: RepositoryEditor,
    records: usize,
}

impl Writer {
    pub(super) fn new(name: &str) -> Self {
        Self::of(Did::new(format!("did:web:{name}.example.com")).unwrap())
    }

    pub(super) fn of(did: Did) -> Self {
        let key = SigningKey::generate_secp256k1().unwrap();
        Self { editor: RepositoryEditor::new(did.clone()), did, key, records: 0 }
    }

    /// Commits so many new records.
    pub(super) fn write(&mut self, records: usize) -> SignedCommit {
        for _ in 0..records {
            self.records += 1;
            let record = record(i64::try_from(self.records).unwrap());
            let rkey = RecordKey::new(format!("{:05}", self.records)).unwrap();
            self.editor.create_untyped(&collection(), &rkey, &record).unwrap();
        }
        self.editor.commit(&self.key).unwrap()
    }

    /// The whole repository.
    pub(super) fn car(&self) -> Vec<u8> {
        write_car(self.editor.last_commit().unwrap(), &self.editor.all_blocks(), Vec::new()).unwrap()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.editor.tree().entries().map(|entry| entry.unwrap().0).collect()
    }
}

pub(super) fn collection() -> Nsid {
    Nsid::new("com.example.item").unwrap()
}

pub(super) fn record(number: i64) -> Value {
    Value::from([("$type", Value::from("com.example.item")), ("n", Value::Integer(number))])
}

pub(super) fn commit_message(signed: &SignedCommit) -> subscribe_repos::Commit {
    let ops = signed.operations.iter().map(|operation| {
        let cid: crate::types::Nullable<CidLink> = match operation.cid() {
            Some(cid) => CidLink(cid.clone()).into(),
            None => crate::types::Nullable::Null,
        };
        let mut op = RepoOp::new(operation.action_name(), operation.path.clone(), cid);
        op.prev = operation.prev().cloned().map(CidLink);
        op
    });
    let since: crate::types::Nullable<crate::types::Tid> = match signed.since.clone() {
        Some(since) => since.into(),
        None => crate::types::Nullable::Null,
    };
    let blocks = Bytes::from(signed.slice().unwrap());
    let mut message = subscribe_repos::Commit::new(
        0,
        false,
        false,
        signed.commit.did().clone(),
        CidLink(signed.cid.clone()),
        signed.commit.rev().clone(),
        since,
        blocks,
        ops.collect(),
        Vec::new(),
        Datetime::now(),
    );
    message.prev_data = signed.prev_data.clone().map(CidLink);
    message
}

pub(super) fn commit(signed: &SignedCommit) -> Message {
    commit_message(signed).into()
}

pub(super) fn sync(signed: &SignedCommit) -> Message {
    let (did, rev) = (signed.commit.did().clone(), signed.commit.rev().as_str());
    SyncDef::new(0, did, Bytes::from(signed.sync_slice()), rev, Datetime::now()).into()
}

pub(super) fn status(did: &Did, active: bool) -> Message {
    let mut account = subscribe_repos::Account::new(0, did.clone(), Datetime::now(), active);
    account.status = (!active).then(|| "deactivated".into());
    account.into()
}

pub(super) fn identity(did: &Did) -> Message {
    subscribe_repos::Identity::new(0, did.clone(), Datetime::now()).into()
}

/// What the network says of an account.
pub(super) struct Hosted {
    pub(super) key: VerifyingKey,
    pub(super) pds: String,
    /// What the PDS gives as its repository.
    pub(super) car: Vec<u8>,
}

/// A network without a network.
pub(super) struct Net {
    pub(super) accounts: Mutex<HashMap<Did, Hosted>>,
    pub(super) lookups: AtomicUsize,
    pub(super) fresh: AtomicUsize,
    pub(super) fetches: AtomicUsize,
    pub(super) fetched: Mutex<Vec<Did>>,
    pub(super) forgotten: AtomicUsize,
    /// How many look-ups and fetches are going on, and the most at once.
    pub(super) now: AtomicUsize,
    pub(super) most: AtomicUsize,
    /// A look-up and a fetch wait for a permit.
    pub(super) look: Semaphore,
    pub(super) fetch: Semaphore,
    /// How many look-ups fail for the moment.
    pub(super) failing: AtomicUsize,
    /// Look-ups of `did:web` that are not known hang.
    pub(super) hangs: AtomicBool,
}

impl Net {
    pub(super) fn new() -> Arc<Self> {
        let (look, fetch) = (Semaphore::new(1 << 20), Semaphore::new(1 << 20));
        let zero = || AtomicUsize::new(0);
        Arc::new(Self {
            accounts: Mutex::default(),
            lookups: zero(),
            fresh: zero(),
            fetches: zero(),
            fetched: Mutex::default(),
            forgotten: zero(),
            now: zero(),
            most: zero(),
            look,
            fetch,
            failing: zero(),
            hangs: AtomicBool::new(false),
        })
    }

    pub(super) fn host(&self, writer: &Writer) {
        let car = if writer.editor.last_commit().is_some() { writer.car() } else { Vec::new() };
        let hosted = Hosted { key: writer.key.verifying_key(), pds: PDS.to_owned(), car };
        self.accounts.lock().unwrap().insert(writer.did.clone(), hosted);
    }

    fn enter(&self) -> Inside<'_> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Inside(&self.now)
    }
}

/// A look-up or a fetch that is going on, which may be given up.
struct Inside<'a>(&'a AtomicUsize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The DID of an account in the directory.
pub(super) fn plc(number: usize) -> Did {
    let digits = (0..24).map(|place| {
        let digit = u8::try_from((number >> (5 * place).min(60)) & 31).unwrap();
        char::from(if digit < 26 { b'a' + digit } else { b'2' + digit - 26 })
    });
    Did::new(format!("did:plc:{}", digits.collect::<String>())).unwrap()
}

/// Something that a host claims to be a commit of an account.
pub(super) fn claimed(did: &Did, signed: &SignedCommit) -> Message {
    let mut message = commit_message(signed);
    message.repo = did.clone();
    message.into()
}

pub(super) fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

impl Network for Net {
    fn signer<'a>(&'a self, did: &'a Did, is_fresh: bool) -> BoxFuture<'a, Result<Signer, SignerError>> {
        Box::pin(async move {
            self.lookups.fetch_add(1, Ordering::SeqCst);
            self.fresh.fetch_add(usize::from(is_fresh), Ordering::SeqCst);
            let _inside = self.enter();
            self.look.acquire().await.unwrap().forget();
            let is_unknown = !self.accounts.lock().unwrap().contains_key(did);
            if self.hangs.load(Ordering::SeqCst) && is_unknown && did.method() == "web" {
                std::future::pending::<()>().await;
            }
            let failing = |left: usize| left.checked_sub(1);
            if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing).is_ok() {
                let source = crate::identity::FetchError::Status { url: "x".to_owned(), status: 503 };
                let did = did.clone();
                return Err(SignerError::Identity(IdentityError::DidUnresolved { did, source }));
            }
            let accounts = self.accounts.lock().unwrap();
            let hosted = accounts.get(did).ok_or(SignerError::NoKey)?;
            Ok(Signer { key: Arc::new(hosted.key.clone()), pds: Some(Arc::from(&*hosted.pds)) })
        })
    }

    fn forget(&self, _: &Did) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }

    fn repository<'a>(
        &'a self,
        did: &'a Did,
        pds: &'a str,
        options: &'a ReadOptions,
    ) -> BoxFuture<'a, Result<Repository, RepairError>> {
        Box::pin(async move {
            assert_eq!(pds, self.accounts.lock().unwrap()[did].pds);
            self.fetched.lock().unwrap().push(did.clone());
            self.fetches.fetch_add(1, Ordering::SeqCst);
            let _inside = self.enter();
            self.fetch.acquire().await.unwrap().forget();
            let car = self.accounts.lock().unwrap()[did].car.clone();
            let car = futures_util::stream::iter([Ok::<_, std::io::Error>(car)]);
            Repository::open_with(car, options).await.map_err(RepairError::Repository)
        })
    }
}

/// A stream of events, whose consumer is the test.
pub(super) struct Stream {
    pub(super) core: Core,
    pub(super) seq: i64,
    /// Where acknowledgements of what is given beside the events come from.
    pub(super) beside: Option<Acknowledgements>,
}

impl Stream {
    pub(super) fn new(net: &Arc<Net>) -> Self {
        Self::with(net, |verifier| verifier)
    }

    pub(super) fn with(net: &Arc<Net>, set: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let network: Arc<dyn Network> = Arc::<Net>::clone(net);
        let verifier = set(Verifier::over(network)).build();
        Self::over(verifier, "https://relay.example.com")
    }

    pub(super) fn over(verifier: Verifier, server: &str) -> Self {
        Self::of_life(verifier, server, 0)
    }

    /// One whose durable cursor has this life.
    pub(super) fn of_life(verifier: Verifier, server: &str, life: u32) -> Self {
        let mut core = Core::new(verifier, server);
        core.start(life);
        Self { core, seq: 0, beside: None }
    }

    pub(super) fn kept(net: &Arc<Net>, states: &Arc<impl RepoStates>) -> Self {
        Self::with(net, |verifier| verifier.states(Arc::clone(states)))
    }

    pub(super) fn raw(&mut self, message: impl Into<Message>) -> Raw {
        self.seq += 1;
        let acknowledgement = Acknowledgement::none();
        Raw { message: message.into(), seq: Some(self.seq), time: None, acknowledgement, is_owed: false }
    }

    pub(super) fn send(&mut self, message: impl Into<Message>) {
        let raw = self.raw(message);
        self.core.accept(raw);
    }

    /// Returns what there is, until nothing is inside any more.
    pub(super) async fn outputs(&mut self) -> Vec<Verified> {
        let mut outputs = Vec::new();
        while let Some(output) = self.next().await {
            outputs.push(output.message);
        }
        outputs
    }

    /// Returns the next output, or `None` if nothing is inside.
    pub(super) async fn next(&mut self) -> Option<Output> {
        let next = poll_fn(|cx| match self.core.poll_output(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output.unwrap())),
            Poll::Pending if self.core.is_idle() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let output = timeout(Duration::from_secs(600), next).await.expect("an event is stuck")?;
        let beside = || match &self.beside {
            Some(all) => all.give(None).unwrap(),
            None => Acknowledgement::none(),
        };
        Some(self.core.give(output, beside))
    }

    /// Sends a message, and returns what it leads to.
    pub(super) async fn give(&mut self, message: impl Into<Message>) -> Vec<Verified> {
        self.send(message);
        self.outputs().await
    }

    pub(super) async fn one(&mut self, message: impl Into<Message>) -> Verified {
        let mut outputs = self.give(message).await;
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        outputs.pop().unwrap()
    }
}

/// What the outputs are, in short.
pub(super) fn names(outputs: &[Verified]) -> Vec<&'static str> {
    outputs.iter().map(name).collect()
}

pub(super) fn name(output: &Verified) -> &'static str {
    match output {
        Verified::Commit(commit) if commit.is_first() => "first",
        Verified::Commit(_) => "commit",
        Verified::Resynced(_) => "resynced",
        Verified::Gap(_) => "gap",
        Verified::Identity(_) => "identity",
        Verified::Account(_) => "account",
        Verified::Refused(_) => "refused",
        Verified::Other(_) => "other",
    }
}

pub(super) fn refusal(output: Verified) -> Refusal {
    match output {
        Verified::Refused(refused) => refused.reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// Whether it is about the signature.
pub(super) fn is_signature(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Invalid(crate::repo::CommitError::Repository(RepoError::Signature { .. })))
}
