//! The words by which two people make sure that no one intercepts their connection.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use bip39::Language;

use crate::protocol::v2::PublicKey;

const SALT: &[u8] = b"matou verify 2";
/// A plain hash would let a lying server search for two keys with the same words.
const ROUNDS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();
/// How many words there are.
const WORDS: usize = 12;
/// Bits of a word: the list has 2,048.
const BITS: usize = 11;

/// Twelve words of the English BIP-39 list, the same for both sides; takes some 30 ms.
pub fn verification_words(mine: &PublicKey, theirs: &PublicKey) -> [&'static str; WORDS] {
    let (lower, higher) = if mine <= theirs { (mine, theirs) } else { (theirs, mine) };
    let secret = [lower.0, higher.0].concat();
    let mut bits = [0_u8; (WORDS * BITS).div_ceil(8)];
    derive(PBKDF2_HMAC_SHA256, ROUNDS, SALT, &secret, &mut bits);
    let list = Language::English.word_list();
    std::array::from_fn(|word| {
        let index = (word * BITS..(word + 1) * BITS).fold(0_usize, |index, bit| {
            let byte = bits.get(bit / 8).copied().unwrap_or_default();
            index << 1 | usize::from(byte >> (7 - bit % 8) & 1)
        });
        list.get(index).copied().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hashlib.pbkdf2_hmac` and the word list of its `mnemonic`.
    #[test]
    fn the_words_are_those_of_another_program_and_the_same_on_both_sides() {
        let (one, other) = (PublicKey([1; 32]), PublicKey([0xf0; 32]));
        let expected =
            "thank dish purity toss satoshi festival minute supreme mixture hazard someone filter";
        assert_eq!(verification_words(&one, &other).join(" "), expected);
        assert_eq!(verification_words(&other, &one).join(" "), expected);
    }
}
