//! `publish`: documents of one's own, written into the repository of one's account.

mod account;
mod candidates;

use std::{collections::BTreeMap, path::PathBuf};

use atproto_sdk::{
    identity::{Identity, Resolver},
    lexicon::{LexiconGroup, LexiconResolver, PublishedLexicon, ResolutionError},
    types::{Did, Expected, Nsid, RecordKey, from_json},
};
use atproto_sdk_codegen::{one_line::one_line, pattern::Pattern};

use crate::{
    CliError, Streams,
    add::counted,
    changes::{Changes, Version},
    document::Document,
    project::Project,
    sources::{NetworkArguments, chain},
};
use account::Account;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The documents and groups that are published; all that were not fetched if none are named
    #[arg(value_name = "NSID|GROUP")]
    patterns: Vec<Pattern>,
    /// The handle or DID of the account that publishes them; needed with an app password
    ///
    /// [default: the account that DNS names]
    #[arg(long, value_name = "HANDLE")]
    handle: Option<String>,
    /// Shows what would be published, and signs in nowhere
    #[arg(long)]
    dry_run: bool,
    /// Publishes changes that break data or programs on the network
    #[arg(long)]
    allow_breaking: bool,
    /// Publishes although DNS does not name the account yet, so that nobody finds the documents until it does
    #[arg(long)]
    without_dns: bool,
    /// Only prints the address of the sign-in page, instead of opening a browser
    #[arg(long)]
    no_browser: bool,
    /// The file that keeps the session [default: atproto-sdk/sessions.json in the user's folder of configuration]
    #[arg(long, value_name = "PATH")]
    sessions: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArguments,
}

/// What happens to a document.
#[derive(Debug)]
struct Write {
    document: Document,
    published: Published,
}

/// What is published now.
#[derive(Debug)]
enum Published {
    Nothing,
    /// A record that is no lexicon.
    Broken,
    Lexicon(Box<PublishedLexicon>),
}

pub(crate) fn run(
    project: &Project,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    if arguments.handle.is_none() && !arguments.dry_run && account::app_password().is_some() {
        return Err(CliError::Publish(format!(
            "{} is set, and --handle is not: say whose password it is, because whoever controls DNS could have it sent \
             elsewhere otherwise",
            account::APP_PASSWORD
        )));
    }
    let candidates = candidates::find(project, &arguments.patterns)?;
    if !candidates::check(project, &candidates, streams)? {
        return Ok(1);
    }
    let documents: Result<Vec<Document>, String> =
        candidates.iter().map(|it| it.document.as_ref().map_err(Clone::clone)?.as_record()).collect();
    let documents = documents.map_err(CliError::Publish)?;
    let context = context(project, &documents)?;
    crate::block_on(publish(arguments, documents, &context, streams))?
}

/// The documents of one's own that are not published now: how they use a definition decides what a change of it breaks.
fn context(project: &Project, documents: &[Document]) -> Result<Version, CliError> {
    let own = project.own_documents()?.into_iter().filter_map(|own| own.document.ok());
    let others = own.filter(|own| documents.iter().all(|document| document.nsid != own.nsid));
    Ok(others.map(|own| (own.nsid, own.text)).collect())
}

async fn publish(
    arguments: &Arguments,
    documents: Vec<Document>,
    context: &Version,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    let resolver = arguments.network.resolver()?;
    let lexicons = LexiconResolver::new(resolver.clone());
    let identity = match &arguments.handle {
        Some(handle) => resolver.resolve(handle).await?,
        None => resolver.resolve(publisher(&lexicons, &documents).await?.as_str()).await?,
    };
    let finds_account = check_dns(&lexicons, &identity.did, &documents, streams).await;
    let writes = compare(&lexicons, &identity.did, documents).await.map_err(CliError::Publish)?;
    let is_allowed = judge(&writes, context, arguments.allow_breaking, streams);
    if !(finds_account || arguments.without_dns) || !is_allowed {
        streams.err(["nothing was published"]);
        return Ok(1);
    }
    let writes: Vec<Write> = writes.into_iter().filter(Write::is_needed).collect();
    if writes.is_empty() || arguments.dry_run {
        if !writes.is_empty() {
            streams.out([format!("{} would be published by {}", counted(writes.len()), identity.did)]);
        }
        return Ok(0);
    }
    let account = sign_in(arguments, resolver, &identity).await?;
    write(&account, &writes, streams).await
}

