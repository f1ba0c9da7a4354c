//! Domain shift: what may differ from the world in which the policy was trained.

mod knob;
mod physics;

pub use knob::Knob;
pub(crate) use physics::PhysicsShift;

use serde::{Deserialize, Serialize};

use crate::SimError;

/// A level for each [`Knob`]; all zero is the nominal world.
///
/// As text, `knob=level` pairs joined by commas in the order of [`Knob::ALL`], without those at
/// zero: `camera=2,mass=1`. The nominal world is the empty text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shift {
    levels: [u8; Knob::ALL.len()],
}

impl Shift {
    /// The nominal world.
    pub const NONE: Self = Self {
        levels: [0; Knob::ALL.len()],
    };

    /// Level of a knob, from 0 to [`Knob::highest`].
    pub fn level(&self, knob: Knob) -> u8 {
        self.levels.get(knob as usize).copied().unwrap_or_default()
    }

    /// The shift with one knob at another level.
    ///
    /// # Errors
    /// The knob does not have this level.
    pub fn with(mut self, knob: Knob, level: u8) -> Result<Self, SimError> {
        if level > knob.highest() {
            return Err(SimError::KnobLevel {
                knob: knob.name(),
                highest: knob.highest(),
                found: level.to_string(),
            });
        }
        if let Some(slot) = self.levels.get_mut(knob as usize) {
            *slot = level;
        }
        Ok(self)
    }

    /// Whether every knob is at zero.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Knobs that are not at zero, with their levels, in the order of [`Knob::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Knob, u8)> + '_ {
        Knob::ALL
            .into_iter()
            .map(|knob| (knob, self.level(knob)))
            .filter(|(_, level)| *level > 0)
    }
}

impl std::fmt::Display for Shift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (knob, level)) in self.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}={level}", knob.name())?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Shift {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let mut shift = Self::NONE;
        for pair in text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (name, level) = pair
                .split_once('=')
                .ok_or_else(|| SimError::ShiftSyntax(pair.to_owned()))?;
            let knob: Knob = name.trim().parse()?;
            let level = level.trim();
            let number = level.parse().map_err(|_| SimError::KnobLevel {
                knob: knob.name(),
                highest: knob.highest(),
                found: level.to_owned(),
            })?;
            shift = shift.with(knob, number)?;
        }
        Ok(shift)
    }
}

impl TryFrom<String> for Shift {
    type Error = SimError;
    fn try_from(text: String) -> Result<Self, SimError> {
        text.parse()
    }
}

impl From<Shift> for String {
    fn from(shift: Shift) -> Self {
        shift.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_round_trips() {
        for knob in Knob::ALL {
            for level in 0..=knob.highest() {
                let shift = Shift::NONE.with(knob, level).unwrap();
                assert_eq!(shift.to_string().parse::<Shift>().unwrap(), shift);
            }
        }
        let shift: Shift = " mass = 1, camera=2,".parse().unwrap();
        assert_eq!(shift.to_string(), "camera=2,mass=1");
        assert!("".parse::<Shift>().unwrap().is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z_=,0-9 é-]{0,60}") {
            if let Ok(shift) = text.parse::<Shift>() {
                let again: Shift = shift.to_string().parse().unwrap();
                proptest::prop_assert_eq!(again, shift);
            }
        }
    }

    #[test]
    fn errors_say_what_exists() {
        let message = |text: &str| text.parse::<Shift>().map_err(|error| error.to_string());
        assert!(message("weather=1").unwrap_err().contains("camera"));
        assert!(message("mass=9").unwrap_err().contains("0 to 3"));
        assert!(message("mass=much").unwrap_err().contains("`much`"));
        assert!(message("mass").unwrap_err().contains("knob=level"));
        assert!(message("shadows=2").unwrap_err().contains("0 to 1"));
    }

    #[test]
    fn knobs_are_numbered_in_order() {
        for (index, knob) in Knob::ALL.into_iter().enumerate() {
            assert_eq!(knob as usize, index);
        }
    }
}
