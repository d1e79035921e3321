//! An upload in progress.

use std::{fmt, future::IntoFuture, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::{Job, Progress, VideoError, Videos, error::of_service};
use crate::{
    limits, random,
    types::Blob,
    xrpc::{BoxFuture, ByteStream, Error, Transport as _, TransportError},
};

/// The size of the parts whose sending is reported.
const PART: usize = 64 << 10;
/// How often the same video is sent. A service that has received it recognizes it.
const ATTEMPTS: u32 = 3;
/// How many answers about a job may fail in a row.
const MAX_FAILED: u32 = 10;

type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// An upload of a video, or a job to be followed; created by [`Videos::upload`] and [`Videos::follow`]. It begins when it is
/// awaited, and returns the blob.
///
/// If the connection fails while the video is sent, it is sent again from its beginning, up to three times in all.
/// If the future is dropped, a job that has begun goes on.
#[must_use = "nothing is uploaded until this is awaited"]
pub struct Upload<'v> {
    videos: &'v Videos,
    source: Source,
    name: Option<String>,
    content_type: String,
    listener: Option<Listener>,
    /// The limit for sending the video, if it was set.
    upload_limit: Option<Duration>,
    limit: Duration,
    pause: Duration,
}

enum Source {
    Video(Bytes),
    Job(String),
}

impl<'v> Upload<'v> {
    pub(super) fn of_video(videos: &'v Videos, video: Bytes) -> Self {
        Self::of(videos, Source::Video(video))
    }

    pub(super) fn of_job(videos: &'v Videos, job: String) -> Self {
        Self::of(videos, Source::Job(job))
    }

    fn of(videos: &'v Videos, source: Source) -> Self {
        Self {
            videos,
            source,
            name: None,
            content_type: "video/mp4".to_owned(),
            listener: None,
            upload_limit: None,
            limit: limits::VIDEO_JOB,
            pause: limits::VIDEO_POLL,
        }
    }

    /// Sets the name of the file. The default is a random one.
    ///
    /// ```no_run
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let blob = videos.upload(std::fs::read("/tmp/upload-1")?).name("cat.mp4").await?;
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the media type. The default is `video/mp4`.
    ///
    /// ```no_run
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let blob = videos.upload(std::fs::read("cat.webm")?).content_type("video/webm").await?;
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    pub fn content_type(mut self, mime: impl Into<String>) -> Self {
        self.content_type = mime.into();
        self
    }

