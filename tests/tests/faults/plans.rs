//! Plans with seeds.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use tests::faults::Plan;

use crate::{
    driver::Client,
    judge::judge,
    reference::Reference,
    report::{Total, line, table},
    run::{prepare, run},
    world::World,
};

/// Seeds of a short plan that runs with every other test.
const FEW: u64 = 2;

/// Runs plans and prints what came of them. Fails if an invariant was broken.
async fn play(
    plans: &[Plan],
    seeds: impl Iterator<Item = u64> + Clone,
    client: &Client,
) -> BTreeMap<String, Total> {
    let mut totals: BTreeMap<String, Total> = BTreeMap::new();
    for plan in plans {
        let world = World::start().await;
        prepare(&world, plan).await;
        let most = plan.most_seeds.map_or(usize::MAX, |most| usize::try_from(most).unwrap());
        for seed in seeds.clone().take(most) {
            let evidence = run(&world, plan, seed, client).await;
            let verdict = judge(&evidence);
            println!("{}", line(&plan.name, seed, &evidence.store, &verdict, evidence.took));
            let shown = if matches!(client, Client::Sdk) { verdict.breaches.as_slice() } else { &[] };
            for breach in shown {
                println!("  {breach}\n  again: tests/run --faults --plan {} --seed {seed}", plan.name);
            }
            totals.entry(plan.name.clone()).or_default().add(&verdict);
        }
    }
    totals
}

fn breaches(totals: &BTreeMap<String, Total>) -> usize {
    totals.values().map(|total| total.sum.breaches.len()).sum()
}

pub(crate) fn save(name: &str, totals: &BTreeMap<String, Total>) {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder =
        target.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target")).join("faults");
    fs::create_dir_all(&folder).unwrap();
    let json: BTreeMap<&String, serde_json::Value> =
        totals.iter().map(|(plan, total)| (plan, total.to_json())).collect();
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, serde_json::to_string_pretty(&json).unwrap()).unwrap();
    println!("{}", path.display());
}

#[test]
fn every_plan_can_be_read() {
    let plans = Plan::all().unwrap();
    assert!(plans.iter().any(|plan| plan.short) && plans.iter().any(|plan| !plan.short));
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_o28_no_session_is_lost_that_could_be_kept() {
    let plans: Vec<Plan> = Plan::all().unwrap().into_iter().filter(|plan| plan.short).collect();
    let totals = play(&plans, 1..=FEW, &Client::Sdk).await;
    println!("{}", table(&[("atproto-sdk", &totals)]));
    assert_eq!(breaches(&totals), 0);
}

/// The tokens that arrive meanwhile are kept in memory, and stored afterwards; nobody spends a token twice.
#[tokio::test(flavor = "multi_thread")]
async fn o25_sessions_outlive_an_outage_of_their_store() {
    let plan = Plan::named("store-away").unwrap();
    assert!(plan.stores.len() as u64 > FEW, "PostgreSQL and Redis have their turn");
    let totals = play(&[plan], 1..=FEW, &Client::Sdk).await;
    println!("{}", table(&[("atproto-sdk", &totals)]));
    assert_eq!(breaches(&totals), 0);
    assert!(totals.values().all(|total| total.sum.unsaved > 0), "no refresh met the outage");
}

/// `tests/run --faults` gives the settings.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: tests/run --faults"]
async fn plans_with_many_seeds() {
    let setting = |name: &str| std::env::var(format!("FAULTS_{name}")).ok().filter(|value| !value.is_empty());
    let plans = match setting("PLAN") {
        Some(name) => vec![Plan::named(&name).unwrap()],
        None => Plan::all().unwrap().into_iter().filter(|plan| plan.name != crate::soak::PLAN).collect(),
    };
    let seeds = match (setting("SEED"), setting("SEEDS")) {
        (Some(seed), _) => {
            let seed = seed.parse().unwrap();
            seed..=seed
        }
        (None, seeds) => 1..=seeds.map_or(50, |seeds| seeds.parse().unwrap()),
    };
    let totals = play(&plans, seeds.clone(), &Client::Sdk).await;
    save("atproto-sdk", &totals);
    if setting("REFERENCE").is_some() {
        let client = Client::Reference(Arc::new(Reference::install().await));
        let reference = play(&plans, seeds, &client).await;
        save("reference", &reference);
        println!("{}", table(&[("atproto-sdk", &totals), ("oauth-client-node", &reference)]));
        println!(
            "oauth-client-node has neither a store nor a lock for several processes: one process made all its calls."
        );
    } else {
        println!("{}", table(&[("atproto-sdk", &totals)]));
    }
    assert_eq!(breaches(&totals), 0);
}

/// The driver of this SDK, as a process of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in the processes that the plans start"]
async fn worker_process() {
    if std::env::var_os(crate::worker::MARK).is_some() {
        crate::worker::run().await;
    }
}
