//! All time limits in one place, and the limits of what is stored. Most depend on others; the tests contain these relations.

#![cfg_attr(
    not(all(
        feature = "axum",
        feature = "postgres",
        feature = "redis",
        feature = "sqlite",
        feature = "stream"
    )),
    allow(dead_code, reason = "some belong to features that are disabled")
)]

use std::time::Duration;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn days(count: u64) -> Duration {
    seconds(count * 24 * 3600)
}

// Connections and calls.

/// For connecting, including TLS.
pub(crate) const CONNECT: Duration = seconds(10);
/// For a call with an OAuth session: a refresh, all attempts and the waits between them, and a response that is read
/// into memory. A client or a call can set another limit.
pub(crate) const SESSION_CALL: Duration = seconds(30);
/// The least for a call with a streamed body, whose length may be unknown and which is uploaded before the response.
pub(crate) const STREAMED_CALL: Duration = seconds(600);
/// The limit for a call increases by one second for each of these bytes in its body.
pub(crate) const UPLOAD_BYTES_PER_SECOND: u64 = 32 * 1024;
/// The same for a call without an OAuth session.
pub(crate) const PLAIN_CALL: Duration = seconds(60);
/// For receiving the next chunk of a body.
pub(crate) const BODY_IDLE: Duration = seconds(60);
/// The wait before the first retry of a call, without jitter. It doubles with every attempt.
pub(crate) const FIRST_RETRY: Duration = millis(250);
/// The longest wait before a retry. If a server asks for a longer one, the call is not retried.
pub(crate) const LONGEST_RETRY: Duration = seconds(30);
/// When a video service is asked again about a job.
#[cfg(feature = "bsky")]
pub(crate) const VIDEO_POLL: Duration = millis(1500);
/// How long a video service may take for a job.
#[cfg(feature = "bsky")]
pub(crate) const VIDEO_JOB: Duration = seconds(1800);

/// How long a token for a video service lasts after the upload: while the job may take.
#[cfg(feature = "bsky")]
pub(crate) const VIDEO_TOKEN: Duration = VIDEO_JOB;
/// The longest time for such a token. Servers refuse more than an hour, and their clocks may be behind.
#[cfg(feature = "bsky")]
pub(crate) const LONGEST_VIDEO_TOKEN: Duration = seconds(3300);

/// How long a change of preferences waits for other changes of the same account.
pub(crate) const PREFERENCES_TURN: Duration = seconds(180);

// Budgets of writes.

/// How long a call waits for points: for the next hour, and some.
pub(crate) const LONGEST_BUDGET_WAIT: Duration = seconds(3700);
/// How long a process may spend what it has leased from a shared budget, and has the answers to its calls.
pub(crate) const BUDGET_LEASE: Duration = seconds(120);
/// When a process looks again whether others have left something of a shared budget.
pub(crate) const BUDGET_POLL: Duration = seconds(1);
/// When a waiting call looks at the clock again, which can be set.
pub(crate) const BUDGET_LOOK: Duration = seconds(30);
/// The longest wait after several processes have changed a shared budget at the same time.
pub(crate) const BUDGET_CONFLICT: Duration = millis(20);
/// How long a shared budget is kept in the store: longer than its longest window, a day.
pub(crate) const BUDGET_KEPT: Duration = seconds(25 * 3600);

// Streams.

