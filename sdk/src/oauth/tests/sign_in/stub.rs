//! A PLC directory, handle resolver, PDS and authorization server in one, on loopback, that can be told
//! to misbehave.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(super) const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
pub(super) const OTHER_DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";
pub(super) const RESOURCE: &str = "/.well-known/oauth-protected-resource";
pub(super) const SERVER: &str = "/.well-known/oauth-authorization-server";

#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) form: HashMap<String, String>,
}

impl Recorded {
    /// The JOSE header of the DPoP proof.
    pub(super) fn proof_header(&self) -> Value {
        let part = self.headers["dpop"].split('.').next().unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    /// The claims of the DPoP proof; null if there is none.
    pub(super) fn proof_claims(&self) -> Value {
        let part = self.headers.get("dpop").and_then(|proof| proof.split('.').nth(1));
        let claims = part.map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap_or_default();
        serde_json::from_slice(&claims).unwrap_or_default()
    }

    fn has_nonce(&self) -> bool {
        self.proof_claims()["nonce"] == "nonce-1"
    }
}

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) manner: Manner,
}

/// How a response is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Whole,
    /// The status line, and then one header every so often.
    DripsHead,
    /// The head, and then one space every so often.
    DripsBody,
    /// The head, and then spaces for as long as anybody reads.
    Endless,
    /// The head, and then nothing.
    Silent,
}

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".into()), ("DPoP-Nonce", "nonce-1".into())],
            body: body.to_string(),
            manner: Manner::Whole,
        }
    }

    /// A successful response that never ends.
    pub(super) fn without_end(manner: Manner) -> Self {
        Self { manner, ..Self::json(200, Value::Null) }
    }
}

#[derive(Default)]
struct State {
    /// Responses by path, which replace the valid ones.
    overrides: HashMap<String, Reply>,
    log: Vec<Recorded>,
    /// The `state` and the challenge of the last PAR.
    pushed: HashMap<String, String>,
}

#[derive(Clone)]
pub(super) struct Stub {
    pub(super) origin: String,
    state: Arc<Mutex<State>>,
}

