//! TXT records, asked of the system's name servers.
//!
//! A question over UDP, repeated over TCP where the answer does not fit: all that the lookup of a handle needs. A whole
//! resolver would cost every user's build some 25 crates.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE, rdata::RData};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// How long one server may take for one answer.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the servers are gone through.
const ROUNDS: usize = 2;
/// Most answers that are not ours which are passed over while waiting for ours.
const STRAY_ANSWERS: usize = 16;
/// Asked where the system says nothing (outside of Unix): public resolvers of three operators.
#[cfg(not(unix))]
const PUBLIC: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)),
    IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)),
];

/// Asks name servers for TXT records. Keeps nothing: records may live for days, a sign-in's cache may not (O6).
#[derive(Debug, Clone)]
pub(super) struct Dns {
    servers: Vec<SocketAddr>,
}

/// Why a name server's answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum DnsError {
    #[error("{server} gave no answer within {SERVER_TIMEOUT:?}")]
    Timeout { server: SocketAddr },
    #[error("{server} cannot be reached: {source}")]
    Io { server: SocketAddr, source: io::Error },
    #[error("{server} answered with an error ({code:?})")]
    Refused { server: SocketAddr, code: RCODE },
    #[error("{server} gave an answer that is not valid")]
    Broken { server: SocketAddr },
    #[error("the name cannot be asked for")]
    Name,
    #[error("there is no source of randomness")]
    Random,
}

impl Dns {
    /// The system's name servers; `server` takes their place.
    ///
    /// # Errors
    /// In words, when the system has no usable configuration.
    pub(super) fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let servers = match server {
            Some(server) => vec![server],
            None => system_servers()?,
        };
        Ok(Self { servers })
    }

    /// The TXT records of a name, each put together from its parts; none if there is no such name. Records that are not
    /// text are left out.
    pub(super) async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let mut failure = DnsError::Name;
        for _ in 0..ROUNDS {
            for server in &self.servers {
                let asked = timeout(SERVER_TIMEOUT, ask(*server, name)).await;
                match asked.unwrap_or(Err(DnsError::Timeout { server: *server })) {
                    Ok(records) => return Ok(records),
                    Err(error @ (DnsError::Name | DnsError::Random)) => return Err(error),
                    Err(error) => failure = error,
                }
            }
        }
        Err(failure)
    }
}

#[cfg(unix)]
fn system_servers() -> Result<Vec<SocketAddr>, String> {
    const FILE: &str = "/etc/resolv.conf";
    let text = std::fs::read(FILE).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
    let config = resolv_conf::Config::parse(text).map_err(|error| format!("{FILE}: {error}"))?;
    let servers = config.nameservers.into_iter().map(|server| SocketAddr::new(server.into(), 53));
    let servers: Vec<SocketAddr> = servers.collect();
    // What the system's own resolver does then (resolv.conf(5)).
    Ok(if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53)] } else { servers })
}

#[cfg(not(unix))]
fn system_servers() -> Result<Vec<SocketAddr>, String> {
    Ok(PUBLIC.into_iter().map(|server| SocketAddr::new(server, 53)).collect())
}

/// One question to one server.
async fn ask(server: SocketAddr, name: &str) -> Result<Vec<String>, DnsError> {
    let io = |source| DnsError::Io { server, source };
    let mut random = [0; 2];
    getrandom::fill(&mut random).map_err(|_| DnsError::Random)?;
    let id = u16::from_be_bytes(random);
    let question = question(id, name).ok_or(DnsError::Name)?;

    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Connected, so that only this server's answers come in, on a port that nobody can foretell.
    let socket = UdpSocket::bind((any, 0)).await.map_err(io)?;
    socket.connect(server).await.map_err(io)?;
    socket.send(&question).await.map_err(io)?;
    let mut buffer = vec![0; 4096];
    for _ in 0..STRAY_ANSWERS {
        let length = socket.recv(&mut buffer).await.map_err(io)?;
        match read_answer(id, name, &buffer[..length]) {
            Answer::Stray => {}
            Answer::Records(records) => return Ok(records),
            Answer::Refused(code) => return Err(DnsError::Refused { server, code }),
            Answer::Truncated => return ask_over_tcp(server, id, name, &question).await,
        }
    }
    Err(DnsError::Broken { server })
}

async fn ask_over_tcp(
    server: SocketAddr,
    id: u16,
    name: &str,
    question: &[u8],
) -> Result<Vec<String>, DnsError> {
    let io = |source| DnsError::Io { server, source };
    let mut stream = TcpStream::connect(server).await.map_err(io)?;
    let length = u16::try_from(question.len()).map_err(|_| DnsError::Name)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await.map_err(io)?;
    let length = stream.read_u16().await.map_err(io)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(io)?;
    match read_answer(id, name, &answer) {
        Answer::Records(records) => Ok(records),
        Answer::Refused(code) => Err(DnsError::Refused { server, code }),
        Answer::Stray | Answer::Truncated => Err(DnsError::Broken { server }),
    }
}

fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Question::new(Name::new(name).ok()?, TYPE::TXT.into(), CLASS::IN.into(), false);
    packet.questions.push(question);
    packet.build_bytes_vec().ok()
}

enum Answer {
    Records(Vec<String>),
    Truncated,
    Refused(RCODE),
    /// Not an answer to our question.
    Stray,
}

fn read_answer(id: u16, name: &str, bytes: &[u8]) -> Answer {
    let Ok(packet) = Packet::parse(bytes) else { return Answer::Stray };
    let asked = packet.questions.first().is_some_and(|question| {
        question.qtype == QTYPE::TYPE(TYPE::TXT)
            && question.qclass == QCLASS::CLASS(CLASS::IN)
            && question.qname.to_string().eq_ignore_ascii_case(name)
    });
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !asked {
        return Answer::Stray;
    }
    match packet.rcode() {
        RCODE::NoError if packet.has_flags(PacketFlag::TRUNCATION) => Answer::Truncated,
        // A resolver follows aliases by itself, and the records then have another name.
        RCODE::NoError => Answer::Records(packet.answers.into_iter().filter_map(text).collect()),
        RCODE::NameError => Answer::Records(Vec::new()),
        code => Answer::Refused(code),
    }
}

fn text(record: simple_dns::ResourceRecord<'_>) -> Option<String> {
    match record.rdata {
        RData::TXT(txt) => String::try_from(txt).ok(),
        _ => None,
    }
}
