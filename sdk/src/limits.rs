//! Every limit of time, in one place: most make sense only beside others, and the tests say how.

#![cfg_attr(
    not(all(feature = "axum", feature = "postgres", feature = "redis", feature = "sqlite")),
    allow(dead_code, reason = "some belong to features that are off")
)]

use std::time::Duration;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

// Connections and calls.

/// For a connection to be made, TLS included.
pub(crate) const CONNECT: Duration = seconds(10);
/// For the answer to a call with a session to begin, with everything that has to happen before, unless the call has its
/// own limit.
pub(crate) const SESSION_CALL: Duration = seconds(30);
/// The same for a body that is streamed, whose length is not known and which goes up before the answer.
pub(crate) const STREAMED_SESSION_CALL: Duration = seconds(600);
/// A body of bytes gets a second more for so many of them.
pub(crate) const UPLOAD_BYTES_PER_SECOND: usize = 32 * 1024;
/// For the answer to a call without a session of OAuth to begin, unless the call has its own limit.
pub(crate) const PLAIN_CALL: Duration = seconds(60);
/// For the next piece of a body to come.
pub(crate) const BODY_IDLE: Duration = seconds(60);
/// The first wait before a call is repeated, before chance; it doubles with every attempt.
pub(crate) const FIRST_RETRY: Duration = millis(250);
/// The longest wait before a call is repeated; a server that asks for more gets no other attempt.
pub(crate) const LONGEST_RETRY: Duration = seconds(30);

// Identities.

/// For a document of an untrusted host, from the request to the end of the body, redirects included.
pub(crate) const FETCH: Duration = seconds(15);
/// For one answer of one name server.
pub(crate) const NAME_SERVER: Duration = seconds(2);
/// For the whole lookup of a name.
pub(crate) const NAME_LOOKUP: Duration = seconds(6);
/// The longest that sign-in may rely on a resolved identity: the specification says less than ten minutes.
pub(crate) const LONGEST_IDENTITY_CACHE: Duration = seconds(590);
/// How long sign-in relies on a resolved identity by default.
pub(crate) const IDENTITY_CACHE: Duration = seconds(300);
/// How long an identity is shown by default before it is resolved again.
pub(crate) const DISPLAYED_IDENTITY_CACHE: Duration = seconds(3600);

// Signing in.

/// For a user to come back from the authorization server.
pub(crate) const SIGN_IN: Duration = seconds(600);
/// For a browser to send its request to the local callback server: browsers open connections in advance.
pub(crate) const CALLBACK_HEAD: Duration = seconds(30);
/// For a browser to take the last page of a local sign-in.
pub(crate) const CALLBACK_PAGE: Duration = seconds(2);
/// The pause after the local callback server could not accept a connection.
pub(crate) const CALLBACK_PAUSE: Duration = millis(100);
/// How long a browser waits for a server to confirm a sign-out of a web site.
pub(crate) const WEB_SIGN_OUT: Duration = seconds(5);

// Refreshing.

/// For one exchange with an authorization server, body included.
pub(crate) const AUTHORIZATION_SERVER: Duration = seconds(30);
/// For the call that finds out whether an access token is accepted.
pub(crate) const PROBE: Duration = seconds(15);
/// How often a refresh with an unknown outcome is sent at most.
pub(crate) const REFRESH_ATTEMPTS: u32 = 2;
/// A nonce older than this may be refused; servers change them every few minutes.
pub(crate) const NONCE_AGE: Duration = seconds(60);
/// For how long the copy of a session in memory is used before the store is read again: so long can a session be used
/// here that another process has signed out.
pub(crate) const SESSION_RECHECK: Duration = seconds(1);
/// A token is refreshed so long before it expires, or a tenth of its lifetime if that is less.
pub(crate) const REFRESH_MARGIN: Duration = seconds(60);
/// How long a call waits for a refresh.
pub(crate) const REFRESH_WAIT: Duration = seconds(400);
/// How long a call whose token has not expired waits for a refresh.
pub(crate) const REFRESH_PATIENCE: Duration = seconds(10);
/// How long calls go on with a token that has not expired after a refresh that failed.
pub(crate) const REFRESH_PAUSE: Duration = seconds(5);
/// A refresh that took this long to fail is not repeated for as long again.
pub(crate) const SLOW_REFRESH: Duration = millis(250);
/// The longest such pause.
pub(crate) const LONGEST_REFRESH_PAUSE: Duration = seconds(30);
/// How long another process may take from the server's answer to its write to the store.
pub(crate) const CONCURRENT_WRITE: Duration = millis(300);
/// The longest wait between two attempts to store tokens that a store did not take.
pub(crate) const STORE_AGAIN: Duration = seconds(64);

// Stores.

