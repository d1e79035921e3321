//! Uploading videos.
//!
//! A video is sent to a service that encodes it and stores the result as a blob on the account's PDS, which takes a while.
//! [`Videos`] sends it, follows the job, and returns the blob, for an embed of the type
//! [`app.bsky.embed.video`](crate::api::app::bsky::embed::video).

mod error;
mod job;
mod pds;
#[cfg(test)]
mod tests;
mod upload;

use std::{sync::Arc, time::Duration};

use crate::{
    Client, PublicClient,
    api::{
        app::bsky::video::{get_job_status, get_upload_limits},
        com::atproto::server::get_service_auth,
    },
    limits,
    types::{Did, Nsid},
    xrpc::{InvalidService, Method},
};
pub use error::VideoError;
pub use job::{Job, Progress};
pub use upload::Upload;

/// The video service of Bluesky.
const SERVICE: &str = "https://video.bsky.app";

/// Uploads videos for a signed-in account. Cheap to clone.
///
/// ```no_run
/// use atproto_sdk::{
///     Client,
///     api::app::bsky::{embed::video::Video, feed::post::{Post, PostEmbed}},
///     bsky::video::{Progress, Videos},
///     types::Datetime,
/// };
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let video = std::fs::read("cat.mp4")?;
/// let blob = Videos::new(&client)?
///     .upload(video)
///     .name("cat.mp4")
///     .on_progress(|progress| match progress {
///         Progress::Sent { bytes, of } => println!("{bytes} of {of} bytes"),
///         Progress::Job(job) => println!("{}: {:?}", job.state, job.progress),
///         _ => {}
///     })
///     .await?;
/// let post = Post::new("My cat", Datetime::now()).embed(PostEmbed::from(Video::new(blob)));
/// client.records::<Post>().create(&post).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Videos {
    account: Client,
    service: PublicClient,
    pds: Arc<pds::Known>,
}

impl Videos {
    /// Creates a helper for the video service of Bluesky.
    ///
    /// An OAuth client needs the scope `rpc:com.atproto.repo.uploadBlob?aud=*`, and for [`limits`](Self::limits) also
    /// `rpc:app.bsky.video.getUploadLimits?aud=*`.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, bsky::video::Videos};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let videos = Videos::new(&client)?;
    /// let blob = videos.upload(std::fs::read("cat.mp4")?).await?;
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the TLS configuration of the system cannot be used.
    pub fn new(account: impl Into<Client>) -> Result<Self, InvalidService> {
        Ok(Self::at(account, PublicClient::new(SERVICE)?))
    }

    /// Creates a helper for another video service.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, PublicClient, bsky::video::Videos};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let videos = Videos::at(&client, PublicClient::new("https://video.example.com")?);
    /// println!("{:?}", videos.limits().await?);
    /// # Ok(()) }
    /// ```
    pub fn at(account: impl Into<Client>, service: PublicClient) -> Self {
        Self { account: account.into(), service, pds: Arc::default() }
    }

    /// Uploads a video, and waits until it is ready. The upload begins when the result is awaited.
    ///
    /// ```no_run
    /// use atproto_sdk::bsky::video::VideoError;
    ///
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let blob = match videos.upload(std::fs::read("cat.mp4")?).await {
    ///     Ok(blob) => blob,
    ///     // It goes on there, and can be waited for again.
    ///     Err(VideoError::Late { job, .. }) => videos.follow(job).await?,
    ///     Err(error) => return Err(error.into()),
    /// };
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    pub fn upload(&self, video: impl Into<bytes::Bytes>) -> Upload<'_> {
        Upload::of_video(self, video.into())
    }

    /// Waits for a job that was begun earlier, such as one that [`VideoError::Late`] names.
    ///
    /// ```no_run
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let blob = videos.follow("d0h8d5mbcr4c72aaaaaa").await?;
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    pub fn follow(&self, job: impl Into<String>) -> Upload<'_> {
        Upload::of_job(self, job.into())
    }

    /// Returns what a job is doing.
    ///
    /// ```no_run
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let job = videos.job("d0h8d5mbcr4c72aaaaaa").await?;
    /// match job.blob {
    ///     Some(blob) => println!("ready: {}", blob.cid()),
    ///     None => println!("{}: {:?}", job.state, job.progress),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the service does not answer, knows no such job, or reports an error that is not about a job.
    pub async fn job(&self, id: &str) -> Result<Job, VideoError> {
        let params = get_job_status::Params::new(id);
        let call = self.service.app_bsky_video().get_job_status(params);
        let response = call.send_untyped().await.map_err(|error| error::of_service(error.erase()))?;
        let job = Job::read(&response.output).ok_or(VideoError::Answer)?;
        match job {
            // In the place of the job there can be an error, with an empty id (X15).
            Job { id, error: Some(name), message, blob: None, state, .. }
                if id.is_empty() && state != job::FAILED =>
            {
                Err(VideoError::named(&name, message))
            }
            job => Ok(Job { id: id.to_owned(), ..job }),
        }
    }

    /// Returns how much the account may still upload today.
    ///
    /// ```no_run
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let limits = videos.limits().await?;
    /// if !limits.can_upload {
    ///     println!("{}", limits.message.unwrap_or_default());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the account cannot get a token for the service, or the service does not answer.
    pub async fn limits(&self) -> Result<get_upload_limits::Output, VideoError> {
        let audience = did_web(self.service.origin()).ok_or(VideoError::NoPds)?;
        let token =
            self.token(&audience, get_upload_limits::GetUploadLimits::NSID, limits::VIDEO_TOKEN).await?;
        let call = self.service.app_bsky_video().get_upload_limits();
        call.header("authorization", &format!("Bearer {token}"))
            .await
            .map_err(|error| error::of_service(error.erase()))
    }

    fn did(&self) -> Result<&Did, VideoError> {
        self.account.did().ok_or(VideoError::NotSignedIn)
    }

    /// A token for a method of a server (X10, X15).
    async fn token(&self, audience: &str, method: &str, lifetime: Duration) -> Result<String, VideoError> {
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires_at = crate::clock::unix_now().saturating_add(lifetime);
        let params = get_service_auth::Params::new(audience).exp(expires_at);
        let params = match Nsid::new(method) {
            Ok(method) => params.lxm(method),
            Err(_) => params,
        };
        let output = self.account.com_atproto_server().get_service_auth(params).await;
        output.map(|output| output.token).map_err(|error| VideoError::Token(Box::new(error.erase())))
    }
}

/// The DID of the server at an origin.
fn did_web(origin: &str) -> Option<String> {
    let (_, host) = origin.split_once("://")?;
    Some(format!("did:web:{}", host.trim_end_matches('/').replace(':', "%3A")))
}
