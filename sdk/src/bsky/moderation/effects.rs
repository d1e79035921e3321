//! What moderation does to content, and where.

/// A place in an app where an account or its content is shown.
///
/// ```
/// use atproto_sdk::bsky::moderation::Context;
///
/// assert_eq!(Context::ALL.len(), 8);
/// assert!(Context::ContentList.is_list() && !Context::ContentView.is_list());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Context {
    /// An account in a list of accounts, such as search results.
    ProfileList,
    /// The page of an account.
    ProfileView,
    /// The avatar of an account, anywhere.
    Avatar,
    /// The banner of an account.
    Banner,
    /// The display name of an account, anywhere.
    DisplayName,
    /// A post, feed or list among others, such as in a timeline.
    ContentList,
    /// A post, feed or list on a page of its own.
    ContentView,
    /// The images and videos of a post.
    ContentMedia,
}

impl Context {
    /// All contexts.
    pub const ALL: [Self; 8] = [
        Self::ProfileList,
        Self::ProfileView,
        Self::Avatar,
        Self::Banner,
        Self::DisplayName,
        Self::ContentList,
        Self::ContentView,
        Self::ContentMedia,
    ];

    /// Returns whether something can be left out there.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::Context;
    ///
    /// let lists: Vec<Context> = Context::ALL.into_iter().filter(|context| context.is_list()).collect();
    /// assert_eq!(lists, [Context::ProfileList, Context::ContentList]);
    /// ```
    pub fn is_list(self) -> bool {
        matches!(self, Self::ProfileList | Self::ContentList)
    }
}

/// What moderation does to something that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// Covers it until the viewer asks for it.
    Blur,
    /// Shows it with a warning.
    Alert,
    /// Shows it with a note.
    Inform,
}

/// The effect in each context.
///
/// ```
/// use atproto_sdk::bsky::moderation::{Context, Effect, Effects};
///
/// let effects = Effects::NONE.with(&[Context::Avatar, Context::Banner], Effect::Blur);
/// assert_eq!(effects.in_context(Context::Avatar), Some(Effect::Blur));
/// assert_eq!(effects.in_context(Context::ContentList), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Effects([Option<Effect>; Context::ALL.len()]);

impl Effects {
    /// No effect anywhere.
    pub const NONE: Self = Self([None; Context::ALL.len()]);

    /// Sets the effect in these contexts.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::{Context, Effect, Effects};
    ///
    /// const EFFECTS: Effects = Effects::NONE
    ///     .with(&[Context::ContentMedia], Effect::Blur)
    ///     .with(&[Context::ContentList, Context::ContentView], Effect::Inform);
    /// assert_eq!(EFFECTS.in_context(Context::ContentView), Some(Effect::Inform));
    /// ```
    #[must_use]
    pub const fn with(mut self, contexts: &[Context], effect: Effect) -> Self {
        let mut at = 0;
        while at < contexts.len() {
            self.0[contexts[at] as usize] = Some(effect);
            at += 1;
        }
        self
    }

    /// Returns the effect in a context.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::{Context, Effect, LabelDefinition};
    ///
    /// let porn = LabelDefinition::global("porn").unwrap();
    /// assert_eq!(porn.on_content.in_context(Context::ContentMedia), Some(Effect::Blur));
    /// assert_eq!(porn.on_content.in_context(Context::DisplayName), None);
    /// ```
    pub const fn in_context(&self, context: Context) -> Option<Effect> {
        self.0[context as usize]
    }

    /// How much of the content is covered: 2 if it is on its own page, 1 if only among others or only its media, else
    /// 0.
    pub(super) fn severity(&self) -> u8 {
        let blurs = |context| self.in_context(context) == Some(Effect::Blur);
        if blurs(Context::ProfileView) || blurs(Context::ContentView) {
            2
        } else {
            u8::from(blurs(Context::ContentList) || blurs(Context::ContentMedia))
        }
    }
}

/// Accounts that block the viewer or are blocked.
pub(super) const BLOCKED: Effects = Effects::NONE
    .with(
        &[Context::ProfileList, Context::Avatar, Context::Banner, Context::ContentList, Context::ContentView],
        Effect::Blur,
    )
    .with(&[Context::ProfileView], Effect::Alert);

/// Muted accounts.
pub(super) const MUTED: Effects = Effects::NONE
    .with(&[Context::ContentList], Effect::Blur)
    .with(&[Context::ProfileView], Effect::Alert)
    .with(&[Context::ProfileList, Context::ContentView], Effect::Inform);

/// Posts with a muted word, and hidden posts.
pub(super) const UNWANTED: Effects =
    Effects::NONE.with(&[Context::ContentList, Context::ContentView], Effect::Blur);

/// Replies that the author of the thread has hidden.
pub(super) const ASIDE: Effects = Effects::NONE.with(&[Context::ContentView], Effect::Inform);
