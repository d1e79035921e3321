//! What labels mean.

use std::{borrow::Cow, collections::HashMap};

use super::effects::{Context, Effect, Effects};
use crate::{
    api::{
        app::bsky::{actor::defs::ContentLabelPrefVisibility, labeler::defs::LabelerViewDetailed},
        com::atproto::label::defs::{
            LabelValueDefinition, LabelValueDefinitionBlurs, LabelValueDefinitionDefaultSetting,
            LabelValueDefinitionSeverity, LabelValueDefinitionStrings,
        },
    },
    types::{Did, Language},
};

/// The labeler of Bluesky's own moderators.
pub(in crate::bsky) const BLUESKY: Did = Did::__literal("did:plc:ar7c4by46qjdydhdevvrndac");

/// What a viewer wants to happen to content with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LabelSetting {
    /// Shows it as if it had no label.
    Ignore,
    /// Shows it with the effects of the label.
    Warn,
    /// Leaves it out of lists, and shows it elsewhere with the effects of the label.
    Hide,
}

impl LabelSetting {
    /// Returns the setting of a preference, or `None` for one that this version does not know.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::ContentLabelPrefVisibility, bsky::moderation::LabelSetting};
    ///
    /// // An older name.
    /// assert_eq!(LabelSetting::of(&ContentLabelPrefVisibility::Show), Some(LabelSetting::Ignore));
    /// ```
    pub fn of(visibility: &ContentLabelPrefVisibility) -> Option<Self> {
        match visibility {
            ContentLabelPrefVisibility::Ignore | ContentLabelPrefVisibility::Show => Some(Self::Ignore),
            ContentLabelPrefVisibility::Warn => Some(Self::Warn),
            ContentLabelPrefVisibility::Hide => Some(Self::Hide),
            ContentLabelPrefVisibility::Other(_) => None,
        }
    }
}

impl From<LabelSetting> for ContentLabelPrefVisibility {
    fn from(setting: LabelSetting) -> Self {
        match setting {
            LabelSetting::Ignore => Self::Ignore,
            LabelSetting::Warn => Self::Warn,
            LabelSetting::Hide => Self::Hide,
        }
    }
}

/// What a label is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LabelTarget {
    /// The account, and thereby all that it publishes.
    Account,
    /// The profile record: avatar, banner, name and description.
    Profile,
    /// A post, feed, list or status.
    Content,
}

/// What a label means: its effects, and who may change them.
///
/// Some labels mean the same everywhere ([`global`](Self::global)); others are defined by the labeler that uses them
/// ([`new`](Self::new)).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LabelDefinition {
    /// The value of the label.
    pub identifier: Cow<'static, str>,
    /// The labeler that defines the label; `None` for those that are the same everywhere.
    pub labeler: Option<Did>,
    /// Whether the viewer's setting counts. If not, it is always the default.
    pub is_configurable: bool,
    /// The setting of viewers who have not chosen one.
    pub default_setting: LabelSetting,
    /// Whether it marks content for adults, which is always hidden from viewers who have not enabled it.
    pub is_adult: bool,
    /// Whether viewers may not look behind the cover.
    pub forbids_override: bool,
    /// Whether it counts only for viewers who are signed out.
    pub is_for_signed_out: bool,
    /// Whether it counts if the author has attached it.
    pub is_for_authors: bool,
    /// What it does to labelled accounts.
    pub on_account: Effects,
    /// What it does to labelled profiles.
    pub on_profile: Effects,
    /// What it does to labelled content.
    pub on_content: Effects,
    /// Name and description in several languages. Labels that are the same everywhere have none: the app has to name
    /// them.
    pub locales: Vec<LabelValueDefinitionStrings>,
}

const ACCOUNT: Effects = Effects::NONE.with(
    &[
        Context::ProfileList,
        Context::ProfileView,
        Context::Avatar,
        Context::Banner,
        Context::ContentList,
        Context::ContentView,
    ],
    Effect::Blur,
);
const PICTURES: Effects = Effects::NONE.with(&[Context::Avatar, Context::Banner], Effect::Blur);
const PROFILE: Effects = PICTURES.with(&[Context::DisplayName], Effect::Blur);
const CONTENT: Effects = Effects::NONE.with(&[Context::ContentList, Context::ContentView], Effect::Blur);
const MEDIA: Effects = Effects::NONE.with(&[Context::ContentMedia], Effect::Blur);

