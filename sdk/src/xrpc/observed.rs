//! Observability of sign-ins, refreshes and calls with `tracing`: a span with outcome and duration for each, and an event at
//! its end with metrics in the format of `tracing-opentelemetry` (`monotonic_counter.*`, `histogram.*`).

use std::time::Instant;

use tracing::{Instrument as _, Span};

/// Runs an operation in a span with the fields `outcome` and `duration_ms`, and records both. An operation that is dropped has
/// no outcome.
pub(crate) async fn observed<T, E>(
    span: Span,
    operation: &'static str,
    outcome_of: impl FnOnce(&Result<T, E>) -> &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let begun = Instant::now();
    let result = work.instrument(span.clone()).await;
    ended(&span, operation, outcome_of(&result), begun);
    result
}

/// Records the end of an operation that ran in a span.
pub(crate) fn ended(span: &Span, operation: &'static str, outcome: &'static str, begun: Instant) {
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
}
