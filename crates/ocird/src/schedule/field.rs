//! One field of a schedule: which numbers it names. The whole grammar is here, so that the crate beneath never
//! interprets what a person wrote.

use std::collections::BTreeSet;

use super::ScheduleError;

/// What is wrong with a field, as the end of a sentence that starts with the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Neither a star, a number, a known name, a range, a step nor a list of these.
    #[error("is not understood: {item:?} is not *, a number, a-b, */n or a-b/n, or a list of these")]
    Grammar {
        /// The item of the list that cannot be read, cut to 80 characters.
        item: String,
    },
    /// A number outside the field.
    #[error("goes from {first} to {last}")]
    Range {
        /// The smallest number of the field.
        first: u32,
        /// The largest.
        last: u32,
    },
    /// A range that ends before it starts, which wraps in some programs and is empty in others.
    #[error("has a range that goes backwards; write two ranges, joined by a comma")]
    Backwards,
    /// A step of zero, or one so large that the field would hold one number by accident.
    #[error("has a step outside 1 to {last}")]
    Step {
        /// The largest step that makes sense.
        last: u32,
    },
    /// A step after a single number: "from here on" to some programs, "just this" to others.
    #[error("has a step after a single number; write {first}-{last}/{step}")]
    StepAfterNumber {
        /// The number.
        first: u32,
        /// The end of the field.
        last: u32,
        /// The step as it was written.
        step: u32,
    },
}

/// The bounds of one field, and how the crate beneath counts it.
pub(super) struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    /// Names for the numbers from `first` on.
    names: &'static [&'static str],
    /// What `*` ends with: Sunday is both 0 and 7, but only once in a week.
    star_last: u32,
    /// What is added to a number for the crate beneath, whose Sunday is 1.
    offset: u32,
}

/// Minutes of the hour.
pub(super) const MINUTE: Field = Field::plain("minute", 0, 59, &[]);
/// Hours of the day.
pub(super) const HOUR: Field = Field::plain("hour", 0, 23, &[]);
/// Days of the month.
pub(super) const DAY: Field = Field::plain("day-of-month", 1, 31, &[]);
/// Months of the year.
pub(super) const MONTH: Field = Field::plain(
    "month",
    1,
    12,
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
);
/// Days of the week, 0 and 7 both Sunday.
pub(super) const WEEKDAY: Field = Field {
    name: "day-of-week",
    first: 0,
    last: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    star_last: 6,
    offset: 1,
};

impl Field {
    const fn plain(name: &'static str, first: u32, last: u32, names: &'static [&'static str]) -> Self {
        Self { name, first, last, names, star_last: last, offset: 0 }
    }

    /// The field as the crate beneath understands it: a star, or a list of its own numbers.
    pub(super) fn translate(&self, text: &str) -> Result<String, ScheduleError> {
        if text == "*" {
            return Ok(text.to_owned());
        }
        let numbers = self.numbers(text).map_err(|why| ScheduleError::Field {
            field: self.name,
            text: text.chars().take(80).collect(),
            why,
        })?;
        let numbers: Vec<String> = numbers.iter().map(|number| (number + self.offset).to_string()).collect();
        Ok(numbers.join(","))
    }

    fn numbers(&self, text: &str) -> Result<BTreeSet<u32>, FieldError> {
        let mut numbers = BTreeSet::new();
        for item in text.split(',') {
            for number in self.item(item)? {
                // Folds the second Sunday onto the first; every other field ends before it wraps.
                numbers.insert(if number > self.star_last { self.first } else { number });
            }
        }
        Ok(numbers)
    }

    /// The numbers of one item of a list.
    fn item(&self, item: &str) -> Result<Vec<u32>, FieldError> {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (first, last) = if base == "*" {
            (self.first, self.star_last)
        } else if let Some((first, last)) = base.split_once('-') {
            (self.value(item, first)?, self.value(item, last)?)
        } else {
            let number = self.value(item, base)?;
            match step {
                None => (number, number),
                Some(step) => {
                    return Err(FieldError::StepAfterNumber { first: number, last: self.star_last, step });
                }
            }
        };
        if first > last {
            return Err(FieldError::Backwards);
        }
        let stride = usize::try_from(step.unwrap_or(1)).expect("a step is at most 59");
        Ok((first..=last).step_by(stride).collect())
    }

    fn step(&self, item: &str, text: &str) -> Result<u32, FieldError> {
        let last = self.star_last - self.first;
        match number(text) {
            Some(step) if (1..=last).contains(&step) => Ok(step),
            Some(_) => Err(FieldError::Step { last }),
            None => Err(not_understood(item)),
        }
    }

    fn value(&self, item: &str, text: &str) -> Result<u32, FieldError> {
        let named = || {
            let place = self.names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
            Some(self.first + u32::try_from(place).expect("a field has at most 12 names"))
        };
        let value = number(text).or_else(named).ok_or_else(|| not_understood(item))?;
        if (self.first..=self.last).contains(&value) {
            Ok(value)
        } else {
            Err(FieldError::Range { first: self.first, last: self.last })
        }
    }
}

/// Digits only: the standard parser would take a sign. What overflows is out of every field's range.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

fn not_understood(item: &str) -> FieldError {
    FieldError::Grammar { item: item.chars().take(80).collect() }
}
