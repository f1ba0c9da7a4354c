//! Sequences of concepts: tasks made of parts that were found in others.

use cerebellum_messages::{Goal, GoalKind, GoalSpec};

use super::error::InfoConError;
use crate::error::PolicyError;

/// Concepts to go through in order.
#[derive(Clone, Debug, PartialEq)]
pub struct ConceptSequence {
    ids: Vec<usize>,
    at: usize,
    complete_for: usize,
    /// The completion from which on a concept counts as over.
    pub threshold: f32,
    /// For how many steps in a row, so that one odd reading does not end it.
    pub patience: usize,
}

impl ConceptSequence {
    /// In the given order.
    ///
    /// # Errors
    /// If there is none, or one is not below `concepts`.
    pub fn new(ids: Vec<usize>, concepts: usize) -> Result<Self, InfoConError> {
        if ids.is_empty() || ids.iter().any(|&id| id >= concepts) {
            let expected = format!("at least one, each less than {concepts}");
            return Err(InfoConError::input("concepts to follow", ids, expected));
        }
        Ok(Self {
            ids,
            at: 0,
            complete_for: 0,
            threshold: 0.5,
            patience: 2,
        })
    }

    /// From a goal of kind `concept`.
    ///
    /// # Errors
    /// If the goal is of another kind, or names a concept that is not below `concepts`.
    pub fn from_goal(goal: &Goal, concepts: usize, policy: &str) -> Result<Self, PolicyError> {
        let GoalSpec::Concept { ids } = &goal.spec else {
            return Err(PolicyError::GoalKind {
                policy: policy.to_owned(),
                accepted: vec![GoalKind::Concept],
                found: goal.kind(),
            });
        };
        let ids = ids.iter().map(|&id| id as usize).collect();
        Self::new(ids, concepts).map_err(|error| PolicyError::GoalContent {
            id: goal.id,
            reason: error.to_string(),
        })
    }

    /// All of them.
    pub fn ids(&self) -> &[usize] {
        &self.ids
    }

    /// The concept to follow now: the last one stays when all are over.
    pub fn current(&self) -> usize {
        let last = self.ids.len().saturating_sub(1);
        self.ids.get(self.at.min(last)).copied().unwrap_or(0)
    }

    /// Whether all are over.
    pub const fn is_over(&self) -> bool {
        self.at >= self.ids.len()
    }

    /// Takes the completion of the current concept; true if that ended it.
    pub fn advance(&mut self, completion: f32) -> bool {
        if self.is_over() {
            return false;
        }
        // Not a number is not complete.
        self.complete_for = if completion >= self.threshold {
            self.complete_for + 1
        } else {
            0
        };
        let ended = self.complete_for >= self.patience.max(1);
        if ended {
            self.at += 1;
            self.complete_for = 0;
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_names_the_concepts() {
        let goal = |spec| Goal { id: 4, spec };
        let ids = GoalSpec::Concept { ids: vec![1, 2] };
        let sequence = ConceptSequence::from_goal(&goal(ids.clone()), 3, "test");
        assert!(sequence.is_ok_and(|sequence| sequence.current() == 1));
        let beyond = ConceptSequence::from_goal(&goal(ids), 2, "test");
        assert!(matches!(
            beyond,
            Err(PolicyError::GoalContent { id: 4, .. })
        ));
        let text = GoalSpec::Language {
            text: "stack".to_owned(),
        };
        let other = ConceptSequence::from_goal(&goal(text), 3, "test");
        assert!(matches!(other, Err(PolicyError::GoalKind { .. })));
    }

    #[test]
    fn a_sequence_goes_on_when_a_concept_stays_complete() -> Result<(), InfoConError> {
        let mut sequence = ConceptSequence::new(vec![2, 0], 3)?;
        assert!(!sequence.advance(0.9));
        assert!(!sequence.advance(0.1), "not in a row");
        assert!(!sequence.advance(0.9));
        assert_eq!(sequence.current(), 2);
        assert!(sequence.advance(0.9));
        assert_eq!(sequence.current(), 0);
        assert!(!sequence.advance(f32::NAN));
        assert!(!sequence.advance(0.5) && sequence.advance(0.5));
        assert!(sequence.is_over() && !sequence.advance(1.0));
        assert_eq!(sequence.current(), 0, "the last one stays");
        assert!(ConceptSequence::new(vec![], 3).is_err());
        assert!(ConceptSequence::new(vec![3], 3).is_err());
        Ok(())
    }
}
