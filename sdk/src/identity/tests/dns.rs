//! Name servers that do not simply answer.

use std::net::SocketAddr;

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord,
    rdata::{RData, TXT},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::super::dns::{Dns, DnsError};

use std::time::Duration;

const NAME: &str = "_atproto.alice.example.com";

/// The answer to a question, changed.
fn answer(question: &[u8], change: impl Fn(&mut Packet<'_>)) -> Vec<u8> {
    let mut packet = Packet::parse(question).unwrap().into_reply();
    packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
    let text = TXT::new().with_string("did=did:plc:").unwrap().with_string("abc").unwrap();
    packet.answers.push(ResourceRecord::new(
        Name::new("elsewhere.example.com").unwrap(),
        CLASS::IN,
        60,
        RData::TXT(text),
    ));
    change(&mut packet);
    packet.build_bytes_vec().unwrap()
}

/// Answers over UDP with what `answers` makes of each question, one after another, and over TCP with the truth.
async fn server(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let (udp, tcp, address) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = udp.local_addr().unwrap();
        // The same port may be taken for TCP.
        if let Ok(tcp) = TcpListener::bind(address).await {
            break (udp, tcp, address);
        }
    };
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            for answer in answers(&buffer[..length]) {
                udp.send_to(&answer, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await.unwrap();
            let answer = answer(&question, |_| {});
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    address
}

async fn ask(server: SocketAddr) -> Result<Vec<String>, DnsError> {
    Dns::new(Some(server)).unwrap().txt(NAME).await
}

#[tokio::test]
async fn o2_a_record_in_parts_is_put_together_and_aliases_are_followed() {
    let server = server(|question| vec![answer(question, |_| {})]).await;
    assert_eq!(ask(server).await.unwrap(), ["did=did:plc:abc"]);
}

#[tokio::test]
async fn o2_a_truncated_answer_is_asked_for_over_tcp() {
    let cut = |packet: &mut Packet<'_>| {
        packet.answers.clear();
        packet.set_flags(PacketFlag::TRUNCATION);
    };
    let server = server(move |question| vec![answer(question, cut)]).await;
    assert_eq!(ask(server).await.unwrap(), ["did=did:plc:abc"]);
}

#[tokio::test]
async fn o2_answers_to_other_questions_are_passed_over() {
    let server = server(|question| {
        let wrong_id = answer(question, |packet| packet.set_id(packet.id() ^ 1));
        let wrong_name =
            answer(question, |packet| packet.questions[0].qname = Name::new("a.example").unwrap());
        let no_answer = answer(question, |packet| packet.remove_flags(PacketFlag::RESPONSE));
        vec![b"garbage".to_vec(), wrong_id, wrong_name, no_answer, answer(question, |_| {})]
    })
    .await;
    assert_eq!(ask(server).await.unwrap(), ["did=did:plc:abc"]);
}

#[tokio::test]
async fn o2_a_server_that_fails_is_told_apart_from_a_name_that_does_not_exist() {
    let failing =
        server(|question| vec![answer(question, |packet| *packet.rcode_mut() = RCODE::ServerFailure)]).await;
    let error = ask(failing).await.unwrap_err();
    assert!(error.to_string().contains("responded with an error (ServerFailure)"), "{error}");
    let missing = server(|question| {
        vec![answer(question, |packet| {
            packet.answers.clear();
            *packet.rcode_mut() = RCODE::NameError;
        })]
    })
    .await;
    assert!(ask(missing).await.unwrap().is_empty());
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(matches!(ask(nobody).await, Err(DnsError::Io { .. })));
}

#[tokio::test]
async fn o9_names_of_strangers_take_a_bounded_number_of_sockets() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dns = Dns::new(Some(silent.local_addr().unwrap())).unwrap();
    let waiting: Vec<_> = (0..500)
        .map(|n| {
            let (dns, name) = (dns.clone(), format!("_atproto.{n}.example.com"));
            tokio::spawn(async move { tokio::time::timeout(Duration::from_secs(1), dns.txt(&name)).await })
        })
        .collect();
    let mut ports = std::collections::HashSet::new();
    let mut buffer = [0; 512];
    while let Ok(Ok((_, from))) =
        tokio::time::timeout(Duration::from_millis(400), silent.recv_from(&mut buffer)).await
    {
        ports.insert(from.port());
    }
    assert_eq!(ports.len(), 64);
    for query in waiting {
        assert!(query.await.unwrap().is_err(), "nobody has answered");
    }
}
