//! A small web app: users sign in with their AT Protocol account, write, list and delete posts, switch between accounts and
//! sign out.
//!
//! `cargo run --example web --features axum` starts a network on this machine with two accounts. With `-- --real`, users sign
//! in to the real network. Open <http://127.0.0.1:3000>.
#![allow(clippy::print_stdout, clippy::print_stderr, dead_code)]

use std::{error::Error, net::Ipv4Addr, process::ExitCode};

use atproto_sdk::{
    api::app::bsky::feed::post::Post,
    axum::{Accounts, WebAuth, WebError},
    identity::{HandleResolver, Resolver},
    oauth::{ClientMetadata, OAuth, OAuthClient},
    records::Entry,
    scopes,
    store::{SealingKey, SealingKeys},
    types::{Datetime, Did, Expected, RecordKey},
    xrpc,
};
use axum::{
    Router,
    extract::{FromRef, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Redirect, Response},
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
pub(crate) fn site(oauth: OAuth, keys: SealingKeys) -> Result<Router, Box<dyn Error>> {
    let web = WebAuth::builder(oauth, keys)
        .after_sign_in(|signed_in| async move { println!("{} signed in", signed_in.client.did()) })
        .after_sign_out(|session| async move { println!("{} signed out", session.did()) })
        .login_page(|form| {
            page("Sign in", None, &login_form(form.identifier, form.return_to)).into_response()
        })
        .error_page(|error| (error.status(), error_page(error)).into_response())
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
    parts: Parts,
) -> Response {
    let Some(client) = user else {
        return page("Notes", None, &login_form(None, None)).into_response();
    };
    let listed: Result<Vec<_>, _> = client.records::<Post>().list().take(30).try_collect().await;
    match listed {
        Ok(listed) => page("Notes", Some(&menu(&site, &accounts).await), &notes(&listed)).into_response(),
        Err(error) => failed(&site, &parts, error.erase()),
    }
}

/// Creates a post from a form, and redirects to the list.
async fn write(client: OAuthClient, State(site): State<Site>, parts: Parts, body: String) -> Response {
    let text = field(&body, "text");
    if text.trim().is_empty() {
        return Redirect::to("/").into_response();
    }
    match client.records::<Post>().create(&Post::new(text.trim(), Datetime::now())).await {
        Ok(_) => Redirect::to("/").into_response(),
        Err(error) => failed(&site, &parts, error.erase()),
    }
}

async fn delete(client: OAuthClient, State(site): State<Site>, parts: Parts, body: String) -> Response {
    let Ok(key) = RecordKey::new(field(&body, "rkey")) else {
        return (StatusCode::BAD_REQUEST, page("Not found", None, &html! { p { "There is no such note." } }))
            .into_response();
    };
    match client.records::<Post>().delete(&key, Expected::Any).await {
        Ok(_) => Redirect::to("/").into_response(),
        Err(error) => failed(&site, &parts, error.erase()),
    }
}

fn field(form: &str, name: &str) -> String {
    let value = url::form_urlencoded::parse(form.as_bytes()).find(|(found, _)| found == name);
    value.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The response to a failed call. If the session has just ended, it asks the user to sign in.
fn failed(site: &Site, parts: &Parts, error: xrpc::Error) -> Response {
    match error {
        xrpc::Error::Reauthenticate(_) => site.web.ask_to_sign_in(parts).into_response(),
        error => {
            let text =
                html! { p { "The request to your server failed: " (error) } p { a href="/" { "Back" } } };
            (StatusCode::BAD_GATEWAY, page("Something went wrong", None, &text)).into_response()
        }
    }
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

fn login_form(identifier: Option<&str>, return_to: Option<&str>) -> Markup {
    html! {
        form method="post" action="/login" {
            label for="identifier" { "Sign in with your handle" }
            input.wide #identifier name="identifier" required autofocus autocapitalize="none" spellcheck="false"
                autocomplete="username" placeholder="alice.example.com" value=[identifier];
            @if let Some(path) = return_to { input type="hidden" name="return_to" value=(path); }
            div.row { button.main { "Sign in" } }
        }
    }
}

fn notes(listed: &[Entry<Post>]) -> Markup {
    html! {
        form method="post" action="/posts" {
            textarea name="text" placeholder="What's up?" maxlength="300" required {}
            div.row { button.main { "Write" } }
        }
        @for entry in listed {
            article {
                p { (entry.value.text) }
                form.row method="post" action="/delete" {
                    small { (entry.value.created_at) }
                    button name="rkey" value=(entry.uri.rkey().unwrap_or_default()) { "Delete" }
                }
            }
        }
        @if listed.is_empty() { p { small { "No notes yet." } } }
    }
}

fn error_page(error: &WebError) -> Markup {
    let title = match error {
        WebError::Callback { source, .. } if source.is_denied() => "Access denied",
        _ => "Something went wrong",
    };
    page(
        title,
        None,
        &html! { h2 { (title) } p { (error.user_message()) } (login_form(None, error.return_to())) },
    )
}

/// The OAuth app for a network on this machine.
pub(crate) fn local_oauth(network: &Network, port: u16) -> Result<OAuth, Box<dyn Error>> {
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
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let real = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--real"] => true,
        _ => {
            eprintln!("Usage: cargo run --example web --features axum [-- --real]");
            return ExitCode::from(2);
        }
    };
    let outcome = tokio::select! {
        outcome = run(real) => outcome,
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(real: bool) -> Result<(), Box<dyn Error>> {
    // Bound first, so that a port that is in use is reported at once.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await?;
    let network;
    let oauth = if real {
        OAuth::builder(metadata(PORT)).build()?
    } else {
        println!("Starting a network on this machine.");
        network = Network::start(&|step| println!("  {step}")).await?;
        for name in ["alice", "bob"] {
            let account = network.account(name).await?;
            println!("  Sign in as {} with the password {}", account.handle, account.password);
        }
        local_oauth(&network, PORT)?
    };
    // A real app reads its keys from its configuration, so that users remain signed in after a restart.
    let keys = SealingKeys::new([SealingKey::generate()?])?;
    println!("Open http://127.0.0.1:{PORT}");
    axum::serve(listener, site(oauth, keys)?).await?;
    Ok(())
}
