//! Compared with the reference: what `@atproto/api` 0.21.0 and `@bsky/sdk` 1.1.4 decide about the same settings and
//! subjects. `tests/reference/moderation/cases.mjs` writes the cases.
#![allow(clippy::unwrap_used)]

mod differences;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Cause, CauseKind, CauseSource, Context, Decision, LabelDefinition, LabelSetting, LabelTarget, Moderation,
    Passage,
};
use crate::{
    api::{
        app::bsky::{
            actor::defs::{MutedWord, ProfileViewBasic},
            feed::defs::{GeneratorView, PostView},
            graph::defs::{ListView, ListViewBasic},
            notification::list_notifications::Notification,
            richtext::facet::Facet,
        },
        com::atproto::label::defs::LabelValueDefinition,
    },
    types::{Did, Language},
};

type Map<T> = std::collections::BTreeMap<String, T>;

#[derive(Deserialize)]
struct Cases {
    settings: indexed::Pairs<Settings>,
    subjects: Map<Subject>,
    decisions: Vec<Value>,
    expected: Map<Vec<usize>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    viewer: Option<Did>,
    adult_content: bool,
    #[serde(default)]
    labels: Map<String>,
    #[serde(default)]
    labelers: Vec<LabelerSettings>,
    #[serde(default)]
    definitions: std::collections::HashMap<Did, Vec<LabelValueDefinition>>,
    #[serde(default)]
    muted_words: Vec<MutedWord>,
    #[serde(default)]
    hidden_posts: Vec<crate::types::AtUri>,
}

#[derive(Deserialize)]
struct LabelerSettings {
    did: Did,
    labels: Map<String>,
}

#[derive(Deserialize)]
struct Subject {
    kind: String,
    view: Value,
}

/// A JSON object in its order.
mod indexed {
    use std::{fmt, marker::PhantomData};

    use serde::{
        Deserialize, Deserializer,
        de::{MapAccess, Visitor},
    };

    pub(super) struct Pairs<T>(pub(super) Vec<(String, T)>);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Entries<T>(PhantomData<T>);
            impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
                type Value = Pairs<T>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                    let mut entries = Vec::new();
                    while let Some(entry) = map.next_entry()? {
                        entries.push(entry);
                    }
                    Ok(Pairs(entries))
                }
            }
            deserializer.deserialize_map(Entries(PhantomData))
        }
    }
}

fn setting(name: &str) -> LabelSetting {
    match name {
        "ignore" => LabelSetting::Ignore,
        "warn" => LabelSetting::Warn,
        "hide" => LabelSetting::Hide,
        other => panic!("{other}"),
    }
}

impl Settings {
    fn moderation(&self) -> Moderation {
        let mut moderation = Moderation::new();
        moderation.viewer = self.viewer.clone();
        moderation.adult_content = self.adult_content;
        let settings = |labels: &Map<String>| {
            labels.iter().map(|(label, name)| (label.clone(), setting(name))).collect()
        };
        moderation.labels = settings(&self.labels);
        for labeler in &self.labelers {
            moderation.labelers.insert(labeler.did.clone(), settings(&labeler.labels));
        }
        for (labeler, definitions) in &self.definitions {
            for definition in definitions {
                moderation.definitions.insert(LabelDefinition::new(definition, labeler.clone()));
            }
        }
        moderation.muted_words = self.muted_words.clone();
        moderation.hidden_posts = self.hidden_posts.iter().cloned().collect();
        moderation
    }
}

fn view<T: serde::de::DeserializeOwned>(view: &Value) -> T {
    serde_json::from_value(view.clone()).unwrap_or_else(|error| panic!("{error}: {view}"))
}

fn decide(moderation: &Moderation, subject: &Subject) -> Decision {
    match subject.kind.as_str() {
        "profile" => moderation.profile(&view::<ProfileViewBasic>(&subject.view)),
        "post" => moderation.post(&view::<PostView>(&subject.view)),
        "notification" => moderation.notification(&view::<Notification>(&subject.view)),
        "feed" => moderation.feed_generator(&view::<GeneratorView>(&subject.view)),
        "list" if subject.view.get("creator").is_some() => moderation.list(&view::<ListView>(&subject.view)),
        "list" => moderation.list(&view::<ListViewBasic>(&subject.view)),
        "status" => {
            let account: ProfileViewBasic = view(&subject.view);
            match &account.status {
                Some(status) => moderation.status(&account, status),
                None => moderation.profile(&account),
            }
        }
        other => panic!("{other}"),
    }
}

