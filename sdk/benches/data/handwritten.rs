//! The structs that somebody would write by hand to read a post and a commit with serde: what we compare with.

use ipld_core::{cid::Cid, ipld::Ipld, serde::from_ipld};
use serde::Deserialize;

/// `app.bsky.feed.post`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub(crate) struct Post {
    pub(crate) text: String,
    facets: Option<Vec<Facet>>,
    reply: Option<Reply>,
    embed: Option<Embed>,
    langs: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    created_at: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Facet {
    index: ByteSlice,
    features: Vec<Feature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct ByteSlice {
    byte_start: i64,
    byte_end: i64,
}

#[derive(Deserialize)]
#[serde(tag = "$type")]
#[allow(dead_code)]
enum Feature {
    #[serde(rename = "app.bsky.richtext.facet#link")]
    Link { uri: String },
    #[serde(rename = "app.bsky.richtext.facet#mention")]
    Mention { did: String },
    #[serde(rename = "app.bsky.richtext.facet#tag")]
    Tag { tag: String },
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Reply {
    root: StrongRef,
    parent: StrongRef,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct StrongRef {
    cid: String,
    uri: String,
}

/// Serde's own tagged enums cannot hold links, so the tag is looked up in a tree.
#[allow(dead_code)]
enum Embed {
    Images(Images),
    External(External),
    Record(Record),
    Video(Video),
}

impl<'de> Deserialize<'de> for Embed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let tree = Ipld::deserialize(deserializer)?;
        let tag = match tree.get("$type") {
            Ok(Some(Ipld::String(tag))) => tag.clone(),
            _ => return Err(D::Error::missing_field("$type")),
        };
        let made = match tag.as_str() {
            "app.bsky.embed.images" => from_ipld(tree).map(Self::Images),
            "app.bsky.embed.external" => from_ipld(tree).map(Self::External),
            "app.bsky.embed.record" => from_ipld(tree).map(Self::Record),
            _ => from_ipld(tree).map(Self::Video),
        };
        made.map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Images {
    images: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Image {
    alt: String,
    image: Blob,
    aspect_ratio: Option<AspectRatio>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct AspectRatio {
    width: i64,
    height: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Blob {
    r#ref: Cid,
    mime_type: String,
    size: i64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct External {
    external: Page,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Page {
    uri: String,
    title: String,
    description: String,
    thumb: Option<Blob>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Record {
    record: StrongRef,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Video {
    video: Blob,
    aspect_ratio: Option<AspectRatio>,
}

/// `com.atproto.sync.subscribeRepos#commit`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub(crate) struct Commit {
    pub(crate) seq: i64,
    rebase: bool,
    too_big: bool,
    repo: String,
    commit: Cid,
    rev: String,
    since: Option<String>,
    #[serde(with = "serde_bytes")]
    blocks: Vec<u8>,
    ops: Vec<Operation>,
    blobs: Vec<Cid>,
    prev_data: Option<Cid>,
    time: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Operation {
    action: String,
    path: String,
    cid: Option<Cid>,
    prev: Option<Cid>,
}
