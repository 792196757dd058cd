//! Query parameters: what a GET asks to leave out, to bring along, or to pick (DSP0266, "Query parameters").
//!
//! [`Query::parse`] reads them all; [`Filter::matches`], [`excerpt()`] and [`Select::apply`] are what they mean for one resource. What must be read to answer
//! them (members, linked resources) is the service's.

mod excerpt;
mod filter;
mod select;

pub use excerpt::excerpt;
pub use filter::{Expression, Filter, MAX_DEPTH, Operand, Operator};
pub use select::Select;

use crate::message::{Message, base};

/// The deepest `$levels` that is taken.
pub const MAX_LEVELS: u32 = 6;

/// The query parameters of a request. What is absent was not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// `$expand`
    pub expand: Option<Expand>,
    /// `$select`
    pub select: Option<Select>,
    /// `$filter`
    pub filter: Option<Filter>,
    /// `$top`
    pub top: Option<u64>,
    /// `$skip`
    pub skip: Option<u64>,
    /// `only`
    pub only: bool,
    /// `excerpt`
    pub excerpt: bool,
    /// `includeoriginofcondition`
    pub origins: bool,
}

/// Which links `$expand` follows, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expand {
    /// Which links.
    pub links: Links,
    /// How many levels, 1 to [`MAX_LEVELS`].
    pub levels: u32,
}

/// The links that `$expand` follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// `.`: what is subordinate, that is, outside `Links`.
    Subordinate,
    /// `~`: what is in `Links`.
    Related,
    /// `*`: both.
    All,
}

impl Links {
    /// Whether links outside a `Links` property are followed.
    #[must_use]
    pub const fn subordinate(self) -> bool {
        matches!(self, Self::Subordinate | Self::All)
    }

    /// Whether links inside a `Links` property are followed.
    #[must_use]
    pub const fn related(self) -> bool {
        matches!(self, Self::Related | Self::All)
    }
}

/// What is wrong with the query parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryProblem {
    /// A parameter that begins with `$` and is not known: 501.
    Unsupported {
        /// The parameter.
        name: String,
    },
    /// A value that does not mean anything: 400.
    Format {
        /// The parameter.
        name: String,
        /// Its value.
        value: String,
    },
    /// A number beyond what is taken: 400.
    OutOfRange {
        /// The parameter.
        name: String,
        /// Its value.
        value: String,
        /// What is taken.
        range: String,
    },
}

impl QueryProblem {
    /// The message of the Base registry that says so.
    #[must_use]
    pub fn message(&self) -> Message {
        match self {
            Self::Unsupported { name } => base("QueryParameterUnsupported", &[name]),
            Self::Format { name, value } => base("QueryParameterValueFormatError", &[value, name]),
            Self::OutOfRange { name, value, range } => {
                base("QueryParameterOutOfRange", &[value, name, range])
            }
        }
    }
}

impl Query {
    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the query part of a URI, without its question mark. Parameters that do not begin with `$` and are not known are ignored, as the
    /// specification wants.
    ///
    /// # Errors
    /// The first parameter that is at fault.
    pub fn parse(text: &str) -> Result<Self, QueryProblem> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let format = || QueryProblem::Format {
                name: name.clone().into_owned(),
                value: shown(&value),
            };
            match &*name {
                "$expand" => query.expand = Some(expand(&value).ok_or_else(format)??),
                "$select" => query.select = Some(Select::parse(&value).ok_or_else(format)?),
                "$filter" => query.filter = Some(Filter::parse(&value).ok_or_else(format)?),
                "$top" => query.top = Some(number(&value).ok_or_else(format)?),
                "$skip" => query.skip = Some(number(&value).ok_or_else(format)?),
                "only" if value.is_empty() => query.only = true,
                "excerpt" if value.is_empty() => query.excerpt = true,
                "includeoriginofcondition" if value.is_empty() => query.origins = true,
                "only" | "excerpt" | "includeoriginofcondition" => return Err(format()),
                other if other.starts_with('$') => {
                    return Err(QueryProblem::Unsupported { name: shown(other) });
                }
                _ => {}
            }
        }
        Ok(query)
    }
}

fn number(value: &str) -> Option<u64> {
    // Only digits: a sign is no part of it.
    value
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| value.parse().ok())
        .flatten()
}

/// `None` for what is no `$expand` at all.
fn expand(value: &str) -> Option<Result<Expand, QueryProblem>> {
    let mut rest = value.chars();
    let links = match rest.next()? {
        '.' => Links::Subordinate,
        '~' => Links::Related,
        '*' => Links::All,
        _ => return None,
    };
    let options = rest.as_str();
    if options.is_empty() {
        return Some(Ok(Expand { links, levels: 1 }));
    }
    let levels = options.strip_prefix("($levels=")?.strip_suffix(')')?;
    let number = number(levels)?;
    Some(match u32::try_from(number) {
        Ok(levels @ 1..=MAX_LEVELS) => Ok(Expand { links, levels }),
        _ => Err(QueryProblem::OutOfRange {
            name: "$levels".to_owned(),
            value: shown(levels),
            range: format!("1-{MAX_LEVELS}"),
        }),
    })
}

/// As much of a value as a message has room for.
fn shown(value: &str) -> String {
    value.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
