//! Quality of service, as it stands at the end of a liveliness token.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::NameError;

macro_rules! policy {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl $name {
            fn from_number(text: &str) -> Option<Self> {
                match text.parse() {
                    $(Ok($number) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

policy! {
    /// Whether a sender waits for a congested link. Numbers as in `rmw/types.h`.
    Reliability {
        /// Left to the middleware.
        SystemDefault = 0,
        /// Nothing is dropped on purpose.
        Reliable = 1,
        /// Samples are dropped when the link is full.
        BestEffort = 2,
        /// Not known.
        Unknown = 3,
        /// As the peers allow.
        BestAvailable = 4,
    }
}

policy! {
    /// Whether late subscribers get old samples. Numbers as in `rmw/types.h`.
    Durability {
        /// Left to the middleware.
        SystemDefault = 0,
        /// The publisher keeps samples for late subscribers.
        TransientLocal = 1,
        /// Samples are gone once sent.
        Volatile = 2,
        /// Not known.
        Unknown = 3,
        /// As the peers allow.
        BestAvailable = 4,
    }
}

policy! {
    /// How many samples are kept. Numbers as in `rmw/types.h`.
    History {
        /// Left to the middleware.
        SystemDefault = 0,
        /// The newest, as many as the depth says.
        KeepLast = 1,
        /// All.
        KeepAll = 2,
        /// Not known.
        Unknown = 3,
    }
}

policy! {
    /// How a peer shows that it is alive. Numbers as in `rmw/types.h`.
    Liveliness {
        /// Left to the middleware.
        SystemDefault = 0,
        /// By the middleware.
        Automatic = 1,
        /// By the node; no longer in use.
        ManualByNode = 2,
        /// By each topic.
        ManualByTopic = 3,
        /// Not known.
        Unknown = 4,
        /// As the peers allow.
        BestAvailable = 5,
    }
}

/// No limit: what ROS 2 means by an infinite duration, the largest count of nanoseconds.
const INFINITE: Duration = Duration::from_nanos(i64::MAX as u64);

/// Depth of history that `rmw_zenoh` takes when none is asked for.
const DEFAULT_DEPTH: u64 = 42;

/// Quality of service of a publisher or subscriber.
///
/// [`Default`] is that of `rmw_zenoh`, which writes only what differs from it; [`Qos::topic`] is
/// what ROS 2 nodes use unless told otherwise.
///
/// ```
/// use cerebellum_messages::rmw::Qos;
///
/// assert_eq!(Qos::topic(10).to_string(), "::,10:,:,:,,");
/// assert_eq!(Qos::sensor_data().to_string(), "2::,5:,:,:,,");
/// assert_eq!("2::,5:,:,:,,".parse(), Ok(Qos::sensor_data()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Qos {
    /// Whether a sender waits for a congested link.
    pub reliability: Reliability,
    /// Whether late subscribers get old samples.
    pub durability: Durability,
    /// How many samples are kept.
    pub history: History,
    /// Samples kept under [`History::KeepLast`].
    pub depth: u64,
    /// Longest time between samples.
    pub deadline: Duration,
    /// Age at which a sample is no longer delivered.
    pub lifespan: Duration,
    /// How a peer shows that it is alive.
    pub liveliness: Liveliness,
    /// How long it may be silent.
    pub lease: Duration,
}

impl Default for Qos {
    fn default() -> Self {
        Self {
            reliability: Reliability::Reliable,
            durability: Durability::Volatile,
            history: History::KeepLast,
            depth: DEFAULT_DEPTH,
            deadline: INFINITE,
            lifespan: INFINITE,
            liveliness: Liveliness::Automatic,
            lease: INFINITE,
        }
    }
}

impl Qos {
    /// Reliable, volatile, the newest `depth` samples.
    pub fn topic(depth: u64) -> Self {
        Self {
            depth,
            ..Self::default()
        }
    }

    /// Best effort, volatile, the newest five samples: `rmw_qos_profile_sensor_data`.
    pub fn sensor_data() -> Self {
        Self {
            reliability: Reliability::BestEffort,
            ..Self::topic(5)
        }
    }

    /// Reliable, the newest `depth` samples are kept for late subscribers.
    pub fn latched(depth: u64) -> Self {
        Self {
            durability: Durability::TransientLocal,
            ..Self::topic(depth)
        }
    }
}

/// `value`, or nothing if it is the default.
struct Unless<T>(T, T);

impl<T: PartialEq + fmt::Display> fmt::Display for Unless<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 {
            return Ok(());
        }
        self.0.fmt(f)
    }
}

/// Seconds and nanoseconds, each left out if it is that of [`INFINITE`].
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Unless(self.0.as_secs(), INFINITE.as_secs());
        let nanos = Unless(self.0.subsec_nanos(), INFINITE.subsec_nanos());
        write!(f, "{seconds},{nanos}")
    }
}

