//! The facts of arguments, by tables of known evasions and by properties.

mod corpus;
mod properties;
mod stack;
