//! Preferences and profiles at the reference PDS, which keeps them itself.
#![allow(clippy::unwrap_used)]

use atproto_sdk::{
    PasswordClient,
    api::app::bsky::actor::{
        defs::{
            FeedViewPref, LiveEventPreferences, MutedWord, MutedWordTarget, PersonalDetailsPref,
            PreferencesItem, ThreadViewPref, ThreadViewPrefSort,
        },
        profile::Profile,
    },
    at_uri,
    bsky::{
        labelers,
        moderation::LabelSetting,
        preferences::{self, Preferences},
    },
    datetime, did, record_key,
    types::Unknown,
};
use tests::Network;

async fn signed_in(name: &str) -> (&'static Network, PasswordClient) {
    let network = Network::shared().await.unwrap();
    let account = network.account(name).await.unwrap();
    let client =
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
    (network, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_of_every_kind_are_kept_by_the_server() {
    let (_, client) = signed_in("prefs-a").await;
    assert_eq!(preferences::read(&client).await.unwrap(), Preferences::new());

    let labeler = did!("did:web:labeler.example.com");
    let post = at_uri!("at://did:web:bob.example.com/app.bsky.feed.post/3kabcdefgh22a");
    let unknown =
        Unknown::from_json(r#"{"$type":"app.bsky.actor.defs#somethingNew","value":{"deep":[1,2]}}"#);
    let unknown = unknown.unwrap();
    preferences::update(&client, |preferences| {
        preferences.set_adult_content(true);
        preferences.set_label("porn", LabelSetting::Warn);
        preferences.set_label_of(&labeler, "rude", LabelSetting::Hide);
        preferences.subscribe_labeler(labeler.clone());
        preferences.mute_word(MutedWord::new("#spoiler", vec![MutedWordTarget::Content]));
        preferences.hide_post(post.clone());
        preferences.set_interests(["science"]);
        preferences.save_feed("feed", "at://did:web:bob.example.com/app.bsky.feed.generator/cats", true);
        preferences.set_feed_view(FeedViewPref::new("home").hide_reposts(true));
        preferences.set(ThreadViewPref::new().sort("newest"));
        preferences.edit(|live: &mut LiveEventPreferences| live.hide_all_feeds = Some(true));
        preferences.set(PersonalDetailsPref::new().birth_date(datetime!("1990-01-02T00:00:00Z")));
        preferences.items_mut().push(PreferencesItem::Other(unknown.clone()));
    })
    .await
    .unwrap();

    let preferences = preferences::read(&client).await.unwrap();
    assert!(preferences.adult_content());
    assert_eq!(preferences.label("porn"), Some(LabelSetting::Warn));
    assert_eq!(preferences.muted_words()[0].value, "spoiler");
    assert_eq!(preferences.hidden_posts(), [post]);
    assert_eq!(preferences.interests(), ["science"]);
    assert_eq!(preferences.saved_feeds().len(), 2);
    assert_eq!(preferences.feed_view("home").hide_reposts, Some(true));
    assert_eq!(preferences.thread_view().sort, Some(ThreadViewPrefSort::Newest));
    assert_eq!(preferences.get::<LiveEventPreferences>().unwrap().hide_all_feeds, Some(true));
    let moderation = preferences.moderation([labelers::BLUESKY]);
    assert_eq!(moderation.labelers[&labeler]["rude"], LabelSetting::Hide);
    let is_unknown =
        |item: &&PreferencesItem| matches!(item, PreferencesItem::Other(found) if *found == unknown);
    assert_eq!(preferences.items().iter().filter(is_unknown).count(), 1);

    // What the server makes of the birth date comes back with the others, and can be written with them.
    preferences::update(&client, |preferences| preferences.set_adult_content(false)).await.unwrap();
    let changed = preferences::read(&client).await.unwrap();
    assert!(!changed.adult_content());
    assert_eq!(changed.items().len(), preferences.items().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_from_several_clients_of_an_account_all_arrive() {
    let (network, client) = signed_in("prefs-b").await;
    let account = network.account("prefs-c").await.unwrap();
    let sign_in = || PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password);
    let clients = [sign_in().await.unwrap(), sign_in().await.unwrap(), client];
    let changes: Vec<_> = (0..24)
        .map(|n| {
            let client = clients[n % 3].clone();
            tokio::spawn(async move {
                let word = MutedWord::new(format!("word{n}"), vec![MutedWordTarget::Content]);
                preferences::update(&client, |preferences| preferences.mute_word(word)).await.unwrap()
            })
        })
        .collect();
    for change in changes {
        assert!(change.await.unwrap());
    }
    let words = async |client: &PasswordClient| preferences::read(client).await.unwrap().muted_words().len();
    assert_eq!((words(&clients[0]).await, words(&clients[2]).await), (16, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_made_and_changed_by_two_at_once() {
    let (_, client) = signed_in("prefs-d").await;
    let name = preferences::update_profile(&client, |profile| profile.display_name = Some("Alice".into()));
    let text = preferences::update_profile(&client, |profile| profile.description = Some("Builds".into()));
    let (name, text) = futures_util::future::join(name, text).await;
    name.unwrap();
    text.unwrap();
    let profile = client.records::<Profile>().get(&record_key!("self")).await.unwrap().value;
    assert_eq!(profile.display_name.as_deref(), Some("Alice"));
    assert_eq!(profile.description.as_deref(), Some("Builds"));
}
