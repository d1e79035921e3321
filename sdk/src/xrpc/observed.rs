//! What sign-ins, refreshes and calls tell through `tracing`: a span each, with outcome and duration, and one event at the
//! end whose fields count (`monotonic_counter.*`, `histogram.*`, as `tracing-opentelemetry` reads them).

use std::time::Instant;

use tracing::{Instrument as _, Span};

/// Runs work in a span that has the fields `outcome` and `duration_ms`, and tells how it ended. Work that is dropped has
/// no outcome.
pub(crate) async fn observed<T, E>(
    span: Span,
    operation: &'static str,
    outcome_of: impl FnOnce(&Result<T, E>) -> &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let begun = Instant::now();
    let result = work.instrument(span.clone()).await;
    let outcome = outcome_of(&result);
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.record("outcome", outcome).record("duration_ms", duration_ms);
    span.in_scope(|| {
        tracing::debug!(
            monotonic_counter.atproto_operations = 1_u64,
            histogram.atproto_operation_ms = duration_ms,
            operation,
            outcome,
            "{operation} ended"
        );
    });
    result
}
