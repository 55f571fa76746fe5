//! The functions and operators with the types that they take and give. What they do is `call`'s.

use super::types::Type;
use Type::{Address, Bool, Bytes, Double, Duration, Dyn, Int, Kind, Null, Text, Time, Uint};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Not,
    Negate,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    In,
    Index,
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    ToBool,
    ToBytes,
    ToDouble,
    ToDuration,
    ToDyn,
    ToInt,
    ToString,
    ToTime,
    ToUint,
    TypeOf,
    ToAddress,
    InCidr,
    Part(Part),
}

/// A part of a moment or a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Month,
    /// Of the month, from one.
    Date,
    /// Of the month, from zero.
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// One way to use a function.
pub(super) struct Overload {
    name: &'static str,
    /// Whether it is written behind its first argument: `x.f(y)`.
    member: bool,
    takes: &'static [Type],
    pub gives: Type,
    pub function: Function,
}

const fn global(
    name: &'static str,
    takes: &'static [Type],
    gives: Type,
    function: Function,
) -> Overload {
    Overload {
        name,
        member: false,
        takes,
        gives,
        function,
    }
}

const fn member(
    name: &'static str,
    takes: &'static [Type],
    gives: Type,
    function: Function,
) -> Overload {
    Overload {
        name,
        member: true,
        takes,
        gives,
        function,
    }
}

const fn part(name: &'static str, takes: &'static [Type], part: Part) -> Overload {
    member(name, takes, Int, Function::Part(part))
}

/// Those whose types are fixed. Equality, `in`, `[]`, `size` and lists that are joined are the checker's.
static TABLE: &[Overload] = &[
    global("!_", &[Bool], Bool, Function::Not),
    global("-_", &[Int], Int, Function::Negate),
    global("-_", &[Double], Double, Function::Negate),
    global("+", &[Int, Int], Int, Function::Add),
    global("+", &[Uint, Uint], Uint, Function::Add),
    global("+", &[Double, Double], Double, Function::Add),
    global("+", &[Text, Text], Text, Function::Add),
    global("+", &[Bytes, Bytes], Bytes, Function::Add),
    global("+", &[Duration, Duration], Duration, Function::Add),
    global("+", &[Time, Duration], Time, Function::Add),
    global("+", &[Duration, Time], Time, Function::Add),
    global("-", &[Int, Int], Int, Function::Subtract),
    global("-", &[Uint, Uint], Uint, Function::Subtract),
    global("-", &[Double, Double], Double, Function::Subtract),
    global("-", &[Duration, Duration], Duration, Function::Subtract),
    global("-", &[Time, Duration], Time, Function::Subtract),
    global("-", &[Time, Time], Duration, Function::Subtract),
    global("*", &[Int, Int], Int, Function::Multiply),
    global("*", &[Uint, Uint], Uint, Function::Multiply),
    global("*", &[Double, Double], Double, Function::Multiply),
    global("/", &[Int, Int], Int, Function::Divide),
    global("/", &[Uint, Uint], Uint, Function::Divide),
    global("/", &[Double, Double], Double, Function::Divide),
    global("%", &[Int, Int], Int, Function::Remainder),
    global("%", &[Uint, Uint], Uint, Function::Remainder),
    member("contains", &[Text, Text], Bool, Function::Contains),
    member("startsWith", &[Text, Text], Bool, Function::StartsWith),
    member("endsWith", &[Text, Text], Bool, Function::EndsWith),
    member("matches", &[Text, Text], Bool, Function::Matches),
    global("matches", &[Text, Text], Bool, Function::Matches),
    global("bool", &[Bool], Bool, Function::ToBool),
    global("bool", &[Text], Bool, Function::ToBool),
    global("bytes", &[Bytes], Bytes, Function::ToBytes),
    global("bytes", &[Text], Bytes, Function::ToBytes),
    global("double", &[Double], Double, Function::ToDouble),
    global("double", &[Int], Double, Function::ToDouble),
    global("double", &[Uint], Double, Function::ToDouble),
    global("double", &[Text], Double, Function::ToDouble),
    global("duration", &[Duration], Duration, Function::ToDuration),
    global("duration", &[Text], Duration, Function::ToDuration),
    global("dyn", &[Dyn], Dyn, Function::ToDyn),
    global("int", &[Int], Int, Function::ToInt),
    global("int", &[Uint], Int, Function::ToInt),
    global("int", &[Double], Int, Function::ToInt),
    global("int", &[Text], Int, Function::ToInt),
    global("int", &[Time], Int, Function::ToInt),
    global("int", &[Duration], Int, Function::ToInt),
    global("string", &[Text], Text, Function::ToString),
    global("string", &[Bool], Text, Function::ToString),
    global("string", &[Int], Text, Function::ToString),
    global("string", &[Uint], Text, Function::ToString),
    global("string", &[Double], Text, Function::ToString),
    global("string", &[Bytes], Text, Function::ToString),
    global("string", &[Time], Text, Function::ToString),
    global("string", &[Duration], Text, Function::ToString),
    global("timestamp", &[Time], Time, Function::ToTime),
    global("timestamp", &[Int], Time, Function::ToTime),
    global("timestamp", &[Text], Time, Function::ToTime),
    global("type", &[Dyn], Kind, Function::TypeOf),
    global("uint", &[Uint], Uint, Function::ToUint),
    global("uint", &[Int], Uint, Function::ToUint),
    global("uint", &[Double], Uint, Function::ToUint),
    global("uint", &[Text], Uint, Function::ToUint),
    global("ipaddress", &[Text], Address, Function::ToAddress),
    member("in_cidr", &[Address, Text], Bool, Function::InCidr),
    part("getFullYear", &[Time], Part::Year),
    part("getFullYear", &[Time, Text], Part::Year),
    part("getMonth", &[Time], Part::Month),
    part("getMonth", &[Time, Text], Part::Month),
    part("getDate", &[Time], Part::Date),
    part("getDate", &[Time, Text], Part::Date),
    part("getDayOfMonth", &[Time], Part::DayOfMonth),
    part("getDayOfMonth", &[Time, Text], Part::DayOfMonth),
    part("getDayOfWeek", &[Time], Part::DayOfWeek),
    part("getDayOfWeek", &[Time, Text], Part::DayOfWeek),
    part("getDayOfYear", &[Time], Part::DayOfYear),
    part("getDayOfYear", &[Time, Text], Part::DayOfYear),
    part("getHours", &[Time], Part::Hours),
    part("getHours", &[Time, Text], Part::Hours),
    part("getHours", &[Duration], Part::Hours),
    part("getMinutes", &[Time], Part::Minutes),
    part("getMinutes", &[Time, Text], Part::Minutes),
    part("getMinutes", &[Duration], Part::Minutes),
    part("getSeconds", &[Time], Part::Seconds),
    part("getSeconds", &[Time, Text], Part::Seconds),
    part("getSeconds", &[Duration], Part::Seconds),
    part("getMilliseconds", &[Time], Part::Milliseconds),
    part("getMilliseconds", &[Time, Text], Part::Milliseconds),
    part("getMilliseconds", &[Duration], Part::Milliseconds),
];

