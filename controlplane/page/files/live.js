// SPDX-License-Identifier: BSD-3-Clause
// Rates from two samples of /live. A verdict of the data plane counts a frame; those below are of queries.

const CLASSES = {
  hit: ['hit', 'hit_stale'], local: ['local', 'any_minimal', 'identity'], blocked: ['blocked', 'blocked_answer', 'drop_rule'],
  miss: ['miss', 'miss_duplicate'],
  failed: ['servfail_ring_full', 'servfail_fairness', 'drop_ring_full', 'servfail_no_control', 'servfail_no_policy', 'servfail_no_rules'],
  refused: ['refused', 'refused_denied', 'drop_denied', 'drop_limited', 'slip_limited', 'formerr', 'notimp', 'badvers', 'badcookie', 'cookie_only'],
};

// Counters of one sample, of queries over all transports.
export function totals(s) {
  const v = s.dataplane.verdicts ?? {}, c = s.controlplane;
  const out = Object.fromEntries(Object.entries(CLASSES).map(([k, names]) => [k, names.reduce((sum, n) => sum + (v[n] ?? 0), 0)]));
  const front = Object.values(c.frontend);
  const sum = (key) => front.reduce((n, f) => n + f[key], 0);
  out.front = sum('answers');
  out.blocked += sum('answers_blocked');
  out.failed += c.servfail;
  out.queries = out.hit + out.local + v_blocked(v) + out.miss + CLASSES.failed.reduce((n, k) => n + (v[k] ?? 0), 0) + out.refused + out.front;
  out.upstream = c.upstream_sent;
  return out;
}
const v_blocked = (v) => CLASSES.blocked.reduce((n, k) => n + (v[k] ?? 0), 0);

// Per second; null when a process is another one than before.
export function rates(before, now) {
  const seconds = (now.monotonic_ms - before.monotonic_ms) / 1000;
  if (seconds <= 0 || before.dataplane.started_ms !== now.dataplane.started_ms) return null;
  const a = totals(before), b = totals(now), out = {};
  for (const k of Object.keys(b)) {
    if (b[k] < a[k]) return null;
    out[k] = (b[k] - a[k]) / seconds;
  }
  out.dataplane_busy = (now.dataplane.busy_us - before.dataplane.busy_us) / seconds / 1e6;
  out.controlplane_busy = (now.controlplane.busy_us - before.controlplane.busy_us) / seconds / 1e6;
  out.hit_ns = quantiles(before.dataplane.hit_ns ?? [], now.dataplane.hit_ns ?? []);
  return out;
}

// Median and 99th percentile of what came between two histograms; null: nothing did.
function quantiles(before, now) {
  const had = new Map(before.map((b) => [b.below, b.count]));
  const came = now.map((b) => [b.below, b.count - (had.get(b.below) ?? 0)]);
  const all = came.reduce((n, [, c]) => n + c, 0);
  if (all <= 0) return null;
  const at = (q) => {
    let seen = 0;
    for (const [below, c] of came) if ((seen += c) >= q * all) return below;
    return came[came.length - 1][0];
  };
  return { p50: at(0.5), p99: at(0.99) };
}
