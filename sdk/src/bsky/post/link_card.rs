//! Cards for pages on the web.

use std::fmt;

use url::Url;

use super::{
    Bluesky, ImageFile, UploadError,
    image::THUMBNAIL_BYTES,
    page::{Metadata, text_of},
};
use crate::{
    api::app::bsky::embed::external::{External, ExternalDef},
    http_client::{self, InvalidProxy},
    identity::{
        FetchError,
        http::{Egress, UntrustedHttp, Wanted},
    },
    types::Uri,
};

/// How much of a page is read: its metadata is at the beginning.
const PAGE_BYTES: usize = 512 * 1024;
/// The largest image that is fetched.
#[cfg(feature = "images")]
const IMAGE_BYTES: usize = 8 * 1024 * 1024;
#[cfg(not(feature = "images"))]
const IMAGE_BYTES: usize = THUMBNAIL_BYTES;
/// Pages move, and most have one address with `www.` and one without.
const REDIRECTS: u8 = 5;

/// The error returned when no card could be made for a page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkCardError {
    /// The page could not be fetched, or must not be.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What is at the URL is not a page, so it has no title.
    #[error("{url} is not a page with a title: its content type is `{}`", content_type.as_deref().unwrap_or("(none)"))]
    NotAPage {
        /// The URL.
        url: String,
        /// Its content type, truncated to 200 characters.
        content_type: Option<String>,
    },
    /// The URL of the page cannot be a link.
    #[error(transparent)]
    Url(#[from] crate::types::InvalidText),
    /// The image of the card could not be uploaded.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The address of the proxy is invalid.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// The HTTP client could not be created.
    #[error("the HTTP client for pages could not be created")]
    Setup(#[source] reqwest::Error),
}

/// Fetches what is needed for the cards of pages on the web.
///
/// Any user of an app can name a page, so this connects only to public addresses and with https, follows a few redirects, whose targets
/// are checked as well, and limits time and size, as the [resolver](crate::identity) does. A URL with `http:` is asked with https.
/// Cloning is cheap.
///
/// ```no_run
/// use atproto_sdk::bsky::post::LinkCards;
///
/// # async fn example() -> Result<(), atproto_sdk::bsky::post::LinkCardError> {
/// let page = LinkCards::new()?.page("https://www.rust-lang.org").await?;
/// println!("{}: {}", page.title, page.description);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LinkCards {
    http: UntrustedHttp,
    allow_loopback_http: bool,
}

impl fmt::Debug for LinkCards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkCards").finish_non_exhaustive()
    }
}

/// What a page on the web says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageInfo {
    /// The URL that was asked for.
    pub url: Uri,
    /// The title. If the page has none, the name of its host.
    pub title: String,
    /// The description, which may be empty.
    pub description: String,
    /// The URL of an image, if the page names one.
    pub image: Option<Uri>,
}

impl PageInfo {
    /// Returns the card without its image.
    ///
    /// ```no_run
    /// use atproto_sdk::bsky::{PostBuilder, post::LinkCards};
    ///
    /// # async fn example() -> Result<(), atproto_sdk::bsky::post::LinkCardError> {
    /// let card = LinkCards::new()?.page("https://www.rust-lang.org").await?.card();
    /// let post = PostBuilder::new("Rust").card(card).build();
    /// # Ok(()) }
    /// ```
    pub fn card(self) -> External {
        External::new(ExternalDef::new(self.url, self.title, self.description))
    }
}

impl LinkCards {
    /// Connects directly to public addresses.
    ///
    /// ```
    /// assert!(atproto_sdk::bsky::post::LinkCards::new().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the HTTP client cannot be created.
    pub fn new() -> Result<Self, LinkCardError> {
        Self::over(Egress::default())
    }

    /// Connects through a proxy, such as `http://proxy.example.com:3128`, which has to refuse private addresses.
    ///
    /// ```
    /// use atproto_sdk::bsky::post::LinkCards;
    ///
    /// assert!(LinkCards::through_proxy("http://proxy.example.com:3128").is_ok());
    /// assert!(LinkCards::through_proxy("proxy").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the address of the proxy is invalid, or the HTTP client cannot be created.
    pub fn through_proxy(proxy: &str) -> Result<Self, LinkCardError> {
        Self::over(Egress { proxy: Some(http_client::proxy(proxy)?), ..Egress::default() })
    }

    /// Allows http to loopback addresses, for development: in an app that others use, it lets them reach services on your
    /// machine.
    ///
    /// ```
    /// assert!(atproto_sdk::bsky::post::LinkCards::for_development().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the HTTP client cannot be created.
    pub fn for_development() -> Result<Self, LinkCardError> {
        Self::over(Egress { allow_loopback_http: true, ..Egress::default() })
    }

