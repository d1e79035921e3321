//! What a verified stream has done.

/// What a verified stream has done so far. Returned by [`VerifiedEvents::verifier_stats`](super::VerifiedEvents::verifier_stats).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VerifierStats {
    /// Commits that were valid and in their place.
    pub commits: u64,
    /// Commits and states that were not newer than what was known, and were dropped.
    pub old: u64,
    /// New revisions without a change, which were dropped.
    pub unchanged: u64,
    /// Events that were refused.
    pub refused: u64,
    /// Gaps that were told.
    pub gaps: u64,
    /// Repositories that were fetched after a gap.
    pub repairs: u64,
    /// Repositories that could not be fetched.
    pub failed_repairs: u64,
    /// Events that were dropped because too many of their account were waiting for its repository or its key, which leads to a gap.
    pub dropped: u64,
    /// Events about identities.
    pub identities: u64,
    /// Events about the status of accounts.
    pub accounts_told: u64,
    /// Events that are being verified, or wait for that or for a repository.
    pub waiting: usize,
    /// Repositories that are being fetched, or wait for that.
    pub fetching: usize,
    /// Accounts whose states or keys are in memory.
    pub accounts: usize,
}
