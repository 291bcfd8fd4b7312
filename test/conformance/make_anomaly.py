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


def predictive_tail(baseline, value, rho):
    """The baseline's rate is known as a Jeffreys posterior knows it; `rho` is shared by the trials of one value."""
    hits, trials, squares = baseline
    if rho == 0:
        law = stats.betabinom(value[1], hits + 0.5, trials - hits + 0.5)
        if value[0] > law.mean():
            return math.fsum(law.pmf(np.arange(value[0], value[1] + 1)))
        return 1 - math.fsum(law.pmf(np.arange(0, value[0])))
    effective = trials / (1 + rho * (squares / trials - 1))
    mean = (hits + 0.5) / (trials + 1)
    posterior = stats.beta(mean * (effective + 1), (1 - mean) * (effective + 1))
    mean, variance = float(posterior.mean()), float(posterior.var())
    # variance of the value's own rate: about the common rate, and of that rate
    total = rho * (mean * (1 - mean) - variance) + variance
    return beta_binomial_tail(*value, mean, total / (mean * (1 - mean)))


def rate():
    # of more trials scipy's differences of log-gammas have fewer than nine digits left
    cases = []
    for hits, trials in ((0, 500), (1, 100), (50, 1000), (500, 1000), (3, 100_000), (20_000, 100_000), (700, 700)):
        # values of one trial each, and of a hundred
        for squares in (trials, 100 * trials):
            for value_trials in (30, 200, 5000):
                for share in (0, 0.01, 0.05, 0.1, 0.5, 0.9, 1):
                    value = (round(share * value_trials), value_trials)
                    published = stats.binomtest(*value, hits / trials, alternative="greater").pvalue
                    laws = [predictive_tail((hits, trials, squares), value, rho) for rho in (0, 0.002, 0.05)]
                    cases.append([hits, trials, squares, *value, float(published), *map(float, laws)])
    columns = ["baselineHits", "baselineTrials", "squaredTrials", "hits", "trials"]
    write("rate", {"columns": [*columns, "oraclePValue", "pValue0", "pValue.002", "pValue.05"], "cases": cases})


# -- levels --------------------------------------------------------------------------------------------------------


def two_sided(value, law):
    return min(1.0, 2 * float(law.sf(abs(value))))


def precision(count, phi):
    """Of an AR(1): variance of the mean, factor that makes the sample's variance unbiased, values that it is worth."""
    correlations = phi ** np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    of_mean = float(correlations.sum()) / count**2
    return of_mean, (1 - 1 / count) / (1 - of_mean), count**2 / float((correlations**2).sum())


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
            for phi in (0, 0.6):
                of_mean, inflation, size = precision(count, phi)
                corrected = sd * math.sqrt(inflation) / (1 - 0.76213 / count - 0.86413 / count**2)
                statistic = (level - median) / corrected
                t = statistic / math.sqrt(1 + math.pi / 2 * of_mean)
                law = stats.t(0.3675 * size)
                p = {"both": two_sided(t, law), "up": float(law.sf(t)), "down": float(law.cdf(t))}
                case = {"baseline": baseline, "autocorrelation": phi, "level": level, "statistic": statistic}
                cases.append({**case, "pValue": p, "oraclePValue": published})
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
                published = two_sided((level - mean) / (sd * math.sqrt(1 + 1 / count)), stats.t(count - 1))
                for phi in (0, 0.6):
                    of_mean, inflation, size = precision(count, phi)
                    t = (level - mean) / (sd * math.sqrt(inflation * (1 + of_mean)))
                    law = stats.t(size - 1)
                    p = {"both": two_sided(t, law), "up": float(law.sf(t)), "down": float(law.cdf(t))}
                    case = {"baseline": baseline, "autocorrelation": phi, "level": level, "statistic": t}
                    cases.append({**case, "pValue": p, "oraclePValue": published})
    rows = []
    for size in (999, 1000, 2500):
        values = rounded(np.sort(rng.lognormal(4, 1, size=size)))
        rows.append({"values": values, "quantile": values[math.ceil(0.99 * size) - 1] if size >= 1000 else None})
    write("quantile", {"cases": cases, "rows": rows})


