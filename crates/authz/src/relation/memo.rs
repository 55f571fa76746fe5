//! What one question remembers of the relations that it looked at. The first few are kept in place, since most
//! questions look at no more; it forgets everything with the question.

use super::Truth;
use hashbrown::HashMap;
use smallvec::SmallVec;

/// What is remembered of a relation of an object.
#[derive(Clone, Copy)]
pub(super) enum Memo {
    /// It is being looked at, that many steps from the question.
    Open(u32),
    /// It was found under an assumption that still stands.
    Provisional(Truth),
    /// It was found.
    Final(Truth),
}

const FEW: usize = 16;

/// Memos by relation and object.
#[derive(Default)]
pub(super) struct Memory {
    few: SmallVec<[(u64, Memo); FEW]>,
    many: HashMap<u64, Memo>,
}

impl Memory {
    pub(super) fn get(&self, key: u64) -> Option<Memo> {
        if self.many.is_empty() {
            let found = self.few.iter().find(|(one, _)| *one == key);
            return found.map(|(_, memo)| *memo);
        }
        self.many.get(&key).copied()
    }

    pub(super) fn insert(&mut self, key: u64, memo: Memo) {
        if !self.many.is_empty() {
            self.many.insert(key, memo);
        } else if let Some((_, old)) = self.few.iter_mut().find(|(one, _)| *one == key) {
            *old = memo;
        } else if self.few.len() < FEW {
            self.few.push((key, memo));
        } else {
            self.many.reserve(4 * FEW);
            self.many.extend(self.few.drain(..));
            self.many.insert(key, memo);
        }
    }

    pub(super) fn remove(&mut self, key: u64) {
        self.many.remove(&key);
        self.few.retain(|(one, _)| *one != key);
    }

    pub(super) fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }
}
