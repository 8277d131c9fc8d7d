#!/usr/bin/python3
"""Writes src/stats/stats_reference.json: what other people's code and plain enumeration say of the same data.

SciPy and NumPy answer what they have; what they lack (exact distributions with ties, Walsh averages, Holm) is enumerated
here in whole numbers and fractions, without the shortcuts that the C++ code takes. Each case names its source.

    /usr/bin/python3 tests/reference/stats_reference.py
"""

import collections
import itertools
import json
import math
import pathlib
from fractions import Fraction

import numpy
import scipy
from scipy import stats

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "src" / "stats" / "stats_reference.json"
generator = numpy.random.default_rng(20240711)
cases = []


def add(kind, source, **fields):
    cases.append({"kind": kind, "source": source, **fields})


def numbers(array):
    return [float(value) for value in array]


def sample(n, ties):
    """Normal data; with ties, rounded so that many values coincide (no zeros)."""
    data = generator.normal(0.4, 1.0, n)
    if ties:
        data = numpy.round(data * 2.0) / 2.0
        data[data == 0.0] = 0.5
    return data


def describe(data):
    probabilities = [0.0, 0.1, 0.25, 0.5, 0.9, 0.975, 1.0]
    add("describe", "numpy", x=numbers(data), mean=float(numpy.mean(data)),
        standard_deviation=float(numpy.std(data, ddof=1)), median=float(numpy.median(data)),
        probabilities=probabilities, quantiles=numbers(numpy.quantile(data, probabilities)))


def ranks(data):
    add("mid_ranks", "scipy.stats.rankdata", x=numbers(data), ranks=numbers(stats.rankdata(data)))


def spearman(x, y):
    n = len(x)
    rho, p_value = stats.spearmanr(x, y)
    source = "scipy.stats.spearmanr; p not below 2/n!"
    p_value = max(float(p_value), 2.0 / math.factorial(n) if n < 150 else 0.0)
    if n <= 8:
        source = "scipy.stats.spearmanr; p by enumeration of all orders"
        a = [int(2 * r) - (n + 1) for r in stats.rankdata(x)]
        b = [int(2 * r) - (n + 1) for r in stats.rankdata(y)]
        seen = abs(sum(i * j for i, j in zip(a, b)))
        hits = sum(abs(sum(i * j for i, j in zip(a, order))) >= seen for order in itertools.permutations(b))
        p_value = float(Fraction(hits, math.factorial(n)))
    elif n == 9:
        return
    half = stats.norm.ppf(0.975) * math.sqrt((1 + rho * rho / 2) / (n - 3))
    add("spearman", source, x=numbers(x), y=numbers(y), rho=float(rho), p_value=p_value,
        low=float(numpy.tanh(numpy.arctanh(rho) - half)), high=float(numpy.tanh(numpy.arctanh(rho) + half)))


def enumerated_signed_rank(data, shift):
    """P-values over all 2^n signs of the mid-ranks seen, in whole numbers; zeros dropped. Each sign by itself while
    they can be listed, else by counting how many choices of signs give each sum."""
    shifted = [value - shift for value in data if value != shift]
    doubled = [int(2 * r) for r in stats.rankdata([abs(value) for value in shifted])]
    seen = sum(r for r, value in zip(doubled, shifted) if value > 0)
    if len(doubled) <= 14:
        counts = collections.Counter(sum(r for r, sign in zip(doubled, signs) if sign)
                                     for signs in itertools.product((False, True), repeat=len(doubled)))
    else:
        counts = collections.Counter({0: 1})
        for r in doubled:
            counts += collections.Counter({total + r: count for total, count in counts.items()})
    everything = 2 ** len(doubled)
    lower = Fraction(sum(count for total, count in counts.items() if total <= seen), everything)
    upper = Fraction(sum(count for total, count in counts.items() if total >= seen), everything)
    return {"two_sided": float(min(Fraction(1), 2 * min(lower, upper))), "greater": float(upper),
            "less": float(lower)}, seen / 2


def signed_rank(data, shift=0.0):
    shifted = numpy.asarray(data) - shift
    untied = len(set(numpy.abs(shifted))) == len(shifted) and not (shifted == 0.0).any()
    n = int((shifted != 0.0).sum())
    scipy_name = {"two_sided": "two-sided", "greater": "greater", "less": "less"}
    if n <= 14 or (n <= 50 and not untied):
        source = "enumeration of all signs"
        p_values, w_plus = enumerated_signed_rank(data, shift)
        if untied:
            for name, p in p_values.items():
                assert math.isclose(p, stats.wilcoxon(shifted, alternative=scipy_name[name], mode="exact").pvalue)
    elif n <= 50:
        source = "scipy.stats.wilcoxon, exact"
        p_values = {name: float(stats.wilcoxon(shifted, alternative=other, mode="exact").pvalue)
                    for name, other in scipy_name.items()}
        w_plus = float(stats.wilcoxon(shifted, alternative="greater", mode="exact").statistic)
    else:
        source = "scipy.stats.wilcoxon, normal approximation with continuity correction"
        p_values = {name: float(stats.wilcoxon(shifted, alternative=other, mode="approx", correction=True,
                                               zero_method="wilcox").pvalue)
                    for name, other in scipy_name.items()}
        w_plus = float(stats.wilcoxon(shifted, alternative="greater", mode="approx").statistic)
    add("signed_rank", source, x=numbers(data), shift=shift, n=n, w_plus=w_plus, **p_values)


