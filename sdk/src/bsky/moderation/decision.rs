//! Decisions: what they are based on, and what follows from them in each context.

use super::{
    LabelDefinition, LabelSetting, LabelTarget,
    effects::{ASIDE, BLOCKED, Context, Effect, Effects, MUTED, UNWANTED},
    muted_words::MutedWordMatch,
};
use crate::{
    api::{app::bsky::graph::defs::ListViewBasic, com::atproto::label::defs::Label},
    types::Did,
};

/// Why something is moderated.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Cause {
    /// What is the matter.
    pub kind: CauseKind,
    /// On whose behalf.
    pub source: CauseSource,
    /// Whether it is about a quoted post, not about the one that is shown. Such a cause keeps the post out of lists,
    /// and has no other effect on it: the app decides about the quote itself with
    /// [`Moderation::quote`](super::Moderation::quote).
    pub is_of_quote: bool,
}

/// What is the matter with something that is moderated.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CauseKind {
    /// The viewer blocks the account.
    Blocking,
    /// The account blocks the viewer.
    BlockedBy,
    /// The viewer mutes the account.
    Muted,
    /// The post contains words that the viewer mutes.
    MutedWords(Vec<MutedWordMatch>),
    /// The viewer has hidden the post.
    Hidden,
    /// The author of the thread has hidden the reply, for everybody.
    HiddenByThreadAuthor,
    /// It is labelled.
    Label(Box<LabelCause>),
}

/// A label that has an effect.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LabelCause {
    /// The label.
    pub label: Label,
    /// What it means.
    pub definition: LabelDefinition,
    /// What it is attached to.
    pub target: LabelTarget,
    /// The viewer's setting; never [`LabelSetting::Ignore`].
    pub setting: LabelSetting,
    /// Whether the viewer may not look behind the cover: because of the label, or because it marks content for
    /// adults, which the viewer has not enabled.
    pub forbids_override: bool,
}

/// On whose behalf something is moderated.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CauseSource {
    /// The viewer, or the author for labels that authors attach themselves and for the replies that they hide.
    User,
    /// A list that the viewer has subscribed to.
    List(Box<ListViewBasic>),
    /// A labeler.
    Labeler(Did),
}

impl Cause {
    pub(super) fn new(kind: CauseKind, source: CauseSource) -> Self {
        Self { kind, source, is_of_quote: false }
    }

    /// Returns the effects, apart from keeping something out of lists.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::{Cause, Context};
    ///
    /// fn has_effect_on_avatar(cause: &Cause) -> bool {
    ///     cause.effects().in_context(Context::Avatar).is_some()
    /// }
    /// ```
    pub fn effects(&self) -> Effects {
        match &self.kind {
            _ if self.is_of_quote => Effects::NONE,
            CauseKind::Blocking | CauseKind::BlockedBy => BLOCKED,
            CauseKind::Muted => MUTED,
            CauseKind::MutedWords(_) | CauseKind::Hidden => UNWANTED,
            CauseKind::HiddenByThreadAuthor => ASIDE,
            CauseKind::Label(label) => label.definition.effects(label.target),
        }
    }

    /// Whether it is reason enough to leave something out there.
    fn filters(&self, context: Context) -> bool {
        match &self.kind {
            _ if !context.is_list() => false,
            CauseKind::Blocking | CauseKind::BlockedBy | CauseKind::Muted | CauseKind::Hidden => true,
            CauseKind::MutedWords(_) | CauseKind::HiddenByThreadAuthor => context == Context::ContentList,
            CauseKind::Label(label) => {
                label.setting == LabelSetting::Hide
                    && match label.target {
                        LabelTarget::Account => true,
                        LabelTarget::Content => context == Context::ContentList,
                        LabelTarget::Profile => false,
                    }
            }
        }
    }

    fn forbids_override(&self) -> bool {
        match &self.kind {
            CauseKind::Blocking | CauseKind::BlockedBy => true,
            CauseKind::Label(label) => label.forbids_override,
            _ => false,
        }
    }

