//! Picks the wanted fields out of a JSON text in one pass, without building a tree of it.

use std::borrow::Cow;
use std::fmt;

use foundation::EventTime;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::mapping::{FieldMapping, Pointers};
use super::{DecodeError, DecodeStage, refuse};

/// The fields, in the order of [`Found`]'s places.
pub(super) const TEXT: usize = 0;
pub(super) const TITLE: usize = 1;
pub(super) const TIME: usize = 2;
pub(super) const ID: usize = 3;
pub(super) const SOURCE: usize = 4;
const FIELDS: usize = 5;
const NAMES: [&str; FIELDS] = ["text", "title", "time", "id", "source"];

/// The wanted paths as a tree: what to keep at a node, and where to look below it.
#[derive(Debug, Clone, Default)]
struct Node {
    /// The place in [`Found::values`] of a value here.
    place: Option<usize>,
    children: Vec<(String, Node)>,
}

/// Finds the values at the pointers of a mapping.
#[derive(Debug, Clone)]
pub(super) struct Extractor {
    root: Node,
    /// For each field the places of its pointers, in order.
    places: [Vec<usize>; FIELDS],
    size: usize,
}

impl Extractor {
    pub(super) fn new(mapping: &FieldMapping) -> Self {
        let mut extractor = Self { root: Node::default(), places: Default::default(), size: 0 };
        let fields: [&Pointers; FIELDS] = [&mapping.text, &mapping.title, &mapping.time, &mapping.id, &mapping.source];
        for (field, pointers) in fields.into_iter().enumerate() {
            for path in pointers.paths() {
                let place = extractor.place_of(path);
                extractor.places[field].push(place);
            }
        }
        extractor
    }

    /// Fields may share a pointer, and then share its place.
    fn place_of(&mut self, path: Vec<String>) -> usize {
        let mut node = &mut self.root;
        for token in path {
            let index = node.children.iter().position(|(name, _)| *name == token).unwrap_or_else(|| {
                node.children.push((token, Node::default()));
                node.children.len() - 1
            });
            node = &mut node.children[index].1;
        }
        *node.place.get_or_insert_with(|| {
            self.size += 1;
            self.size - 1
        })
    }

    pub(super) fn extract<'a>(&'a self, json: &'a str) -> Result<Found<'a>, DecodeError> {
        let mut values = vec![Scalar::Missing; self.size];
        let mut reader = serde_json::Deserializer::from_str(json);
        let seed = Walk { node: &self.root, is_root: true, values: &mut values };
        let read = seed.deserialize(&mut reader).and_then(|()| reader.end());
        match read {
            Ok(()) => {}
            Err(error) if error.is_data() => return Err(refuse(DecodeStage::Shape, error.to_string())),
            Err(error) => return Err(refuse(DecodeStage::Json, error.to_string())),
        }
        Ok(Found { values, extractor: self })
    }
}

/// A value at a pointer.
#[derive(Debug, Clone)]
enum Scalar<'a> {
    Missing,
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    Float(f64),
    Other(&'static str),
}

/// What an [`Extractor`] has found in one record.
pub(super) struct Found<'a> {
    values: Vec<Scalar<'a>>,
    extractor: &'a Extractor,
}

impl<'a> Found<'a> {
    /// The first of a field's pointers that leads to something: its place.
    fn first(&self, field: usize) -> Option<usize> {
        let something = |place: &&usize| match &self.values[**place] {
            Scalar::Missing | Scalar::Null => false,
            Scalar::Text(text) => !text.trim_matches(|c: char| c.is_whitespace() || c == '\0').is_empty(),
            _ => true,
        };
        self.extractor.places[field].iter().find(something).copied()
    }

    /// Whether the field is there at all, even if empty.
    pub(super) fn has(&self, field: usize) -> bool {
        self.extractor.places[field].iter().any(|place| !matches!(self.values[*place], Scalar::Missing))
    }

