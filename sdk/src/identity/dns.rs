//! A DNS client for TXT records, and for whether a host exists.
//!
//! It sends a query over UDP and repeats it over TCP if the response is truncated, which is all that resolving a handle
//! needs. A full resolver would add about 25 crates to every user's build. The records of the protocol contain a DID
//! (`did=<did>`), which is found here too.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use futures_util::future::try_join;
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE, rdata::RData,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    sync::Semaphore,
    time::timeout,
};

use super::{error::excerpt, syntax::parse_did};
use crate::{
    domains::{Domains, domain},
    limits, random,
    types::Did,
};

/// How many names are queried at once. Each takes a socket, and strangers choose how many names there are.
const SLOTS: usize = 64;
/// How many of these are names of one domain, whose name servers may not answer.
const SLOTS_OF_DOMAIN: usize = 8;
/// How many names may be queried or wait for that, and how many of those of one domain.
const MOST: usize = 2048;
const MOST_OF_DOMAIN: usize = 256;
/// How many times each server is tried.
const ROUNDS: usize = 2;
/// The maximum number of unrelated responses that are ignored while waiting for ours.
const MAX_UNRELATED: usize = 16;
/// Queried where the system's configuration is not available (outside of Unix): public resolvers of three operators.
#[cfg(not(unix))]
const PUBLIC: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)),
    IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)),
];

/// Queries name servers for TXT records. It does not cache: records may live for days, which is too long for sign-in (O6).
#[derive(Debug, Clone)]
pub(super) struct Dns {
    servers: Vec<SocketAddr>,
    slots: Arc<Semaphore>,
    domains: Domains,
}

/// Why a DNS query failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DnsError {
    #[error("{server} did not respond within {:?}", limits::NAME_SERVER)]
    Timeout { server: SocketAddr },
    #[error("{server} cannot be reached: {problem}")]
    Io { server: SocketAddr, problem: io::Error },
    #[error("{server} responded with an error ({code:?})")]
    Refused { server: SocketAddr, code: RCODE },
    #[error("{server} sent an invalid response")]
    Broken { server: SocketAddr },
    #[error("the name cannot be queried")]
    Name,
    #[error("no source of randomness is available")]
    Random,
    #[error("too many names are being queried at the moment")]
    Busy,
    #[error("no further queries are made")]
    Closed,
}

impl Dns {
    /// Uses `server`, or the system's name servers if it is `None`.
    ///
    /// # Errors
    ///
    /// Returns a message if the system has no usable configuration.
    pub(super) fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let servers = match server {
            Some(server) => vec![server],
            None => system_servers()?,
        };
        let domains = Domains::new(SLOTS_OF_DOMAIN, MOST, MOST_OF_DOMAIN);
        Ok(Self { servers, slots: Arc::new(Semaphore::new(SLOTS)), domains })
    }

    /// Returns the TXT records of a name, each with its strings concatenated. The result is empty if the name does not
    /// exist. Records that are not valid UTF-8 are ignored.
    pub(super) async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        self.records(name, TYPE::TXT).await
    }

    /// How many more names could be queried.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.slots.available_permits()
    }

    /// Returns whether a host certainly has no address: it does not exist, or has records of other types only.
    async fn has_no_address(&self, host: &str) -> Result<bool, DnsError> {
        let (v4, v6) = (self.records(host, TYPE::A), self.records(host, TYPE::AAAA));
        let (v4, v6) = try_join(v4, v6).await?;
        Ok(v4.is_empty() && v6.is_empty())
    }

    /// Returns the records of a type, as text. The result is empty if there are none, or no such name.
    async fn records(&self, name: &str, kind: TYPE) -> Result<Vec<String>, DnsError> {
        // In this order, so that what waits for its domain takes no slot from others.
        let _at_domain = self.domains.enter(domain(name)).ok_or(DnsError::Busy)?.place().await;
        let _slot = self.slots.acquire().await.map_err(|_| DnsError::Closed)?;
        let mut failure = DnsError::Name;
        for _ in 0..ROUNDS {
            for server in &self.servers {
                let response = timeout(limits::NAME_SERVER, query(*server, name, kind)).await;
                match response.unwrap_or(Err(DnsError::Timeout { server: *server })) {
                    Ok(records) => return Ok(records),
                    Err(error @ (DnsError::Name | DnsError::Random)) => return Err(error),
                    Err(error) => failure = error,
                }
            }
        }
        Err(failure)
    }
}

