//! The notifiers' tests, with a real HTTP server on loopback and real files.

mod dispatcher;
mod support;
mod text;
mod webhook;