# -- seasons -------------------------------------------------------------------------------------------------------


def digits(value):
    return float(f"{value:.7g}")


class Units:
    """Mean square of deviations and of their levels by unit, over the latest ones as a running mean with a bound."""

    def __init__(self, hours_min, units_max):
        self.hours_min, self.units_max = hours_min, units_max
        self.units, self.total, self.between, self.open = 0, 0.0, 0.0, []

    def present(self):
        return max(self.total, float(np.mean([square for square, _, _ in self.open])) if self.open else 0.0)

    def add(self, deviations, share):
        square, mean = float(np.mean(np.square(deviations))) / share, float(np.mean(deviations))
        bound = 16 * self.present()
        kept = bound / square if bound > 0 and square > bound else 1.0
        self.open.append((kept * square, math.sqrt(kept) * mean / share, 1 / share))

    def close(self):
        if len(self.open) >= self.hours_min:
            squares, sums, weights = zip(*self.open)
            self.units = min(self.units + 1, self.units_max)
            self.total += (float(np.mean(squares)) - self.total) / self.units
            self.between += ((sum(sums) / sum(weights)) ** 2 - self.between) / self.units
        self.open = []

    def degrees(self, parts, share, count):
        level = 1.0
        if self.units >= 4 and self.total > 0:
            level = min(1.0, self.between / (self.total * share))
        rest = 1 - level
        return 1 / (level**2 / self.units + rest**2 / (self.units * parts) + rest**2 / count)


class Scales:
    """Mean squares by hour of the day, shrunk on the log scale to what all have in common."""

    def __init__(self):
        self.square, self.count = np.zeros(24), np.zeros(24, int)

    def shrunk(self):
        known = self.count > 0
        mean = float(self.square[known].mean()) if known.any() else 0.0
        if mean == 0:
            return None
        logs = np.log(np.maximum(self.square, 1e-6 * mean))
        common, spread = float(logs[known].mean()), float(logs[known].var(ddof=1)) if known.sum() > 1 else 0.0
        by_chance = 2 * int(known.sum()) / int(self.count.sum())
        weight = min(56, 2 / max(spread - by_chance, 2 / 56))
        return mean, np.exp((self.count * logs + weight * common) / (self.count + weight)), weight

    def of(self, hour):
        shrunk = self.shrunk()
        if shrunk is None:
            return 1.0, 56
        _, squares, weight = shrunk
        return float(squares[hour] / squares[self.count > 0].mean()), float(self.count[hour] + weight)

    def add(self, hour, square):
        shrunk = self.shrunk()
        if shrunk is not None:
            square = min(square, 16 * max(shrunk[0], float(shrunk[1][hour])))
        self.count[hour] = min(self.count[hour] + 1, 56)
        step = (square - self.square[hour]) / self.count[hour]
        self.square[hour] = float(f"{self.square[hour] + step:.4g}")


