//! Published lexicons: finding them, with proof that their authority has published them.
//!
//! The authority of a [lexicon](https://atproto.com/specs/lexicon) is a domain: `shop.example.com` for
//! `com.example.shop.item`. Its DNS says which account publishes its lexicons, as records whose keys are their NSIDs.
//! [`LexiconResolver`] follows this [way](https://atproto.com/specs/lexicon#lexicon-publication-and-resolution): the TXT
//! record `did=<DID>` at `_lexicon.shop.example.com`, the account's DID document, and the record at its PDS with a proof
//! that the account has signed it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use atproto_sdk::{identity::Resolver, lexicon::LexiconResolver, nsid};
//!
//! let lexicons = LexiconResolver::new(Resolver::builder().build()?);
//! let item = lexicons.resolve(&nsid!("com.example.shop.item")).await?;
//! println!("{} by {}: {}", item.cid, item.did, item.json());
//! # Ok(()) }
//! ```
//!
//! This module requires the features `client` and `repo`. Hosts that DNS and DID documents name are treated as
//! [untrusted](crate::identity#untrusted-servers), like those of accounts that sign in.

mod document;
mod error;
mod group;

use std::sync::LazyLock;

use futures_util::StreamExt as _;

pub use document::PublishedLexicon;
pub use error::ResolutionError;
pub use group::LexiconGroup;

use crate::{
    api::com::atproto::{
        lexicon::schema::Schema,
        repo::{ComAtprotoRepo, list_records},
        sync::{ComAtprotoSync, get_record},
    },
    clients::UntrustedServer,
    identity::{Resolver, dns::DidRecordsError},
    limits,
    repo::{RepoError, VerifyingKey, verify_record},
    types::{Did, Nsid, Record as _, RecordKey},
    xrpc::Error,
};

/// The maximum number of lexicons that are listed.
const MAX_LISTED: usize = 10_000;
/// The number of lexicons in a page of a listing, which is the most that servers give.
const PAGE: i64 = 100;
/// The maximum length of a DNS name ([RFC 1035](https://www.rfc-editor.org/rfc/rfc1035)), as text without its last dot.
const MAX_DNS_NAME: usize = 253;
/// The maximum size of a proof.
const MAX_PROOF: usize = 8 * 1024 * 1024;

static COLLECTION: LazyLock<Nsid> = LazyLock::new(Schema::collection);

/// The account that publishes a group of lexicons. Returned by [`LexiconResolver::authority`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authority {
    /// The lexicons.
    pub group: LexiconGroup,
    /// The account.
    pub did: Did,
    /// The origin of its PDS.
    pub pds: String,
    /// The key that its repository is signed with.
    pub key: VerifyingKey,
}

/// Resolves published lexicons. Cloning is cheap, and clones share the cache of DID documents.
#[derive(Debug, Clone)]
pub struct LexiconResolver {
    resolver: Resolver,
}