/// For one operation of a store.
pub(crate) const STORE_OPERATION: Duration = seconds(15);
/// For the lock of a session: longer than a refresh takes with all its attempts.
pub(crate) const STORE_LOCK: Duration = seconds(180);
/// How long a sign-out waits for a lock at a time, to see whether this process has come to hold it.
pub(crate) const STORE_LOCK_SLICE: Duration = seconds(1);
/// How long a process keeps others from a session whose new tokens it could not store.
pub(crate) const UNSAVED_LOCK: Duration = seconds(120);
/// When a lock on a server ends whose holder is gone.
pub(crate) const LEASE: Duration = seconds(30);
/// How often the holder of such a lock renews it.
pub(crate) const LEASE_RENEWAL: Duration = seconds(8);
/// The wait between two tries to take such a lock; up to half of it more by chance.
pub(crate) const LEASE_TRY: Duration = millis(20);
/// The wait between two tries to release such a lock.
pub(crate) const LEASE_RELEASE: Duration = seconds(1);
/// The wait between two tries to take a lock of a file.
pub(crate) const FILE_LOCK_TRY: Duration = millis(15);
/// For others that open an SQLite file at the same moment.
pub(crate) const SQLITE_OPEN: Duration = seconds(10);
/// The wait between two tries to open an SQLite file.
pub(crate) const SQLITE_OPEN_TRY: Duration = millis(20);
/// For a connection to PostgreSQL.
pub(crate) const POSTGRES_CONNECT: Duration = seconds(10);
/// For an operation of PostgreSQL.
pub(crate) const POSTGRES_OPERATION: Duration = seconds(12);
/// When an idle connection to PostgreSQL is probed.
pub(crate) const POSTGRES_KEEPALIVE: Duration = seconds(30);
/// For a connection to Redis.
pub(crate) const REDIS_CONNECT: Duration = seconds(4);
/// For an answer of Redis.
pub(crate) const REDIS_ANSWER: Duration = seconds(10);
/// The longest wait between two tries to connect to Redis.
pub(crate) const REDIS_RECONNECT: Duration = seconds(2);

// Lifetimes of what is signed here, and of what a server gives without one.

/// How long a client assertion is valid: enough for a slow exchange and a clock that is a little off.
pub(crate) const CLIENT_ASSERTION: Duration = seconds(60);
/// The lifetime of an access token whose server does not state one. A wrong guess costs one refused call.
pub(crate) const UNKNOWN_TOKEN: Duration = seconds(600);
/// How long the session cookie of a web site is valid by default.
pub(crate) const SESSION_COOKIE: Duration = seconds(30 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest that a refresh holds the lock: every attempt and the probe between them run into their limit, and the
    /// store takes its time to be read (at the start, twice between the attempts, and before the new tokens are written)
    /// and to be written (the intent, and the tokens).
    fn slowest_refresh() -> Duration {
        AUTHORIZATION_SERVER * REFRESH_ATTEMPTS + PROBE + CONCURRENT_WRITE + STORE_OPERATION * 6
    }

    #[test]
    fn connections_leave_time_for_the_response() {
        for limit in [SESSION_CALL, PLAIN_CALL, FETCH, AUTHORIZATION_SERVER, PROBE] {
            assert!(CONNECT < limit, "{limit:?}");
        }
        assert!(POSTGRES_CONNECT < POSTGRES_OPERATION && REDIS_CONNECT < REDIS_ANSWER);
    }

    #[test]
    fn a_store_reports_its_error_before_it_times_out() {
        assert!(POSTGRES_OPERATION < STORE_OPERATION);
        assert!(REDIS_CONNECT + REDIS_ANSWER < STORE_OPERATION);
        assert!(SQLITE_OPEN < STORE_OPERATION);
    }

    #[test]
    fn whoever_waits_for_a_refresh_outlasts_it() {
        assert!(slowest_refresh() < STORE_LOCK, "{:?}", slowest_refresh());
        assert!(STORE_LOCK + STORE_OPERATION + slowest_refresh() < REFRESH_WAIT);
    }

    #[test]
    fn a_process_with_unsaved_tokens_lets_go_before_others_give_up() {
        // The lock is released in time, unless an attempt to store is in progress: that reads and writes.
        assert!(UNSAVED_LOCK + STORE_OPERATION * 2 < STORE_LOCK);
        // By then the store has been tried again.
        assert!(STORE_AGAIN < UNSAVED_LOCK);
    }

    #[test]
    fn a_call_with_a_valid_token_does_not_fail_because_of_a_slow_refresh() {
        assert!(REFRESH_PATIENCE < SESSION_CALL && SESSION_CALL < STREAMED_SESSION_CALL);
        // A body that can be sent once is preceded by a probe.
        assert!(PROBE + REFRESH_PATIENCE < SESSION_CALL);
    }

    #[test]
    fn a_lease_survives_a_renewal_that_fails() {
        let operation = POSTGRES_OPERATION.max(REDIS_ANSWER);
        assert!(LEASE_RENEWAL * 2 + operation < LEASE);
        assert!(LEASE < STORE_LOCK);
    }

    #[test]
    fn three_name_servers_have_their_turn() {
        // A resolver configuration names three at most.
        assert!(NAME_SERVER * 3 <= NAME_LOOKUP && NAME_LOOKUP < FETCH);
    }

    #[test]
    fn o6_identities_used_in_sign_in_are_younger_than_ten_minutes() {
        assert!(
            IDENTITY_CACHE <= LONGEST_IDENTITY_CACHE && LONGEST_IDENTITY_CACHE < Duration::from_secs(600)
        );
    }

    #[test]
    fn o13_an_assertion_outlives_the_exchange_that_it_is_for() {
        assert!(AUTHORIZATION_SERVER < CLIENT_ASSERTION);
    }
}
