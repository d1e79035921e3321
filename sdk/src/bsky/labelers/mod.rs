//! Labelers: services that attach labels to accounts and content.
//!
//! What their labels mean is published with them; [`moderation`] needs it for decisions, and a
//! page of settings needs it to offer choices. Both change rarely, so an app fetches them when it starts and every
//! few hours, and keeps them: the views can be stored as JSON.

use crate::{
    api::app::bsky::labeler::{
        defs::LabelerViewDetailed,
        get_services::{self, GetServices, OutputViewsItem},
    },
    bsky::moderation::{self, LabelDefinition, LabelDefinitions},
    types::Did,
    xrpc::{Call, Caller, Error, Transport},
};

#[cfg(test)]
mod tests;

/// The labeler of Bluesky's own moderators.
pub const BLUESKY: Did = moderation::BLUESKY;

/// How many labelers are requested at once, so that the address of the request does not become too long.
const AT_ONCE: usize = 25;

/// Fetches labelers with the definitions of their labels, in the order of the server. Accounts that are no labelers
/// are left out.
///
/// ```no_run
/// use atproto_sdk::{
///     PublicClient,
///     bsky::{labelers, moderation::LabelDefinitions},
///     types::Language,
/// };
///
/// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// let found = labelers::fetch(&client, &[labelers::BLUESKY]).await?;
/// let definitions: LabelDefinitions = found.iter().collect();
///
/// let languages = [Language::new("de-AT")?, Language::new("fr")?];
/// for definition in definitions.of(&labelers::BLUESKY) {
///     if let Some(strings) = definition.strings(&languages) {
///         println!("{}: {}", strings.name, strings.description);
///     }
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Those of the calls.
pub async fn fetch<'a>(
    client: &dyn Transport,
    labelers: impl IntoIterator<Item = &'a Did>,
) -> Result<Vec<LabelerViewDetailed>, Error<get_services::Error>> {
    let mut dids: Vec<Did> = labelers.into_iter().filter(|did| did.is_valid()).cloned().collect();
    dids.sort();
    dids.dedup();
    let mut found = Vec::new();
    for dids in dids.chunks(AT_ONCE) {
        let params = get_services::Params::new(dids.to_vec()).detailed(true);
        let call: Call<'_, GetServices> = Call::new(Caller::new(client), params, ());
        found.extend(call.await?.views.into_iter().filter_map(|view| match view {
            OutputViewsItem::LabelerViewDetailed(view) => Some(*view),
            _ => None,
        }));
    }
    Ok(found)
}

/// Returns what a labeler offers viewers to choose: its labels in its order, with their meaning. Labels that nobody
/// has defined and those without a choice are left out.
///
/// ```
/// use atproto_sdk::{api::app::bsky::labeler::defs::LabelerViewDetailed, bsky::labelers, types::Language};
///
/// fn print_settings(labeler: &LabelerViewDetailed, languages: &[Language]) {
///     for definition in labelers::choices(labeler) {
///         let name = definition.strings(languages).map_or(&*definition.identifier, |strings| &strings.name);
///         println!("{name}: {:?}", definition.default_setting);
///     }
/// }
/// ```
pub fn choices(labeler: &LabelerViewDetailed) -> Vec<LabelDefinition> {
    let definitions: LabelDefinitions = [labeler].into_iter().collect();
    let mut choices: Vec<LabelDefinition> = Vec::new();
    for label in &labeler.policies.label_values {
        let Some(definition) = definitions.get(&labeler.creator.did, label.as_str()) else { continue };
        if definition.is_configurable && choices.iter().all(|known| known.identifier != definition.identifier)
        {
            choices.push(definition.into_owned());
        }
    }
    choices
}
