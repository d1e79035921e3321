//! Posts and the posts that they quote.

use super::{AccountRef, Cause, CauseKind, CauseSource, Decision, Moderation, MutedWordMatch, Passage};
use crate::{
    api::app::bsky::{
        embed::{
            external, gallery, images,
            record::{self, ViewRecord, ViewRecord2},
            record_with_media::{self, RecordWithMediaMedia},
        },
        feed::{
            defs::{PostView, PostViewEmbed, ThreadgateView},
            post::{Post, PostEmbed},
        },
        richtext::facet::Facet,
    },
    types::{AtUri, FromData, Language, Record as _, Unknown},
};

impl Moderation {
    /// Decides about a post together with its author and what it quotes.
    ///
    /// Words are muted in its text, tags and link, in the descriptions of its images, and in those of the post that
    /// it quotes.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::{
    ///         actor::defs::{MutedWord, MutedWordTarget, ProfileViewBasic},
    ///         feed::{defs::PostView, post::Post},
    ///     },
    ///     at_uri,
    ///     bsky::moderation::{CauseKind, Context, Moderation},
    ///     datetime, did, handle,
    ///     types::{Cid, Unknown},
    /// };
    ///
    /// let time = datetime!("2026-01-02T03:04:05Z");
    /// let alice = ProfileViewBasic::new(did!("did:web:alice.example.com"), handle!("alice.example.com"));
    /// let record = Unknown::encode(&Post::new("All about cats", time.clone()))?;
    /// let uri = at_uri!("at://did:web:alice.example.com/app.bsky.feed.post/3kabcdefgh22a");
    /// let cid = Cid::new("bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq")?;
    /// let post = PostView::new(uri, cid, alice, record, time);
    ///
    /// let mut moderation = Moderation::new();
    /// moderation.muted_words.push(MutedWord::new("cats", vec![MutedWordTarget::Content]));
    /// let decision = moderation.post(&post);
    /// let in_feed = decision.in_context(Context::ContentList);
    /// assert!(in_feed.is_filtered());
    /// assert!(matches!(in_feed.filters[0].kind, CauseKind::MutedWords(_)));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn post(&self, post: &PostView) -> Decision {
        let author = AccountRef::from(&post.author);
        let mut decision = self.content(author.did, post.labels.as_deref());
        let quote = quoted(post.embed.as_ref());
        self.add_hidden(&mut decision, [Some(&post.uri), quote.and_then(quoted_uri)]);
        if !decision.is_own && !self.muted_words.is_empty() {
            let matches = self.muted_words_of(post, quote);
            if !matches.is_empty() {
                decision.causes.push(Cause::new(CauseKind::MutedWords(matches), CauseSource::User));
            }
        }
        if let Some(quoted) = quote.and_then(|quote| self.quote_of(quote)) {
            decision = decision.and(quoted.of_quote());
        }
        decision.and(self.profile(author))
    }

    /// Decides about a post as [`post`](Self::post) does, and by the threadgate of the thread that it is in: its
    /// author can hide replies from everybody but those who have written them.
    ///
    /// The threadgate is in the view of the first post of the thread, and in the response of `getPostThread`.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::defs::PostView,
    ///     bsky::moderation::{Context, Moderation},
    /// };
    ///
    /// fn is_shown(moderation: &Moderation, root: &PostView, reply: &PostView) -> bool {
    ///     let decision = moderation.reply(reply, root.threadgate.as_deref());
    ///     !decision.in_context(Context::ContentList).is_filtered()
    /// }
    /// ```
    pub fn reply(&self, post: &PostView, threadgate: Option<&ThreadgateView>) -> Decision {
        self.reply_if(post, hidden_replies(threadgate).contains(&post.uri))
    }

    /// The same if it is known whether the author of the thread has hidden the reply.
    pub(crate) fn reply_if(&self, post: &PostView, is_hidden: bool) -> Decision {
        let mut decision = self.post(post);
        if is_hidden {
            decision.causes.push(Cause::new(CauseKind::HiddenByThreadAuthor, CauseSource::User));
        }
        decision
    }

    /// Decides about the post that is quoted in an embed, together with its author. Returns `None` if it is no post,
    /// or is not there: deleted, or detached by its author.
    ///
    /// A post that is not shown because of a block has a decision too, by what is known about its author.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::embed::record::View,
    ///     bsky::moderation::{Context, Moderation},
    /// };
    ///
    /// fn shows_quote(moderation: &Moderation, quote: &View) -> bool {
    ///     moderation.quote(quote).is_some_and(|decision| {
    ///         let shown = decision.in_context(Context::ContentList);
    ///         !shown.is_filtered() && !shown.is_blurred()
    ///     })
    /// }
    /// ```
    pub fn quote(&self, quote: &record::View) -> Option<Decision> {
        let mut decision = self.quote_of(&quote.record)?;
        self.add_hidden(&mut decision, [quoted_uri(&quote.record), None]);
        if let ViewRecord2::ViewRecord(view) = &quote.record
            && !decision.is_own
            && !self.muted_words.is_empty()
        {
            let matches = self.muted_words_of_quote(view, true);
            if !matches.is_empty() {
                decision.causes.push(Cause::new(CauseKind::MutedWords(matches), CauseSource::User));
            }
        }
        Some(decision)
    }

    /// Decides about a quoted post by its labels and its author.
    fn quote_of(&self, quote: &ViewRecord2) -> Option<Decision> {
        match quote {
            ViewRecord2::ViewRecord(view) => {
                let content = self.content(&view.author.did, view.labels.as_deref());
                Some(content.and(self.profile(&view.author)))
            }
            ViewRecord2::ViewBlocked(blocked) => Some(self.account(&blocked.author)),
            _ => None,
        }
    }

    fn add_hidden(&self, decision: &mut Decision, uris: [Option<&AtUri>; 2]) {
        if uris.into_iter().flatten().any(|uri| self.hidden_posts.contains(uri)) {
            decision.causes.push(Cause::new(CauseKind::Hidden, CauseSource::User));
        }
    }

    /// The muted words in the first part of a post that has some: its own text, what it quotes, its link.
    fn muted_words_of(&self, post: &PostView, quote: Option<&ViewRecord2>) -> Vec<MutedWordMatch> {
        let author = AccountRef::from(&post.author);
        let written = Written::of(&post.record);
        let own =
            || written.as_ref().map_or_else(Vec::new, |written| self.muted_words_of_text(written, author));
        // Beside media, only the text of the quote is looked at, as the reference does.
        let whole = matches!(post.embed, Some(PostViewEmbed::RecordView(_)));
        let quoted = || match quote {
            Some(ViewRecord2::ViewRecord(view)) => self.muted_words_of_quote(view, whole),
            _ => Vec::new(),
        };
        let link = || match shown_link(post.embed.as_ref()) {
            Some(link) => self.muted_words_of_link(&link.title, &link.description, author),
            None => Vec::new(),
        };
        first_of([&own, &quoted, &link])
    }

    fn muted_words_of_quote(&self, quote: &ViewRecord, whole: bool) -> Vec<MutedWordMatch> {
        let author = AccountRef::from(&quote.author);
        let Some(mut written) = Written::of(&quote.value) else { return Vec::new() };
        if !whole {
            written.embed = None;
        }
        let own = || self.muted_words_of_text(&written, author);
        // What the quoted post shows is not looked at, but what it says that it shows.
        let link = || match written_link(written.embed.as_ref()) {
            Some(link) => self.muted_words_of_link(&link.title, &link.description, author),
            None => Vec::new(),
        };
        first_of([&own, &link])
    }

    /// In the text and its tags, or else in the descriptions of images.
    fn muted_words_of_text(&self, written: &Written, author: AccountRef<'_>) -> Vec<MutedWordMatch> {
        let passage =
            |text| Passage::new(text).languages(&written.languages).is_by_followed(author.is_followed());
        let text = passage(written.text.as_str()).facets(&written.facets).tags(&written.tags);
        [text]
            .into_iter()
            .chain(descriptions(written.embed.as_ref()).into_iter().map(passage))
            .map(|passage| self.muted_words_in(&passage))
            .find(|matches| !matches.is_empty())
            .unwrap_or_default()
    }

    fn muted_words_of_link(
        &self,
        title: &str,
        description: &str,
        author: AccountRef<'_>,
    ) -> Vec<MutedWordMatch> {
        let text = format!("{title} {description}");
        self.muted_words_in(&Passage::new(&text).is_by_followed(author.is_followed()))
    }
}

