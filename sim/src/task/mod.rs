//! The ten tasks: what is on the table, what is asked, when it is achieved, and how it is done.

mod activity;
mod block;
mod button;
mod drawer;
mod lever;
mod peg;
mod pick_up;
mod place;
mod push;
mod stage;
mod things;
mod words;

use serde::{Deserialize, Serialize};

pub(crate) use activity::{Activity, Progress};
pub(crate) use stage::Stage;
use things::Things;
pub use things::WORLD_DIM;
pub use words::{Wording, instructions};

use crate::SimError;

/// A task of the tabletop world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Push the named block to the line.
    Push,
    /// Lift the named block.
    PickUp,
    /// Put the named block on the plate.
    PlaceOnPlate,
    /// Put the named block in the tray.
    PlaceInTray,
    /// Put one named block on top of another.
    Stack,
    /// Pull the drawer open.
    OpenDrawer,
    /// Push the drawer shut.
    CloseDrawer,
    /// Press the named button and no other.
    PressButton,
    /// Turn the lever to the named side.
    TurnLever,
    /// Put the named peg into the hole.
    InsertPeg,
}

impl Task {
    /// All tasks, in a fixed order.
    pub const ALL: [Self; 10] = [
        Self::Push,
        Self::PickUp,
        Self::PlaceOnPlate,
        Self::PlaceInTray,
        Self::Stack,
        Self::OpenDrawer,
        Self::CloseDrawer,
        Self::PressButton,
        Self::TurnLever,
        Self::InsertPeg,
    ];

    /// Name by which configurations and messages know the task.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::PickUp => "pick_up",
            Self::PlaceOnPlate => "place_on_plate",
            Self::PlaceInTray => "place_in_tray",
            Self::Stack => "stack",
            Self::OpenDrawer => "open_drawer",
            Self::CloseDrawer => "close_drawer",
            Self::PressButton => "press_button",
            Self::TurnLever => "turn_lever",
            Self::InsertPeg => "insert_peg",
        }
    }

    /// Control ticks after which an episode has failed: at least twice what the expert needs.
    pub const fn time_limit(self) -> u64 {
        match self {
            Self::PickUp | Self::CloseDrawer | Self::PressButton | Self::TurnLever => 100,
            Self::Push | Self::OpenDrawer => 130,
            Self::PlaceOnPlate | Self::PlaceInTray | Self::Stack | Self::InsertPeg => 180,
        }
    }

    /// Sets up the task on an empty table.
    pub(crate) fn set_up(self, stage: &mut Stage<'_>) -> Result<Box<dyn Activity>, SimError> {
        Ok(match self {
            Self::Push => Box::new(push::Push::set_up(stage)),
            Self::PickUp => Box::new(pick_up::PickUp::set_up(stage)),
            Self::PlaceOnPlate => Box::new(place::Place::on_plate(stage)),
            Self::PlaceInTray => Box::new(place::Place::in_tray(stage)),
            Self::Stack => Box::new(place::Place::on_block(stage)),
            Self::OpenDrawer => Box::new(drawer::Drawer::to_open(stage)?),
            Self::CloseDrawer => Box::new(drawer::Drawer::to_close(stage)?),
            Self::PressButton => Box::new(button::Button::set_up(stage)?),
            Self::TurnLever => Box::new(lever::Lever::set_up(stage)?),
            Self::InsertPeg => Box::new(peg::Peg::set_up(stage)),
        })
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Task {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let known = Self::ALL.into_iter().find(|task| task.name() == text);
        known.ok_or_else(|| SimError::UnknownTask {
            found: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// Where the seed of an episode comes from. Equal seeds of different splits share nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// For demonstrations.
    #[default]
    Train,
    /// For measuring success under the conditions of training.
    Eval,
    /// For measuring and adapting under domain shift.
    Shift,
}

impl Split {
    /// All splits, in a fixed order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Eval, Self::Shift];

    /// Name by which configurations and messages know the split.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Eval => "eval",
            Self::Shift => "shift",
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Split {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let known = Self::ALL.into_iter().find(|split| split.name() == text);
        known.ok_or_else(|| SimError::UnknownSplit(text.to_owned()))
    }
}
