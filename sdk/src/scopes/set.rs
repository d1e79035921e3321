//! The scopes that an app asks for or was granted.

use std::{fmt, str::FromStr};

use super::{
    error::InvalidScope,
    minimal, need,
    need::{Kind, Need},
    scope::{Scope, UnknownScope},
};

/// A set of scopes. Prints with spaces in between and in a fixed order: `atproto` first, the others by their text.
///
/// Whatever takes the scope of an app takes this too.
///
/// ```
/// use atproto_sdk::{
///     nsid,
///     oauth::{ClientMetadata, scopes::{Permission, RepoAction, RepoActions, RepoPermission, Scopes}},
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
    /// Without duplicates, in order of printing.
    list: Vec<Scope>,
}

impl Scopes {
    /// `atproto` alone, which has to be there always.
    #[expect(clippy::new_without_default, reason = "a default would rather be the empty set")]
    pub fn new() -> Self {
        Self { list: vec![Scope::Atproto] }
    }

    /// One scope or permission more.
    #[must_use]
    pub fn with(mut self, scope: impl Into<Scope>) -> Self {
        self.list.push(scope.into());
        self.sorted()
    }

    /// The scopes that needs of [`needs`](super::needs) stand for, with `atproto`, as short as they can be.
    ///
    /// # Errors
    /// When a service or a MIME type in them is not valid.
    pub fn of(needs: &[Need<'_>]) -> Result<Self, InvalidScope> {
        shortest(needs).parse()
    }

    /// The scopes that a server has granted. Nothing is refused: what cannot be understood is kept as
    /// [`Scope::Unknown`].
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

    /// The scopes in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.list.iter()
    }

    /// Whether exactly this scope is there, whatever others cover.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.list.contains(scope)
    }

    /// The same in as few characters as possible, with `atproto`: what others cover is left out, and what
    /// can be one permission becomes one.
    #[must_use]
    pub fn minimal(&self) -> Self {
        let needs: Vec<Need<'_>> = self.list.iter().flat_map(need::of_scope).collect();
        Self::granted(&shortest(&needs))
    }
}

/// The scope of one need; a service that is not known is any.
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

    /// # Errors
    /// When one of the scopes, which are separated by one space each, is not valid.
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