impl Stub {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let stub = Self { origin, state: Arc::default() };
        let serving = stub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stub = serving.clone();
                tokio::spawn(async move { stub.serve(stream).await });
            }
        });
        stub
    }

    pub(super) fn answer(&self, path: &str, reply: Reply) {
        self.state.lock().unwrap().overrides.insert(path.to_owned(), reply);
    }

    /// Changes fields of a valid document; `null` removes a field.
    pub(super) fn change(&self, path: &str, changes: Value) {
        let mut document = if path == RESOURCE { self.resource() } else { self.server() };
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => document.as_object_mut().unwrap().remove(name),
                value => document.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        self.answer(path, Reply::json(200, document));
    }

    pub(super) fn requests(&self, path: &str) -> Vec<Recorded> {
        self.state.lock().unwrap().log.iter().filter(|r| r.path == path).cloned().collect()
    }

    /// All requests, in the order of their arrival.
    pub(super) fn all(&self) -> Vec<Recorded> {
        self.state.lock().unwrap().log.clone()
    }

    pub(super) fn last(&self, path: &str) -> Recorded {
        self.requests(path).pop().unwrap_or_else(|| panic!("no request to {path}"))
    }

    /// The callback of a user who has given consent.
    pub(super) fn consent(&self) -> String {
        let state = self.state.lock().unwrap().pushed["state"].clone();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("code", "code-1")
            .append_pair("state", &state)
            .append_pair("iss", &self.origin)
            .finish()
    }

    pub(super) fn resource(&self) -> Value {
        json!({ "resource": self.origin, "authorization_servers": [self.origin] })
    }

    pub(super) fn server(&self) -> Value {
        let o = &self.origin;
        json!({
            "issuer": o, "authorization_endpoint": format!("{o}/authorize"),
            "token_endpoint": format!("{o}/token"), "revocation_endpoint": format!("{o}/revoke"),
            "pushed_authorization_request_endpoint": format!("{o}/par"),
            "require_pushed_authorization_requests": true,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "scopes_supported": ["atproto", "transition:generic"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": true,
        })
    }

    pub(super) fn tokens(&self) -> Value {
        json!({ "access_token": "access-1", "token_type": "DPoP", "expires_in": 3600,
            "refresh_token": "refresh-1", "scope": "atproto", "sub": DID })
    }

    pub(super) fn did_document(&self, did: &str) -> Value {
        json!({ "id": did, "alsoKnownAs": ["at://alice.example.com"], "service": [{
            "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": self.origin }] })
    }

    fn reply(&self, request: &Recorded) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.log.push(request.clone());
        if request.method == "POST" && !request.has_nonce() {
            return Reply::json(400, json!({ "error": "use_dpop_nonce" }));
        }
        if request.path == "/par" {
            state.pushed = request.form.clone();
        }
        if let Some(reply) = state.overrides.get(&request.path) {
            return reply.clone();
        }
        match request.path.as_str() {
            RESOURCE => Reply::json(200, self.resource()),
            SERVER => Reply::json(200, self.server()),
            "/par" => Reply::json(201, json!({ "request_uri": "urn:req:1", "expires_in": 300 })),
            "/token" if self.fits(&state.pushed, &request.form) => Reply::json(200, self.tokens()),
            "/token" => Reply::json(400, json!({ "error": "invalid_grant" })),
            "/revoke" => Reply::json(200, json!({})),
            "/xrpc/com.atproto.identity.resolveHandle" if request.query == "handle=alice.example.com" => {
                Reply::json(200, json!({ "did": DID }))
            }
            path if path.starts_with("/did:plc:") || path.starts_with("/did%3Aplc%3A") => {
                let did = path.trim_start_matches('/').replace("%3A", ":");
                Reply::json(200, self.did_document(&did))
            }
            _ => Reply::json(404, json!({ "error": "NotFound" })),
        }
    }

    /// The checks of a real token endpoint against the pushed request.
    fn fits(&self, pushed: &HashMap<String, String>, form: &HashMap<String, String>) -> bool {
        let Some(verifier) = form.get("code_verifier") else { return false };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        form["grant_type"] == "authorization_code"
            && form["code"] == "code-1"
            && form["redirect_uri"] == pushed["redirect_uri"]
            && form["client_id"] == pushed["client_id"]
            && challenge == pushed["code_challenge"]
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read_request(&mut stream).await else { return };
        let reply = self.reply(&request);
        let mut text = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
        for (name, value) in &reply.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        match reply.manner {
            Manner::Whole => {
                text.push_str(&format!("Content-Length: {}\r\n\r\n{}", reply.body.len(), reply.body));
            }
            Manner::DripsHead => {}
            _ => text.push_str("Transfer-Encoding: chunked\r\n\r\n"),
        }
        let (piece, pause) = match reply.manner {
            Manner::Whole => (String::new(), Duration::ZERO),
            Manner::DripsHead => ("X-A: b\r\n".to_owned(), Duration::from_millis(500)),
            Manner::DripsBody => ("1\r\n \r\n".to_owned(), Duration::from_millis(500)),
            Manner::Endless => (format!("4000\r\n{}\r\n", " ".repeat(0x4000)), Duration::ZERO),
            Manner::Silent => (String::new(), Duration::from_secs(3600)),
        };
        let mut sent = stream.write_all(text.as_bytes()).await;
        while sent.is_ok() && reply.manner != Manner::Whole {
            tokio::time::sleep(pause).await;
            sent = stream.write_all(piece.as_bytes()).await;
        }
        let _ = stream.shutdown().await;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Recorded> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let form = url::form_urlencoded::parse(&bytes[end + 4..]).into_owned().collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(Recorded { method, path: path.to_owned(), query: query.to_owned(), headers, form })
}
