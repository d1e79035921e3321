//! Pages as servers send them, made from a fixed seed: the same on every machine and in every run.

use std::fmt::Write as _;

/// Small generator of numbers (splitmix64); a bench needs no better one.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn letters(&mut self, count: usize, alphabet: &[u8]) -> String {
        (0..count).map(|_| char::from(alphabet[self.below(alphabet.len() as u64) as usize])).collect()
    }
}

const BASE_32: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
const TID_DIGITS: &[u8] = b"234567abcdefghijklmnopqrstuvwxyz";
/// Plain words, other scripts, an emoji of several code points, typographic quotes, and an escape.
const WORDS: [&str; 20] = [
    "the",
    "server",
    "of",
    "every",
    "account",
    "keeps",
    "a",
    "signed",
    "repository,",
    "and",
    "Übersicht",
    "日本語",
    "Приве́т",
    "👩‍🚀",
    "“quoted”",
    "line\\nbreak",
    "who",
    "reads",
    "it",
    "all?",
];

/// Makes the texts of one page.
pub(crate) struct Pages(Random);

impl Pages {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random(seed))
    }

    /// `app.bsky.feed.getTimeline`, 100 entries in the AppView's order of fields: about 430 KB. The posts that a reply
    /// answers have their `$type` behind everything else, as the AppView sends them.
    pub(crate) fn timeline(&mut self) -> String {
        let entries: Vec<String> = (0..100).map(|_| self.feed_entry()).collect();
        format!(r#"{{"feed":[{}],"cursor":"{}"}}"#, entries.join(","), self.datetime())
    }

    /// `com.atproto.repo.listRecords`, 100 posts with their fields in the order of DAG-CBOR: about 100 KB.
    pub(crate) fn records(&mut self) -> String {
        let did = self.did();
        let entries: Vec<String> = (0..100)
            .map(|_| {
                let (tid, cid, record) = (self.tid(), self.cid(), self.record(true, true));
                format!(r#"{{"uri":"at://{did}/app.bsky.feed.post/{tid}","cid":"{cid}","value":{record}}}"#)
            })
            .collect();
        format!(r#"{{"records":[{}],"cursor":"{}"}}"#, entries.join(","), self.tid())
    }

    fn text(&mut self, words: u64) -> String {
        let words: Vec<&str> = (0..words).map(|_| WORDS[self.0.below(20) as usize]).collect();
        words.join(" ")
    }

    fn did(&mut self) -> String {
        format!("did:plc:{}", self.0.letters(24, BASE_32))
    }

    fn tid(&mut self) -> String {
        format!("3l{}", self.0.letters(11, TID_DIGITS))
    }

    fn cid_of(&mut self, codec: u8) -> String {
        let seed = self.0.next().to_le_bytes();
        let cid = if codec == 0x71 {
            atproto_sdk::types::Cid::of_cbor(&seed)
        } else {
            atproto_sdk::types::Cid::of_raw(&seed)
        };
        cid.to_string()
    }

    fn cid(&mut self) -> String {
        self.cid_of(0x71)
    }

    fn blob_cid(&mut self) -> String {
        self.cid_of(0x55)
    }

    fn datetime(&mut self) -> String {
        let mut part = |limit| self.0.below(limit);
        let (month, day, hour, minute, second, milli) =
            (part(9) + 1, part(28) + 1, part(24), part(60), part(60), part(1000));
        format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }

    fn strong_ref(&mut self) -> String {
        let (cid, did, tid) = (self.cid(), self.did(), self.tid());
        format!(r#"{{"cid":"{cid}","uri":"at://{did}/app.bsky.feed.post/{tid}"}}"#)
    }

    fn author(&mut self) -> (String, String) {
        let (did, other, blob, tid) = (self.did(), self.did(), self.blob_cid(), self.tid());
        let (handle, name, created) = (self.0.letters(8, BASE_32), self.text(2), self.datetime());
        let author = format!(
            r#"{{"did":"{did}","handle":"{handle}.bsky.social","displayName":"{name}","avatar":"https://cdn.bsky.app/img/avatar/plain/{did}/{blob}@jpeg","associated":{{"chat":{{"allowIncoming":"following"}},"activitySubscription":{{"allowSubscriptions":"followers"}}}},"viewer":{{"muted":false,"blockedBy":false,"following":"at://{other}/app.bsky.graph.follow/{tid}"}},"labels":[],"createdAt":"{created}"}}"#
        );
        (did, author)
    }

    fn facets(&mut self) -> String {
        let (link, did) = (self.0.letters(20, BASE_32), self.did());
        format!(
            r#"[{{"index":{{"byteEnd":20,"byteStart":3}},"features":[{{"uri":"https://example.com/{link}","$type":"app.bsky.richtext.facet#link"}}]}},{{"index":{{"byteEnd":30,"byteStart":22}},"features":[{{"did":"{did}","$type":"app.bsky.richtext.facet#mention"}}]}},{{"index":{{"byteEnd":38,"byteStart":32}},"features":[{{"tag":"atproto","$type":"app.bsky.richtext.facet#tag"}}]}}]"#
        )
    }

    /// What a post embeds: the record's part and the view's part; nothing for most posts.
    fn embed(&mut self, did: &str, may_quote: bool) -> Option<(String, String)> {
        match self.0.below(100) {
            0..35 => Some(self.images(did)),
            35..55 => Some(self.external(did)),
            55..70 if may_quote => Some(self.quote()),
            70..78 => Some(self.video()),
            _ => None,
        }
    }

    fn images(&mut self, did: &str) -> (String, String) {
        let count = self.0.below(4) + 1;
        let (mut records, mut views) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (alt, blob, size) = (self.text(8), self.blob_cid(), self.0.below(900_000) + 1000);
            let ratio = r#""aspectRatio":{"width":900,"height":1200}"#;
            records.push(format!(
                r#"{{"alt":"{alt}","image":{{"ref":{{"$link":"{blob}"}},"size":{size},"$type":"blob","mimeType":"image/jpeg"}},{ratio}}}"#
            ));
            views.push(format!(
                r#"{{"thumb":"https://cdn.bsky.app/img/feed_thumbnail/plain/{did}/{blob}@jpeg","fullsize":"https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{blob}@jpeg","alt":"{alt}",{ratio}}}"#
            ));
        }
        (
            format!(r#"{{"$type":"app.bsky.embed.images","images":[{}]}}"#, records.join(",")),
            format!(r#"{{"$type":"app.bsky.embed.images#view","images":[{}]}}"#, views.join(",")),
        )
    }

    fn external(&mut self, did: &str) -> (String, String) {
        let (path, title, description) = (self.0.letters(30, BASE_32), self.text(6), self.text(20));
        let (blob, thumb) = (self.blob_cid(), self.blob_cid());
        let shared =
            format!(r#""uri":"https://example.com/{path}","title":"{title}","description":"{description}""#);
        (
            format!(
                r#"{{"$type":"app.bsky.embed.external","external":{{{shared},"thumb":{{"$type":"blob","ref":{{"$link":"{blob}"}},"mimeType":"image/jpeg","size":100000}}}}}}"#
            ),
            format!(
                r#"{{"$type":"app.bsky.embed.external#view","external":{{{shared},"thumb":"https://cdn.bsky.app/img/feed_thumbnail/plain/{did}/{thumb}@jpeg"}}}}"#
            ),
        )
    }

    fn quote(&mut self) -> (String, String) {
        let (did, author) = self.author();
        let (tid, cid, record, indexed) =
            (self.tid(), self.cid(), self.record(false, false), self.datetime());
        let uri = format!("at://{did}/app.bsky.feed.post/{tid}");
        (
            format!(r#"{{"$type":"app.bsky.embed.record","record":{{"uri":"{uri}","cid":"{cid}"}}}}"#),
            format!(
                r#"{{"$type":"app.bsky.embed.record#view","record":{{"$type":"app.bsky.embed.record#viewRecord","uri":"{uri}","cid":"{cid}","author":{author},"value":{record},"labels":[],"likeCount":3,"replyCount":1,"repostCount":0,"quoteCount":0,"indexedAt":"{indexed}","embeds":[]}}}}"#
            ),
        )
    }

    fn video(&mut self) -> (String, String) {
        let (blob, cid) = (self.blob_cid(), self.blob_cid());
        let ratio = r#""aspectRatio":{"height":1920,"width":1080}"#;
        (
            format!(
                r#"{{"$type":"app.bsky.embed.video","video":{{"$type":"blob","ref":{{"$link":"{blob}"}},"mimeType":"video/mp4","size":9000000}},{ratio}}}"#
            ),
            format!(
                r#"{{"$type":"app.bsky.embed.video#view","cid":"{cid}","playlist":"https://video.bsky.app/watch/x/playlist.m3u8","thumbnail":"https://video.bsky.app/watch/x/thumbnail.jpg",{ratio}}}"#
            ),
        )
    }

    /// A post's record, with its fields in the order of DAG-CBOR if `canonical`.
    fn record(&mut self, canonical: bool, may_reply: bool) -> String {
        let did = self.did();
        let embed = self.embed(&did, true).map(|(record, _)| record);
        self.record_with(embed, canonical, may_reply)
    }

    fn record_with(&mut self, embed: Option<String>, canonical: bool, may_reply: bool) -> String {
        let words = self.0.below(36) + 5;
        let (text, created) = (self.text(words), self.datetime());
        let facets = self.0.chance(40).then(|| self.facets());
        let reply = (may_reply && self.0.chance(30))
            .then(|| format!(r#"{{"root":{},"parent":{}}}"#, self.strong_ref(), self.strong_ref()));
        let mut fields = String::new();
        let mut field = |name: &str, value: &str| {
            let comma = if fields.is_empty() { "" } else { "," };
            // Writing into a string cannot fail.
            let _ = write!(fields, r#"{comma}"{name}":{value}"#);
        };
        let (tag, text, created) =
            (r#""app.bsky.feed.post""#, format!("\"{text}\""), format!("\"{created}\""));
        if canonical {
            field("text", &text);
            field("$type", tag);
        } else {
            field("$type", tag);
            field("createdAt", &created);
        }
        embed.iter().for_each(|value| field("embed", value));
        field("langs", r#"["en"]"#);
        reply.iter().for_each(|value| field("reply", value));
        facets.iter().for_each(|value| field("facets", value));
        if canonical {
            field("createdAt", &created);
        } else {
            field("text", &text);
        }
        format!("{{{fields}}}")
    }

    /// A post as the AppView shows it, without the closing brace.
    fn post(&mut self, may_quote: bool) -> String {
        let (did, author) = self.author();
        let embed = self.embed(&did, may_quote);
        let (record_embed, view_embed) = embed.unzip();
        let record = self.record_with(record_embed, false, may_quote);
        let (tid, cid, indexed) = (self.tid(), self.cid(), self.datetime());
        let view_embed = view_embed.map_or_else(String::new, |embed| format!(r#""embed":{embed},"#));
        let mut count = |limit| self.0.below(limit);
        let (bookmarks, replies, reposts, likes, quotes) =
            (count(10), count(100), count(100), count(1000), count(10));
        let labels = if self.0.chance(20) {
            let (source, made) = (self.did(), self.datetime());
            format!(
                r#"{{"src":"{source}","uri":"at://{did}/app.bsky.feed.post/{tid}","cid":"{cid}","val":"spam","cts":"{made}"}}"#
            )
        } else {
            String::new()
        };
        format!(
            r#"{{"uri":"at://{did}/app.bsky.feed.post/{tid}","cid":"{cid}","author":{author},"record":{record},{view_embed}"bookmarkCount":{bookmarks},"replyCount":{replies},"repostCount":{reposts},"likeCount":{likes},"quoteCount":{quotes},"indexedAt":"{indexed}","viewer":{{"bookmarked":false,"threadMuted":false,"embeddingDisabled":false}},"labels":[{labels}]"#
        )
    }

    fn feed_entry(&mut self) -> String {
        let post = self.post(true);
        let mut entry = format!(r#"{{"post":{post}}}"#);
        if self.0.chance(30) {
            let (root, parent, (_, grandparent)) = (self.post(false), self.post(false), self.author());
            let tag = r#""$type":"app.bsky.feed.defs#postView""#;
            let _ = write!(
                entry,
                r#","reply":{{"root":{root},{tag}}},"parent":{parent},{tag}}},"grandparentAuthor":{grandparent}}}"#
            );
        }
        if self.0.chance(25) {
            let ((_, by), did, tid) = (self.author(), self.did(), self.tid());
            let (cid, indexed) = (self.cid(), self.datetime());
            let _ = write!(
                entry,
                r#","reason":{{"$type":"app.bsky.feed.defs#reasonRepost","by":{by},"uri":"at://{did}/app.bsky.feed.repost/{tid}","cid":"{cid}","indexedAt":"{indexed}"}}"#
            );
        }
        entry.push('}');
        entry
    }
}