    /// Sets what is called with the progress. It must not block.
    ///
    /// ```no_run
    /// use atproto_sdk::bsky::video::Progress;
    ///
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let upload = videos.upload(std::fs::read("cat.mp4")?).on_progress(|progress| {
    ///     if let Progress::Sent { bytes, of } = progress {
    ///         println!("{} %", 100 * bytes / of.max(1));
    ///     }
    /// });
    /// let blob = upload.await?;
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    pub fn on_progress(mut self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Limits how long sending the video may take, with all attempts. The default is a minute and one second for each 32 KiB,
    /// and at least ten minutes.
    ///
    /// ```no_run
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos, video: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    /// let limit = std::time::Duration::from_secs(120);
    /// let blob = videos.upload(video).upload_timeout(limit).await?;
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    pub fn upload_timeout(mut self, limit: Duration) -> Self {
        self.upload_limit = Some(limit);
        self
    }

    /// Limits how long the job is waited for, after the video has been sent. The default is half an hour.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # async fn example(videos: atproto_sdk::bsky::video::Videos) -> Result<(), Box<dyn std::error::Error>> {
    /// let limit = Duration::from_secs(5 * 60);
    /// let blob = videos.upload(std::fs::read("cat.mp4")?).job_timeout(limit).await?;
    /// # let _ = blob;
    /// # Ok(()) }
    /// ```
    pub fn job_timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets how often the service is asked, for tests.
    #[cfg(test)]
    pub(super) fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    fn report(&self, progress: Progress) {
        if let Some(listener) = &self.listener {
            listener(progress);
        }
    }

    async fn run(self) -> Result<Blob, VideoError> {
        let id = match &self.source {
            Source::Job(id) => id.clone(),
            Source::Video(video) => {
                let job = self.send(video).await?;
                match self.outcome(job)? {
                    Outcome::Ready(blob) => return Ok(blob),
                    Outcome::Running(id) => id,
                }
            }
        };
        self.wait_for(&id).await
    }

    /// Sends the video, and again if the connection has failed.
    async fn send(&self, video: &Bytes) -> Result<Job, VideoError> {
        let did = self.videos.did()?;
        let audience = self.videos.pds_did().await?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => random::base64url::<9>()
                .map_or_else(|_| "video.mp4".to_owned(), |name| format!("{}.mp4", *name)),
        };
        let standard = self.videos.service.settings().stream_limit(video.len() as u64);
        let limit = self.upload_limit.unwrap_or(standard);
        let lifetime = (limit.saturating_add(limits::VIDEO_TOKEN)).min(limits::LONGEST_VIDEO_TOKEN);
        let (begun, mut attempt) = (Instant::now(), 1);
        loop {
            // Each attempt has a token for the whole of it, and for the job that follows.
            let token = self.videos.token(&audience, "com.atproto.repo.uploadBlob", lifetime).await?;
            let call = self.videos.service.app_bsky_video().upload_video(self.parts(video));
            let call = call
                .content_type(&self.content_type)
                .header("authorization", &format!("Bearer {token}"))
                .header("content-length", &video.len().to_string())
                .query_param("did", did)
                .query_param("name", &name)
                .timeout(limit.saturating_sub(begun.elapsed()));
            let error = match call.send_untyped().await {
                Ok(response) => return Job::read(&response.output).ok_or(VideoError::Answer),
                Err(error) => error.erase(),
            };
            if let Some(job) = existing(&error) {
                self.report(Progress::AlreadyExists { job: job.id.clone() });
                // Whatever its state, the answer may lack the blob; then the job is asked about.
                return Ok(Job { error: None, message: None, state: String::new(), ..job });
            }
            let is_late = begun.elapsed().saturating_add(self.pause) >= limit;
            if is_late || attempt >= ATTEMPTS || !has_failed_on_the_way(&error) {
                return Err(of_service(error));
            }
            tracing::debug!(attempt, %error, "sending a video again");
            attempt += 1;
            sleep(self.pause).await;
        }
    }

    /// The body, which reports what has been sent.
    fn parts(&self, video: &Bytes) -> ByteStream {
        let (of, listener, mut left) = (video.len(), self.listener.clone(), video.clone());
        ByteStream::new(futures_util::stream::iter(std::iter::from_fn(move || {
            if left.is_empty() {
                return None;
            }
            let part = left.split_to(PART.min(left.len()));
            if let Some(listener) = &listener {
                listener(Progress::Sent { bytes: of - left.len(), of });
            }
            Some(Ok(part))
        })))
    }

    /// Asks until the job has ended.
    async fn wait_for(&self, id: &str) -> Result<Blob, VideoError> {
        let (begun, mut failed) = (Instant::now(), 0);
        loop {
            match self.videos.job(id).await {
                Ok(job) => {
                    failed = 0;
                    self.report(Progress::Job(job.clone()));
                    if let Outcome::Ready(blob) = self.outcome(job)? {
                        return Ok(blob);
                    }
                }
                Err(VideoError::Service(error)) if failed < MAX_FAILED => {
                    tracing::debug!(job = id, %error, "a video service did not tell about a job");
                    failed += 1;
                }
                Err(error) => return Err(error),
            }
            if begun.elapsed() + self.pause > self.limit {
                return Err(VideoError::Late { job: id.to_owned(), limit: self.limit });
            }
            sleep(self.pause).await;
        }
    }

    fn outcome(&self, job: Job) -> Result<Outcome, VideoError> {
        match job {
            Job { blob: Some(blob), .. } => Ok(Outcome::Ready(blob)),
            job if job.error.as_deref() == Some("unconfirmed_email") => {
                Err(VideoError::named("unconfirmed_email", job.message))
            }
            job if job.has_failed() => Err(VideoError::Failed { job: Box::new(job) }),
            Job { id, error: Some(name), message, .. } if id.is_empty() => {
                Err(VideoError::named(&name, message))
            }
            job if job.state == "JOB_STATE_COMPLETED" => Err(VideoError::Answer),
            job => Ok(Outcome::Running(job.id)),
        }
    }
}

/// Where a job is.
enum Outcome {
    Ready(Blob),
    Running(String),
}

/// The job of a video that the service already has.
fn existing(error: &Error) -> Option<Job> {
    let response = error.response()?;
    let job = Job::read(&response.json()?)?;
    let is_there =
        response.name.as_deref() == Some("already_exists") || job.error.as_deref() == Some("already_exists");
    (is_there && (!job.id.is_empty() || job.blob.is_some())).then_some(job)
}

/// Whether another attempt may succeed. One that has used up the time cannot.
fn has_failed_on_the_way(error: &Error) -> bool {
    matches!(error, Error::Transport(TransportError::Connect { .. } | TransportError::Exchange { .. }))
}

impl<'v> IntoFuture for Upload<'v> {
    type Output = Result<Blob, VideoError>;
    type IntoFuture = BoxFuture<'v, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("name", &self.name).finish_non_exhaustive()
    }
}
