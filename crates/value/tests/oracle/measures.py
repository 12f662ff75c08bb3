"""Cases with the measures that pandas finds in them. JSON on stdout: `python measures.py > measures.json`.

Nothing here is shared with the program: what counts, which days there are and every formula is written anew, from docs/value.md.
`expect` holds a number, or null where there must be none.
"""
import json
import random

import pandas as pd

HOUR = 3_600_000


def ms(text, tz="UTC"):
    at = pd.Timestamp(text)
    at = at.tz_localize(tz) if at.tzinfo is None else at
    return int(at.timestamp() * 1000)


def civil(at, tz):
    return pd.Timestamp(at, unit="ms", tz="UTC").tz_convert(tz).tz_localize(None)


def effective(events):
    """Each key once; nothing that another corrects; no withdrawals."""
    frame = {event["key"]: event for event in events}
    corrected = {event.get("corrects") for event in frame.values()}
    return [e for k, e in frame.items() if k not in corrected and e["kind"] != "withdrawn"]


class Case:
    def __init__(self, name, start, end, tz="UTC", agent=None):
        self.name, self.tz, self.agent = name, tz, agent
        self.start, self.end = ms(start, tz), ms(end, tz)
        self.interactions, self.events, self.deployments, self.milestones, self.security = [], [], [], {}, []
        self.taken_in = None

    def interact(self, at, outcome=None, error=None, user=None, cost=None, agent="support", version="v1", score=None):
        self.interactions.append(dict(agent=agent, version=version, at=at if isinstance(at, int) else ms(at, self.tz),
                                      outcome=outcome, error=error, user=user, cost=cost, score=score))

    def event(self, kind, at, key=None, agent="support", **rest):
        at = at if isinstance(at, int) else ms(at, self.tz)
        event = dict(key=key or f"e{len(self.events)}", at_wall_ms=at, kind=kind, source="oracle", **rest)
        if agent:
            event["agent"] = agent
        self.events.append(event)

    def baseline(self, measure, value, unit, as_of="2026-01-01", agent=None, **rest):
        self.event("baseline", "2026-01-02", agent=agent, measure=measure, value=value, unit=unit, as_of=as_of, **rest)

    def deploy(self, end, finished, agent="support", version="v1", production=True, **times):
        times = {k: ms(v, self.tz) for k, v in times.items()}
        self.deployments.append(dict(id=f"d{len(self.deployments)}", agent=agent, version=version, end=end,
                                     in_production=production, finished_wall_ms=ms(finished, self.tz), **times))

    # what the program must find

    def inside(self, at):
        return self.start <= at < self.end

    def mine(self, agent):
        return self.agent is None or agent == self.agent

    def fact(self, events, **match):
        last = str(civil(self.end - 1, self.tz).date())
        holds = lambda e: e["as_of"] <= last if e["kind"] == "baseline" else e["at_wall_ms"] < self.end
        fits = [e for e in events if all(e.get(k) == v for k, v in match.items()) and holds(e)]
        if not fits:
            return None
        return pd.DataFrame(fits).assign(as_of=lambda f: f.get("as_of", "")).sort_values(["as_of", "at_wall_ms", "key"]).iloc[-1]

    def figure(self, events, measure, agent):
        for whose in [agent, None] if agent else [None]:
            found = self.fact([e for e in events if e.get("agent") == whose], kind="baseline", measure=measure)
            if found is not None:
                return float(found["value"])
        return None

    def people(self, events, which):
        for whose in [self.agent, None] if self.agent else [None]:
            found = self.fact([e for e in events if e.get("agent") == whose and which in e], kind="headcount")
            if found is not None:
                return float(found[which])
        return None

    def counted(self, events, all_rows):
        """Days that were seen: from the day of the first sign of life to the last one that was over. As instants, and how many days."""
        signs = [r["at"] - r["at"] % HOUR for r in all_rows] + [self.start for _ in self.security]
        for d in self.deployments:
            if self.mine(d["agent"]):
                signs += [d["finished_wall_ms"], d.get("started_wall_ms", d["finished_wall_ms"])]
        work = ("time_saved", "error_introduced", "deployment")
        signs += [e["at_wall_ms"] for e in events if e["kind"] in work and self.mine(e.get("agent"))]
        signs = [at for at in signs if at < self.end]
        midnight = lambda at: ms(str(civil(at, self.tz).date()), self.tz)
        end = self.end if self.taken_in is None else min(max(midnight(self.taken_in), self.start), self.end)
        first = midnight(min(signs)) if signs else None
        if first is not None and self.taken_in is not None and first == midnight(self.taken_in) and self.start <= first < self.end:
            # The very first day counts as a whole one before it is over.
            end = min(ms(str((civil(first, self.tz) + pd.Timedelta(days=1)).date()), self.tz), self.end)
        begin = min(max(first, self.start), end) if signs else end
        return begin, end, (civil(end, self.tz) - civil(begin, self.tz)) / pd.Timedelta(days=1)

    def expect(self):
        out = {}
        days = (civil(self.end, self.tz) - civil(self.start, self.tz)) / pd.Timedelta(days=1)
        weeks = days / 7
        events = effective(self.events)
        within = [e for e in events if self.inside(e["at_wall_ms"]) and self.mine(e.get("agent"))]
        of = lambda kind: [e for e in within if e["kind"] == kind]
        # A rollup is of an hour and counts when that begins in the window.
        all_rows = [dict(r, error=r["error"] or ("outcome_failed" if r["outcome"] == "failed" else None)) for r in self.interactions
                    if self.inside(r["at"] - r["at"] % HOUR) and self.mine(r["agent"])]
        rows = pd.DataFrame([r for r in all_rows if r["error"] != "gateway_refused"],
                            columns=["agent", "version", "at", "outcome", "error", "user", "cost", "score"])
        n = len(rows)
        charged = rows["error"].isin(["upstream_5xx", "timeout", "reset", "protocol", "stream_error", "outcome_failed"])
        failed = (rows["outcome"] == "failed") | (rows["outcome"].isna() & charged)
        resolved, escalated = (rows["outcome"] == "resolved"), (rows["outcome"] == "escalated")
        known = resolved | escalated | failed

        ended = [d for d in self.deployments if self.inside(d["finished_wall_ms"]) and self.mine(d["agent"])]
        for e in events:
            if e["kind"] == "deployment" and self.inside(e["finished_wall_ms"]) and self.mine(e["agent"]):
                end = "promoted" if e["outcome"] == "succeeded" else "rolled_back"
                ended.append(dict(e, id=e["key"], end=end, in_production=True))
        done = pd.DataFrame([d for d in ended if d["in_production"] and d["end"] != "superseded"],
                            columns=["id", "agent", "version", "end", "finished_wall_ms", "committed_wall_ms",
                                     "detected_wall_ms", "recovered_wall_ms"])
        good = done["end"] == "promoted"
        incidents = pd.DataFrame([e for e in events if e["kind"] == "incident" and self.inside(e["detected_wall_ms"]) and self.mine(e.get("agent"))],
                                 columns=["detected_wall_ms", "recovered_wall_ms", "caused_by", "agent"])
        blamed = done["version"].isin(incidents["caused_by"].dropna())
        seen = n > 0 or len(ended) > 0 or len(self.security) > 0

        out["deployment_success"] = 100 * good.mean() if len(done) else None
        out["change_failure_rate"] = 100 * (~good | blamed).mean() if len(done) else None
        begin, over, counted_days = self.counted(events, all_rows)
        of_days = done["finished_wall_ms"].between(begin, over, inclusive="left")
        out["deployment_frequency"] = None if not seen or not counted_days else (good & of_days).sum() / counted_days * 7
        lead = (done["finished_wall_ms"] - done["committed_wall_ms"])[good].dropna() / HOUR
        out["lead_time"] = lead.median() if len(lead) else None
        own = (done["recovered_wall_ms"] - done["detected_wall_ms"])[~good & ~blamed]
        told = [(incidents["recovered_wall_ms"] - incidents["detected_wall_ms"])[incidents["caused_by"] == v].max(skipna=False)
                for v in done["version"][blamed]]
        recovery = pd.concat([own, pd.Series(told, dtype=float)]).dropna() / 60_000
        out["failed_deployment_recovery"] = recovery.median() if len(recovery) else None
        mttr = pd.concat([incidents["recovered_wall_ms"] - incidents["detected_wall_ms"],
                          (done["recovered_wall_ms"] - done["detected_wall_ms"])[~good]]).dropna() / 60_000
        out["mttr_mean"] = mttr.mean() if len(mttr) else None
        out["mttr_median"] = mttr.median() if len(mttr) else None

        use_cases = pd.DataFrame([e for e in events if e["kind"] == "use_case" and e["at_wall_ms"] < self.end and self.mine(e.get("agent"))])
        if len(use_cases):
            stages = use_cases.sort_values(["at_wall_ms", "key"]).groupby(["agent", "name"], dropna=False)["stage"].last()
            production, test = (stages == "production").sum(), (stages == "test").sum()
            out["use_cases_production"], out["use_cases_test"] = production, test
            out["use_case_ratio"] = production / test if test else None
        else:
            out.update(use_cases_production=None, use_cases_test=None, use_case_ratio=None)

        tests, values = [], []
        for d in self.deployments:
            if "started_wall_ms" in d and self.mine(d["agent"]):
                tests.append((d["agent"], d["started_wall_ms"]))
        for e in events:
            whose, at = e.get("agent"), e["at_wall_ms"]
            if whose is None or at >= self.end or not self.mine(whose):
                continue
            if e["kind"] in ("use_case", "system") and e["stage"] == "test":
                tests.append((whose, at))
            if e["kind"] == "time_saved" and float(e["minutes"]) > 0:
                values.append((whose, at))
        values += [(r["agent"], r["at"] - r["at"] % HOUR) for r in all_rows if r["outcome"] == "resolved"]
        firsts = pd.DataFrame({"test": pd.DataFrame(tests, columns=["agent", "at"]).groupby("agent")["at"].min(),
                               "value": pd.DataFrame(values, columns=["agent", "at"]).groupby("agent")["at"].min()})
        both = firsts.dropna()
        between = (both["value"].map(lambda at: civil(at, self.tz)) - both["test"].map(lambda at: civil(at, self.tz))) / pd.Timedelta(days=1)
        between = between[between >= 0]
        out["time_to_value"] = between.median() if len(between) else None
        stages = {agent: "test" for agent in firsts.index}
        systems = [e for e in events if e["kind"] == "system" and e["at_wall_ms"] < self.end
                   and (self.mine(e.get("agent")) or e["name"] == self.agent)]
        for e in sorted(systems, key=lambda e: (e["at_wall_ms"], e["key"])):
            stages[e["name"]] = e["stage"]
        alive = pd.Series({name: stage for name, stage in stages.items() if stage != "retired"}, dtype=object)
        out["production_share"] = 100 * (alive == "production").mean() if len(alive) else None

        out["interactions"] = n or None
        users = rows.dropna(subset=["user"]).groupby("agent")["user"].nunique()
        out["users"] = users.max() if len(users) else None
        employees = self.people(events, "employees")
        out["adoption"] = 100 * users.max() / employees if employees and len(users) and users.max() <= employees else None
        out["replacement_rate"] = 100 * resolved.sum() / n if n and known.any() else None
        introduced = sum(e.get("count", 1) for e in of("error_introduced"))
        out["error_rate"] = 100 * min(charged.sum() + introduced, n) / n if n else None
        out["security_events"] = len(self.security) if seen else None
        checks = pd.DataFrame(of("replacement_check"))
        if len(checks):
            looked = checks.sort_values(["at_wall_ms", "key"]).groupby(["agent", "interaction"])["verified"].last()
            out["verified_share"] = 100 * looked.mean()
        else:
            out["verified_share"] = None
        both = out["verified_share"] is not None and out["replacement_rate"] is not None
        out["verified_replacement"] = out["replacement_rate"] * out["verified_share"] / 100 if both else None

        votes = pd.Series([e["score"] for e in of("survey")], dtype=float)
        plain = rows["score"].dropna()
        count = len(votes) + len(plain)
        net = (votes >= 9).sum() - (votes <= 6).sum() + plain.sum()
        out["nps"] = 100 * net / count if count else None
        before = self.figure(events, "nps", self.agent)
        out["nps_change"] = out["nps"] - before if count and before is not None else None

        conversions = pd.DataFrame(of("conversion"), columns=["arm", "visitors", "converted"]).groupby("arm")[["visitors", "converted"]].sum()
        if {"agent", "control"} <= set(conversions.index):
            rate = conversions["converted"] / conversions["visitors"]
            out["conversion_uplift_points"] = 100 * (rate["agent"] - rate["control"])
            out["conversion_uplift_relative"] = 100 * (rate["agent"] / rate["control"] - 1) if rate["control"] else None
        else:
            out.update(conversion_uplift_points=None, conversion_uplift_relative=None)

        out.update(self.money(events, rows, known, resolved, charged, days, weeks, of, self.start, self.end))
        # What is a week's or a year's is of the days alone that were seen.
        hour = rows["at"] - rows["at"] % HOUR
        here = hour.between(begin, over, inclusive="left")
        some = lambda kind: [e for e in of(kind) if begin <= e["at_wall_ms"] < over]
        if counted_days:
            seen_days = self.money(events, rows[here], known[here], resolved[here], charged[here], counted_days, counted_days / 7, some, begin, over)
        else:
            seen_days = {}
        for id in ("hours_saved", "labour_saving", "errors_avoided", "saving_gross", "agent_cost_yearly", "saving_net", "cost_saving_gross", "cost_saving"):
            out[id] = seen_days.get(id)
        return {k: None if v is None else float(v) for k, v in out.items()}

    def money(self, events, rows, known, resolved, charged, days, weeks, of, start, end):
        out, year = {}, 365 / days
        saved = pd.DataFrame(of("time_saved"), columns=["agent", "minutes", "tasks"])
        saved["tasks"] = saved["tasks"].fillna(1).astype(float)
        saved["minutes"] = saved["minutes"].astype(float) * saved["tasks"]
        whose = set(rows["agent"]) | {None if pd.isna(a) else a for a in saved["agent"]}
        minutes, labour, lacking, lacking_rate = 0.0, 0.0, False, False
        any_minutes = False
        for agent in whose:
            mine = saved[saved["agent"].isna()] if agent is None else saved[saved["agent"] == agent]
            here = rows["agent"] == agent
            reported = len(mine) > 0
            # Of each task that was reported one resolved interaction is covered; the others are estimated.
            others = max(resolved[here].sum() - mine["tasks"].sum(), 0)
            if not reported and not known[here].any():
                continue
            by_hand, with_agent = (self.figure(events, f, agent) for f in ("minutes_per_task", "minutes_with_agent"))
            if saved["agent"].isna().any():
                # Reports of no agent may be of anyone's tasks: nothing is estimated beside them.
                if not reported:
                    any_minutes = True
                    continue
                m = mine["minutes"].sum()
            elif by_hand is None or with_agent is None:
                if not reported:
                    any_minutes = lacking = True
                    continue
                m = mine["minutes"].sum()
            else:
                m = mine["minutes"].sum() + others * (by_hand - with_agent)
            any_minutes = True
            rate = self.figure(events, "labour_cost_per_hour", agent)
            lacking_rate |= rate is None
            minutes += m
            labour += m / 60 * (rate or 0)
        has_minutes = any_minutes and not lacking
        seats = self.people(events, "seats") or self.people(events, "knowledge_workers")
        out["hours_saved"] = minutes / 60 / weeks / seats if has_minutes and seats else None
        labour = labour if has_minutes and not lacking_rate else None

        avoided = 0.0 if len(rows) else None
        for agent in set(rows["agent"]):
            here = rows["agent"] == agent
            hand, each = self.figure(events, "error_rate_by_hand", agent), self.figure(events, "cost_per_error", agent)
            if hand is None or each is None:
                avoided = None
                break
            introduced = sum(e.get("count", 1) for e in of("error_introduced") if e["agent"] == agent)
            avoided += (hand / 100 * here.sum() - min(charged[here].sum() + introduced, here.sum())) * each

        charges = 0.0
        has_charge = False
        for e in events:
            if e["kind"] == "external_cost" and e["billing_currency"] == "USD" and self.mine(e.get("agent")) and not e.get("model_usage"):
                a, b = e["charge_period_start_wall_ms"], e["charge_period_end_wall_ms"]
                part = max(min(b, end) - max(a, start), 0)
                if part:
                    has_charge = True
                    charges += float(e["billed_cost"]) * part / (b - a)
        known_costs = rows["cost"].dropna()
        cost = known_costs.sum() / 1e9 + charges if len(known_costs) or has_charge else None

        gross = labour + avoided if labour is not None and avoided is not None else None
        net = gross - cost if gross is not None and cost is not None else None
        scale = lambda value: None if value is None else value * year
        before = self.figure(events, "yearly_cost", self.agent)
        percent = lambda value: 100 * value * year / before if value is not None and before else None
        out.update(labour_saving=scale(labour), errors_avoided=scale(avoided), saving_gross=scale(gross), agent_cost=cost,
                   agent_cost_yearly=scale(cost), saving_net=scale(net), cost_saving_gross=percent(gross), cost_saving=percent(net))
        out["cost_per_resolved"] = cost / resolved.sum() if cost is not None and resolved.sum() else None
        return out

    def told(self):
        return dict(name=self.name, time_zone=self.tz, from_wall_ms=self.start, to_wall_ms=self.end, agent=self.agent,
                    interactions=[list(r.values()) for r in self.interactions], events=self.events, deployments=self.deployments,
                    security=self.security, taken_in_wall_ms=self.taken_in, expect=self.expect())


