//! Labels, labelers, and content for adults.

use super::Preferences;
use crate::{
    api::app::bsky::actor::defs::{AdultContentPref, ContentLabelPref, LabelerPrefItem, LabelersPref},
    bsky::moderation::{LabelSetting, Moderation},
    types::Did,
};

/// Labels that had another name once, which older apps still read and write.
const RENAMED: [(&str, &str); 3] = [("porn", "nsfw"), ("sexual", "suggestive"), ("graphic-media", "gore")];

impl Preferences {
    /// Returns whether content for adults is enabled.
    ///
    /// ```
    /// use atproto_sdk::bsky::preferences::Preferences;
    ///
    /// let mut preferences = Preferences::new();
    /// assert!(!preferences.adult_content());
    /// preferences.set_adult_content(true);
    /// assert!(preferences.adult_content());
    /// ```
    pub fn adult_content(&self) -> bool {
        self.get::<AdultContentPref>().is_some_and(|preference| preference.enabled)
    }

    /// Sets whether content for adults is enabled.
    ///
    /// ```
    /// use atproto_sdk::bsky::preferences::Preferences;
    ///
    /// let mut preferences = Preferences::new();
    /// assert!(!preferences.adult_content());
    /// preferences.set_adult_content(true);
    /// assert!(preferences.adult_content());
    /// ```
    pub fn set_adult_content(&mut self, enabled: bool) {
        let mut preference = self.get().cloned().unwrap_or_else(|| AdultContentPref::new(enabled));
        preference.enabled = enabled;
        self.set(preference);
    }

    /// Returns the setting for a label, whoever has attached it, or `None` if nothing was chosen.
    ///
    /// ```
    /// use atproto_sdk::bsky::{
    ///     moderation::{LabelDefinition, LabelSetting},
    ///     preferences::Preferences,
    /// };
    ///
    /// let preferences = Preferences::new();
    /// // What counts if nothing was chosen is a matter of the label.
    /// let default = LabelDefinition::global("porn").map(|definition| definition.default_setting);
    /// assert_eq!(preferences.label("porn").or(default), Some(LabelSetting::Hide));
    /// ```
    pub fn label(&self, label: &str) -> Option<LabelSetting> {
        // The older name counts if it is there: whoever writes the newer one writes both.
        let renamed = RENAMED.iter().find(|(newer, _)| *newer == label).map(|(_, older)| *older);
        renamed.and_then(|older| self.setting(None, older)).or_else(|| self.setting(None, label))
    }

    /// Sets the setting for a label, whoever has attached it.
    ///
    /// ```
    /// use atproto_sdk::bsky::{moderation::LabelSetting, preferences::Preferences};
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.set_label("porn", LabelSetting::Warn);
    /// assert_eq!(preferences.label("porn"), Some(LabelSetting::Warn));
    /// assert_eq!(preferences.label("sexual"), None);
    /// ```
    pub fn set_label(&mut self, label: &str, setting: LabelSetting) {
        self.choose(None, label, setting);
        if let Some((_, older)) = RENAMED.iter().find(|(newer, _)| *newer == label) {
            self.choose(None, older, setting);
        }
    }

    /// Returns the setting for a label of a labeler, or `None` if nothing was chosen for that labeler.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     bsky::{moderation::LabelSetting, preferences::Preferences},
    ///     did,
    /// };
    ///
    /// let (labeler, other) = (did!("did:web:labeler.example.com"), did!("did:web:other.example.com"));
    /// let mut preferences = Preferences::new();
    /// preferences.set_label_of(&labeler, "rude", LabelSetting::Warn);
    /// assert_eq!(preferences.label_of(&labeler, "rude"), Some(LabelSetting::Warn));
    /// assert_eq!(preferences.label_of(&other, "rude"), None);
    /// ```
    pub fn label_of(&self, labeler: &Did, label: &str) -> Option<LabelSetting> {
        self.setting(Some(labeler), label)
    }

    /// Sets the setting for a label of a labeler.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     bsky::{moderation::LabelSetting, preferences::Preferences},
    ///     did,
    /// };
    ///
    /// let labeler = did!("did:web:labeler.example.com");
    /// let mut preferences = Preferences::new();
    /// preferences.set_label_of(&labeler, "rude", LabelSetting::Hide);
    /// assert_eq!(preferences.label_of(&labeler, "rude"), Some(LabelSetting::Hide));
    /// assert_eq!(preferences.label("rude"), None);
    /// ```
    pub fn set_label_of(&mut self, labeler: &Did, label: &str, setting: LabelSetting) {
        self.choose(Some(labeler), label, setting);
    }

