//! Everything that can make the same call.

use std::{
    hint::black_box,
    sync::Mutex,
    time::{Duration, SystemTime},
};

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
use serde::Deserialize;
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
    /// The header of proofs, and the nonce for the next one.
    proof_header: String,
    nonce: Mutex<String>,
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
    /// A call that somebody writes for this one method: with a limit of time, and its answer checked and decoded.
    ByHand,
    /// The same with a proof, whose nonce is that of the answer before.
    SignedByHand,
    OAuth,
    Password,
    Public,
}

pub(crate) const SUBJECTS: [Subject; 9] = [
    Subject::Bare,
    Subject::Signature,
    Subject::BareSigned,
    Subject::SameHeaders,
    Subject::ByHand,
    Subject::SignedByHand,
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
            Self::ByHand => "by hand",
            Self::SignedByHand => "by hand, signed",
            Self::OAuth => "OAuthClient",
            Self::Password => "PasswordClient",
            Self::Public => "PublicClient",
        }
    }

    /// What a call costs without the SDK.
    pub(crate) fn yardstick(self) -> Option<Self> {
        match self {
            Self::OAuth | Self::SignedByHand | Self::SameHeaders => Some(Self::BareSigned),
            Self::Password | Self::Public | Self::ByHand => Some(Self::Bare),
            Self::Bare | Self::BareSigned | Self::Signature => None,
        }
    }
}

/// What the answer says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "decoding it is what is measured")]
struct Description {
    did: String,
    available_user_domains: Vec<String>,
    invite_code_required: Option<bool>,
    phone_verification_required: Option<bool>,
    links: Option<Links>,
    contact: Option<Contact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "decoding it is what is measured")]
struct Links {
    privacy_policy: Option<String>,
    terms_of_service: Option<String>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoding it is what is measured")]
struct Contact {
    email: Option<String>,
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
        let url = format!("{origin}/xrpc/{METHOD}");
        let (x, y) = (&jwk["x"], &jwk["y"]);
        let proof_header = URL_SAFE_NO_PAD.encode(format!(
            r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{{"kty":"EC","crv":"P-256","x":{x},"y":{y}}}}}"#
        ));
        Self { http, url, headers, key, proof_header, nonce: Mutex::default(), oauth, password, public }
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

    /// A call with a limit of time, whose answer is checked and decoded. With the token and a proof, if it is signed.
    async fn by_hand(&self, signed: bool) -> Description {
        let mut request = self.http.get(&self.url).header("accept", "application/json");
        if signed {
            request = request.header("authorization", &self.headers.0).header("dpop", self.proof());
        }
        let sending = async {
            let answer = request.send().await.unwrap().error_for_status().unwrap();
            assert!(answer.headers()["content-type"].as_bytes().starts_with(b"application/json"));
            if signed && let Some(nonce) = answer.headers().get("dpop-nonce") {
                let nonce = nonce.to_str().unwrap();
                let mut known = self.nonce.lock().unwrap();
                if *known != nonce {
                    nonce.clone_into(&mut known);
                }
            }
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        };
        tokio::time::timeout(Duration::from_secs(30), sending).await.unwrap()
    }

    fn proof(&self) -> HeaderValue {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let (id, seconds) = (now.as_nanos(), now.as_secs());
        let (url, nonce) = (&self.url, self.nonce.lock().unwrap());
        let claims = format!(
            r#"{{"jti":"{id:040}","htm":"GET","htu":"{url}","nonce":"{nonce}","ath":"{:043}","iat":{seconds}}}"#,
            0
        );
        let mut proof = String::with_capacity(1024);
        proof.push_str(&self.proof_header);
        proof.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut proof);
        let signature = self.key.sign(&SystemRandom::new(), proof.as_bytes()).unwrap();
        proof.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut proof);
        HeaderValue::try_from(proof).unwrap()
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
            Subject::ByHand => drop(black_box(self.by_hand(false).await)),
            Subject::SignedByHand => drop(black_box(self.by_hand(true).await)),
            Subject::OAuth => drop(self.oauth.com_atproto_server().describe_server().await.unwrap()),
            Subject::Password => drop(self.password.com_atproto_server().describe_server().await.unwrap()),
            Subject::Public => drop(self.public.com_atproto_server().describe_server().await.unwrap()),
        }
    }
}
