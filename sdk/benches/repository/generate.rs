//! A repository with posts, in a file in the order of its tree, in one with the newest blocks first, as the reference PDS sends them, and
//! in one with its blocks in any order.

use std::{collections::HashMap, fs::File, io::BufWriter, path::Path};

use atproto_sdk::{
    api::{
        app::bsky::feed::post::{Post, ReplyRef},
        com::atproto::repo::strong_ref::StrongRef,
    },
    did, nsid,
    repo::{CarWriter, Commit, SigningKey, Tree, export, write_car},
    types::{AtUri, Cid, Data as _, Datetime, Language, RecordKey, Tid},
};

pub(crate) const IN_ORDER: &str = "in-order.car";
pub(crate) const NEWEST_FIRST: &str = "newest-first.car";
pub(crate) const SHUFFLED: &str = "shuffled.car";

const PIECE: usize = 256 << 10;

/// A linear congruential generator (Knuth).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0 >> 11) * end as u128) >> 53) as usize
    }
}

pub(crate) fn write(folder: &Path, records: usize, text: usize) {
    let did = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    let key = SigningKey::secp256k1_from_bytes(&[7; 32]).unwrap();
    let mut random = Random(42);
    let mut blocks: HashMap<Cid, Vec<u8>> = HashMap::new();
    let mut tree = Tree::new();
    let (mut micros, mut last) = (1_700_000_000_000_000_u64, None);
    for number in 0..records {
        micros += 1 + random.below(100_000_000) as u64;
        let tid = Tid::from_parts(micros, 7);
        let post = post(&mut random, number, text, micros, last.as_ref());
        let block = post.to_cbor().unwrap();
        let cid = Cid::of_cbor(&block);
        tree.insert(&format!("app.bsky.feed.post/{tid}"), cid.clone()).unwrap();
        let uri = AtUri::record(&did, &nsid!("app.bsky.feed.post"), &RecordKey::from(tid));
        last = Some(StrongRef::new(uri, cid.clone()));
        blocks.insert(cid, block);
    }
    let changes = tree.take_changes();
    blocks.extend(changes.added.into_iter().map(|(cid, block)| (cid, block.to_vec())));
    let commit = Commit::sign(&did, &Tid::now(), &changes.root, &key).unwrap();
    // In pieces as large as those in which downloads are written: how large they were decides how fast a file is read from the
    // system's cache.
    let file = |name: &str| BufWriter::with_capacity(PIECE, File::create(folder.join(name)).unwrap());
    write_car(&commit, &blocks, file(IN_ORDER)).unwrap();

    // The keys are in the order of time, so the newest blocks are the last ones of the tree.
    let mut writer = CarWriter::new(file(NEWEST_FIRST), &commit.cid()).unwrap();
    writer.write(&commit.cid(), commit.as_bytes()).unwrap();
    let in_order: Vec<Cid> = export(&commit, &blocks).map(|block| block.unwrap().0).collect();
    for cid in in_order[1..].iter().rev() {
        writer.write(cid, &blocks[cid]).unwrap();
    }
    writer.finish().unwrap();

    blocks.insert(commit.cid(), commit.as_bytes().to_vec());
    let mut blocks: Vec<_> = blocks.into_iter().collect();
    // The map's order is random already, but another one each time.
    blocks.sort_unstable();
    for last in (1..blocks.len()).rev() {
        blocks.swap(last, random.below(last + 1));
    }
    let mut writer = CarWriter::new(file(SHUFFLED), &commit.cid()).unwrap();
    for (cid, block) in &blocks {
        writer.write(cid, block).unwrap();
    }
    writer.finish().unwrap();
}

/// A post with about so many characters; one in three is a reply.
fn post(random: &mut Random, number: usize, length: usize, micros: u64, last: Option<&StrongRef>) -> Post {
    const WORDS: [&str; 8] = ["light", "über", "river", "of", "the", "winter", "日本", "quick"];
    let mut text = format!("{number}");
    while text.len() < length / 2 + random.below(length + 1) {
        text.push(' ');
        text.push_str(WORDS[random.below(WORDS.len())]);
    }
    let created_at = Datetime::from_unix_millis(i64::try_from(micros / 1000).unwrap());
    let mut post = Post::new(text, created_at).langs(vec![Language::new("en").unwrap()]);
    if let Some(last) = last.filter(|_| number.is_multiple_of(3)) {
        post = post.reply(ReplyRef::new(last.clone(), last.clone()));
    }
    post
}
