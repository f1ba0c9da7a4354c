//! Which messages of a publisher are missing.

use cerebellum_messages::rmw::Gid;

/// Most publishers of one topic that are told apart; beyond, the one heard first is forgotten.
const PUBLISHERS: usize = 8;

/// Follows the sequence numbers of the publishers of one topic.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    last: Vec<(Gid, i64)>,
}

/// The number is not above the last one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotNewer;

impl Gaps {
    /// Notes a message and gives how many are missing between it and the last one of the same
    /// publisher. A publisher that is heard for the first time misses nothing: it may have begun
    /// before this end did.
    pub(super) fn note(&mut self, publisher: Gid, sequence: i64) -> Result<u64, NotNewer> {
        if let Some((_, last)) = self.last.iter_mut().find(|(gid, _)| *gid == publisher) {
            if sequence <= *last {
                return Err(NotNewer);
            }
            // Hostile numbers may be far apart: the distance of two i64 fits u64.
            let missing = sequence.abs_diff(*last) - 1;
            *last = sequence;
            return Ok(missing);
        }
        if self.last.len() == PUBLISHERS {
            self.last.remove(0);
        }
        self.last.push((publisher, sequence));
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_counted_per_publisher() {
        let mut gaps = Gaps::default();
        let (a, b) = ([1; 16], [2; 16]);
        assert_eq!(gaps.note(a, 5), Ok(0));
        assert_eq!(gaps.note(b, 1), Ok(0));
        assert_eq!(gaps.note(a, 6), Ok(0));
        assert_eq!(gaps.note(a, 9), Ok(2));
        assert_eq!(gaps.note(a, 9), Err(NotNewer));
        assert_eq!(gaps.note(b, 2), Ok(0));
        assert_eq!(gaps.note(a, i64::MAX), Ok(i64::MAX as u64 - 10));
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.note([0; 16], i64::MIN), Ok(0));
        assert_eq!(gaps.note([0; 16], i64::MAX), Ok(u64::MAX - 1));
    }

    #[test]
    fn many_publishers_do_not_grow_the_list() {
        let mut gaps = Gaps::default();
        for number in 0..100u8 {
            assert_eq!(gaps.note([number; 16], 0), Ok(0));
        }
        assert_eq!(gaps.last.len(), PUBLISHERS);
    }
}
