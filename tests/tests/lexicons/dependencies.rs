//! Lexicons as dependencies of a crate: `add`, `install` and `update`, with documents on the live PDS.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use atproto_sdk::types::{Cid, Data as _, Value, from_json};
use atproto_sdk_cli::Cli;
use clap::Parser as _;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use toml_edit::DocumentMut;

use super::{COLLECTION, DNS_NAME, World, document};

/// A crate with a `lexicons.toml`.
pub(crate) struct Project {
    folder: TempDir,
    /// The arguments for its network.
    pub(crate) network: Vec<String>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Project {
    pub(crate) fn new(world: &World, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lexicons.toml"), config).unwrap();
        let network =
            ["--name-server", &world.dns.address().to_string(), "--plc-directory", world.network.plc()]
                .map(str::to_owned);
        let network = network.into_iter().chain(["--allow-loopback-http".to_owned()]).collect();
        Self { folder, network }
    }

    /// Runs a command that uses the network.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let network: Vec<&str> = self.network.iter().map(String::as_str).collect();
        run(self.path(""), &[arguments, &network].concat()).await
    }

    /// Runs a command with a name server that nobody is at.
    pub(super) async fn run_offline(&self, arguments: &[&str]) -> Ran {
        run(
            self.path(""),
            &[arguments, &["--name-server", "127.0.0.1:9", "--plc-directory", "https://127.0.0.1:9"]]
                .concat(),
        )
        .await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, nsid: &str) -> PathBuf {
        self.path(&format!("lexicons/{}.json", nsid.replace('.', "/")))
    }

    pub(super) fn json(&self, nsid: &str) -> Json {
        serde_json::from_slice(&fs::read(self.file(nsid)).unwrap()).unwrap()
    }

    pub(super) fn config(&self) -> String {
        fs::read_to_string(self.path("lexicons.toml")).unwrap()
    }

    pub(super) fn lock_text(&self) -> String {
        fs::read_to_string(self.path("lexicons.lock")).unwrap()
    }

    /// The entries of the lock: NSID, source, CID, whether it was asked for.
    fn lock(&self) -> Vec<(String, String, String, bool)> {
        let lock: DocumentMut = self.lock_text().parse().unwrap();
        assert_eq!(lock["version"].as_integer(), Some(1));
        let Some(entries) = lock.get("document") else { return Vec::new() };
        let text = |table: &toml_edit::Table, name: &str| table[name].as_str().unwrap().to_owned();
        let entry = |table: &toml_edit::Table| {
            assert!(table["fetched"].as_datetime().unwrap().date.unwrap().year >= 2026);
            (
                text(table, "nsid"),
                text(table, "source"),
                text(table, "cid"),
                table["requested"].as_bool().unwrap(),
            )
        };
        entries.as_array_of_tables().unwrap().iter().map(entry).collect()
    }

    pub(super) fn locked(&self) -> Vec<(String, bool)> {
        self.lock().into_iter().map(|(nsid, _, _, requested)| (nsid, requested)).collect()
    }
}

pub(super) async fn run(config: PathBuf, arguments: &[&str]) -> Ran {
    let arguments: Vec<String> = ["atproto-sdk", "--config", config.to_str().unwrap()]
        .iter()
        .chain(arguments)
        .map(|it| (*it).to_owned())
        .collect();
    // As a process of its own would: on no runtime.
    tokio::task::spawn_blocking(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = match Cli::try_parse_from(arguments) {
            Ok(cli) => cli.run(&mut out, &mut err),
            Err(error) => {
                err.extend(error.to_string().into_bytes());
                2
            }
        };
        Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    })
    .await
    .unwrap()
}

pub(super) fn with_refs(id: &str, refs: &[&str]) -> Json {
    let properties: serde_json::Map<String, Json> = refs
        .iter()
        .enumerate()
        .map(|(number, target)| (format!("field{number}"), json!({"type": "ref", "ref": target})))
        .collect();
    json!({"$type": COLLECTION, "lexicon": 1, "id": id, "defs": {"main": {"type": "object", "properties": properties}}})
}

pub(super) fn named(locked: &[(&str, bool)]) -> Vec<(String, bool)> {
    locked.iter().map(|(nsid, requested)| ((*nsid).to_owned(), *requested)).collect()
}

