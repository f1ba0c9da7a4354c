//! How people ask for things.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::Task;
use crate::Color;
use crate::random::index;

/// Which words to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wording {
    /// Words that training hears.
    Heard,
    /// Words kept for the knob [`crate::Knob::Wording`].
    Unheard,
}

/// A value for a place in a template: name and word.
pub(crate) type Slot = (&'static str, &'static str);

/// Templates of one task. `{name}` stands for a slot.
pub(crate) struct Words {
    heard: &'static [&'static str],
    unheard: &'static [&'static str],
}

impl Words {
    /// A template with its slots filled.
    pub(crate) fn choose<R: Rng + ?Sized>(
        &self,
        unheard: bool,
        slots: &[Slot],
        rng: &mut R,
    ) -> String {
        let list = if unheard { self.unheard } else { self.heard };
        let template = list
            .get(index(rng, list.len()))
            .copied()
            .unwrap_or_default();
        fill(template, slots)
    }
}

fn fill(template: &str, slots: &[Slot]) -> String {
    slots
        .iter()
        .fold(template.to_owned(), |text, (name, word)| {
            text.replace(&format!("{{{name}}}"), word)
        })
}

pub(crate) const PUSH: Words = Words {
    heard: &[
        "push the {color} block to the line",
        "push the {color} block onto the line",
        "slide the {color} block to the line",
        "move the {color} block forward to the line",
    ],
    unheard: &[
        "shove the {color} cube as far as the line",
        "get the {color} block to the white line by pushing it",
    ],
};

pub(crate) const PICK_UP: Words = Words {
    heard: &[
        "pick up the {color} block",
        "lift the {color} block",
        "grab the {color} block and lift it",
        "take the {color} block",
    ],
    unheard: &[
        "raise the {color} cube off the table",
        "hold the {color} block up",
    ],
};

pub(crate) const PLACE_ON_PLATE: Words = Words {
    heard: &[
        "put the {color} block on the plate",
        "place the {color} block on the plate",
        "set the {color} block down on the plate",
        "move the {color} block onto the plate",
    ],
    unheard: &[
        "the {color} cube belongs on the dish",
        "lay the {color} block on top of the plate",
    ],
};

pub(crate) const PLACE_IN_TRAY: Words = Words {
    heard: &[
        "put the {color} block in the tray",
        "place the {color} block in the tray",
        "drop the {color} block into the tray",
        "move the {color} block into the tray",
    ],
    unheard: &[
        "the {color} cube goes into the box",
        "store the {color} block in the tray",
    ],
};

pub(crate) const STACK: Words = Words {
    heard: &[
        "stack the {color} block on the {base} block",
        "put the {color} block on the {base} block",
        "place the {color} block on top of the {base} block",
        "set the {color} block on the {base} block",
    ],
    unheard: &[
        "build a tower with the {color} cube on the {base} cube",
        "the {color} block goes on top of the {base} one",
    ],
};

pub(crate) const OPEN_DRAWER: Words = Words {
    heard: &[
        "open the drawer",
        "pull the drawer open",
        "pull out the drawer",
        "open the drawer by its handle",
    ],
    unheard: &["draw the drawer out", "get the drawer open"],
};

pub(crate) const CLOSE_DRAWER: Words = Words {
    heard: &[
        "close the drawer",
        "push the drawer closed",
        "push the drawer in",
        "shut the drawer",
    ],
    unheard: &["slide the drawer back in", "get the drawer shut"],
};

pub(crate) const PRESS_BUTTON: Words = Words {
    heard: &[
        "press the {color} button",
        "push the {color} button",
        "push down the {color} button",
        "press down on the {color} button",
    ],
    unheard: &["hit the {color} switch", "give the {color} button a press"],
};

pub(crate) const TURN_LEVER: Words = Words {
    heard: &[
        "turn the lever to the {side}",
        "turn the lever {side}",
        "push the lever to the {side}",
        "move the lever to the {side}",
    ],
    unheard: &[
        "swing the handle over to the {side}",
        "rotate the lever toward the {side}",
    ],
};

pub(crate) const INSERT_PEG: Words = Words {
    heard: &[
        "insert the {color} peg into the hole",
        "put the {color} peg in the hole",
        "place the {color} peg into the hole",
        "plug the {color} peg into the hole",
    ],
    unheard: &[
        "fit the {color} pin into the socket",
        "the {color} peg goes into the hole",
    ],
};

const fn words(task: Task) -> &'static Words {
    match task {
        Task::Push => &PUSH,
        Task::PickUp => &PICK_UP,
        Task::PlaceOnPlate => &PLACE_ON_PLATE,
        Task::PlaceInTray => &PLACE_IN_TRAY,
        Task::Stack => &STACK,
        Task::OpenDrawer => &OPEN_DRAWER,
        Task::CloseDrawer => &CLOSE_DRAWER,
        Task::PressButton => &PRESS_BUTTON,
        Task::TurnLever => &TURN_LEVER,
        Task::InsertPeg => &INSERT_PEG,
    }
}

/// Every instruction that an episode of `task` can have, in a fixed order.
pub fn instructions(task: Task, wording: Wording) -> Vec<String> {
    let words = words(task);
    let list = match wording {
        Wording::Heard => words.heard,
        Wording::Unheard => words.unheard,
    };
    let mut texts = Vec::new();
    for template in list {
        for color in Color::ALL {
            for base in Color::ALL.into_iter().filter(|base| *base != color) {
                for side in ["left", "right"] {
                    let slots = [
                        ("color", color.name()),
                        ("base", base.name()),
                        ("side", side),
                    ];
                    texts.push(fill(template, &slots));
                }
            }
        }
    }
    // Templates without a slot came out many times.
    let mut seen = std::collections::BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_filled_and_words_are_kept_apart() {
        for task in Task::ALL {
            let heard = instructions(task, Wording::Heard);
            let unheard = instructions(task, Wording::Unheard);
            assert!(heard.iter().chain(&unheard).all(|text| !text.contains('{')));
            assert!(heard.iter().all(|text| !unheard.contains(text)));
        }
        assert_eq!(instructions(Task::PickUp, Wording::Heard).len(), 24);
        assert_eq!(instructions(Task::Stack, Wording::Heard).len(), 120);
        assert_eq!(instructions(Task::OpenDrawer, Wording::Heard).len(), 4);
        assert_eq!(instructions(Task::TurnLever, Wording::Unheard).len(), 4);
    }
}
