"""Writes vectors/{rate,robust-z,quantile,seasonal,range-novelty}.json.

    .venv/bin/python test/conformance/make_anomaly.py

Tails are scipy's. Seasonal and range novelty have no published implementation: what stands here is their definition,
written a second time, plainly (all values kept, nothing incremental), with zoneinfo and scipy.
"""

import datetime
import math
import statistics
import zoneinfo

import numpy as np
from scipy import stats

from make_fixtures import rounded, write

# -- rates ---------------------------------------------------------------------------------------------------------


def beta_binomial_tail(hits, trials, rate, over_dispersion):
    """The sum of scipy's probabilities: its own `sf` is 1 - cdf, which has no digits left in the far tail."""
    prior = (1 - over_dispersion) / over_dispersion
    law = stats.betabinom(trials, rate * prior, (1 - rate) * prior)
    if hits > trials * rate:
        return math.fsum(law.pmf(np.arange(hits, trials + 1)))
    return 1 - math.fsum(law.pmf(np.arange(0, hits)))


def rate():
    cases = []
    for hits, trials in ((0, 500), (1, 100), (50, 1000), (500, 1000), (3, 100_000), (200_000, 1_000_000), (700, 700)):
        for value_trials in (30, 200, 5000):
            for share in (0, 0.01, 0.05, 0.1, 0.5, 0.9, 1):
                value_hits = round(share * value_trials)
                published = stats.binomtest(value_hits, value_trials, hits / trials, alternative="greater").pvalue
                jeffreys = (hits + 0.5) / (trials + 1)
                binomial = stats.binom.sf(value_hits - 1, value_trials, jeffreys)
                laws = [beta_binomial_tail(value_hits, value_trials, jeffreys, rho) for rho in (0.002, 0.05)]
                numbers = [float(published), float(binomial), *map(float, laws)]
                cases.append([hits, trials, value_hits, value_trials, *numbers])
    columns = ["baselineHits", "baselineTrials", "hits", "trials", "oraclePValue", "pValue0", "pValue.002", "pValue.05"]
    write("rate", {"columns": columns, "cases": cases})


# -- levels --------------------------------------------------------------------------------------------------------


def two_sided(value, law):
    return min(1.0, 2 * float(law.sf(abs(value))))


