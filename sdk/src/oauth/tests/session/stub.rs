//! An authorization server and a PDS on one loopback port, which check every proof.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{clock::unix_now, oauth::wire::dpop_tests::verify, store::Lease};

pub(super) const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// What the token endpoint does with a valid request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer {
    Tokens,
    Slow,
    /// Like `Close`, but slow.
    SlowClose,
    CloseRotated,
    Close,
    Error500,
    InvalidGrant,
    OtherSub,
    NoNonce,
    Bearer,
    Html,
    /// An error before anything was processed.
    Error400,
    /// The page of a proxy that claims success.
    Page,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) generation: u32,
    pub(super) lifetime: i64,
    pub(super) answers: VecDeque<Answer>,
    /// Token requests whose proof was accepted.
    pub(super) refreshes: u32,
    /// Requests to the PDS whose proof was accepted, as `METHOD nsid body-length`.
    pub(super) calls: Vec<String>,
    /// Requests of any kind.
    pub(super) requests: u32,
    pub(super) nonce: u32,
    /// The nonce changes with every accepted request.
    pub(super) rotate: bool,
    /// How many seconds the clock of this server is ahead.
    pub(super) clock: i64,
    pub(super) probe_fails: bool,
    /// The status and body of the response to a probe.
    pub(super) probe: Option<(u16, &'static str)>,
    /// Access tokens are accepted after they were replaced.
    pub(super) outlive: bool,
    /// An access token that the PDS rejects for another reason.
    pub(super) rejected: Option<&'static str>,
    /// When an access token ends at the PDS.
    pub(super) ends: Option<(&'static str, Instant)>,
    pub(super) redirects: bool,
    /// The PDS rejects every token, also new ones.
    pub(super) rejects_all: bool,
    /// What the PDS answers to calls whose token is accepted, as status, headers and body.
    pub(super) answers_calls: Option<(u16, String, String)>,
    /// Ends when a proof is rejected because of its nonce.
    pub(super) lease: Option<Lease>,
    /// Revoked tokens.
    pub(super) revoked: Vec<String>,
    jtis: HashSet<String>,
}

#[derive(Clone)]
pub(super) struct Stub {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) origin: String,
}

struct Incoming {
    method: String,
    path: String,
    headers: String,
    body: Vec<u8>,
}

impl Incoming {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let first = found.next();
        assert!(found.next().is_none(), "{name} stands there twice");
        first
    }
}

