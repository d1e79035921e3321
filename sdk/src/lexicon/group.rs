//! Groups of lexicons: those with the same authority.

use std::{fmt, str::FromStr};

use crate::types::{InvalidText, Nsid};

/// The lexicons of one authority, written like `com.example.shop.*`: those whose NSIDs have one more segment.
///
/// Groups below it, such as `com.example.shop.cart.*`, do not belong to it: each has a DNS record of its own.
///
/// ```
/// use atproto_sdk::{lexicon::LexiconGroup, nsid};
///
/// let group: LexiconGroup = "com.example.shop.*".parse()?;
/// assert_eq!(group.dns_name(), "_lexicon.shop.example.com");
/// assert!(group.contains(&nsid!("com.example.shop.item")));
/// assert!(!group.contains(&nsid!("com.example.shop.cart.item")));
/// assert_eq!(LexiconGroup::of(&nsid!("com.example.shop.item")), group);
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LexiconGroup(String);

impl LexiconGroup {
    /// Parses a group.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not an NSID with `*` in the place of the name.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        let invalid = |problem| InvalidText::new("group of lexicons", text, problem);
        let authority = text.strip_suffix(".*").ok_or_else(|| invalid("it does not end with `.*`"))?;
        match Nsid::new(format!("{authority}.name")) {
            Ok(_) => Ok(Self(authority.to_owned())),
            Err(error) => Err(invalid(error.problem)),
        }
    }

    /// Returns the group that a lexicon belongs to. It is empty if the NSID was decoded and is not valid; nothing belongs to
    /// an empty group, and nobody publishes it.
    pub fn of(nsid: &Nsid) -> Self {
        Self(nsid.authority().to_owned())
    }

    /// Returns whether a lexicon belongs to the group.
    pub fn contains(&self, nsid: &Nsid) -> bool {
        !self.0.is_empty() && nsid.authority() == self.0
    }

    /// Returns the common part of the NSIDs, such as `com.example.shop`.
    pub fn authority(&self) -> &str {
        &self.0
    }

    /// Returns the domain name of the authority, such as `shop.example.com`.
    pub fn domain(&self) -> String {
        let labels: Vec<&str> = self.0.rsplit('.').collect();
        labels.join(".").to_ascii_lowercase()
    }

    /// Returns the DNS name whose TXT record names the account that publishes the lexicons.
    pub fn dns_name(&self) -> String {
        format!("_lexicon.{}", self.domain())
    }
}

impl fmt::Display for LexiconGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.*", self.0)
    }
}

impl FromStr for LexiconGroup {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}
