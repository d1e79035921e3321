//! Name servers that do not simply answer.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord,
    rdata::{RData, TXT},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::super::dns::{DidRecords, DidRecordsError, Dns, DnsError};

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
            let (dns, name) = (dns.clone(), format!("_atproto.{n}.example"));
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

#[tokio::test]
async fn o9_names_of_one_domain_that_are_not_answered_do_not_hold_up_others() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dns = Dns::new(Some(server.local_addr().unwrap())).unwrap();
    let asked = tokio::spawn(async move {
        let (mut silent, mut buffer) = (std::collections::HashSet::new(), [0; 512]);
        loop {
            let (length, from) = server.recv_from(&mut buffer).await.unwrap();
            let question = &buffer[..length];
            let name = Packet::parse(question).unwrap().questions[0].qname.to_string();
            if name.ends_with(".evil.example") {
                silent.insert(from.port());
            } else {
                server.send_to(&answer(question, |_| {}), from).await.unwrap();
                return silent.len();
            }
        }
    });
    let hanging: Vec<_> = (0..200)
        .map(|n| {
            let (dns, name) = (dns.clone(), format!("_atproto.{n}.evil.example"));
            tokio::spawn(async move { dns.txt(&name).await })
        })
        .collect();
    while dns.slots() > 64 - 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(dns.txt(NAME).await.unwrap(), ["did=did:plc:abc"]);
    assert!(asked.await.unwrap() <= 8);
    hanging.iter().for_each(|query| query.abort());
}

#[tokio::test]
async fn o2_a_host_without_an_address_is_told_apart_from_one_of_which_nothing_is_known() {
    use simple_dns::{QTYPE, TYPE, rdata::AAAA};

    let missing = |packet: &mut Packet<'_>| {
        packet.answers.clear();
        *packet.rcode_mut() = RCODE::NameError;
    };
    let no_address = |packet: &mut Packet<'_>| packet.answers.clear();
    let only_v6 = |packet: &mut Packet<'_>| {
        packet.answers.clear();
        if packet.questions[0].qtype == QTYPE::TYPE(TYPE::AAAA) {
            let name = Name::new("elsewhere.example.com").unwrap();
            let address = RData::AAAA(AAAA { address: 1 });
            packet.answers.push(ResourceRecord::new(name, CLASS::IN, 60, address));
        }
    };
    let failing = |packet: &mut Packet<'_>| *packet.rcode_mut() = RCODE::ServerFailure;
    type Change = fn(&mut Packet<'_>);
    let changes: [(&str, Change, bool); 5] = [
        ("no such name", missing, true),
        ("other records only", no_address, true),
        ("TXT is no address", |_| {}, true),
        ("an address", only_v6, false),
        ("no answer", failing, false),
    ];
    for (case, change, expected) in changes {
        let server = server(move |question| vec![answer(question, change)]).await;
        let has_none = DidRecords::new(Some(server)).has_no_address("alice.example.com").await;
        assert_eq!(has_none, expected, "{case}");
    }
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(!DidRecords::new(Some(nobody)).has_no_address("alice.example.com").await);
    assert!(!DidRecords(Err("there is no configuration".to_owned())).has_no_address("a.example.com").await);
}

/// A truncated answer over UDP; over TCP whatever `tcp` does with the connection after the question.
async fn truncating<F: Future<Output = ()> + Send + 'static>(
    tcp: impl Fn(tokio::net::TcpStream, Vec<u8>) -> F + Send + 'static,
) -> SocketAddr {
    let (udp, listener, address) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = udp.local_addr().unwrap();
        if let Ok(listener) = TcpListener::bind(address).await {
            break (udp, listener, address);
        }
    };
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let cut = answer(&buffer[..length], |packet| {
                packet.answers.clear();
                packet.set_flags(PacketFlag::TRUNCATION);
            });
            udp.send_to(&cut, from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Ok(length) = stream.read_u16().await else { continue };
            let mut question = vec![0; length.into()];
            if stream.read_exact(&mut question).await.is_ok() {
                tokio::spawn(tcp(stream, question));
            }
        }
    });
    address
}

async fn did_of(server: SocketAddr) -> (Result<Option<crate::types::Did>, DidRecordsError>, Duration) {
    let begun = Instant::now();
    let answer = DidRecords::new(Some(server)).did(NAME).await;
    (answer, begun.elapsed())
}

