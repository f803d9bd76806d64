"""Two-sample tests without a library: Kolmogorov-Smirnov and chi-square, as p-values."""
import math


def ks(a, b):
    """(D, p): the largest distance of the two empirical distributions (asymptotic, ties allowed)."""
    a, b = sorted(a), sorted(b)
    n, m = len(a), len(b)
    i = j = 0
    distance = 0.0
    while i < n and j < m:
        x = min(a[i], b[j])
        while i < n and a[i] <= x:
            i += 1
        while j < m and b[j] <= x:
            j += 1
        distance = max(distance, abs(i / n - j / m))
    root = math.sqrt(n * m / (n + m))
    t = (root + 0.12 + 0.11 / root) * distance
    if t < 0.2:
        return distance, 1.0
    return distance, min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * t * t) for k in range(1, 101))))


def _upper_gamma(s, x):
    """Regularised Q(s, x)."""
    if x <= 0:
        return 1.0
    if x < s + 1:
        term = total = 1 / s
        for n in range(1, 1000):
            term *= x / (s + n)
            total += term
        return 1 - total * math.exp(-x + s * math.log(x) - math.lgamma(s))
    b, c = x + 1 - s, 1e300
    d = 1 / b
    h = d
    for n in range(1, 1000):
        an = -n * (n - s)
        b += 2
        d = 1 / (an * d + b or 1e-300)
        c = b + an / c or 1e-300
        h *= d * c
    return h * math.exp(-x + s * math.log(x) - math.lgamma(s))


def chi_square(a, b):
    """p that two counters are draws from one distribution; rare outcomes are pooled."""
    keys = sorted(set(a) | set(b))
    common = [k for k in keys if a.get(k, 0) + b.get(k, 0) >= 10]
    rest = [k for k in keys if k not in common]
    rows = [(a.get(k, 0), b.get(k, 0)) for k in common]
    if rest:
        rows.append((sum(a.get(k, 0) for k in rest), sum(b.get(k, 0) for k in rest)))
    if len(rows) < 2:
        return 1.0
    n, m = sum(r[0] for r in rows), sum(r[1] for r in rows)
    value = 0.0
    for x, y in rows:
        for seen, size in ((x, n), (y, m)):
            expected = (x + y) * size / (n + m)
            value += (seen - expected) ** 2 / expected
    return _upper_gamma((len(rows) - 1) / 2, value / 2)


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


assert ks(range(100), range(100))[1] > 0.99 and ks(range(100), range(80, 180))[1] < 1e-6
assert abs(_upper_gamma(0.5, 1.92) - 0.05) < 0.001 and _upper_gamma(2, 20) < 1e-6
