//! Putting a post together.

use crate::{
    api::{
        app::bsky::{
            embed::{
                external::External,
                gallery::{self, Gallery, GalleryItemsItem},
                images::{Image, Images},
                record::Record as Quoted,
                record_with_media::{RecordWithMedia, RecordWithMediaMedia},
                video::Video,
            },
            feed::post::{Post, PostEmbed, PostLabels, ReplyRef},
        },
        com::atproto::{
            label::defs::{SelfLabel, SelfLabels},
            repo::strong_ref::StrongRef,
        },
    },
    bsky::RichText,
    types::{Datetime, Language},
};

/// The most images that every app shows; more of them make a gallery.
const IMAGES: usize = 4;

/// Puts a [`Post`] together.
///
/// A post has images, a video or a link card: what is set last replaces another kind. A quote can stand beside each of them.
///
/// ```
/// use atproto_sdk::{api::com::atproto::repo::strong_ref::StrongRef, bsky::PostBuilder, types::Cid};
///
/// let quoted = StrongRef::new(
///     "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a".try_into()?,
///     Cid::of_raw(b"..."),
/// );
/// let post = PostBuilder::new("Worth reading, see also example.com #rust")
///     .quote(quoted)
///     .lang("en".try_into()?)
///     .label("graphic-media")
///     .build();
/// assert_eq!(post.facets.map(|facets| facets.len()), Some(2));
/// assert!(post.embed.is_some() && post.labels.is_some());
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct PostBuilder {
    text: RichText,
    media: Option<Media>,
    quote: Option<StrongRef>,
    reply: Option<ReplyRef>,
    langs: Vec<Language>,
    labels: Vec<SelfLabel>,
    tags: Vec<String>,
    created_at: Option<Datetime>,
}

#[derive(Debug, Clone)]
enum Media {
    Images(Vec<Image>),
    Video(Box<Video>),
    Card(Box<External>),
}

impl PostBuilder {
    /// Begins with a text. Links and tags are found in plain text; for mentions, see
    /// [`Bluesky::rich_text`](super::Bluesky::rich_text).
    ///
    /// ```
    /// use atproto_sdk::bsky::PostBuilder;
    ///
    /// let post = PostBuilder::new("See example.com").build();
    /// assert!(post.facets.is_some());
    /// ```
    pub fn new(text: impl Into<RichText>) -> Self {
        Self {
            text: text.into(),
            media: None,
            quote: None,
            reply: None,
            langs: Vec::new(),
            labels: Vec::new(),
            tags: Vec::new(),
            created_at: None,
        }
    }

    /// Adds an image, of [`Bluesky::upload_image`](super::Bluesky::upload_image). Up to four are images; more of them, with
    /// aspect ratios, make a gallery, which not every app shows.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::embed::images::Image, bsky::PostBuilder, types::{Blob, Cid}};
    ///
    /// let blob = Blob::new(Cid::of_raw(b"..."), "image/png", 3);
    /// let post = PostBuilder::new("Look!").image(Image::new(blob, "A crab on a beach")).build();
    /// assert!(post.embed.is_some());
    /// ```
    pub fn image(mut self, image: Image) -> Self {
        match &mut self.media {
            Some(Media::Images(images)) => images.push(image),
            media => *media = Some(Media::Images(vec![image])),
        }
        self
    }

    /// Adds several images.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::embed::images::Image, bsky::PostBuilder, types::{Blob, Cid}};
    ///
    /// let blob = Blob::new(Cid::of_raw(b"..."), "image/png", 3);
    /// let crab = Image::new(blob, "A crab on a beach");
    /// let post = PostBuilder::new("Look!").images([crab.clone(), crab]).build();
    /// assert!(post.embed.is_some());
    /// ```
    pub fn images(self, images: impl IntoIterator<Item = Image>) -> Self {
        images.into_iter().fold(self, Self::image)
    }

    /// Sets the video, whose blob has been uploaded.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::embed::{defs::AspectRatio, video::Video},
    ///     bsky::PostBuilder,
    ///     types::{Blob, Cid},
    /// };
    ///
    /// # let (cid, size) = (Cid::of_raw(b"..."), 3);
    /// let video = Video::new(Blob::new(cid, "video/mp4", size)).alt("Waves").aspect_ratio(AspectRatio::new(16, 9));
    /// let post = PostBuilder::new("The sea").video(video).build();
    /// assert!(post.embed.is_some());
    /// ```
    pub fn video(mut self, video: Video) -> Self {
        self.media = Some(Media::Video(Box::new(video)));
        self
    }

