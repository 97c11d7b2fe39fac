# SPDX-License-Identifier: BSD-3-Clause
"""How fast a series of samples rises, and how sure that is.

The line is Theil's and Sen's (the median of the slopes of all pairs), which single peaks do not move; the interval is from
a bootstrap of blocks of the residuals, because what a sample is depends on the ones before it. Long series are cut
into stretches of equal length first, of which the medians count, so that the work stays small.
"""
import random
from statistics import median

POINTS = 180  # of a series that is compared pair by pair
DRAWS = 400
BLOCK_S = 30


def thinned(samples):
    """(seconds, value) pairs as at most POINTS of them."""
    stride = -(-len(samples) // POINTS)
    parts = [samples[i:i + stride] for i in range(0, len(samples), stride)]
    return [(median(t for t, _ in p), median(v for _, v in p)) for p in parts]


def slope(points):
    return median((v2 - v1) / (t2 - t1) for i, (t1, v1) in enumerate(points) for t2, v2 in points[i + 1:] if t2 > t1)


def slope_with_bounds(samples, seed=1):
    """(slope, least, most) a second, the last two of a 95 % interval."""
    points = thinned(samples)
    if len(points) < 8:
        raise ValueError("too few samples for a slope")
    line = slope(points)
    rest = [v - line * t for t, v in points]
    middle = median(rest)
    rest = [r - middle for r in rest]
    step = (points[-1][0] - points[0][0]) / (len(points) - 1)
    block = max(1, min(round(BLOCK_S / step), len(points) // 4))
    rng, drawn = random.Random(seed), []
    for _ in range(DRAWS):
        noise = []
        while len(noise) < len(points):
            at = rng.randrange(len(points) - block + 1)
            noise += rest[at:at + block]
        drawn.append(slope([(t, line * t + n) for (t, _), n in zip(points, noise)]))
    drawn.sort()
    return line, drawn[DRAWS * 25 // 1000], drawn[DRAWS * 975 // 1000]