impl Stub {
    pub(super) async fn start(lifetime: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { lifetime, nonce: 1, ..State::default() }));
        let stub = Self { state, origin };
        let server = stub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        stub
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }

    /// Waits for the first refresh request, whose response may still be in transit.
    pub(super) async fn has_refreshed(&self) {
        while self.with(|s| s.refreshes) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn answer(&self, answers: &[Answer]) {
        self.with(|s| s.answers.extend(answers));
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(incoming) = read(&mut stream).await else { return };
        let (slow, answer) = self.respond(&incoming);
        if slow {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        if let Some(answer) = answer {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        let _ = stream.shutdown().await;
    }

    /// Whether to wait first, and the response; `None` closes the connection.
    fn respond(&self, incoming: &Incoming) -> (bool, Option<String>) {
        let mut s = self.state.lock().unwrap();
        s.requests += 1;
        let path = incoming.path.split('?').next().unwrap();
        let (_, claims) = verify(incoming.header("dpop").expect("a proof"));
        assert!(s.jtis.insert(claims["jti"].as_str().unwrap().to_owned()), "O31: a proof was used twice");
        assert_eq!(claims["htu"], format!("{}{path}", self.origin), "O30");
        assert_eq!(claims["htm"], incoming.method, "O30");
        let at_pds = path.starts_with("/xrpc/");
        let refuse = |s: &State, error: &str| {
            let challenge = format!("WWW-Authenticate: DPoP algs=\"ES256 RS256\", error=\"{error}\"\r\n");
            let (status, header) = if at_pds { (401, challenge.as_str()) } else { (400, "") };
            (false, Some(text(s, status, header, &format!(r#"{{"error":"{error}"}}"#))))
        };
        let iat = claims["iat"].as_i64().unwrap();
        // A wide range, because a thousand signatures take seconds in a debug build.
        if (iat - unix_now() - s.clock).abs() > 60 {
            return refuse(&s, "invalid_dpop_proof");
        }
        if claims["nonce"] != format!("n{}", s.nonce) {
            if let Some(lease) = s.lease.take() {
                lease.end();
            }
            return refuse(&s, "use_dpop_nonce");
        }
        if s.rotate {
            s.nonce += 1;
        }
        if at_pds {
            let token = incoming.header("authorization").unwrap().strip_prefix("DPoP ").expect("O32");
            let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()));
            assert_eq!(claims["ath"], ath, "O30: the proof is for another token than the header has");
            let nsid = &path[6..];
            if s.probe_fails && nsid == "com.atproto.server.getSession" {
                return (false, Some(text(&s, 503, "", "{}")));
            }
            if nsid == "com.atproto.server.getSession"
                && let Some((status, body)) = s.probe
            {
                return (false, Some(text(&s, status, "", body)));
            }
            let newest = s.outlive || token == format!("a{}", s.generation);
            let ended = s.ends.is_some_and(|(ending, at)| ending == token && Instant::now() >= at);
            if s.rejects_all || s.rejected == Some(token) || ended || !newest {
                return refuse(&s, "invalid_token");
            }
            s.calls.push(format!("{} {nsid} {}", incoming.method, incoming.body.len()));
            if let Some((status, headers, body)) = s.answers_calls.clone() {
                return (false, Some(text(&s, status, &headers, &body)));
            }
            if s.redirects {
                return (false, Some(text(&s, 302, "Location: /xrpc/d.e.f\r\n", "{}")));
            }
            if nsid == "com.atproto.server.getSession" {
                return (
                    false,
                    Some(text(&s, 200, "", &format!(r#"{{"did":"{DID}","handle":"a.example"}}"#))),
                );
            }
            return (false, Some(text(&s, 200, "", "{}")));
        }
        assert!(claims.get("ath").is_none(), "O30: `ath` is for resource servers");
        assert!(incoming.header("authorization").is_none());
        self.token(&mut s, incoming)
    }

    fn token(&self, s: &mut State, incoming: &Incoming) -> (bool, Option<String>) {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&incoming.body).into_owned().collect();
        let field = |name: &str| &form.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!(field("client_id"), "http://localhost");
        if incoming.path == "/revoke" {
            s.revoked.push(field("token").clone());
            return (false, Some(text(s, 200, "", "")));
        }
        assert_eq!(field("grant_type"), "refresh_token");
        s.refreshes += 1;
        let answer = s.answers.pop_front().unwrap_or(Answer::Tokens);
        let good = *field("refresh_token") == format!("r{}", s.generation);
        if answer == Answer::InvalidGrant || !good {
            return (
                false,
                Some(text(s, 400, "", r#"{"error":"invalid_grant","error_description":"gone"}"#)),
            );
        }
        match answer {
            Answer::Close | Answer::SlowClose => return (answer == Answer::SlowClose, None),
            Answer::Error500 => return (false, Some(text(s, 500, "", r#"{"error":"server_error"}"#))),
            Answer::Error400 => return (false, Some(text(s, 400, "", r#"{"error":"invalid_request"}"#))),
            Answer::Html => return (false, Some(text(s, 502, "", "<html>"))),
            Answer::Page => {
                return (false, Some(text(s, 200, "", "<html>").replace("DPoP-Nonce", "X-Nothing")));
            }
            _ => s.generation += 1,
        }
        let (generation, lifetime) = (s.generation, s.lifetime);
        let sub = if answer == Answer::OtherSub { "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa" } else { DID };
        let kind = if answer == Answer::Bearer { "Bearer" } else { "DPoP" };
        let body = format!(
            r#"{{"access_token":"a{generation}","refresh_token":"r{generation}","token_type":"{kind}","expires_in":{lifetime},"scope":"atproto","sub":"{sub}"}}"#
        );
        let mut answered = text(s, 200, "", &body);
        if answer == Answer::NoNonce {
            answered = answered.replace("DPoP-Nonce", "X-Nothing");
        }
        (answer == Answer::Slow, (answer != Answer::CloseRotated).then_some(answered))
    }
}

fn text(s: &State, status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\nDate: {}\r\nDPoP-Nonce: n{}\r\n{headers}\r\n{body}",
        body.len(),
        date(unix_now() + s.clock),
        s.nonce,
    )
}

fn date(unix: i64) -> String {
    let (days, seconds) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let (mut year, mut left) = (1970, days);
    let length = |year: i64| 365 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month];
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("Mon, {:02} {name} {year} {h:02}:{m:02}:{s:02} GMT", left + 1)
}

async fn read(stream: &mut TcpStream) -> Option<Incoming> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let mut words = line.split(' ');
    let mut incoming = Incoming {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        headers: headers.to_owned(),
        body: bytes[end + 4..].to_vec(),
    };
    let length: usize = incoming.header("content-length").map_or(0, |n| n.parse().unwrap());
    let chunked = incoming.header("transfer-encoding").is_some();
    while if chunked { !incoming.body.ends_with(b"0\r\n\r\n") } else { incoming.body.len() < length } {
        if stream.read_buf(&mut incoming.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(incoming)
}