/// The first result that is not empty.
fn first_of<const N: usize>(places: [&dyn Fn() -> Vec<MutedWordMatch>; N]) -> Vec<MutedWordMatch> {
    places.into_iter().map(|place| place()).find(|matches| !matches.is_empty()).unwrap_or_default()
}

/// What can be read in a post.
struct Written {
    text: String,
    facets: Vec<Facet>,
    tags: Vec<String>,
    languages: Vec<Language>,
    embed: Option<PostEmbed>,
}

impl Written {
    /// Returns what a record says, or `None` if it is no post. A field that does not fit the lexicon is left out: the
    /// others still count, or else a muted word would be shown beside it.
    fn of(record: &Unknown) -> Option<Self> {
        if let Ok(post) = record.decode::<Post>() {
            let Post { text, facets, tags, langs, embed, .. } = post;
            let (facets, tags) = (facets.unwrap_or_default(), tags.unwrap_or_default());
            return Some(Self { text, facets, tags, languages: langs.unwrap_or_default(), embed });
        }
        fn field<T: FromData>(record: &Unknown, name: &str) -> Option<T> {
            record.get(name)?.decode().ok()
        }
        (record.type_name()? == Post::COLLECTION).then(|| Self {
            text: field(record, "text").unwrap_or_default(),
            facets: field(record, "facets").unwrap_or_default(),
            tags: field(record, "tags").unwrap_or_default(),
            languages: field(record, "langs").unwrap_or_default(),
            embed: field(record, "embed"),
        })
    }
}

