//! What has become of a call whose future was dropped.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use http::StatusCode;

use super::{TransportError, TransportResponse};

/// Whether a call may have been processed, also when its future has been dropped: before its turn, and after a refusal, it
/// certainly has not. Shared with the call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reached(Arc<AtomicBool>);

impl Reached {
    pub(crate) fn may_be_done(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// An attempt begins. Returns what is known of those before.
    pub(super) fn begin(&self) -> bool {
        self.0.swap(true, Relaxed)
    }

    /// An attempt has ended.
    pub(super) fn end(&self, before: bool, answer: &Result<TransportResponse, TransportError>) {
        let may_be_done = match answer {
            Ok(response) => may_be_processed(response.status),
            Err(error) => matches!(error, TransportError::Exchange { .. } | TransportError::Timeout { .. }),
        };
        self.0.store(before || may_be_done, Relaxed);
    }
}

/// Whether a server that answers so may have processed the call. What is in between may have given the answer.
fn may_be_processed(status: StatusCode) -> bool {
    status.is_success() || status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT
}
