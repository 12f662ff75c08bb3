//! What a rollout controller must do. A test `sNN_…` is scenario NN of `docs/scenarios.md`, which
//! also says where scenarios with processes, gateways and stores are shown.

mod again;
mod clock;
mod drift;
mod explain;
mod judging;
mod people;
mod start;
mod stop;
mod testing;
mod weight;
