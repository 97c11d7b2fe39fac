// SPDX-License-Identifier: BSD-3-Clause
// Where memory is, table by table, and whether it grows.
import { h, table, tiles, mark, bytes, number, percent } from './dom.js';
import { get } from './api.js';

export async function show(box, signal) {
  const [mem, alarms] = await Promise.all([get('/mem'), get('/mem/alarms')]);
  if (signal.aborted) return;
  const raised = alarms.alarms ?? [];
  box.append(h('h1', {}, 'Memory'),
    raised.length ? h('ul', { class: 'problems' }, raised.map((a) => h('li', {}, a.text ?? `${a.account ?? a.name} grows`))) : h('p', {}, mark('good', 'Nothing grows that weir cannot explain.')),
    tiles([['Control plane', bytes(mem.process.rss)], ['its heap', bytes(mem.process.allocated)], ['unexplained', bytes(mem.unexplained)],
      ...(mem.dataplane?.rss ? [['Data plane', bytes(mem.dataplane.rss)]] : [])]),
    h('h2', {}, 'Accounts'), table('Accounts of the control plane', [{ title: 'Account', name: true, of: (a) => a.name }, { title: 'Bytes', number: true, of: (a) => bytes(a.bytes) },
      { title: 'Share of the heap', number: true, of: (a) => percent(a.bytes, mem.process.allocated) }], [...mem.accounts].sort((a, b) => b.bytes - a.bytes)),
    h('h2', {}, 'Tables'), table('Tables: each has a bound', [{ title: 'Table', name: true, of: (t) => t.name }, { title: 'Bytes', number: true, of: (t) => bytes(t.bytes) },
      { title: 'Used', number: true, of: (t) => number(t.used) }, { title: 'Cap', number: true, of: (t) => (t.cap ? number(t.cap) : '–') },
      { title: 'Full', number: true, of: (t) => (t.cap ? percent(t.used, t.cap) : '–') }, { title: 'Evicted', number: true, of: (t) => (t.evicted === undefined ? '' : number(t.evicted)) },
      { title: 'Refused', number: true, of: (t) => (t.refused === undefined ? '' : number(t.refused)) }], [...mem.tables].sort((a, b) => b.bytes - a.bytes)));
}
