//! `$filter`: which members of a collection to keep.
//!
//! ```text
//! or     = and { "or" and }
//! and    = not { "and" not }
//! not    = "not" not | test
//! test   = "(" or ")" | operand [ ( "eq" | "ne" | "lt" | "le" | "gt" | "ge" ) operand ]
//! operand = literal | path          literal = 'text' | number | true | false | null
//! ```
//! A path alone is a test of being true. A property that is absent is null. An array meets a test if one of its items does. Values of
//! different types are not equal, and neither is less than the other.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::table::Kind;
use crate::validate;

/// How deep an expression may be nested.
pub const MAX_DEPTH: usize = 32;

/// An expression that a resource meets or does not meet.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Expression);

/// The parts of an expression, for who holds it against something else than a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// One of these.
    Or(Vec<Expression>),
    /// All of these.
    And(Vec<Expression>),
    /// Not this.
    Not(Box<Expression>),
    /// A comparison.
    Compare(Operand, Operator, Operand),
    /// A property that is true.
    True(Operand),
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A value.
    Literal(Value),
    /// A property, by the segments of its path.
    Path(Vec<String>),
}

/// How it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Filter {
    /// Reads an expression. `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser {
            tokens: tokens(text)?.into_iter().peekable(),
            depth: 0,
        };
        let expression = parser.or()?;
        parser.tokens.next().is_none().then_some(Self(expression))
    }

    /// A literal that a property of the entity is compared with and that can never be its value, by its type: `PowerState eq 1`. Null is no such literal.
    #[must_use]
    pub fn misfit(&self, entity: &str) -> Option<&Value> {
        self.0.misfit(entity)
    }

    /// The expression.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.0
    }

    /// Whether a resource meets the expression.
    #[must_use]
    pub fn matches(&self, resource: &Value) -> bool {
        self.0.holds(resource)
    }
}

impl Expression {
    fn misfit(&self, entity: &str) -> Option<&Value> {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().find_map(|part| part.misfit(entity)),
            Self::Not(part) => part.misfit(entity),
            Self::Compare(Operand::Path(path), _, Operand::Literal(value))
            | Self::Compare(Operand::Literal(value), _, Operand::Path(path)) => {
                let kind = validate::kind(entity, &path.join("/"));
                kind.is_some_and(|kind| !fits(kind, value)).then_some(value)
            }
            Self::Compare(..) | Self::True(_) => None,
        }
    }

    fn holds(&self, resource: &Value) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|p| p.holds(resource)),
            Self::And(parts) => parts.iter().all(|p| p.holds(resource)),
            Self::Not(part) => !part.holds(resource),
            Self::True(operand) => operand.any(resource, &mut |v| *v == Value::Bool(true)),
            Self::Compare(left, operator, right) => left.any(resource, &mut |l| {
                right.any(resource, &mut |r| operator.holds(l, r))
            }),
        }
    }
}

/// Whether a value of that kind could be the literal.
fn fits(kind: Kind, literal: &Value) -> bool {
    match kind {
        Kind::Bool => matches!(literal, Value::Bool(_) | Value::Null),
        Kind::Int | Kind::Decimal => matches!(literal, Value::Number(_) | Value::Null),
        Kind::Str | Kind::Uri | Kind::DateTime | Kind::Guid | Kind::Duration | Kind::Enum(_) => {
            matches!(literal, Value::String(_) | Value::Null)
        }
        Kind::Primitive | Kind::Map | Kind::Link | Kind::Object(_) => true,
    }
}

impl Operand {
    /// Whether a value that it stands for passes a test; of an array, whether one of its items does.
    fn any(&self, resource: &Value, test: &mut dyn FnMut(&Value) -> bool) -> bool {
        match self {
            Self::Literal(value) => test(value),
            Self::Path(path) => walk(resource, path, test),
        }
    }
}

fn walk(value: &Value, path: &[String], test: &mut dyn FnMut(&Value) -> bool) -> bool {
    match (value, path) {
        (Value::Array(items), _) => items.iter().any(|item| walk(item, path, test)),
        (_, []) => test(value),
        (_, [first, rest @ ..]) => walk(value.get(first).unwrap_or(&Value::Null), rest, test),
    }
}

