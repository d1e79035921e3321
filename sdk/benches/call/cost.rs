//! The processor time and the allocations of a call, beside those of a request that a program makes without the SDK.

use std::{hint::black_box, time::Duration};

use atproto_sdk::{
    PasswordClient, PublicClient,
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use tests::Network;

use crate::{clients, meter, setting, stub::Stub};

const METHOD: &str = "com.atproto.server.describeServer";

/// Everything that can make the same call.
struct Subjects {
    http: reqwest::Client,
    url: String,
    key: EcdsaKeyPair,
    oauth: OAuthClient,
    password: PasswordClient,
    public: PublicClient,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// The yardstick of clients that do not sign.
    Bare,
    /// The yardstick of `OAuthClient`.
    BareSigned,
    /// Only the signature of the yardstick.
    Signature,
    OAuth,
    Password,
    Public,
}

const SUBJECTS: [Subject; 6] = [
    Subject::Bare,
    Subject::Signature,
    Subject::BareSigned,
    Subject::OAuth,
    Subject::Password,
    Subject::Public,
];

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::Bare => "reqwest",
            Self::BareSigned => "reqwest + signature",
            Self::Signature => "signature (ring)",
            Self::OAuth => "OAuthClient",
            Self::Password => "PasswordClient",
            Self::Public => "PublicClient",
        }
    }

    fn yardstick(self) -> Option<Self> {
        match self {
            Self::OAuth => Some(Self::BareSigned),
            Self::Password | Self::Public => Some(Self::Bare),
            Self::Bare | Self::BareSigned | Self::Signature => None,
        }
    }
}

impl Subjects {
    fn new(origin: &str, oauth: OAuthClient, password: PasswordClient) -> Self {
        let jwk: serde_json::Value = serde_json::from_str(clients::KEY).unwrap();
        let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let public = [vec![4], member("x"), member("y")].concat();
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key =
            EcdsaKeyPair::from_private_key_and_public_key(kind, &member("d"), &public, &random).unwrap();
        let http = clients::plain_http();
        let public = PublicClient::new(origin).unwrap();
        Self { http, url: format!("{origin}/xrpc/{METHOD}"), key, oauth, password, public }
    }

    async fn request(&self) {
        let answer = self.http.get(&self.url).send().await.unwrap().error_for_status().unwrap();
        black_box(answer.bytes().await.unwrap());
    }

    /// Signs something as long as a proof.
    fn sign(&self) {
        black_box(self.key.sign(&SystemRandom::new(), black_box(&[b'x'; 560])).unwrap());
    }

    async fn run(&self, subject: Subject) {
        match subject {
            Subject::Bare => self.request().await,
            Subject::Signature => self.sign(),
            Subject::BareSigned => {
                self.request().await;
                self.sign();
            }
            Subject::OAuth => drop(self.oauth.com_atproto_server().describe_server().await.unwrap()),
            Subject::Password => drop(self.password.com_atproto_server().describe_server().await.unwrap()),
            Subject::Public => drop(self.public.com_atproto_server().describe_server().await.unwrap()),
        }
    }

    /// The processor time of one of so many calls.
    async fn time(&self, subject: Subject, calls: usize) -> Duration {
        let begun = meter::processor_time();
        for _ in 0..calls {
            self.run(subject).await;
        }
        (meter::processor_time() - begun) / u32::try_from(calls).unwrap()
    }

    /// The allocations of one call, and their bytes.
    async fn allocations(&self, subject: Subject) -> (f64, f64) {
        const CALLS: u16 = 200;
        let region = meter::allocations();
        for _ in 0..CALLS {
            self.run(subject).await;
        }
        let change = region.change();
        let each = |count: usize| count as f64 / f64::from(CALLS);
        (each(change.allocations + change.reallocations), each(change.bytes_allocated))
    }

    async fn print(&self, server: &str) {
        let (rounds, calls) = (setting("ROUNDS", 21), setting("CALLS", 300));
        for subject in SUBJECTS {
            self.time(subject, calls / 3).await;
        }
        let mut times: Vec<Vec<f64>> = Vec::new();
        for round in 0..rounds {
            let mut row = vec![0.0; SUBJECTS.len()];
            for place in 0..SUBJECTS.len() {
                // Each is first as often as last.
                let index = (place + round) % SUBJECTS.len();
                row[index] = self.time(SUBJECTS[index], calls).await.as_secs_f64() * 1e6;
            }
            times.push(row);
        }
        println!(
            "\n{METHOD} at {server}: {rounds} rounds of {calls} calls, median of the rounds (smallest to greatest)"
        );
        println!(
            "{:<22} {:>26} {:>24} {:>12} {:>9}",
            "", "processor time, us", "as a multiple of reqwest", "allocations", "bytes"
        );
        for (index, subject) in SUBJECTS.into_iter().enumerate() {
            let time = spread(times.iter().map(|row| row[index]), 1);
            let ratio = subject.yardstick().map(|yardstick| {
                let against = SUBJECTS.iter().position(|it| *it == yardstick).unwrap();
                spread(times.iter().map(|row| row[index] / row[against]), 2)
            });
            let (count, bytes) = self.allocations(subject).await;
            println!(
                "{:<22} {time:>26} {:>24} {count:>12.1} {bytes:>9.0}",
                subject.name(),
                ratio.unwrap_or_default()
            );
        }
        println!("(that of OAuthClient: of reqwest and a signature)");
    }
}

/// Median, smallest and greatest.
fn spread(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (first, middle, last) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    format!("{middle:.digits$} ({first:.digits$} to {last:.digits$})")
}

async fn stubbed(stub: &Stub) -> Subjects {
    let oauth = clients::client(&clients::app(stub.origin()), 0).await;
    let password = PasswordClient::sign_in(stub.origin(), "alice.pds.example", "password").await.unwrap();
    Subjects::new(stub.origin(), oauth, password)
}

/// For a profiler.
pub(crate) async fn only(subject: &str, calls: usize) {
    let stub = Stub::start();
    let subjects = stubbed(&stub).await;
    let subject = match subject {
        "reqwest" => Subject::Bare,
        "signed" => Subject::BareSigned,
        "oauth" => Subject::OAuth,
        "password" => Subject::Password,
        "public" => Subject::Public,
        other => panic!("unknown subject `{other}`: reqwest, signed, oauth, password or public"),
    };
    println!("{:?} for a call", subjects.time(subject, calls).await);
}

pub(crate) async fn over_stub() {
    let stub = Stub::start();
    stubbed(&stub).await.print("a stub in another process").await;
}

pub(crate) async fn over_network() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    let oauth =
        OAuth::builder(ClientMetadata::loopback()).resolver(resolver).allow_loopback_http().build().unwrap();
    let authorization = oauth.authorize(&account.handle, AuthorizeOptions::new()).await.unwrap();
    let callback = network.approve(&authorization.url, &account).await.unwrap();
    let params = CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap();
    let client = oauth.callback(&params).await.unwrap().client;
    let password = PasswordClient::sign_in(network.pds(), &account.handle, &account.password).await.unwrap();
    Subjects::new(network.pds(), client, password).print("a PDS on this machine").await;
}