const ORDERED: [Type; 8] = [Bool, Int, Uint, Double, Text, Bytes, Time, Duration];

/// The comparison of that name.
pub(super) fn comparison(name: &str) -> Option<Function> {
    Some(match name {
        "<" => Function::Less,
        "<=" => Function::LessOrEqual,
        ">" => Function::Greater,
        ">=" => Function::GreaterOrEqual,
        _ => return None,
    })
}

/// Whether two types have an order.
pub(super) fn ordered(a: &Type, b: &Type) -> bool {
    // Null fits times, and has no order.
    let null = *a == Null && *b == Null;
    !null && ORDERED.iter().any(|one| one.fits(a) && one.fits(b))
}

impl Function {
    /// Whether it makes a value of another type, and what cannot be made is a mistake of the expression's.
    pub(super) const fn converts(self) -> bool {
        matches!(
            self,
            Self::ToBool
                | Self::ToBytes
                | Self::ToDouble
                | Self::ToDuration
                | Self::ToInt
                | Self::ToString
                | Self::ToTime
                | Self::ToUint
        )
    }

    /// The name that an expression uses.
    pub(super) fn name(self) -> &'static str {
        let named = TABLE.iter().find(|one| one.function == self);
        named.map_or("function", |one| one.name.trim_end_matches('_'))
    }
}

/// Whether there is a function of that name.
pub(super) fn known(name: &str) -> bool {
    TABLE.iter().any(|one| one.name == name)
}

/// The ways to use a function with such arguments.
pub(super) fn fitting(name: &str, is_member: bool, given: &[Type]) -> Vec<&'static Overload> {
    let fits = |one: &&Overload| {
        one.name == name
            && one.member == is_member
            && one.takes.len() == given.len()
            && one
                .takes
                .iter()
                .zip(given)
                .all(|(takes, of)| takes.fits(of))
    };
    TABLE.iter().filter(fits).collect()
}