impl LabelDefinition {
    /// Returns what a label means that is the same everywhere, or `None` if there is no such label.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::{LabelDefinition, LabelSetting};
    ///
    /// let porn = LabelDefinition::global("porn").unwrap();
    /// assert!(porn.is_adult && porn.default_setting == LabelSetting::Hide);
    /// assert!(LabelDefinition::global("spoiler").is_none());
    /// ```
    pub fn global(identifier: &str) -> Option<Self> {
        // Those that begin with an exclamation mark are instructions, and viewers have no choice.
        let instruction = |identifier, default_setting, on_account| Self {
            is_configurable: false,
            on_account,
            on_profile: PROFILE,
            on_content: CONTENT,
            ..Self::plain(identifier, default_setting)
        };
        let media = |identifier, is_adult, default_setting| Self {
            is_adult,
            on_account: PICTURES,
            on_profile: PICTURES,
            on_content: MEDIA,
            ..Self::plain(identifier, default_setting)
        };
        let named = ACCOUNT.with(&[Context::DisplayName], Effect::Blur);
        Some(match identifier {
            "!hide" => Self {
                forbids_override: true,
                is_for_authors: false,
                ..instruction("!hide", LabelSetting::Hide, named)
            },
            "!warn" => Self { is_for_authors: false, ..instruction("!warn", LabelSetting::Warn, ACCOUNT) },
            "!no-unauthenticated" => Self {
                forbids_override: true,
                is_for_signed_out: true,
                ..instruction("!no-unauthenticated", LabelSetting::Hide, named)
            },
            "porn" => media("porn", true, LabelSetting::Hide),
            "sexual" => media("sexual", true, LabelSetting::Warn),
            "nudity" => media("nudity", false, LabelSetting::Ignore),
            "graphic-media" => media("graphic-media", true, LabelSetting::Warn),
            // The older name of the one above.
            "gore" => media("gore", true, LabelSetting::Warn),
            _ => return None,
        })
    }

    /// Returns what a label means that a labeler defines.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::com::atproto::label::defs::LabelValueDefinition,
    ///     bsky::moderation::{Context, Effect, LabelDefinition},
    ///     did,
    /// };
    ///
    /// let published = LabelValueDefinition::new("rude", "inform", "none", vec![]);
    /// let definition = LabelDefinition::new(&published, did!("did:web:labeler.example.com"));
    /// assert_eq!(definition.on_content.in_context(Context::ContentView), Some(Effect::Inform));
    /// ```
    pub fn new(published: &LabelValueDefinition, labeler: Did) -> Self {
        let is_adult = published.adult_only.unwrap_or(false);
        let note = match published.severity {
            LabelValueDefinitionSeverity::Alert => Some(Effect::Alert),
            LabelValueDefinitionSeverity::Inform => Some(Effect::Inform),
            _ => None,
        };
        let noted = |effects: Effects, contexts: &[Context]| match note {
            Some(note) => effects.with(contexts, note),
            None => effects,
        };
        let profile = noted(Effects::NONE, &[Context::ProfileList, Context::ProfileView]);
        let (on_account, on_profile, on_content) = match published.blurs {
            LabelValueDefinitionBlurs::Content => {
                let covered = |effects: Effects| {
                    let listed = effects.with(&[Context::ContentList], Effect::Blur);
                    match is_adult {
                        true => listed.with(&[Context::ContentView], Effect::Blur),
                        false => noted(listed, &[Context::ContentView]),
                    }
                };
                (covered(profile), profile, covered(Effects::NONE))
            }
            LabelValueDefinitionBlurs::Media => {
                let pictures = profile.with(&[Context::Avatar, Context::Banner], Effect::Blur);
                (pictures, pictures, MEDIA)
            }
            _ => {
                let content = [Context::ContentList, Context::ContentView];
                (noted(profile, &content), profile, noted(Effects::NONE, &content))
            }
        };
        let default_setting = match &published.default_setting {
            Some(LabelValueDefinitionDefaultSetting::Ignore) => LabelSetting::Ignore,
            Some(LabelValueDefinitionDefaultSetting::Hide) => LabelSetting::Hide,
            _ => LabelSetting::Warn,
        };
        Self {
            labeler: Some(labeler),
            is_adult,
            is_for_authors: false,
            on_account,
            on_profile,
            on_content,
            locales: published.locales.clone(),
            ..Self::plain(published.identifier.clone(), default_setting)
        }
    }

    fn plain(identifier: impl Into<Cow<'static, str>>, default_setting: LabelSetting) -> Self {
        Self {
            identifier: identifier.into(),
            labeler: None,
            is_configurable: true,
            default_setting,
            is_adult: false,
            forbids_override: false,
            is_for_signed_out: false,
            is_for_authors: true,
            on_account: Effects::NONE,
            on_profile: Effects::NONE,
            on_content: Effects::NONE,
            locales: Vec::new(),
        }
    }

