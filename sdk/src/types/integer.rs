//! Integers of any type as arguments.

/// An integer of any type of Rust, for the arguments of generated constructors and setters, whose fields are `i64`.
///
/// Lengths and positions are `usize`, and counters are often `u32` or `u64`; no conversion is needed. A value that an `i64`
/// cannot hold becomes the largest or smallest one that it can, which is far beyond what the data model recommends (53 bits).
///
/// ```
/// use atproto_sdk::types::Integer;
///
/// fn takes(value: impl Integer) -> i64 {
///     value.into_i64()
/// }
///
/// assert_eq!(takes("text".len()), 4);
/// assert_eq!(takes(7), 7);
/// assert_eq!(takes(u64::MAX), i64::MAX);
/// ```
///
/// This trait cannot be implemented outside of this crate.
pub trait Integer: sealed::Sealed {
    /// Converts to an `i64`, or to the nearest one.
    fn into_i64(self) -> i64;
}

mod sealed {
    /// So that types of integers can be added.
    pub trait Sealed {}
}

macro_rules! always_fits {
    ($($type:ty)*) => { $(
        impl sealed::Sealed for $type {}

        impl Integer for $type {
            #[inline]
            fn into_i64(self) -> i64 {
                self.into()
            }
        }
    )* };
}

macro_rules! may_not_fit {
    ($($type:ty)*) => { $(
        impl sealed::Sealed for $type {}

        impl Integer for $type {
            #[inline]
            fn into_i64(self) -> i64 {
                #[allow(unused_comparisons, reason = "some of the types have no negative values")]
                let nearest = if self < 0 { i64::MIN } else { i64::MAX };
                self.try_into().unwrap_or(nearest)
            }
        }
    )* };
}

always_fits! { i8 i16 i32 i64 u8 u16 u32 }
may_not_fit! { i128 isize u64 u128 usize }

#[cfg(test)]
mod tests {
    use super::Integer;

    fn taken(value: impl Integer) -> i64 {
        value.into_i64()
    }

    #[test]
    fn d1_integers_of_every_type_are_taken_and_none_wraps_around() {
        assert_eq!(
            [taken(-1_i8), taken(-1_i16), taken(-1_i32), taken(-1_i64), taken(-1_i128), taken(-1_isize)],
            [-1; 6]
        );
        assert_eq!(
            [taken(1_u8), taken(1_u16), taken(1_u32), taken(1_u64), taken(1_u128), taken(1_usize)],
            [1; 6]
        );
        assert_eq!([taken(u64::MAX), taken(u128::MAX), taken(i128::MAX)], [i64::MAX; 3]);
        assert_eq!(taken(i128::MIN), i64::MIN);
        assert_eq!([taken(i64::MAX), taken(i64::MIN)], [i64::MAX, i64::MIN]);
        // A literal without a type.
        assert_eq!(taken(2_147_483_647), 2_147_483_647);
    }
}