/// For a connection of a stream, up to the answer of the server, including a refresh of the session.
pub(crate) const STREAM_HANDSHAKE: Duration = seconds(45);
/// After how long a silence a ping is sent, and how long a server may take to answer it. Proxies end connections that
/// are silent for a minute.
pub(crate) const STREAM_KEEP_ALIVE: Duration = seconds(30);
/// The shortest silence that can be set: an answer needs some time.
pub(crate) const SHORTEST_KEEP_ALIVE: Duration = millis(50);
/// The longest silence that can be set: longer than a connection lasts.
pub(crate) const LONGEST_KEEP_ALIVE: Duration = days(365);
/// For saying goodbye to the server.
pub(crate) const STREAM_CLOSE: Duration = seconds(2);
/// How often a server is tried that has never been reached.
pub(crate) const STREAM_FIRST_ATTEMPTS: u32 = 4;
/// A connection that has lasted for this long was a good one, whatever came of it.
pub(crate) const STREAM_STEADY: Duration = seconds(90);
/// How often what cannot be used is asked for again.
pub(crate) const STREAM_SAME_PLACE: u32 = 3;
/// How old messages are if the consumer has fallen behind.
pub(crate) const STREAM_BEHIND: Duration = seconds(60);
/// How old they are if it has caught up.
pub(crate) const STREAM_CAUGHT_UP: Duration = seconds(10);
/// How much newer a message is than the last one if its lower position is not that of a repeat: the server has begun to
/// count again.
pub(crate) const STREAM_RESTARTED: Duration = seconds(60);
/// How far in the future the time of a message of Jetstream may be, by the clock of this machine, to be its position.
#[cfg(feature = "jetstream")]
pub(crate) const JETSTREAM_FUTURE: Duration = seconds(3600);
/// For a dictionary of compressed messages, without which the stream is not compressed.
#[cfg(feature = "jetstream")]
pub(crate) const DICTIONARY: Duration = seconds(10);
/// How often in a row an archive is asked for what could not be read.
#[cfg(feature = "jetstream")]
pub(crate) const ARCHIVE_ATTEMPTS: u32 = 5;
/// How often the state of a stream is logged.
pub(crate) const STREAM_REPORT: Duration = seconds(10);
/// How often the cursor of a stream is saved by default.
#[cfg(feature = "stream")]
pub(crate) const CURSOR_INTERVAL: Duration = seconds(1);
/// How long nothing waits for the cursor again after that was in vain.
#[cfg(feature = "stream")]
pub(crate) const CURSOR_WAIT_AGAIN: Duration = seconds(60);
/// The longest wait before a cursor is saved again that could not be saved.
#[cfg(feature = "stream")]
pub(crate) const LONGEST_CURSOR_RETRY: Duration = seconds(10);

/// For saving the cursor a last time, when a stream ends.
#[cfg(feature = "stream")]
pub(crate) const CURSOR_END: Duration = seconds(30);
/// For ending a verified stream: for the states of repositories, and then for the cursor, which has its own limit in it.
#[cfg(feature = "stream")]
pub(crate) const VERIFIED_END: Duration = seconds(120);

/// The wait before a cursor is saved again, after so many failures.
#[cfg(feature = "stream")]
pub(crate) fn cursor_retry(failures: u32) -> Duration {
    (FIRST_RETRY * 2_u32.saturating_pow(failures.min(16).saturating_sub(1))).min(LONGEST_CURSOR_RETRY)
}

// Verified streams.

