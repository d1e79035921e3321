//! A set of scopes.

use std::{fmt, str::FromStr};

use super::{
    error::InvalidScope,
    minimal, need,
    need::{Kind, Need},
    scope::{Scope, UnknownScope},
};

/// A set of scopes, as an app requests them or a user grants them.
///
/// `Display` writes them separated by spaces, `atproto` first and the others sorted. A `Scopes` can be passed to all functions
/// that expect a scope as a string.
///
/// ```
/// use atproto_sdk::{
///     nsid,
///     oauth::ClientMetadata,
///     scopes::{RepoAction, RepoActions, RepoPermission, Scopes},
/// };
///
/// let scopes: Scopes = "repo:com.example.note atproto repo:com.example.note?action=create".parse()?;
/// assert_eq!(scopes.minimal().to_string(), "atproto repo:com.example.note");
///
/// let built = Scopes::new().with(RepoPermission::of(nsid!("com.example.note"), RepoActions::ALL));
/// assert_eq!(built, scopes.minimal());
/// assert!(built.allows(RepoPermission::of(nsid!("com.example.note"), RepoAction::Delete)));
/// let metadata = ClientMetadata::loopback().scope(built);
/// # Ok::<_, atproto_sdk::scopes::InvalidScope>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scopes {
    /// Without duplicates, in the order of `Display`.
    list: Vec<Scope>,
}

impl Scopes {
    /// Creates a set that contains only `atproto`, which is always required.
    #[expect(clippy::new_without_default, reason = "the default would be expected to be empty")]
    pub fn new() -> Self {
        Self { list: vec![Scope::Atproto] }
    }

    /// Adds a scope or permission.
    #[must_use]
    pub fn with(mut self, scope: impl Into<Scope>) -> Self {
        self.list.push(scope.into());
        self.sorted()
    }

    /// Returns `atproto` and the minimal scopes for operations from [`needs`](super::needs). This is the run-time equivalent
    /// of [`scopes!`](crate::scopes!).
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, scopes::{Scopes, needs}};
    ///
    /// let mut needed = vec![needs::create::<Post>()];
    /// let uploads = true;
    /// if uploads {
    ///     needed.push(needs::upload("image/*"));
    /// }
    /// let scopes = Scopes::of(&needed)?;
    /// assert_eq!(scopes.to_string(), "atproto blob:image/* repo:app.bsky.feed.post?action=create");
    /// # Ok::<_, atproto_sdk::scopes::InvalidScope>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a service or a MIME type is invalid.
    pub fn of(needs: &[Need<'_>]) -> Result<Self, InvalidScope> {
        shortest(needs).parse()
    }

    /// Parses the scopes that a server has granted. This never fails: an invalid scope becomes [`Scope::Unknown`].
    ///
    /// ```
    /// use atproto_sdk::scopes::Scopes;
    ///
    /// let scopes = Scopes::granted("atproto repo:invalid");
    /// assert_eq!(scopes.to_string(), "atproto repo:invalid");
    /// ```
    pub fn granted(text: &str) -> Self {
        let keep = |text: &str| match text.parse() {
            Ok(scope) => scope,
            Err(_) => Scope::Unknown(UnknownScope::keep(text)),
        };
        Self { list: text.split(' ').filter(|it| !it.is_empty()).map(keep).collect() }.sorted()
    }

    fn sorted(mut self) -> Self {
        self.list.sort_by_cached_key(|scope| (*scope != Scope::Atproto, scope.to_string()));
        self.list.dedup();
        self
    }

    /// Returns the scopes in the order of `Display`.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.list.iter()
    }

    /// Returns `true` if the set contains exactly this scope. Use [`allows`](Self::allows) to check whether other scopes
    /// include it.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.list.contains(scope)
    }

    /// Returns the shortest equivalent set, with `atproto`: scopes that others include are omitted, and permissions are
    /// merged where possible.
    ///
    /// ```
    /// use atproto_sdk::scopes::Scopes;
    ///
    /// let scopes: Scopes = "atproto blob:image/png blob:image/* repo:a.b.c?action=create repo:*".parse()?;
    /// assert_eq!(scopes.minimal().to_string(), "atproto blob:image/* repo:*");
    /// # Ok::<_, atproto_sdk::scopes::InvalidScope>(())
    /// ```
    #[must_use]
    pub fn minimal(&self) -> Self {
        let needs: Vec<Need<'_>> = self.list.iter().flat_map(need::of_scope).collect();
        Self::granted(&shortest(&needs))
    }
}

/// The scope for a single need. An unknown service becomes any service.
pub(super) fn shortest_scope(need: &Need<'_>) -> String {
    let need = match need.0 {
        Kind::Rpc { method, audience: "" } => Need(Kind::Rpc { method, audience: "*" }),
        kind => Need(kind),
    };
    let text = shortest(&[need]);
    text.strip_prefix("atproto ").map_or_else(|| text.clone(), str::to_owned)
}

fn shortest(needs: &[Need<'_>]) -> String {
    let mut marks = vec![minimal::Mark::NONE; needs.len()];
    minimal::mark(needs, &mut marks);
    let mut words = vec![0; minimal::words_length(needs, &marks)];
    minimal::write_words(needs, &marks, &mut words);
    let mut text = vec![0; minimal::text_length(words.len())];
    minimal::write_text(&words, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.list.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            scope.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.list.iter().map(Scope::to_string)).finish()
    }
}

impl FromStr for Scopes {
    type Err = InvalidScope;

    /// Parses scopes that are separated by single spaces.
    ///
    /// # Errors
    ///
    /// Returns an error if one of the scopes is invalid.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text.is_empty() {
            return Ok(Self { list: Vec::new() });
        }
        let list: Result<_, _> = text.split(' ').map(str::parse).collect();
        Ok(Self { list: list? }.sorted())
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

impl From<&Scopes> for String {
    fn from(scopes: &Scopes) -> Self {
        scopes.to_string()
    }
}

impl<S: Into<Scope>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self { list: scopes.into_iter().map(Into::into).collect() }.sorted()
    }
}

impl<S: Into<Scope>> Extend<S> for Scopes {
    fn extend<I: IntoIterator<Item = S>>(&mut self, scopes: I) {
        self.list.extend(scopes.into_iter().map(Into::into));
        let list = std::mem::take(&mut self.list);
        *self = Self { list }.sorted();
    }
}

impl IntoIterator for Scopes {
    type Item = Scope;
    type IntoIter = std::vec::IntoIter<Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'s> IntoIterator for &'s Scopes {
    type Item = &'s Scope;
    type IntoIter = std::slice::Iter<'s, Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}
