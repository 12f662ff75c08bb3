//! The least that still breaks.

use super::{Fault, Faults, Setup, Story, run, tell};

/// Leaves out faults, then all but the first few times that each strikes, as long as something
/// still breaks. Gives what is left of the setup and its story.
pub fn shrink(setup: &Setup, seed: u64) -> (Setup, Story) {
    let mut least = setup.clone();
    let breaks = |faults: &Faults| {
        run(&Setup { faults: faults.clone(), ..setup.clone() }, seed).broken.is_some()
    };
    for fault in Fault::ALL {
        let mut fewer = least.faults.clone();
        if fewer.0.remove(&fault).is_some() && breaks(&fewer) {
            least.faults = fewer;
        }
    }
    let struck = run(&least, seed).struck;
    let kept: Vec<Fault> = least.faults.0.keys().copied().collect();
    for fault in kept {
        let often = struck.get(&fault).copied().unwrap_or(0);
        for times in 0..=often {
            let mut fewer = least.faults.clone();
            fewer.0.insert(fault, times);
            if breaks(&fewer) {
                least.faults = fewer;
                break;
            }
        }
    }
    let story = tell(&least, seed);
    (least, story)
}
