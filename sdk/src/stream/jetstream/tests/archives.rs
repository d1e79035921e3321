use super::{
    super::{
        CommitOperation, Message,
        archive::{Block, SegmentError, SegmentReader},
        compression::Decompressor,
    },
    archive_file::{Stored, body, compressed, segment},
};
use crate::{
    api::com::atproto::sync::subscribe_repos,
    test_lexicons::Note,
    types::{Cid, Data as _, DataError, Datetime, Did},
    xrpc::Message as _,
};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const TIME: i64 = 1_767_323_045_678_901;

pub(super) fn event(seq: u64, kind: u8, payload: Vec<u8>) -> Stored {
    let commit = matches!(kind, 1..=3 | 7);
    let only = |text: &str| if commit { text.to_owned() } else { String::new() };
    Stored {
        seq,
        witnessed_at: TIME + seq as i64,
        indexed_at: 0,
        kind,
        collection: only("com.example.note"),
        did: DID.to_owned(),
        rkey: only(&format!("3jzfcijpj2z{}", ["2a", "2b", "2c", "2d"][seq as usize % 4])),
        rev: only("3jzfcijpj2z2a"),
        payload,
    }
}

fn created_at() -> Datetime {
    Datetime::new("2026-01-02T03:04:05Z").unwrap()
}

pub(super) fn note(text: &str) -> Vec<u8> {
    Note::new(text, created_at()).to_cbor().unwrap()
}

/// One event of each kind.
fn all_kinds() -> Vec<Stored> {
    let (alice, time) = (Did::new(DID).unwrap(), created_at());
    let identity = subscribe_repos::Identity::new(9, alice.clone(), time.clone());
    let account = subscribe_repos::Account::new(10, alice.clone(), time.clone(), false);
    let sync = subscribe_repos::SyncDef::new(11, alice, vec![1, 2, 3].into(), "3jzfcijpj2z2a", time);
    vec![
        event(1, 1, note("one")),
        event(2, 2, note("two")),
        event(3, 3, Vec::new()),
        event(4, 4, identity.to_cbor().unwrap()),
        event(5, 5, account.to_cbor().unwrap()),
        event(6, 6, sync.to_cbor().unwrap()),
        event(7, 7, note("seven")),
    ]
}

fn messages(block: &Block) -> Vec<Result<Message, DataError>> {
    (0..block.len()).map(|index| block.row(index).unwrap().message()).collect()
}

#[test]
fn e8_a_block_of_the_archive_has_the_messages_of_the_stream() {
    let block = Block::parse(body(&all_kinds())).unwrap();
    let messages: Vec<Message> = messages(&block).into_iter().map(Result::unwrap).collect();
    assert_eq!(
        messages.iter().map(|message| message.seq().unwrap()).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
    let operations: Vec<_> =
        messages.iter().filter_map(Message::as_commit).map(|it| it.operation.clone()).collect();
    let create = CommitOperation::Create;
    assert_eq!(operations, [create.clone(), CommitOperation::Update, CommitOperation::Delete, create]);
    let first = messages[0].as_commit().unwrap();
    assert_eq!(first.cid, Some(Cid::of_cbor(&note("one"))));
    assert_eq!(messages[0].record::<Note>().unwrap().unwrap(), Note::new("one", created_at()));
    assert_eq!(messages[0].time().unwrap().unix_micros(), Some(TIME + 1));
    assert!(messages[2].as_commit().unwrap().cid.is_none());
    assert!(matches!(&messages[3], Message::Identity(event) if event.identity.seq == 9));
    assert!(matches!(&messages[4], Message::Account(event) if !event.account.active));
    assert!(matches!(&messages[5], Message::Sync(event) if event.sync.seq == 11));
}

#[test]
fn e8_the_time_of_an_event_can_be_another_than_that_of_its_arrival() {
    let stored = Stored { indexed_at: TIME - 1_000_000, ..event(1, 1, note("imported")) };
    let block = Block::parse(body(&[stored])).unwrap();
    let message = messages(&block).remove(0).unwrap();
    let commit = message.as_commit().unwrap();
    assert_eq!(commit.time.unix_micros(), Some(TIME - 1_000_000));
    assert_eq!(commit.witnessed_at.as_ref().unwrap().unix_micros(), Some(TIME + 1));
}

#[test]
fn a_bad_event_does_not_cost_its_block() {
    let mut events = all_kinds();
    // Wrong, and nevertheless text: it tells by itself.
    events[1].rkey = "not a key".into();
    events[3].payload = b"{}".to_vec();
    events[6].kind = 99;
    events[0].seq = u64::MAX;
    let read = messages(&Block::parse(body(&events)).unwrap());
    let good: Vec<bool> = read.iter().map(Result::is_ok).collect();
    assert_eq!(good, [false, true, true, false, true, true, false]);
    assert!(!read[1].as_ref().unwrap().as_commit().unwrap().rkey.is_valid());
    assert!(read[6].as_ref().unwrap_err().to_string().contains("unknown kind"));
}

#[test]
fn a_block_whose_events_were_all_removed_is_empty() {
    assert_eq!(Block::parse(body(&[])).unwrap().len(), 0);
}

#[test]
fn a_damaged_block_is_an_error_and_never_a_panic() {
    let body = body(&all_kinds());
    for end in 0..body.len() {
        assert!(matches!(Block::parse(body[..end].to_vec()), Err(SegmentError::Malformed { .. })), "{end}");
    }
    assert!(Block::parse([&body[..], b"x"].concat()).is_err());
    // Lengths and counts of all kinds: whatever is accepted can be read.
    for at in 0..body.len().min(250) {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = body.clone();
            damaged[at] = value;
            if let Ok(block) = Block::parse(damaged) {
                assert_eq!(messages(&block).len(), block.len());
            }
        }
    }
    assert!(Block::parse(u32::MAX.to_le_bytes().to_vec()).is_err());
}

