//! A small web app: users sign in with their AT Protocol account, see their profile, write, list and delete posts, switch
//! between accounts and sign out. Whatever fails, they get a page that says what they can do.
//!
//! `cargo run --example web --features axum` starts a network on this machine with two accounts. With `-- --real`, users sign
//! in to the real network. Open <http://127.0.0.1:3000>.
#![allow(clippy::print_stdout, clippy::print_stderr, dead_code)]

use std::net::Ipv4Addr;

use atproto_sdk::{
    Report,
    api::app::bsky::{actor::profile::Profile, feed::post::Post},
    axum::{Accounts, HandlerError, HandlerErrorPage, LoginForm, WebAuth, WebError},
    identity::{HandleResolver, Resolver},
    oauth::{ClientMetadata, OAuth, OAuthClient},
    records::Entry,
    scopes,
    store::{FileStore, SealingKey, SealingKeys},
    types::{Datetime, Did, Expected, RecordKey},
};
use axum::{
    Router,
    extract::{FromRef, State},
    http::request::Parts,
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use local_network::Network;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use tokio::net::TcpListener;

/// The minimal scope for this app, computed at compile time.
const SCOPE: &str = scopes![create::<Post>(), delete::<Post>()];
const PORT: u16 = 3000;

const STYLE: &str = "
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --accent: #2563eb }
body { font: 1.05rem/1.55 system-ui, sans-serif; max-width: 38rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
header { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; border-bottom: 1px solid var(--line);
  padding-bottom: .8rem; margin-bottom: 1.5rem }
header h1 { font-size: 1.15rem; margin: 0 auto 0 0 }
form { margin: 0 } header form { display: inline }
input, textarea, button { font: inherit; border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem;
  background: transparent; color: inherit }
textarea, .wide { width: 100%; box-sizing: border-box } textarea { min-height: 5rem; resize: vertical }
button { cursor: pointer } button.main { background: var(--accent); border-color: var(--accent); color: white }
.row { display: flex; gap: .5rem; margin-top: .6rem; justify-content: flex-end }
article { border: 1px solid var(--line); border-radius: .7rem; padding: .8rem 1rem; margin: .8rem 0 }
article p { margin: 0 0 .4rem; white-space: pre-wrap; overflow-wrap: anywhere }
small { opacity: .7 } .active { font-weight: 600 }
label { display: block; margin-bottom: .3rem }";

#[derive(Clone)]
pub(crate) struct Site {
    web: WebAuth,
}

impl FromRef<Site> for WebAuth {
    fn from_ref(site: &Site) -> Self {
        site.web.clone()
    }
}

/// The routes of the app.
pub(crate) fn site(oauth: OAuth, keys: SealingKeys) -> Result<Router, Report> {
    let web = WebAuth::builder(oauth, keys)
        .after_sign_in(|signed_in| async move { println!("{} signed in", signed_in.client.did()) })
        .after_sign_out(|session| async move { println!("{} signed out", session.did()) })
        .login_page(|form| page("Sign in", None, &login_form(form)).into_response())
        .error_page(|error| (error.status(), error_page(error)).into_response())
        .handler_error_page(|failed| (failed.error.status(), failed_page(failed)).into_response())
        .build()?;
    Ok(Router::new()
        .route("/", get(home))
        .route("/posts", post(write))
        .route("/delete", post(delete))
        .merge(web.routes())
        .layer(web.layer())
        .with_state(Site { web }))
}

/// The posts of the signed-in user, or a sign-in form.
async fn home(
    user: Option<OAuthClient>,
    accounts: Accounts,
    State(site): State<Site>,
) -> Result<Markup, HandlerError> {
    let Some(client) = user else {
        // The session of the active account may have ended while others are signed in.
        let menu = if accounts.iter().next().is_some() { Some(menu(&site, &accounts).await) } else { None };
        return Ok(page("Notes", menu.as_ref(), &login_form(&LoginForm::default())));
    };
    let profile = client.records::<Profile>().get(&RecordKey::new("self")?).await;
    let profile = match profile {
        Ok(entry) => Some(entry.value),
        // Who has just signed up has none.
        Err(error) if error.lexicon_error().is_some() => None,
        Err(error) => return Err(error.into()),
    };
    let listed: Vec<_> = client.records::<Post>().list().take(30).try_collect().await?;
    Ok(page("Notes", Some(&menu(&site, &accounts).await), &notes(client.did(), profile.as_ref(), &listed)))
}

/// The client of the account that a form was shown for: another one may have become active in another tab.
async fn sender(site: &Site, parts: &Parts, body: &str) -> Result<OAuthClient, HandlerError> {
    Ok(site.web.client_for(parts, &Did::new(field(body, "did"))?).await?)
}

/// Creates a post from a form, and redirects to the list.
async fn write(State(site): State<Site>, parts: Parts, body: String) -> Result<Redirect, HandlerError> {
    let client = sender(&site, &parts, &body).await?;
    let text = field(&body, "text");
    if text.trim().is_empty() {
        return Err(HandlerError::invalid_input("Write something first."));
    }
    client.records::<Post>().create(&Post::new(text.trim(), Datetime::now())).await?;
    Ok(Redirect::to("/"))
}

async fn delete(State(site): State<Site>, parts: Parts, body: String) -> Result<Redirect, HandlerError> {
    let client = sender(&site, &parts, &body).await?;
    client.records::<Post>().delete(&RecordKey::new(field(&body, "rkey"))?, Expected::Any).await?;
    Ok(Redirect::to("/"))
}

fn field(form: &str, name: &str) -> String {
    let value = url::form_urlencoded::parse(form.as_bytes()).find(|(found, _)| found == name);
    value.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn page(title: &str, menu: Option<&Markup>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Notes" }
                    @if let Some(menu) = menu { (menu) }
                }
                main { (content) }
            }
        }
    }
}

