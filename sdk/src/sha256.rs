//! SHA-256 of data that is in memory as a whole: what the hasher of `sha2` does, without the buffer that it has for pieces. A
//! commit has a hundred short hashes, of nodes and of keys.

use sha2::block_api::compress256;

const BLOCK: usize = 64;
/// A block has a byte behind the data, and their length in bits at its end.
const LENGTH: usize = 8;
/// The first 32 bits of the fractional parts of the square roots of the first eight primes (FIPS 180-4, 5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Returns the hash.
#[inline]
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words(data)) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// Returns the hash as words, the most significant first.
#[inline]
fn words(data: &[u8]) -> [u32; 8] {
    let mut state = START;
    let (whole, rest) = data.as_chunks::<BLOCK>();
    if !whole.is_empty() {
        compress256(&mut state, whole);
    }
    let mut end = [[0; BLOCK]; 2];
    let last = usize::from(rest.len() >= BLOCK - LENGTH);
    end[0][..rest.len()].copy_from_slice(rest);
    end[0][rest.len()] = 0x80;
    end[last][BLOCK - LENGTH..].copy_from_slice(&(data.len() as u64 * 8).to_be_bytes());
    compress256(&mut state, &end[..=last]);
    state
}

/// Returns how many zero bits the hash begins with.
#[cfg(feature = "repo")]
#[inline]
pub(crate) fn leading_zeros(data: &[u8]) -> usize {
    zeros(&words(data))
}

/// Does the same for data that are the beginning of an array, with zeros behind. It has room for the rest of a block.
#[cfg(feature = "repo")]
#[inline]
pub(crate) fn leading_zeros_padded<const SIZE: usize>(bytes: &[u8; SIZE], length: u8) -> usize {
    const { assert!(SIZE < BLOCK - LENGTH) };
    let mut block = [0; BLOCK];
    block[..SIZE].copy_from_slice(bytes);
    block[usize::from(length).min(SIZE)] = 0x80;
    block[BLOCK - LENGTH..].copy_from_slice(&(u64::from(length) * 8).to_be_bytes());
    let mut state = START;
    compress256(&mut state, &[block]);
    zeros(&state)
}

#[cfg(feature = "repo")]
#[inline]
fn zeros(words: &[u32; 8]) -> usize {
    let zero = words.iter().take_while(|&&word| word == 0).count();
    zero * 32 + words.get(zero).map_or(0, |word| word.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn hashes_are_those_of_the_library() {
        let data: Vec<u8> = (0..400_u32).map(|number| (number * 7) as u8).collect();
        for length in 0..data.len() {
            assert_eq!(sha256(&data[..length])[..], Sha256::digest(&data[..length])[..], "{length}");
        }
    }

    #[cfg(feature = "repo")]
    #[test]
    fn zeros_are_counted_over_the_whole_hash() {
        for place in 0..256 {
            let mut words = [0; 8];
            words[place / 32] = 0x8000_0000 >> (place % 32);
            assert_eq!(zeros(&words), place);
        }
        assert_eq!(zeros(&[0; 8]), 256);
    }

    #[cfg(feature = "repo")]
    #[test]
    fn data_with_zeros_behind_have_the_same_hash() {
        for number in 0..2_000_u32 {
            let mut bytes = [0; 46];
            let length = number as u8 % 47;
            bytes[..usize::from(length)].fill((number / 47) as u8);
            assert_eq!(leading_zeros_padded(&bytes, length), leading_zeros(&bytes[..usize::from(length)]));
        }
    }
}
