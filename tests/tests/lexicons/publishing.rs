//! `publish`: documents of one's own, into the repository of an account on the live PDS.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use atproto_sdk::types::Cid;
use atproto_sdk_cli::Cli;
use clap::Parser as _;
use serde_json::{Value as Json, json};

use super::{
    DNS_NAME, World,
    dependencies::{Project, Ran},
    nsid,
};

const ITEM: &str = "com.example.shop.item";

/// A record as people write it.
fn item(properties: Json) -> Json {
    json!({"lexicon": 1, "id": ITEM, "description": "Something for sale.", "defs": {"main": {
        "type": "record", "key": "tid", "description": "An item.",
        "record": {"type": "object", "properties": properties},
    }}})
}

fn text(max: u64) -> Json {
    json!({"name": {"type": "string", "maxLength": max, "maxGraphemes": max / 10, "description": "Its name."}})
}

impl Project {
    fn write(&self, nsid: &str, document: &Json) {
        let file = self.file(nsid);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, serde_json::to_string_pretty(document).unwrap()).unwrap();
    }

    /// The arguments of `publish` for an account.
    fn publishing(&self, world: &World, more: &[&str]) -> Vec<String> {
        let sessions = self.path("private/sessions.json");
        let fixed = ["publish", "--handle-resolver", world.network.pds()];
        let fixed = fixed.iter().chain(more).map(|it| (*it).to_owned());
        let sessions = ["--sessions".to_owned(), sessions.to_str().unwrap().to_owned()];
        fixed.chain(sessions).chain(self.network.iter().cloned()).collect()
    }

    /// Publishes as the account, with its password in the environment.
    async fn publish(&self, world: &World, more: &[&str]) -> Ran {
        self.publish_as_named(world, &[&["--handle", world.account.handle.as_str()], more].concat()).await
    }

    /// Publishes as the account that the arguments or DNS name, with a password in the environment.
    async fn publish_as_named(&self, world: &World, more: &[&str]) -> Ran {
        let arguments = self.publishing(world, more);
        let mut command = self.command(&arguments);
        command.env("ATPROTO_APP_PASSWORD", &world.account.password);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        self.ran(&String::from_utf8(output.stderr).unwrap())
    }

    /// The command in a process with an environment of its own.
    pub(crate) fn command(&self, arguments: &[String]) -> Command {
        let config = self.path("");
        let arguments: Vec<&str> = ["atproto-sdk", "--config", config.to_str().unwrap()]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .collect();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "publishing::runs_the_command_of_its_environment", "--ignored", "--nocapture"])
            .env("ARGUMENTS", serde_json::to_string(&arguments).unwrap())
            .env("RESULT", self.path("result.json"))
            .env_remove("ATPROTO_APP_PASSWORD")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// What the command in the other process did.
    pub(crate) fn ran(&self, printed: &str) -> Ran {
        let result = fs::read(self.path("result.json")).unwrap_or_else(|_| panic!("{printed}"));
        let result: Json = serde_json::from_slice(&result).unwrap();
        fs::remove_file(self.path("result.json")).unwrap();
        let text = |name: &str| result[name].as_str().unwrap().to_owned();
        let code = u8::try_from(result["code"].as_u64().unwrap()).unwrap();
        Ran { code, out: text("out"), err: text("err") }
    }
}