impl Operator {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = compare(left, right);
        match self {
            Self::Eq => order == Some(Ordering::Equal),
            Self::Ne => order != Some(Ordering::Equal),
            Self::Lt => order == Some(Ordering::Less),
            Self::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Gt => order == Some(Ordering::Greater),
            Self::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(l), Value::Bool(r)) => Some(l.cmp(r)),
        (Value::String(l), Value::String(r)) => Some(l.cmp(r)),
        (Value::Number(l), Value::Number(r)) => match (l.as_i128(), r.as_i128()) {
            (Some(l), Some(r)) => Some(l.cmp(&r)),
            _ => l.as_f64()?.partial_cmp(&r.as_f64()?),
        },
        (Value::Object(l), Value::Object(r)) if l == r => Some(Ordering::Equal),
        _ => None,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Word(String),
    Literal(Value),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' => {
                found.push(Token::Open);
                1
            }
            ')' => {
                found.push(Token::Close);
                1
            }
            '\'' => {
                let (literal, length) = quoted(rest)?;
                found.push(Token::Literal(Value::String(literal)));
                length
            }
            _ => {
                let length = rest
                    .find(|c: char| c.is_whitespace() || "()'".contains(c))
                    .unwrap_or(rest.len());
                found.push(word(&rest[..length])?);
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    Some(found)
}

/// A text in single quotes, in which two of them stand for one; and its length with the quotes.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut literal = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            literal.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            literal.push('\'');
        } else {
            return Some((literal, at + 1));
        }
    }
    None
}

fn word(text: &str) -> Option<Token> {
    let first = text.bytes().next()?;
    Some(match text {
        "true" => Token::Literal(Value::Bool(true)),
        "false" => Token::Literal(Value::Bool(false)),
        "null" => Token::Literal(Value::Null),
        _ if first.is_ascii_digit() || first == b'-' => {
            Token::Literal(Value::Number(serde_json::from_str::<Number>(text).ok()?))
        }
        _ if text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"@._#/-".contains(&b)) =>
        {
            Token::Word(text.to_owned())
        }
        _ => return None,
    })
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn or(&mut self) -> Option<Expression> {
        let mut parts = vec![self.and()?];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        one_or(parts, Expression::Or)
    }

    fn and(&mut self) -> Option<Expression> {
        let mut parts = vec![self.not()?];
        while self.keyword("and") {
            parts.push(self.not()?);
        }
        one_or(parts, Expression::And)
    }

    fn not(&mut self) -> Option<Expression> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let expression = if self.keyword("not") {
            Expression::Not(Box::new(self.not()?))
        } else {
            self.test()?
        };
        self.depth -= 1;
        Some(expression)
    }

    fn test(&mut self) -> Option<Expression> {
        if self.tokens.next_if_eq(&Token::Open).is_some() {
            let inside = self.or()?;
            return (self.tokens.next()? == Token::Close).then_some(inside);
        }
        let left = self.operand()?;
        let operator = match self.tokens.peek() {
            Some(Token::Word(word)) => match word.as_str() {
                "eq" => Operator::Eq,
                "ne" => Operator::Ne,
                "lt" => Operator::Lt,
                "le" => Operator::Le,
                "gt" => Operator::Gt,
                "ge" => Operator::Ge,
                _ => return Some(Expression::True(left)),
            },
            _ => return Some(Expression::True(left)),
        };
        self.tokens.next();
        Some(Expression::Compare(left, operator, self.operand()?))
    }

    fn operand(&mut self) -> Option<Operand> {
        match self.tokens.next()? {
            Token::Literal(value) => Some(Operand::Literal(value)),
            Token::Word(word)
                if !matches!(
                    &*word,
                    "and" | "or" | "not" | "eq" | "ne" | "lt" | "le" | "gt" | "ge"
                ) =>
            {
                let path: Vec<String> = word.split('/').map(str::to_owned).collect();
                path.iter()
                    .all(|segment| !segment.is_empty())
                    .then_some(Operand::Path(path))
            }
            Token::Word(_) | Token::Open | Token::Close => None,
        }
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(token, Token::Word(word) if word == keyword))
            .is_some()
    }
}

fn one_or(
    mut parts: Vec<Expression>,
    many: impl FnOnce(Vec<Expression>) -> Expression,
) -> Option<Expression> {
    if parts.len() == 1 {
        parts.pop()
    } else {
        Some(many(parts))
    }
}