    pub(super) fn is_same_field(&self, one: usize, other: usize) -> bool {
        self.first(one).is_some_and(|place| self.first(other) == Some(place))
    }

    /// A field that must be a string.
    pub(super) fn string_of(&self, field: usize) -> Result<Option<Cow<'_, str>>, DecodeError> {
        let Some(place) = self.first(field) else { return Ok(None) };
        match &self.values[place] {
            Scalar::Text(text) => Ok(Some(Cow::Borrowed(text))),
            other => Err(wrong_type(field, "a string", other)),
        }
    }

    /// A field that may be a string or a number.
    pub(super) fn text_of(&self, field: usize) -> Result<Option<Cow<'_, str>>, DecodeError> {
        let Some(place) = self.first(field) else { return Ok(None) };
        match &self.values[place] {
            Scalar::Text(text) => Ok(Some(Cow::Borrowed(text))),
            Scalar::Integer(number) => Ok(Some(Cow::Owned(number.to_string()))),
            Scalar::Float(number) => Ok(Some(Cow::Owned(number.to_string()))),
            other => Err(wrong_type(field, "a string or a number", other)),
        }
    }

    pub(super) fn time(&self) -> Result<Option<EventTime>, DecodeError> {
        let Some(place) = self.first(TIME) else { return Ok(None) };
        let time = match &self.values[place] {
            Scalar::Text(text) => EventTime::parse(text),
            Scalar::Integer(number) => EventTime::parse(&number.to_string()),
            Scalar::Float(number) => EventTime::parse(&number.to_string()),
            other => return Err(wrong_type(TIME, "a string or a number", other)),
        };
        time.map(Some).map_err(|error| refuse(DecodeStage::Time, error.to_string()))
    }
}

fn wrong_type(field: usize, wanted: &str, found: &Scalar<'_>) -> DecodeError {
    let found = match found {
        Scalar::Missing | Scalar::Null => "nothing",
        Scalar::Text(_) => "a string",
        Scalar::Integer(_) | Scalar::Float(_) => "a number",
        Scalar::Other(name) => name,
    };
    refuse(DecodeStage::Shape, format!("{} must be {wanted}, and is {found}", NAMES[field]))
}

/// Reads one value: keeps it if its node has a place, looks below it if its node has children.
struct Walk<'n, 'v, 'a> {
    node: &'n Node,
    is_root: bool,
    values: &'v mut [Scalar<'a>],
}

impl<'a> Walk<'_, '_, 'a> {
    fn keep<E: serde::de::Error>(self, value: Scalar<'a>) -> Result<(), E> {
        if self.is_root {
            return Err(E::custom("the record is not a JSON object"));
        }
        if let Some(place) = self.node.place {
            self.values[place] = value;
        }
        Ok(())
    }
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'a str) -> Result<(), E> {
        self.keep(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.keep(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.keep(Scalar::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.keep(i64::try_from(number).map_or(Scalar::Float(number as f64), Scalar::Integer))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.keep(Scalar::Float(number))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.keep(Scalar::Other("true or false"))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.keep(Scalar::Null)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Child(self.node))? {
            match child {
                Some(node) => map.next_value_seed(Walk { node, is_root: false, values: &mut *self.values })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if self.is_root { Ok(()) } else { self.keep(Scalar::Other("an object")) }
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0usize.. {
            let child = self.node.children.iter().find(|(token, _)| token.parse() == Ok(index));
            let more = match child {
                Some((_, node)) => {
                    items.next_element_seed(Walk { node, is_root: false, values: &mut *self.values })?.is_some()
                }
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        self.keep(Scalar::Other("an array"))
    }
}

/// Reads a key: the node below it, where one is wanted.
struct Child<'n>(&'n Node);

impl<'n, 'a> DeserializeSeed<'a> for Child<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Child<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.children.iter().find(|(token, _)| token == name).map(|(_, node)| node))
    }
}
