//! The profile record, which is public, and which the server compares when it is replaced.

use crate::{
    api::{
        app::bsky::actor::profile::Profile,
        com::atproto::repo::{get_record, put_record},
    },
    records::Records,
    types::{Did, Expected, RecordKey},
    xrpc::{Caller, Error, Transport},
};

/// How often a change is made again because somebody else has changed the profile meanwhile.
const ATTEMPTS: usize = 5;
const KEY: RecordKey = RecordKey::__literal("self");

/// Why a profile could not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateProfileError {
    /// The client does not name its account, so there is no repository.
    #[error("the client is not signed in: a profile belongs to an account")]
    NotSignedIn,
    /// The profile could not be read.
    #[error("the profile could not be read, and was not changed")]
    Read(#[source] Box<Error<get_record::Error>>),
    /// The profile could not be written.
    #[error("the changed profile could not be written")]
    Write(#[source] Box<Error<put_record::Error>>),
    /// The server did not return the version of the profile, so that a change by somebody else could not be noticed. Nothing was
    /// written.
    #[error(
        "the server returned the profile without its CID, so it was not changed: changes of others could be lost"
    )]
    NoVersion,
    /// Others have changed the profile again and again.
    #[error("somebody else has changed the profile {ATTEMPTS} times in a row: try again later")]
    Contended,
}

/// Changes the profile of the signed-in account, which is created if there is none. If somebody else changes it at
/// the same time, the function is called again with what they have made of it, so no change is lost. Nothing is
/// written if it changes nothing.
///
/// ```no_run
/// use atproto_sdk::{bsky::preferences, oauth::OAuthClient};
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// preferences::update_profile(&client, |profile| {
///     profile.display_name = Some("Alice".into());
///     profile.description = Some("Builds things".into());
/// })
/// .await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// See [`UpdateProfileError`].
pub async fn update_profile(
    client: &dyn Transport,
    mut change: impl FnMut(&mut Profile),
) -> Result<(), UpdateProfileError> {
    let did: Did = client.account().cloned().ok_or(UpdateProfileError::NotSignedIn)?;
    let profiles = Records::<Profile>::new(Caller::new(client), did);
    for _ in 0..ATTEMPTS {
        let found = match profiles.get(&KEY).await {
            Ok(entry) => Some(entry),
            Err(error) if error.lexicon_error() == Some(get_record::Error::RecordNotFound) => None,
            Err(error) => return Err(UpdateProfileError::Read(Box::new(error))),
        };
        let mut profile = found.as_ref().map_or_else(Profile::new, |found| found.value.clone());
        change(&mut profile);
        if found.as_ref().is_some_and(|found| found.value == profile) {
            return Ok(());
        }
        let expected = match &found {
            None => Expected::Absent,
            Some(found) => match &found.cid {
                Some(cid) => Expected::Version(cid),
                None => return Err(UpdateProfileError::NoVersion),
            },
        };
        match profiles.put(&KEY, &profile, expected).await {
            Ok(_) => return Ok(()),
            Err(error) if error.lexicon_error() == Some(put_record::Error::InvalidSwap) => {}
            Err(error) => return Err(UpdateProfileError::Write(Box::new(error))),
        }
    }
    Err(UpdateProfileError::Contended)
}
