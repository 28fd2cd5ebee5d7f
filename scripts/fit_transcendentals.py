"""Prints the coefficients of src/cpu/transcendental.h. Standard library only: python3 scripts/fit_transcendentals.py

Remez exchange for the relative error, in decimal arithmetic; each coefficient is then rounded to float32."""
import struct
from decimal import Decimal as D, getcontext

getcontext().prec = 50
PI = D("3.14159265358979323846264338327950288419716939937510582097494")


def float32(x):
    return D(struct.unpack("f", struct.pack("f", float(x)))[0])


def power(u, p):
    return u ** p if p else D(1)


def solve(a, b):
    """Gauss with pivoting."""
    n = len(b)
    a = [row[:] + [v] for row, v in zip(a, b)]
    for i in range(n):
        p = max(range(i, n), key=lambda r: abs(a[r][i]))
        a[i], a[p] = a[p], a[i]
        for r in range(i + 1, n):
            f = a[r][i] / a[i][i]
            for c in range(i, n + 1):
                a[r][c] -= f * a[i][c]
    x = [D(0)] * n
    for i in reversed(range(n)):
        x[i] = (a[i][n] - sum(a[i][c] * x[c] for c in range(i + 1, n))) / a[i][i]
    return x


def remez(target, weight, powers, fixed, low, high, points):
    """Coefficients of the `powers` of u that, with `fixed` {power: value}, come nearest to target(u) in
    |error| * weight(u)."""
    import math
    grid = [(low + high) / 2 - (high - low) / 2 * D(math.cos(math.pi * i / points)) for i in range(points + 1)]
    t = [target(u) - sum(v * power(u, p) for p, v in fixed.items()) for u in grid]
    w = [weight(u) for u in grid]
    m = len(powers) + 1
    nodes = [round(i * points / (m - 1)) for i in range(m)]
    for _ in range(30):
        a = [[power(grid[k], p) for p in powers] + [(-1) ** i / w[k]] for i, k in enumerate(nodes)]
        x = solve(a, [t[k] for k in nodes])
        error = [(t[k] - sum(c * power(grid[k], p) for c, p in zip(x, powers))) * w[k] for k in range(points + 1)]
        runs = []  # the largest error of each run of one sign
        for k, e in enumerate(error):
            if runs and (error[runs[-1]] > 0) == (e > 0):
                if abs(e) > abs(error[runs[-1]]):
                    runs[-1] = k
            else:
                runs.append(k)
        while len(runs) > m:
            runs.pop(0 if abs(error[runs[0]]) < abs(error[runs[-1]]) else -1)
        if len(runs) < m or runs == nodes:
            break
        nodes = runs
    return x[:-1], max(abs(e) for e in error)


def fit(name, target, weight, powers, fixed, low, high, points=400):
    x, error = remez(target, weight, powers, fixed, low, high, points)
    rounded = dict(fixed) | {p: float32(c) for p, c in zip(powers, x)}
    worst = max(abs(target(u) - sum(v * power(u, p) for p, v in rounded.items())) * weight(u)
                for u in ((low + (high - low) * D(i) / 2000) for i in range(2001)))
    print("%s: relative error %.2e, with rounded coefficients %.2e" % (name, error, worst))
    for p in sorted(rounded):
        print("  u^%d  %s" % (p, float(rounded[p]).hex()), "%.9g" % rounded[p])


def upper_tail(t):
    """exp(t^2/2) * Phi(-t)."""
    if t < 6:  # Phi(-t) = 1/2 - exp(-t^2/2)/sqrt(2 pi) * (t + t^3/3 + t^5/15 + ...)
        term, total, k = t, t, 1
        while abs(term) > D(10) ** -45:
            k += 2
            term = term * t * t / k
            total += term
        return (t * t / 2).exp() / 2 - total / (2 * PI).sqrt()
    f = D(0)  # continued fraction 1/(t + 1/(t + 2/(t + ...)))
    for k in range(400, 0, -1):
        f = k / (t + f)
    return 1 / (t + f) / (2 * PI).sqrt()


half = D(2).ln() / 2 * D("1.0001")
fit("exponential, u = r", lambda u: u.exp(), lambda u: 1 / u.exp(), [2, 3, 4, 5, 6], {0: D(1), 1: D(1)}, -half, half)

K = D(3)  # w = 1 / (t + K), u = 1 - 2 K w: from -1 at t = 0 to 0.66 at t = 14.5


def tail_over_w(u):
    w = (1 - u) / (2 * K)
    return upper_tail(1 / w - K) / w


degree = 9  # 8: 7e-8; 10: 5e-8, because rounding the coefficients is what remains
fit("normal tail / w, degree %d" % degree, tail_over_w, lambda u: 1 / tail_over_w(u), range(degree + 1), {}, D(-1),
    1 - 2 * K / (D("14.5") + K), 200)
ln2 = D(2).ln()
high = D(int(ln2 * 2 ** 15)) / 2 ** 15  # 15 bits and n has 8: the product n * high is exact
print("ln 2 = ", float(high).hex(), "+", float(float32(ln2 - high)).hex(), "log2 e =", float(float32(1 / ln2)).hex())
