// SPDX-License-Identifier: BSD-3-Clause
// One client's day: how much it asked and when, what for, what was blocked and by which list, what applies to it.
import { h, fill, tiles, facts, field, choice, action, table, number, percent, when, moment } from './dom.js';
import { get, post } from './api.js';
import { columns, details } from './queries.js';
import { coverage, hoursShow, one } from './top.js';

const DAY_S = 86400;

// Its group, from the configuration, and the way into another one.
function groupShow(client, name, groups, look) {
  const of = groups.find((g) => g.name === name) ?? groups[0];
  const to = choice(groups.filter((g) => g.group !== 0 && g.name !== of.name).map((g) => [g.name, g.name]), '');
  return h('section', {}, h('h2', {}, 'What applies to it'),
    facts([['Group', h('a', { href: '#/groups' }, of.name)], ['Lists', of.lists.join(', ') || 'none'], ['Blocked services', (of.services ?? []).join(', ')],
      ['Schedules', of.schedules.map((s) => s.name + (s.active ? ' (applies now)' : '')).join(', ')], ['Next change', of.next_change_unix_s ? when(of.next_change_unix_s) : '']]),
    to.length ? h('div', { class: 'row' }, field('Another group', to), action('Move', async () => {
      await post('/groups/move', { client, group: to.value });
      await look();
      return `${client} is moved to ${to.value}.`;
    })) : null);
}

export async function show(box, signal, argument) {
  const who = h('input', { required: true, maxLength: 80, value: argument, placeholder: 'address or name' });
  const result = h('div');
  box.append(h('h1', {}, argument ? `Client ${argument}` : 'Clients'),
    h('form', { onsubmit: (e) => { e.preventDefault(); location.hash = `#/client/${encodeURIComponent(who.value.trim())}`; } }, field('Client', who), h('button', { type: 'submit', class: 'main' }, 'Show its day')), result);
  const look = async () => {
    const [found, day, { groups }] = await Promise.all([get('/log/search', { client: argument, limit: 50 }, { signal }),
      get('/log/top', { client: argument, seconds: DAY_S, limit: 10 }, { signal }), get('/groups', {}, { signal })]);
    const latest = found.rows[0], about = h('div'), hours = h('div');
    const seen = day.names.items.map((i) => i.first_unix_s).reduce((a, b) => Math.min(a, b), Infinity);
    const filter = { client: argument };
    fill(result, found.unknown_client ? h('p', { class: 'warn' }, found.unknown_client) : null,
      tiles([['Name', latest?.client_name || '–'], ['Address', latest?.client || argument], ['Group', latest?.client_group || 'everyone'], ['Queries in 24 hours', number(day.names.queries)],
        ['Blocked', percent(day.blocked.queries, day.names.queries)], ['Did not exist', percent(day.nxdomain.queries, day.names.queries)],
        ['First of the day', Number.isFinite(seen) ? moment(seen) : '–'], ['Last seen', latest ? moment(latest.time_us / 1e6) : 'never']]),
      h('p', { class: 'soft' }, coverage(day)), h('h2', {}, 'Last 24 hours'), hours,
      h('div', { class: 'columns' }, one('Asked most', 'names', day.names, filter), one('Blocked most', 'blocked', day.blocked, filter), one('Lists that blocked', 'lists', day.lists),
        one('Names that do not exist', 'nxdomain', day.nxdomain, filter), groupShow(latest?.client || argument, latest?.client_group, groups, look)),
      h('h2', {}, 'The latest queries'), h('p', {}, h('a', { href: `#/queries/${new URLSearchParams(filter)}` }, 'Search and follow its queries')), about,
      table('The latest queries', columns((q) => details(about, signal, q.qname, q.client, q.qtype)), found.rows, 'No query of this client is in the query store.'));
    hoursShow(hours, day.hours, DAY_S, signal);
  };
  if (argument) await look();
  else {
    const day = await get('/log/top', { seconds: DAY_S, limit: 100 }, { signal });
    fill(result, one('Clients of the last 24 hours', 'clients', day.clients), h('p', { class: 'soft' }, coverage(day)));
  }
}
