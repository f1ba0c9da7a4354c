//! Messages that decode but cannot be meant.

use thiserror::Error;

/// Why a message that was decoded is not usable. Checking allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Invalid {
    /// A sequence has another length than those around it demand.
    #[error("{message}.{field} has {found} values, expected {expected}; fill it to match")]
    Length {
        /// Type of the message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// Its length.
        found: usize,
        /// The length that fits.
        expected: usize,
    },
    /// Something is missing.
    #[error("{message}.{field} is empty or zero; the sender must fill it")]
    Empty {
        /// Type of the message.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A number is infinite or not a number.
    #[error("{message}.{field}[{index}] is {value}, not a finite number; do not act on it")]
    NotFinite {
        /// Type of the message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// Place in the field.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A name occurs twice.
    #[error("{message}.{field}[{index}] repeats an earlier name; names must differ")]
    Repeated {
        /// Type of the message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// Place of the second occurrence.
        index: usize,
    },
    /// A time is negative or not after the one before.
    #[error("{message}.{field}[{index}] lies before its predecessor; sort points by time")]
    Order {
        /// Type of the message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// Place of the point.
        index: usize,
    },
}

/// Names a message once for all checks of its fields.
#[derive(Clone, Copy)]
pub(crate) struct Check(pub(crate) &'static str);

impl Check {
    /// `found` must be `expected`.
    pub(crate) fn length(
        self,
        field: &'static str,
        found: usize,
        expected: usize,
    ) -> Result<(), Invalid> {
        if found == expected {
            return Ok(());
        }
        Err(Invalid::Length {
            message: self.0,
            field,
            found,
            expected,
        })
    }

    /// `count` must not be zero.
    pub(crate) fn filled(self, field: &'static str, count: usize) -> Result<(), Invalid> {
        if count > 0 {
            return Ok(());
        }
        let message = self.0;
        Err(Invalid::Empty { message, field })
    }

    /// All values must be finite.
    pub(crate) fn finite<T: Copy + Into<f64>>(
        self,
        field: &'static str,
        values: &[T],
    ) -> Result<(), Invalid> {
        for (index, &value) in values.iter().enumerate() {
            let value = value.into();
            if !value.is_finite() {
                return Err(Invalid::NotFinite {
                    message: self.0,
                    field,
                    index,
                    value,
                });
            }
        }
        Ok(())
    }

    /// All values must be finite, and there must be `count` of them or, if `optional`, none.
    pub(crate) fn values(
        self,
        field: &'static str,
        values: &[f64],
        count: usize,
        optional: bool,
    ) -> Result<(), Invalid> {
        if !(optional && values.is_empty()) {
            self.length(field, values.len(), count)?;
        }
        self.finite(field, values)
    }

    /// Names must be there, not empty and differ.
    pub(crate) fn names(self, field: &'static str, names: &[String]) -> Result<(), Invalid> {
        let message = self.0;
        self.filled(field, names.len())?;
        for (index, name) in names.iter().enumerate() {
            self.filled(field, name.len())?;
            // A few dozen names: comparing all pairs beats building a set, and allocates nothing.
            if names.iter().take(index).any(|earlier| earlier == name) {
                return Err(Invalid::Repeated {
                    message,
                    field,
                    index,
                });
            }
        }
        Ok(())
    }
}