async fn menu(site: &Site, accounts: &Accounts) -> Markup {
    let mut named = Vec::new();
    for account in accounts {
        named.push((account, name_of(site, account.did()).await));
    }
    html! {
        @for (account, name) in &named {
            @if account.is_active {
                span.active title=(account.did()) { (name) }
            } @else {
                form method="post" action="/switch" {
                    button name="did" value=(account.did()) { "Switch to " (name) }
                }
            }
        }
        a href="/login" { "Add account" }
        form method="post" action="/logout" { button { "Sign out" } }
    }
}

/// The verified handle, or the DID if there is none.
async fn name_of(site: &Site, did: &Did) -> String {
    match site.web.oauth().resolver().resolve_for_display(did.as_str()).await {
        Ok(identity) => identity.handle.map_or_else(|| did.to_string(), |handle| handle.to_string()),
        Err(_) => did.to_string(),
    }
}

fn login_form(form: &LoginForm<'_>) -> Markup {
    html! {
        form method="post" action="/login" {
            label for="identifier" { "Sign in with your handle" }
            input.wide #identifier name="identifier" required autofocus autocapitalize="none" spellcheck="false"
                autocomplete="username" placeholder="alice.example.com" value=[form.identifier];
            @if let Some(path) = form.return_to { input type="hidden" name="return_to" value=(path); }
            div.row { button.main { "Sign in" } }
        }
    }
}

fn notes(did: &Did, profile: Option<&Profile>, listed: &[Entry<Post>]) -> Markup {
    html! {
        @if let Some(profile) = profile {
            @if let Some(name) = &profile.display_name { h2 { (name) } }
            @if let Some(text) = &profile.description { p { (text) } }
        }
        form method="post" action="/posts" {
            input type="hidden" name="did" value=(did);
            textarea name="text" placeholder="What's up?" maxlength="300" required {}
            div.row { button.main { "Write" } }
        }
        @for entry in listed {
            article {
                p { (entry.value.text) }
                form.row method="post" action="/delete" {
                    input type="hidden" name="did" value=(did);
                    small { (entry.value.created_at) }
                    button name="rkey" value=(entry.uri.rkey().unwrap_or_default()) { "Delete" }
                }
            }
        }
        @if listed.is_empty() { p { small { "No notes yet." } } }
    }
}

/// The page of a sign-in that has failed, with the form for another attempt.
fn error_page(error: &WebError) -> Markup {
    let title = match error {
        WebError::Callback { source, .. } if source.is_denied() => "Access denied",
        _ => "Something went wrong",
    };
    let form = login_form(&error.login_form());
    page(title, None, &html! { h2 { (title) } p { (error.user_message()) } (form) })
}

/// The page of a handler that has failed.
fn failed_page(failed: &HandlerErrorPage<'_>) -> Markup {
    let content = html! {
        h2 { "That did not work" }
        p { (failed.error.user_message()) }
        @if let Some(consent) = &failed.consent {
            form method="post" action="/login" {
                input type="hidden" name="identifier" value=(consent.identifier);
                input type="hidden" name="scope" value=(consent.scope);
                input type="hidden" name="return_to" value=(failed.return_to.unwrap_or("/"));
                button.main { "Allow it at your server" }
            }
        }
        @if let Some(did) = failed.sign_in_again {
            form method="post" action="/login" {
                input type="hidden" name="identifier" value=(did);
                input type="hidden" name="return_to" value=(failed.return_to.unwrap_or("/"));
                button.main { "Sign in again" }
            }
        }
        p { a href=(failed.return_to.unwrap_or("/")) { "Back" } }
    };
    page("That did not work", None, &content)
}

/// The OAuth app for a network on this machine.
pub(crate) fn local_oauth(network: &Network, port: u16) -> Result<OAuth, Report> {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()?;
    Ok(OAuth::builder(metadata(port)).resolver(resolver).allow_loopback_http().build()?)
}

fn metadata(port: u16) -> ClientMetadata {
    ClientMetadata::loopback().redirect_uri(format!("http://127.0.0.1:{port}/callback")).scope(SCOPE)
}

#[tokio::main]
async fn main() -> Result<(), Report> {
    let real = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--real") => true,
        Some(_) => return Err("usage: cargo run --example web --features axum [-- --real]".into()),
    };
    // Dropping the future stops the network, so nothing is left running after Ctrl-C.
    tokio::select! {
        outcome = run(real) => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn run(real: bool) -> Result<(), Report> {
    // Bound first, so that a port that is in use is reported at once.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await?;
    let network;
    let oauth = if real {
        OAuth::builder(metadata(PORT)).store(FileStore::open("sessions.json")?).build()?
    } else {
        println!("Starting a network on this machine.");
        network = Network::start(&|step| println!("  {step}")).await?;
        for name in ["alice", "bob"] {
            let account = network.account_named(name).await?;
            println!("  Sign in as {} with the password {}", account.handle, account.password);
        }
        local_oauth(&network, PORT)?
    };
    // With the keys of the cookies and a store that lasts, users remain signed in after a restart. The accounts of a network on
    // this machine do not outlive it, so their sessions are in memory only.
    let keys = match std::env::var_os("COOKIE_KEYS") {
        Some(_) => SealingKeys::from_env("COOKIE_KEYS")?,
        None => SealingKeys::new([SealingKey::generate()?])?,
    };
    println!("Open http://127.0.0.1:{PORT}");
    axum::serve(listener, site(oauth, keys)?).await?;
    Ok(())
}