/// Not a test: the process that the tests start.
#[test]
#[ignore = "started by the tests of `publish`"]
fn runs_the_command_of_its_environment() {
    let arguments: Vec<String> = serde_json::from_str(&std::env::var("ARGUMENTS").unwrap()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = Cli::parse_from(arguments).run(&mut out, &mut err);
    let result = json!({
        "code": code, "out": String::from_utf8(out).unwrap(), "err": String::from_utf8(err).unwrap(),
    });
    fs::write(std::env::var("RESULT").unwrap(), result.to_string()).unwrap();
}

async fn published(world: &World, id: &str) -> Option<(Cid, Json)> {
    let resolver = world.resolver();
    let group = atproto_sdk::lexicon::LexiconGroup::of(&nsid(id));
    let authority = resolver.authority_at(&group, world.account.did.clone()).await.unwrap();
    let lexicon = resolver.resolve_from(&authority, &nsid(id)).await.ok()?;
    Some((lexicon.cid.clone(), serde_json::from_str(lexicon.json()).unwrap()))
}

#[tokio::test]
async fn publish_writes_what_has_changed() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    let dry = project.publish(&world, &["--dry-run"]).await;
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(
        dry.out.contains("1 new, 0 changed, 0 as published\n1 document would be published by did:plc:"),
        "{}",
        dry.out
    );
    assert_eq!(published(&world, ITEM).await, None, "nothing was written");

    let ran = project.publish(&world, &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let (cid, document) = published(&world, ITEM).await.unwrap();
    assert!(ran.out.contains(&format!("1 of 1: {ITEM} ({cid})")), "{}", ran.out);
    let mut expected = item(text(300));
    expected["$type"] = json!("com.atproto.lexicon.schema");
    assert_eq!(document, expected);
    // Others find it.
    assert_eq!(world.resolver().resolve(&nsid(ITEM)).await.unwrap().cid, cid);

    let ran = project.publish(&world, &[]).await;
    assert_eq!((ran.code, ran.out.contains("0 new, 0 changed, 1 as published")), (0, true), "{ran:?}");
    assert!(!ran.out.contains("1 of 1"), "{}", ran.out);

    let mut more = text(300);
    more["price"] = json!({"type": "integer", "description": "In cents."});
    project.write(ITEM, &item(more));
    let ran = project.publish(&world, &[ITEM]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("defs.main.record.properties.price") && ran.out.contains("network: compatible"),
        "{}",
        ran.out
    );
    assert_ne!(published(&world, ITEM).await.unwrap().0, cid);
}

#[tokio::test]
async fn publish_refuses_changes_that_break_what_is_there() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    assert_eq!(project.publish(&world, &[]).await.code, 0);
    let before = published(&world, ITEM).await;
    project.write(ITEM, &item(json!({"name": {"type": "integer", "description": "A number."}})));
    let ran = project.publish(&world, &[]).await;
    assert_eq!(ran.code, 1);
    for part in ["error: ", "defs.main.record.properties.name", "--allow-breaking", "nothing was published"] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
    assert_eq!(published(&world, ITEM).await, before);
    let ran = project.publish(&world, &["--allow-breaking"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_ne!(published(&world, ITEM).await, before);
}

#[tokio::test]
async fn publish_judges_a_change_by_the_documents_that_are_not_published_now_too() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    let defs = |max| {
        json!({"lexicon": 1, "id": "com.example.shop.defs", "defs": {"order": {
            "type": "object", "description": "An order.", "properties": text(max),
        }}})
    };
    project.write("com.example.shop.defs", &defs(300));
    // A service may accept more than before, and records may not.
    let body = json!({"encoding": "application/json", "schema": {"type": "ref", "ref": "com.example.shop.defs#order"}});
    project.write(
        "com.example.shop.buy",
        &json!({"lexicon": 1, "id": "com.example.shop.buy", "defs": {"main": {
            "type": "procedure", "description": "Buys.", "input": body,
        }}}),
    );
    let ran = project.publish(&world, &["com.example.shop.defs"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    project.write("com.example.shop.defs", &defs(400));
    let ran = project.publish(&world, &["com.example.shop.defs"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("`maxLength` from 300 to 400") && !ran.out.contains("shop.buy"), "{}", ran.out);
}

#[tokio::test]
async fn publish_replaces_a_record_that_is_no_lexicon_only_with_consent() {
    let world = World::new().await;
    world
        .publish(
            ITEM,
            json!({"$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": "com.example.other"}),
        )
        .await;
    let project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    let ran = project.publish(&world, &[]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("com.example.shop.item: has mistakes in one of its versions"), "{}", ran.err);
    let ran = project.publish(&world, &["--allow-breaking"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(published(&world, ITEM).await.is_some());
}

#[tokio::test]
async fn publish_says_what_to_enter_into_dns() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    let enter = format!("enter the TXT record `did={}` at the DNS name {DNS_NAME}", world.account.did);
    let ran = project.publish_as_named(&world, &["--dry-run"]).await;
    assert_eq!((ran.code, ran.err.contains("com.example.shop.* has no publisher")), (0, false), "{ran:?}");
    for (records, problem) in [
        (&[][..], "DNS names no publisher of com.example.shop.*; "),
        (
            &["did=did:web:example.com"],
            "DNS names did:web:example.com as the publisher of com.example.shop.*; instead of `did=did:web:example.com`, ",
        ),
        (&["did=did:web:a.example.com", "did=did:web:b.example.com"], "has two publishers"),
    ] {
        world.dns.set(DNS_NAME, records);
        let ran = project.publish(&world, &[]).await;
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains(problem) && ran.err.contains(&enter), "{}", ran.err);
        assert!(ran.err.ends_with("nothing was published\n"), "{}", ran.err);
        assert_eq!(published(&world, ITEM).await, None);
    }
    world.dns.set(DNS_NAME, &[]);
    let ran = project.publish_as_named(&world, &["--dry-run"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains(DNS_NAME) && ran.err.contains("say with --handle which account"), "{}", ran.err);
    let ran = project.publish(&world, &["--without-dns"]).await;
    assert!(ran.code == 0 && ran.err.contains(&enter), "{ran:?}");
    assert!(published(&world, ITEM).await.is_some());
}

#[tokio::test]
async fn publish_refuses_documents_with_mistakes() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    let wrong = json!({"name": {"type": "ref", "ref": "#nothing", "description": "Its name."}});
    project.write(ITEM, &item(wrong));
    let ran = project.publish(&world, &[]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("unresolved-ref") && ran.err.contains("nothing was published"), "{}", ran.err);
    project.write("com.example.shop.other", &item(text(300)));
    fs::remove_file(project.file(ITEM)).unwrap();
    let ran = project.publish(&world, &[]).await;
    assert!(
        ran.code == 1 && ran.err.contains("has the document com.example.shop.item, which belongs into "),
        "{ran:?}"
    );
    assert_eq!(published(&world, ITEM).await, None);
}

#[tokio::test]
async fn publish_leaves_documents_of_others_alone() {
    let world = World::new().await;
    world.publish(ITEM, super::document(ITEM)).await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    let ran = project.publish(&world, &[]).await;
    assert!(ran.code == 1 && ran.err.contains("there are no documents of your own in the folder"), "{ran:?}");
    let ran = project.publish(&world, &[ITEM]).await;
    assert!(ran.code == 1 && ran.err.contains("com.example.shop.item was fetched from others"), "{ran:?}");
    let ran = project.publish(&world, &["com.example.shop.nothing"]).await;
    assert!(ran.code == 1 && ran.err.contains("there is no such document"), "{ran:?}");
}

#[tokio::test]
async fn publish_shows_no_password() {
    let mut world = World::new().await;
    let project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    world.account.password = "not-the-password-of-anybody".to_owned();
    let ran = project.publish(&world, &[]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("cannot sign in") && ran.err.contains("ATPROTO_APP_PASSWORD"), "{}", ran.err);
    assert!(!format!("{ran:?}").contains(&world.account.password), "{ran:?}");
}

#[tokio::test]
async fn publish_sends_no_password_to_an_account_that_only_dns_names() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    let asked = world.dns.asked().len();
    let ran = project.publish_as_named(&world, &[]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ATPROTO_APP_PASSWORD is set, and --handle is not"), "{}", ran.err);
    assert_eq!(world.dns.asked().len(), asked, "nobody was asked");
    assert_eq!(published(&world, ITEM).await, None);
}

#[tokio::test]
async fn publish_asks_for_no_dns_record_while_dns_does_not_answer() {
    let world = World::new().await;
    let mut project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    let servers = project.network.iter().position(|it| it == "--name-server").unwrap();
    "127.0.0.1:9".clone_into(&mut project.network[servers + 1]);
    let ran = project.publish(&world, &["--dry-run"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("try again later") && !ran.err.contains("enter the TXT record"), "{}", ran.err);
}

#[tokio::test]
async fn publish_signs_in_through_the_browser_once() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    project.write(ITEM, &item(text(300)));
    let mut child = project.command(&project.publishing(&world, &["--no-browser"])).spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    let url = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(stderr).lines().map_while(Result::ok);
        lines.map(|line| line.trim().to_owned()).find(|line| line.starts_with("http"))
    });
    let url = url.await.unwrap().unwrap();
    let callback = world.network.approve(&url, &world.account).await.unwrap();
    reqwest::get(callback).await.unwrap();
    tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    let ran = project.ran("");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(published(&world, ITEM).await.is_some());

    // The session is in the file, which only its owner can read.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(project.path("private/sessions.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    project.write("com.example.shop.defs", &json!({"lexicon": 1, "id": "com.example.shop.defs", "defs": {
        "price": {"type": "object", "description": "A price.", "properties": {"cents": {"type": "integer", "description": "It."}}},
    }}));
    let mut command = project.command(&project.publishing(&world, &["--no-browser"]));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    let ran = project.ran(&printed);
    assert!(ran.code == 0 && !printed.contains("Sign in with your browser"), "{ran:?} {printed}");
    assert!(published(&world, "com.example.shop.defs").await.is_some());
}
