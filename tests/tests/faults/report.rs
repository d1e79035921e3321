//! What came of many runs, as text and as JSON.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use crate::judge::Verdict;

/// The sum of the runs of a plan.
#[derive(Debug, Default)]
pub(crate) struct Total {
    pub(crate) runs: u64,
    pub(crate) sum: Verdict,
}

impl Total {
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        self.runs += 1;
        let sum = &mut self.sum;
        sum.calls += verdict.calls;
        sum.failed_calls += verdict.failed_calls;
        sum.sessions += verdict.sessions;
        sum.no_sign_in += verdict.no_sign_in;
        sum.refreshes += verdict.refreshes;
        sum.lost_answers += verdict.lost_answers;
        sum.early += verdict.early;
        sum.presented_again += verdict.presented_again;
        sum.unsaved += verdict.unsaved;
        sum.longest_call = sum.longest_call.max(verdict.longest_call);
        for (name, count) in &verdict.ended {
            *sum.ended.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &verdict.lost_by {
            *sum.lost_by.entry(name.clone()).or_default() += count;
        }
        for (name, (all, refreshes)) in &verdict.faults {
            let entry = sum.faults.entry(name.clone()).or_default();
            (entry.0, entry.1) = (entry.0 + all, entry.1 + refreshes);
        }
        for (text, count) in &verdict.failures {
            *sum.failures.entry(text.clone()).or_default() += count;
        }
        sum.breaches.extend(verdict.breaches.iter().cloned());
    }

    pub(crate) fn to_json(&self) -> Value {
        let sum = &self.sum;
        let fault = |(name, (all, refreshes)): (&String, &(u64, u64))| {
            let lost = sum.lost_by.get(name).copied().unwrap_or_default();
            json!({ "fault": name, "times": all, "of-refreshes": refreshes, "sessions-lost": lost })
        };
        json!({
            "runs": self.runs,
            "calls": sum.calls,
            "failed-calls": sum.failed_calls,
            "sessions": sum.sessions,
            "runs-without-sign-in": sum.no_sign_in,
            "refreshes": sum.refreshes,
            "answers-lost": sum.lost_answers,
            "refreshes-before-due": sum.early,
            "presented-again": sum.presented_again,
            "tokens-while-the-store-was-away": sum.unsaved,
            "ended": sum.ended,
            "lost-by": sum.lost_by,
            "longest-call-millis": u64::try_from(sum.longest_call.as_millis()).unwrap(),
            "faults": sum.faults.iter().map(fault).collect::<Vec<_>>(),
            "failures": sum.failures,
            "breaches": sum.breaches,
        })
    }
}

/// One line for a run.
pub(crate) fn line(plan: &str, seed: u64, store: &str, verdict: &Verdict, took: Duration) -> String {
    let faults: u64 = verdict.faults.values().map(|(all, _)| all).sum();
    format!(
        "{plan} seed {seed} on {store}: {} calls ({} failed), {faults} faults, {} sessions, {} refreshes, \
         {} answers lost, ended {:?}, breaches {}, longest call {:?}, {:.0?}",
        verdict.calls,
        verdict.failed_calls,
        verdict.sessions,
        verdict.refreshes,
        verdict.lost_answers,
        verdict.ended,
        verdict.breaches.len(),
        verdict.longest_call,
        took,
    )
}

/// The tables of all plans, with a column for each client.
pub(crate) fn table(clients: &[(&str, &BTreeMap<String, Total>)]) -> String {
    let mut text = String::new();
    let plans: Vec<&String> = clients.first().map(|(_, totals)| totals.keys().collect()).unwrap_or_default();
    for plan in plans {
        let totals: Vec<(&str, Option<&Total>)> =
            clients.iter().map(|(name, totals)| (*name, totals.get(plan))).collect();
        writeln!(text, "\n{plan}").unwrap();
        let row = |text: &mut String, label: &str, value: &dyn Fn(&Total) -> String| {
            write!(text, "  {label:<44}").unwrap();
            for (_, total) in &totals {
                write!(text, " {:>22}", total.map(value).unwrap_or_default()).unwrap();
            }
            text.push('\n');
        };
        write!(text, "  {:<44}", "").unwrap();
        for (name, _) in &totals {
            write!(text, " {name:>22}").unwrap();
        }
        text.push('\n');
        row(&mut text, "runs", &|total| total.runs.to_string());
        row(&mut text, "calls (failed)", &|total| {
            format!("{} ({})", total.sum.calls, total.sum.failed_calls)
        });
        row(&mut text, "sessions", &|total| total.sum.sessions.to_string());
        if totals.iter().any(|(_, total)| total.is_some_and(|total| total.sum.no_sign_in > 0)) {
            row(&mut text, "runs in which nobody could sign in", &|total| total.sum.no_sign_in.to_string());
        }
        row(&mut text, "refreshes (answer lost)", &|total| {
            format!("{} ({})", total.sum.refreshes, total.sum.lost_answers)
        });
        row(&mut text, "refreshes before they were due", &|total| total.sum.early.to_string());
        row(&mut text, "refresh tokens presented again", &|total| total.sum.presented_again.to_string());
        if totals.iter().any(|(_, total)| total.is_some_and(|total| total.sum.unsaved > 0)) {
            let label = "new tokens while the store was away";
            row(&mut text, label, &|total| total.sum.unsaved.to_string());
        }
        let reasons: std::collections::BTreeSet<&String> =
            totals.iter().filter_map(|(_, total)| *total).flat_map(|total| total.sum.ended.keys()).collect();
        for reason in reasons {
            let label = format!("sessions ended: {reason}");
            row(&mut text, &label, &|total| {
                total.sum.ended.get(reason).copied().unwrap_or_default().to_string()
            });
        }
        row(&mut text, "breaches", &|total| total.sum.breaches.len().to_string());
        let names: std::collections::BTreeSet<&String> =
            totals.iter().filter_map(|(_, total)| *total).flat_map(|total| total.sum.faults.keys()).collect();
        if !names.is_empty() {
            writeln!(text, "  fault: times / to refreshes / sessions lost by it").unwrap();
        }
        for name in names {
            row(&mut text, &format!("  {name}"), &|total| {
                let (all, refreshes) = total.sum.faults.get(name).copied().unwrap_or_default();
                let lost = total.sum.lost_by.get(name).copied().unwrap_or_default();
                format!("{all} / {refreshes} / {lost}")
            });
        }
    }
    text
}