/// How often the states of repositories are saved.
#[cfg(feature = "stream")]
pub(crate) const STATES_INTERVAL: Duration = seconds(1);
/// How often the state of a repository is read again that could not be read, before the stream ends.
#[cfg(feature = "stream")]
pub(crate) const STATES_ATTEMPTS: u32 = 6;
/// How far in the future a revision may be.
#[cfg(feature = "stream")]
pub(crate) const REV_FUTURE: Duration = seconds(300);
/// How long the key of an account is believed, unless the stream says that it has changed or a signature is not valid.
#[cfg(feature = "stream")]
pub(crate) const SIGNER_CACHE: Duration = days(1);
/// How long a key is believed at most while the account cannot be looked up.
#[cfg(feature = "stream")]
pub(crate) const SIGNER_KEPT: Duration = days(2);
/// How often an account is looked up again because of signatures that are not valid, and because a host says that it
/// has changed, which doubles each time up to [`LONGEST_SIGNER_FAILED`].
#[cfg(feature = "stream")]
pub(crate) const SIGNER_REFRESH: Duration = seconds(10);
/// How long all events of an account wait that is looked up, however many they are, if what is dropped is lost.
#[cfg(feature = "stream")]
pub(crate) const LOOKUP_PATIENCE: Duration = seconds(2);
/// How often a look-up that failed for the moment is made before an event is refused.
#[cfg(feature = "stream")]
pub(crate) const SIGNER_ATTEMPTS: u32 = 3;
/// How long it is believed that an account cannot be looked up, if that may pass.
#[cfg(feature = "stream")]
pub(crate) const SIGNER_RETRY: Duration = seconds(5);
/// How long it is believed that an account does not exist. Both double with every failure in a row.
#[cfg(feature = "stream")]
pub(crate) const SIGNER_FAILED: Duration = seconds(60);
/// The longest of these.
#[cfg(feature = "stream")]
pub(crate) const LONGEST_SIGNER_FAILED: Duration = seconds(3600);
/// For looking up a `did:web`, at a server that anybody can have, with the wait for that and all attempts.
#[cfg(feature = "stream")]
pub(crate) const WEB_SIGNER: Duration = seconds(10);
/// The same for an account of which nothing is known: it may be made up.
#[cfg(feature = "stream")]
pub(crate) const UNKNOWN_WEB_SIGNER: Duration = seconds(5);
/// For the answer to a request for a repository, without its body.
#[cfg(feature = "stream")]
pub(crate) const REPO_FETCH: Duration = seconds(30);
/// For fetching and checking a repository, with all attempts.
#[cfg(feature = "stream")]
pub(crate) const REPAIR: Duration = seconds(300);
/// How long a repository waits for others that are being fetched.
#[cfg(feature = "stream")]
pub(crate) const REPAIR_WAIT: Duration = seconds(120);
/// The same where nothing else would fetch it, as long as the others get answers.
#[cfg(feature = "stream")]
pub(crate) const LONGEST_REPAIR_WAIT: Duration = seconds(1800);
/// How often a repository is fetched because of one gap.
#[cfg(feature = "stream")]
pub(crate) const REPAIR_ATTEMPTS: u32 = 3;
/// The wait before it is fetched again, which grows.
#[cfg(feature = "stream")]
pub(crate) const REPAIR_AGAIN: Duration = seconds(1);
/// How long the repository of an account is not fetched again, which doubles each time up to [`LONGEST_REPAIR_PAUSE`].
#[cfg(feature = "stream")]
pub(crate) const FIRST_REPAIR_PAUSE: Duration = seconds(5);
/// The longest such pause.
#[cfg(feature = "stream")]
pub(crate) const LONGEST_REPAIR_PAUSE: Duration = seconds(1800);
/// How long the events of an account wait for the end of the pause; if it is longer, the gap is told.
#[cfg(feature = "stream")]
pub(crate) const REPAIR_HELD: Duration = seconds(60);
/// After how long without a gap the pause is the first one again.
#[cfg(feature = "stream")]
pub(crate) const REPAIR_FORGOTTEN: Duration = seconds(3600);

// Identities.

/// For fetching a document from an untrusted host, including redirects and the body.
pub(crate) const FETCH: Duration = seconds(15);
/// How long a connection to an untrusted host stays open for the next document: a sign-in asks a server several times.
pub(crate) const FETCH_IDLE: Duration = seconds(5);
/// The same for the servers of accounts that have signed in, which anybody can have as well.
pub(crate) const SESSION_IDLE: Duration = seconds(30);
/// For looking up the addresses of a host, including the wait for a thread.
pub(crate) const ADDRESS_LOOKUP: Duration = seconds(8);
/// When a thread for address lookups ends that has nothing to do.
pub(crate) const LOOKUP_THREAD_IDLE: Duration = seconds(10);
/// For a response of a single name server.
pub(crate) const NAME_SERVER: Duration = seconds(2);
/// For a whole DNS lookup.
pub(crate) const NAME_LOOKUP: Duration = seconds(6);
/// How long sign-in may rely on a resolved identity: by the specification, less than ten minutes.
pub(crate) const LONGEST_IDENTITY_CACHE: Duration = seconds(590);
/// How long sign-in relies on a resolved identity by default.
pub(crate) const IDENTITY_CACHE: Duration = seconds(300);
/// How long a resolved identity is displayed by default before it is resolved again.
pub(crate) const DISPLAYED_IDENTITY_CACHE: Duration = seconds(3600);

/// How long the result of looking an account up after it was found to be deactivated is used.
pub(crate) const ACCOUNT_LOOKUP: Duration = seconds(60);

// Published lexicons.

/// For fetching a document with its proof, including retries.
pub(crate) const LEXICON: Duration = seconds(60);
/// For listing all documents of an account.
pub(crate) const LEXICON_LISTING: Duration = seconds(300);

// Signing in.