fn file() -> (Vec<u8>, u64) {
    let blocks: Vec<Vec<u8>> = all_kinds().chunks(3).map(|events| compressed(&body(events))).collect();
    segment(&blocks)
}

/// Reads a file that arrives in pieces of this length.
fn read_file(file: &[u8], piece: usize) -> Result<Vec<Message>, SegmentError> {
    let mut reader = SegmentReader::new();
    let mut decompressor = Decompressor::new(1 << 20);
    let mut all = Vec::new();
    for piece in file.chunks(piece) {
        reader.push(piece);
        while let Some(block) = reader.next_block()? {
            all.extend(messages(&Block::read(&block, &mut decompressor)?).into_iter().map(Result::unwrap));
        }
    }
    reader.finish()?;
    Ok(all)
}

#[test]
fn e8_a_file_of_the_archive_is_read_as_it_arrives() {
    let (file, checksum) = file();
    let seqs = |messages: Vec<Message>| messages.iter().map(|it| it.seq().unwrap()).collect::<Vec<_>>();
    for piece in [1, 7, 255, 256, 257, 1000, file.len()] {
        assert_eq!(seqs(read_file(&file, piece).unwrap()), [1, 2, 3, 4, 5, 6, 7], "pieces of {piece}");
    }
    let mut reader = SegmentReader::new();
    reader.push(&file[..255]);
    assert_eq!(reader.header(), Ok(None));
    reader.push(&file[255..256]);
    assert_eq!(reader.header().unwrap().unwrap().checksum, checksum);
}

#[test]
fn a_damaged_file_is_an_error() {
    let (file, _) = file();
    for end in 0..file.len() {
        assert!(read_file(&file[..end], 64).is_err(), "cut at {end}");
    }
    assert_eq!(read_file(&[&file[..], b"x"].concat(), 64).unwrap_err(), SegmentError::Checksum);
    let whole = read_file(&file, 300).unwrap();
    let mut damaged = file.clone();
    for at in 0..file.len() {
        damaged[at] ^= 1;
        // Where a frame has a bit without a meaning, what comes out is nevertheless what was put in.
        if let Ok(read) = read_file(&damaged, 300) {
            assert_eq!(read, whole, "byte {at}");
        }
        damaged[at] ^= 1;
    }
    let mut newer = file.clone();
    newer[12] = 2;
    assert_eq!(read_file(&newer, 300).unwrap_err(), SegmentError::Version { version: 2 });
    let mut active = file;
    active[4..12].fill(0);
    assert!(read_file(&active, 300).unwrap_err().to_string().contains("not finished"));
}

#[test]
fn a_block_that_claims_to_be_long_takes_no_memory() {
    let (mut file, _) = segment(&[vec![0; 8]]);
    file[58..66].copy_from_slice(&u64::MAX.to_le_bytes());
    file[256..264].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(matches!(read_file(&file, 300), Err(SegmentError::Malformed { .. })));
}
