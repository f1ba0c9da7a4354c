//! Time as types.
//!
//! Three clocks meet in this program, and a difference between readings of two of them means
//! nothing. [`Time`] carries its clock as a type parameter, so that the compiler refuses to mix:
//!
//! * [`MonotonicTime`]: this computer, never set back; deadlines, ages and overheads.
//! * [`WallTime`]: the calendar; log headers only.
//! * [`WorldTime`]: the clock of the robot or simulator behind the stamps of messages, be it live
//!   or replayed from a log.
//!
//! [`TickClock`] divides any one of them into equal periods.
//!
//! ```
//! use cerebellum::clock::{Period, Span, TickClock, WorldTime};
//! use cerebellum_messages::{Stamp, Tick};
//!
//! let period = Period::from_hz(20.0)?;
//! let clock = TickClock::new(WorldTime::from_stamp(Stamp(1_000)), period);
//! let later = WorldTime::from_stamp(Stamp(1_000)) + Span::from_millis(100);
//! assert_eq!(clock.tick_at(later), Tick(2));
//! # Ok::<(), cerebellum::clock::ClockError>(())
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cerebellum_messages::{Stamp, Tick};
use serde::{Deserialize, Serialize};

use crate::realtime;

/// Why a period cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ClockError {
    /// Not a positive number, or too long or short to be held in nanoseconds.
    #[error("a rate of {0} Hz cannot be run: give a number between 0.001 and 100000")]
    Rate(f64),
    /// Zero or negative.
    #[error("a period of {0} ns cannot be run: it must be positive")]
    Period(i64),
}

/// The clock of this computer that is never set back (`CLOCK_MONOTONIC`).
#[derive(Debug)]
pub enum Monotonic {}
/// The calendar.
#[derive(Debug)]
pub enum Wall {}
/// The clock of the robot or simulator, live or replayed.
#[derive(Debug)]
pub enum World {}

/// A reading of the clock `C`, in nanoseconds since that clock's origin.
pub struct Time<C> {
    nanos: i64,
    clock: PhantomData<fn() -> C>,
}

/// A reading of [`Monotonic`].
pub type MonotonicTime = Time<Monotonic>;
/// A reading of [`Wall`].
pub type WallTime = Time<Wall>;
/// A reading of [`World`].
pub type WorldTime = Time<World>;

impl<C> Time<C> {
    /// The reading `nanos` nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self {
            nanos,
            clock: PhantomData,
        }
    }
    /// Nanoseconds since the clock's origin.
    pub const fn nanos(self) -> i64 {
        self.nanos
    }
}

impl Time<Monotonic> {
    /// Reads the clock. Neither allocates nor blocks.
    pub fn now() -> Self {
        Self::from_nanos(realtime::monotonic_nanos())
    }
    /// The same moment for interfaces that take [`Instant`] (the standard library does not let
    /// one be made from a reading, so this reads the clock once).
    pub fn instant(self) -> Instant {
        let (here, now) = (Instant::now(), Self::now());
        let ahead = self - now;
        if ahead >= Span::ZERO {
            here + ahead.duration()
        } else {
            here.checked_sub((-ahead).duration()).unwrap_or(here)
        }
    }
}

impl Time<Wall> {
    /// Reads the clock; the epoch if the calendar stands before it.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::from_nanos(Span::from(since).nanos())
    }
}

impl Time<World> {
    /// The time that a message was stamped with.
    pub const fn from_stamp(stamp: Stamp) -> Self {
        Self::from_nanos(stamp.0)
    }
    /// As a message carries it.
    pub const fn stamp(self) -> Stamp {
        Stamp(self.nanos)
    }
}

// Derives would ask the clock marker for the same traits.
impl<C> Clone for Time<C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Time<C> {}
impl<C> PartialEq for Time<C> {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}
impl<C> Eq for Time<C> {}
impl<C> PartialOrd for Time<C> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<C> Ord for Time<C> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}
impl<C> Hash for Time<C> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}
impl<C> Default for Time<C> {
    fn default() -> Self {
        Self::from_nanos(0)
    }
}
impl<C> fmt::Debug for Time<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ns", self.nanos)
    }
}

impl<C> Sub for Time<C> {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.nanos.saturating_sub(earlier.nanos))
    }
}
impl<C> Add<Span> for Time<C> {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self::from_nanos(self.nanos.saturating_add(span.0))
    }
}
impl<C> Sub<Span> for Time<C> {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self::from_nanos(self.nanos.saturating_sub(span.0))
    }
}

/// A signed length of time, nanoseconds. Arithmetic saturates.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time.
    pub const ZERO: Self = Self(0);
    /// Longer than anything measured.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }
    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.saturating_mul(1_000))
    }
    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }
    /// From seconds; not a number gives zero, too much saturates.
    pub const fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e9) as i64)
    }
    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }
    /// Microseconds.
    pub const fn micros(self) -> f64 {
        self.0 as f64 * 1e-3
    }
    /// Seconds.
    pub const fn seconds(self) -> f64 {
        self.0 as f64 * 1e-9
    }
    /// The same length forwards.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
    /// As the standard library has it; zero if negative.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(if self.0 > 0 { self.0 as u64 } else { 0 })
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}
impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// The length of one control period; always positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Span);

