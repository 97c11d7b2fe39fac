// SPDX-License-Identifier: BSD-3-Clause
// A week of half hours that is painted by pointer or keys, and the schedules that say the same.
import { h } from './dom.js';
import { locale } from './words.js';

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
export const dayName = (day) => new Date(2024, 0, 1 + DAYS.indexOf(day)).toLocaleDateString(locale(), { weekday: 'short' }); // that January began on a Monday
const DAY = 48, WEEK = 7 * DAY, STEP_MIN = 30, TRIES = 4000;

const timeText = (at) => `${String(Math.floor(at / 2)).padStart(2, '0')}:${at % 2 ? '30' : '00'}`;
const minutes = (time) => 60 * Number(time.slice(0, 2)) + Number(time.slice(3));

// The half hours of schedules {days, from, to}, those that one begins or ends in as well.
export function cellsOf(schedules) {
  const cells = Array(WEEK).fill(false);
  for (const s of schedules) {
    const from = Math.floor(minutes(s.from) / STEP_MIN), to = Math.ceil(minutes(s.to) / STEP_MIN), end = minutes(s.to) > minutes(s.from) ? to : to + DAY;
    for (const d of s.days) for (let i = from; i < end; i++) cells[(DAYS.indexOf(d) * DAY + i) % WEEK] = true;
  }
  return cells;
}
export const isWhole = (schedules) => schedules.every((s) => minutes(s.from) % STEP_MIN === 0 && minutes(s.to) % STEP_MIN === 0);

const maskOf = (at) => at.reduce((mask, i) => mask | 1n << BigInt(i), 0n);

// What one schedule may be: each span of the day between a beginning and an end, on the days on which all of it is painted;
// the longest in all first. As in weir.yaml, a span whose end is not after its beginning ends on the next day.
function candidates(cells) {
  const edges = [...cells.keys()].filter((i) => cells[i] !== cells.at(i - 1)).map((i) => i % DAY), starts = new Set([0, ...edges]), ends = new Set([DAY, ...edges]), all = [];
  for (const from of starts) for (const to of ends) {
    if (to === 0 || to === from) continue;
    const length = to > from ? to - from : to + DAY - from, at = DAYS.map((_, d) => Array.from({ length }, (_, i) => (d * DAY + from + i) % WEEK));
    const spans = new Map(DAYS.map((day, d) => [day, at[d]]).filter(([, span]) => span.every((i) => cells[i])).map(([day, span]) => [day, maskOf(span)]));
    if (spans.size) all.push({ from: timeText(from), to: timeText(to), spans, mask: [...spans.values()].reduce((m, s) => m | s), size: spans.size * length });
  }
  return all.sort((a, b) => b.size - a.size);
}

// A day whose span lies in one of another schedule adds nothing.
function daysTrim(found) {
  for (const c of found) for (const [day, span] of c.spans) if (found.some((o) => o !== c && [...o.spans.values()].some((s) => (s & span) === span))) c.spans.delete(day);
  return found.filter((c) => c.spans.size).map((c) => ({ days: [...c.spans.keys()], from: c.from, to: c.to }));
}

// The fewest schedules {days, from, to} that are together what is painted. After many tries it takes the longest that fits,
// one after the other.
export function schedulesOf(cells) {
  const all = candidates(cells), painted = maskOf([...cells.keys()].filter((i) => cells[i]));
  let tries = 0;
  const cover = (left, most) => {
    if (!left) return [];
    if (!most || ++tries > TRIES) return null;
    for (const c of all) {
      const rest = c.mask & left & -left && cover(left & ~c.mask, most - 1);
      if (rest) return [c, ...rest];
      if (tries > TRIES) return null;
    }
    return null;
  };
  let found = null;
  for (let most = 0; !found && tries <= TRIES; most++) found = cover(painted, most);
  for (let left = found ? 0n : painted; left; left &= ~found.at(-1).mask) (found ??= []).push(all.find((c) => c.mask & left & -left));
  return daysTrim(found);
}

// Sets what lies between two half hours, as corners, to `on`.
function paint(cells, a, b, on) {
  const [day, last] = [Math.floor(a / DAY), Math.floor(b / DAY)].sort(), [from, to] = [a % DAY, b % DAY].sort((x, y) => x - y);
  for (let d = day; d <= last; d++) cells.fill(on, d * DAY + from, d * DAY + to + 1);
}

const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -DAY, ArrowDown: DAY };

// `cells` are painted in place; `changed` is called after each change.
export function weekGrid(title, cells, changed) {
  const boxes = cells.map((_, i) => h('div', { role: 'gridcell', tabIndex: i ? -1 : 0, 'data-at': i, 'aria-label': `${dayName(DAYS[Math.floor(i / DAY)])} ${timeText(i % DAY)}` }));
  const show = () => boxes.forEach((b, i) => { b.ariaSelected = String(cells[i]); });
  const done = () => { show(); changed(); };
  const to = (i) => {
    boxes.forEach((b) => { b.tabIndex = -1; });
    boxes[i].tabIndex = 0;
    boxes[i].focus({ preventScroll: true });
  };
  const onkeydown = (e) => {
    const i = Number(e.target.dataset.at), move = MOVES[e.key];
    if (e.key !== ' ' && !move) return;
    e.preventDefault();
    const next = i + (move ?? 0);
    if (!boxes[next] || (Math.abs(move) === 1 && Math.floor(next / DAY) !== Math.floor(i / DAY))) return;
    if (!move) cells[i] = !cells[i];
    else if (e.shiftKey) cells[next] = cells[i];
    to(next);
    done();
  };
  const onpointerdown = (e) => {
    const first = e.target.dataset.at;
    if (first === undefined || e.button) return;
    const before = [...cells], on = !cells[first], ending = new AbortController(), { signal } = ending;
    const reach = (x) => {
      const at = document.elementFromPoint(x.clientX, x.clientY)?.dataset.at;
      if (at === undefined) return;
      cells.splice(0, WEEK, ...before);
      paint(cells, Number(first), Number(at), on);
      show();
    };
    e.preventDefault();
    to(Number(first));
    reach(e);
    window.addEventListener('pointermove', reach, { signal });
    for (const end of ['pointerup', 'pointercancel']) window.addEventListener(end, () => { ending.abort(); changed(); }, { signal });
  };
  show();
  return h('div', { class: 'week', role: 'grid', 'aria-label': title, 'aria-multiselectable': 'true', onkeydown, onpointerdown },
    h('div', { class: 'hours', 'aria-hidden': 'true' }, [0, 6, 12, 18].map((hour) => h('span', {}, timeText(2 * hour)))),
    DAYS.map((day, d) => h('div', { role: 'row' }, h('div', { role: 'rowheader' }, dayName(day)), boxes.slice(d * DAY, (d + 1) * DAY))));
}
