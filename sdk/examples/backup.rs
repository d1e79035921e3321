//! A backup of a whole account: the repository, the blobs, and every record as readable JSON. It can be interrupted at any time;
//! the next run goes on where the last one has ended.
//!
//! `cargo run --example backup --features repo` shows it with an account on a network on this machine.
//!
//! ```text
//! backup FOLDER ACCOUNT   saves the account with a handle or a DID
//! backup verify FOLDER    checks everything in the folder, without the network
//! backup json FOLDER      writes the records as JSON again, without the network
//! ```
//!
//! The folder has `repo.car`, `did.json` (the DID document with the key that the repository is signed with), `blobs/` with each
//! blob under its CID, and `records/` with a folder for each collection. With the variables `ATPROTO_PDS` and `ATPROTO_PLC` that
//! `cargo run -p local-network` prints, the account is one of that network.
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "backup/progress.rs"]
mod progress;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use atproto_sdk::{
    PasswordClient, PublicClient, Report,
    api::app::bsky::{
        embed::images::{Image, Images},
        feed::post::Post,
    },
    archive::BlobDownload,
    identity::{DidDocument, HandleResolver, Resolver},
    repo::{RecordError, RepoRecord, Repository},
    types::{Cid, Datetime, Did, RecordKey, Unknown, Value},
};
use local_network::Network;
use progress::Line;

const USAGE: &str = "usage: backup FOLDER ACCOUNT, backup verify FOLDER, or backup json FOLDER";

#[tokio::main]
async fn main() -> Result<(), Report> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => demonstrate().await,
        ["verify", folder] => verify(&Folder::new(folder)),
        ["json", folder] => write_json(&Folder::new(folder)),
        [folder, account] => {
            let resolver = match (env::var("ATPROTO_PDS"), env::var("ATPROTO_PLC")) {
                (Ok(pds), Ok(plc)) => local_resolver(pds, plc)?,
                _ => Resolver::builder().build()?,
            };
            let identity = resolver.resolve(account).await?;
            let client = PublicClient::new(&identity.pds)?;
            save(&Folder::new(folder), &identity.did, &client, &resolver).await
        }
        _ => Err(USAGE.into()),
    }
}

/// Handles and DIDs of a network on this machine.
fn local_resolver(pds: String, plc: String) -> Result<Resolver, Report> {
    let builder = Resolver::builder().plc_directory(plc).handle_resolver(HandleResolver::Xrpc(pds));
    Ok(builder.allow_loopback_http(true).build()?)
}

/// Where a backup is.
struct Folder(PathBuf);

impl Folder {
    fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn repository(&self) -> PathBuf {
        self.0.join("repo.car")
    }

    fn document(&self) -> PathBuf {
        self.0.join("did.json")
    }

    fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    fn records(&self) -> PathBuf {
        self.0.join("records")
    }

    fn open(&self) -> Result<Repository, Report> {
        Ok(Repository::open_file(self.repository())?)
    }
}

/// Saves an account. What is there of it already is not downloaded again, but the repository, which may have changed.
async fn save(folder: &Folder, did: &Did, client: &PublicClient, resolver: &Resolver) -> Result<(), Report> {
    let line = Arc::new(Line::new("repository"));
    let shown = line.clone();
    // What the account has not signed, and what is older, does not replace what is there.
    let download = Repository::download(client, did).verify_with(resolver);
    let download = download.on_progress(move |bytes| shown.show_bytes(bytes));
    let repository = download.save(folder.repository()).await?;
    let document = repository.verify_with(resolver).await?;
    replace(&folder.document(), &serde_json::to_string_pretty(&*document)?)?;
    line.end(&format!(
        "{} bytes, revision {}, signed by {did}",
        repository.blocks().size(),
        repository.rev()
    ));

    let line = Arc::new(Line::new("blobs"));
    let shown = line.clone();
    let download = BlobDownload::new(client, did, folder.blobs())
        .on_progress(move |progress| shown.show_part(progress.done(), progress.listed, progress.bytes));
    let blobs = download.await?;
    line.end(&format!(
        "{} downloaded, {} were there, {} failed",
        blobs.downloaded,
        blobs.present,
        blobs.failed.len()
    ));
    for (cid, error) in blobs.failed {
        eprintln!("  {cid}: {}", Report::new(error));
    }
    write_json(folder)
}

/// Writes every record as JSON, in the place of what was written before.
fn write_json(folder: &Folder) -> Result<(), Report> {
    let repository = folder.open()?;
    let line = Line::new("records");
    let (new, mut written, mut failed) = (folder.0.join("records.part"), 0, 0);
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    fs::create_dir_all(&new)?;
    let total = repository.entries().count() as u64;
    for record in repository.all_records() {
        match record {
            Ok(record) => {
                let path = new.join(path_of(&record)?);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(path, readable(&record)?)?;
                written += 1;
            }
            Err(error @ (RecordError::Undecodable(_) | RecordError::Missing { .. })) => {
                failed += 1;
                eprintln!("  {}", Report::new(error));
            }
            Err(error) => return Err(error.into()),
        }
        line.show_part(written + failed, total, 0);
    }
    if folder.records().exists() {
        fs::remove_dir_all(folder.records())?;
    }
    fs::rename(&new, folder.records())?;
    line.end(&format!("{written} as JSON, {failed} cannot be read"));
    Ok(())
}

