// SPDX-License-Identifier: BSD-3-Clause
// One client's day.
import { h, table, tiles, number, percent, when } from './dom.js';
import { get } from './api.js';
import { columns, details } from './queries.js';
import { chart } from './chart.js';

export async function show(box, signal, client) {
  const about = h('div');
  box.append(h('h1', {}, `Client ${client}`));
  const [found, day] = await Promise.all([get('/log/search', { client, limit: 200 }),
    get('/log/top', { client, seconds: 86400, limit: 10 }).catch(() => null)]);
  if (signal.aborted) return;
  const first = found.rows[0];
  if (day) {
    const graph = chart('Queries an hour', [{ title: 'queries', colour: '--hit', unit: number }, { title: 'blocked', colour: '--blocked', unit: number }], signal, 86400, 160);
    box.append(tiles([['Name', first?.client_name || '–'], ['Group', first?.client_group || 'everyone'], ['Queries in 24 hours', number(day.names.queries)],
      ['Blocked', percent(day.blocked.queries, day.names.queries)], ['Last seen', first ? when(first.time_us / 1e6) : 'never']]), h('h2', {}, 'Last 24 hours'), graph.box);
    graph.set([day.hours.map((x) => x.unix_s), day.hours.map((x) => x.queries), day.hours.map((x) => x.blocked)]);
    const list = (title, part) => table(title, [{ title: 'Name', name: true, of: (i) => i.text }, { title: 'Queries', number: true, of: (i) => number(i.queries) }], part.items);
    box.append(h('div', { class: 'columns' }, h('div', {}, h('h2', {}, 'Asked most'), list('Names', day.names)), h('div', {}, h('h2', {}, 'Blocked most'), list('Blocked names', day.blocked))));
  }
  box.append(h('h2', {}, 'The latest queries'), about, table('The latest queries', columns((q) => details(about, signal, q.qname, q.client, q.qtype)), found.rows, 'No query of this client is in the query store.'));
}