    /// Returns what the label does to a target.
    ///
    /// ```
    /// use atproto_sdk::bsky::moderation::{Context, Effect, LabelDefinition, LabelTarget};
    ///
    /// let nudity = LabelDefinition::global("nudity").unwrap();
    /// let media = |target| nudity.effects(target).in_context(Context::ContentMedia);
    /// assert_eq!(media(LabelTarget::Content), Some(Effect::Blur));
    /// assert_eq!(media(LabelTarget::Account), None);
    /// ```
    pub fn effects(&self, target: LabelTarget) -> Effects {
        match target {
            LabelTarget::Account => self.on_account,
            LabelTarget::Profile => self.on_profile,
            LabelTarget::Content => self.on_content,
        }
    }

    /// Returns name and description in the first of these languages that there is, else in English, else in any.
    /// `None` if there are none at all.
    ///
    /// A language is found by the longest part that matches: `pt-BR` finds `pt-BR` before `pt`, and `pt` before
    /// `pt-PT`.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::com::atproto::label::defs::{LabelValueDefinition, LabelValueDefinitionStrings},
    ///     bsky::moderation::LabelDefinition,
    ///     did,
    ///     types::Language,
    /// };
    ///
    /// let locales = vec![
    ///     LabelValueDefinitionStrings::new(Language::new("en")?, "Rude", "Not polite."),
    ///     LabelValueDefinitionStrings::new(Language::new("pt")?, "Rude", "Sem educação."),
    /// ];
    /// let published = LabelValueDefinition::new("rude", "inform", "none", locales);
    /// let definition = LabelDefinition::new(&published, did!("did:web:labeler.example.com"));
    ///
    /// let found = definition.strings(&[Language::new("ja")?, Language::new("pt-BR")?]).unwrap();
    /// assert_eq!(found.description, "Sem educação.");
    /// assert_eq!(definition.strings(&[]).unwrap().description, "Not polite.");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn strings(&self, languages: &[Language]) -> Option<&LabelValueDefinitionStrings> {
        languages
            .iter()
            .map(Language::as_str)
            .chain(["en"])
            .find_map(|wanted| self.strings_in(wanted))
            .or_else(|| self.locales.first())
    }

    fn strings_in(&self, wanted: &str) -> Option<&LabelValueDefinitionStrings> {
        let of = |wanted: &str| {
            self.locales.iter().find(|strings| strings.lang.as_str().eq_ignore_ascii_case(wanted))
        };
        let mut shorter = Some(wanted);
        while let Some(tag) = shorter {
            if let Some(found) = of(tag) {
                return Some(found);
            }
            shorter = tag.rsplit_once('-').map(|(rest, _)| rest);
        }
        // Portuguese of another country is better than English.
        let language = wanted.split('-').next().unwrap_or(wanted);
        self.locales.iter().find(|strings| {
            strings.lang.as_str().split('-').next().is_some_and(|found| found.eq_ignore_ascii_case(language))
        })
    }
}

/// What the labels of each labeler mean.
///
/// Definitions change rarely: an app fetches them with [`labelers::fetch`](crate::bsky::labelers::fetch) when it
/// starts and every few hours.
///
/// ```
/// use atproto_sdk::{
///     api::com::atproto::label::defs::LabelValueDefinition,
///     bsky::moderation::{LabelDefinition, LabelDefinitions},
///     did,
/// };
///
/// let labeler = did!("did:web:labeler.example.com");
/// let mut definitions = LabelDefinitions::new();
/// let published = LabelValueDefinition::new("rude", "inform", "none", vec![]);
/// definitions.insert(LabelDefinition::new(&published, labeler.clone()));
///
/// assert!(definitions.get(&labeler, "rude").is_some());
/// // Not its own, but the same everywhere.
/// assert!(definitions.get(&labeler, "porn").is_some());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelDefinitions {
    labelers: HashMap<Did, Vec<LabelDefinition>>,
}

