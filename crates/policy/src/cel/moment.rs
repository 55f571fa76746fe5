//! Moments and lengths of time: read as Go and RFC 3339 write them, to the nanosecond, in the years 1 to 9999. The
//! rules of time zones are those compiled in; the machine's are never looked at.

use super::fault::Fault;
use super::overload::Part;
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZoneDatabase;
use std::sync::LazyLock;

/// A moment: seconds since 1970-01-01 and nanoseconds of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    seconds: i64,
    nanos: i32,
}

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;
const SECOND: i128 = 1_000_000_000;

impl Moment {
    /// A moment in the years 1 to 9999.
    pub(super) fn new(seconds: i64, nanos: i32) -> Option<Self> {
        let good = (FIRST..=LAST).contains(&seconds);
        good.then_some(Self { seconds, nanos })
    }

    /// Whole seconds since 1970-01-01.
    pub(super) const fn seconds(self) -> i64 {
        self.seconds
    }

    fn nanoseconds(self) -> i128 {
        i128::from(self.seconds) * SECOND + i128::from(self.nanos)
    }

    /// That many nanoseconds later.
    pub(super) fn later(self, nanoseconds: i128) -> Option<Self> {
        let all = self.nanoseconds().checked_add(nanoseconds)?;
        let seconds = i64::try_from(all.div_euclid(SECOND)).ok()?;
        Self::new(seconds, i32::try_from(all.rem_euclid(SECOND)).ok()?)
    }

    /// Nanoseconds since another moment.
    pub(super) fn since(self, other: Self) -> Option<i64> {
        i64::try_from(self.nanoseconds() - other.nanoseconds()).ok()
    }

    /// The day and the time somewhere.
    fn civil(self, zone: Option<&str>) -> Result<DateTime, Fault> {
        let offset = zone.map_or(Ok(0), |zone| offset(zone, self.seconds))?;
        let local = SignedDuration::new(self.seconds + offset, self.nanos);
        EPOCH
            .checked_add(local)
            .map_err(|_| Fault::new("the time there is beyond the year 9999"))
    }

    /// A part of it in a time zone, or in UTC.
    pub(super) fn part(self, part: Part, zone: Option<&str>) -> Result<i64, Fault> {
        let at = self.civil(zone)?;
        Ok(match part {
            Part::Year => at.year().into(),
            Part::Month => i64::from(at.month()) - 1,
            Part::Date => at.day().into(),
            Part::DayOfMonth => i64::from(at.day()) - 1,
            Part::DayOfWeek => at.weekday().to_sunday_zero_offset().into(),
            Part::DayOfYear => i64::from(at.day_of_year()) - 1,
            Part::Hours => at.hour().into(),
            Part::Minutes => at.minute().into(),
            Part::Seconds => at.second().into(),
            Part::Milliseconds => i64::from(at.subsec_nanosecond()) / 1_000_000,
        })
    }

    /// As RFC 3339 writes it, in UTC, with as many digits of the second as it has.
    pub(super) fn written(self) -> Result<String, Fault> {
        let at = self.civil(None)?;
        let whole = at.strftime("%Y-%m-%dT%H:%M:%S");
        let digits = format!("{:09}", self.nanos);
        Ok(match digits.trim_end_matches('0') {
            "" => format!("{whole}Z"),
            digits => format!("{whole}.{digits}Z"),
        })
    }
}

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Seconds east of UTC: of a named zone at a moment, or of `+hh:mm`.
fn offset(zone: &str, seconds: i64) -> Result<i64, Fault> {
    let unknown = || Fault::new("there is no such time zone");
    if let Some((hours, minutes)) = zone.split_once(':') {
        let small = |text: &str| {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let good = (1..=2).contains(&digits.len());
            digits.parse::<i64>().ok().filter(|_| good)
        };
        let (hours_east, minutes) = (small(hours), small(minutes));
        let (hours_east, minutes) = hours_east.zip(minutes).ok_or_else(unknown)?;
        if hours_east > 23 || minutes > 59 {
            return Err(unknown());
        }
        let east = (hours_east * 60 + minutes) * 60;
        return Ok(if hours.starts_with('-') { -east } else { east });
    }
    if matches!(zone, "" | "UTC") {
        return Ok(0);
    }
    // Named zones are known by the machine's own name too, which would be its environment.
    if zone == "Local" {
        return Err(unknown());
    }
    let rules = ZONES.get(zone).map_err(|_| unknown())?;
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    Ok(rules.to_offset(at).seconds().into())
}

/// Reads a moment as RFC 3339 writes it.
pub(super) fn read(text: &str) -> Option<Moment> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let good = digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<i16>().ok().filter(|_| good)
    };
    let small = |from| number(from, from + 2).and_then(|n| i8::try_from(n).ok());
    let mark = |at: usize, wanted: &str| (text.get(at..=at)? == wanted).then_some(());
    mark(4, "-").and(mark(7, "-")).and(mark(10, "T"))?;
    mark(13, ":").and(mark(16, ":"))?;
    let day = Date::new(number(0, 4)?, small(5)?, small(8)?).ok()?;
    let time = Time::new(small(11)?, small(14)?, small(17)?, 0).ok()?;
    let (nanos, zone) = fraction(text.get(19..)?)?;
    let local = day.to_datetime(time).duration_since(EPOCH).as_secs();
    let east = match zone {
        "Z" => 0,
        zone if zone.len() == 6 && zone.starts_with(['+', '-']) => offset(zone, 0).ok()?,
        _ => return None,
    };
    Moment::new(local - east, nanos)
}

/// The digits behind the point of a second as nanoseconds, and what follows.
fn fraction(text: &str) -> Option<(i32, &str)> {
    let Some(text) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    Some((nine.parse().ok().filter(|_| length > 0)?, rest))
}

/// Reads a length of time as Go writes it, `1h30m`, as nanoseconds.
pub(super) fn length(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let (mut rest, mut sum) = (rest, 0_i128);
    loop {
        let (amount, unit) = amount(rest)?;
        let size = unit.find(|c: char| c == '.' || c.is_ascii_digit());
        let (unit, behind) = unit.split_at_checked(size.unwrap_or(unit.len()))?;
        let nanoseconds = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3_600 * SECOND,
            _ => return None,
        };
        let (whole, part, scale) = amount;
        sum = sum.checked_add(whole * nanoseconds + part * nanoseconds / scale)?;
        if behind.is_empty() {
            return i64::try_from(sign * sum).ok();
        }
        rest = behind;
    }
}

/// A number with digits behind its point, these digits and what divides them; and what follows.
fn amount(text: &str) -> Option<((i128, i128, i128), &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let number = |text: &str| match text {
        "" => Some(0),
        text => text.parse::<i64>().ok().map(i128::from),
    };
    let (whole, rest) = text.split_at_checked(digits(text))?;
    let (part, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(digits(rest))?,
        None => ("", rest),
    };
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let known = part.get(..part.len().min(15))?;
    let scale = 10_i128.pow(u32::try_from(known.len()).ok()?);
    Some(((number(whole)?, number(known)?, scale), rest))
}

/// A length of time as a whole number of something.
pub(super) const fn part_of_length(nanoseconds: i64, part: Part) -> Option<i64> {
    let unit = match part {
        Part::Hours => 3_600_000_000_000,
        Part::Minutes => 60_000_000_000,
        Part::Seconds => 1_000_000_000,
        Part::Milliseconds => 1_000_000,
        _ => return None,
    };
    Some(nanoseconds / unit)
}
