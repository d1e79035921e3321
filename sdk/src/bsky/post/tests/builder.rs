//! Posts that are put together.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use crate::{
    api::{
        app::bsky::{
            embed::{
                defs::AspectRatio,
                external::{External, ExternalDef},
                images::Image,
                video::Video,
            },
            feed::post::Post,
        },
        com::atproto::repo::strong_ref::StrongRef,
    },
    bsky::{PostBuilder, post::reply_to},
    types::{Blob, Cid, Data as _},
};

pub(super) fn reference(rkey: &str) -> StrongRef {
    let uri = format!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/{rkey}");
    StrongRef::new(uri.as_str().try_into().unwrap(), Cid::of_raw(rkey.as_bytes()))
}

fn blob(mime_type: &str) -> Blob {
    Blob::new(Cid::of_raw(b"..."), mime_type, 3)
}

fn image(ratio: bool) -> Image {
    let image = Image::new(blob("image/png"), "a picture");
    if ratio { image.aspect_ratio(AspectRatio::new(4, 3)) } else { image }
}

fn json_of(post: &Post) -> Value {
    serde_json::to_value(post).unwrap()
}

fn builder() -> PostBuilder {
    PostBuilder::new("text").created_at("2026-11-26T00:00:00Z".try_into().unwrap())
}

fn card() -> External {
    External::new(ExternalDef::new("https://example.com".try_into().unwrap(), "Title", "Description"))
}

#[test]
fn a_post_of_text_has_nothing_else() {
    assert_eq!(
        json_of(&builder().build()),
        json!({"$type": "app.bsky.feed.post", "text": "text", "createdAt": "2026-11-26T00:00:00Z"})
    );
    let post = PostBuilder::new("now").build();
    assert!(post.created_at.is_valid() && post.validate().is_ok());
}

#[test]
fn what_is_set_is_in_the_post_and_the_post_is_valid() {
    let post = PostBuilder::new("see example.com #tag")
        .lang("en".try_into().unwrap())
        .lang("de".try_into().unwrap())
        .label("nudity")
        .tag("hidden")
        .reply(reply_to(reference("3jzfcijpj2z2a"), &builder().build()))
        .build();
    post.validate().unwrap();
    let json = json_of(&post);
    assert_eq!(json["langs"], json!(["en", "de"]));
    assert_eq!(
        json["labels"],
        json!({"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "nudity"}]})
    );
    assert_eq!(json["tags"], json!(["hidden"]));
    assert_eq!(
        json["facets"][1]["features"][0],
        json!({"$type": "app.bsky.richtext.facet#tag", "tag": "tag"})
    );
    assert_eq!(json["reply"]["root"], json["reply"]["parent"]);
}

#[test]
fn each_kind_of_media_stands_alone_or_beside_a_quote() {
    let cases: [(&str, fn(PostBuilder) -> PostBuilder); 4] = [
        ("app.bsky.embed.images", |post| post.image(image(true)).image(image(false))),
        ("app.bsky.embed.video", |post| post.image(image(true)).video(Video::new(blob("video/mp4")))),
        ("app.bsky.embed.external", |post| post.card(card())),
        ("app.bsky.embed.gallery", |post| post.images((0..5).map(|_| image(true)))),
    ];
    for (name, add) in cases {
        let post = add(builder()).build();
        post.validate().unwrap();
        assert_eq!(json_of(&post)["embed"]["$type"], name);
        let post = add(builder()).quote(reference("3jzfcijpj2z2a")).build();
        post.validate().unwrap();
        let embed = &json_of(&post)["embed"];
        assert_eq!(embed["$type"], "app.bsky.embed.recordWithMedia");
        assert_eq!(embed["media"]["$type"], name);
        assert_eq!(embed["record"]["record"]["uri"], reference("3jzfcijpj2z2a").uri.as_str());
    }
    let quote = json_of(&builder().quote(reference("3jzfcijpj2z2a")).build());
    assert_eq!(quote["embed"]["$type"], "app.bsky.embed.record");
}

#[test]
fn five_images_without_aspect_ratios_are_told_to_be_too_many() {
    let post = builder().images((0..5).map(|_| image(false))).build();
    let error = post.validate().unwrap_err().to_string();
    assert!(error.contains("5 elements, at most 4"), "{error}");
}

#[test]
fn a_reply_to_a_reply_has_the_root_of_its_thread() {
    let (first, second, third) =
        (reference("3jzfcijpj2z2a"), reference("3jzfcijpj2z2b"), reference("3jzfcijpj2z2c"));
    let one = builder().build();
    let two = builder().reply(reply_to(first.clone(), &one)).build();
    let three = builder().reply(reply_to(second.clone(), &two)).build();
    let to_three = reply_to(third.clone(), &three);
    assert_eq!((to_three.root, to_three.parent), (first, third));
}
