#!/usr/bin/python3
"""Writes src/stats/r_reference.json: what R, SciPy, statsmodels and plain enumeration say of generated data.

R answers through r_reference.R beside this file (packages r-base-core, r-cran-jsonlite, r-cran-survival,
r-cran-exactranktests, r-cran-car, r-cran-rstatix; python3-scipy, python3-statsmodels). What none of them has is worked out
here from its definition, without the shortcuts that the C++ code takes. Tests read the JSON and need none of it.

    /usr/bin/python3 tests/reference/r_reference.py
"""

import collections
import itertools
import json
import math
import pathlib
import subprocess
import tempfile
from fractions import Fraction

import numpy
import scipy
import statsmodels
from scipy import stats
from scipy.stats import _resampling
from statsmodels.duration.survfunc import survdiff

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE.parents[1] / "src" / "stats" / "r_reference.json"
generator = numpy.random.default_rng(20261121)
asked, answered = [], []


def numbers(array):
    return [float(value) for value in array]


def ask(kind, **fields):
    """A case for R."""
    asked.append({"kind": kind, **fields})


def tell(kind, source, answer, **fields):
    """A case that is answered here."""
    answered.append({"kind": kind, "source": source, **fields, "answer": answer})


def sample(n, ties, mean=0.4, spread=1.0):
    data = generator.normal(mean, spread, n)
    if ties:
        data = numpy.round(data * 2.0) / 2.0
        data[data == 0.0] = 0.5
    return numbers(data)


def skewed(n):
    return numbers(generator.lognormal(0.0, 0.7, n))


# --- Two samples and pairs ------------------------------------------------------------------------------------------

for n in (3, 7, 12, 30, 60, 200):
    for ties in (False, True):
        ask("signed_rank_normal", x=sample(n, ties))
        ask("signed_rank_normal", x=skewed(n) if not ties else sample(n, ties, -0.6))
for n in (4, 9, 16, 25, 40, 50):
    for ties in (False, True):
        ask("signed_rank_exact", x=sample(n, ties))
ask("signed_rank_exact", x=sample(120, False, 0.1))  # beyond the automatic limit

for n, m in ((3, 3), (5, 8), (12, 12), (30, 20), (70, 55), (200, 150)):
    for ties in (False, True):
        ask("rank_sum_normal", x=sample(n, ties), y=sample(m, ties, 0.0))
        ask("rank_sum_normal", x=sample(n, ties, 1.0), y=sample(m, ties, -0.5))
for n, m in ((1, 4), (3, 3), (4, 7), (8, 8), (15, 10), (20, 24), (50, 49)):
    ask("rank_sum_exact", x=sample(n, False), y=sample(m, False, 0.0))
for n, m in ((4, 4), (5, 7), (8, 8), (12, 10), (20, 16), (30, 30)):
    ask("rank_sum_exact", x=sample(n, True), y=sample(m, True, 0.0))
    ask("rank_sum_exact", x=sample(n, True, 0.8), y=sample(m, True, 0.0))

for n in (4, 5, 6, 7, 8, 9):
    for _ in range(2):
        x = sample(n, False)
        ask("spearman_exact", x=x, y=numbers(numpy.array(x) + generator.normal(0, 1.5, n)))
for n in (5, 10, 13, 30, 150):
    for ties in (False, True):
        x = sample(n, ties)
        ask("spearman_t", x=x, y=numbers(numpy.round(numpy.array(x) + generator.normal(0, 2.0, n), 0 if ties else 12)))


