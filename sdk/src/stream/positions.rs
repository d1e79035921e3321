//! Positions in a stream: what was given is not given again, and none goes backwards (E4, E5).

/// How the positions of a stream behave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// Whether what is at the cursor is sent again, and not only what comes after it.
    pub(crate) inclusive: bool,
    /// Whether several messages can have the same position.
    pub(crate) repeats: bool,
    /// Whether positions say nothing about what has been given: the protocol knows it in another way.
    pub(crate) unordered: bool,
    /// How far before the cursor a stream has to be resumed, because there can be messages that came later.
    pub(crate) overlap: i64,
}

/// What the position of a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    /// The message has been given before.
    Given,
    /// The positions of a connection go backwards, from this one.
    Backwards {
        previous: i64,
    },
}

#[derive(Debug)]
pub(super) struct Positions {
    order: Order,
    /// The last message that was given, or where to start after.
    given: Option<i64>,
    /// How many messages with this position were given.
    count: u64,
    /// How many of them this connection may still send again.
    again: u64,
    /// The last message of this connection.
    here: Option<i64>,
}

impl Positions {
    pub(super) fn new(order: Order, after: Option<i64>) -> Self {
        // Where to start after is a position that the consumer has done with.
        Self { order, given: after, count: u64::MAX, again: 0, here: None }
    }

    /// The position after which a connection is to begin.
    pub(super) fn after(&self) -> Option<i64> {
        self.given
    }

    /// Everything up to a position has been dealt with, whether there was a message or not.
    #[cfg(feature = "jetstream")]
    pub(super) fn pass(&mut self, position: i64) {
        if self.given.is_none_or(|given| given < position) {
            (self.given, self.count, self.again) = (Some(position), u64::MAX, 0);
        }
    }

    /// A new connection begins.
    pub(super) fn connect(&mut self) {
        self.here = None;
        self.again = if self.order.inclusive { self.count } else { 0 };
    }

    /// Judges a message, which is given if it is new.
    pub(super) fn judge(&mut self, position: i64) -> Verdict {
        if self.order.unordered {
            self.given = self.given.max(Some(position));
            return Verdict::New;
        }
        match self.here {
            Some(previous) if position < previous => return Verdict::Backwards { previous },
            _ => self.here = Some(position),
        }
        match self.given {
            Some(given) if position < given => Verdict::Given,
            Some(given) if position == given => {
                if !self.order.repeats {
                    Verdict::Given
                } else if self.again > 0 {
                    self.again -= 1;
                    Verdict::Given
                } else {
                    self.count = self.count.saturating_add(1);
                    Verdict::New
                }
            }
            _ => {
                (self.given, self.count, self.again) = (Some(position), 1, 0);
                Verdict::New
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: Verdict = Verdict::Given;
    const NEW: Verdict = Verdict::New;

    fn judge_all(positions: &mut Positions, all: &[i64]) -> Vec<Verdict> {
        positions.connect();
        all.iter().map(|position| positions.judge(*position)).collect()
    }

    #[test]
    fn e4_positions_increase_with_gaps_and_never_go_backwards() {
        let mut positions = Positions::new(Order::default(), None);
        let all = judge_all(&mut positions, &[3, 4, 9, 9, 8, 10]);
        assert_eq!(all, [NEW, NEW, NEW, GIVEN, Verdict::Backwards { previous: 9 }, NEW]);
        assert_eq!(positions.after(), Some(10));
    }

    #[test]
    fn e5_what_was_given_before_a_reconnect_is_not_given_again() {
        let mut positions = Positions::new(Order::default(), Some(2));
        assert_eq!(judge_all(&mut positions, &[1, 2, 3, 5]), [GIVEN, GIVEN, NEW, NEW]);
        assert_eq!(judge_all(&mut positions, &[3, 4, 5, 6]), [GIVEN, GIVEN, GIVEN, NEW]);
        // Within a connection, going backwards is wrong even where it is before what was given.
        assert_eq!(judge_all(&mut positions, &[4, 3]), [GIVEN, Verdict::Backwards { previous: 4 }]);
    }

    #[test]
    fn e8_as_many_messages_with_one_position_are_given_as_there_are() {
        let order = Order { inclusive: true, repeats: true, ..Order::default() };
        let mut positions = Positions::new(order, Some(1));
        // All of the first position have been done with, however many they are.
        assert_eq!(judge_all(&mut positions, &[1, 1, 2, 2]), [GIVEN, GIVEN, NEW, NEW]);
        // Two of the three with the last position were given.
        assert_eq!(judge_all(&mut positions, &[2, 2, 2, 3]), [GIVEN, GIVEN, NEW, NEW]);
        assert_eq!(judge_all(&mut positions, &[3, 3, 4]), [GIVEN, NEW, NEW]);
        // A cursor that is not inclusive has none of them again.
        let order = Order { repeats: true, ..Order::default() };
        let mut positions = Positions::new(order, None);
        assert_eq!(judge_all(&mut positions, &[1, 1]), [NEW, NEW]);
        assert_eq!(judge_all(&mut positions, &[1, 2]), [NEW, NEW]);
    }
}