impl Period {
    /// From a rate in hertz, rounded to whole nanoseconds. That rounding, at most 0.5 ns per tick
    /// against the rate asked for, is the whole error: ticks are counted from one anchor.
    ///
    /// # Errors
    /// If the rate is not a number between 0.001 and 100000.
    pub fn from_hz(rate: f64) -> Result<Self, ClockError> {
        if !(0.001..=100_000.0).contains(&rate) {
            return Err(ClockError::Rate(rate));
        }
        Self::from_span(Span((1e9 / rate).round() as i64))
    }
    /// From a length of time.
    ///
    /// # Errors
    /// If it is not positive.
    pub const fn from_span(span: Span) -> Result<Self, ClockError> {
        if span.0 > 0 {
            Ok(Self(span))
        } else {
            Err(ClockError::Period(span.0))
        }
    }
    /// The length.
    pub const fn span(self) -> Span {
        self.0
    }
    /// Seconds.
    pub const fn seconds(self) -> f64 {
        self.0.seconds()
    }
    /// The length of `ticks` periods.
    pub fn times(self, ticks: u64) -> Span {
        let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
        Span(self.0.0.saturating_mul(ticks))
    }
}

/// A clock cut into equal periods: tick `n` begins at `anchor + n * period`, whatever happened at
/// the ticks before it.
pub struct TickClock<C> {
    anchor: Time<C>,
    period: Period,
}

impl<C> TickClock<C> {
    /// Tick 0 begins at `anchor`.
    pub const fn new(anchor: Time<C>, period: Period) -> Self {
        Self { anchor, period }
    }
    /// Start of tick 0.
    pub const fn anchor(&self) -> Time<C> {
        self.anchor
    }
    /// Length of a tick.
    pub const fn period(&self) -> Period {
        self.period
    }
    /// Start of a tick.
    pub fn start_of(&self, tick: Tick) -> Time<C> {
        self.anchor + self.period.times(tick.0)
    }
    /// The tick in whose period `time` lies; tick 0 for all time before the anchor.
    pub fn tick_at(&self, time: Time<C>) -> Tick {
        let since = (time - self.anchor).0.max(0);
        Tick((since / self.period.0.0) as u64)
    }
    /// The tick whose start is nearest to `time`: for stamps that scatter about the grid.
    pub fn nearest(&self, time: Time<C>) -> Tick {
        self.tick_at(time + Span(self.period.0.0 / 2))
    }
}

impl<C> Clone for TickClock<C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for TickClock<C> {}
impl<C> fmt::Debug for TickClock<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickClock")
            .field("anchor", &self.anchor)
            .field("period", &self.period)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn monotonic_time_goes_on() {
        let first = MonotonicTime::now();
        std::thread::sleep(Duration::from_millis(2));
        let gone = MonotonicTime::now() - first;
        assert!(gone >= Span::from_millis(2), "{gone:?}");
    }

    #[test]
    fn an_instant_means_the_same_moment() {
        let ahead = (MonotonicTime::now() + Span::from_millis(200)).instant() - Instant::now();
        assert!(ahead > Duration::from_millis(150) && ahead <= Duration::from_millis(200));
    }

    #[test]
    fn rates_that_cannot_be_run_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(Period::from_hz(rate).is_err(), "{rate}");
        }
        assert_eq!(Period::from_hz(20.0).unwrap().span(), Span::from_millis(50));
    }

    #[test]
    fn stamps_beside_the_grid_go_to_the_nearest_tick() {
        let clock = TickClock::new(WorldTime::from_nanos(0), Period::from_hz(20.0).unwrap());
        let about_two = WorldTime::from_nanos(99_000_000);
        assert_eq!(clock.tick_at(about_two), Tick(1));
        assert_eq!(clock.nearest(about_two), Tick(2));
        assert_eq!(clock.tick_at(WorldTime::from_nanos(-5)), Tick(0));
    }

    proptest! {
        #[test]
        fn ticks_and_their_starts_agree(
            anchor in -1_000_000_000_000i64..1_000_000_000_000,
            period in 1i64..10_000_000_000,
            tick in 0u64..100_000_000,
            inside in 0.0f64..1.0,
        ) {
            let period = Period::from_span(Span::from_nanos(period)).unwrap();
            let clock = TickClock::new(WorldTime::from_nanos(anchor), period);
            let start = clock.start_of(Tick(tick));
            prop_assert_eq!(clock.tick_at(start), Tick(tick));
            prop_assert_eq!(clock.nearest(start), Tick(tick));
            let within = Span::from_nanos((inside * (period.span().nanos() - 1) as f64) as i64);
            prop_assert_eq!(clock.tick_at(start + within), Tick(tick));
        }

        #[test]
        fn nothing_overflows(a in any::<i64>(), b in any::<i64>(), tick in any::<u64>()) {
            let clock = TickClock::new(
                WorldTime::from_nanos(a),
                Period::from_span(Span::from_nanos(b.saturating_abs().max(1))).unwrap(),
            );
            let _ = clock.tick_at(WorldTime::from_nanos(b));
            let _ = clock.nearest(WorldTime::from_nanos(b));
            let _ = clock.start_of(Tick(tick));
            let _ = -Span::from_nanos(a) - Span::from_nanos(b);
        }
    }
}
