//! Why there is no video.

use std::time::Duration;

use super::Job;
use crate::xrpc::Error;

/// Why a video was not uploaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// The client is not signed in.
    #[error("a video is uploaded for an account; sign in first")]
    NotSignedIn,
    /// The address of a server has no DID.
    #[error("the server has no host name, so that no token for it can be requested")]
    NoPds,
    /// The PDS did not issue a token for the upload.
    #[error("the PDS issued no token for the upload")]
    Token(#[source] Box<Error>),
    /// The owner of the account must confirm the email address before videos are accepted.
    #[error(
        "the email address of the account must be confirmed before it can upload videos{}",
        told(message)
    )]
    UnconfirmedEmail {
        /// The message of the service.
        message: Option<String>,
    },
    /// The service did not accept the video.
    #[error("the video service refused the video: {name}{}", told(message))]
    Refused {
        /// The name of the error.
        name: String,
        /// The message of the service.
        message: Option<String>,
    },
    /// The video was accepted, and could not be processed.
    #[error("the video could not be processed: {}{}", job.failure(), told(&job.message))]
    Failed {
        /// The job.
        job: Box<Job>,
    },
    /// The job has not ended in time. [`Videos::follow`](super::Videos::follow) goes on waiting for it.
    #[error("the job {job} has not ended within {limit:?}; it goes on, and can be followed later")]
    Late {
        /// The id of the job.
        job: String,
        /// The limit.
        limit: Duration,
    },
    /// The service could not be reached, or failed. Uploading the same video again is safe: the service recognizes it.
    #[error("the video service failed")]
    Service(#[source] Box<Error>),
    /// The answer of the service is not about a job.
    #[error("the video service answered without a job")]
    Answer,
}

fn told(message: &Option<String>) -> String {
    message.as_deref().map(|message| format!(" ({message})")).unwrap_or_default()
}

impl VideoError {
    /// The error that a service reports by name, in a response or in a job.
    pub(super) fn named(name: &str, message: Option<String>) -> Self {
        match name {
            "unconfirmed_email" => Self::UnconfirmedEmail { message },
            name => Self::Refused { name: name.to_owned(), message },
        }
    }
}

/// The error of a call to the service.
pub(super) fn of_service(error: Error) -> VideoError {
    let Some(response) = error.response() else { return VideoError::Service(Box::new(error)) };
    // The error can be within a job, which has no account then.
    let job = response.json().and_then(|json| Job::read(&json));
    let name = response.name.clone().or_else(|| job.as_ref()?.error.clone());
    let message = response.message.clone().or_else(|| job?.message);
    match name {
        Some(name) if response.status.is_client_error() && response.status.as_u16() != 429 => {
            VideoError::named(&name, message)
        }
        _ => VideoError::Service(Box::new(error)),
    }
}