/// The file of a record. Record keys have no slash, but may be too long, and have colons, which not every system allows.
fn path_of(record: &RepoRecord<Unknown>) -> Result<PathBuf, Report> {
    let collection = record.uri.collection().ok_or("a record has no collection")?;
    let rkey: &RecordKey = &record.rkey;
    let name = match rkey.as_str().len() {
        0..=200 => rkey.as_str().replace(':', "%3A"),
        _ => record.cid.to_string(),
    };
    Ok(Path::new(collection.as_str()).join(format!("{name}.json")))
}

fn readable(record: &RepoRecord<Unknown>) -> Result<String, Report> {
    let value: serde_json::Value = serde_json::from_str(&record.value.as_json())?;
    let all = serde_json::json!({ "uri": record.uri, "cid": record.cid, "value": value });
    Ok(serde_json::to_string_pretty(&all)?)
}

/// Checks the signature, every hash, and whether all records and blobs are there.
fn verify(folder: &Folder) -> Result<(), Report> {
    let repository = folder.open()?;
    let document: DidDocument = serde_json::from_str(&fs::read_to_string(folder.document())?)?;
    repository.verify_identity(&document)?;
    println!("repository  revision {}, signed by {}", repository.rev(), repository.did());

    let mut problems: Vec<String> = Vec::new();
    for missing in repository.missing_blocks() {
        let missing = missing?;
        let what = missing.record.map_or_else(|| "a node of the tree".to_owned(), |uri| uri.to_string());
        problems.push(format!("{what} ({}) is missing", missing.cid));
    }
    let (mut records, mut referenced) = (0, BTreeSet::new());
    for record in repository.all_records() {
        match record {
            Ok(record) => {
                records += 1;
                blobs_of(&record.value.to_value()?, &mut referenced);
            }
            Err(RecordError::Undecodable(record)) => problems.push(record.to_string()),
            // Named above.
            Err(RecordError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    println!("records     {records} in {} collections", repository.collections()?.len());

    let mut stored = BTreeSet::new();
    for entry in fs::read_dir(folder.blobs())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| Cid::new(name).ok());
        let Some(cid) = name else { continue };
        if Cid::of_raw(&fs::read(&path)?) != cid {
            problems.push(format!("{} is damaged", path.display()));
        }
        stored.insert(cid);
    }
    problems.extend(referenced.difference(&stored).map(|cid| format!("the blob {cid} is missing")));
    println!("blobs       {}, {} referenced by records", stored.len(), referenced.len());
    match problems.len() {
        0 => Ok(()),
        count => {
            problems.iter().for_each(|problem| eprintln!("  {problem}"));
            Err(format!("the backup has {count} problems").as_str().into())
        }
    }
}

/// The blobs that a record refers to.
fn blobs_of(value: &Value, found: &mut BTreeSet<Cid>) {
    match value {
        Value::Blob(blob) => {
            found.insert(blob.cid().clone());
        }
        Value::List(values) => values.iter().for_each(|value| blobs_of(value, found)),
        Value::Map(fields) => fields.values().for_each(|value| blobs_of(value, found)),
        _ => {}
    }
}

/// Replaces a file as a whole.
fn replace(path: &Path, text: &str) -> Result<(), Report> {
    let new = path.with_extension("part");
    fs::write(&new, text)?;
    Ok(fs::rename(&new, path)?)
}

/// Makes an account with posts and pictures on a network on this machine, saves it twice, and checks what has been saved.
async fn demonstrate() -> Result<(), Report> {
    let network = Network::start(&|step| eprintln!("{step}")).await?;
    let account = network.account("keeper").await?;
    let author = PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await?;
    let resolver = local_resolver(network.pds().to_owned(), network.plc().to_owned())?;
    let client = PublicClient::new(network.pds())?;
    let folder = Folder::new(env::temp_dir().join(format!("backup-of-{}", account.handle)));
    for number in 0..20 {
        post(&author, number).await?;
    }
    println!("== first");
    save(&folder, &account.did, &client, &resolver).await?;
    for number in 20..25 {
        post(&author, number).await?;
    }
    println!("== after five more posts");
    save(&folder, &account.did, &client, &resolver).await?;
    println!("== without the network");
    drop(network);
    verify(&folder)?;
    println!("the backup is in {}", folder.0.display());
    Ok(())
}

/// Writes a post with a picture, which is none, but the server does not look.
async fn post(author: &PasswordClient, number: usize) -> Result<(), Report> {
    let picture = format!("picture {number} ").repeat(1000).into_bytes();
    let blob = author.com_atproto_repo().upload_blob(picture).content_type("image/png").await?.blob;
    let images = Images::new(vec![Image::new(blob, format!("picture {number}"))]);
    let post = Post::new(format!("Post number {number}"), Datetime::now()).embed(images);
    author.records::<Post>().create(&post).await?;
    Ok(())
}