def spearman_by_subsets(x, y):
    """Orders counted by which of y the first places have taken, in whole numbers."""
    a = [int(2 * r) for r in stats.rankdata(x)]
    b = [int(2 * r) for r in stats.rankdata(y)]
    n = len(a)
    layer = {0: collections.Counter({0: 1})}
    for place in a:
        grown = collections.defaultdict(collections.Counter)
        for taken, counts in layer.items():
            for j in range(n):
                if not taken >> j & 1:
                    target = grown[taken | 1 << j]
                    for total, count in counts.items():
                        target[total + place * b[j]] += count
        layer = grown
    counts = layer[(1 << n) - 1]
    seen = sum(i * j for i, j in zip(a, b))
    mean = n * (n + 1) ** 2
    every = math.factorial(n)
    share = lambda chosen: float(Fraction(sum(c for total, c in counts.items() if chosen(total)), every))
    tell("spearman_exact", "counting of orders by subsets",
         {"rho": float(stats.spearmanr(x, y)[0]),
          "p": {"two_sided": share(lambda t: abs(t - mean) >= abs(seen - mean)), "greater": share(lambda t: t >= seen),
                "less": share(lambda t: t <= seen)}}, x=x, y=y)


for n, ties in ((10, False), (11, False), (10, True), (8, True), (6, True)):
    x = sample(n, ties)
    spearman_by_subsets(x, numbers(numpy.round(numpy.array(x) + generator.normal(0, 1.5, n), 0 if ties else 12)))


def cliff(x, y, level):
    """Cliff's definitions over the whole dominance matrix."""
    x, y = numpy.array(x), numpy.array(y)
    n, m = len(x), len(y)
    d = numpy.sign(x[:, None] - y[None, :])
    delta = float(d.mean())
    centre = delta if abs(delta) < 1 else delta * (n * m - 1) / (n * m)
    s_i = ((d.mean(axis=1) - centre) ** 2).sum() / (n - 1)
    s_j = ((d.mean(axis=0) - centre) ** 2).sum() / (m - 1)
    s_ij = ((d - centre) ** 2).sum() / ((n - 1) * (m - 1))
    variance = ((m - 1) * s_i + (n - 1) * s_j + s_ij) / (n * m)
    answer = {"delta": delta, "variance": float(variance)}
    student = stats.t.isf((1 - level) / 2, n + m - 2)
    for _ in range(3):  # SciPy's quantile is good to 1e-9 only: Newton's steps on its distribution
        student += (stats.t.sf(student, n + m - 2) - (1 - level) / 2) / stats.t.pdf(student, n + m - 2)
    for name, z in (("student", student), ("normal", stats.norm.isf((1 - level) / 2))):
        free = 1 - centre**2
        half = z * math.sqrt(variance) * math.sqrt(free**2 + z * z * variance)
        low, high = ((centre - centre**3 + sign * half) / (free + z * z * variance) for sign in (-1, 1))
        answer[name] = [-1.0 if delta == -1 else float(low), 1.0 if delta == 1 else float(high)]
    tell("dominance", "Cliff 1993, Feng & Cliff 2004, over all pairs", answer, x=numbers(x), y=numbers(y), level=level)


for n, m in ((2, 2), (4, 7), (10, 10), (30, 25), (200, 120)):
    for ties in (False, True):
        cliff(sample(n, ties), sample(m, ties, 0.0), 0.95)
        cliff(sample(n, ties, 1.2), sample(m, ties, 0.0), 0.9)
cliff([5.0, 6.0, 7.0], [1.0, 2.0, 3.0, 4.0], 0.95)
cliff([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0], 0.95)

# --- One sample, means, groups ----------------------------------------------------------------------------------------

for n in (3, 4, 5, 6, 8, 11, 12, 20, 50, 300, 2000):
    ask("shapiro_wilk", x=sample(n, False))
    ask("shapiro_wilk", x=skewed(n))
for n in (6, 20, 100):
    ask("shapiro_wilk", x=sample(n, True))

for sizes in ((3, 3), (5, 4, 6), (10, 10, 10), (30, 30, 30), (4, 9, 15, 7), (8, 8, 8, 8, 8), (100, 60, 40)):
    for ties in (False, True):
        ask("groups", groups=[sample(n, ties, 0.3 * i, 1.0 + 0.2 * i) for i, n in enumerate(sizes)])
        ask("groups", groups=[[50.0 + 3.0 * v for v in sample(n, ties)] for n in sizes])