    /// The rank among several causes: what cannot be undone comes first, then what the viewer has decided about the
    /// account, then the rest.
    fn rank(&self) -> u8 {
        match &self.kind {
            CauseKind::Label(label) if label.forbids_override => 1,
            CauseKind::Label(label) if label.setting == LabelSetting::Hide => 2,
            CauseKind::Blocking => 3,
            CauseKind::BlockedBy => 4,
            CauseKind::Muted
            | CauseKind::MutedWords(_)
            | CauseKind::Hidden
            | CauseKind::HiddenByThreadAuthor => 6,
            CauseKind::Label(label) => match label.definition.effects(label.target).severity() {
                2 => 5,
                1 => 7,
                _ => 8,
            },
        }
    }
}

/// What a viewer's settings say about an account or something that it has published; made by the methods of
/// [`Moderation`](super::Moderation).
///
/// A decision has the causes; [`in_context`](Self::in_context) says what follows from them in a part of the app.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// The account that is responsible for the subject.
    pub did: Did,
    /// Whether that is the viewer, from whom nothing of their own is kept unless they have hidden it.
    pub is_own: bool,
    /// The causes, in the order in which they were found.
    pub causes: Vec<Cause>,
}

impl Decision {
    /// Returns what to do in a part of the app.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::defs::PostView,
    ///     bsky::moderation::{Context, Moderation},
    /// };
    ///
    /// fn show(moderation: &Moderation, post: &PostView) {
    ///     let decision = moderation.post(post);
    ///     let in_feed = decision.in_context(Context::ContentList);
    ///     if in_feed.is_filtered() {
    ///         return;
    ///     }
    ///     let media = decision.in_context(Context::ContentMedia);
    ///     match (media.is_blurred(), media.no_override) {
    ///         (false, _) => println!("{} with pictures", post.uri),
    ///         (true, false) => println!("{} with covered pictures", post.uri),
    ///         (true, true) => println!("{} without pictures", post.uri),
    ///     }
    /// }
    /// ```
    pub fn in_context(&self, context: Context) -> Treatment<'_> {
        let mut treatment = Treatment::default();
        for cause in &self.causes {
            // The viewer does not mute or block themselves, but may hide a post of their own. Labels are shown, so
            // that they know of them.
            let is_hidden = matches!(cause.kind, CauseKind::Hidden);
            if self.is_own && !is_hidden && !matches!(cause.kind, CauseKind::Label(_)) {
                continue;
            }
            if cause.filters(context) && (is_hidden || !self.is_own) {
                treatment.filters.push(cause);
            }
            match cause.effects().in_context(context) {
                Some(Effect::Blur) => {
                    treatment.blurs.push(cause);
                    treatment.no_override |= cause.forbids_override() && !self.is_own;
                }
                Some(Effect::Alert) => treatment.alerts.push(cause),
                Some(Effect::Inform) => treatment.informs.push(cause),
                None => {}
            }
        }
        treatment.filters.sort_by_key(|cause| cause.rank());
        treatment.blurs.sort_by_key(|cause| cause.rank());
        treatment
    }

    /// Returns whether the account blocks the viewer or is blocked.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::Decision;
    ///
    /// fn can_message(decision: &Decision) -> bool {
    ///     !decision.is_blocked() && !decision.is_muted()
    /// }
    /// ```
    pub fn is_blocked(&self) -> bool {
        self.causes.iter().any(|cause| matches!(cause.kind, CauseKind::Blocking | CauseKind::BlockedBy))
    }

    /// Returns whether the account is muted.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{ProfileViewBasic, ViewerState},
    ///     bsky::moderation::Moderation,
    ///     did, handle,
    /// };
    ///
    /// let mut bob = ProfileViewBasic::new(did!("did:web:bob.example.com"), handle!("bob.example.com"));
    /// assert!(!Moderation::new().account(&bob).is_muted());
    /// let mut viewer = ViewerState::new();
    /// viewer.muted = Some(true);
    /// bob.viewer = Some(Box::new(viewer));
    /// assert!(Moderation::new().account(&bob).is_muted());
    /// ```
    pub fn is_muted(&self) -> bool {
        self.causes.iter().any(|cause| matches!(cause.kind, CauseKind::Muted))
    }

    /// Returns the labels that have an effect.
    ///
    /// ```
    /// use atproto_sdk::{bsky::moderation::Decision, types::Language};
    ///
    /// fn names(decision: &Decision, languages: &[Language]) -> Vec<String> {
    ///     let named = |definition: &atproto_sdk::bsky::moderation::LabelDefinition| {
    ///         definition.strings(languages).map(|strings| strings.name.clone())
    ///     };
    ///     decision.labels().filter_map(|cause| named(&cause.definition)).collect()
    /// }
    /// ```
    pub fn labels(&self) -> impl Iterator<Item = &LabelCause> {
        self.causes.iter().filter_map(|cause| match &cause.kind {
            CauseKind::Label(label) => Some(&**label),
            _ => None,
        })
    }

    /// Adds the causes of another decision, about something that belongs to the same subject.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.causes.extend(other.causes);
        self
    }

    /// The same decision as part of one about the post that quotes it.
    #[must_use]
    pub(super) fn of_quote(mut self) -> Self {
        self.causes.iter_mut().for_each(|cause| cause.is_of_quote = true);
        self
    }
}