#[tokio::test]
async fn o9_a_name_server_that_drips_or_stops_over_tcp() {
    let drips = truncating(|mut stream, _| async move {
        let _ = stream.write_u16(u16::MAX).await;
        while stream.write_u8(0).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let silent = truncating(|stream, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    });
    let short = truncating(|mut stream, _| async move {
        let _ = stream.write_u16(u16::MAX).await;
        let _ = stream.write_all(b"short").await;
    });
    let still_truncated = truncating(|mut stream, question| async move {
        let cut = answer(&question, |packet| packet.set_flags(PacketFlag::TRUNCATION));
        let _ = stream.write_u16(cut.len() as u16).await;
        let _ = stream.write_all(&cut).await;
    });
    let garbage = truncating(|mut stream, _| async move {
        let _ = stream.write_u16(512).await;
        let _ = stream.write_all(&[0xff; 512]).await;
    });
    let servers = [drips.await, silent.await, short.await, still_truncated.await, garbage.await];
    for (answer, took) in futures_util::future::join_all(servers.map(did_of)).await {
        assert!(matches!(answer, Err(DidRecordsError::Failed(_))), "{answer:?}");
        assert!(took < Duration::from_secs(7), "{took:?}");
    }
}

#[tokio::test]
async fn o9_a_name_server_that_floods_with_what_was_not_asked_for() {
    let pointers = |question: &[u8]| {
        // A name that is a pointer to itself, in the place of the answer's.
        let mut bytes = answer(question, |packet| packet.answers.clear());
        bytes[7] = 1;
        let here = u16::try_from(bytes.len()).unwrap() | 0xc000;
        bytes.extend_from_slice(&here.to_be_bytes());
        bytes.extend_from_slice(&[0, 16, 0, 1, 0, 0, 0, 60, 0, 1, 0]);
        vec![bytes]
    };
    let flood = |question: &[u8]| {
        let other = answer(question, |packet| packet.set_id(packet.id() ^ 1));
        std::iter::repeat_n(other, 2000).collect()
    };
    let lies = |question: &[u8]| {
        // More records than there are.
        let mut bytes = answer(question, |_| {});
        (bytes[6], bytes[7]) = (0xff, 0xff);
        vec![bytes]
    };
    let servers = [server(pointers).await, server(flood).await, server(lies).await];
    for (answer, took) in futures_util::future::join_all(servers.map(did_of)).await {
        assert!(matches!(answer, Err(DidRecordsError::Failed(_))), "{answer:?}");
        assert!(took < Duration::from_secs(7), "{took:?}");
    }
}

#[tokio::test]
async fn o2_o9_a_thousand_records_and_texts_that_are_no_dids() {
    const DID: &str = "did=did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let records = |texts: Vec<String>| {
        truncating(move |mut stream, question| {
            let texts = texts.clone();
            async move {
                let name = Name::new("elsewhere.example.com").unwrap();
                let bytes = answer(&question, |packet| {
                    packet.answers.clear();
                    for text in &texts {
                        let text = TXT::try_from(text.as_str()).unwrap().into_owned();
                        packet.answers.push(ResourceRecord::new(
                            name.clone(),
                            CLASS::IN,
                            60,
                            RData::TXT(text),
                        ));
                    }
                });
                let _ = stream.write_u16(u16::try_from(bytes.len()).unwrap()).await;
                let _ = stream.write_all(&bytes).await;
            }
        })
    };
    let mut many: Vec<String> = (0..600).map(|n| format!("v=spf1 {n}")).collect();
    many.push(DID.to_owned());
    let (answer, took) = did_of(records(many.clone()).await).await;
    assert_eq!(answer.unwrap().unwrap().as_str(), &DID[4..]);
    assert!(took < Duration::from_secs(3), "{took:?}");
    many.push("did=did:plc:44ybard66vv44zksje25o7dz".into());
    assert!(matches!(did_of(records(many).await).await.0, Err(DidRecordsError::Ambiguous { .. })));
    for text in
        ["did=", "did=did:plc:a\r\nX-Injected: b", "did=did:plc:\u{202e}abc", "did=https://example.com"]
    {
        let (answer, _) = did_of(records(vec![text.to_owned()]).await).await;
        let Err(DidRecordsError::NotADid(shown)) = answer else { panic!("{text}: {answer:?}") };
        assert!(!shown.contains(['\r', '\n']), "{shown}");
    }
}
