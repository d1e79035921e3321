//! Signs in with OAuth and makes typed calls to a PDS.
//!
//! `cargo run --example quickstart` starts a network on this machine. With `-- --handle you.example.com`, it signs in to the
//! real network through your browser, and only reads.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{process::ExitCode, time::Duration};

use atproto_sdk::{
    Report,
    api::{
        app::bsky::feed::post::Post,
        com::atproto::repo::{create_record, list_records},
    },
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient, SignOut},
    store::MemoryStore,
    types::{Datetime, Record as _, Unknown},
};
use local_network::Network;

const USAGE: &str = "\
Usage: cargo run --example quickstart [-- --handle HANDLE]

  --handle HANDLE  sign in to the real network through your browser (nothing is written);
                   without it, a network is started on this machine";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let handle = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => None,
        ["--handle", handle] => Some(handle.to_owned()),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("Unexpected arguments: {}\n\n{USAGE}", arguments.join(" "));
            return ExitCode::from(2);
        }
    };
    // Dropping the future stops the network, so nothing is left running after Ctrl-C.
    let outcome = tokio::select! {
        outcome = run(handle) => outcome,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nStopped.");
            return ExitCode::from(130);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nError: {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run(handle: Option<String>) -> Result<(), Report> {
    match handle {
        Some(handle) => with_browser(&handle).await,
        None => on_this_machine().await,
    }
}

/// Signs in to the real network and lists posts.
async fn with_browser(handle: &str) -> Result<(), Report> {
    // The smallest scope: reading records of repositories needs no permission.
    let metadata = ClientMetadata::loopback().scope("atproto");
    let oauth = OAuth::builder(metadata).store(MemoryStore::new()).build()?;
    println!("Your browser will ask whether this program may access your account.");
    let signing_in = oauth.sign_in(handle).on_url(|url| println!("If it does not open, visit\n\n  {url}\n"));
    let client = signing_in.await?.client;
    println!("Signed in as {}. Your latest posts:", client.did());
    list(&client).await?;
    sign_out(&client).await
}

/// Starts a network, creates an account, signs in, writes and lists records, and continues after the token has expired.
async fn on_this_machine() -> Result<(), Report> {
    println!("1. Starting a network on this machine: a PLC directory and a PDS.");
    let network = Network::start(&|step| println!("   {step}")).await?;
    println!("   The PDS is running at {}.", network.pds());

    println!("2. Creating an account.");
    let account = network.account("alice").await?;
    println!("   {} is {}.", account.handle, account.did);

    println!("3. Signing in with OAuth. The access tokens expire after four seconds.");
    network.set_token_lifetime(Duration::from_secs(4)).await?;
    let client = sign_in(&network, &account).await?;
    let info = client.session_info().await?;
    println!("   Signed in with the scopes: {}.", info.scopes.join(" "));

    println!("4. Writing three records.");
    for text in ["Hello, world!", "Written by a generated call.", "Signed with DPoP, too."] {
        let post = Post::new(text, Datetime::now());
        let input = create_record::Input::new(client.did(), Post::collection(), Unknown::encode(&post)?);
        let created = client.com_atproto_repo().create_record(input).await?;
        println!("   {}", created.uri);
    }

    println!("5. Listing them.");
    list(&client).await?;

    println!("6. Waiting until the access token has expired, and listing them again.");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = network.counts().await?.refreshes;
    list(&client).await?;
    let refreshes = network.counts().await?.refreshes - before;
    println!("   The call succeeded, after {refreshes} refresh.");

    println!("7. Signing out.");
    sign_out(&client).await
}

/// Signs in and approves the request, as a user would do in the browser.
async fn sign_in(network: &Network, account: &local_network::Account) -> Result<OAuthClient, Report> {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()?;
    let oauth =
        OAuth::builder(ClientMetadata::loopback()).resolver(resolver).allow_loopback_http().build()?;
    let authorization = oauth.authorize(account.handle.as_str(), AuthorizeOptions::new()).await?;
    let callback = network.approve(&authorization.url, account).await?;
    let query = callback.split_once('?').map_or("", |(_, query)| query);
    Ok(oauth.callback(&CallbackParams::from_query(query)?).await?.client)
}

async fn list(client: &OAuthClient) -> Result<(), Report> {
    let params = list_records::Params::new(client.did(), Post::collection()).limit(10);
    let page = client.com_atproto_repo().list_records(params).await?;
    for record in &page.records {
        let post: Post = record.value.decode()?;
        println!("   {}  {}", post.created_at, post.text);
    }
    println!("   {} records.", page.records.len());
    Ok(())
}

async fn sign_out(client: &OAuthClient) -> Result<(), Report> {
    match client.sign_out().await? {
        SignOut::Confirmed => println!("   Signed out. The server has revoked the session."),
        SignOut::NotConfirmed { problem } => {
            println!("   Signed out, but the server did not revoke the session: {problem}")
        }
        _ => println!("   There was no session."),
    }
    Ok(())
}
