//! The knobs.

use crate::SimError;

/// One way in which a world may differ from the nominal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knob {
    /// The front camera moved by up to 2, 5, 10 cm per axis, the wrist camera by a fifth of that; both
    /// turned by up to 2, 5, 10 degrees.
    Camera,
    /// Field of view times or divided by up to 1.05, 1.12, 1.25.
    FieldOfView,
    /// Direction and brightness of the lamp and the ambient light.
    Light,
    /// Shadows off.
    Shadows,
    /// Other colors of table, floor and furniture, and other tones of what is called by its color.
    Colors,
    /// Other patterns on table, floor and things.
    Textures,
    /// One, two, three more things that are not asked for.
    Distractors,
    /// Mass of movable things: times 0.5 or 1.5; 2.5; 4.
    Mass,
    /// Friction of movable things: 0.5 or 1.2; 0.25; 0.1 instead of 0.8.
    Friction,
    /// Stiffness and damping of the arm's motors: times 0.7 or 1.5; 0.5 or 2; 0.3 or 3.
    MotorGain,
    /// Largest force per finger: 10 or 40; 6; 3 N instead of 20.
    GripForce,
    /// Commands act 1, 2, 4 ticks late.
    ActionLatency,
    /// 5, 15, 30 % of the commands are lost; the arm holds the last one.
    DroppedCommands,
    /// Pictures show the world as it was 1, 2, 4 ticks ago, although stamped as now.
    ImageLatency,
    /// Pictures have noise with a standard deviation of 4, 10, 20 of 255.
    ImageNoise,
    /// Pictures are blurred over 3, 5, 7 pixels at 96 pixels of width.
    ImageBlur,
    /// A dark patch covers 2, 6, 14 % of each picture.
    Occlusion,
    /// Exposure: picture values times or divided by up to 1.15, 1.35, 1.6.
    Exposure,
    /// Joint readings have noise with a standard deviation of 0.5, 2, 5 mrad and 0.1, 0.3, 1 mm.
    EncoderNoise,
    /// Joint readings are off by a constant of up to 5, 10, 20 mrad and 0.3, 0.6, 1.2 mm.
    EncoderBias,
    /// The instruction is in words that training did not hear.
    Wording,
}

impl Knob {
    /// All knobs, in the order of their numbers.
    pub const ALL: [Self; 21] = [
        Self::Camera,
        Self::FieldOfView,
        Self::Light,
        Self::Shadows,
        Self::Colors,
        Self::Textures,
        Self::Distractors,
        Self::Mass,
        Self::Friction,
        Self::MotorGain,
        Self::GripForce,
        Self::ActionLatency,
        Self::DroppedCommands,
        Self::ImageLatency,
        Self::ImageNoise,
        Self::ImageBlur,
        Self::Occlusion,
        Self::Exposure,
        Self::EncoderNoise,
        Self::EncoderBias,
        Self::Wording,
    ];

    /// Name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::FieldOfView => "field_of_view",
            Self::Light => "light",
            Self::Shadows => "shadows",
            Self::Colors => "colors",
            Self::Textures => "textures",
            Self::Distractors => "distractors",
            Self::Mass => "mass",
            Self::Friction => "friction",
            Self::MotorGain => "motor_gain",
            Self::GripForce => "grip_force",
            Self::ActionLatency => "action_latency",
            Self::DroppedCommands => "dropped_commands",
            Self::ImageLatency => "image_latency",
            Self::ImageNoise => "image_noise",
            Self::ImageBlur => "image_blur",
            Self::Occlusion => "occlusion",
            Self::Exposure => "exposure",
            Self::EncoderNoise => "encoder_noise",
            Self::EncoderBias => "encoder_bias",
            Self::Wording => "wording",
        }
    }

    /// Highest level; 3 but for knobs that are on or off.
    pub const fn highest(self) -> u8 {
        match self {
            Self::Shadows | Self::Wording => 1,
            _ => 3,
        }
    }
}

impl std::str::FromStr for Knob {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let known = Self::ALL.into_iter().find(|knob| knob.name() == text);
        known.ok_or_else(|| SimError::UnknownKnob {
            found: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}