for n, m in ((2, 2), (5, 9), (12, 12), (40, 25), (300, 200)):
    ask("t_test", x=sample(n, False), y=sample(m, False, 0.0, 2.0), mu=0.0, level=0.95)
    ask("t_test", x=sample(n, True, 1.0), y=sample(m, False, 0.0, 0.5), mu=0.3, level=0.9)
    ask("t_test", x=sample(n, False), y=[], mu=0.0, level=0.95)
    ask("margins", x=sample(n, False), y=sample(m, False, 0.2, 2.0), margin=0.7)
    ask("margins", x=sample(n, False, 0.0), y=[], margin=0.5)
ask("t_test", x=numbers(1e9 + generator.normal(0, 1.0, 30)), y=[], mu=1e9, level=0.95)

for levels, others, each in ((2, 2, 3), (2, 3, 4), (3, 3, 2), (4, 2, 6)):
    for strength in (0.0, 1.0):
        first, second, values = [], [], []
        for a, b in itertools.product(range(levels), range(others)):
            for _ in range(each + int(generator.integers(0, 3))):
                first.append(a)
                second.append(b)
                values.append(float(10 + a + 2 * b + strength * a * b + generator.normal()))
        ask("interaction", values=values, first=first, second=second)
# A combination that was never run.
kept = [i for i, (a, b) in enumerate(zip(first, second)) if (a, b) != (1, 1)]
ask("interaction", values=[values[i] for i in kept], first=[first[i] for i in kept], second=[second[i] for i in kept])

# --- Censored times ---------------------------------------------------------------------------------------------------


def lifetimes(n, ties, rate=1.0):
    lives = generator.exponential(10 * rate, n)
    ends = generator.uniform(2, 25, n)
    time, event = numpy.minimum(lives, ends), lives <= ends
    if ties:
        time = numpy.ceil(time)
    event[0] = True
    return numbers(time), [int(e) for e in event]


for n in (4, 10, 30, 100):
    for ties in (False, True):
        for level in (0.95, 0.8):
            time, event = lifetimes(n, ties)
            ask("kaplan_meier", time=time, event=event, level=level, horizon=max(time) * (1.0 if level == 0.95 else 0.6))
for sizes in ((5, 5), (12, 9), (40, 30), (10, 12, 9), (25, 25, 20, 30)):
    for ties in (False, True):
        time, event, group = [], [], []
        for g, n in enumerate(sizes):
            t, e = lifetimes(n, ties, 1.0 + 0.4 * g)
            time, event, group = time + t, event + e, group + [g] * n
        ask("log_rank", time=time, event=event, group=group)
        chi, p = survdiff(numpy.array(time), numpy.array(event), numpy.array(group), weight_type="gb")
        tell("gehan", "statsmodels.duration.survfunc.survdiff, weight gb", {"chi_squared": float(chi), "p": float(p)},
             time=time, event=event, group=group)

# --- Planning, families of tests ------------------------------------------------------------------------------------------

for n, effect in ((3, 0.5), (5, 1.0), (10, 0.8), (30, 0.5), (100, 0.2), (30, 0.0)):
    for kind in ("paired", "two.sample"):
        for alpha in (0.05, 0.01):
            ask("t_power", n=n, effect=effect, alpha=alpha, type=kind)
for m in (1, 2, 6, 30):
    ask("adjusted", p=numbers(numpy.atleast_1d(generator.uniform(0, 1, m) ** 3)))
    ask("adjusted", p=numbers(numpy.round(generator.uniform(0, 1, m), 1)))

# --- Resampling: the same stream of numbers, written again from its papers -----------------------------------------------------