/// Name servers for TXT records that contain a DID, or why there are none.
#[derive(Debug, Clone)]
pub(crate) struct DidRecords(pub(super) Result<Dns, String>);

/// Why TXT records lead to no DID.
#[derive(Debug)]
pub(crate) enum DidRecordsError {
    /// There are records for two different DIDs.
    Ambiguous { first: String, second: String },
    /// There was no usable answer. The reason continues a sentence that begins with the name.
    Failed(String),
    /// The record contains something else than a DID.
    NotADid(String),
}

impl DidRecords {
    /// Uses `server`, or the system's name servers if it is `None`.
    pub(super) fn new(server: Option<SocketAddr>) -> Self {
        Self(Dns::new(server).map_err(|problem| format!("could not be queried ({problem})")))
    }

    /// Returns the one DID in the TXT records of a name, or `None` if there is no record with one.
    pub(crate) async fn did(&self, name: &str) -> Result<Option<Did>, DidRecordsError> {
        let dns = self.0.as_ref().map_err(|problem| DidRecordsError::Failed(problem.clone()))?;
        match timeout(limits::NAME_LOOKUP, dns.txt(name)).await {
            Ok(Ok(texts)) => did_in_records(&texts),
            Ok(Err(e)) => Err(DidRecordsError::Failed(format!("could not be queried ({e})"))),
            Err(_) => {
                Err(DidRecordsError::Failed(format!("did not respond within {:?}", limits::NAME_LOOKUP)))
            }
        }
    }
}

impl DidRecords {
    /// Returns whether a host certainly has no address. `false` if nothing is known about that.
    pub(super) async fn has_no_address(&self, host: &str) -> bool {
        let Ok(dns) = &self.0 else { return false };
        matches!(timeout(limits::NAME_LOOKUP, dns.has_no_address(host)).await, Ok(Ok(true)))
    }
}

/// Returns the one DID in TXT records. Records that do not start with `did=` belong to other protocols.
pub(super) fn did_in_records(records: &[String]) -> Result<Option<Did>, DidRecordsError> {
    let mut found: Option<String> = None;
    for record in records {
        let Some(value) = record.strip_prefix("did=") else { continue };
        let value = value.trim().to_owned();
        match found {
            Some(first) if first != value => {
                let (first, second) = (excerpt(&first), excerpt(&value));
                return Err(DidRecordsError::Ambiguous { first, second });
            }
            _ => found = Some(value),
        }
    }
    let Some(text) = found else { return Ok(None) };
    parse_did(&text).map(Some).map_err(|_| DidRecordsError::NotADid(excerpt(&text)))
}

#[cfg(unix)]
fn system_servers() -> Result<Vec<SocketAddr>, String> {
    const FILE: &str = "/etc/resolv.conf";
    let text = std::fs::read(FILE).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
    let config = resolv_conf::Config::parse(text).map_err(|error| format!("{FILE}: {error}"))?;
    let servers = config.nameservers.into_iter().map(|server| SocketAddr::new(server.into(), 53));
    let servers: Vec<SocketAddr> = servers.collect();
    // The same default as the system's resolver (resolv.conf(5)).
    Ok(if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53)] } else { servers })
}

#[cfg(not(unix))]
fn system_servers() -> Result<Vec<SocketAddr>, String> {
    Ok(PUBLIC.into_iter().map(|server| SocketAddr::new(server, 53)).collect())
}

