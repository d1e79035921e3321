//! Subscriptions.

use std::fmt;

use crate::xrpc::{Caller, Subscription};

/// A subscription that has not been started.
pub struct Subscribe<'c, S: Subscription> {
    caller: Caller<'c>,
    params: S::Params,
}

impl<'c, S: Subscription> Subscribe<'c, S> {
    /// Creates one over a caller, for generated code.
    #[doc(hidden)]
    pub fn over(caller: Caller<'c>, params: S::Params) -> Self {
        Self { caller, params }
    }

    /// Replaces the parameters.
    #[must_use]
    pub fn params(mut self, params: S::Params) -> Self {
        self.params = params;
        self
    }
}

impl<S: Subscription> fmt::Debug for Subscribe<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("nsid", &S::NSID)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "jetstream")]
pub mod jetstream;
pub mod tap;