    /// Returns the labelers that the viewer has subscribed to.
    ///
    /// ```
    /// use atproto_sdk::{bsky::preferences::Preferences, did};
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.subscribe_labeler(did!("did:web:labeler.example.com"));
    /// let labelers: Vec<&str> = preferences.labelers().map(|did| did.as_str()).collect();
    /// assert_eq!(labelers, ["did:web:labeler.example.com"]);
    /// ```
    pub fn labelers(&self) -> impl Iterator<Item = &Did> {
        self.get::<LabelersPref>()
            .into_iter()
            .flat_map(|preference| &preference.labelers)
            .map(|item| &item.did)
    }

    /// Subscribes to a labeler. Returns whether the viewer was not subscribed before.
    ///
    /// ```
    /// use atproto_sdk::{bsky::preferences::Preferences, did};
    ///
    /// let labeler = did!("did:web:labeler.example.com");
    /// let mut preferences = Preferences::new();
    /// assert!(preferences.subscribe_labeler(labeler.clone()));
    /// assert!(!preferences.subscribe_labeler(labeler.clone()));
    /// assert!(preferences.unsubscribe_labeler(&labeler));
    /// assert_eq!(preferences.labelers().count(), 0);
    /// ```
    pub fn subscribe_labeler(&mut self, labeler: Did) -> bool {
        let is_new = self.labelers().all(|subscribed| *subscribed != labeler);
        if is_new {
            let mut preference = self.get().cloned().unwrap_or_else(|| LabelersPref::new(Vec::new()));
            preference.labelers.push(LabelerPrefItem::new(labeler));
            self.set(preference);
        }
        is_new
    }

    /// Ends the subscription of a labeler. Returns whether the viewer was subscribed. The settings for its labels are
    /// kept.
    ///
    /// ```
    /// use atproto_sdk::{bsky::preferences::Preferences, did};
    ///
    /// let labeler = did!("did:web:labeler.example.com");
    /// let mut preferences = Preferences::new();
    /// assert!(!preferences.unsubscribe_labeler(&labeler));
    /// preferences.subscribe_labeler(labeler.clone());
    /// assert!(preferences.unsubscribe_labeler(&labeler));
    /// ```
    pub fn unsubscribe_labeler(&mut self, labeler: &Did) -> bool {
        let Some(mut preference) = self.get::<LabelersPref>().cloned() else { return false };
        let before = preference.labelers.len();
        preference.labelers.retain(|item| item.did != *labeler);
        let was_subscribed = preference.labelers.len() < before;
        if was_subscribed {
            self.set(preference);
        }
        was_subscribed
    }

    /// Adds the settings for labels, of those labelers that are already there.
    pub(super) fn add_label_settings(&self, moderation: &mut Moderation) {
        for preference in self.items().iter().filter_map(<ContentLabelPref as super::Preference>::of) {
            let Some(setting) = LabelSetting::of(&preference.visibility) else { continue };
            let settings = match &preference.labeler_did {
                Some(labeler) => moderation.labelers.get_mut(labeler),
                None => Some(&mut moderation.labels),
            };
            if let Some(settings) = settings {
                settings.insert(preference.label.clone(), setting);
            }
        }
        for (newer, older) in RENAMED {
            if let Some(setting) = moderation.labels.get(older).copied() {
                moderation.labels.insert(newer.to_owned(), setting);
            }
        }
    }

    fn setting(&self, labeler: Option<&Did>, label: &str) -> Option<LabelSetting> {
        let found = self.items().iter().rev().filter_map(<ContentLabelPref as super::Preference>::of);
        found
            .filter(|preference| is_for(preference, labeler, label))
            .find_map(|preference| LabelSetting::of(&preference.visibility))
    }

    fn choose(&mut self, labeler: Option<&Did>, label: &str, setting: LabelSetting) {
        let mut known = self.items().iter().rev().filter_map(<ContentLabelPref as super::Preference>::of);
        let known = known.find(|preference| is_for(preference, labeler, label)).cloned();
        let mut preference = known.unwrap_or_else(|| ContentLabelPref::new(label, setting));
        preference.labeler_did = labeler.cloned();
        preference.visibility = setting.into();
        self.set_where(preference, |other| is_for(other, labeler, label));
    }
}

fn is_for(preference: &ContentLabelPref, labeler: Option<&Did>, label: &str) -> bool {
    preference.labeler_did.as_ref() == labeler && preference.label == label
}