def hodges_lehmann(data, level):
    """Walsh averages sorted, and the largest cut that the enumerated distribution of untied ranks allows."""
    n = len(data)
    averages = sorted((data[i] + data[j]) / 2 for i in range(n) for j in range(i, n))
    counts = {0: 1}
    for r in range(1, n + 1):
        grown = {}
        for total, count in counts.items():
            grown[total] = grown.get(total, 0) + count
            grown[total + r] = grown.get(total + r, 0) + count
        counts = grown
    half = (1 - Fraction(str(level))) / 2
    cut = 0
    tail = Fraction(0)
    while tail + Fraction(counts[cut], 2**n) <= half:
        tail += Fraction(counts[cut], 2**n)
        cut += 1
    interval = None
    if cut:
        interval = {"low": float(averages[cut - 1]), "high": float(averages[len(averages) - cut]),
                    "level": float(1 - 2 * tail)}
    add("hodges_lehmann", "enumeration of Walsh averages, whole-number counts", x=numbers(data), level=level,
        estimate=float(numpy.median(averages)), interval=interval)


def cliffs_delta(x, y):
    wins = sum(int(a > b) - int(a < b) for a in x for b in y)
    add("cliffs_delta", "enumeration of all pairs", x=numbers(x), y=numbers(y), delta=wins / (len(x) * len(y)))


def adjusted(p_values):
    m = len(p_values)
    # Definitions without sorting: Holm's adjusted p is the largest (m - rank + 1) p_j over p_j <= p_i, and so on.
    def place(j):
        return sum(p < p_values[j] or (p == p_values[j] and k <= j) for k, p in enumerate(p_values))

    holm = [min(1.0, max((m - place(j) + 1) * p_values[j] for j in range(m) if place(j) <= place(i)))
            for i in range(m)]
    bh = [min(1.0, min(m / place(j) * p_values[j] for j in range(m) if place(j) >= place(i))) for i in range(m)]
    add("adjusted", "definitions of Holm and of Benjamini and Hochberg", x=p_values, holm=holm, benjamini_hochberg=bh)


for n in (2, 3, 8, 31, 200):
    for ties in (False, True):
        data = sample(n, ties)
        describe(data)
        ranks(data)
describe(1e9 + generator.normal(0, 1e-3, 40))

for n in (4, 5, 6, 7, 8, 10, 12, 25, 80, 200):
    for ties in (False, True):
        for _ in range(2):
            x = sample(n, ties)
            y = numpy.round(x + generator.normal(0, 1.5, n), 0 if ties else 12)
            if len(set(y)) > 1 and len(set(x)) > 1 and abs(stats.spearmanr(x, y)[0]) < 0.9999:
                spearman(x, y)

for n in (1, 2, 3, 5, 6, 8, 10, 13):
    for ties in (False, True):
        data = sample(n, ties)
        signed_rank(data)
        signed_rank(data, 0.25 if not ties else 0.5)
for n in (20, 35, 50):
    signed_rank(sample(n, True))
    signed_rank(sample(n, False))
    signed_rank(sample(n, False), 0.125)
for n in (51, 70, 300):
    for ties in (False, True):
        signed_rank(sample(n, ties))
        signed_rank(sample(n, ties), 0.5)

for n in (1, 5, 6, 7, 8, 12, 20, 50):
    for ties in (False, True):
        hodges_lehmann(list(sample(n, ties)), 0.95)
        hodges_lehmann(list(sample(n, ties)), 0.9)

for n, m in ((1, 1), (4, 7), (30, 30), (200, 151)):
    for ties in (False, True):
        cliffs_delta(sample(n, ties), sample(m, ties) - 0.5)

for m in (1, 2, 5, 20):
    adjusted(numbers(generator.uniform(0, 1, m) ** 3))
adjusted([0.01, 0.01, 0.04, 0.04, 1.0, 0.0])

OUTPUT.write_text(json.dumps({"numpy": numpy.__version__, "scipy": scipy.__version__, "cases": cases}) + "\n")
print(f"{len(cases)} cases")