/// The groups of documents, each once.
fn groups(documents: &[Document]) -> Vec<LexiconGroup> {
    let mut groups: Vec<LexiconGroup> = documents.iter().map(|it| LexiconGroup::of(&it.nsid)).collect();
    // NSIDs are in the order of their texts, in which another group may come between two documents of one.
    groups.sort();
    groups.dedup();
    groups
}

/// The account that DNS names for one of the groups. Whether it is that of all groups is checked later.
async fn publisher(lexicons: &LexiconResolver, documents: &[Document]) -> Result<Did, CliError> {
    let mut problem = String::new();
    for group in groups(documents) {
        match lexicons.publisher(&group).await {
            Ok(did) => return Ok(did),
            Err(error) => problem = chain(&error),
        }
    }
    Err(CliError::Publish(format!("{problem}; until then, say with --handle which account publishes them")))
}

/// Asks DNS who publishes each group, and says what to enter where that is not the account.
async fn check_dns(
    lexicons: &LexiconResolver,
    did: &Did,
    documents: &[Document],
    streams: &mut Streams<'_>,
) -> bool {
    let mut is_right = true;
    for group in groups(documents) {
        let record = format!("enter the TXT record `did={did}` at the DNS name {}", group.dns_name());
        let line = match lexicons.publisher(&group).await {
            Ok(found) if found == *did => continue,
            Ok(found) => {
                format!("DNS names {found} as the publisher of {group}; instead of `did={found}`, {record}")
            }
            Err(ResolutionError::NoPublisher { .. }) => {
                format!("DNS names no publisher of {group}; {record}")
            }
            // The record may well be there.
            Err(error) if error.is_temporary() => chain(&error),
            Err(error @ ResolutionError::NameTooLong { .. }) => chain(&error),
            Err(error) => format!("{}; {record}, and no other one with `did=`", chain(&error)),
        };
        streams.err([format!("error: {}", one_line(&line))]);
        is_right = false;
    }
    if !is_right {
        streams.err(["--without-dns publishes all the same, for you to change DNS afterwards"]);
    }
    is_right
}

/// Reads what the account publishes now.
async fn compare(
    lexicons: &LexiconResolver,
    did: &Did,
    documents: Vec<Document>,
) -> Result<Vec<Write>, String> {
    let mut authorities = BTreeMap::new();
    let mut writes = Vec::new();
    for document in documents {
        let group = LexiconGroup::of(&document.nsid);
        if !authorities.contains_key(&group) {
            let authority =
                lexicons.authority_at(&group, did.clone()).await.map_err(|error| chain(&error))?;
            authorities.insert(group.clone(), authority);
        }
        let published = match lexicons.resolve_from(&authorities[&group], &document.nsid).await {
            Ok(published) => Published::Lexicon(Box::new(published)),
            Err(ResolutionError::NotPublished { .. }) => Published::Nothing,
            Err(ResolutionError::Document { .. }) => Published::Broken,
            Err(error) => return Err(chain(&error)),
        };
        writes.push(Write { document, published });
    }
    Ok(writes)
}

impl Write {
    /// Whether what is published is something else.
    fn is_needed(&self) -> bool {
        !matches!(&self.published, Published::Lexicon(published) if published.cid == self.document.cid)
    }

