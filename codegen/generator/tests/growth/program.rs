//! A program that uses every item of the bindings, as somebody's code would. It is not changed when a lexicon grows.

use atproto_sdk::{
    AdminClient, PasswordClient, PublicClient,
    oauth::OAuthClient,
    stream::Subscribe,
    types::{AtUri, Data as _, Datetime, Did, PermissionSet as _, Record as _, Unknown, Uri, from_json},
    xrpc::{ByteStream, Error, Message as _, Method, Paginated, Subscription, Transport},
};
use bindings::com::example::grow::{
    self, ComExampleGrow, ComExampleGrowExt as _,
    access::Access,
    defs::{self, Image, Item, Level, Link, Media, Owner},
    download, follow, get_status, list_items,
    note::{Note, NoteKind, NoteMedia},
    search_items, tail, touch, update, upload,
    watch::{self, Made},
};
use futures_util::StreamExt as _;

/// Objects are made with their required fields, in the lexicon's order, and setters.
pub fn objects(uri: AtUri, did: Did, url: Uri, at: Datetime) -> Note {
    let owner = Owner::new(did).name("Alice");
    let item = Item::new(uri, "a title").owner(owner);
    let image = Image::new("a cat");
    let media: Media = Link::new(url).into();
    drop(media.clone());
    let tags: defs::Tags = vec!["a".to_owned()];
    let mut note = Note::new("text", at)
        .subject(item)
        .media(image)
        .kind(NoteKind::Plain)
        .level("low")
        .tags(tags)
        .size(2);
    note.text.push('!');
    let _: i64 = note.size_or_default();
    let _: Option<Unknown> = note.anything.clone();
    let _: Option<&str> = note.extra.iter().map(|(key, _)| key).next();
    let _: &str = Note::COLLECTION;
    assert!(note.validate().is_ok());
    let json: String = note.to_json().unwrap_or_default();
    from_json::<Note>(&json).unwrap_or(note)
}

/// Every enum has more variants than the lexicon knows today.
pub fn variants(note: &Note, media: Media, made: Made) -> (&'static str, i64) {
    let kind = match &note.kind {
        Some(NoteKind::Plain) => "plain",
        Some(NoteKind::Rich) => "rich",
        Some(_) => "another",
        None => "none",
    };
    let embedded = match &note.media {
        Some(NoteMedia::Image(image)) => image.alt.len(),
        Some(NoteMedia::Other(other)) => other.as_json().len(),
        Some(_) | None => 0,
    };
    let level = match &note.level {
        Some(Level::Low) => "low",
        Some(Level::High) => "high",
        Some(Level::Top) => defs::TOP,
        Some(Level::Other(_)) => "other",
        Some(_) | None => "none",
    };
    let text = match media {
        Media::Image(image) => image.alt,
        Media::Link(link) => link.url.to_string(),
        Media::Other(other) => other.as_json().into_owned(),
        _ => String::new(),
    };
    drop((kind, embedded, text));
    (level, made.seq)
}