    /// Sets the link card, of [`Bluesky::link_card`](super::Bluesky::link_card).
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::embed::external::{External, ExternalDef}, bsky::PostBuilder};
    ///
    /// let card = ExternalDef::new("https://www.rust-lang.org".try_into()?, "Rust", "A language");
    /// let post = PostBuilder::new("Look!").card(External::new(card)).build();
    /// assert!(post.embed.is_some());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn card(mut self, card: External) -> Self {
        self.media = Some(Media::Card(Box::new(card)));
        self
    }

    /// Quotes a post, or shows another record: a list, a feed or a starter pack.
    ///
    /// ```no_run
    /// use atproto_sdk::{api::com::atproto::repo::strong_ref::StrongRef, bsky::PostBuilder};
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient, post: StrongRef) -> Result<(), Box<dyn std::error::Error>> {
    /// let quote = PostBuilder::new("Well said.").quote(post).build();
    /// client.bluesky().post(&quote).await?;
    /// # Ok(()) }
    /// ```
    pub fn quote(mut self, record: impl Into<StrongRef>) -> Self {
        self.quote = Some(record.into());
        self
    }

    /// Makes the post a reply, to what [`Bluesky::reply_to`](super::Bluesky::reply_to) returns.
    ///
    /// ```no_run
    /// use atproto_sdk::{api::com::atproto::repo::strong_ref::StrongRef, bsky::PostBuilder};
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient, post: StrongRef) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = client.bluesky().reply_to(&post.uri).await?;
    /// client.bluesky().post(&PostBuilder::new("I agree.").reply(reply).build()).await?;
    /// # Ok(()) }
    /// ```
    pub fn reply(mut self, reply: ReplyRef) -> Self {
        self.reply = Some(reply);
        self
    }

    /// Adds a language of the text. At most three are allowed.
    ///
    /// ```
    /// use atproto_sdk::bsky::PostBuilder;
    ///
    /// let post = PostBuilder::new("Hallo").lang("de".try_into()?).build();
    /// assert_eq!(post.langs.unwrap().len(), 1);
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn lang(mut self, language: Language) -> Self {
        self.langs.push(language);
        self
    }

    /// Adds a label about the post's own content, such as `sexual`, `nudity`, `porn` or `graphic-media`.
    ///
    /// ```
    /// use atproto_sdk::bsky::PostBuilder;
    ///
    /// assert!(PostBuilder::new("A statue").label("nudity").build().labels.is_some());
    /// ```
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.labels.push(SelfLabel::new(label));
        self
    }

    /// Adds a tag that is not in the text. At most eight are allowed.
    ///
    /// ```
    /// use atproto_sdk::bsky::PostBuilder;
    ///
    /// assert_eq!(PostBuilder::new("Hello").tag("rust").build().tags.unwrap(), ["rust"]);
    /// ```
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets when the post was written. The default is when it is built.
    ///
    /// ```
    /// use atproto_sdk::bsky::PostBuilder;
    ///
    /// let post = PostBuilder::new("Hello").created_at("2026-11-26T12:00:00Z".try_into()?).build();
    /// assert_eq!(post.created_at.as_str(), "2026-11-26T12:00:00Z");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn created_at(mut self, time: Datetime) -> Self {
        self.created_at = Some(time);
        self
    }

    /// Returns the post. Whether it keeps the limits of its lexicon, such as 300 graphemes, is checked when it is sent.
    ///
    /// ```
    /// use atproto_sdk::{bsky::PostBuilder, types::Data as _};
    ///
    /// assert!(PostBuilder::new("short").build().validate().is_ok());
    /// assert!(PostBuilder::new("long".repeat(100)).build().validate().is_err());
    /// ```
    pub fn build(self) -> Post {
        let (text, facets) = self.text.into_parts();
        let mut post = Post::new(text, self.created_at.unwrap_or_else(Datetime::now));
        post.facets = some(facets);
        post.langs = some(self.langs);
        post.tags = some(self.tags);
        post.reply = self.reply.map(Box::new);
        let labels = some(self.labels).map(SelfLabels::new);
        post.labels = labels.map(|labels| PostLabels::SelfLabels(Box::new(labels)));
        post.embed = embed(self.media, self.quote);
        post
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn embed(media: Option<Media>, quote: Option<StrongRef>) -> Option<PostEmbed> {
    let media = media.map(|media| match media {
        Media::Images(images) => gallery_or_images(images),
        Media::Video(video) => RecordWithMediaMedia::Video(video),
        Media::Card(card) => RecordWithMediaMedia::External(card),
    });
    let quote = quote.map(Quoted::new);
    Some(match (media, quote) {
        (Some(media), Some(quote)) => {
            PostEmbed::RecordWithMedia(Box::new(RecordWithMedia::new(quote, media)))
        }
        (Some(RecordWithMediaMedia::Images(images)), None) => PostEmbed::Images(images),
        (Some(RecordWithMediaMedia::Gallery(gallery)), None) => PostEmbed::Gallery(gallery),
        (Some(RecordWithMediaMedia::Video(video)), None) => PostEmbed::Video(video),
        (Some(RecordWithMediaMedia::External(card)), None) => PostEmbed::External(card),
        (Some(RecordWithMediaMedia::Other(other)), None) => PostEmbed::Other(other),
        (None, Some(quote)) => PostEmbed::Record(Box::new(quote)),
        (None, None) => return None,
    })
}

/// A gallery needs aspect ratios. Without them, there are too many images, which validation reports.
fn gallery_or_images(images: Vec<Image>) -> RecordWithMediaMedia {
    if images.len() <= IMAGES || images.iter().any(|image| image.aspect_ratio.is_none()) {
        return RecordWithMediaMedia::Images(Box::new(Images::new(images)));
    }
    let item = |image: Image| {
        let ratio = *image.aspect_ratio?;
        Some(GalleryItemsItem::Image(Box::new(gallery::Image::new(image.image, image.alt, ratio))))
    };
    RecordWithMediaMedia::Gallery(Box::new(Gallery::new(images.into_iter().filter_map(item).collect())))
}
