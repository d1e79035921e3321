//! The private preferences of an account: read, changed and written back.
//!
//! The server keeps them as one list, which is written as a whole. [`update`] reads it, has a function change it, and
//! writes it back, with everything in it that this version does not know. The server does not notice if somebody else
//! has written in between, so the changes of an account are made one after the other by all clients of this process.
//! Other processes are not waited for: if two change the preferences of one account at the same moment, one of the
//! changes is lost.
//!
//! ```no_run
//! use atproto_sdk::{
//!     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
//!     bsky::preferences,
//!     oauth::OAuthClient,
//! };
//!
//! # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
//! preferences::update(&client, |preferences| {
//!     preferences.set_adult_content(false);
//!     preferences.mute_word(MutedWord::new("spoiler", vec![MutedWordTarget::Content, MutedWordTarget::Tag]));
//! })
//! .await?;
//! # Ok(()) }
//! ```
//!
//! Preferences are a matter of the account's own server, not of Bluesky's. A profile is a public record, which the
//! server does compare when it is replaced: [`update_profile`] loses no change of anybody.

mod feeds;
mod kinds;
mod labels;
mod muted_words;
mod profile;
#[cfg(test)]
mod tests;
mod turn;

use std::time::Duration;

pub use kinds::Preference;
pub use profile::{UpdateProfileError, update_profile};

use super::moderation::Moderation;
use crate::{
    api::app::bsky::actor::{
        defs::{PreferencesItem, ThreadViewPref},
        get_preferences, put_preferences,
    },
    types::{AtUri, Data as _, DataError, Datetime, Did, Extra, Unknown, Violations},
    xrpc::{Call, Caller, DecodeError, Error, InvalidRequest, Method as _, Transport},
};

/// Why preferences could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreferencesError {
    /// They could not be read; nothing was changed.
    #[error("the preferences could not be read, and were not changed")]
    Read(#[source] Box<Error<get_preferences::Error>>),
    /// They could not be written. Whether the server has taken them is not known if there was no answer: the same
    /// change can be made again.
    #[error("the changed preferences could not be written; the same change can be made again")]
    Write(#[source] Box<Error<put_preferences::Error>>),
    /// Other changes of the same account have not ended; nothing was changed.
    #[error("other changes of these preferences have not ended after {} seconds: try again later", waited.as_secs())]
    Busy {
        /// How long they were waited for.
        waited: Duration,
    },
}

/// Reads the preferences of the signed-in account.
///
/// A preference that cannot be read, because a field has another type than its lexicon says, costs no other one: it is kept
/// as [`PreferencesItem::Other`].
///
/// ```no_run
/// use atproto_sdk::{bsky::preferences, oauth::OAuthClient};
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let preferences = preferences::read(&client).await?;
/// for word in preferences.muted_words() {
///     println!("{}", word.value);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`PreferencesError::Read`] if the call fails.
pub async fn read(client: &dyn Transport) -> Result<Preferences, PreferencesError> {
    let call: Call<'_, get_preferences::GetPreferences> =
        Call::new(Caller::new(client), get_preferences::Params::new(), ());
    let read = async {
        let answer = call.send_untyped().await?.output;
        let unreadable =
            |problem| DecodeError::Json { nsid: get_preferences::GetPreferences::NSID.into(), problem };
        Ok(items_of(&answer).map_err(unreadable)?)
    };
    let items = read.await.map_err(|error| PreferencesError::Read(Box::new(error)))?;
    Ok(Preferences { items })
}

/// The preferences in an answer. Those that cannot be read are kept as they are.
fn items_of(answer: &Unknown) -> Result<Vec<PreferencesItem>, DataError> {
    let problem = match answer.decode::<get_preferences::Output>() {
        Ok(output) => return Ok(output.preferences),
        Err(problem) => problem,
    };
    let items =
        answer.get("preferences").and_then(|items| items.decode::<Vec<Unknown>>().ok()).ok_or(problem)?;
    Ok(items.into_iter().map(|item| item.decode().unwrap_or(PreferencesItem::Other(item))).collect())
}

/// Changes the preferences of the signed-in account: reads them, calls a function, and writes back what it has made
/// of them. Returns what the function returns. Nothing is written if it changes nothing.
///
/// Changes of one account are made one after the other; the calls of one end before the next begins. If the future is
/// dropped, the change may or may not be made.
///
/// What other apps have written is written back as it was read, even if it does not match the lexicon; only what the
/// function has added is checked.
///
/// ```no_run
/// use atproto_sdk::{at_uri, bsky::preferences, oauth::OAuthClient};
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let post = at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
/// let was_hidden = preferences::update(&client, |preferences| !preferences.hide_post(post)).await?;
/// # let _ = was_hidden;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// See [`PreferencesError`].
pub async fn update<T>(
    client: &dyn Transport,
    change: impl FnOnce(&mut Preferences) -> T,
) -> Result<T, PreferencesError> {
    let _turn = turn::of(client.account()).await?;
    let mut preferences = read(client).await?;
    let before = preferences.items.clone();
    let result = change(&mut preferences);
    if preferences.items != before {
        // What the server derives from others is not for clients to write.
        preferences.items.retain(|item| !is_derived(item));
        let problem =
            if client.settings().validates_input { added(before, &preferences.items) } else { None };
        let problem = problem.map(|problem| InvalidRequest::Violations {
            nsid: put_preferences::PutPreferences::NSID.into(),
            problem,
        });
        let input = put_preferences::Input::new(preferences.items);
        let call: Call<'_, put_preferences::PutPreferences> =
            Call::new(Caller::new(client), put_preferences::Params::new(), input);
        call.checked()
            .with_problem(problem)
            .await
            .map_err(|error| PreferencesError::Write(Box::new(error)))?;
    }
    Ok(result)
}

/// Whether the server derives a preference from others, be it readable or not.
fn is_derived(item: &PreferencesItem) -> bool {
    match item {
        PreferencesItem::DeclaredAgePref(_) => true,
        PreferencesItem::Other(item) => {
            item.type_name().as_deref() == Some("app.bsky.actor.defs#declaredAgePref")
        }
        _ => false,
    }
}

/// What does not match the lexicon in preferences, and was not so before. The same can be elsewhere now, because
/// preferences and what they consist of are moved.
fn added(before: Vec<PreferencesItem>, after: &[PreferencesItem]) -> Option<Violations> {
    let mut problem = put_preferences::Input::new(after.to_vec()).validate().err()?;
    if let Err(known) = put_preferences::Input::new(before).validate() {
        problem.violations.retain(|new| known.violations.iter().all(|known| known.kind != new.kind));
    }
    (!problem.violations.is_empty()).then_some(problem)
}

/// Keeps the fields of something that is replaced that its lexicon does not define, such as those of newer apps.
fn keep_extra(new: &mut Extra, replaced: &Extra) {
    for (name, value) in replaced.iter() {
        if new.get(name).is_none() {
            new.insert(name, value.clone());
        }
    }
}

/// The preferences of an account.
///
/// Each kind of preference can be read and changed by its generated type ([`get`](Self::get), [`edit`](Self::edit)).
/// For what apps need most, there are methods of their own. What this version does not know is kept.
///
/// ```
/// use atproto_sdk::{
///     api::app::bsky::actor::defs::{InterestsPref, VerificationPrefs},
///     bsky::preferences::Preferences,
/// };
///
/// let mut preferences = Preferences::new();
/// assert!(preferences.get::<InterestsPref>().is_none());
///
/// preferences.set(InterestsPref::new(vec!["science".into()]));
/// assert_eq!(preferences.get::<InterestsPref>().unwrap().tags, ["science"]);
///
/// preferences.edit(|verification: &mut VerificationPrefs| verification.hide_badges = Some(true));
/// assert_eq!(preferences.items().len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preferences {
    items: Vec<PreferencesItem>,
}

