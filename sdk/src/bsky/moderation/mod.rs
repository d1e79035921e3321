//! Moderation decisions: what to leave out, cover or warn of, by the settings of a viewer.
//!
//! A [`Moderation`] has the settings: what the viewer mutes and hides, and what they want to happen to content with
//! labels. Its methods look at an account, a post or something else as the server has returned it, and return a
//! [`Decision`]. From that, [`Decision::in_context`] says what to do in each part of the app.
//!
//! Nothing here talks to a server. The settings usually come from the account's
//! [`Preferences`](crate::bsky::preferences::Preferences), and the meaning of labels from [`labelers::fetch`](super::labelers::fetch):
//!
//! ```no_run
//! use atproto_sdk::{
//!     bsky::{
//!         labelers,
//!         moderation::{Context, LabelDefinitions},
//!         preferences,
//!     },
//!     oauth::OAuthClient,
//! };
//!
//! # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
//! let mut moderation = preferences::read(&client).await?.moderation([labelers::BLUESKY]);
//! moderation.viewer = Some(client.did().clone());
//!
//! // To be kept for some hours.
//! let labelers = labelers::fetch(&client, moderation.labelers.keys()).await?;
//! moderation.definitions = labelers.iter().collect::<LabelDefinitions>();
//!
//! let timeline = client.app_bsky_feed().get_timeline().labelers(moderation.accepted_labelers()).await?;
//! for item in &timeline.feed {
//!     let decision = moderation.post(&item.post);
//!     if !decision.in_context(Context::ContentList).is_filtered() {
//!         println!("{}", item.post.uri);
//!     }
//! }
//! # Ok(()) }
//! ```

mod decision;
mod definition;
mod effects;
mod muted_words;
mod posts;
mod subject;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    time::SystemTime,
};

pub use decision::{Cause, CauseKind, CauseSource, Decision, LabelCause, Treatment};
pub(super) use definition::BLUESKY;
pub use definition::{LabelDefinition, LabelDefinitions, LabelSetting, LabelTarget};
pub use effects::{Context, Effect, Effects};
pub use muted_words::{MutedWordMatch, Passage};
pub(crate) use posts::{hidden_replies, quoted};
pub use subject::{AccountRef, ListRef};

use crate::{
    api::{
        app::bsky::{
            actor::defs::{MutedWord, StatusView, ViewerState},
            feed::defs::GeneratorView,
            notification::list_notifications::Notification,
        },
        com::atproto::label::defs::Label,
    },
    types::{AtUri, Did},
    xrpc::Labeler,
};

/// How content is moderated for a viewer.
///
/// The default is that of somebody who is signed out and has chosen nothing: labels count only if their labeler is in
/// [`labelers`](field@Self::labelers), and content for adults is hidden.
///
/// ```
/// use atproto_sdk::{
///     api::{app::bsky::actor::defs::ProfileViewBasic, com::atproto::label::defs::Label},
///     bsky::moderation::{Context, Moderation},
///     datetime, did, handle,
///     types::Uri,
/// };
///
/// let labeler = did!("did:web:labeler.example.com");
/// let mut moderation = Moderation::new();
/// moderation.labelers.entry(labeler.clone()).or_default();
///
/// let mut alice = ProfileViewBasic::new(did!("did:web:alice.example.com"), handle!("alice.example.com"));
/// let time = datetime!("2026-01-02T03:04:05Z");
/// alice.labels = Some(vec![Label::new(labeler, Uri::new("did:web:alice.example.com")?, "!hide", time)]);
///
/// let decision = moderation.profile(&alice);
/// assert!(decision.in_context(Context::ProfileList).is_filtered());
/// assert!(decision.in_context(Context::ProfileView).no_override);
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Moderation {
    /// The account that looks at the content; `None` if nobody is signed in.
    pub viewer: Option<Did>,
    /// Whether the viewer has enabled content for adults.
    pub adult_content: bool,
    /// The viewer's settings for labels, whoever has attached them.
    pub labels: HashMap<String, LabelSetting>,
    /// The labelers whose labels count, with the viewer's settings for the labels of each.
    pub labelers: HashMap<Did, HashMap<String, LabelSetting>>,
    /// What labels mean that the labelers have defined.
    pub definitions: LabelDefinitions,
    /// The viewer's muted words.
    pub muted_words: Vec<MutedWord>,
    /// The posts that the viewer has hidden.
    pub hidden_posts: HashSet<AtUri>,
    now: Option<SystemTime>,
}