def usual(name, start, end, tz, agents=("support",), only=None, n=150):
    case, rng = Case(name, start, end, tz, only), random.Random(name)
    span = case.end - case.start
    for agent in agents:
        for _ in range(n):
            at = case.start - HOUR + rng.randrange(span + 2 * HOUR)
            error = rng.choice([None] * 17 + ["timeout", "client_cancel", "gateway_refused"])
            case.interact(at, rng.choice(["resolved"] * 6 + ["escalated", "failed", None]) if error is None else None, error,
                          rng.choice([None, *range(1, 40)]), rng.choice([None, rng.randrange(10**7)]), agent, rng.choice(["v1", "v2"]),
                          rng.choice([None] * 5 + [-1, 0, 1]))
        case.event("conversion", case.start + HOUR, agent=agent, arm="agent", visitors=400, converted=52)
        case.event("conversion", case.start + HOUR, agent=agent, arm="control", visitors=380, converted=41)
        case.event("error_introduced", case.end - 1, agent=agent, count=2)
    case.event("headcount", "2026-01-05", agent=None, employees=250, knowledge_workers=90)
    case.event("headcount", "2026-01-06", agent=None, seats=12)
    for measure, value, unit in [("minutes_per_task", "11.5", "minutes"), ("minutes_with_agent", "1.25", "minutes"),
                                 ("labour_cost_per_hour", 48, "USD"), ("error_rate_by_hand", 6, "percent"),
                                 ("cost_per_error", "35.5", "USD"), ("yearly_cost", 60000, "USD"), ("nps", 12, "points")]:
        case.baseline(measure, value, unit)
    for score in [0, 6, 7, 8, 9, 10, 10]:
        case.event("survey", case.start + rng.randrange(span), score=score)
    return case


