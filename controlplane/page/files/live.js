// SPDX-License-Identifier: BSD-3-Clause
// Rates from two samples of /live. A verdict of the data plane counts a frame; those below are of queries, and the control
// plane's frontends have the same for queries that the data plane passes on or is not there to take.

const CLASSES = {
  hit: ['hit', 'hit_stale'], local: ['local', 'any_minimal', 'identity'], blocked: ['blocked', 'blocked_answer', 'drop_rule'],
  miss: ['miss', 'miss_duplicate'],
  failed: ['servfail_ring_full', 'servfail_fairness', 'drop_ring_full', 'servfail_no_control', 'servfail_no_policy', 'servfail_no_rules'],
  refused: ['refused', 'refused_denied', 'drop_denied', 'drop_limited', 'slip_limited', 'formerr', 'notimp', 'badvers', 'badcookie', 'cookie_only'],
};

// Counters of one sample, of queries over all transports.
export function totals(s) {
  const c = s.controlplane, frontends = Object.values(c.frontend);
  const verdicts = [s.dataplane.verdicts ?? {}, ...frontends.map((f) => f.verdicts)];
  const sum = (names) => verdicts.reduce((all, v) => names.reduce((n, name) => n + (v[name] ?? 0), all), 0);
  const out = Object.fromEntries(Object.entries(CLASSES).map(([k, names]) => [k, sum(names)]));
  out.queries = Object.values(out).reduce((n, k) => n + k, 0);
  // How misses ended, which are queries already.
  out.blocked += frontends.reduce((n, f) => n + f.answers_blocked, 0);
  out.failed += c.servfail;
  out.upstream = c.upstream_sent;
  return out;
}

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
