//! The cookies of a browser: one for each account that is signed in, and one for each sign-in in progress.
//!
//! A browser sends several requests at once, from several tabs, and each response sets cookies without knowing of the
//! others. Because every account and every sign-in has a cookie of its own, a response changes only what its request
//! was about.

mod jar;
mod logins;
mod sessions;

pub(super) use jar::Jar;
pub(super) use sessions::Sessions;

/// The maximum number of accounts that are signed in at once in a browser; one more replaces the oldest.
const MAX_ACCOUNTS: usize = 16;
/// The maximum number of sign-ins in progress in a browser, in several tabs for example.
const MAX_LOGINS: usize = 8;
/// The maximum size of a `Set-Cookie` header in bytes. Browsers drop a longer cookie without saying so: today's count
/// its name and value, older ones the attributes as well.
const MAX_COOKIE: usize = 4096;
/// The maximum size in bytes of what all accounts add to the browser's requests. Many servers accept 8 KiB of headers.
const MAX_ACCOUNT_COOKIES: usize = 4096;
/// How many cookies of a kind are read from a request.
const MAX_READ: usize = 64;

/// Milliseconds since 1970.
fn now() -> i64 {
    i64::try_from(crate::clock::since_1970().as_millis()).unwrap_or(i64::MAX)
}