impl Preferences {
    /// Creates preferences of somebody who has chosen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the preferences as the server keeps them.
    pub fn items(&self) -> &[PreferencesItem] {
        &self.items
    }

    /// Returns the preferences as the server keeps them, to be changed.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::PreferencesItem, bsky::preferences::Preferences};
    ///
    /// let mut preferences = Preferences::new();
    /// // Nothing of what this version does not know.
    /// preferences.items_mut().retain(|item| !matches!(item, PreferencesItem::Other(_)));
    /// ```
    pub fn items_mut(&mut self) -> &mut Vec<PreferencesItem> {
        &mut self.items
    }

    /// Returns the preference of a kind, or `None` if nothing was chosen. If there are several, it is the last.
    ///
    /// See [`Preferences`] for an example.
    pub fn get<P: Preference>(&self) -> Option<&P> {
        self.items.iter().rev().find_map(P::of)
    }

    /// Changes the preference of a kind, which is created if nothing was chosen.
    ///
    /// See [`Preferences`] for an example.
    pub fn edit<P: Preference + Default>(&mut self, change: impl FnOnce(&mut P)) {
        let mut preference = self.get::<P>().cloned().unwrap_or_default();
        change(&mut preference);
        self.set(preference);
    }

    /// Sets the preference of a kind, as a whole: [`edit`](Self::edit) keeps the fields that this version does not know.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::LiveEventPreferences, bsky::preferences::Preferences};
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.set(LiveEventPreferences::new().hide_all_feeds(true));
    /// assert!(preferences.get::<LiveEventPreferences>().unwrap().hide_all_feeds_or_default());
    /// ```
    pub fn set<P: Preference>(&mut self, preference: P) {
        self.set_where(preference, |_| true);
    }

    /// Removes the preference of a kind.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::InterestsPref, bsky::preferences::Preferences};
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.set(InterestsPref::new(vec!["science".into()]));
    /// preferences.remove::<InterestsPref>();
    /// assert!(preferences.items().is_empty());
    /// ```
    pub fn remove<P: Preference>(&mut self) {
        self.items.retain(|item| P::of(item).is_none());
    }