/// A cause as the cases name it.
fn named(cause: &Cause) -> String {
    let source = match &cause.source {
        CauseSource::User => String::new(),
        CauseSource::List(list) => format!(" {}", list.name),
        CauseSource::Labeler(did) => format!(" {did}"),
    };
    match &cause.kind {
        CauseKind::Blocking => format!("blocking{source}"),
        CauseKind::BlockedBy => format!("blocked-by{source}"),
        CauseKind::Muted => format!("muted{source}"),
        CauseKind::Hidden => format!("hidden{source}"),
        CauseKind::HiddenByThreadAuthor => format!("hidden-by-thread-author{source}"),
        CauseKind::MutedWords(matches) => {
            let words: Vec<&str> = matches.iter().map(|found| found.word.value.as_str()).collect();
            format!("muted-word {}", words.join("|"))
        }
        CauseKind::Label(label) => {
            let target = match label.target {
                LabelTarget::Account => "account",
                LabelTarget::Profile => "profile",
                LabelTarget::Content => "content",
            };
            format!("label {} {target}{source}", label.label.val)
        }
    }
}

/// A decision as the cases have it.
fn described(decision: &Decision) -> Value {
    let mut described = json!({});
    if decision.is_blocked() {
        described["blocked"] = true.into();
    }
    if decision.is_muted() {
        described["muted"] = true.into();
    }
    for context in Context::ALL {
        let name = match context {
            Context::ProfileList => "profileList",
            Context::ProfileView => "profileView",
            Context::Avatar => "avatar",
            Context::Banner => "banner",
            Context::DisplayName => "displayName",
            Context::ContentList => "contentList",
            Context::ContentView => "contentView",
            Context::ContentMedia => "contentMedia",
        };
        let treatment = decision.in_context(context);
        let mut shown = json!({});
        let parts = [
            ("filters", &treatment.filters),
            ("blurs", &treatment.blurs),
            ("alerts", &treatment.alerts),
            ("informs", &treatment.informs),
        ];
        for (part, causes) in parts.into_iter().filter(|(_, causes)| !causes.is_empty()) {
            shown[part] = causes.iter().map(|cause| named(cause)).collect();
        }
        if treatment.no_override {
            shown["noOverride"] = true.into();
        }
        if shown != json!({}) {
            described[name] = shown;
        }
    }
    described
}

#[test]
fn decisions_are_those_of_the_reference() {
    let cases: Cases = serde_json::from_str(include_str!("decisions.json")).unwrap();
    let settings: Vec<_> =
        cases.settings.0.iter().map(|(name, settings)| (name, settings.moderation())).collect();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, subject) in &cases.subjects {
        let expected = &cases.expected[name];
        assert_eq!(expected.len(), settings.len());
        for ((setting, moderation), expected) in settings.iter().zip(expected) {
            let (decided, expected) = (described(&decide(moderation, subject)), &cases.decisions[*expected]);
            compared += 1;
            if decided != *expected {
                wrong.push(format!("{name}, {setting}:\n  {decided}\n  {expected}"));
            }
        }
    }
    assert!(compared > 5000, "{compared}");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

#[derive(Deserialize)]
struct Words {
    words: Vec<Value>,
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    #[serde(default)]
    facets: Vec<Facet>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    languages: Vec<Language>,
    actor: Option<Value>,
    /// What the word with that name matches.
    matches: Map<String>,
}

#[test]
fn muted_words_are_found_where_the_reference_finds_them() {
    let cases: Words = serde_json::from_str(include_str!("muted_words.json")).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for text in &cases.texts {
        let actor: Option<ProfileViewBasic> = text.actor.as_ref().map(view);
        let is_followed =
            actor.and_then(|actor| actor.viewer).is_some_and(|viewer| viewer.following.is_some());
        let passage = Passage::new(&text.text)
            .facets(&text.facets)
            .tags(&text.tags)
            .languages(&text.languages)
            .is_by_followed(is_followed);
        for word in &cases.words {
            let mut moderation = Moderation::new();
            moderation.muted_words.push(view(word));
            let found = moderation.muted_words_in(&passage);
            let found = found.first().map(|found| found.found.as_str());
            let name = word["id"].as_str().unwrap();
            let expected = text.matches.get(name).map(String::as_str);
            compared += 1;
            if found != expected {
                wrong.push(format!("{name:?} in {:?}: {found:?}, {expected:?}", text.text));
            }
        }
    }
    assert!(compared > 20_000, "{compared}");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}