/// Sends one query to one server.
async fn query(server: SocketAddr, name: &str, kind: TYPE) -> Result<Vec<String>, DnsError> {
    let io = |problem| DnsError::Io { server, problem };
    let mut id = [0; 2];
    random::fill(&mut id).map_err(|_| DnsError::Random)?;
    let id = u16::from_be_bytes(id);
    let question = question_of(id, name, kind).ok_or(DnsError::Name)?;

    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Connected, so that only responses of this server are received, on an unpredictable port.
    let socket = UdpSocket::bind((any, 0)).await.map_err(io)?;
    socket.connect(server).await.map_err(io)?;
    socket.send(&question).await.map_err(io)?;
    let mut buffer = vec![0; 4096];
    for _ in 0..MAX_UNRELATED {
        let length = socket.recv(&mut buffer).await.map_err(io)?;
        match read_response(id, name, kind, &buffer[..length]) {
            Response::Unrelated => {}
            Response::Records(records) => return Ok(records),
            Response::Refused(code) => return Err(DnsError::Refused { server, code }),
            Response::Truncated => return query_over_tcp(server, id, name, kind, &question).await,
        }
    }
    Err(DnsError::Broken { server })
}

async fn query_over_tcp(
    server: SocketAddr,
    id: u16,
    name: &str,
    kind: TYPE,
    question: &[u8],
) -> Result<Vec<String>, DnsError> {
    let io = |problem| DnsError::Io { server, problem };
    let mut stream = TcpStream::connect(server).await.map_err(io)?;
    let length = u16::try_from(question.len()).map_err(|_| DnsError::Name)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await.map_err(io)?;
    let length = stream.read_u16().await.map_err(io)?;
    let mut response = vec![0; usize::from(length)];
    stream.read_exact(&mut response).await.map_err(io)?;
    match read_response(id, name, kind, &response) {
        Response::Records(records) => Ok(records),
        Response::Refused(code) => Err(DnsError::Refused { server, code }),
        Response::Unrelated | Response::Truncated => Err(DnsError::Broken { server }),
    }
}

/// For the fuzz target.
#[cfg(fuzzing)]
pub(super) fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    question_of(id, name, TYPE::TXT)
}

fn question_of(id: u16, name: &str, kind: TYPE) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Question::new(Name::new(name).ok()?, kind.into(), CLASS::IN.into(), false);
    packet.questions.push(question);
    packet.build_bytes_vec().ok()
}

enum Response {
    Records(Vec<String>),
    Truncated,
    Refused(RCODE),
    /// Not a response to our query.
    Unrelated,
}

fn read_response(id: u16, name: &str, kind: TYPE, bytes: &[u8]) -> Response {
    let Ok(packet) = Packet::parse(bytes) else { return Response::Unrelated };
    let is_ours = packet.questions.first().is_some_and(|question| {
        question.qtype == QTYPE::TYPE(kind)
            && question.qclass == QCLASS::CLASS(CLASS::IN)
            && question.qname.to_string().eq_ignore_ascii_case(name)
    });
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !is_ours {
        return Response::Unrelated;
    }
    match packet.rcode() {
        RCODE::NoError if packet.has_flags(PacketFlag::TRUNCATION) => Response::Truncated,
        // The name server follows aliases, so the records may have another name.
        RCODE::NoError => {
            Response::Records(packet.answers.into_iter().filter_map(|record| content(record, kind)).collect())
        }
        RCODE::NameError => Response::Records(Vec::new()),
        code => Response::Refused(code),
    }
}

/// What a record says, if it is of this type.
fn content(record: ResourceRecord<'_>, kind: TYPE) -> Option<String> {
    match record.rdata {
        RData::TXT(txt) if kind == TYPE::TXT => String::try_from(txt).ok(),
        RData::A(a) if kind == TYPE::A => Some(Ipv4Addr::from(a.address).to_string()),
        RData::AAAA(a) if kind == TYPE::AAAA => Some(Ipv6Addr::from(a.address).to_string()),
        _ => None,
    }
}

/// For the fuzz target.
#[cfg(fuzzing)]
pub(super) fn texts_in_response(id: u16, name: &str, bytes: &[u8]) -> Option<Vec<String>> {
    match read_response(id, name, TYPE::TXT, bytes) {
        Response::Records(texts) => Some(texts),
        _ => None,
    }
}
