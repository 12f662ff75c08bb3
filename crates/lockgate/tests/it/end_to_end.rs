//! What people do, from one end to the other: real agents, real traffic, the real program.

mod frameworks;
mod release;
