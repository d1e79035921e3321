//! A long run: what a process needs does not grow, and no session is lost.

use std::time::Duration;

use tests::faults::Plan;

use crate::{
    driver::Client,
    judge::judge,
    plans::save,
    report::{Total, line},
    run::{Evidence, Sample, prepare, run},
    world::World,
};

/// The name of its plan.
pub(crate) const PLAN: &str = "soak";

/// How a quantity changes, by the line that fits best.
#[derive(Debug, Clone, Copy)]
struct Trend {
    mean: f64,
    /// How much more it is at the end than at the beginning.
    growth: f64,
}

impl Trend {
    fn of(points: &[(f64, f64)]) -> Self {
        let count = points.len().max(1) as f64;
        let mean = |pick: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
        let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
        let covariance = mean(&|point| (point.0 - x) * (point.1 - y));
        let variance = mean(&|point| (point.0 - x).powi(2));
        let slope = if variance > 0.0 { covariance / variance } else { 0.0 };
        let span = points.last().map_or(0.0, |last| last.0 - points[0].0);
        Self { mean: y, growth: slope * span }
    }
}

/// The trend of a quantity of one driver after the first third, in which pools and caches fill.
fn trend(samples: &[Sample], driver: usize, pick: impl Fn(&Sample) -> f64) -> Trend {
    let end = samples.last().map_or(Duration::ZERO, |sample| sample.at);
    let settled = samples.iter().filter(|sample| sample.driver == driver && sample.at > end / 3);
    let points: Vec<(f64, f64)> = settled.map(|sample| (sample.at.as_secs_f64(), pick(sample))).collect();
    Trend::of(&points)
}

/// Runs it for a while. `memory` is by which part of itself a process may grow.
async fn soak(length: Duration, restart: Duration, memory: f64) {
    let mut plan = Plan::named(PLAN).unwrap();
    plan.seconds = length.as_secs();
    plan.server.restart_millis = Some(u64::try_from(restart.as_millis()).unwrap());
    let world = World::start().await;
    prepare(&world, &plan).await;
    let evidence = run(&world, &plan, 0, &Client::Sdk).await;
    let verdict = judge(&evidence);
    println!("{}", line(&plan.name, 0, &evidence.store, &verdict, evidence.took));
    println!("{:.1} calls in a second", verdict.calls as f64 / length.as_secs_f64());
    let mut total = Total::default();
    total.add(&verdict);
    save(PLAN, &[(plan.name.clone(), total)].into());
    grows_nowhere(&evidence, memory);
    assert_eq!(verdict.breaches, Vec::<String>::new());
    // Only the server's own ends take an answer with them.
    let restarts = verdict.lost_by.get("restart of the server").copied().unwrap_or_default();
    assert_eq!(verdict.ended.values().sum::<u64>(), restarts, "{:?} {:?}", verdict.ended, verdict.lost_by);
}

fn grows_nowhere(evidence: &Evidence, part: f64) {
    let drivers = evidence.plan.processes as usize;
    let mut problems = Vec::new();
    for driver in 0..drivers {
        let memory = trend(&evidence.samples, driver, |sample| sample.memory as f64);
        let files = trend(&evidence.samples, driver, |sample| sample.files as f64);
        println!(
            "driver {driver}: {:.1} MB, {:+.2} MB over the run; {:.1} open files, {:+.1}",
            memory.mean / 1e6,
            memory.growth / 1e6,
            files.mean,
            files.growth
        );
        if memory.growth > memory.mean * part {
            problems.push(format!("the memory of driver {driver} grows: {memory:?}"));
        }
        if files.growth > 5.0 {
            problems.push(format!("the open files of driver {driver} grow: {files:?}"));
        }
        assert!(memory.mean > 0.0 && files.mean > 0.0, "driver {driver} was looked at");
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn trends_tell_what_grows() {
    let flat = Trend::of(&[(0.0, 5.0), (1.0, 7.0), (2.0, 5.0), (3.0, 7.0), (4.0, 5.0)]);
    assert!(flat.growth.abs() < 0.01 && (flat.mean - 5.8).abs() < 0.01, "{flat:?}");
    let growing = Trend::of(&[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]);
    assert!((growing.growth - 2.0).abs() < 0.01, "{growing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_run_of_eight_workers_needs_no_more_in_the_end() {
    // Too short for memory to be flat: the allocator still learns.
    soak(Duration::from_secs(45), Duration::from_secs(20), 0.3).await;
}

/// `tests/run --soak MINUTES` gives the length.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: tests/run --soak MINUTES"]
async fn a_long_run() {
    let minutes = std::env::var("SOAK_MINUTES").ok().filter(|minutes| !minutes.is_empty());
    let minutes: u64 = minutes.map_or(30, |minutes| minutes.parse().unwrap());
    soak(Duration::from_secs(60 * minutes), Duration::from_secs(60), 0.05).await;
}