impl LexiconResolver {
    /// Creates a resolver with the name servers, the PLC directory and the limits of a [`Resolver`].
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver }
    }

    /// Resolves a lexicon.
    ///
    /// For several lexicons of an authority, [`authority`](Self::authority) and [`resolve_from`](Self::resolve_from) look
    /// the authority up only once.
    ///
    /// # Errors
    ///
    /// Returns an error that names the authority and the step that failed.
    ///
    /// ```no_run
    /// use atproto_sdk::{lexicon::{LexiconResolver, ResolutionError}, nsid};
    ///
    /// # async fn example(lexicons: LexiconResolver) {
    /// match lexicons.resolve(&nsid!("com.example.shop.item")).await {
    ///     Ok(lexicon) => println!("{}", lexicon.json()),
    ///     Err(error) if error.is_temporary() => println!("try again later: {error}"),
    ///     Err(ResolutionError::NotPublished { did, .. }) => println!("{did} does not publish it"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # }
    /// ```
    pub async fn resolve(&self, nsid: &Nsid) -> Result<PublishedLexicon, ResolutionError> {
        if let Err(source) = Nsid::new(nsid) {
            return Err(ResolutionError::Nsid(source));
        }
        let group = LexiconGroup::of(nsid);
        let authority = self.authority(&group).await?;
        match self.resolve_from(&authority, nsid).await {
            // The DID document in the cache may have an older key.
            Err(ResolutionError::Proof { source, .. }) if is_about_key(&source) => {
                self.resolver.invalidate(&authority.did);
                let authority = self.authority(&group).await?;
                self.resolve_from(&authority, nsid).await
            }
            result => result,
        }
    }

    /// Finds the account that publishes a group of lexicons: DNS, then its DID document.
    ///
    /// There is no search in domains above or below: each authority has a DNS record of its own.
    ///
    /// # Errors
    ///
    /// Returns an error if DNS does not name exactly one account, or if that account cannot be resolved.
    pub async fn authority(&self, group: &LexiconGroup) -> Result<Authority, ResolutionError> {
        let did = self.publisher(group).await?;
        self.authority_at(group, did).await
    }

    /// Treats an account as the publisher of a group of lexicons, whatever DNS says: to look at what it has published before
    /// DNS names it.
    ///
    /// # Errors
    ///
    /// Returns an error if the account cannot be resolved.
    pub async fn authority_at(&self, group: &LexiconGroup, did: Did) -> Result<Authority, ResolutionError> {
        let document = match self.resolver.resolve_did(&did).await {
            Ok(document) => document,
            Err(source) => return Err(unresolved(group, did, source)),
        };
        let pds = match self.resolver.pds(&document) {
            Ok(pds) => pds,
            Err(source) => return Err(unresolved(group, did, source)),
        };
        let key = match document.verifying_key() {
            Ok(Some(key)) => key,
            Ok(None) => return Err(ResolutionError::SigningKey { group: group.clone(), did, source: None }),
            Err(source) => {
                return Err(ResolutionError::SigningKey { group: group.clone(), did, source: Some(source) });
            }
        };
        Ok(Authority { group: group.clone(), did, pds, key })
    }

    /// Asks DNS which account publishes a group of lexicons. Whether that account exists is not checked.
    ///
    /// # Errors
    ///
    /// Returns an error if DNS does not name exactly one account.
    pub async fn publisher(&self, group: &LexiconGroup) -> Result<Did, ResolutionError> {
        let group = group.clone();
        if group.authority().is_empty() {
            return Err(ResolutionError::NoPublisher { group });
        }
        if group.dns_name().len() > MAX_DNS_NAME {
            return Err(ResolutionError::NameTooLong { group });
        }
        match self.resolver.dns().did(&group.dns_name()).await {
            Ok(Some(did)) => Ok(did),
            Ok(None) => Err(ResolutionError::NoPublisher { group }),
            Err(DidRecordsError::Ambiguous { first, second }) => {
                Err(ResolutionError::AmbiguousPublisher { group, first, second })
            }
            Err(DidRecordsError::NotADid(found)) => Err(ResolutionError::InvalidPublisher { group, found }),
            Err(DidRecordsError::Failed(problem)) => Err(ResolutionError::Dns { group, problem }),
        }
    }

    /// Fetches a lexicon from the repository of its authority, and checks the proof that it is there.
    ///
    /// # Errors
    ///
    /// Returns an error if the authority does not publish the lexicon, or if its server does not prove it.
    pub async fn resolve_from(
        &self,
        authority: &Authority,
        nsid: &Nsid,
    ) -> Result<PublishedLexicon, ResolutionError> {
        let (did, pds) = (authority.did.clone(), authority.pds.clone());
        let group = authority.group.clone();
        let rkey = match RecordKey::new(nsid.as_str()) {
            Ok(rkey) if group.contains(nsid) => rkey,
            _ => return Err(ResolutionError::OtherAuthority { nsid: nsid.clone(), group }),
        };
        let nsid = nsid.clone();
        let fetched = tokio::time::timeout(limits::LEXICON, self.proof(authority, rkey.clone())).await;
        let car = match fetched {
            Err(_) => return Err(ResolutionError::Timeout { group, pds, limit: limits::LEXICON }),
            Ok(Ok(Some(car))) => car,
            Ok(Ok(None)) => return Err(ResolutionError::NotPublished { nsid, did, pds }),
            Ok(Err(source)) => return Err(ResolutionError::Fetch { nsid, did, pds, source }),
        };
        match verify_record(&car, &did, &authority.key, &COLLECTION, &rkey) {
            Ok(Some(record)) => PublishedLexicon::new(&nsid, &did, &pds, record)
                .map_err(|problem| ResolutionError::Document { nsid, did, problem }),
            Ok(None) => Err(ResolutionError::NotPublished { nsid, did, pds }),
            Err(source) => Err(ResolutionError::Proof { nsid, did, pds, source: Box::new(source) }),
        }
    }

    /// The proof in a CAR file, or `None` if the server says that there is no such record.
    async fn proof(
        &self,
        authority: &Authority,
        rkey: RecordKey,
    ) -> Result<Option<bytes::Bytes>, Box<Error>> {
        let pds = self.pds(authority);
        let params = get_record::Params::new(authority.did.clone(), COLLECTION.clone(), rkey);
        match ComAtprotoSync::over(&pds).get_record(params).await {
            Ok(body) => body.bytes(MAX_PROOF).await.map(Some).map_err(|error| Box::new(error.into())),
            Err(error) if error.lexicon_error() == Some(get_record::Error::RecordNotFound) => Ok(None),
            Err(error) => Err(Box::new(error.erase())),
        }
    }

    /// Lists the lexicons of a group that its authority publishes, in alphabetical order.
    ///
    /// A listing is not proven: the server may leave out lexicons, and those that it names are proven by
    /// [`resolve_from`](Self::resolve_from). Records of other groups in the same repository are not listed.
    ///
    /// # Errors
    ///
    /// Returns an error if the listing fails, or if the account publishes more than 10,000 lexicons.
    ///
    /// ```no_run
    /// # use atproto_sdk::lexicon::LexiconResolver;
    /// # async fn example(lexicons: LexiconResolver) -> Result<(), Box<dyn std::error::Error>> {
    /// let authority = lexicons.authority(&"com.example.shop.*".parse()?).await?;
    /// for nsid in lexicons.list(&authority).await? {
    ///     let lexicon = lexicons.resolve_from(&authority, &nsid).await?;
    ///     println!("{nsid}: {}", lexicon.cid);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn list(&self, authority: &Authority) -> Result<Vec<Nsid>, ResolutionError> {
        let (group, did, pds) = (authority.group.clone(), authority.did.clone(), authority.pds.clone());
        match tokio::time::timeout(limits::LEXICON_LISTING, self.listing(authority)).await {
            Err(_) => Err(ResolutionError::Timeout { group, pds, limit: limits::LEXICON_LISTING }),
            Ok(Ok(Some(nsids))) => Ok(nsids),
            Ok(Ok(None)) => Err(ResolutionError::TooMany { group, did, limit: MAX_LISTED }),
            Ok(Err(source)) => Err(ResolutionError::List { group, did, pds, source }),
        }
    }

    /// `None` if there are too many.
    async fn listing(&self, authority: &Authority) -> Result<Option<Vec<Nsid>>, Box<Error>> {
        let pds = self.pds(authority);
        let params = list_records::Params::new(authority.did.clone(), COLLECTION.clone()).limit(PAGE);
        let mut records = ComAtprotoRepo::over(&pds).list_records(params).items();
        let (mut nsids, mut seen) = (Vec::new(), 0);
        while let Some(record) = records.next().await {
            let record = record.map_err(|error| Box::new(error.erase()))?;
            seen += 1;
            if seen > MAX_LISTED {
                return Ok(None);
            }
            let nsid = record.uri.rkey().and_then(|key| Nsid::new(key).ok());
            nsids.extend(nsid.filter(|nsid| authority.group.contains(nsid)));
        }
        nsids.sort();
        nsids.dedup();
        Ok(Some(nsids))
    }

    fn pds<'a>(&'a self, authority: &'a Authority) -> UntrustedServer<'a> {
        UntrustedServer { http: self.resolver.untrusted_client(), origin: &authority.pds }
    }
}

