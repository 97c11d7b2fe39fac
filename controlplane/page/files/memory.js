// SPDX-License-Identifier: BSD-3-Clause
// Where memory is, table by table, and whether it grows.
import { h, named, table, figure, tiles, mark, bytes, number, percent, span, when } from './dom.js';
import { get, every, minutesOf } from './api.js';
import { chart } from './chart.js';
import { _ } from './words.js';

const SLOPE_S = 3600, MINUTE_MS = 60000;

// Of bytes or used places in an hour; what the noise allows.
function slope(s, unit) {
  if (!s.known) return _`too early to tell`;
  if (Math.abs(s.per_hour) <= s.plus_minus) return _`within ± ${unit(s.plus_minus)}`;
  return `${s.per_hour < 0 ? '−' : '+'}${unit(Math.abs(s.per_hour))} ± ${unit(s.plus_minus)}`;
}

function alarm(a) {
  return h('li', {}, _`${a.name} of the ${a.process} grows: ${number(a.per_hour)} ${a.unit} an hour, for ${span(a.over_s)}.`, h('div', { class: 'soft' }, _`Since ${when(a.since)}, by ${a.by}. weirctl mem sites says which code allocates it.`));
}

export async function show(box, signal) {
  const minutes = minutesOf(signal);
  const [mem, alarms, growth, past] = await Promise.all([get('/mem', {}, { signal }), get('/mem/alarms', {}, { signal }), get('/memory/slope', { seconds: SLOPE_S }, { signal }), minutes()]);
  const raised = alarms.alarms;
  const day = chart(_`Resident memory of the control plane over the last 24 hours`, [{ title: _`resident`, colour: '--hit', unit: bytes }], signal, 86400, 140);
  const slopes = new Map([...growth.bytes, ...growth.tables].map((s) => [s.name, s]));
  const dataplane = slopes.get('dataplane.rss'); // none while it is down
  const growsOf = (name, unit) => { const s = slopes.get(name); return s ? slope(s, unit) : '–'; };
  box.append(h('h1', {}, _`Memory`),
    raised.length ? h('ul', { class: 'problems' }, raised.map(alarm)) : h('p', {}, mark('good', _`Nothing grows that weir cannot explain.`)),
    tiles([[_`Control plane`, bytes(mem.process.rss)], [_`Its heap`, bytes(mem.process.allocated)], [_`Unexplained`, bytes(mem.unexplained)],
      [_`Grows in an hour`, growsOf('rss', bytes)], [_`Data plane`, dataplane ? bytes(dataplane.bytes) : '–']]), day.box,
    h('h2', {}, _`Accounts`), table(_`Accounts of the control plane`, [named(_`Account`, (a) => a.name), { title: _`What`, of: (a) => a.text ?? '' }, figure(_`Bytes`, (a) => bytes(a.bytes)),
      figure(_`Share of the heap`, (a) => percent(a.bytes, mem.process.allocated))], [...mem.accounts].sort((a, b) => b.bytes - a.bytes)),
    h('h2', {}, _`Slopes`), table(_`What grew over ${span(growth.span_ms / 1000)}, ${number(growth.samples)} samples`, [named(_`What`, (s) => s.name), figure(_`Size`, (s) => (s.bytes === undefined ? _`${number(s.used)} of ${number(s.cap)}` : bytes(s.bytes))),
      figure(_`In an hour`, (s) => slope(s, s.bytes === undefined ? number : bytes))], [...growth.bytes, ...growth.tables].filter((s) => s.known && s.per_hour !== 0).sort((a, b) => Math.abs(b.per_hour) - Math.abs(a.per_hour)).slice(0, 30),
    _`Nothing grew, or the process is too young to tell.`, { key: 'slopes' }),
    h('h2', {}, _`Tables`), table(_`Tables: each has a bound`, [named(_`Table`, (t) => t.name), figure(_`Bytes`, (t) => bytes(t.bytes)),
      figure(_`Used`, (t) => number(t.used)), figure(_`Cap`, (t) => (t.cap ? number(t.cap) : '–')),
      figure(_`Full`, (t) => (t.cap ? percent(t.used, t.cap) : '–')), figure(_`Evicted`, (t) => (t.evicted === undefined ? '' : number(t.evicted))),
      figure(_`Refused`, (t) => (t.refused === undefined ? '' : number(t.refused)))], [...mem.tables].sort((a, b) => b.bytes - a.bytes)));
  const draw = (list) => day.set([list.map((m) => m.unix_s), list.map((m) => m.bytes)]);
  draw(past);
  every(MINUTE_MS, signal, async () => draw(await minutes()));
}