/// For the user to return from the authorization server.
pub(crate) const SIGN_IN: Duration = seconds(600);
/// For a browser to send its request to the local callback server. Browsers open connections in advance.
pub(crate) const CALLBACK_HEAD: Duration = seconds(30);
/// For a browser to receive the final page of a local sign-in.
pub(crate) const CALLBACK_PAGE: Duration = seconds(2);
/// The pause after the local callback server failed to accept a connection.
pub(crate) const CALLBACK_PAUSE: Duration = millis(100);
/// How long a browser waits until a session has been removed from the store in a sign-out from a web app.
pub(crate) const WEB_REMOVAL: Duration = seconds(30);
/// How long a browser then waits for the server to confirm the sign-out.
pub(crate) const WEB_SIGN_OUT: Duration = seconds(5);

// Refreshing.

/// For a request to an authorization server, including the body.
pub(crate) const AUTHORIZATION_SERVER: Duration = seconds(20);
/// For the call that checks whether an access token is accepted.
pub(crate) const PROBE: Duration = seconds(15);
/// The maximum number of attempts of a refresh with an unknown outcome.
pub(crate) const REFRESH_ATTEMPTS: u32 = 2;
/// An older nonce may be rejected, because servers change them every few minutes.
pub(crate) const NONCE_AGE: Duration = seconds(60);
/// How long the cached copy of a session is used before the store is read again. A session that another process has signed
/// out can be used for this long.
pub(crate) const SESSION_RECHECK: Duration = seconds(1);
/// How long before its expiry a token is refreshed, or a tenth of its lifetime if that is less.
pub(crate) const REFRESH_MARGIN: Duration = seconds(60);
/// How long a call waits for a refresh. Its own limit is usually shorter.
pub(crate) const REFRESH_WAIT: Duration = seconds(1200);
/// How long a call whose token has not expired waits for a refresh.
pub(crate) const REFRESH_PATIENCE: Duration = seconds(10);
/// How long calls use a token that has not expired after a failed refresh.
pub(crate) const REFRESH_PAUSE: Duration = seconds(5);
/// If a refresh took at least this long to fail, it is not retried for the same time.
pub(crate) const SLOW_REFRESH: Duration = millis(250);
/// The longest such pause.
pub(crate) const LONGEST_REFRESH_PAUSE: Duration = seconds(30);
/// The pause after a refresh failed, which doubles with every failure in a row up to [`LONGEST_REFRESH_PAUSE`].
pub(crate) const FIRST_REFRESH_PAUSE: Duration = millis(250);
/// The longest pause that a server can ask for.
pub(crate) const LONGEST_ASKED_PAUSE: Duration = seconds(3600);
/// The pause after the server rejected a token that it had just issued, which doubles with every such token.
pub(crate) const FRESH_TOKEN_PAUSE: Duration = seconds(10);
/// The longest such pause.
pub(crate) const LONGEST_FRESH_TOKEN_PAUSE: Duration = seconds(600);
/// How long another process may take from the response of the server to its write to the store.
pub(crate) const CONCURRENT_WRITE: Duration = millis(300);
/// The wait between two attempts to store unsaved tokens.
pub(crate) const STORE_AGAIN: Duration = seconds(1);
/// The longest pause between attempts to remove a session that has ended, which doubles from that one.
pub(crate) const LONGEST_REMOVAL_PAUSE: Duration = seconds(300);
/// How long other processes wait for tokens that may be unsaved, all together, counted from when the store answers them.
pub(crate) const DOUBT_GRACE: Duration = seconds(35);
/// How often they read the store in the meantime, and write how long they have waited.
pub(crate) const DOUBT_POLL: Duration = seconds(1);
/// If they have not read the store for this long, that time does not count.
pub(crate) const DOUBT_GAP: Duration = seconds(5);

// Signing in again with a password.

/// The pause after the stored password was refused, which doubles up to [`LONGEST_SIGN_IN_PAUSE`]. Servers allow some tens of
/// sign-ins in five minutes and some hundreds a day.
pub(crate) const SIGN_IN_PAUSE: Duration = seconds(60);
/// The longest such pause.
pub(crate) const LONGEST_SIGN_IN_PAUSE: Duration = seconds(3600);
/// The longest such pause for a process that has been started since, because its password may be a new one.
pub(crate) const RESTARTED_SIGN_IN_PAUSE: Duration = seconds(300);

// Stores.