    fn over(egress: Egress) -> Result<Self, LinkCardError> {
        let http = UntrustedHttp::new(&egress).map_err(LinkCardError::Setup)?;
        Ok(Self { http, allow_loopback_http: egress.allow_loopback_http })
    }

    /// Fetches a page and reads its metadata: those of Open Graph, and what HTML has itself.
    ///
    /// ```no_run
    /// # async fn example(cards: atproto_sdk::bsky::post::LinkCards) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = cards.page("https://www.rust-lang.org").await?;
    /// println!("{}: {}", page.title, page.description);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the page cannot be fetched, or if it is not HTML.
    pub async fn page(&self, url: &str) -> Result<PageInfo, LinkCardError> {
        let asked = Uri::new(url).or_else(|problem| {
            let encoded = Url::parse(url).ok();
            encoded.and_then(|url| Uri::new(url.as_str()).ok()).ok_or(problem)
        })?;
        let wanted = Wanted {
            accept: "text/html, application/xhtml+xml;q=0.9",
            redirects: REDIRECTS,
            limit: PAGE_BYTES,
            only_beginning: true,
        };
        let page = self.http.get_file(&self.secure(url), wanted).await?;
        let content_type = page.content_type.as_deref();
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !["text/html", "application/xhtml+xml"].iter().any(|html| essence.eq_ignore_ascii_case(html)) {
            return Err(LinkCardError::NotAPage {
                url: page.url.to_string(),
                content_type: page.content_type,
            });
        }
        let Metadata { title, description, image } =
            Metadata::read(&text_of(&page.body, content_type), &page.url);
        let host = || page.url.host_str().unwrap_or_default().to_owned();
        let title = if title.is_empty() { host() } else { title };
        let image = image.and_then(|image| Uri::new(image.as_str()).ok());
        Ok(PageInfo { url: asked, title, description, image })
    }

    /// Fetches the image of a page, and makes it small enough for a card if the feature `images` is on. Returns `None` if there is
    /// none that can be used: a card without an image is better than none.
    ///
    /// ```no_run
    /// # async fn example(cards: atproto_sdk::bsky::post::LinkCards) -> Result<(), atproto_sdk::bsky::post::LinkCardError> {
    /// let page = cards.page("https://www.rust-lang.org").await?;
    /// if let Some(image) = cards.image(&page).await {
    ///     println!("{} x {}", image.width(), image.height());
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn image(&self, page: &PageInfo) -> Option<ImageFile> {
        let url = page.image.as_ref()?;
        let wanted = Wanted {
            accept: "image/jpeg, image/png, image/webp, image/gif",
            redirects: REDIRECTS,
            limit: IMAGE_BYTES,
            only_beginning: false,
        };
        let file = match self.http.get_file(&self.secure(url.as_str()), wanted).await {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(%error, "the image of a page was not fetched");
                return None;
            }
        };
        let image = ImageFile::new(file.body).ok()?;
        #[cfg(feature = "images")]
        let image = {
            let smaller = move || image.made_to_fit(super::ImageLimits::THUMBNAIL);
            tokio::task::spawn_blocking(smaller).await.ok()?.ok()?
        };
        image.check_size(THUMBNAIL_BYTES).ok().map(|()| image)
    }

    /// The URL with https, except for this machine in development.
    fn secure(&self, url: &str) -> String {
        match Url::parse(url) {
            Ok(mut parsed) if parsed.scheme() == "http" && !self.allow_loopback_http => {
                match parsed.set_scheme("https") {
                    Ok(()) => parsed.into(),
                    Err(()) => url.to_owned(),
                }
            }
            _ => url.to_owned(),
        }
    }
}

impl Bluesky<'_> {
    /// Makes the card of a page for a post: fetches its metadata and its image, and uploads that.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, bsky::{PostBuilder, post::LinkCards}};
    ///
    /// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let (bluesky, cards) = (client.bluesky(), LinkCards::new()?);
    /// let url = "https://www.rust-lang.org";
    /// let post = PostBuilder::new(format!("See {url}")).card(bluesky.link_card(&cards, url).await?).build();
    /// bluesky.post(&post).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the page cannot be fetched, or if its image cannot be uploaded. If the image cannot be fetched, the card
    /// has none.
    pub async fn link_card(&self, cards: &LinkCards, url: &str) -> Result<External, LinkCardError> {
        let page = cards.page(url).await?;
        let image = cards.image(&page).await;
        let mut card = page.card();
        if let Some(image) = image {
            card.external.thumb = Some(self.upload(image).await?);
        }
        Ok(card)
    }
}