/// Calls take what is required; the rest is set on the call.
pub async fn calls<C: Transport>(
    client: &C,
    did: Did,
    uri: AtUri,
) -> Result<(), Box<dyn std::error::Error>> {
    let api: ComExampleGrow<'_> = client.com_example_grow();
    let params = list_items::Params::new(did).limit(10).cursor("a");
    let output: list_items::Output = api.list_items(params.clone()).await?;
    let first: Option<Item> = output.items.into_iter().next();
    let title: Option<String> = first.map(|item| item.title);
    let mut items = api.list_items(params).items();
    while let Some(item) = items.next().await {
        let item: Item = item?;
        drop(item.owner.map(|owner| owner.name));
    }

    let params = search_items::Params::new().text("a");
    let found = api.search_items().params(params).await;
    match found {
        Ok(search_items::Output { cursor, .. }) => drop(cursor),
        Err(error) => match error.lexicon_error() {
            Some(search_items::Error::TooVague) => return Ok(()),
            Some(_) | None => return Err(error.into()),
        },
    }
    let _: search_items::Output = api.search_items().await?;
    let mut pages = api.search_items().pages();
    while let Some(page) = pages.next().await {
        let _: search_items::Output = page?;
    }

    let status: get_status::Output = api.get_status().await?;
    let _: Result<get_status::Output, Error<get_status::Error>> =
        api.get_status().params(get_status::Params::new()).await;
    match status.state {
        get_status::OutputState::Up => {}
        get_status::OutputState::Down | get_status::OutputState::Other(_) => drop(status.note),
        _ => {}
    }
    let car: download::Output = api.download().await?;
    let _: ByteStream = car;

    api.touch().await?;
    let output: touch::Output = api.touch().params(touch::Params::default()).await?;
    let _: bool = output == touch::Output::default();
    let failed: Result<touch::Output, Error<touch::Error>> = api.touch().await;
    if let Err(error) = failed {
        let _: Option<touch::Error> = error.lexicon_error();
        let _: Error = error.erase();
    }

    let options = update::InputOptions::new().quiet(true);
    let input = update::Input::new(uri, title.unwrap_or_default()).with_validate(true).options(options);
    assert!(input.validate().is_ok());
    match api.update(input).await {
        Ok(output) => drop(output.uri),
        Err(error) if error.lexicon_error() == Some(update::Error::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let size: i64 = api.upload(vec![1_u8]).content_type("image/png").await?.size;
    let _: upload::Output = upload::Output::new(size);
    Ok(())
}

/// Subscriptions take what is required; the rest is set on what they return.
pub fn streams<C: Transport>(client: &C, did: Did) {
    let api: ComExampleGrow<'_> = client.com_example_grow();
    let _: Subscribe<'_, watch::Watch> = api.watch();
    let _: Subscribe<'_, watch::Watch> = api.watch().params(watch::Params::new().cursor(3));
    let _: Subscribe<'_, follow::Follow> = api.follow(follow::Params::new(did).cursor(3));
    let _: Subscribe<'_, tail::Tail> = api.tail();
    let _: Subscribe<'_, tail::Tail> = api.tail().params(tail::Params::default());
}

/// Every stream has messages that the lexicon does not know today.
pub fn messages(
    watched: watch::Message,
    followed: follow::Message,
    tailed: tail::Message,
) -> Vec<Option<i64>> {
    let positions = vec![watched.seq(), followed.seq(), tailed.seq()];
    match &watched {
        watch::Message::Made(made) => drop(made.seq),
        watch::Message::Other(other) => drop(other.type_name()),
        _ => {}
    }
    match &followed {
        follow::Message::Image(image) => drop(image.alt.len()),
        follow::Message::Other(other) => drop(other.type_name()),
        _ => {}
    }
    match &tailed {
        tail::Message::Other(other) => drop(other.type_name()),
        _ => {}
    }
    drop((watched.time(), followed.account(), tailed.to_json()));
    let _: watch::Message = Made::new(3).into();
    positions
}

/// Why a stream ended.
pub fn ends(
    watched: Option<watch::Error>,
    followed: Option<follow::Error>,
    tailed: Option<tail::Error>,
) -> bool {
    drop((watched, tailed));
    match followed {
        Some(follow::Error::FutureCursor) => true,
        Some(_) | None => false,
    }
}

/// What generic code sees of subscriptions.
pub fn subscriptions() -> Vec<&'static str> {
    fn same<S: Subscription<Params = tail::Params, Message = tail::Message, Error = tail::Error>>()
    -> &'static str {
        S::NSID
    }
    vec![same::<tail::Tail>(), watch::Watch::NSID, follow::Follow::NSID]
}

/// What generic code sees.
pub fn methods() -> Vec<&'static str> {
    fn paginated<M: Paginated<Item = Item>>() -> &'static str {
        M::NSID
    }
    fn same<M: Method<Params = touch::Params, Error = touch::Error>>() -> &'static str {
        M::NSID
    }
    vec![
        paginated::<list_items::ListItems>(),
        paginated::<search_items::SearchItems>(),
        same::<touch::Touch>(),
        get_status::GetStatus::NSID,
        download::Download::NSID,
        update::Update::NSID,
        upload::Upload::NSID,
        Access::NSID,
    ]
}

/// Every client has the accessors.
pub fn clients(admin: &AdminClient, oauth: &OAuthClient, password: &PasswordClient, public: &PublicClient) {
    let all: [ComExampleGrow<'_>; 5] = [
        admin.com_example_grow(),
        oauth.com_example_grow(),
        password.com_example_grow(),
        public.com_example_grow(),
        grow::ComExampleGrow::over(public),
    ];
    drop(all.map(|api| api.touch()));
}