/// `reliability:durability:history,depth:deadline:lifespan:liveliness,lease`; durations are seconds
/// and nanoseconds with a comma between, and defaults are left out.
impl fmt::Display for Qos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        write!(
            f,
            "{}:{}:{},{}:{}:{}:{},{}",
            Unless(self.reliability as u8, default.reliability as u8),
            Unless(self.durability as u8, default.durability as u8),
            Unless(self.history as u8, default.history as u8),
            Unless(self.depth, default.depth),
            Span(self.deadline),
            Span(self.lifespan),
            Unless(self.liveliness as u8, default.liveliness as u8),
            Span(self.lease),
        )
    }
}

impl FromStr for Qos {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        parse(text).ok_or_else(|| NameError::Key {
            key: text.to_owned(),
            kind: "quality of service",
            part: "a policy",
        })
    }
}

fn parse(text: &str) -> Option<Qos> {
    let default = Qos::default();
    let mut parts = text.split(':');
    let reliability = or(parts.next()?, default.reliability, Reliability::from_number)?;
    let durability = or(parts.next()?, default.durability, Durability::from_number)?;
    let (history, depth) = parts.next()?.split_once(',')?;
    let deadline = parse_span(parts.next()?)?;
    let lifespan = parse_span(parts.next()?)?;
    let (liveliness, lease) = parts.next()?.split_once(',')?;
    if parts.next().is_some() {
        return None;
    }
    Some(Qos {
        reliability,
        durability,
        history: or(history, default.history, History::from_number)?,
        depth: or(depth, default.depth, |text| text.parse().ok())?,
        deadline,
        lifespan,
        liveliness: or(liveliness, default.liveliness, Liveliness::from_number)?,
        lease: parse_span(lease)?,
    })
}

fn or<T>(text: &str, default: T, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    if text.is_empty() {
        Some(default)
    } else {
        parse(text)
    }
}

fn parse_span(text: &str) -> Option<Duration> {
    let (seconds, nanos) = text.split_once(',')?;
    let seconds = or(seconds, INFINITE.as_secs(), |text| text.parse().ok())?;
    let nanos = or(nanos, INFINITE.subsec_nanos(), |text| text.parse().ok())?;
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_left_out() {
        assert_eq!(Qos::default().to_string(), "::,:,:,:,,");
        assert_eq!(Qos::topic(7).to_string(), "::,7:,:,:,,");
        assert_eq!(Qos::latched(1).to_string(), ":1:,1:,:,:,,");
        let all = Qos {
            reliability: Reliability::BestEffort,
            durability: Durability::TransientLocal,
            history: History::KeepAll,
            depth: 3,
            deadline: Duration::new(1, 2),
            lifespan: Duration::new(3, 0),
            liveliness: Liveliness::ManualByTopic,
            lease: Duration::new(0, 4),
        };
        assert_eq!(all.to_string(), "2:1:2,3:1,2:3,0:3,0,4");
        assert_eq!(all.to_string().parse(), Ok(all));
    }

    #[test]
    fn refuses_what_is_not_a_quality() {
        for text in [
            "",
            "::",
            "::,:,:,:,",
            "::,:,:,:,,:",
            "9::,:,:,:,,",
            "::,-1:,:,:,,",
            "::,:,1000000000:,:,,",
            "a::,:,:,:,,",
        ] {
            assert!(text.parse::<Qos>().is_err(), "{text}");
        }
    }
}
