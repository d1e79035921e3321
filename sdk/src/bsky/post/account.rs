//! Acting for an account.

use super::{ImageFile, ImageProblem, reply_to};
use crate::{
    api::{
        app::bsky::{
            embed::{defs::AspectRatio, images::Image},
            feed::{like::Like, post::Post, repost::Repost},
            graph::{block::Block, follow::Follow},
        },
        com::atproto::repo::{ComAtprotoRepo, create_record, strong_ref::StrongRef, upload_blob},
    },
    bsky::{RichText, rich_text::MentionError},
    records::Records,
    types::{Blob, Datetime, Did, Record},
    xrpc::{Caller, Error, Transport},
};

/// The error returned when a thread could not be posted as a whole.
#[derive(Debug, thiserror::Error)]
#[error("{} posts of the thread were posted, and the next one failed", posted.len())]
#[non_exhaustive]
pub struct ThreadError {
    /// The posts that exist now, in their order.
    pub posted: Vec<StrongRef>,
    /// What failed.
    pub source: Box<Error<create_record::Error>>,
}

/// The error returned when an image could not be uploaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The image cannot be embedded as it is. Nothing was sent.
    #[error(transparent)]
    Image(#[from] ImageProblem),
    /// The call failed.
    #[error("the image was not uploaded")]
    Call(#[from] Box<Error<upload_blob::Error>>),
}

/// Acts on Bluesky for the account of a client; made by `client.bluesky()`.
///
/// Everything is a record in the account's repository, but for what is muted or seen. What is created is returned as a reference to it,
/// which can be replied to, liked, quoted or, by its URI, undone.
///
/// ```no_run
/// use atproto_sdk::{PasswordClient, bsky::PostBuilder, did};
///
/// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
/// let bluesky = client.bluesky();
/// let post = bluesky.post(&PostBuilder::new("Hello").build()).await?;
/// bluesky.like(post.clone()).await?;
/// let follow = bluesky.follow(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await?;
/// bluesky.undo(&follow.uri).await?;
/// client.delete_at(&post.uri).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Bluesky<'c> {
    pub(super) caller: Caller<'c>,
}

