//! `%START_TIME(...)%`: a part of `strftime`, in UTC.

use super::escape::write_padded;
use crate::{Error, Result};

/// Envoy's default.
const DEFAULT: &str = "%Y-%m-%dT%H:%M:%S.%3fZ";

/// A compiled time format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeFormat(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Year,
    Month,
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    /// Seconds since the epoch.
    Epoch,
    /// Digits of the fraction of the second, 1 to 9.
    Fraction(usize),
}

impl TimeFormat {
    /// Compiles Envoy's specifiers `%Y %m %b %d %H %M %S %F %T %s %f %1f..%9f`; `""` is
    /// the default.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = if text.is_empty() { DEFAULT } else { text };
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, specifier)) = rest.split_once('%') {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let mut chars = specifier.chars();
            let letter = chars.next();
            rest = chars.as_str();
            match letter {
                Some('Y') => pieces.push(Piece::Year),
                Some('m') => pieces.push(Piece::Month),
                Some('b' | 'h') => pieces.push(Piece::MonthName),
                Some('d') => pieces.push(Piece::Day),
                Some('H') => pieces.push(Piece::Hour),
                Some('M') => pieces.push(Piece::Minute),
                Some('S') => pieces.push(Piece::Second),
                Some('s') => pieces.push(Piece::Epoch),
                Some('f') => pieces.push(Piece::Fraction(9)),
                Some('z') => pieces.push(Piece::Literal("+0000".to_owned())),
                Some('Z') => pieces.push(Piece::Literal("UTC".to_owned())),
                Some('%') => pieces.push(Piece::Literal("%".to_owned())),
                Some('F') => pieces.extend(Self::parse("%Y-%m-%d")?.0),
                Some('T') => pieces.extend(Self::parse("%H:%M:%S")?.0),
                Some(digit @ '1'..='9') if rest.starts_with('f') => {
                    pieces.push(Piece::Fraction(digit as usize - '0' as usize));
                    rest = rest.get(1..).unwrap_or_default();
                }
                _ => return Err(Error::new(format!("START_TIME: unknown specifier in {text:?}"))),
            }
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    pub(super) fn write(&self, at_ns: u64, out: &mut Vec<u8>) {
        let seconds = at_ns / 1_000_000_000;
        let date = Date::of_day(seconds / 86_400);
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Year => write_padded(date.year, 4, out),
                Piece::Month => write_padded(date.month, 2, out),
                Piece::MonthName => out.extend_from_slice(date.month_name().as_bytes()),
                Piece::Day => write_padded(date.day, 2, out),
                Piece::Hour => write_padded(seconds / 3_600 % 24, 2, out),
                Piece::Minute => write_padded(seconds / 60 % 60, 2, out),
                Piece::Second => write_padded(seconds % 60, 2, out),
                Piece::Epoch => write_padded(seconds, 1, out),
                Piece::Fraction(digits) => {
                    let unit = 10u64.pow(9 - *digits as u32);
                    write_padded(at_ns % 1_000_000_000 / unit, *digits, out);
                }
            }
        }
    }
}

struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// The Gregorian date of a day since 1970-01-01. Counting from 1 March of year 0 puts the leap
    /// day at the end of its year, which makes months arithmetic.
    fn of_day(day: u64) -> Self {
        const DAYS_TO_EPOCH: u64 = 719_468;
        const DAYS_IN_ERA: u64 = 146_097;
        let day = day + DAYS_TO_EPOCH;
        let (era, day_of_era) = (day / DAYS_IN_ERA, day % DAYS_IN_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self { year: era * 400 + year_of_era + u64::from(month <= 2), month, day }
    }

    fn month_name(&self) -> &'static str {
        match self.month {
            1 => "Jan",
            2 => "Feb",
            3 => "Mar",
            4 => "Apr",
            5 => "May",
            6 => "Jun",
            7 => "Jul",
            8 => "Aug",
            9 => "Sep",
            10 => "Oct",
            11 => "Nov",
            _ => "Dec",
        }
    }
}
