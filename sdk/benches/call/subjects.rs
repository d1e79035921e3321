//! Everything that can make the same call.

use std::hint::black_box;

use atproto_sdk::{
    PasswordClient, PublicClient,
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use tests::Network;

use crate::{clients, stub::Stub};

pub(crate) const METHOD: &str = "com.atproto.server.describeServer";

/// Clients of one server.
pub(crate) struct Subjects {
    http: reqwest::Client,
    url: String,
    /// A token and a proof, by their lengths.
    headers: (HeaderValue, HeaderValue),
    key: EcdsaKeyPair,
    oauth: OAuthClient,
    password: PasswordClient,
    public: PublicClient,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The yardstick of clients that do not sign.
    Bare,
    /// The yardstick of `OAuthClient`.
    BareSigned,
    /// The same with headers as long as those of a signed call, which shows what sending them costs.
    SameHeaders,
    /// Only the signature of the yardstick.
    Signature,
    OAuth,
    Password,
    Public,
}

pub(crate) const SUBJECTS: [Subject; 7] = [
    Subject::Bare,
    Subject::Signature,
    Subject::BareSigned,
    Subject::SameHeaders,
    Subject::OAuth,
    Subject::Password,
    Subject::Public,
];

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "reqwest",
            Self::BareSigned => "reqwest+ring",
            Self::SameHeaders => "reqwest+ring+headers",
            Self::Signature => "ring",
            Self::OAuth => "OAuthClient",
            Self::Password => "PasswordClient",
            Self::Public => "PublicClient",
        }
    }

    /// What a call costs without the SDK.
    pub(crate) fn yardstick(self) -> Option<Self> {
        match self {
            Self::OAuth | Self::SameHeaders => Some(Self::BareSigned),
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
        let text = |length| HeaderValue::from_str(&"x".repeat(length)).unwrap();
        let headers = (text(620), text(900));
        let public = PublicClient::new(origin).unwrap();
        Self { http, url: format!("{origin}/xrpc/{METHOD}"), headers, key, oauth, password, public }
    }

    /// Clients of sessions that the stub takes for valid.
    pub(crate) async fn over(stub: &Stub) -> Self {
        let oauth = clients::client(&clients::app(stub.origin()), 0).await;
        let password = PasswordClient::sign_in(stub.origin(), "alice.pds.example", "password").await.unwrap();
        Self::new(stub.origin(), oauth, password)
    }

    /// Clients of an account that has signed in.
    pub(crate) async fn over_network(network: &Network) -> Self {
        let account = network.account("alice").await.unwrap();
        let resolver = Resolver::builder()
            .plc_directory(network.plc())
            .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
            .allow_loopback_http(true)
            .build()
            .unwrap();
        let app = OAuth::builder(ClientMetadata::loopback()).resolver(resolver).allow_loopback_http();
        let app = app.build().unwrap();
        let authorization = app.authorize(account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
        let callback = network.approve(&authorization.url, &account).await.unwrap();
        let params = CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap();
        let client = app.callback(&params).await.unwrap().client;
        let password =
            PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
        Self::new(network.pds(), client, password)
    }

    async fn request(&self) {
        let answer = self.http.get(&self.url).send().await.unwrap().error_for_status().unwrap();
        black_box(answer.bytes().await.unwrap());
    }

    /// Signs something as long as a proof.
    fn sign(&self) {
        black_box(self.key.sign(&SystemRandom::new(), black_box(&[b'x'; 560])).unwrap());
    }

    pub(crate) async fn run(&self, subject: Subject) {
        match subject {
            Subject::Bare => self.request().await,
            Subject::Signature => self.sign(),
            Subject::BareSigned => {
                self.request().await;
                self.sign();
            }
            Subject::SameHeaders => {
                let request = self.http.get(&self.url).header("authorization", &self.headers.0);
                let request = request.header("dpop", &self.headers.1).header("accept", "application/json");
                let answer = request.send().await.unwrap().error_for_status().unwrap();
                black_box(answer.bytes().await.unwrap());
                self.sign();
            }
            Subject::OAuth => drop(self.oauth.com_atproto_server().describe_server().await.unwrap()),
            Subject::Password => drop(self.password.com_atproto_server().describe_server().await.unwrap()),
            Subject::Public => drop(self.public.com_atproto_server().describe_server().await.unwrap()),
        }
    }
}