def robust_z():
    rng = np.random.default_rng(11)
    cases = []
    for count in (20, 21, 36, 100, 501):
        for shift in (0, 1, -4, 9, 60):
            baseline = rng.normal(50, 4, size=count)
            baseline[: count // 5] += 300
            baseline = rounded(np.sort(baseline))
            level = round(50 + 4 * shift + float(rng.normal()), 3)
            median = float(np.median(baseline))
            sd = float(stats.median_abs_deviation(baseline, scale="normal"))
            published = two_sided((level - median) / sd, stats.norm)
            statistic = (level - median) / (sd / (1 - 0.76213 / count - 0.86413 / count**2))
            t = statistic / math.sqrt(1 + math.pi / 2 / count)
            law = stats.t(0.3675 * count)
            p = {"both": two_sided(t, law), "up": float(law.sf(t)), "down": float(law.cdf(t))}
            case = {"baseline": baseline, "level": level, "statistic": statistic, "pValue": p}
            cases.append({**case, "oraclePValue": published})
    write("robust-z", {"cases": cases})


def quantile():
    rng = np.random.default_rng(12)
    cases = []
    for count in (10, 11, 36, 200):
        for spread in (0.05, 0.5):
            for shift in (0, 1, -4, 8, 100):
                baseline = rounded(np.sort(rng.normal(7, spread, size=count)))
                level = round(7 + spread * shift, 3)
                mean, sd = float(np.mean(baseline)), float(np.std(baseline, ddof=1))
                t = (level - mean) / (sd * math.sqrt(1 + 1 / count))
                law = stats.t(count - 1)
                p = {"both": two_sided(t, law), "up": float(law.sf(t)), "down": float(law.cdf(t))}
                cases.append({"baseline": baseline, "level": level, "statistic": t, "pValue": p})
    rows = []
    for size in (999, 1000, 2500):
        values = rounded(np.sort(rng.lognormal(4, 1, size=size)))
        rows.append({"values": values, "quantile": values[math.ceil(0.99 * size) - 1] if size >= 1000 else None})
    write("quantile", {"cases": cases, "rows": rows})


# -- seasons -------------------------------------------------------------------------------------------------------


def digits(value):
    return float(f"{value:.7g}")


class Units:
    """Mean square of deviations and of their means by unit, over the latest ones as a running mean with a bound."""

    def __init__(self, hours_min, units_max):
        self.hours_min, self.units_max = hours_min, units_max
        self.units, self.total, self.between, self.open, self.hours = 0, 0.0, 0.0, [], 0

    def close(self):
        if self.open and self.hours >= self.hours_min:
            self.units = min(self.units + 1, self.units_max)
            self.total += (float(np.mean(np.square(self.open))) - self.total) / self.units
            self.between += (float(np.mean(self.open)) ** 2 - self.between) / self.units
        self.open, self.hours = [], 0

    def degrees(self, parts):
        if self.units < 4 or self.total <= 0:
            return max(1, self.units)
        level = min(1.0, self.between / self.total)
        return 1 / (level**2 / self.units + (1 - level) ** 2 / (self.units * parts))


class Season:
    def __init__(self, zone):
        self.zone = zoneinfo.ZoneInfo(zone)
        self.mean, self.weeks = np.zeros((7, 24)), np.zeros((7, 24), int)
        self.by_day, self.by_week = Units(12, 28), Units(84, 26)
        self.first, self.hour, self.quiet, self.out, self.held, self.count = None, None, [], [], set(), 0

    def of_day(self, hour):
        weeks = self.weeks[:, hour]
        return (float(weeks @ self.mean[:, hour]) / weeks.sum(), int(weeks.sum())) if weeks.sum() else None

    def of_week(self, weekday, hour):
        own = int(self.weeks[weekday, hour])
        if own == 0:
            return None
        day = float(self.weeks[weekday] @ self.mean[weekday]) / self.weeks[weekday].sum()
        whole = float((self.weeks * self.mean).sum()) / self.weeks.sum()
        additive = self.of_day(hour)[0] + day - whole
        return (own * self.mean[weekday, hour] + additive) / (own + 1), own

    def close(self, date):
        day, weekday, hour = self.hour
        stood_out, held = len(self.out) > len(self.quiet), (weekday, hour) in self.held
        if stood_out and not held:
            self.held.add((weekday, hour))
        else:
            if not stood_out:
                self.held.discard((weekday, hour))
            taken = self.quiet + self.out if stood_out else self.quiet
            for units, expected in ((self.by_day, self.of_day(hour)), (self.by_week, self.of_week(weekday, hour))):
                if expected:
                    units.hours += 1
                    units.open += [(v - expected[0]) / math.sqrt(1 + 1 / expected[1]) for v in taken]
            self.weeks[weekday, hour] = min(self.weeks[weekday, hour] + 1, 8)
            step = (float(np.mean(taken)) - self.mean[weekday, hour]) / self.weeks[weekday, hour]
            self.mean[weekday, hour] = digits(self.mean[weekday, hour] + step)
        if date != day:
            self.by_day.close()
        if (date - self.first).days // 7 != (day - self.first).days // 7:
            self.by_week.close()
        self.quiet, self.out = [], []

    def look(self, end_ms, value):
        """(statistic, p) of a value, null while there is too little; then takes it."""
        local = datetime.datetime.fromtimestamp((end_ms - 1) / 1000, self.zone)
        date, weekday, hour = local.date(), local.weekday(), local.hour
        if self.hour is not None and self.hour != (date, weekday, hour):
            self.close(date)
        self.hour = (date, weekday, hour)
        self.first = self.first or date
        self.count += 1
        since = (date - self.first).days
        week, day = self.of_week(weekday, hour), self.of_day(hour)
        is_week = since >= 14 and self.by_week.units >= 1 and week is not None
        if self.count < 18 or not (is_week or (since >= 3 and self.by_day.units >= 2 and day)):
            self.quiet.append(value)
            return None
        expected, units, parts = (week, self.by_week, 6) if is_week else (day, self.by_day, 4)
        sd = max(0.001, 0.01 * abs(expected[0]), math.sqrt(units.total))
        statistic = (value - expected[0]) / (sd * math.sqrt(1 + 1 / expected[1]))
        p = two_sided(statistic, stats.t(units.degrees(parts)))
        effect = abs(value - expected[0]) / sd
        stands_out = p > 0 and -math.log10(p) >= 3 and effect >= 3
        (self.out if is_week and stands_out else self.quiet).append(value)
        return [statistic, p]


# Values of three decimals have means that are ties when cut to seven digits: times this they have not.
SCALE = math.pi / 3


def seasonal():
    """Nine weeks around a change of the clock, two values an hour: noise, an incident, a step, a gap."""
    cases = []
    for zone, month in (("Europe/Berlin", 3), ("America/New_York", 10), ("Asia/Kolkata", 6)):
        rng = np.random.default_rng(month)
        start = datetime.datetime(2025, month, 1, 7, 30, tzinfo=datetime.timezone.utc)
        season, values, answers = Season(zone), [], []
        for index in range(9 * 336):
            time = start + datetime.timedelta(minutes=30 * (index + 1))
            value = 100 + 10 * math.sin(time.hour / 24 * 2 * math.pi) - 8 * (time.weekday() > 4) + rng.normal()
            value += 60 * (2200 <= index < 2206) + 25 * (index >= 2500)
            if 1500 <= index < 1560:
                values.append(None)
                continue
            end_ms, value = round(time.timestamp() * 1000), round(float(value), 3)
            answer = season.look(end_ms, value * SCALE)
            values.append(value)
            # Every seventh answer: they all rest on every value before.
            if index % 7 == 0:
                answers.append([index, *(answer or [None, None])])
        times = {"firstEndMs": round(start.timestamp() * 1000) + 1_800_000, "stepMs": 1_800_000}
        cases.append({"timeZone": zone, **times, "scale": SCALE, "values": values, "answers": answers})
    write("seasonal", {"cases": cases})


# -- range novelty -------------------------------------------------------------------------------------------------


def histogram_distance(a, b):
    mixture = (a + b) / 2

    def relative(of):
        kept = of > 0
        return float(np.sum(of[kept] * np.log(of[kept] / mixture[kept])))

    return (relative(a) + relative(b)) / 2


class Shapes:
    def __init__(self, warm_up, margin_min):
        low, high = min(warm_up), max(warm_up)
        margin = max(0.05 * (high - low), margin_min)
        self.low, self.high = low - margin, high + margin
        self.kept, self.since = [], 52

    def bin(self, value):
        if value < self.low:
            return 0
        if value > self.high:
            return 9
        width = self.high - self.low
        return 1 + min(7, math.floor((value - self.low) / width * 8)) if width > 0 else 1

    def look(self, values):
        shape = np.bincount([self.bin(v) for v in values[-52:]], minlength=10).astype(float)
        nearest = min((max(0.0, histogram_distance(shape, other)) for other in self.kept), default=math.inf)
        self.since += 1
        if nearest > 2 and self.since >= 52:
            self.kept = [*self.kept, shape][-32:]
            self.since = 0
        return None if nearest == math.inf else nearest


def same_time_of_day(past, end_ms):
    """Means of the quarter hours within one of this time of day, the last seven of each, of at least two quarters ago."""
    now = end_ms // 900_000
    quarters = {}
    for when, value in past:
        if when // 900_000 < now - 1:
            quarters.setdefault(when // 900_000, []).append(value)
    means = []
    for offset in (-1, 0, 1):
        same = [q for q in sorted(quarters) if (q - now - offset) % 96 == 0][-7:]
        means += [digits(float(np.mean(quarters[q]))) for q in same]
    return statistics.median(means) if len(means) >= 3 else None


def range_novelty_of(times, values, decay):
    ranges, sums, deviations, answers, shapes, scale = {}, [], [], [], None, 0.0

    def learn(name, value):
        low, high = ranges.get(name, (value, value))
        low, high = min(low, value), max(high, value)
        ranges[name] = (low + decay * (value - low), high - decay * (high - value))

    for i, value in enumerate(values):
        seen = values[: i + 1]
        scale = max(abs(value), scale - decay * (scale - abs(value)))
        found = {"v": value}
        if i >= 3:
            found["m4"] = float(np.mean(seen[-4:]))
        if i >= 11:
            found["m12"] = float(np.mean(seen[-12:]))
        if i >= 95:
            found["d48"] = float(np.mean(seen[-48:]) - np.mean(seen[-96:-48]))
        if i >= 47:
            found["s48"] = float(np.std(seen[-48:]))
        if i >= 48:
            found["r48"] = float(np.mean(np.abs(np.diff(seen[-49:]))))
        usual = same_time_of_day(list(zip(times[:i], values[:i])), times[i])
        if usual is not None:
            deviations.append(value - usual)
            found["r1"] = deviations[-1]
            if len(deviations) >= 48:
                found["sr48"] = float(np.mean(deviations[-48:]))
        if i == 150:
            shapes = Shapes(values[:150], max(1e-12, 0.001 * scale))
            novelties = [n for n in (shapes.look(values[:end]) for end in range(52, 151)) if n is not None]
            if novelties:
                ranges["h52"] = (min(novelties), max(novelties))
        if shapes is not None:
            novelty = shapes.look(seen)
            if novelty is not None:
                found["h52"] = novelty
        total = 0.0
        for name, each in found.items():
            low, high = ranges.get(name, (each, each))
            width = max(high - low, 1.0 if name == "h52" else max(1e-12, 0.001 * scale))
            excess = max(each - high, low - each) / width
            total += math.sqrt(excess) if excess > 1e-9 else 0
            learn(name, each)
        if i < 150:
            answers.append(None)
            continue
        answers.append(total if total > 1.2 * max(sums[-100:], default=0.0) else 0)
        sums.append(total)
    return answers


def range_novelty():
    rng = np.random.default_rng(13)
    cases = []
    for name, minutes, decay in (("five minutes", 5, 0), ("half hours", 30, 1e-3), ("one hour", 60, 0)):
        times, values = [], []
        for index in range(1400):
            if 700 <= index < 730:
                continue
            end_ms = 1_700_000_000_000 // 900_000 * 900_000 + (index + 1) * minutes * 60_000
            value = 50 + 10 * math.sin(end_ms / 86_400_000 * 2 * math.pi) + float(rng.normal())
            value += 40 * (index == 900) + (15 if 1100 <= index < 1160 else 0)
            if index >= 1300:
                value = 50 + 12 * float(rng.normal())
            times.append(end_ms)
            values.append(round(value, 3))
        answers = range_novelty_of(times, values, decay)
        cases.append({"name": name, "decay": decay, "times": times, "values": values, "statistics": answers})
    write("range-novelty", {"cases": cases})


if __name__ == "__main__":
    rate()
    robust_z()
    quantile()
    seasonal()
    range_novelty()
