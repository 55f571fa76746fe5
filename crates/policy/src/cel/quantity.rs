//! Numbers and truths from text and from each other; nothing for what does not fit.

pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn int(text: &str) -> Option<i64> {
    text.parse().ok()
}

pub(super) fn uint(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// What is too large has no value; `inf` and `nan` have.
pub(super) fn double(text: &str) -> Option<f64> {
    let said = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let named = matches!(said.as_str(), "inf" | "infinity" | "nan");
    text.parse()
        .ok()
        .filter(|number: &f64| named || number.is_finite())
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// Without what is behind the point.
pub(super) fn truncated(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
    (number.abs() < TWO_TO_63).then_some(number as i64)
}

/// Without what is behind the point, if it is not negative.
pub(super) fn truncated_unsigned(number: f64) -> Option<u64> {
    let good = (0.0..2.0 * TWO_TO_63).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is in range"
    )]
    good.then_some(number as u64)
}

/// A whole number of decimal digits, also one written as `1.5e3`; nothing beyond 2^64 or what is not whole.
pub(super) fn whole(text: &str) -> Option<i128> {
    const LONGEST: usize = 64;
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [before, behind].concat();
    let good = !digits.is_empty() && text.len() <= LONGEST;
    if !good || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let zeros = i32::try_from(digits.len() - significant.len()).ok()?;
    let shift = exponent
        .checked_sub(i32::try_from(behind.len()).ok()?)?
        .checked_add(zeros)?;
    if significant.trim_start_matches('0').is_empty() {
        return Some(0);
    }
    let power = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
    let number = significant.parse::<i128>().ok()?.checked_mul(power)?;
    Some(if negative { -number } else { number })
}

/// A decimal number that a double holds exactly.
pub(super) fn exact(text: &str) -> Option<f64> {
    const LONGEST: usize = 64;
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    if text.len() > LONGEST || !text.chars().all(plain) {
        return None;
    }
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())?;
    let digits = |text: &str| -> String {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    };
    // Every digit there is of a double, which are at most 767.
    (digits(text) == digits(&format!("{number:.1074}"))).then_some(number)
}
