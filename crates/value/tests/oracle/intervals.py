"""Intervals and middles as scipy and pandas have them. JSON on stdout: `python intervals.py > intervals.json`."""
import itertools
import json
import math

import pandas as pd
from scipy import stats


def wilson(k, n):
    ci = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    return [100 * ci.low, 100 * ci.high]


def newcombe(a, m, b, n):
    (la, ha), (lb, hb) = ([end / 100 for end in wilson(k, w)] for k, w in ((a, m), (b, n)))
    p, q = a / m, b / n
    low = p - q - math.sqrt((p - la) ** 2 + (hb - q) ** 2)
    high = p - q + math.sqrt((ha - p) ** 2 + (q - lb) ** 2)
    return [100 * low, 100 * high]


def katz(a, m, b, n):
    ci = stats.contingency.relative_risk(a, m, b, n).confidence_interval(0.95)
    return [100 * (ci.low - 1), 100 * (ci.high - 1)]


def nps(up, even, down):
    """Rocks (2016), adjusted Wald (3, T): votes -1, 0, 1 with weights, three more of them than were given, the most in the middle."""
    votes, weights = [1, 0, -1], [up + 3 / 4, even + 3 / 2, down + 3 / 4]
    whole = sum(weights)
    mean = sum(v * w for v, w in zip(votes, weights)) / whole
    variance = sum(w * (v - mean) ** 2 for v, w in zip(votes, weights)) / whole
    low, high = stats.norm.interval(0.95, loc=mean, scale=math.sqrt(variance / whole))
    score = (up - down) / (up + even + down)
    return [100 * min(max(low, -1), score), 100 * max(min(high, 1), score)]


def nps_coverage(n, steps=20):
    """How often `nps` holds the truth: every outcome of n votes, for every truth of a grid."""
    outcomes = [(u, e, n - u - e) for u in range(n + 1) for e in range(n + 1 - u)]
    ends = [nps(*o) for o in outcomes]
    held = []
    for up, even in ((i, j) for i in range(steps + 1) for j in range(steps + 1 - i)):
        truth = (up, even, steps - up - even)
        score = 100 * (truth[0] - truth[2]) / steps
        chances = stats.multinomial.pmf(outcomes, n, [part / steps for part in truth])
        held.append(sum(c for c, (low, high) in zip(chances, ends) if low - 1e-9 <= score <= high + 1e-9))
    return {"n": n, "mean": sum(held) / len(held), "least": min(held)}


def student(values):
    s = pd.Series(values, dtype=float)
    low, high = (s.mean(), s.mean()) if s.sem() == 0 else stats.t.interval(0.95, len(s) - 1, loc=s.mean(), scale=s.sem())
    return [low, s.mean(), high]


SHARES = [(0, 1), (1, 1), (0, 40), (40, 40), (1, 3), (35, 40), (701, 1000), (123456, 1000000)]
SERIES = [[5], [5, 5], [1, 2], [-3, 10, 2], [2, 2, 2, 9], list(range(31)), [((i * 37) % 101) - 50 for i in range(61)]]

print(json.dumps({
    "wilson": [{"part": k, "whole": n, "ends": wilson(k, n)} for k, n in SHARES],
    "newcombe": [{"a": a, "b": b, "ends": newcombe(*a, *b)} for a, b in itertools.product(SHARES, SHARES)],
    "katz": [{"a": a, "b": b, "ends": katz(*a, *b)} for a, b in itertools.product(SHARES, SHARES) if a[0] and b[0]],
    "nps": [{"votes": v, "ends": nps(*v)} for v in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (2, 0, 0), (0, 0, 40), (10, 5, 3), (0, 4, 0), (1, 1, 5000)]],
    "nps_coverage": [nps_coverage(n) for n in (1, 2, 3, 5, 8, 10, 20)],
    "middle": [{"values": v, "mean": float(pd.Series(v).mean()), "median": float(pd.Series(v).median())} for v in SERIES],
    "student": [{"values": v, "ends": student(v)} for v in SERIES if len(v) > 1],
}))