    /// The text of what is published. That of a record that is no lexicon cannot be compared with anything.
    fn published_text(&self) -> Option<String> {
        match &self.published {
            Published::Nothing => None,
            Published::Broken => Some(String::new()),
            Published::Lexicon(published) => {
                let document = Document::parse(published.json().as_bytes());
                Some(document.map_or_else(|_| published.json().to_owned(), |document| document.text))
            }
        }
    }
}

/// Shows what changes, and returns whether that may be published.
fn judge(writes: &[Write], context: &Version, allow_breaking: bool, streams: &mut Streams<'_>) -> bool {
    let (mut old, mut new) = (context.clone(), context.clone());
    for write in writes {
        old.extend(write.published_text().map(|text| (write.document.nsid.clone(), text)));
        new.insert(write.document.nsid.clone(), write.document.text.clone());
    }
    let changes = Changes::between(&old, &new);
    let (fresh, rest): (Vec<&Write>, Vec<&Write>) =
        writes.iter().partition(|write| matches!(write.published, Published::Nothing));
    let changed = rest.iter().filter(|write| write.is_needed()).count();
    streams.out(changes.lines());
    streams.out([format!("{} new, {changed} changed, {} as published", fresh.len(), rest.len() - changed)]);
    let breaking = changes.breaking();
    if breaking.is_empty() || allow_breaking {
        return true;
    }
    streams.err(breaking.iter().map(|change| format!("error: {change}")));
    streams.err([
        "these changes break data or programs that are there already: publish them under a new NSID, or with \
                  --allow-breaking",
    ]);
    false
}

async fn sign_in(
    arguments: &Arguments,
    resolver: Resolver,
    identity: &Identity,
) -> Result<Account, CliError> {
    let account = match account::app_password() {
        Some(password) => Account::with_password(identity, &password, arguments.network.proxy()).await,
        None => {
            let oauth = account::oauth(resolver, &arguments.network, arguments.sessions.clone())?;
            // The DID leads to the account even if its handle is broken.
            Account::with_browser(oauth, identity.did.as_str(), arguments.no_browser).await
        }
    };
    let account = account.map_err(CliError::Publish)?;
    if *account.did() == identity.did {
        return Ok(account);
    }
    Err(CliError::Publish(format!(
        "you signed in as {} instead of {}; nothing was published",
        account.did(),
        identity.did
    )))
}

/// Writes one document after another, each only if nobody has changed it meanwhile.
async fn write(account: &Account, writes: &[Write], streams: &mut Streams<'_>) -> Result<u8, CliError> {
    for (done, Write { document, published }) in writes.iter().enumerate() {
        let expected = match published {
            Published::Nothing => Expected::Absent,
            // Its version is not known, and it is of no use to anybody.
            Published::Broken => Expected::Any,
            Published::Lexicon(published) => Expected::Version(&published.cid),
        };
        match put(account, document, expected).await {
            Ok(()) => streams.out([format!(
                "{} of {}: {} ({})",
                done + 1,
                writes.len(),
                document.nsid,
                document.cid
            )]),
            Err(problem) => {
                streams.err([
                    format!("error: {} could not be published: {}", document.nsid, one_line(&problem)),
                    format!(
                        "{done} of {} were published; running the command again goes on here",
                        writes.len()
                    ),
                ]);
                return Ok(1);
            }
        }
    }
    Ok(0)
}

async fn put(
    account: &Account,
    document: &Document,
    expected: Expected<&atproto_sdk::types::Cid>,
) -> Result<(), String> {
    let record = from_json(&document.text).map_err(|error| error.to_string())?;
    let rkey = rkey(&document.nsid)?;
    let put = account.schemas().put(&rkey, &record, expected).await.map_err(|error| chain(&error))?;
    if put.cid == document.cid {
        Ok(())
    } else {
        Err(format!("the server has stored something else ({})", put.cid))
    }
}

fn rkey(nsid: &Nsid) -> Result<RecordKey, String> {
    RecordKey::new(nsid.as_str()).map_err(|error| error.to_string())
}