class SplitMix:
    def __init__(self, seed):
        self.state = seed

    def bits(self):
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def scaled(self, half, n):
        while half * n % 2**32 < 2**32 % n:
            half = self.bits() >> 32
        return half * n >> 32

    def resample(self, x):
        """Two places of each number drawn, the last of an odd many by itself."""
        drawn = []
        for _ in range(len(x) // 2):
            bits = self.bits()
            drawn += [x[self.scaled(bits >> 32, len(x))], x[self.scaled(bits & 0xFFFFFFFF, len(x))]]
        return drawn + ([x[self.scaled(self.bits() >> 32, len(x))]] if len(x) % 2 else [])


def bootstrap(x, name, statistic, seed, resamples, level):
    draw = SplitMix(seed)
    x = numpy.array(x)
    drawn = numpy.array([draw.resample(x) for _ in range(resamples)])
    values = statistic(drawn, axis=-1)
    seen = statistic(x, axis=-1)
    values[numpy.abs(values - seen) <= 1e-12 * numpy.abs(x).max()] = seen  # equal but for rounding
    half = (1 - level) / 2
    low, high, acceleration = _resampling._bca_interval((x,), statistic, -1, half, values, None)
    quantiles = lambda at: numbers(numpy.quantile(values, at))
    tell("bootstrap", "scipy.stats.bootstrap's BCa of our resamples, numpy.quantile",
         {"estimate": float(statistic(x, axis=-1)), "standard_error": float(numpy.std(values, ddof=1)),
          "percentile": quantiles([half, 1 - half]), "bca": quantiles([float(low), float(high)]),
          "acceleration": float(acceleration)},
         x=numbers(x), statistic=name, seed=seed, resamples=resamples, level=level)


def deviation(values, axis):
    return numpy.std(values, ddof=1, axis=axis)


for n in (5, 20, 60):
    bootstrap(skewed(n), "mean", numpy.mean, 7, 500, 0.95)
    bootstrap(sample(n, True), "mean", numpy.mean, 20240711, 400, 0.9)
    bootstrap(skewed(n), "standard deviation", deviation, 3, 300, 0.95)
    # SciPy would divide 0 by 0 where the median of no jackknife sample moves: odd n keep it moving.
    bootstrap(skewed(n + 1 - n % 2), "median", numpy.median, 11, 300, 0.9)

# --- Fronts -----------------------------------------------------------------------------------------------------------


def better(a, b):
    return all(p <= q for p, q in zip(a, b)) and any(p < q for p, q in zip(a, b))


def volume(points, reference):
    """Inclusion and exclusion over all sets of points, in fractions."""
    total = Fraction(0)
    for size in range(1, len(points) + 1):
        for chosen in itertools.combinations(points, size):
            corner = [max(values) for values in zip(*chosen)]
            box = math.prod(max(Fraction(0), Fraction(r) - Fraction(c)) for c, r in zip(corner, reference))
            total += box if size % 2 else -box
    return float(total)


for d in (1, 2, 3, 4, 5):
    for n in (1, 5, 10):
        for ties in (False, True):
            points = [[round(v, 1 if ties else 6) for v in generator.uniform(0, 1, d)] for _ in range(n)]
            goals = [bool(generator.integers(0, 2)) for _ in range(d)]  # true: more is better
            turned = [[-v if goal else v for v, goal in zip(p, goals)] for p in points]
            reference = [-0.1 if goal else 0.9 for goal in goals]
            front = [i for i, p in enumerate(turned) if not any(better(q, p) for q in turned)]
            tell("pareto", "definition; inclusion and exclusion in fractions",
                 {"front": front,
                  "volume": volume(turned, [-r if goal else r for r, goal in zip(reference, goals)])},
                 values=[v for p in points for v in p], maximise=goals, reference=reference)

with tempfile.TemporaryDirectory() as folder:
    questions, answers = pathlib.Path(folder) / "cases.json", pathlib.Path(folder) / "answers.json"
    questions.write_text(json.dumps(asked))
    subprocess.run(["Rscript", "--vanilla", HERE / "r_reference.R", questions, answers], check=True)
    told = json.loads(answers.read_text())
cases = [{**case, "source": "R", "answer": answer} for case, answer in zip(asked, told["answers"], strict=True)] + answered
OUTPUT.write_text(json.dumps({"r": told["r"], "packages": told["packages"], "numpy": numpy.__version__,
                              "scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "cases": cases}) + "\n")
print(f"{len(cases)} cases")
print(collections.Counter(case["kind"] for case in cases))
