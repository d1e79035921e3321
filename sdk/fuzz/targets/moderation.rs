//! Views and preferences as any server may return them: decisions about them are the same each time and fit together, and
//! timelines, threads and groups of notifications lose nothing that they must show.
#![no_main]

use std::time::{Duration, SystemTime};

use atproto_sdk::{
    api::app::bsky::{
        actor::defs::PreferencesItem,
        feed::{get_post_thread, get_timeline},
        labeler::defs::LabelerViewDetailed,
        notification::list_notifications,
    },
    bsky::{
        feeds::Timeline,
        labelers,
        moderation::{Context, Decision, Moderation},
        notifications::Grouping,
        preferences::Preferences,
        threads::ThreadView,
    },
    types::{AtUri, FromData, Unknown},
};
use libfuzzer_sys::fuzz_target;

fn field<T: FromData>(input: &Unknown, name: &str) -> Option<T> {
    input.get(name)?.decode().ok()
}

fn check(decision: &Decision) {
    for context in Context::ALL {
        let treatment = decision.in_context(context);
        assert!(!treatment.is_filtered() || context.is_list(), "only lists leave something out: {context:?}");
        assert!(!treatment.no_override || treatment.is_blurred(), "{context:?}");
        let all = [&treatment.filters, &treatment.blurs, &treatment.alerts, &treatment.informs];
        assert!(all.into_iter().flatten().all(|cause| decision.causes.contains(cause)));
        assert_eq!(treatment.is_plain(), all.into_iter().all(Vec::is_empty));
    }
    let blocked = decision.is_blocked() && !decision.is_own;
    assert!(!blocked || decision.in_context(Context::ContentList).is_filtered(), "{decision:?}");
    assert!(decision.labels().count() <= decision.causes.len());
}

fn settings(input: &Unknown) -> Moderation {
    let preferences =
        field::<Vec<PreferencesItem>>(input, "preferences").map(Preferences::from).unwrap_or_default();
    check_changes(&preferences);
    let mut moderation = preferences
        .moderation([labelers::BLUESKY])
        .at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000));
    moderation.viewer = field(input, "viewer");
    if let Some(labeler) = field::<LabelerViewDetailed>(input, "labeler") {
        assert!(labelers::choices(&labeler).iter().all(|choice| choice.is_configurable));
        moderation.definitions.insert_labeler(&labeler);
    }
    moderation
}

/// What was set is read, and the rest stays.
fn check_changes(preferences: &Preferences) {
    let mut changed = preferences.clone();
    let adult = !preferences.adult_content();
    changed.set_adult_content(adult);
    assert_eq!(changed.adult_content(), adult);
    assert_eq!(changed.muted_words(), preferences.muted_words());
    let feeds = preferences.saved_feeds();
    let id = changed.save_feed("feed", "at://did:web:a.test/app.bsky.feed.generator/cats", true);
    assert!(changed.saved_feeds().iter().any(|feed| feed.id == id && feed.pinned));
    assert!(changed.saved_feeds().len() <= feeds.len() + 1);
    assert!(changed.remove_saved_feed(&id));
    let post = AtUri::new("at://did:web:a.test/app.bsky.feed.post/3kabcdefgh22a").expect("it is valid");
    assert_eq!(changed.hide_post(post.clone()), !preferences.hidden_posts().contains(&post));
    assert!(changed.moderation([]).hidden_posts.contains(&post));
    assert!(changed.unhide_post(&post) && !changed.hidden_posts().contains(&post));
}

fn check_feed(moderation: &Moderation, output: get_timeline::Output) {
    let mut timeline = Timeline::new().moderation(moderation.clone());
    let most = output.feed.len();
    for item in &output.feed {
        let mut decision = moderation.post(&item.post);
        assert_eq!(decision, moderation.post(&item.post));
        check(&decision);
        if moderation.hidden_posts.contains(&item.post.uri) {
            assert!(decision.in_context(Context::ContentList).is_filtered());
        }
        decision = moderation.reply(&item.post, item.post.threadgate.as_deref());
        check(&decision);
        check(&moderation.profile(&item.post.author));
    }
    let shown: Vec<_> = output.feed.into_iter().filter_map(|item| timeline.show(item)).collect();
    assert!(shown.len() <= most);
    for item in &shown {
        let decision = item.decision.as_ref().expect("there is a moderation");
        assert!(!decision.in_context(Context::ContentList).is_filtered());
    }
}

fn check_thread(moderation: &Moderation, output: get_post_thread::Output) {
    let anchor = AtUri::new("at://did:web:a.test/app.bsky.feed.post/3kabcdefgh22a").expect("it is valid");
    let thread = ThreadView::new().moderation(moderation.clone()).arrange(&anchor, output);
    assert_eq!(thread.anchor.depth, 0);
    assert!(thread.parents.iter().all(|item| item.depth < 0));
    assert!(thread.parents.is_sorted_by_key(|item| item.depth));
    for replies in [&thread.replies, &thread.hidden] {
        assert!(replies.iter().all(|item| item.depth > 0));
    }
    for item in thread.items().chain(&thread.hidden) {
        item.decision.iter().for_each(check);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Unknown::from_json(bytes) else { return };
    let moderation = settings(&input);
    if let Some(output) = field::<get_timeline::Output>(&input, "timeline") {
        check_feed(&moderation, output);
    }
    if let Some(output) = field::<get_post_thread::Output>(&input, "thread") {
        check_thread(&moderation, output);
    }
    if let Some(output) = field::<list_notifications::Output>(&input, "notifications") {
        for notification in &output.notifications {
            check(&moderation.notification(notification));
        }
        let count = output.notifications.len();
        let groups = Grouping::new().group(output.notifications);
        assert_eq!(groups.iter().map(|group| group.notifications().count()).sum::<usize>(), count);
    }
});