/// For an operation of a store.
pub(crate) const STORE_OPERATION: Duration = seconds(15);
/// For acquiring the lock of a session: longer than a refresh takes with all its attempts.
pub(crate) const STORE_LOCK: Duration = seconds(360);
/// How long a sign-out waits for a refresh in progress, before it removes the session anyway.
pub(crate) const SIGN_OUT_LOCK: Duration = seconds(10);
/// When a lock on a database server expires whose holder has died.
pub(crate) const LEASE: Duration = seconds(45);
/// How much earlier its holder no longer relies on it.
pub(crate) const LEASE_MARGIN: Duration = seconds(1);
/// How often the holder of such a lock renews it.
pub(crate) const LEASE_RENEWAL: Duration = seconds(8);
/// The wait before the next attempt, if renewing it failed.
pub(crate) const LEASE_RENEWAL_AGAIN: Duration = seconds(1);
/// The wait between the first attempts to acquire such a lock, without jitter of up to a half.
pub(crate) const LEASE_TRY: Duration = millis(20);
/// The same after some seconds.
pub(crate) const LONGEST_LEASE_TRY: Duration = millis(400);
/// The wait between two attempts to release such a lock.
pub(crate) const LEASE_RELEASE: Duration = seconds(1);
/// For locking the file of a store, which others hold for a single operation.
pub(crate) const FILE_LOCK: Duration = seconds(10);
/// The longest wait between two attempts to lock a file.
pub(crate) const FILE_LOCK_TRY: Duration = millis(15);
/// For waiting for other processes that open an SQLite file at the same time.
pub(crate) const SQLITE_OPEN: Duration = seconds(10);
/// The wait between two attempts to open an SQLite file.
pub(crate) const SQLITE_OPEN_TRY: Duration = millis(20);
/// For connecting to PostgreSQL.
pub(crate) const POSTGRES_CONNECT: Duration = seconds(10);
/// For an operation of PostgreSQL.
pub(crate) const POSTGRES_OPERATION: Duration = seconds(12);
/// When an idle connection to PostgreSQL is probed.
pub(crate) const POSTGRES_KEEPALIVE: Duration = seconds(30);
/// How often a process removes expired entries from PostgreSQL.
pub(crate) const POSTGRES_SWEEP: Duration = seconds(5);
/// For connecting to Redis.
pub(crate) const REDIS_CONNECT: Duration = seconds(4);
/// For a response of Redis.
pub(crate) const REDIS_ANSWER: Duration = seconds(10);
/// How long an operation waits for Redis to move its keys to another node, or to load them.
pub(crate) const REDIS_TRY_AGAIN: Duration = seconds(8);
/// The wait between two attempts in that time, without jitter of up to the same.
pub(crate) const REDIS_TRY_AGAIN_PAUSE: Duration = millis(200);
/// The longest wait between two attempts to connect to Redis.
pub(crate) const REDIS_RECONNECT: Duration = seconds(2);

/// How long an entry is kept that has expired, in case it was the clock that was wrong.
pub(crate) const EXPIRED_KEPT: Duration = days(1);
/// If the clocks of a process and of its database are further apart, ends are moved by that: whoever counts by whole seconds is
/// always some of them apart.
pub(crate) const CLOCKS_APART: Duration = seconds(30);

// Lifetimes of assertions and cookies, and of tokens without one.

/// How long a client assertion is valid: enough for a slow request and a slightly inaccurate clock.
pub(crate) const CLIENT_ASSERTION: Duration = seconds(60);
/// The assumed lifetime of an access token without `expires_in`. A wrong guess costs one rejected call.
pub(crate) const UNKNOWN_TOKEN: Duration = seconds(600);
/// How long the session cookie of a web app is valid by default.
pub(crate) const SESSION_COOKIE: Duration = seconds(30 * 24 * 3600);

/// How long the session of a public client is stored after its last refresh by default: longer, its server does not refresh it.
pub(crate) const PUBLIC_SESSION: Duration = days(14);
/// The same for the session of a confidential client.
pub(crate) const CONFIDENTIAL_SESSION: Duration = days(180);
/// The same for a session with a password.
pub(crate) const PASSWORD_SESSION: Duration = days(90);
/// How much longer sessions are stored, because clocks may be wrong.
pub(crate) const SESSION_GRACE: Duration = days(1);
/// The longest time that sessions can be stored without a refresh.
pub(crate) const LONGEST_SESSION: Duration = days(36_500);

