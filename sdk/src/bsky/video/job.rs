//! What the video service tells about a job (X15).

use crate::{
    server_text::{MESSAGE, SHORT, excerpt},
    types::{Blob, Unknown},
};

/// The state of a job that has ended without a video.
pub(super) const FAILED: &str = "JOB_STATE_FAILED";

/// What a video service is doing with a video.
///
/// This is read leniently, because services depart from the lexicon: the job is at the top level or inside `jobStatus`, and its
/// account can be empty.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Job {
    /// The id, for [`Videos::follow`](super::Videos::follow).
    pub id: String,
    /// The state, such as `JOB_STATE_ENCODING`.
    pub state: String,
    /// How far the state has come, from 0 to 100.
    pub progress: Option<i64>,
    /// The video on the PDS, once it is ready.
    pub blob: Option<Blob>,
    /// The name of an error.
    pub error: Option<String>,
    /// Why the job has failed, as a code.
    pub failure_code: Option<String>,
    /// The message of the service.
    pub message: Option<String>,
}

/// The progress of an upload.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// A part of the video has been sent. If the connection fails, this begins again with the first part.
    Sent {
        /// How many bytes have been sent.
        bytes: usize,
        /// How many bytes there are.
        of: usize,
    },
    /// The service already has the video. It is not processed again; what follows is about the earlier job.
    AlreadyExists {
        /// The id of the job.
        job: String,
    },
    /// The service works on the video.
    Job(Job),
}

impl Job {
    /// Reads a job, or `None` if there is none.
    pub(super) fn read(answer: &Unknown) -> Option<Self> {
        let inner = answer.get("jobStatus").filter(|inner| !inner.is_null());
        let text = |name: &str, limit: usize| {
            // An error can be beside the job, or within it.
            let found = inner.as_ref().and_then(|inner| inner.get(name)).or_else(|| answer.get(name));
            let text = found.and_then(|value| value.decode::<String>().ok());
            text.filter(|text| !text.is_empty()).map(|text| excerpt(&text, limit))
        };
        let job = inner.as_ref().unwrap_or(answer);
        let (id, error) = (text("jobId", SHORT), text("error", SHORT));
        Some(Self {
            // A job that was never begun has an error, and no id.
            id: match (id, &error) {
                (Some(id), _) => id,
                (None, Some(_)) => String::new(),
                (None, None) => return None,
            },
            state: text("state", SHORT).unwrap_or_default(),
            progress: job.get("progress").and_then(|value| value.decode().ok()),
            blob: job.get("blob").and_then(|value| value.decode().ok()),
            error,
            failure_code: text("failureCode", SHORT),
            message: text("message", MESSAGE),
        })
    }

    /// Whether the job has ended without a video.
    pub(super) fn has_failed(&self) -> bool {
        self.state == FAILED
    }

    /// What the failure is called.
    pub(super) fn failure(&self) -> &str {
        self.failure_code.as_deref().or(self.error.as_deref()).unwrap_or("no reason was given")
    }
}