def cases():
    yield Case("empty", "2026-03-01", "2026-04-01")

    one = Case("one event", "2026-03-01", "2026-04-01")
    one.event("survey", "2026-03-05", score=9)
    yield one

    zero = Case("zero denominators", "2026-03-01", "2026-04-01")
    for user in [None, 1]:
        zero.interact("2026-03-05", user=user)
    zero.event("conversion", "2026-03-05", arm="agent", visitors=10, converted=1)
    zero.event("conversion", "2026-03-05", arm="control", visitors=10, converted=0)
    zero.event("use_case", "2026-03-05", name="refunds", stage="production")
    zero.baseline("yearly_cost", 0, "USD")
    yield zero

    yield usual("a month in which clocks go forward", "2026-03-01", "2026-04-01", "Europe/Berlin")
    yield usual("a week in which clocks go back", "2026-10-22", "2026-10-29", "Europe/Berlin")
    yield usual("half an hour off", "2026-05-01", "2026-05-15", "Asia/Kolkata")
    yield usual("two agents", "2026-05-01", "2026-05-31", "UTC", ("support", "sales"))
    yield usual("one of two agents", "2026-05-01", "2026-05-31", "UTC", ("support", "sales"), "sales")

    # What is reported for all agents is not counted again by agent.
    together = usual("time saved that names no agent", "2026-05-01", "2026-05-31", "UTC", ("support", "sales"))
    together.event("time_saved", "2026-05-03", agent=None, minutes=90, tasks=7)
    together.event("time_saved", "2026-05-03", agent="sales", minutes="0.5", tasks=3)
    yield together

    # Some tasks were reported, the others are estimated; one agent's reports are of more tasks than it resolved.
    part = usual("time saved that is reported in part", "2026-05-01", "2026-05-31", "UTC", ("support", "sales"))
    part.event("time_saved", "2026-05-03", agent="support", minutes="7.5", tasks=31)
    part.event("time_saved", "2026-05-04", agent="support", minutes=-1)
    part.event("time_saved", "2026-05-03", agent="sales", minutes="0.5", tasks=5000)
    yield part

    # Nothing was recorded that the others could be estimated with.
    alone = Case("time saved without baselines", "2026-05-01", "2026-05-15")
    for at in range(9):
        alone.interact(alone.start + at * HOUR, "resolved" if at % 3 else "escalated", user=at, cost=10_000_000)
    alone.event("time_saved", "2026-05-02", minutes=30, tasks=2)
    alone.event("headcount", "2026-05-01", agent=None, seats=2)
    yield alone

    # Users come on the 20th, and the last days are yet to come: the others are no days without value.
    for only in [None, "support"]:
        late = Case(f"days that nobody saw: {only or 'all'}", "2026-03-01", "2026-04-15", "Europe/Berlin", only)
        for at in range(200):
            late.interact(ms("2026-03-20T07:30", late.tz) + at * 2 * HOUR, "resolved" if at % 4 else "escalated", user=at % 9, cost=3_000_000)
        late.deploy("promoted", "2026-03-21", started_wall_ms="2026-03-20T07:00")
        late.deploy("promoted", "2026-04-02T09:00", version="v2", started_wall_ms="2026-04-02T08:00")
        late.event("time_saved", "2026-04-02T10:00", minutes=12, tasks=3)
        late.event("error_introduced", "2026-04-01T10:00", count=3)
        late.event("external_cost", "2026-03-01", billed_cost="900", billing_currency="USD", service_name="licence",
                   charge_period_start_wall_ms=late.start, charge_period_end_wall_ms=late.end)
        late.event("headcount", "2026-01-05", agent=None, seats=12)
        for measure, value, unit in [("minutes_per_task", "11.5", "minutes"), ("minutes_with_agent", "1.25", "minutes"), ("labour_cost_per_hour", 48, "USD"),
                                     ("error_rate_by_hand", 6, "percent"), ("cost_per_error", "35.5", "USD"), ("yearly_cost", 60000, "USD")]:
            late.baseline(measure, value, unit)
        late.event("survey", "2026-03-02", score=9)
        late.taken_in = ms("2026-04-02T17:45", late.tz)
        yield late

    # The first day counts as a whole one before it is over.
    today = Case("the first day is not over", "2026-03-01", "2026-03-31")
    today.interact("2026-03-30T07:30", "resolved", user=1, cost=1000)
    today.event("external_cost", "2026-03-30", billed_cost="9", billing_currency="USD", service_name="s",
                charge_period_start_wall_ms=today.start, charge_period_end_wall_ms=today.end)
    today.taken_in = ms("2026-03-30T09:00")
    yield today

    edges = Case("the first instant is in and the last is not", "2026-03-01", "2026-03-02", "Asia/Tokyo")
    for at, score in [(edges.start - 1, 0), (edges.start, 10), (edges.end - 1, 7), (edges.end, 0)]:
        edges.event("survey", at, score=score)
    for at in [edges.start - 1, edges.start, edges.end - 1, edges.end]:
        edges.interact(at, "resolved", user=at % 97, cost=1_000_000)
    edges.event("external_cost", edges.start, billed_cost="30", billing_currency="USD", service_name="s",
                charge_period_start_wall_ms=edges.start - 24 * HOUR, charge_period_end_wall_ms=edges.end + 24 * HOUR)
    yield edges

    minus = Case("less than nothing", "2026-06-01", "2026-06-15")
    for at in range(20):
        minus.interact(minus.start + at * HOUR, "resolved" if at % 2 else "failed", user=at, cost=2_000_000_000)
    minus.event("time_saved", "2026-06-02", minutes="-3.5", tasks=40)
    minus.event("time_saved", "2026-06-03", minutes=1)
    for score in [0, 3, 6]:
        minus.event("survey", "2026-06-04", score=score)
    minus.event("external_cost", "2026-06-01", billed_cost="-4.25", billing_currency="USD", service_name="credit",
                charge_period_start_wall_ms=minus.start, charge_period_end_wall_ms=minus.start + HOUR)
    minus.event("external_cost", "2026-06-01", billed_cost="99", billing_currency="USD", service_name="tokens", model_usage=True,
                charge_period_start_wall_ms=minus.start, charge_period_end_wall_ms=minus.start + HOUR)
    minus.event("headcount", "2026-06-01", agent=None, knowledge_workers=4)
    for measure, value, unit in [("labour_cost_per_hour", 60, "USD"), ("error_rate_by_hand", 1, "percent"), ("cost_per_error", 10, "USD"),
                                 ("yearly_cost", 1000, "USD"), ("nps", -20, "points")]:
        minus.baseline(measure, value, unit)
    yield minus

    ties = Case("ties", "2026-03-01", "2026-03-31")
    for key, value in [("b", 40), ("a", 30)]:
        ties.event("baseline", "2026-01-01", key=key, agent=None, measure="nps", value=value, unit="points", as_of="2026-01-01")
    ties.event("baseline", "2026-02-01", agent=None, measure="nps", value=70, unit="points", as_of="2025-01-01")
    # Recorded after the window, of before it; and of after it.
    ties.event("baseline", "2026-06-01", agent=None, measure="nps", value=55, unit="points", as_of="2026-03-30")
    ties.event("baseline", "2026-06-01", agent=None, measure="nps", value=99, unit="points", as_of="2026-03-31")
    for score in [9, 9, 0, 0]:
        ties.event("survey", "2026-03-03", score=score)
    for minutes in [30, 30, 10, 50]:
        ties.event("incident", "2026-03-03", detected_wall_ms=ms("2026-03-03"), recovered_wall_ms=ms("2026-03-03") + minutes * 60_000)
    ties.event("incident", "2026-03-04", detected_wall_ms=ms("2026-03-04"))
    for arm in ["agent", "control"]:
        ties.event("conversion", "2026-03-03", arm=arm, visitors=200, converted=20)
    look = "0190b6c4-7e1d-7000-8000-00000000000"
    for key, which, verified in [("l1", 1, True), ("l2", 1, False), ("l3", 2, True), ("l4", 3, True)]:
        ties.event("replacement_check", "2026-03-03", key=key, interaction=look + str(which), verified=verified)
    for at in range(4):
        ties.interact("2026-03-03", "resolved" if at else "escalated")
    yield ties

    again = Case("corrections, duplicates and what comes late", "2026-03-01", "2026-03-31")
    again.event("survey", "2026-03-09", key="c", corrects="b", score=10)
    again.event("survey", "2026-03-09", key="b", corrects="a", score=0)
    again.event("survey", "2026-03-09", key="a", score=1)
    again.event("survey", "2026-03-09", key="d", score=8)
    again.event("survey", "2026-03-09", key="d", score=8)
    again.event("survey", "2026-04-09", key="moved", corrects="e", score=0)
    again.event("survey", "2026-03-09", key="e", score=0)
    again.event("survey", "2026-03-09", key="f", score=0)
    again.event("withdrawn", "2026-05-09", key="w", corrects="f", reason="twice")
    again.event("incident", "2026-03-02", key="i", detected_wall_ms=ms("2026-03-02"))
    again.event("incident", "2026-03-02", key="j", corrects="i", detected_wall_ms=ms("2026-03-02"), recovered_wall_ms=ms("2026-03-02T01:30"))
    again.event("use_case", "2026-02-01", name="refunds", stage="test")
    again.event("use_case", "2026-03-20", name="refunds", stage="production")
    again.event("use_case", "2026-04-20", name="refunds", stage="retired")
    again.event("use_case", "2026-03-20", name="returns", stage="test")
    yield again

    dora = Case("releases", "2026-03-01", "2026-03-29", "America/New_York")
    dora.deploy("promoted", "2026-03-02", version="v1", committed_wall_ms="2026-03-01")
    dora.deploy("promoted", "2026-03-09", version="v2", committed_wall_ms="2026-03-07")
    dora.deploy("rolled_back", "2026-03-10", version="v3", detected_wall_ms="2026-03-10T00:00", recovered_wall_ms="2026-03-10T00:05")
    dora.deploy("aborted", "2026-03-11", version="v4")
    dora.deploy("superseded", "2026-03-12", version="v5")
    dora.deploy("rolled_back", "2026-03-13", version="v6", production=False)
    dora.deploy("promoted", "2026-02-13", version="v0")
    dora.event("deployment", "2026-03-20", version="v7", outcome="succeeded", finished_wall_ms=ms("2026-03-20"), committed_wall_ms=ms("2026-03-14"))
    dora.event("incident", "2026-03-09", caused_by="v2", detected_wall_ms=ms("2026-03-09T12:00"), recovered_wall_ms=ms("2026-03-09T12:45"))
    dora.security.append("v3")
    yield dora

    for only in [None, "support", "sales", "billing"]:
        firsts = Case(f"systems, and from test to value: {only or 'all'}", "2026-03-01", "2026-04-01", "Europe/Berlin", only)
        # Clocks go forward in between: as many days as the calendar has.
        firsts.event("use_case", "2026-01-10T09:00", name="refunds", stage="test")
        firsts.event("use_case", "2026-03-02", name="refunds", stage="production")
        firsts.interact("2026-03-29T23:20", "resolved", user=1)
        firsts.interact("2026-03-30T08:00", "resolved", user=2)
        firsts.deploy("promoted", "2026-02-10", agent="sales", started_wall_ms="2026-02-01T12:00")
        firsts.event("time_saved", "2026-02-05", agent="sales", minutes=-3)
        firsts.event("time_saved", "2026-02-20T18:00", agent="sales", minutes="0.5")
        firsts.event("time_saved", "2026-04-02", agent="sales", minutes=9)
        # Of value before any test that is known.
        firsts.event("time_saved", "2026-01-20", agent="billing", minutes=5)
        firsts.event("use_case", "2026-02-20", agent="billing", name="invoices", stage="test")
        for at, name, stage in [("2026-01-01", "archive", "test"), ("2026-02-01", "archive", "production"), ("2026-02-01", "fax", "production"),
                                ("2026-03-05", "fax", "retired"), ("2026-03-09", "support", "production"), ("2026-04-09", "archive", "retired")]:
            firsts.event("system", at, agent=None, name=name, stage=stage)
        yield firsts


print(json.dumps([case.told() for case in cases()], separators=(",", ":")))