/// A shop whose item refers to another authority's document and to one of the SDK's.
pub(super) async fn shop() -> World {
    let world = World::new().await;
    world.dns.set("_lexicon.example.org", &[&format!("did={}", world.account.did)]);
    let refs = ["com.example.shop.defs", "org.example.money", "com.atproto.repo.strongRef"];
    world.publish("com.example.shop.item", with_refs("com.example.shop.item", &refs)).await;
    world.publish("com.example.shop.defs", document("com.example.shop.defs")).await;
    world.publish("org.example.money", with_refs("org.example.money", &["org.example.currency"])).await;
    world.publish("org.example.currency", document("org.example.currency")).await;
    world
}

pub(super) const SHOP: [(&str, bool); 4] = [
    ("com.example.shop.defs", false),
    ("com.example.shop.item", true),
    ("org.example.currency", false),
    ("org.example.money", false),
];

#[tokio::test]
async fn add_fetches_a_document_and_what_it_refers_to() {
    let world = shop().await;
    let config =
        "# My lexicons.\nstrict = true\n\n[documents]\n# None yet.\n\n[output]\npath = \"src/gen.rs\"\n";
    let project = Project::new(&world, config);
    let ran = project.run(&["add", "com.example.shop.item"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("added 1 document, and 3 documents that they refer to"), "{}", ran.out);
    assert!(
        ran.err.contains("1 of 1: com.example.shop.item\n") && ran.err.contains("3 of 3: "),
        "{}",
        ran.err
    );
    for line in config.split_inclusive('\n') {
        assert!(project.config().contains(line), "{}", project.config());
    }
    assert!(project.config().contains("\"com.example.shop.item\" = \"network\"\n"), "{}", project.config());

    assert_eq!(project.locked(), named(&SHOP));
    for (nsid, source, cid, _) in project.lock() {
        assert_eq!(source, "network");
        assert_eq!(project.json(&nsid)["$type"], json!(COLLECTION));
        let text = fs::read_to_string(project.file(&nsid)).unwrap();
        let cbor = from_json::<Value>(&text).unwrap().to_cbor().unwrap();
        assert_eq!(Cid::of_cbor(&cbor).to_string(), cid, "the CID can be computed again from the file");
        assert!(
            text.starts_with(&format!(
                "{{\n  \"$type\": \"{COLLECTION}\",\n  \"lexicon\": 1,\n  \"id\": \"{nsid}\""
            )),
            "{text}"
        );
    }
    assert!(!project.file("com.atproto.repo.strongRef").exists(), "atproto-sdk has bindings of it");
    assert!(project.lock_text().contains(&format!("did = \"{}\"", world.account.did)));

    // Nothing is half-written or left behind.
    let leftover = |folder: &Path| {
        fs::read_dir(folder).unwrap().any(|it| it.unwrap().file_name().to_string_lossy().contains('~'))
    };
    assert!(!leftover(&project.path("")) && !leftover(&project.path("lexicons/com/example/shop")));
    // The bindings can be generated as they are.
    let ran = run(project.path(""), &["generate"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test]
async fn add_takes_whole_groups() {
    let world = World::new().await;
    for number in 0..12 {
        let id = format!("com.example.shop.item{number}");
        world.publish(&id, document(&id)).await;
    }
    world.publish("com.example.shop.cart.item", document("com.example.shop.cart.item")).await;
    let project = Project::new(&world, "");
    let ran = project.run(&["add", "com.example.shop.*"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("12 of 12: "), "{}", ran.err);
    assert!(ran.out.starts_with("added 12 documents; next: "), "{}", ran.out);
    let ran = project.run_offline(&["add", "com.example.shop.*"]).await;
    assert!(ran.code == 0 && ran.out.starts_with("everything is there already"), "{ran:?}");
    assert_eq!(project.locked().len(), 12);
    assert!(project.locked().iter().all(|(_, requested)| *requested));
    assert!(!project.file("com.example.shop.cart.item").exists(), "another authority");
    assert!(project.config().contains("\"com.example.shop.*\" = \"network\""), "{}", project.config());
}

#[tokio::test]
async fn an_authority_that_fails_names_itself_and_the_others_go_on() {
    let world = shop().await;
    world.dns.remove("_lexicon.example.org");
    let project = Project::new(&world, "");
    let ran = project
        .run(&["add", "net.example.missing.thing", "com.example.shop.item", "com.example.shop.nothing"])
        .await;
    assert_eq!(ran.code, 1);
    for part in [
        "error: net.example.missing.* has no publisher: the DNS name _lexicon.missing.example.net has no TXT record",
        "(needed for net.example.missing.thing)",
        "error: org.example.* has no publisher",
        "(needed for org.example.money)",
        "error: com.example.shop.nothing is not published",
    ] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
    assert_eq!(project.locked(), named(&[("com.example.shop.defs", false), ("com.example.shop.item", true)]));
    let config = project.config();
    assert!(
        config.contains("com.example.shop.item")
            && !config.contains("missing")
            && !config.contains("nothing"),
        "{config}"
    );

    // Once it works, the rest is fetched.
    world.dns.set("_lexicon.example.org", &[&format!("did={}", world.account.did)]);
    let ran = project.run(&["install"]).await;
    assert_eq!((ran.code, project.locked()), (0, named(&SHOP)), "{ran:?}");
    assert_eq!(ran.out, "4 documents: 2 written, 0 removed\n");
}

#[tokio::test]
async fn install_does_not_take_a_version_that_is_not_locked() {
    let world = shop().await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    world.publish("org.example.money", with_refs("org.example.money", &[])).await;
    assert_eq!(project.run(&["install"]).await.code, 0, "the file is as it was locked");
    let lock = project.lock_text();
    fs::remove_file(project.file("org.example.money")).unwrap();
    let ran = project.run(&["install"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("org.example.money has changed since it was locked"), "{}", ran.err);
    assert!(ran.err.contains("`atproto-sdk update org.example.money` takes the new version"), "{}", ran.err);
    assert_eq!(project.lock_text(), lock);
    assert!(!project.file("org.example.money").exists());
}

#[tokio::test]
async fn update_shows_what_has_changed_and_takes_it_with_consent() {
    let world = shop().await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.*\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    let ran = project.run(&["update"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "every document is the newest\n"), "{ran:?}");

    let changed =
        with_refs("com.example.shop.item", &["com.example.shop.defs#price", "com.example.shop.extra"]);
    world.publish("com.example.shop.item", changed.clone()).await;
    world.publish("com.example.shop.extra", document("com.example.shop.extra")).await;
    world.publish("com.example.shop.defs", with_refs("com.example.shop.defs", &[])).await;
    let lock = project.lock_text();
    let ran = project.run(&["update"]).await;
    assert_eq!(ran.code, 1, "nobody can be asked: {ran:?}");
    for part in [
        "com.example.shop.defs defs.main",
        "com.example.shop.item defs.main.properties.field1",
        "+ com.example.shop.extra",
        "no longer needed or published: org.example.currency",
        "no longer needed or published: org.example.money",
    ] {
        assert!(ran.out.contains(part), "{part}\n{}", ran.out);
    }
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
    assert_eq!(project.lock_text(), lock);

    // Only one of them.
    let ran = project.run(&["update", "--yes", "com.example.shop.defs"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("com.example.shop.defs defs.main") && !ran.out.contains("shop.item"),
        "{}",
        ran.out
    );
    assert_ne!(project.json("com.example.shop.item"), changed);

    let ran = project.run(&["update", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(project.json("com.example.shop.item"), changed);
    let expected =
        [("com.example.shop.defs", true), ("com.example.shop.extra", true), ("com.example.shop.item", true)];
    assert_eq!(project.locked(), named(&expected));
    assert!(!project.file("org.example.money").exists());
    assert_eq!(project.run_offline(&["install", "--locked"]).await.code, 0);

    let ran = project.run(&["update", "org.example.money"]).await;
    assert_eq!(
        (ran.code, ran.err.contains("`atproto-sdk add org.example.money` fetches it")),
        (1, true),
        "{ran:?}"
    );
}

#[tokio::test]
async fn update_says_when_another_account_publishes() {
    let (world, other) = (World::new().await, World::new().await);
    for world in [&world, &other] {
        world.publish("com.example.shop.item", document("com.example.shop.item")).await;
    }
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    world.dns.set(DNS_NAME, &[&format!("did={}", other.account.did)]);
    let ran = project.run(&["update"]).await;
    let line = format!(
        "the publisher of com.example.shop.item was {}, is {}\n",
        world.account.did, other.account.did
    );
    assert!(ran.code == 1 && ran.out.contains(&line), "nobody can be asked: {ran:?}");
    assert!(project.lock_text().contains(world.account.did.as_str()));
    assert_eq!(project.run(&["update", "--yes"]).await.code, 0);
    assert!(project.lock_text().contains(other.account.did.as_str()));
    assert_eq!(project.run(&["update"]).await.out, "every document is the newest\n");
}

#[tokio::test]
async fn following_refs_ends() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    let targets: Vec<String> = (0..10_001).map(|number| format!("org.many.n{number}")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    fs::write(project.path("many.json"), with_refs("org.a.one", &targets).to_string()).unwrap();
    let ran = project.run_offline(&["add", "org.a.one", "--path", "many.json"]).await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("org.a.one refers to org.many.n9999, and more than 10000 documents"),
        "{}",
        ran.err
    );
    assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
}

#[tokio::test]
async fn mistakes_in_documents_that_were_not_asked_for_are_only_told() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    fs::create_dir(project.path("given")).unwrap();
    let write = |name: &str, text: &str| fs::write(project.path("given").join(name), text).unwrap();
    write("a.json", &document("org.a.one").to_string());
    write("again.json", &document("org.a.one").to_string());
    write("b.json", r#"{"lexicon": 1, "id": "org.b.broken", "defs": 1.5}"#);
    let ran = project.run_offline(&["add", "org.a.one", "--path", "given"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("warning: ") && ran.err.contains("b.json: "), "{}", ran.err);
    let ran = project.run_offline(&["add", "org.b.*", "--path", "given"]).await;
    assert!(ran.code == 1 && ran.err.contains("error: org.b.broken: "), "{ran:?}");
    assert!(!ran.err.contains("warning: "), "{}", ran.err);
}

#[tokio::test]
async fn documents_of_ones_own_are_never_replaced() {
    let world = shop().await;
    let project = Project::new(&world, "");
    let own = project.file("org.example.money");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, document("org.example.money").to_string()).unwrap();
    let ran = project.run(&["add", "com.example.shop.item"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        project.json("org.example.money"),
        document("org.example.money"),
        "what is there is referred to"
    );
    let ran = project.run(&["add", "org.example.money"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("money.json is there already, is not in lexicons.lock"), "{}", ran.err);
    assert_eq!(project.json("org.example.money"), document("org.example.money"));
    assert!(!project.config().contains("money"), "{}", project.config());
}

#[tokio::test]
async fn documents_come_from_folders_packages_and_git_too() {
    let world = World::new().await;
    world.publish("com.example.shop.item", document("com.example.shop.item")).await;
    let others = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = others.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let plain = |id: &str, refs: &[&str]| {
        let mut document = with_refs(id, refs);
        document.as_object_mut().unwrap().remove("$type");
        document.to_string()
    };
    write("lexicons/a.json", &plain("org.a.one", &["org.a.two", "com.example.shop.item"]));
    write("lexicons/deep/b.json", &plain("org.a.two", &[]));
    write("lexicons/unused.json", &plain("org.a.below.three", &[]));
    write("lexicons/package.json", "{\"name\": \"no lexicon\"}");
    write("package/package.json", r#"{"name": "@example/lexicons", "version": "1.2.3"}"#);
    write("package/lexicons/n.json", &plain("org.n.one", &[]));

    let project = Project::new(&world, "");
    let folder = others.path().join("lexicons");
    let ran = project.run(&["add", "org.a.one", "--path", folder.to_str().unwrap()]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let source = format!("path {}", folder.display());
    let sources: Vec<(String, String)> =
        project.lock().into_iter().map(|(nsid, source, ..)| (nsid, source)).collect();
    let expected = [("com.example.shop.item", "network"), ("org.a.one", &source), ("org.a.two", &source)];
    assert_eq!(sources, expected.map(|(nsid, source)| (nsid.to_owned(), source.to_owned())));
    assert!(project.config().contains("\"org.a.one\" = { path = "), "{}", project.config());

    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "x"]);
    let commit = git(&["rev-parse", "HEAD"]);
    fs::write(folder.join("deep/b.json"), "not what was committed").unwrap();
    let project = Project::new(&world, "");
    let url = folder.to_str().unwrap();
    let ran = project.run(&["add", "org.a.*", "--git", url, "--rev", &commit]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(project.lock()[1].1, format!("git {url} {commit}"));
    assert_eq!(project.lock().len(), 4, "a group of a folder has what is below it");
    assert_eq!(project.run_offline(&["install", "--locked"]).await.code, 0);
    let ran = project.run(&["add", "org.b.*", "--git", url, "--rev", "no-such-commit"]).await;
    assert!(ran.code == 1 && ran.err.contains("`git checkout` failed"), "{ran:?}");

    // A package that npm need not fetch from a registry.
    let project = Project::new(&world, "");
    let npm = format!("@example/lexicons@file:{}", others.path().join("package").display());
    let ran = project.run(&["add", "org.n.*", "--npm", &npm]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(project.locked(), named(&[("org.n.one", true)]));
    assert!(
        project.config().contains("\"org.n.*\" = { npm = \"@example/lexicons\", version = "),
        "{}",
        project.config()
    );

    // The same in the form of the protocol's own TypeScript generator: everything is in one object, in code.
    let code = "export const schemaDict = {\n  Code: {\n    lexicon: 1,\n    id: 'org.c.one',\n    defs: { main: { type: 'token', \
                description: \"It's one\" }, two: { type: 'array', items: { type: 'ref', ref: 'lex:org.c.one' } } },\n  },\n}\n";
    write("code/package.json", r#"{"name": "@example/code", "version": "1.2.3"}"#);
    write("code/dist/client/lexicons.js", code);
    let project = Project::new(&world, "");
    let npm = format!("@example/code@file:{}", others.path().join("code").display());
    let ran = project.run(&["add", "org.c.*", "--npm", &npm]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(project.locked(), named(&[("org.c.one", true)]));
    assert_eq!(project.run_offline(&["install", "--locked"]).await.code, 0);

    let ran = project.run(&["add", "org.m.*", "--npm", "@example/lexicons@file:/no/such/package"]).await;
    assert!(ran.code == 1 && ran.err.contains("`npm pack` failed"), "{ran:?}");

    let ran = project.run(&["add", "org.z.*", "--path", folder.to_str().unwrap()]).await;
    assert!(ran.code == 1 && ran.err.contains("org.z.*: there are no such documents in path "), "{ran:?}");
    let ran = project.run(&["add", "org.z.*", "--path", "no/such/folder"]).await;
    assert!(ran.code == 1 && ran.err.contains("does not exist"), "{ran:?}");
}

#[tokio::test]
async fn git_does_not_touch_the_repository_of_the_hook_that_it_runs_in() {
    let world = World::new().await;
    let (theirs, mine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let git = |folder: &TempDir, arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    fs::write(theirs.path().join("a.json"), document("org.a.one").to_string()).unwrap();
    fs::write(mine.path().join("mine.txt"), "mine").unwrap();
    for folder in [&theirs, &mine] {
        git(folder, &["init", "--quiet"]);
        git(folder, &["add", "."]);
        git(folder, &["commit", "--quiet", "-m", "x"]);
    }
    let state = || {
        let commands: [&[&str]; 3] = [&["rev-parse", "HEAD"], &["status", "--porcelain"], &["ls-files"]];
        commands.map(|command| git(&mine, command))
    };
    let before = state();

    let project = Project::new(&world, "");
    let url = theirs.path().to_str().unwrap().to_owned();
    let add = ["add", "org.a.one", "--git", &url, "--rev", &git(&theirs, &["rev-parse", "HEAD"])];
    let arguments: Vec<String> =
        add.iter().map(|it| (*it).to_owned()).chain(project.network.clone()).collect();
    let mut command = project.command(&arguments);
    command.env("GIT_DIR", mine.path().join(".git")).env("GIT_WORK_TREE", mine.path());
    command.env("GIT_INDEX_FILE", mine.path().join(".git/index"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let ran = project.ran(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(state(), before);
    assert_eq!(project.locked(), named(&[("org.a.one", true)]));
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_told_apart_from_failures() {
    let world = World::new().await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = { path = \"x\" }\n");
    for arguments in [
        &["add"][..],
        &["add", "com.example"],
        &["add", "com.example.a", "--git", "https://example.com/x"],
        &["add", "com.example.a", "--npm", "package"],
    ] {
        assert_eq!(run(project.path(""), arguments).await.code, 2, "{arguments:?}");
    }
    let ran = project.run(&["add", "com.example.shop.item"]).await;
    assert!(ran.code == 1 && ran.err.contains("from another source already"), "{ran:?}");
    let ran = project.run(&["add", "com.atproto.repo.strongRef"]).await;
    assert!(
        ran.code == 1 && ran.err.contains("has bindings of it") && ran.err.contains("`except`"),
        "{ran:?}"
    );
    let url = "https://user:TOKEN@127.0.0.1:9/x";
    let ran = project.run(&["add", "org.a.one", "--git", url, "--rev", "main"]).await;
    assert!(ran.code == 1 && ran.err.contains("credential helper") && !ran.err.contains("TOKEN"), "{ran:?}");
    let other = Project::new(
        &world,
        &format!("[documents]\n\"org.a.one\" = {{ git = \"{url}\", rev = \"main\" }}\n"),
    );
    let ran = other.run(&["install", "--locked"]).await;
    assert!(ran.code == 1 && ran.err.contains("credential helper") && !ran.err.contains("TOKEN"), "{ran:?}");
    fs::write(project.path("lexicons.lock"), "version = 7\n").unwrap();
    let ran = project.run(&["install"]).await;
    assert!(ran.code == 1 && ran.err.contains("lexicons.lock: it has version 7"), "{ran:?}");
    world.dns.set(DNS_NAME, &[]);
}