impl LabelDefinitions {
    /// Creates a set without definitions, except for those that are the same everywhere.
    ///
    /// ```
    /// use atproto_sdk::{bsky::moderation::LabelDefinitions, did};
    ///
    /// let definitions = LabelDefinitions::new();
    /// let labeler = did!("did:web:labeler.example.com");
    /// assert!(definitions.get(&labeler, "graphic-media").is_some());
    /// assert!(definitions.get(&labeler, "rude").is_none());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a definition, or replaces the one of the same labeler and label. One that is the same everywhere is not
    /// changed.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::com::atproto::label::defs::LabelValueDefinition,
    ///     bsky::moderation::{LabelDefinition, LabelDefinitions},
    ///     did,
    /// };
    ///
    /// let labeler = did!("did:web:labeler.example.com");
    /// let mut definitions = LabelDefinitions::new();
    /// for severity in ["inform", "alert"] {
    ///     let published = LabelValueDefinition::new("rude", severity, "none", vec![]);
    ///     definitions.insert(LabelDefinition::new(&published, labeler.clone()));
    /// }
    /// assert_eq!(definitions.of(&labeler).len(), 1);
    /// ```
    pub fn insert(&mut self, definition: LabelDefinition) {
        let Some(labeler) = definition.labeler.clone() else { return };
        let definitions = self.labelers.entry(labeler).or_default();
        match definitions.iter_mut().find(|known| known.identifier == definition.identifier) {
            Some(known) => *known = definition,
            None => definitions.push(definition),
        }
    }

    /// Replaces all definitions of a labeler with those that it has published.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::labeler::defs::LabelerViewDetailed, bsky::moderation::LabelDefinitions};
    ///
    /// fn refresh(definitions: &mut LabelDefinitions, labelers: &[LabelerViewDetailed]) {
    ///     labelers.iter().for_each(|labeler| definitions.insert_labeler(labeler));
    /// }
    /// ```
    pub fn insert_labeler(&mut self, labeler: &LabelerViewDetailed) {
        let did = &labeler.creator.did;
        self.labelers.remove(did);
        for published in labeler.policies.label_value_definitions.iter().flatten() {
            self.insert(LabelDefinition::new(published, did.clone()));
        }
    }

    /// Returns the definitions of a labeler, in its order.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::com::atproto::label::defs::LabelValueDefinition,
    ///     bsky::moderation::{LabelDefinition, LabelDefinitions},
    ///     did,
    /// };
    ///
    /// let labeler = did!("did:web:labeler.example.com");
    /// let mut definitions = LabelDefinitions::new();
    /// for label in ["rude", "spoiler"] {
    ///     let published = LabelValueDefinition::new(label, "inform", "none", vec![]);
    ///     definitions.insert(LabelDefinition::new(&published, labeler.clone()));
    /// }
    /// let labels: Vec<&str> = definitions.of(&labeler).iter().map(|definition| &*definition.identifier).collect();
    /// assert_eq!(labels, ["rude", "spoiler"]);
    /// ```
    pub fn of(&self, labeler: &Did) -> &[LabelDefinition] {
        self.labelers.get(labeler).map_or(&[], Vec::as_slice)
    }

    /// Returns what a label of a labeler means: by its own definition, else by the one that is the same everywhere.
    /// `None` if nobody defines it.
    ///
    /// Only labels of lower-case letters and hyphens can be defined by labelers.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::com::atproto::label::defs::LabelValueDefinition,
    ///     bsky::moderation::{LabelDefinition, LabelDefinitions},
    ///     did,
    /// };
    ///
    /// let labeler = did!("did:web:labeler.example.com");
    /// let mut definitions = LabelDefinitions::new();
    /// let published = LabelValueDefinition::new("rude", "inform", "none", vec![]);
    /// definitions.insert(LabelDefinition::new(&published, labeler.clone()));
    ///
    /// let rude = definitions.get(&labeler, "rude").unwrap();
    /// assert_eq!(rude.labeler, Some(labeler));
    /// assert!(definitions.get(&did!("did:web:other.example.com"), "rude").is_none());
    /// ```
    pub fn get(&self, labeler: &Did, label: &str) -> Option<Cow<'_, LabelDefinition>> {
        let is_own = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let own =
            self.of(labeler).iter().filter(|_| is_own).find(|definition| definition.identifier == label);
        own.map(Cow::Borrowed).or_else(|| LabelDefinition::global(label).map(Cow::Owned))
    }
}

impl<'a> Extend<&'a LabelerViewDetailed> for LabelDefinitions {
    fn extend<I: IntoIterator<Item = &'a LabelerViewDetailed>>(&mut self, labelers: I) {
        for labeler in labelers {
            self.insert_labeler(labeler);
        }
    }
}

impl<'a> FromIterator<&'a LabelerViewDetailed> for LabelDefinitions {
    fn from_iter<I: IntoIterator<Item = &'a LabelerViewDetailed>>(labelers: I) -> Self {
        let mut definitions = Self::new();
        definitions.extend(labelers);
        definitions
    }
}
