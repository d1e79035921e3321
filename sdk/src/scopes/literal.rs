//! Scopes that are computed at compile time.

use super::{
    minimal::{self, Mark},
    need::{Kind, Need},
};
use crate::types::Nsid;

/// Computes the minimal scope for the operations of an app, at compile time. Returns a `&'static str`.
///
/// The operations are given by the functions of [`needs`](crate::scopes::needs), which need not be imported. The scope starts
/// with `atproto`, has the canonical form, and is as short as possible: permissions that others include are omitted, and
/// permissions for the same collection or the same service are merged.
///
/// ```
/// use atproto_sdk::{
///     api::app::bsky::{actor::get_profile::GetProfile, feed::{get_timeline::GetTimeline, like::Like, post::Post}},
///     oauth::ClientMetadata,
///     scopes,
/// };
///
/// const SCOPE: &str = scopes![
///     create::<Post>(), update::<Post>(), delete::<Post>(), create::<Like>(),
///     call::<GetTimeline>("did:web:api.bsky.app#bsky_appview"),
///     call::<GetProfile>("did:web:api.bsky.app#bsky_appview"),
///     upload("image/*"), upload("image/png"),
///     account(EMAIL),
/// ];
/// assert_eq!(
///     SCOPE,
///     "atproto account:email blob:image/* \
///      repo:app.bsky.feed.like?action=create repo:app.bsky.feed.post \
///      rpc?lxm=app.bsky.actor.getProfile&lxm=app.bsky.feed.getTimeline&aud=did:web:api.bsky.app%23bsky_appview",
/// );
/// let metadata = ClientMetadata::loopback().scope(SCOPE);
/// ```
///
/// Invalid operations do not compile, such as a service without an id,
///
/// ```compile_fail,E0080
/// use atproto_sdk::{api::app::bsky::feed::get_timeline::GetTimeline, scopes};
/// const SCOPE: &str = scopes![call::<GetTimeline>("did:web:api.bsky.app")];
/// ```
///
/// an invalid MIME type pattern,
///
/// ```compile_fail,E0080
/// const SCOPE: &str = atproto_sdk::scopes![upload("*/png")];
/// ```
///
/// or all methods of all services.
///
/// ```compile_fail,E0080
/// const SCOPE: &str = atproto_sdk::scopes![call_all(ANY)];
/// ```
#[macro_export]
macro_rules! scopes {
    ($($need:expr),* $(,)?) => {{
        const NEEDS: &[$crate::scopes::Need<'static>] = {
            #[allow(unused_imports)]
            use $crate::scopes::needs::*;
            &[$($need),*]
        };
        const COUNT: usize = NEEDS.len();
        // The compiler limits the number of steps to detect endless loops. A hundred needs take more, but terminate.
        #[allow(long_running_const_eval)]
        const WORDS: usize = $crate::scopes::__words_length::<COUNT>(NEEDS);
        const LENGTH: usize = $crate::scopes::__text_length(WORDS);
        #[allow(long_running_const_eval)]
        const TEXT: [u8; LENGTH] = $crate::scopes::__text::<COUNT, WORDS, LENGTH>(NEEDS);
        const SCOPE: &str = $crate::scopes::__str(&TEXT);
        SCOPE
    }};
}

/// Checks the needs, and returns the length of their words. An invalid need does not compile.
#[doc(hidden)]
#[track_caller]
pub const fn __words_length<const COUNT: usize>(needs: &'static [Need<'static>]) -> usize {
    let mut at = 0;
    while at < needs.len() {
        if let Err(problem) = minimal::check(&needs[at]) {
            panic!("{}", problem);
        }
        let nsid = match needs[at].0 {
            Kind::Repo { collection, .. } => collection,
            Kind::Rpc { method, .. } => method,
            Kind::Include { set, .. } => set,
            _ => "*",
        };
        // Generated types have valid NSIDs. This is for types that were written by hand.
        if nsid.len() != 1 {
            std::mem::forget(Nsid::__literal(nsid));
        }
        at += 1;
    }
    minimal::words_length(needs, &marks::<COUNT>(needs))
}

const fn marks<const COUNT: usize>(needs: &[Need<'_>]) -> [Mark; COUNT] {
    let mut marks = [Mark::NONE; COUNT];
    minimal::mark(needs, &mut marks);
    marks
}

#[doc(hidden)]
pub const fn __text_length(words: usize) -> usize {
    minimal::text_length(words)
}

#[doc(hidden)]
pub const fn __text<const COUNT: usize, const WORDS: usize, const LENGTH: usize>(
    needs: &[Need<'_>],
) -> [u8; LENGTH] {
    let (mut words, mut text) = ([0; WORDS], [0; LENGTH]);
    minimal::write_words(needs, &marks::<COUNT>(needs), &mut words);
    minimal::write_text(&words, &mut text);
    text
}

#[doc(hidden)]
pub const fn __str(text: &'static [u8]) -> &'static str {
    match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(_) => panic!("the scope is not valid UTF-8"),
    }
}
