// SPDX-License-Identifier: BSD-3-Clause
// Totals of today, since midnight by weir's clock where the browser is, as the query store has them.
import { get, nowMs } from './api.js';
import { clock, number, percent } from './dom.js';
import { _, count } from './words.js';

const EACH_MS = 600000, REST = 3000;
export const GROUPS_MOST = 100; // of a reply
export const midnight = () => new Date(nowMs()).setHours(0, 0, 0, 0);
const kept = {}; // of the last look, for all views, by the number of groups; `until` is of the browser's clock that nobody sets

// A look reads the day's files: the next one waits ten minutes, or longer where one takes long. `most`: of how many groups.
export async function today(signal, most = 1) {
  const atMs = nowMs(), fromMs = midnight(), began = performance.now(), before = kept[most];
  if (before?.fromMs === fromMs && began < before.until) {
    if (before.off) throw before.off;
    return before;
  }
  const t = await get('/log/top', { seconds: Math.max(1, Math.round((atMs - fromMs) / 1000)), until: 1000 * atMs, limit: most }, { signal }).catch((e) => {
    if (e.status === 409) kept[most] = { fromMs, until: began + EACH_MS, off: e };
    throw e;
  });
  const span = _`since ${clock(t.complete ? fromMs / 1000 : atMs / 1000 - t.covered_s)}, at ${clock(atMs / 1000)}`;
  kept[most] = { fromMs, until: began + Math.max(EACH_MS, REST * (performance.now() - began)), span, queries: t.names.queries, blocked: t.blocked.queries, groups: t.groups.items };
  return kept[most];
}

export const share = (t) => _`${count(t.queries)} queries, ${number(t.blocked)} blocked (${percent(t.blocked, t.queries)})`;

// What the group of a name has of it. The reply has the groups that ask most.
export function ofGroup(t, name) {
  const found = t.groups.find((g) => g.text === name) ?? (t.groups.length < GROUPS_MOST ? { queries: 0, blocked: 0 } : null);
  return found ? `${share(found)} ${t.span}` : _`fewer queries than ${GROUPS_MOST} other groups`;
}