fn is_about_key(error: &RepoError) -> bool {
    matches!(error, RepoError::Signature { .. })
}

fn unresolved(group: &LexiconGroup, did: Did, source: crate::identity::IdentityError) -> ResolutionError {
    ResolutionError::Publisher { group: group.clone(), did, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::types::from_json;

    #[tokio::test]
    async fn d5_a_name_that_is_not_valid_is_not_asked_for() {
        let resolver = Resolver::builder().name_server("127.0.0.1:9".parse().unwrap()).build().unwrap();
        let (lexicons, nsid) =
            (LexiconResolver::new(resolver), from_json::<Nsid>("\"example..org/x\"").unwrap());
        assert!(matches!(lexicons.resolve(&nsid).await.unwrap_err(), ResolutionError::Nsid(_)));
        let group = LexiconGroup::of(&nsid);
        assert!(!group.contains(&nsid));
        let error = lexicons.publisher(&group).await.unwrap_err();
        assert!(matches!(error, ResolutionError::NoPublisher { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_dns_cannot_have_is_not_asked_for() {
        // Nobody is there: a question would fail for another reason.
        let resolver = Resolver::builder().name_server("127.0.0.1:9".parse().unwrap()).build().unwrap();
        let part = "a".repeat(60);
        let group: LexiconGroup = format!("com.{part}.{part}.{part}.{part}.*").parse().unwrap();
        assert!(group.domain().len() <= MAX_DNS_NAME);
        let error = LexiconResolver::new(resolver).publisher(&group).await.unwrap_err();
        assert!(matches!(error, ResolutionError::NameTooLong { .. }) && !error.is_temporary(), "{error}");
    }
}