    /// Sets the last preference of a kind that meets a condition, in its place, and removes the others, which readers
    /// might take for it.
    fn set_where<P: Preference>(&mut self, preference: P, meets: impl Fn(&P) -> bool) {
        let is_meant = |item: &PreferencesItem| P::of(item).is_some_and(&meets);
        let Some(last) = self.items.iter().rposition(is_meant) else {
            self.items.push(preference.into());
            return;
        };
        self.items[last] = preference.into();
        let mut at = 0;
        self.items.retain(|item| {
            at += 1;
            at > last || !is_meant(item)
        });
    }

    /// Returns the posts that the viewer has hidden.
    pub fn hidden_posts(&self) -> &[AtUri] {
        self.get::<kinds::HiddenPostsPref>().map_or(&[], |hidden| &hidden.items)
    }

    /// Hides a post. Returns whether it was not hidden before.
    ///
    /// ```
    /// use atproto_sdk::{at_uri, bsky::preferences::Preferences};
    ///
    /// let post = at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
    /// let mut preferences = Preferences::new();
    /// assert!(preferences.hide_post(post.clone()));
    /// assert!(!preferences.hide_post(post.clone()));
    /// assert!(preferences.unhide_post(&post));
    /// assert!(preferences.hidden_posts().is_empty());
    /// ```
    pub fn hide_post(&mut self, post: AtUri) -> bool {
        let is_new = !self.hidden_posts().contains(&post);
        if is_new {
            let mut hidden = self.get().cloned().unwrap_or_else(|| kinds::HiddenPostsPref::new(Vec::new()));
            hidden.items.push(post);
            self.set(hidden);
        }
        is_new
    }

    /// Shows a post again. Returns whether it was hidden.
    pub fn unhide_post(&mut self, post: &AtUri) -> bool {
        let Some(mut hidden) = self.get::<kinds::HiddenPostsPref>().cloned() else { return false };
        let before = hidden.items.len();
        hidden.items.retain(|found| found != post);
        let was_hidden = hidden.items.len() < before;
        if was_hidden {
            self.set(hidden);
        }
        was_hidden
    }

    /// Returns the viewer's interests.
    pub fn interests(&self) -> &[String] {
        self.get::<kinds::InterestsPref>().map_or(&[], |interests| &interests.tags)
    }

    /// Sets the viewer's interests.
    ///
    /// ```
    /// use atproto_sdk::bsky::preferences::Preferences;
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.set_interests(["science", "books"]);
    /// assert_eq!(preferences.interests(), ["science", "books"]);
    /// ```
    pub fn set_interests(&mut self, tags: impl IntoIterator<Item = impl Into<String>>) {
        let mut interests = self.get().cloned().unwrap_or_else(|| kinds::InterestsPref::new(Vec::new()));
        interests.tags = tags.into_iter().map(Into::into).collect();
        interests.updated_at = Some(Datetime::now());
        self.set(interests);
    }

    /// Returns how the viewer wants threads sorted.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{ThreadViewPref, ThreadViewPrefSort},
    ///     bsky::preferences::Preferences,
    /// };
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.set(ThreadViewPref::new().sort("newest"));
    /// assert_eq!(preferences.thread_view().sort, Some(ThreadViewPrefSort::Newest));
    /// ```
    pub fn thread_view(&self) -> ThreadViewPref {
        self.get().cloned().unwrap_or_default()
    }

    /// Returns how content is moderated by these preferences. The labels of `app_labelers` count for everybody who
    /// uses the app; Bluesky's own app has [`labelers::BLUESKY`](crate::bsky::labelers::BLUESKY) there.
    ///
    /// The app sets [`viewer`](field@Moderation::viewer) and [`definitions`](field@Moderation::definitions).
    ///
    /// ```
    /// use atproto_sdk::{
    ///     bsky::{labelers, moderation::LabelSetting, preferences::Preferences},
    ///     did,
    /// };
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.subscribe_labeler(did!("did:web:labeler.example.com"));
    /// preferences.set_label("sexual", LabelSetting::Hide);
    ///
    /// let moderation = preferences.moderation([labelers::BLUESKY]);
    /// assert_eq!(moderation.labelers.len(), 2);
    /// assert_eq!(moderation.labels["sexual"], LabelSetting::Hide);
    /// ```
    pub fn moderation(&self, app_labelers: impl IntoIterator<Item = Did>) -> Moderation {
        let mut moderation = Moderation::new();
        moderation.adult_content = self.adult_content();
        moderation.labelers = app_labelers
            .into_iter()
            .chain(self.labelers().cloned())
            .map(|did| (did, Default::default()))
            .collect();
        self.add_label_settings(&mut moderation);
        moderation.muted_words = self.muted_words().to_vec();
        moderation.hidden_posts = self.hidden_posts().iter().cloned().collect();
        moderation
    }
}

impl From<Vec<PreferencesItem>> for Preferences {
    fn from(items: Vec<PreferencesItem>) -> Self {
        Self { items }
    }
}

impl From<Preferences> for Vec<PreferencesItem> {
    fn from(preferences: Preferences) -> Self {
        preferences.items
    }
}