/// What to do with a subject in one part of an app; made by [`Decision::in_context`].
///
/// ```
/// use atproto_sdk::bsky::moderation::{CauseKind, Treatment};
///
/// /// What is written on the cover, or beside the content.
/// fn notice(treatment: &Treatment<'_>) -> Option<String> {
///     let cause = treatment.blurs.iter().chain(&treatment.alerts).chain(&treatment.informs).next()?;
///     Some(match &cause.kind {
///         CauseKind::Blocking => "You block this account".to_owned(),
///         CauseKind::BlockedBy => "This account blocks you".to_owned(),
///         CauseKind::Muted => "You mute this account".to_owned(),
///         CauseKind::MutedWords(matches) => format!("It has the muted word {}", matches.first()?.word.value),
///         CauseKind::Label(label) => format!("It is labelled {}", label.definition.identifier),
///         _ => "It is hidden".to_owned(),
///     })
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Treatment<'d> {
    /// Why it is left out, most important first.
    pub filters: Vec<&'d Cause>,
    /// Why it is covered, most important first.
    pub blurs: Vec<&'d Cause>,
    /// What to warn of.
    pub alerts: Vec<&'d Cause>,
    /// What to note.
    pub informs: Vec<&'d Cause>,
    /// Whether the viewer may not look behind the cover.
    pub no_override: bool,
}

impl Treatment<'_> {
    /// Returns whether to leave it out.
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
    /// assert!(decision.in_context(Context::ContentList).is_filtered());
    /// // On the page of the account itself, nothing is left out.
    /// assert!(!decision.in_context(Context::ProfileView).is_filtered());
    /// ```
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Returns whether to cover it. The first of [`blurs`](field@Self::blurs) is the reason to name.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{ProfileViewBasic, ViewerState},
    ///     bsky::moderation::{CauseKind, Context, Moderation},
    ///     did, handle,
    /// };
    ///
    /// let mut bob = ProfileViewBasic::new(did!("did:web:bob.example.com"), handle!("bob.example.com"));
    /// let mut viewer = ViewerState::new();
    /// viewer.blocked_by = Some(true);
    /// bob.viewer = Some(Box::new(viewer));
    ///
    /// let decision = Moderation::new().account(&bob);
    /// let avatar = decision.in_context(Context::Avatar);
    /// assert!(avatar.is_blurred());
    /// assert_eq!(avatar.blurs[0].kind, CauseKind::BlockedBy);
    /// ```
    pub fn is_blurred(&self) -> bool {
        !self.blurs.is_empty()
    }

    /// Returns whether to show it with a warning.
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
    /// assert!(decision.in_context(Context::ProfileView).is_alerted());
    /// ```
    pub fn is_alerted(&self) -> bool {
        !self.alerts.is_empty()
    }

    /// Returns whether to show it with a note.
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
    /// assert!(decision.in_context(Context::ProfileList).is_informed());
    /// ```
    pub fn is_informed(&self) -> bool {
        !self.informs.is_empty()
    }

    /// Returns whether it is shown as it is.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::ProfileViewBasic,
    ///     bsky::moderation::{Context, Moderation},
    ///     did, handle,
    /// };
    ///
    /// let bob = ProfileViewBasic::new(did!("did:web:bob.example.com"), handle!("bob.example.com"));
    /// let decision = Moderation::new().account(&bob);
    /// assert!(Context::ALL.into_iter().all(|context| decision.in_context(context).is_plain()));
    /// ```
    pub fn is_plain(&self) -> bool {
        !(self.is_filtered() || self.is_blurred() || self.is_alerted() || self.is_informed())
    }
}