class Season:
    def __init__(self, zone):
        self.zone = zoneinfo.ZoneInfo(zone)
        self.mean, self.weeks = np.zeros((7, 24)), np.zeros((7, 24), int)
        self.by_day, self.by_week, self.scales = Units(12, 28), Units(84, 26), Scales()
        self.first, self.hour, self.quiet, self.out, self.held, self.count = None, None, [], [], set(), 0

    def of_day(self, hour):
        weeks = self.weeks[:, hour]
        return (float(weeks @ self.mean[:, hour]) / weeks.sum(), int(weeks.sum())) if weeks.sum() else None

    def additive(self, weekday, hour):
        day = float(self.weeks[weekday] @ self.mean[weekday]) / self.weeks[weekday].sum()
        whole = float((self.weeks * self.mean).sum()) / self.weeks.sum()
        return self.of_day(hour)[0] + day - whole

    def of_week(self, weekday, hour):
        own = int(self.weeks[weekday, hour])
        if own == 0:
            return None
        return (own * self.mean[weekday, hour] + self.additive(weekday, hour)) / (own + 1), own

    def learn(self, weekday, hour, value, bound):
        """A mean over weeks; of the first two the one that is nearer to what is usual bounds the other."""
        known, weeks = self.mean[weekday, hour], min(self.weeks[weekday, hour] + 1, 8)
        if weeks == 2:
            usual = self.additive(weekday, hour)
            if abs(value - usual) < abs(known - usual):
                known = min(max(known, value - bound), value + bound)
        if weeks > 1:
            value = min(max(value, known - bound), known + bound)
        self.weeks[weekday, hour] = weeks
        self.mean[weekday, hour] = digits(known + (value - known) / weeks)

    def close(self, date):
        day, weekday, hour = self.hour
        stood_out, held = len(self.out) > len(self.quiet), (weekday, hour) in self.held
        if stood_out and not held:
            self.held.add((weekday, hour))
        else:
            if not stood_out:
                self.held.discard((weekday, hour))
            taken = self.quiet + self.out if stood_out else self.quiet
            by_day, by_week = self.of_day(hour), self.of_week(weekday, hour)
            if by_week and self.by_week.units == 0 and not self.by_week.open:
                self.scales = Scales()
            share, _ = self.scales.of(hour)
            for units, expected in ((self.by_day, by_day), (self.by_week, by_week)):
                if expected:
                    deviations = [(v - expected[0]) / math.sqrt(1 + 1 / expected[1]) for v in taken]
                    units.add(deviations, share)
            is_week = self.by_week.units > 0 or bool(self.by_week.open)
            expected = by_week if is_week else by_day
            if expected:
                deviations = [(v - expected[0]) / math.sqrt(1 + 1 / expected[1]) for v in taken]
                self.scales.add(hour, float(np.mean(np.square(deviations))))
            bound = math.inf if stood_out else 4 * math.sqrt(self.by_week.present() * share)
            self.learn(weekday, hour, float(np.mean(taken)), bound or math.inf)
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
        share, count = self.scales.of(hour)
        sd = max(0.001, 0.01 * abs(expected[0]), math.sqrt(units.total * share))
        statistic = (value - expected[0]) / (sd * math.sqrt(1 + 1 / expected[1]))
        p = two_sided(statistic, stats.t(units.degrees(parts, share, count)))
        effect = abs(value - expected[0]) / sd
        stands_out = p > 0 and -math.log10(p) >= 3 and effect >= 3
        (self.out if is_week and stands_out else self.quiet).append(value)
        return [statistic, p]


# Values of three decimals have means that are ties when cut to seven digits: times this they have not.
SCALE = math.pi / 3


def seasonal():
    """Nine weeks, two values an hour: nights that vary three times as much, an incident in the first week and one later,
    a step, a gap, weeks whose levels differ; around a change of the clock in either direction, in zones that are half an
    hour off, and in one whose clock changes by half an hour."""
    cases = []
    zones = (("Europe/Berlin", 3), ("Europe/Berlin", 10), ("America/New_York", 10), ("Asia/Kolkata", 6))
    for zone, month in (*zones, ("Australia/Adelaide", 3), ("Australia/Lord_Howe", 9)):
        rng = np.random.default_rng(month)
        start = datetime.datetime(2025, month, 1, 7, 30, tzinfo=datetime.timezone.utc)
        season, values, answers = Season(zone), [], []
        for index in range(9 * 336):
            time = start + datetime.timedelta(minutes=30 * (index + 1))
            value = 100 + 10 * math.sin(time.hour / 24 * 2 * math.pi) - 8 * (time.weekday() > 4)
            value += rng.normal() * (3 if time.hour < 8 else 1) + [0, 1.5, -1][index // 336 % 3]
            value += 60 * (2200 <= index < 2206) + 25 * (index >= 2500) + 60 * (130 <= index < 142)
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
