//! Returns the memory that a crowd took, once it is gone.
//!
//! A table grows with the most that it ever held and keeps that size by itself: ten thousand
//! clients that joined once would be paid for until the end, in memory, and where a table is walked
//! in time too.

use std::collections::HashMap;
use std::hash::Hash;

use slab::Slab;

/// A table with less capacity than this is left alone: there is little to win.
const SMALL: usize = 64;
/// A table is shrunk when it holds less than one in this many of its capacity. Growing doubles it,
/// so no client can make it grow and shrink with every step.
const SPARSE: usize = 8;

/// A table that can give back room.
pub(crate) trait ShrinkSparse {
    /// Gives back what a table that has become nearly empty will not need soon.
    fn shrink_sparse(&mut self);
}

impl<K: Eq + Hash, V> ShrinkSparse for HashMap<K, V> {
    fn shrink_sparse(&mut self) {
        if is_sparse(self.len(), self.capacity()) {
            self.shrink_to(self.len() * 2);
        }
    }
}

impl<T> ShrinkSparse for Slab<T> {
    fn shrink_sparse(&mut self) {
        if is_sparse(self.len(), self.capacity()) {
            // Only after the last slot in use, since slots keep their numbers.
            self.shrink_to_fit();
        }
    }
}

fn is_sparse(held: usize, room: usize) -> bool {
    room > SMALL && held < room / SPARSE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_back_its_room_once_it_is_nearly_empty_and_not_before() {
        let mut map: HashMap<u32, u32> = (0..1000).map(|i| (i, i)).collect();
        let mut shrunk = 0;
        for i in 0..1000 {
            map.remove(&i);
            let before = map.capacity();
            map.shrink_sparse();
            if map.capacity() < before {
                shrunk += 1;
                assert!(map.len() < before / SPARSE, "{} of {before}", map.len());
            }
            assert!((i + 1..1000).all(|key| map.contains_key(&key)));
        }
        assert!(map.capacity() <= SMALL && (1..=4).contains(&shrunk), "{shrunk} times");
    }

    #[test]
    fn a_slab_keeps_the_slots_that_are_in_use() {
        let mut slab: Slab<u32> = (0..1000).map(|i| (i, 7)).collect();
        for i in 1..1000 {
            slab.remove(i);
            slab.shrink_sparse();
        }
        assert!(slab.capacity() <= SMALL, "{}", slab.capacity());
        assert_eq!(slab.get(0), Some(&7));
    }
}