impl<'c> Bluesky<'c> {
    /// Acts over any [`Transport`]. Without an account, what writes fails with
    /// [`InvalidRequest::NotSignedIn`](crate::xrpc::InvalidRequest::NotSignedIn).
    ///
    /// ```
    /// use atproto_sdk::{PublicClient, bsky::{Bluesky, PostBuilder}};
    ///
    /// # async fn example() {
    /// let client = PublicClient::new("https://public.api.bsky.app").unwrap();
    /// assert!(Bluesky::over(&client).post(&PostBuilder::new("Hello").build()).await.is_err());
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example());
    /// ```
    pub fn over(transport: &'c dyn Transport) -> Self {
        Self { caller: Caller::new(transport) }
    }

    /// Creates a text with facets for the mentions, links and tags in it. The server is asked who is mentioned.
    ///
    /// ```no_run
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), atproto_sdk::bsky::rich_text::MentionError> {
    /// let text = client.bluesky().rich_text("Hello @alice.example.com!").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`RichText::resolve`].
    pub async fn rich_text(&self, text: impl Into<String>) -> Result<RichText, MentionError> {
        RichText::resolve(text, &self.caller).await
    }

    /// Creates a post.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, bsky::PostBuilder};
    ///
    /// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let post = client.bluesky().post(&PostBuilder::new("Hello #bluesky").build()).await?;
    /// println!("{}", post.uri);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error, and sends nothing, if the post is not valid, for example too long.
    pub async fn post(&self, post: &Post) -> Result<StrongRef, Error<create_record::Error>> {
        self.create(post).await
    }

    /// Creates posts of which each replies to the one before. The first one can be a reply itself.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, bsky::{PostBuilder, RichText, rich_text::ThreadOptions}};
    ///
    /// # async fn example(client: PasswordClient, essay: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let texts = RichText::from_markdown(essay).resolved(&client).await?.split(ThreadOptions::new().numbered());
    /// let posts = texts.into_iter().map(|text| PostBuilder::new(text).build());
    /// client.bluesky().thread(posts).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the posts that exist if one of them fails; what follows has not been sent.
    pub async fn thread(&self, posts: impl IntoIterator<Item = Post>) -> Result<Vec<StrongRef>, ThreadError> {
        let mut posted: Vec<StrongRef> = Vec::new();
        let mut reply = None;
        for mut post in posts {
            if reply.is_some() {
                post.reply = reply.map(Box::new);
            }
            let reference = match self.create(&post).await {
                Ok(reference) => reference,
                Err(error) => return Err(ThreadError { posted, source: Box::new(error) }),
            };
            reply = Some(reply_to(reference.clone(), &post));
            posted.push(reference);
        }
        Ok(posted)
    }

    /// Likes a post, feed or labeler.
    ///
    /// ```no_run
    /// use atproto_sdk::api::com::atproto::repo::strong_ref::StrongRef;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient, post: StrongRef) -> Result<(), Box<dyn std::error::Error>> {
    /// let like = client.bluesky().like(post).await?;
    /// // Later:
    /// client.bluesky().undo(&like.uri).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn like(
        &self,
        subject: impl Into<StrongRef>,
    ) -> Result<StrongRef, Error<create_record::Error>> {
        self.create(&Like::new(subject.into(), Datetime::now())).await
    }

    /// Reposts a post.
    ///
    /// ```no_run
    /// use atproto_sdk::api::com::atproto::repo::strong_ref::StrongRef;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient, post: StrongRef) -> Result<(), Box<dyn std::error::Error>> {
    /// let repost = client.bluesky().repost(post).await?;
    /// // Later:
    /// client.bluesky().undo(&repost.uri).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn repost(
        &self,
        subject: impl Into<StrongRef>,
    ) -> Result<StrongRef, Error<create_record::Error>> {
        self.create(&Repost::new(subject.into(), Datetime::now())).await
    }

    /// Follows an account.
    ///
    /// ```no_run
    /// use atproto_sdk::did;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let alice = client.bluesky().follow(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await?;
    /// // Later:
    /// client.bluesky().undo(&alice.uri).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn follow(&self, account: Did) -> Result<StrongRef, Error<create_record::Error>> {
        self.create(&Follow::new(account, Datetime::now())).await
    }

    /// Blocks an account, publicly.
    ///
    /// ```no_run
    /// use atproto_sdk::did;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let mallory = client.bluesky().block(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await?;
    /// // Later:
    /// client.bluesky().undo(&mallory.uri).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn block(&self, account: Did) -> Result<StrongRef, Error<create_record::Error>> {
        self.create(&Block::new(account, Datetime::now())).await
    }

    pub(super) async fn create<R: Record>(
        &self,
        record: &R,
    ) -> Result<StrongRef, Error<create_record::Error>> {
        let created = Records::<R>::own(self.caller).create(record).await?;
        Ok(created.into())
    }

    /// Uploads an image for a post, with its aspect ratio and a description for people who cannot see it.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, bsky::{PostBuilder, post::ImageFile}};
    ///
    /// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let image = ImageFile::new(std::fs::read("crab.jpg")?)?;
    /// let image = client.bluesky().upload_image(image, "A crab on a beach").await?;
    /// let post = PostBuilder::new("Look!").image(image).build();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ImageProblem::TooLarge`], and sends nothing, if a post cannot embed it.
    pub async fn upload_image(&self, image: ImageFile, alt: impl Into<String>) -> Result<Image, UploadError> {
        image.check_size(super::image::POST_IMAGE_BYTES)?;
        let ratio = AspectRatio::new(image.width(), image.height());
        let blob = self.upload(image).await?;
        Ok(Image::new(blob, alt).aspect_ratio(ratio))
    }

    pub(super) async fn upload(&self, image: ImageFile) -> Result<Blob, UploadError> {
        let mime_type = image.mime_type();
        let call = ComAtprotoRepo::over(self.caller.transport()).upload_blob(image.into_bytes());
        let output = call.content_type(mime_type).await.map_err(Box::new)?;
        Ok(output.blob)
    }
}

/// Access from the clients that can have an account.
macro_rules! bluesky_of {
    ($($client:ty)*) => { $(
        impl $client {
            /// Acts on Bluesky for the signed-in account.
            ///
            /// ```no_run
            /// use atproto_sdk::bsky::PostBuilder;
            ///
            /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
            /// client.bluesky().post(&PostBuilder::new("Hello").build()).await?;
            /// # Ok(()) }
            /// ```
            pub fn bluesky(&self) -> Bluesky<'_> {
                Bluesky::over(self)
            }
        }
    )* };
}

bluesky_of! { crate::Client crate::oauth::OAuthClient crate::PasswordClient }
