//! Binary data as text in one of many bases, which the first character names (multibase). Only CIDs that are not in the
//! protocol's own form are read by it.

/// The digits of a base, and whether letters of both cases mean the same.
struct Base {
    digits: &'static [u8],
    folded: bool,
}

const BASE_36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE_58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE_32: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
const BASE_64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE_64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Base {
    fn of(letter: u8) -> Option<Self> {
        let base = |digits| Some(Self { digits, folded: false });
        let folded = |digits| Some(Self { digits, folded: true });
        match letter {
            b'0' => base(&BASE_36[..2]),
            b'7' => base(&BASE_36[..8]),
            b'9' => base(&BASE_36[..10]),
            b'f' | b'F' => folded(&BASE_36[..16]),
            b'v' | b'V' => folded(&BASE_36[..32]),
            b'b' | b'B' => folded(BASE_32),
            b'k' | b'K' => folded(BASE_36),
            b'z' => base(BASE_58),
            b'm' => base(BASE_64),
            b'u' => base(BASE_64_URL),
            _ => None,
        }
    }

    fn value(&self, digit: u8) -> Option<u32> {
        let digit = if self.folded { digit.to_ascii_lowercase() } else { digit };
        Some(self.digits.iter().position(|known| *known == digit)? as u32)
    }
}

/// Decodes a text; `None` if it does not consist of the letter of a base and digits of that base.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let (letter, digits) = text.as_bytes().split_first()?;
    let base = Base::of(*letter)?;
    // The two cases of a letter are two bases.
    let wrong_case = |digit: &u8| {
        base.folded
            && if letter.is_ascii_lowercase() {
                digit.is_ascii_uppercase()
            } else {
                digit.is_ascii_lowercase()
            }
    };
    if digits.iter().any(wrong_case) {
        return None;
    }
    let values: Vec<u32> = digits.iter().map(|digit| base.value(*digit)).collect::<Option<_>>()?;
    let size = base.digits.len();
    // The digits of bases that are powers of two are groups of bits, from the left (RFC 4648), and spare bits are zero. So
    // many digits that this never makes are read as a number, as some encoders write them.
    if size.is_power_of_two() {
        let bits = size.trailing_zeros() as usize;
        let spare = values.len() * bits % 8;
        if spare < bits {
            return from_groups(&values, bits, spare);
        }
    }
    Some(from_number(&values, size as u32))
}

fn from_groups(values: &[u32], bits: usize, spare: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(values.len() * bits / 8);
    let (mut held, mut count) = (0_u32, 0);
    for value in values {
        held = held << bits | value;
        count += bits;
        if count >= 8 {
            count -= 8;
            bytes.push((held >> count) as u8);
            held &= (1 << count) - 1;
        }
    }
    (count == spare && held == 0).then_some(bytes)
}

/// The bytes of a number. Texts are short, so quadratic time is nothing to worry about.
fn from_number(values: &[u32], base: u32) -> Vec<u8> {
    // The last byte first.
    let mut bytes: Vec<u8> = Vec::new();
    for value in values {
        let mut carry = *value;
        for byte in &mut bytes {
            carry += u32::from(*byte) * base;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    // A zero digit at the beginning is a zero byte in base 58.
    bytes.extend(values.iter().take_while(|value| **value == 0).map(|_| 0));
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::decode;

    #[test]
    fn d4_the_same_bytes_in_every_base() {
        // From the examples of the multibase specification.
        let expected = b"yes mani !";
        for text in [
            "001111001011001010111001100100000011011010110000101101110011010010010000000100001",
            "7362625631006654133464440102",
            "9573277761329450583662625",
            "f796573206d616e692021",
            "F796573206D616E692021",
            "vf5in683dc5n6i811",
            "VF5IN683DC5N6I811",
            "bpfsxgidnmfxgsibb",
            "BPFSXGIDNMFXGSIBB",
            "k2lcpzo5yikidynfl",
            "K2LCPZO5YIKIDYNFL",
            "z7paNL19xttacUY",
            "meWVzIG1hbmkgIQ",
            "ueWVzIG1hbmkgIQ",
        ] {
            assert_eq!(decode(text).unwrap(), expected, "{text}");
        }
        for text in ["", "!", "b1", "bA", "BA0", "z0", "m-", "u+", "f0g", "98a", "72 ", "x00", "Qm", "bmf"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("z11").unwrap(), [0, 0]);
        assert!(decode("b").unwrap().is_empty());
    }
}