impl Moderation {
    /// Creates the settings of a viewer who is signed out and has chosen nothing.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::Moderation;
    ///
    /// let moderation = Moderation::new();
    /// assert!(moderation.viewer.is_none() && !moderation.adult_content);
    /// assert!(moderation.accepted_labelers().is_empty());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides as of a certain time instead of now: some labels and muted words expire.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::moderation::{Moderation, Passage},
    ///     types::Datetime,
    /// };
    ///
    /// let word = MutedWord::new("finale", vec![MutedWordTarget::Content]).expires_at(Datetime::now());
    /// let mut moderation = Moderation::new().at(SystemTime::now() - Duration::from_secs(3600));
    /// moderation.muted_words.push(word);
    /// assert_eq!(moderation.muted_words_in(&Passage::new("the finale")).len(), 1);
    ///
    /// let later = moderation.at(SystemTime::now() + Duration::from_secs(3600));
    /// assert!(later.muted_words_in(&Passage::new("the finale")).is_empty());
    /// ```
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.now = Some(time);
        self
    }

    /// Returns the labelers for the `labelers` option of calls, sorted, without those whose DIDs are not valid. What
    /// Bluesky's own labeler takes down is to be omitted from the response, as in Bluesky's own app.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     bsky::{labelers, moderation::Moderation},
    ///     did,
    /// };
    ///
    /// let mut moderation = Moderation::new();
    /// moderation.labelers.entry(labelers::BLUESKY).or_default();
    /// moderation.labelers.entry(did!("did:web:labeler.example.com")).or_default();
    /// let accepted: Vec<String> = moderation.accepted_labelers().iter().map(ToString::to_string).collect();
    /// assert_eq!(accepted, ["did:plc:ar7c4by46qjdydhdevvrndac;redact", "did:web:labeler.example.com"]);
    /// ```
    pub fn accepted_labelers(&self) -> Vec<Labeler> {
        let mut dids: Vec<_> = self.labelers.keys().filter(|did| did.is_valid()).cloned().collect();
        dids.sort();
        let accept = |did| if did == BLUESKY { Labeler::redacting(did) } else { Labeler::new(did) };
        dids.into_iter().map(accept).collect()
    }

    /// Decides about an account: by whether it is muted or blocked, and by the labels on it, but not by those on its
    /// profile.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{ProfileViewBasic, ViewerState},
    ///     bsky::moderation::{Context, Moderation},
    ///     did, handle,
    /// };
    ///
    /// let mut bob = ProfileViewBasic::new(did!("did:web:bob.example.com"), handle!("bob.example.com"));
    /// let mut viewer = ViewerState::new();
    /// viewer.muted = Some(true);
    /// bob.viewer = Some(Box::new(viewer));
    ///
    /// let decision = Moderation::new().account(&bob);
    /// assert!(decision.is_muted() && decision.in_context(Context::ContentList).is_filtered());
    /// ```
    pub fn account<'a>(&self, account: impl Into<AccountRef<'a>>) -> Decision {
        self.decide_account(&account.into())
    }

    /// Decides about an account together with its profile.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{ProfileViewBasic, ViewerState},
    ///     bsky::moderation::{Context, Moderation},
    ///     did, handle,
    /// };
    ///
    /// let mut bob = ProfileViewBasic::new(did!("did:web:bob.example.com"), handle!("bob.example.com"));
    /// let mut viewer = ViewerState::new();
    /// viewer.blocked_by = Some(true);
    /// bob.viewer = Some(Box::new(viewer));
    ///
    /// let decision = Moderation::new().profile(&bob);
    /// assert!(decision.is_blocked());
    /// assert!(decision.in_context(Context::ProfileList).is_filtered());
    /// ```
    pub fn profile<'a>(&self, account: impl Into<AccountRef<'a>>) -> Decision {
        let account = account.into();
        self.decide_account(&account).and(self.decide_profile(&account))
    }

    /// Decides about an account together with its status, which says for example that it is streaming live.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::ProfileView, bsky::moderation::{Context, Moderation}};
    ///
    /// fn shows_live(moderation: &Moderation, account: &ProfileView) -> bool {
    ///     let Some(status) = &account.status else { return false };
    ///     let decision = moderation.status(account, status);
    ///     !decision.in_context(Context::ContentList).is_filtered()
    /// }
    /// ```
    pub fn status<'a>(&self, account: impl Into<AccountRef<'a>>, status: &StatusView) -> Decision {
        let account = account.into();
        self.content(account.did, status.labels.as_deref()).and(self.profile(account))
    }

    /// Decides about a notification. Whether the post in it has muted words is not part of it: that is decided about
    /// the post.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::notification::list_notifications::Notification,
    ///     bsky::moderation::{Context, Moderation},
    /// };
    ///
    /// fn shown<'n>(moderation: &Moderation, notifications: &'n [Notification]) -> Vec<&'n Notification> {
    ///     let is_shown = |notification: &&Notification| {
    ///         !moderation.notification(notification).in_context(Context::ContentList).is_filtered()
    ///     };
    ///     notifications.iter().filter(is_shown).collect()
    /// }
    /// ```
    pub fn notification(&self, notification: &Notification) -> Decision {
        self.content(&notification.author.did, notification.labels.as_deref())
            .and(self.profile(&notification.author))
    }

    /// Decides about a feed together with its creator.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::GeneratorView, bsky::moderation::{Context, Moderation}};
    ///
    /// fn shown<'f>(moderation: &Moderation, feeds: &'f [GeneratorView]) -> Vec<&'f GeneratorView> {
    ///     let is_shown = |feed: &&GeneratorView| {
    ///         !moderation.feed_generator(feed).in_context(Context::ContentList).is_filtered()
    ///     };
    ///     feeds.iter().filter(is_shown).collect()
    /// }
    /// ```
    pub fn feed_generator(&self, feed: &GeneratorView) -> Decision {
        self.content(&feed.creator.did, feed.labels.as_deref()).and(self.profile(&feed.creator))
    }

    /// Decides about a list, together with its creator if the view has it.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::graph::defs::ListView, bsky::moderation::{Context, Moderation}};
    ///
    /// fn shown<'l>(moderation: &Moderation, lists: &'l [ListView]) -> Vec<&'l ListView> {
    ///     let is_shown =
    ///         |list: &&ListView| !moderation.list(*list).in_context(Context::ContentList).is_filtered();
    ///     lists.iter().filter(is_shown).collect()
    /// }
    /// ```
    pub fn list<'a>(&self, list: impl Into<ListRef<'a>>) -> Decision {
        let list = list.into();
        match list.creator {
            Some(creator) => self.content(creator.did, Some(list.labels)).and(self.profile(creator)),
            None => match list.uri.did() {
                Some(did) => self.content(&did, Some(list.labels)),
                // A list of an unknown account has no labels of its own account.
                None => self.content(&NOBODY, Some(list.labels)),
            },
        }
    }

    /// Returns the muted words that a text contains.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::moderation::{Moderation, Passage},
    /// };
    ///
    /// let mut moderation = Moderation::new();
    /// moderation.muted_words.push(MutedWord::new("spoiler", vec![MutedWordTarget::Content]));
    /// let matches = moderation.muted_words_in(&Passage::new("A Spoiler follows"));
    /// assert_eq!(matches[0].word.value, "spoiler");
    /// ```
    pub fn muted_words_in(&self, passage: &Passage<'_>) -> Vec<MutedWordMatch> {
        passage.matches(&self.muted_words, self.now())
    }

    fn now(&self) -> SystemTime {
        self.now.unwrap_or_else(SystemTime::now)
    }

    fn undecided(&self, did: &Did) -> Decision {
        Decision { did: did.clone(), is_own: self.viewer.as_ref() == Some(did), causes: Vec::new() }
    }

    fn decide_account(&self, account: &AccountRef<'_>) -> Decision {
        let mut decision = self.undecided(account.did);
        if let Some(viewer) = account.viewer {
            add_relation(&mut decision, viewer);
        }
        // A profile that is for accounts only is an account that is.
        let counts = |label: &&Label| !is_on_profile(label) || label.val == "!no-unauthenticated";
        for label in account.labels.iter().filter(counts) {
            self.add_label(&mut decision, LabelTarget::Account, label);
        }
        decision
    }

    fn decide_profile(&self, account: &AccountRef<'_>) -> Decision {
        let mut decision = self.undecided(account.did);
        for label in account.labels.iter().filter(|label| is_on_profile(label)) {
            self.add_label(&mut decision, LabelTarget::Profile, label);
        }
        decision
    }

    /// Decides about something that the account has published, by its labels.
    fn content(&self, author: &Did, labels: Option<&[Label]>) -> Decision {
        let mut decision = self.undecided(author);
        for label in labels.unwrap_or_default() {
            self.add_label(&mut decision, LabelTarget::Content, label);
        }
        decision
    }

    /// Adds a label, if it has an effect for this viewer.
    fn add_label(&self, decision: &mut Decision, target: LabelTarget, label: &Label) {
        let is_by_author = label.src == decision.did;
        let subscribed = self.labelers.get(&label.src);
        if !(is_by_author || subscribed.is_some()) || !self.is_in_force(label) {
            return;
        }
        let Some(definition) = self.definitions.get(&label.src, &label.val) else { return };
        if (is_by_author && !definition.is_for_authors)
            || (definition.is_for_signed_out && self.viewer.is_some())
        {
            return;
        }
        let is_forbidden = definition.is_adult && !self.adult_content;
        // What the author says about themselves is not a matter of a labeler, even if the author is one.
        let for_labeler = subscribed.filter(|_| !is_by_author).and_then(|settings| settings.get(&label.val));
        let setting = match (definition.is_configurable, is_forbidden) {
            (false, _) => definition.default_setting,
            (true, true) => LabelSetting::Hide,
            (true, false) => {
                let chosen = for_labeler.or_else(|| self.labels.get(&label.val));
                chosen.copied().unwrap_or(definition.default_setting)
            }
        };
        if setting == LabelSetting::Ignore {
            return;
        }
        let source = match is_by_author {
            true => CauseSource::User,
            false => CauseSource::Labeler(label.src.clone()),
        };
        let forbids_override = definition.forbids_override || is_forbidden;
        let cause = LabelCause {
            label: label.clone(),
            definition: definition.into_owned(),
            target,
            setting,
            forbids_override,
        };
        decision.causes.push(Cause::new(CauseKind::Label(Box::new(cause)), source));
    }

    /// Whether a label says something at all: it may take another one back, or have expired. Servers do not usually
    /// send those.
    fn is_in_force(&self, label: &Label) -> bool {
        let end = label.exp.as_ref().and_then(|end| end.to_system_time());
        label.neg != Some(true) && end.is_none_or(|end| end > self.now())
    }
}

/// A DID that no account has.
const NOBODY: Did = Did::__literal("did:web:invalid");

/// Labels on the profile record are about the profile, all others about the account.
fn is_on_profile(label: &Label) -> bool {
    label.uri.as_str().ends_with("/app.bsky.actor.profile/self")
}

/// Adds what is between the viewer and the account.
fn add_relation(decision: &mut Decision, viewer: &ViewerState) {
    let of_list = |list: &Option<Box<_>>| list.clone().map_or(CauseSource::User, CauseSource::List);
    if viewer.muted == Some(true) {
        decision.causes.push(Cause::new(CauseKind::Muted, of_list(&viewer.muted_by_list)));
    }
    if viewer.blocking.is_some() {
        decision.causes.push(Cause::new(CauseKind::Blocking, of_list(&viewer.blocking_by_list)));
    }
    if viewer.blocked_by == Some(true) {
        decision.causes.push(Cause::new(CauseKind::BlockedBy, CauseSource::User));
    }
}
