//! A server under traffic, and the versions behind it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::support::agent::{Agent, Traffic, World};
use crate::support::server::Server;
use crate::support::{Ran, config};

pub(crate) struct Scene {
    /// Agents end with it.
    pub(crate) world: World,
    versions: Vec<(&'static str, Agent)>,
    pub(crate) server: Server,
    pub(crate) traffic: Traffic,
    /// Where traffic goes; `None` while the server is down.
    place: Arc<Mutex<Option<String>>>,
}

/// A server under traffic whose stable version is `v1`.
pub(crate) fn scene(names: &[&'static str]) -> Scene {
    scene_with(names, |text| text)
}

/// The same with another configuration.
pub(crate) fn scene_with(names: &[&'static str], change: impl FnOnce(String) -> String) -> Scene {
    let world = World::new();
    let versions: Vec<_> = names.iter().map(|name| (*name, world.agent())).collect();
    let all: Vec<_> = versions.iter().map(|(name, agent)| (*name, agent)).collect();
    let text = change(config::quick(&all));
    Scene::of(world, versions, &text)
}

impl Scene {
    /// Versions under another configuration.
    pub(crate) fn of(world: World, versions: Vec<(&'static str, Agent)>, config: &str) -> Self {
        Self::served(world, versions, Server::start(config))
    }

    /// The same on a disk that can be filled.
    pub(crate) fn on_small_disk(
        world: World,
        versions: Vec<(&'static str, Agent)>,
        config: &str,
    ) -> Self {
        Self::served(world, versions, Server::start_on_small_disk(config))
    }

    fn served(world: World, versions: Vec<(&'static str, Agent)>, mut server: Server) -> Self {
        server.until_served(&world);
        let place = Arc::new(Mutex::new(Some(server.ingress())));
        let at = Arc::clone(&place);
        let traffic =
            world.traffic(4, move || at.lock().unwrap_or_else(PoisonError::into_inner).clone());
        Self { world, versions, server, traffic, place }
    }

    pub(crate) fn version(&self, name: &str) -> &Agent {
        &self.versions.iter().find(|(known, _)| *known == name).expect("a version of the scene").1
    }

    /// Releases a version and waits for its end.
    pub(crate) fn release(&self, version: &str, more: &[&str]) -> Ran {
        let args = ["rollout", "start", "support", version, "--reason", "a test", "--wait"];
        self.server.run(&[&args, more].concat())
    }

    /// Begins to release a version.
    pub(crate) fn start(&self, version: &str) {
        let started =
            self.server.run(&["rollout", "start", "support", version, "--reason", "a test"]);
        assert_eq!(started.code, 0, "{}", started.shown());
    }

    /// The latest release as it stands.
    pub(crate) fn view(&self) -> Value {
        view(&self.server)
    }

    /// Its transitions, with their effects.
    pub(crate) fn history(&self) -> Vec<Value> {
        history(&self.server)
    }

    pub(crate) fn stable(&self) -> Value {
        self.server.json(&["agent", "show", "support"])["stable"].clone()
    }

    /// Kills the server and does something while it is down.
    pub(crate) fn kill(&mut self) {
        self.lead_traffic(None);
        self.server.kill();
    }

    /// Starts it again on the same directory.
    pub(crate) fn again(&mut self) {
        self.server.again();
        self.lead_traffic(Some(self.server.ingress()));
    }

    /// Where users find the server from now on.
    pub(crate) fn lead_traffic(&self, to: Option<String>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Waits until users have had so many more good answers.
    pub(crate) fn serve(&mut self, requests: u64) {
        let counts = Arc::clone(&self.traffic.counts);
        let before = counts.good.load(Ordering::Relaxed);
        self.server.until("users are served", |_| {
            counts.good.load(Ordering::Relaxed) >= before + requests
        });
    }

    /// Waits until the latest release looks so.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Value) -> bool) {
        self.server.until(what, |server| holds(&view(server)));
    }

    /// Waits until the latest release has ended, and says how.
    pub(crate) fn end(&mut self) -> Value {
        self.until("the release ends", |view| !view["ended_wall_ms"].is_null());
        self.view()["phase"].clone()
    }
}

/// The latest release as it stands.
fn view(server: &Server) -> Value {
    server.run(&["rollout", "status", "--agent", "support", "--output", "json"]).json()
}

fn history(server: &Server) -> Vec<Value> {
    let told = server.json(&["rollout", "history", "--agent", "support"]);
    told.as_array().expect("a list").clone()
}

/// The sentences and rules of a transition's causes.
pub(crate) fn causes(step: &Value) -> String {
    step["transition"]["causes"].to_string()
}
