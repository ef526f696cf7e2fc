//! Hashes of files, and of folders over those of their entries.

use super::yielding::Yielding;
use crate::protocol::v2::Digest;

/// Bytes that are read, written or hashed before the thread yields, which takes some 10 µs. A power of
/// two of the chunks of BLAKE3, so that it stays fast.
pub(super) const PIECE: usize = 64 * 1024;

/// The BLAKE3 hash of the input so far.
pub(super) fn finish(hasher: &blake3::Hasher) -> Digest {
    Digest(*hasher.finalize().as_bytes())
}

/// Hashes the bytes that follow `position`, piece by piece.
pub(super) fn hash_pieces(
    hasher: &mut blake3::Hasher,
    position: u64,
    mut bytes: &[u8],
    yielding: &Yielding,
) {
    // The first piece ends where the others of the file do.
    let mut end = PIECE - usize::try_from(position).unwrap_or(0) % PIECE;
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        hasher.update(piece);
        yielding.yield_core();
        (bytes, end) = (rest, PIECE);
    }
}

/// The entries of a folder, for the hash over all of them.
#[derive(Debug, Default)]
pub(super) struct FolderDigest(Vec<(Box<str>, u64, Digest)>);

impl FolderDigest {
    pub(super) fn add(&mut self, path: &str, size: u64, hash: Digest) {
        self.0.push((path.into(), size, hash));
    }

    /// Over path (a string as on the wire), size (a long) and hash of each entry, in the order of
    /// the bytes of paths.
    pub(super) fn finish(&mut self) -> Digest {
        self.0.sort_unstable_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
        let mut hasher = blake3::Hasher::new();
        for (path, size, hash) in &self.0 {
            let length = u32::try_from(path.len()).unwrap_or(u32::MAX);
            hasher.update(&length.to_be_bytes());
            hasher.update(path.as_bytes());
            hasher.update(&size.to_be_bytes());
            hasher.update(&hash.0);
        }
        finish(&hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The empty input of the test vectors of BLAKE3.
    const EMPTY: [u8; 32] = [
        0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc, 0xc9,
        0x49, 0x9b, 0xcb, 0x25, 0xc9, 0xad, 0xc1, 0x12, 0xb7, 0xcc, 0x9a, 0x93, 0xca, 0xe4, 0x1f,
        0x32, 0x62,
    ];

    #[test]
    fn nothing_has_the_hash_of_the_standard() {
        assert_eq!(finish(&blake3::Hasher::new()), Digest(EMPTY));
        assert_eq!(FolderDigest::default().finish(), Digest(EMPTY));
    }

    #[test]
    fn the_hash_of_a_folder_does_not_depend_on_the_order_of_entries() {
        let entries = [("b", 2, [2; 32]), ("a/c", 1, [1; 32]), ("a", 0, [0; 32])];
        let (mut one, mut other) = (FolderDigest::default(), FolderDigest::default());
        for (path, size, hash) in entries {
            one.add(path, size, Digest(hash));
        }
        for (path, size, hash) in entries.into_iter().rev() {
            other.add(path, size, Digest(hash));
        }
        assert_eq!(one.finish(), other.finish());
    }
}
