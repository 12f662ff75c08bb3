//! Tests of the demo with real processes.