/// The replies that the author of a thread has hidden.
pub(crate) fn hidden_replies(threadgate: Option<&ThreadgateView>) -> Vec<AtUri> {
    let record = threadgate.and_then(|threadgate| threadgate.record.as_ref());
    record.and_then(|record| record.get("hiddenReplies")?.decode().ok()).unwrap_or_default()
}

/// What a post quotes, also beside media.
pub(crate) fn quoted(embed: Option<&PostViewEmbed>) -> Option<&ViewRecord2> {
    match embed? {
        PostViewEmbed::RecordView(view) => Some(&view.record),
        PostViewEmbed::RecordWithMediaView(view) => Some(&view.record.record),
        _ => None,
    }
}

/// The address of a quoted post that is shown.
fn quoted_uri(quote: &ViewRecord2) -> Option<&AtUri> {
    match quote {
        ViewRecord2::ViewRecord(view) => Some(&view.uri),
        _ => None,
    }
}

fn shown_link(embed: Option<&PostViewEmbed>) -> Option<&external::ViewExternal> {
    match embed? {
        PostViewEmbed::ExternalView(view) => Some(&view.external),
        PostViewEmbed::RecordWithMediaView(view) => match &view.media {
            record_with_media::ViewMedia::ExternalView(view) => Some(&view.external),
            _ => None,
        },
        _ => None,
    }
}

fn written_link(embed: Option<&PostEmbed>) -> Option<&external::ExternalDef> {
    match embed? {
        PostEmbed::External(link) => Some(&link.external),
        PostEmbed::RecordWithMedia(embed) => match &embed.media {
            RecordWithMediaMedia::External(link) => Some(&link.external),
            _ => None,
        },
        _ => None,
    }
}

/// The descriptions of the images of a post.
fn descriptions(embed: Option<&PostEmbed>) -> Vec<&str> {
    fn of_images(images: &images::Images) -> Vec<&str> {
        images.images.iter().map(|image| &*image.alt).collect()
    }
    fn of_gallery(gallery: &gallery::Gallery) -> Vec<&str> {
        let images = gallery.items.iter().filter_map(|item| match item {
            gallery::GalleryItemsItem::Image(image) => Some(&*image.alt),
            _ => None,
        });
        images.collect()
    }
    match embed {
        Some(PostEmbed::Images(images)) => of_images(images),
        Some(PostEmbed::Gallery(gallery)) => of_gallery(gallery),
        Some(PostEmbed::RecordWithMedia(embed)) => match &embed.media {
            RecordWithMediaMedia::Images(images) => of_images(images),
            RecordWithMediaMedia::Gallery(gallery) => of_gallery(gallery),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