// Sizes and counts.

/// The length of an access or refresh token, in bytes. Usually, it is less than 1 KiB.
pub(crate) const TOKEN_LENGTH: usize = 16 * 1024;
/// The length of the granted scopes, in bytes.
pub(crate) const SCOPE_LENGTH: usize = 64 * 1024;
/// The length of the DID document that is stored with a password session, in bytes. Usually, it is less than 1 KiB.
pub(crate) const DID_DOCUMENT_LENGTH: usize = 16 * 1024;
/// How many sessions an account may have by default: more than anybody has devices and browsers, and few enough to read all of
/// them.
pub(crate) const SESSIONS_PER_ACCOUNT: usize = 50;
/// How many sessions are signed out at most after a sign-in. If an account has more than that in excess, the next sign-ins
/// continue.
pub(crate) const EXCESS_SIGN_OUTS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest time that a refresh holds the lock: all attempts and the probes before and between them time out, signing
    /// in again with a password and revoking what is not kept take as long as they may, and the store is slow.
    fn slowest_refresh() -> Duration {
        // The first attempt gets no answer. The store is slow to read (at the start, twice before the probe, after it, and before
        // the new tokens are written) and to write (that there was no answer, and the new tokens).
        attempt() * REFRESH_ATTEMPTS
            + PROBE
            + CONCURRENT_WRITE
            + STORE_OPERATION * (5 + 2)
            + AUTHORIZATION_SERVER * 2
    }

    /// An attempt to refresh: the lock is renewed before the intent is stored, and after that.
    fn attempt() -> Duration {
        AUTHORIZATION_SERVER + STORE_OPERATION * 3
    }

    #[test]
    fn connections_leave_time_for_the_response() {
        for limit in [SESSION_CALL, PLAIN_CALL, FETCH, AUTHORIZATION_SERVER, PROBE] {
            assert!(CONNECT < limit, "{limit:?}");
        }
        assert!(POSTGRES_CONNECT < POSTGRES_OPERATION && REDIS_CONNECT < REDIS_ANSWER);
    }

    #[test]
    fn e9_a_dead_stream_is_found_soon_and_a_quiet_one_is_left_alone() {
        // The handshake has time for connecting, and for a refresh with its patience.
        assert!(CONNECT + REFRESH_PATIENCE * 2 < STREAM_HANDSHAKE);
        // Proxies end connections that are silent for a minute.
        assert!(STREAM_KEEP_ALIVE < seconds(60) && STREAM_KEEP_ALIVE < LONGEST_KEEP_ALIVE);
        assert!(Duration::ZERO < SHORTEST_KEEP_ALIVE && SHORTEST_KEEP_ALIVE < STREAM_KEEP_ALIVE);
        // A connection that ends because nothing comes has not lasted long enough to be a good one, so waits grow.
        assert!(STREAM_KEEP_ALIVE * 2 < STREAM_STEADY);
        assert!(STREAM_CAUGHT_UP < STREAM_BEHIND && STREAM_CLOSE < STREAM_KEEP_ALIVE);
    }

    #[test]
    fn a_store_reports_its_error_before_it_times_out() {
        assert!(POSTGRES_OPERATION < STORE_OPERATION);
        assert!(REDIS_CONNECT + REDIS_ANSWER < STORE_OPERATION);
        assert!(REDIS_TRY_AGAIN + REDIS_TRY_AGAIN_PAUSE * 2 < REDIS_ANSWER);
        assert!(SQLITE_OPEN < STORE_OPERATION && FILE_LOCK < STORE_OPERATION);
    }

    #[test]
    fn clocks_that_are_apart_do_not_end_what_is_short() {
        assert!(CLOCKS_APART * 10 < SIGN_IN && CLOCKS_APART < EXPIRED_KEPT);
    }

    #[test]
    fn whoever_waits_for_a_refresh_outlasts_it() {
        assert!(slowest_refresh() < STORE_LOCK, "{:?}", slowest_refresh());
        // Another process is waited for although its doubt changes, and then the lock once more.
        let lock = STORE_LOCK + STORE_OPERATION;
        let start = lock + STORE_OPERATION + DOUBT_GRACE * 2;
        assert!(start + lock + slowest_refresh() < REFRESH_WAIT);
    }

    #[test]
    fn o25_unsaved_tokens_are_stored_before_others_give_up_on_them() {
        // Once the store answers, an attempt to store reads and writes.
        assert!(STORE_AGAIN + STORE_OPERATION * 2 < DOUBT_GRACE);
        assert!(STORE_AGAIN < LONGEST_REMOVAL_PAUSE);
        // Whoever waits reads often enough for its time to count.
        assert!(DOUBT_POLL + SESSION_RECHECK < DOUBT_GAP && DOUBT_GAP < DOUBT_GRACE);
        // A process that died is not waited for much longer than its lock.
        assert!(DOUBT_GRACE <= LEASE);
    }

    #[test]
    fn o25_processes_that_live_for_a_call_get_through_the_wait_together() {
        for call in [SESSION_CALL, PLAIN_CALL] {
            // Each waits for longer than it takes to record that, even if it first asks whether the old token is accepted.
            let watched = call - PROBE - CONCURRENT_WRITE;
            assert!(watched > DOUBT_POLL * 2);
            // A few are enough, and one that comes when the lease of the one before has just been renewed waits for nothing else.
            assert!(watched * 3 > DOUBT_GRACE && LEASE < call * 2);
        }
        // A single attempt that gets no answer leaves time to say so.
        assert!(AUTHORIZATION_SERVER + STORE_AGAIN < SESSION_CALL);
    }

    #[test]
    fn pauses_grow_up_to_their_limits() {
        assert!(FIRST_REFRESH_PAUSE < LONGEST_REFRESH_PAUSE && LONGEST_REFRESH_PAUSE < LONGEST_ASKED_PAUSE);
        assert!(FRESH_TOKEN_PAUSE < LONGEST_FRESH_TOKEN_PAUSE);
        assert!(SIGN_IN_PAUSE < RESTARTED_SIGN_IN_PAUSE && RESTARTED_SIGN_IN_PAUSE < LONGEST_SIGN_IN_PAUSE);
    }

    #[test]
    fn a_sign_out_removes_the_session_while_somebody_waits() {
        assert!(SIGN_OUT_LOCK < STORE_OPERATION);
    }

    #[test]
    fn a_call_with_a_valid_token_does_not_fail_because_of_a_slow_refresh() {
        assert!(REFRESH_PATIENCE < SESSION_CALL && SESSION_CALL < STREAMED_CALL);
        // A body that can be sent once is preceded by a probe.
        assert!(PROBE + REFRESH_PATIENCE < SESSION_CALL);
    }

    #[test]
    fn a_lease_of_a_budget_outlasts_the_calls_that_it_is_for() {
        // Points can be taken for half of its time.
        assert!(BUDGET_LEASE / 2 >= SESSION_CALL.max(PLAIN_CALL));
        assert!(BUDGET_POLL < BUDGET_LOOK && BUDGET_LOOK < LONGEST_BUDGET_WAIT);
        // Others may take it for ended by so much too early.
        assert!(CLOCKS_APART <= BUDGET_LEASE / 4);
        assert!(LONGEST_BUDGET_WAIT > Duration::from_secs(3600) && LONGEST_BUDGET_WAIT < BUDGET_KEPT);
    }

    #[cfg(feature = "bsky")]
    #[test]
    fn a_job_of_a_video_is_asked_about_many_times() {
        assert!(VIDEO_POLL * 100 < VIDEO_JOB && STREAMED_CALL < VIDEO_JOB);
        // The service uses the token at the end of the job.
        assert!(VIDEO_JOB <= VIDEO_TOKEN && VIDEO_TOKEN + STREAMED_CALL < LONGEST_VIDEO_TOKEN);
        assert!(LONGEST_VIDEO_TOKEN + seconds(60) < seconds(3600));
    }

    #[test]
    fn a_change_of_preferences_outlasts_the_one_before() {
        // Each reads and writes.
        assert!(PREFERENCES_TURN > SESSION_CALL.max(PLAIN_CALL) * 2);
    }

    #[test]
    fn a_retry_can_fit_into_a_call() {
        assert!(FIRST_RETRY * 2 < SESSION_CALL && LONGEST_RETRY < PLAIN_CALL);
    }

    #[test]
    fn a_lease_survives_a_renewal_that_fails() {
        let operation = POSTGRES_OPERATION.max(REDIS_ANSWER);
        assert!(LEASE_RENEWAL + operation + LEASE_RENEWAL_AGAIN + operation < LEASE - LEASE_MARGIN);
        assert!(LEASE < STORE_LOCK);
        assert!(LEASE_TRY < LONGEST_LEASE_TRY && LONGEST_LEASE_TRY < LEASE_RENEWAL);
    }

    #[test]
    fn a_sign_out_reports_the_error_of_the_store() {
        assert!(SIGN_OUT_LOCK + STORE_OPERATION < WEB_REMOVAL);
    }

    #[test]
    fn a_lookup_leaves_time_to_connect() {
        assert!(ADDRESS_LOOKUP < CONNECT);
    }

    #[test]
    fn a_lease_that_is_renewed_outlasts_an_exchange_at_any_time() {
        // Just before the answer to the next renewal, the lease is as old as it gets.
        assert!(AUTHORIZATION_SERVER + LEASE_RENEWAL + STORE_OPERATION < LEASE - LEASE_MARGIN);
        // The clocks of two machines differ by much less than a percent in speed.
        assert!(LEASE / 100 < LEASE_MARGIN);
    }

    #[test]
    fn o45_sessions_are_stored_for_as_long_as_servers_refresh_them() {
        assert!(
            PUBLIC_SESSION + SESSION_GRACE > days(14) && CONFIDENTIAL_SESSION + SESSION_GRACE > days(180)
        );
        assert!(PUBLIC_SESSION < PASSWORD_SESSION && PASSWORD_SESSION < CONFIDENTIAL_SESSION);
        assert!(CONFIDENTIAL_SESSION < LONGEST_SESSION);
    }

    #[cfg(feature = "stream")]
    #[test]
    fn a_repair_has_time_for_its_attempts_and_is_not_waited_for_without_end() {
        assert!((REPO_FETCH + REPAIR_AGAIN * REPAIR_ATTEMPTS) * REPAIR_ATTEMPTS < REPAIR);
        assert!(FIRST_REPAIR_PAUSE < REPAIR_HELD && REPAIR_HELD < LONGEST_REPAIR_PAUSE);
        // Otherwise the longest pause would be forgotten before it is over.
        assert!(LONGEST_REPAIR_PAUSE < REPAIR_FORGOTTEN);
    }

    #[cfg(feature = "stream")]
    #[test]
    fn a_verified_stream_that_ends_has_time_for_its_states_before_its_cursor() {
        // An attempt that hangs leaves time for another one.
        assert!(CURSOR_END + STREAM_CLOSE + STORE_OPERATION * 2 < VERIFIED_END);
        assert!(STORE_OPERATION < CURSOR_END);
    }

    #[cfg(feature = "stream")]
    #[test]
    fn one_account_that_is_looked_up_does_not_hold_up_others_for_long() {
        // A look-up fails after that, and is then tried again.
        assert!(LOOKUP_PATIENCE < FETCH && FIRST_RETRY * 2 < LOOKUP_PATIENCE);
    }

    #[cfg(feature = "stream")]
    #[test]
    fn a_key_that_has_changed_is_found_soon_and_one_that_has_not_is_not_asked_for_often() {
        assert!(SIGNER_REFRESH < SIGNER_FAILED && SIGNER_REFRESH < SIGNER_CACHE);
        assert!(SIGNER_RETRY < SIGNER_FAILED && SIGNER_FAILED < LONGEST_SIGNER_FAILED);
        // A key that has become old is not lost because it cannot be looked up at that moment.
        assert!(SIGNER_CACHE + LONGEST_SIGNER_FAILED < SIGNER_KEPT);
        // A server that does not answer is waited for no longer than other servers, and not asked again at once.
        assert!(UNKNOWN_WEB_SIGNER <= SIGNER_RETRY && UNKNOWN_WEB_SIGNER < WEB_SIGNER && WEB_SIGNER < FETCH);
    }

    #[test]
    fn connections_to_strangers_are_closed_before_those_of_sessions() {
        assert!(FETCH_IDLE < FETCH && FETCH_IDLE < SESSION_IDLE && SESSION_IDLE < Duration::from_secs(90));
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
