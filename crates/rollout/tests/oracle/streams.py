"""Streams of observations, and when the tests of the library `ville` stop on them. JSON on stdout."""
import json

import numpy as np
from ville._boundaries import best_rho, normal_mixture
from ville.proportions import BernoulliTest
from ville.quantiles import QuantileCS
from ville.sequential import BettingTest

ALPHA = 0.05


def stopped(test):
    at = test.stopping_time()
    return None if at is None else int(at)


def shares(rng, truth, bound, length, runs):
    out = []
    for _ in range(runs):
        x = (rng.random(length) < truth).astype(int)
        one_sided = BettingTest(bound, alternative="greater", alpha=ALPHA).fit(x)
        two_sided = BernoulliTest(bound, alpha=ALPHA).fit(x)
        out.append({"x": x.tolist(), "betting": stopped(one_sided), "mixture": stopped(two_sided)})
    return out


def votes(rng, chances, bound, length, runs):
    out = []
    for _ in range(runs):
        x = rng.choice([-1, 0, 1], size=length, p=chances)
        test = BettingTest(bound, bounds=(-1, 1), alternative="less", alpha=ALPHA).fit(x)
        out.append({"x": x.tolist(), "betting": stopped(test)})
    return out


def quantiles(rng, factor, length, runs):
    out = []
    for _ in range(runs):
        stable = np.ceil(60_000 * np.exp(0.5 * rng.standard_normal(length)))
        candidate = np.ceil(60_000 * factor * np.exp(0.5 * rng.standard_normal(length)))
        low = QuantileCS(0.95, alpha=ALPHA / 2).fit(candidate).lower_
        high = QuantileCS(0.95, alpha=ALPHA / 2).fit(stable).upper_
        apart = np.flatnonzero(low > 1.2 * high)
        at = int(apart[0]) + 1 if apart.size else None
        out.append({"candidate": candidate.astype(int).tolist(), "stable": stable.astype(int).tolist(), "apart": at})
    return out


def half_widths(alpha, t_opt):
    rho = best_rho(t_opt, alpha)
    return [[n, float(normal_mixture(n, alpha, rho) / n)] for n in (500, 5_000, 50_000)]


rng = np.random.default_rng(20_220_704)
print(json.dumps({
    "shares_at_the_bound": shares(rng, 0.05, 0.05, 1_500, 200),
    "shares_twice_the_bound": shares(rng, 0.10, 0.05, 2_500, 60),
    "shares_far_above": shares(rng, 0.30, 0.05, 400, 60),
    "votes_at_the_bound": votes(rng, [0.1, 0.3, 0.6], 0.5, 1_000, 200),
    "votes_below": votes(rng, [0.25, 0.2, 0.55], 0.5, 1_500, 60),
    "latency_the_same": quantiles(rng, 1.0, 1_500, 60),
    "latency_twice": quantiles(rng, 2.0, 2_500, 20),
    "half_widths": half_widths(0.01, 5_000),
}))
