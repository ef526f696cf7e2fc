//! How much of the disk the files on their way still need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are still to be written, by file system.
#[derive(Debug, Default)]
pub(super) struct Space(Mutex<HashMap<u64, u64>>);

/// What one file still needs; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    space: Arc<Space>,
    device: u64,
    left: Mutex<u64>,
}

impl Space {
    /// Sets `size` bytes aside on `device`, where there is `room` for all files together; else how
    /// much the others need.
    pub(super) fn take(self: &Arc<Self>, device: u64, size: u64, room: u64) -> Result<Share, u64> {
        let mut owed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = owed.get(&device).copied().unwrap_or_default();
        let all = others.checked_add(size).filter(|all| *all <= room).ok_or(others)?;
        owed.insert(device, all);
        Ok(Share { space: Arc::clone(self), device, left: Mutex::new(size) })
    }
}

impl Share {
    /// Only `left` bytes are still needed.
    pub(super) fn shrink(&self, left: u64) {
        let mut before = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut owed = self.space.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owed) = owed.get_mut(&self.device) {
            *owed = owed.saturating_sub(before.saturating_sub(left));
        }
        owed.retain(|_, owed| *owed > 0);
        *before = left.min(*before);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_on_their_way_keep_what_they_still_need() {
        let space = Arc::new(Space::default());
        let first = space.take(1, 60, 100).unwrap();
        assert_eq!(space.take(1, 41, 100).unwrap_err(), 60);
        let other_disk = space.take(2, 100, 100).unwrap();
        first.shrink(10);
        let second = space.take(1, 40, 50).unwrap();
        assert_eq!(space.take(1, u64::MAX, u64::MAX).unwrap_err(), 50);
        drop((first, second, other_disk));
        assert!(space.0.lock().unwrap().is_empty());
    }
}
