//! `install`: what is asked for, what is locked and what is in the files, in agreement.

use std::fs;

use serde_json::json;

use super::{
    COLLECTION, World,
    dependencies::{Project, SHOP, named, run, shop, with_refs},
    document,
};

/// A document that somebody has edited.
fn edited(id: &str, refs: &[&str]) -> String {
    let mut document = with_refs(id, refs);
    document["description"] = json!("Edited.");
    document.to_string()
}

#[tokio::test]
async fn install_fetches_what_is_missing_and_removes_what_nobody_needs() {
    let world = shop().await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    let ran = project.run(&["install"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "4 documents: 4 written, 0 removed\n"), "{ran:?}");
    assert_eq!(project.locked(), named(&SHOP));
    let (lock, asked) = (project.lock_text(), world.dns.asked().len());

    // Everything is there: no network.
    let ran = project.run_offline(&["install"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "4 documents: 0 written, 0 removed\n"), "{ran:?}");
    assert_eq!((project.lock_text(), world.dns.asked().len()), (lock.clone(), asked));

    // A file that is missing is fetched again, and one that was edited only with consent.
    fs::remove_file(project.file("org.example.money")).unwrap();
    fs::write(project.file("com.example.shop.defs"), "{}").unwrap();
    let ran = project.run(&["install"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, "3 documents: 1 written, 0 removed\n"), "{ran:?}");
    assert!(
        ran.err.contains("defs.json was edited since it was fetched; --force restores it, and to keep it")
            && ran.err.contains("use --keep"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read_to_string(project.file("com.example.shop.defs")).unwrap(), "{}");
    fs::remove_file(project.file("org.example.money")).unwrap();
    let ran = project.run(&["install", "--force"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "4 documents: 2 written, 0 removed\n"), "{ran:?}");
    assert_eq!(project.lock_text(), lock, "what is locked has not changed");
    assert!(ran.err.contains("defs.json was edited, and is replaced"), "{}", ran.err);

    // Nobody asks for the item any more; the edited file stays.
    fs::write(project.path("lexicons.toml"), "[documents]\n\"org.example.money\" = \"network\"\n").unwrap();
    fs::write(project.file("com.example.shop.defs"), "{\"mine\": 1}").unwrap();
    let ran = project.run(&["install"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, "2 documents: 0 written, 0 removed\n"), "{ran:?}");
    assert!(ran.err.contains("what it refers to is not known"), "{}", ran.err);
    fs::write(project.file("com.example.shop.defs"), edited("com.example.shop.defs", &[])).unwrap();
    let ran = project.run(&["install"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "2 documents: 0 written, 1 removed\n"), "{ran:?}");
    assert_eq!(project.locked(), named(&[("org.example.currency", false), ("org.example.money", true)]));
    assert!(
        project.file("com.example.shop.defs").exists() && !project.file("com.example.shop.item").exists()
    );
}

#[tokio::test]
async fn install_locked_needs_no_network_and_names_every_file_that_differs() {
    let world = shop().await;
    let config = "[documents]\n\"com.example.shop.item\" = \"network\"\n";
    let project = Project::new(&world, config);
    assert_eq!(project.run(&["install"]).await.code, 0);
    let ran = project.run_offline(&["install", "--locked"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "4 documents, all as locked\n"), "{ran:?}");

    // Another format of the same document is the same document.
    let item = project.file("com.example.shop.item");
    let compact = project.json("com.example.shop.item").to_string();
    fs::write(&item, &compact).unwrap();
    assert_eq!(project.run_offline(&["install", "--locked"]).await.code, 0);

    fs::write(&item, compact.replace("field0", "field9")).unwrap();
    fs::remove_file(project.file("org.example.money")).unwrap();
    fs::write(project.file("org.example.currency"), "{").unwrap();
    fs::write(project.path("lexicons.toml"), format!("{config}\"org.example.other\" = \"network\"\n"))
        .unwrap();
    let before = project.lock_text();
    let ran = project.run_offline(&["install", "--locked"]).await;
    assert_eq!(ran.code, 1);
    for part in [
        "item.json has changed: its CID is ",
        "money.json is missing",
        "currency.json: ",
        "lexicons.toml asks for org.example.other from network, which is not in lexicons.lock",
    ] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
    assert_eq!(ran.err.matches("error: ").count(), 4, "{}", ran.err);
    assert_eq!(project.lock_text(), before, "nothing is changed");

    fs::write(project.path("lexicons.toml"), "").unwrap();
    let ran = project.run_offline(&["install", "--locked"]).await;
    assert!(
        ran.err.contains("lexicons.lock has com.example.shop.item, which lexicons.toml does not ask for"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn a_document_becomes_ones_own_when_its_line_is_taken_out() {
    let world = shop().await;
    let config = "[documents]\n\"com.example.shop.item\" = \"network\"\n";
    let both = format!("{config}\"org.example.money\" = \"network\"\n");
    let project = Project::new(&world, &both);
    assert_eq!(project.run(&["install"]).await.code, 0);
    let mine = edited("org.example.money", &["org.example.currency"]);
    fs::write(project.file("org.example.money"), &mine).unwrap();
    for command in ["install", "update"] {
        let ran = project.run(&[command]).await;
        assert_eq!(ran.code, 1);
        assert!(
            ran.err.contains("money.json was edited") && ran.err.contains("take org.example.money out"),
            "{}",
            ran.err
        );
    }
    // Another one still refers to it.
    fs::write(project.path("lexicons.toml"), config).unwrap();
    let ran = project.run(&["install"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("money.json was edited; it stays, as a document of your own"), "{}", ran.err);
    assert_eq!(fs::read_to_string(project.file("org.example.money")).unwrap(), mine);
    let expected =
        [("com.example.shop.defs", false), ("com.example.shop.item", true), ("org.example.currency", false)];
    assert_eq!(project.locked(), named(&expected), "what it refers to stays");
    for arguments in [&["install"][..], &["install", "--locked"]] {
        let ran = project.run_offline(arguments).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    }

    // One that lexicons.toml never asked for.
    fs::write(project.file("com.example.shop.defs"), edited("com.example.shop.defs", &[])).unwrap();
    let ran = project.run(&["install", "--keep"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(project.locked(), named(&[("com.example.shop.item", true), ("org.example.currency", false)]));

    // The source of a request does not matter.
    let item = edited("com.example.shop.item", &[]);
    fs::write(project.file("com.example.shop.item"), &item).unwrap();
    fs::write(project.path("other.json"), document("com.example.shop.item").to_string()).unwrap();
    fs::write(
        project.path("lexicons.toml"),
        "[documents]\n\"com.example.shop.item\" = { path = \"other.json\" }\n",
    )
    .unwrap();
    let ran = project.run(&["install"]).await;
    assert!(ran.code == 1 && ran.err.contains("item.json was edited"), "{ran:?}");
    assert_eq!(fs::read_to_string(project.file("com.example.shop.item")).unwrap(), item);
}

#[tokio::test]
async fn an_edited_document_stays_when_its_group_has_lost_it() {
    let world = World::new().await;
    let project = Project::new(&world, "[documents]\n\"org.a.*\" = { path = \"given\" }\n");
    fs::create_dir(project.path("given")).unwrap();
    for name in ["one", "two"] {
        let document = document(&format!("org.a.{name}")).to_string();
        fs::write(project.path(&format!("given/{name}.json")), document).unwrap();
    }
    assert_eq!(project.run_offline(&["install"]).await.code, 0);
    fs::remove_file(project.path("given/two.json")).unwrap();
    fs::write(project.file("org.a.two"), edited("org.a.two", &[])).unwrap();
    let ran = project.run_offline(&["update", "--yes"]).await;
    assert!(ran.code == 0 && ran.err.contains("two.json was edited; it stays"), "{ran:?}");
    assert_eq!(project.locked(), named(&[("org.a.one", true)]));
    assert!(project.file("org.a.two").exists());
}

#[tokio::test]
async fn nothing_is_removed_while_a_document_of_ones_own_cannot_be_read() {
    let world = shop().await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    fs::write(project.path("lexicons/mine.json"), "{ \"lexicon\": 1, ").unwrap();
    fs::write(project.path("lexicons.toml"), "").unwrap();
    let ran = project.run(&["install"]).await;
    assert!(ran.code == 1 && ran.err.contains("mine.json: ") && ran.out.contains("0 removed"), "{ran:?}");
    assert_eq!(project.locked(), named(&SHOP));
    fs::remove_file(project.path("lexicons/mine.json")).unwrap();
    let ran = project.run(&["install"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "0 documents: 0 written, 4 removed\n"), "{ran:?}");
}

#[tokio::test]
async fn a_deleted_lock_is_made_again() {
    let world = shop().await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    fs::remove_file(project.path("lexicons.lock")).unwrap();
    let ran = project.run(&["install"]).await;
    assert_eq!((ran.code, project.locked()), (0, named(&SHOP)), "{ran:?}");
    assert_eq!(project.run_offline(&["install", "--locked"]).await.code, 0);
}

#[tokio::test]
async fn a_group_is_listed_once_whatever_its_documents_were_asked_for() {
    let world = World::new().await;
    for id in ["com.example.shop.item", "com.example.shop.cart"] {
        world.publish(id, document(id)).await;
    }
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    // That one document of it is there does not make the group one that was listed.
    let ran = project.run(&["add", "com.example.shop.*"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let both = [("com.example.shop.cart", true), ("com.example.shop.item", true)];
    assert_eq!(project.locked(), named(&both));
    // Every document of the group has a narrower request.
    fs::write(
        project.path("lexicons.toml"),
        format!("{}\"com.example.shop.cart\" = \"network\"\n", project.config()),
    )
    .unwrap();
    for arguments in [&["install"][..], &["install", "--locked"]] {
        let ran = project.run_offline(arguments).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    }
    assert_eq!(project.locked(), named(&both));
}

#[tokio::test]
async fn a_group_may_consist_of_documents_that_others_have_bindings_of() {
    let world = World::new().await;
    let project = Project::new(&world, "");
    fs::write(project.path("ref.json"), document("com.atproto.repo.strongRef").to_string()).unwrap();
    let ran = project.run_offline(&["add", "com.atproto.repo.*", "--path", "ref.json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(project.config().contains("com.atproto.repo.*"), "{}", project.config());
    assert_eq!(project.locked(), []);
    for arguments in [&["install"][..], &["install", "--locked"]] {
        let ran = project.run_offline(arguments).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    }
    assert_eq!(run(project.path(""), &["install", "--locked", "--force"]).await.code, 2);
}

#[tokio::test]
async fn a_group_that_did_not_come_as_a_whole_is_tried_again() {
    let world = World::new().await;
    world.publish("com.example.shop.item", document("com.example.shop.item")).await;
    world
        .publish(
            "com.example.shop.cart",
            json!({"$type": COLLECTION, "lexicon": 1, "id": "com.example.other"}),
        )
        .await;
    let project = Project::new(&world, "");
    assert_eq!(project.run(&["add", "com.example.shop.*"]).await.code, 1);
    assert_eq!(project.run_offline(&["install", "--locked"]).await.code, 1);
    world.publish("com.example.shop.cart", document("com.example.shop.cart")).await;
    assert_eq!(project.run(&["install"]).await.code, 0);
    assert_eq!(project.locked(), named(&[("com.example.shop.cart", true), ("com.example.shop.item", true)]));
}

#[tokio::test]
async fn install_locked_finds_dependencies_that_are_not_locked_and_entries_that_nobody_needs() {
    let world = shop().await;
    let project = Project::new(&world, "[documents]\n\"com.example.shop.item\" = \"network\"\n");
    assert_eq!(project.run(&["install"]).await.code, 0);
    let lock = project.lock_text();
    let without = |nsid: &str| {
        let (head, rest) = lock.split_once(&format!("[[document]]\nnsid = \"{nsid}\"")).unwrap();
        let rest = rest.find("[[document]]").map_or("", |next| &rest[next..]);
        format!("{head}{rest}")
    };
    fs::write(project.path("lexicons.lock"), without("org.example.money")).unwrap();
    fs::remove_file(project.file("org.example.money")).unwrap();
    let ran = project.run_offline(&["install", "--locked"]).await;
    assert_eq!(ran.code, 1);
    for part in [
        "com.example.shop.item refers to org.example.money, which is not in lexicons.lock",
        "lexicons.lock has org.example.currency, which nothing needs",
    ] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
    assert_eq!(ran.err.matches("error: ").count(), 2, "{}", ran.err);
    // What one's own documents refer to is needed.
    fs::write(project.file("org.example.money"), edited("org.example.money", &["org.example.currency"]))
        .unwrap();
    assert_eq!(project.run_offline(&["install", "--locked"]).await.code, 0);
}
