#!/usr/bin/python3
"""Wattle's statistics against SciPy's, in turn on the same numbers, one thread each, by CPU time.

    /usr/bin/python3 bench/stats_peer.py build/release/bin/stats_bench [ROUNDS]

Prints a line a case: the median of either over the rounds, and the median of the ratios of neighbouring rounds; then their
geometric mean. SciPy is given every chance: whole matrices where it takes an axis, and what it lacks an axis for is written
with its vectorised parts. What is called row by row is a part of the rows, its time scaled, and said so.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import inspect
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import scipy
from scipy import stats

generator = numpy.random.default_rng(1)
WILCOXON = generator.normal(0.2, 1.0, (100_000, 30))
CLIFF = generator.normal(0.0, 1.0, (200, 2000))
BCA = generator.lognormal(0.0, 0.5, (20, 100))
KRUSKAL = generator.normal(0.0, 1.0, (5_000, 90))


def exact_signs(n):
    counts = numpy.zeros(n * (n + 1) // 2 + 1)
    counts[0] = 1
    for rank in range(1, n + 1):
        counts[rank:] += counts[:-rank].copy()
    return numpy.cumsum(counts / 2.0**n)


def ranks_without_ties(data):
    return numpy.argsort(numpy.argsort(data, axis=1), axis=1) + 1


def wilcoxon_vectorised(data, ranked=lambda data: stats.rankdata(data, axis=1)):
    ranks = ranked(numpy.abs(data))
    total = data.shape[1] * (data.shape[1] + 1) // 2
    w = numpy.sum(ranks * (data > 0), axis=1).astype(int)
    return numpy.minimum(1.0, 2.0 * exact_signs(data.shape[1])[numpy.minimum(w, total - w)]).sum()


def wilcoxon_numpy(data):
    return wilcoxon_vectorised(data, ranks_without_ties)


def wilcoxon_axis(data):
    return stats.wilcoxon(data, axis=1, method="exact").pvalue.sum()


def wilcoxon_rows(data):
    return sum(stats.wilcoxon(row, mode="exact").pvalue for row in data)


def cliff_axis(data):
    half = data.shape[1] // 2
    u = stats.mannwhitneyu(data[:, :half], data[:, half:], axis=1, method="asymptotic").statistic
    return (2.0 * u / half**2 - 1.0).sum()


def cliff_ranks(data):
    half = data.shape[1] // 2
    sums = stats.rankdata(data, axis=1)[:, :half].sum(axis=1)
    return (2.0 * (sums - half * (half + 1) / 2) / half**2 - 1.0).sum()


def bca(data):
    total = 0.0
    for row in data:
        found = stats.bootstrap((row,), numpy.mean, n_resamples=10_000, method="BCa", vectorized=True)
        total += found.confidence_interval.low + found.confidence_interval.high
    return total


def kruskal_axis(data):
    third = data.shape[1] // 3
    return stats.kruskal(data[:, :third], data[:, third:2 * third], data[:, 2 * third:], axis=1).pvalue.sum()


def kruskal_vectorised(data, ranked=lambda data: stats.rankdata(data, axis=1)):
    n, third = data.shape[1], data.shape[1] // 3
    sums = ranked(data).reshape(len(data), 3, third).sum(axis=2)
    h = 12.0 / (n * (n + 1)) * (sums**2).sum(axis=1) / third - 3 * (n + 1)
    return stats.chi2.sf(h, 2).sum()


def kruskal_numpy(data):
    return kruskal_vectorised(data, ranks_without_ties)


has_axis = "axis" in inspect.signature(stats.wilcoxon).parameters
# case, title, data, [(name, function, rows of it)]; names that begin with "numpy" are no part of SciPy.
CASES = [
    ("wilcoxon", "Wilcoxon, 100,000 x n = 30, exact", WILCOXON,
     [("numpy.argsort, which takes no ties, and the exact table", wilcoxon_numpy, len(WILCOXON)),
      ("rankdata(axis) and the exact table", wilcoxon_vectorised, 2000)]
     + ([("wilcoxon(axis)", wilcoxon_axis, 500)] if has_axis else [("wilcoxon, row by row", wilcoxon_rows, 300)])),
    ("cliffs_delta", "Cliff's delta, 200 x (1000 and 1000)", CLIFF,
     [("mannwhitneyu(axis)", cliff_axis, len(CLIFF)), ("rankdata(axis)", cliff_ranks, len(CLIFF))]),
    ("bca", "BCa of the mean, 20 x 10,000 resamples of 100", BCA, [("bootstrap(vectorized)", bca, len(BCA))]),
    ("bca_general", "the same, any statistic", BCA, [("bootstrap(vectorized)", bca, len(BCA))]),
    ("kruskal", "Kruskal-Wallis, 5,000 x 3 groups of 30", KRUSKAL,
     [("numpy.argsort, which takes no ties, and chi2", kruskal_numpy, len(KRUSKAL)),
      ("kruskal(axis)", kruskal_axis, 200), ("rankdata(axis) and chi2", kruskal_vectorised, 1000)]),
]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print(f"SciPy {scipy.__version__}, NumPy {numpy.__version__}, {rounds} rounds in turn, one thread")
    with tempfile.TemporaryDirectory() as folder:
        for name, _, data, _ in CASES:
            data.astype("<f8").tofile(pathlib.Path(folder) / f"{name}.f64")
        server = subprocess.Popen([sys.argv[1], folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def ours(name, data):
            server.stdin.write(f"{name} {data.shape[0]} {data.shape[1]}\n")
            server.stdin.flush()
            seconds, total = server.stdout.readline().split()
            return float(seconds), float(total)

        fastest = {"SciPy": [], "hand-written NumPy too": []}
        for name, title, data, peers in CASES:
            print(f"\n{title}")
            best = {kind: math.inf for kind in fastest}
            for peer, function, rows in peers:
                part, scale, times, ratios = data[:rows], len(data) / rows, [], []
                for _ in range(rounds):
                    mine, total = ours(name, data)
                    start = time.process_time()
                    theirs_total = function(part)
                    theirs = (time.process_time() - start) * scale
                    times.append((mine, theirs))
                    ratios.append(theirs / mine)
                if scale == 1:
                    assert math.isclose(total, theirs_total, rel_tol=0.02 if name.startswith("bca") else 1e-9), (name, total)
                mine, theirs = (statistics.median(column) for column in zip(*times))
                ratio = statistics.median(ratios)
                for kind in fastest:
                    if kind != "SciPy" or not peer.startswith("numpy"):
                        best[kind] = min(best[kind], ratio)
                scaled = "" if scale == 1 else f"  ({rows} rows, scaled)"
                print(f"  {mine * 1e3:9.2f} ms  against {theirs * 1e3:9.1f} ms  {ratio:7.1f} x  {peer}{scaled}")
            for kind, ratio in best.items():
                fastest[kind].append(ratio)
        server.stdin.close()
        server.wait()
    print()
    for kind, ratios in fastest.items():
        each = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"Geometric mean over the fastest way of each, {kind}: {statistics.geometric_mean(ratios):.1f} x ({each})")


main()
