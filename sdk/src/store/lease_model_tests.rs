//! A model of leases: two holders, a server, requests and answers that are delayed or lost, and machines that are suspended. All
//! interleavings are tried, with the code that decides until when a lock is held.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant, SystemTime},
};

use super::lock::{Moment, Term};

/// How long the server grants a lease, in ticks.
const LEASE: u64 = 2;
/// How long the model runs: two leases one after the other, and what is late from the first one.
const TICKS: u64 = 4;

/// What is tried, and which faults are built in.
#[derive(Clone, Copy)]
struct Rules {
    /// Whether the server removes an expired lease, as Redis does, or keeps it until somebody takes it, as PostgreSQL does.
    removes_expired: bool,
    /// A fault: the lifetime is counted from the answer.
    counts_from_answer: bool,
    /// A fault: only the clock counts that stands still while the machine is suspended.
    ignores_suspension: bool,
}

const FAULTLESS: Rules =
    Rules { removes_expired: false, counts_from_answer: false, ignores_suspension: false };

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Take,
    Renew,
    Release,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Flight {
    Request(Kind, Moment),
    Answer(Kind, Moment, bool),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Holder {
    clock: Moment,
    term: Term,
    /// A request that takes or renews, and one that releases.
    flights: [Option<Flight>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    now: u64,
    /// Who has the lock on the server, and until when.
    row: Option<(usize, u64)>,
    holders: [Holder; 2],
}

impl World {
    fn new() -> Self {
        let clock = Moment { instant: Instant::now(), wall: SystemTime::now() };
        let holder = Holder { clock, term: Term::NotYet, flights: [None; 2] };
        Self { now: 0, row: None, holders: [holder; 2] }
    }

    fn holds(&self, index: usize) -> bool {
        let holder = &self.holders[index];
        holder.term.holds(holder.clock, Duration::ZERO)
    }

    /// Everything that can happen next.
    fn next(&self, rules: Rules) -> Vec<Self> {
        let mut next = Vec::new();
        if self.now < TICKS {
            // Time passes. The machine of the first holder may be suspended; the holders are otherwise alike.
            next.extend([None, Some(0)].map(|suspended| self.tick(suspended, rules)));
        }
        for index in 0..2 {
            self.holder_acts(index, &mut next);
            for slot in 0..2 {
                let Some(flight) = self.holders[index].flights[slot] else { continue };
                let mut lost = *self;
                lost.holders[index].flights[slot] = None;
                next.push(match flight {
                    Flight::Request(kind, sent) => {
                        let (mut arrived, granted) = lost.serve(index, kind, rules);
                        // Whoever has given up hears nothing.
                        if lost.holders[index].term != Term::Over {
                            arrived.holders[index].flights[slot] = Some(Flight::Answer(kind, sent, granted));
                        }
                        arrived
                    }
                    Flight::Answer(kind, sent, granted) => lost.hear(index, kind, sent, granted, rules),
                });
                // What is lost and not sent again is as if it were delayed until the end.
                if lost.holders[index].term != Term::Over {
                    next.push(lost);
                }
            }
        }
        next
    }

    fn tick(mut self, suspended: Option<usize>, rules: Rules) -> Self {
        const TICK: Duration = Duration::from_secs(1);
        self.now += 1;
        for (index, holder) in self.holders.iter_mut().enumerate() {
            let is_awake = suspended != Some(index);
            if is_awake {
                holder.clock.instant += TICK;
            }
            if is_awake || !rules.ignores_suspension {
                holder.clock.wall += TICK;
            }
        }
        self
    }

    /// A holder takes the lock, renews it even if that may be too late, or gives it up at any time.
    fn holder_acts(&self, index: usize, next: &mut Vec<Self>) {
        let holder = self.holders[index];
        let kind = match holder.term {
            Term::NotYet => Kind::Take,
            Term::For { .. } => Kind::Renew,
            Term::UntilReleased | Term::Over => return,
        };
        if holder.flights[0].is_none() {
            let mut sent = *self;
            sent.holders[index].flights[0] = Some(Flight::Request(kind, holder.clock));
            next.push(sent);
        }
        let mut released = *self;
        released.holders[index].term = Term::Over;
        released.holders[index].flights[0] =
            holder.flights[0].filter(|one| matches!(one, Flight::Request(..)));
        released.holders[index].flights[1] = Some(Flight::Request(Kind::Release, holder.clock));
        next.push(released);
    }

    /// A request arrives at the server.
    fn serve(mut self, index: usize, kind: Kind, rules: Rules) -> (Self, bool) {
        if rules.removes_expired && self.row.is_some_and(|(_, end)| end <= self.now) {
            self.row = None;
        }
        let is_own = self.row.is_some_and(|(holder, _)| holder == index);
        let granted = match kind {
            Kind::Take => self.row.is_none_or(|(_, end)| end <= self.now),
            Kind::Renew | Kind::Release => is_own,
        };
        if granted {
            self.row = (kind != Kind::Release).then_some((index, self.now + LEASE));
        }
        (self, granted)
    }

    /// An answer arrives at the holder.
    fn hear(mut self, index: usize, kind: Kind, sent: Moment, granted: bool, rules: Rules) -> Self {
        let holder = &mut self.holders[index];
        let since = if rules.counts_from_answer { holder.clock } else { sent };
        match (kind, granted) {
            (Kind::Take | Kind::Renew, true) => holder.term.grant(since, Duration::from_secs(LEASE)),
            (Kind::Renew, false) => holder.term = Term::Over,
            _ => {}
        }
        self
    }
}

/// Tries everything, and returns how many worlds there are, or the first one with two holders.
fn explore(rules: Rules) -> Result<usize, Box<World>> {
    let mut seen = HashSet::new();
    let mut open = VecDeque::from([World::new()]);
    while let Some(world) = open.pop_front() {
        if world.holds(0) && world.holds(1) {
            return Err(Box::new(world));
        }
        open.extend(world.next(rules).into_iter().filter(|next| seen.insert(*next)));
    }
    Ok(seen.len())
}

#[test]
fn never_two_holders_believe_that_they_hold_a_lease() {
    for removes_expired in [false, true] {
        let explored = explore(Rules { removes_expired, ..FAULTLESS });
        let count = explored.unwrap_or_else(|world| panic!("two holders after {} ticks", world.now));
        assert!(count > 100_000, "{count}");
    }
}

#[test]
fn the_model_finds_leases_that_count_wrongly() {
    for rules in
        [Rules { counts_from_answer: true, ..FAULTLESS }, Rules { ignores_suspension: true, ..FAULTLESS }]
    {
        assert!(explore(rules).is_err());
    }
}
