// SPDX-License-Identifier: BSD-3-Clause
// The clients of a day; and one client's day: how much it asked and when, what for, what was blocked and by which list, what applies to it.
import { h, row, figure, fill, named, tiles, facts, field, choice, action, complain, table, number, percent, when, clock } from './dom.js';
import { change, get, loads, mayAdmin, nowMs } from './api.js';
import { itemOf, overridesGet, overridesShow } from './override.js';
import { columns, detailsIn } from './queries.js';
import { coverage, hoursShow, one } from './top.js';
import { midnight, share } from './today.js';
import { ofPrimary, takenNote } from './taken.js';
import { _ } from './words.js';

const DAY_S = 86400;

// Its group, from the configuration, and the way into another one.
function groupShow(client, of, groups, look) {
  const to = choice(groups.filter((g) => g.group !== 0 && g.name !== of.name).map((g) => g.name), '');
  return h('section', {}, h('h2', {}, _`What applies to it`),
    facts([[_`Group`, h('a', { href: '#/groups' }, of.name)], [_`Lists`, of.lists.join(', ') || _`none`], [_`Blocked services`, (of.services ?? []).join(', ')],
      [_`Schedules`, of.schedules.map((s) => s.name + (s.active ? _` (applies now)` : '')).join(', ')], [_`Next change`, of.next_change_unix_s ? when(of.next_change_unix_s) : '']]),
    mayAdmin() && look.seen && to.length ? ofPrimary('group_members', row(field(_`Another group`, to), action(_`Move`, () => change(look, _`${client} is moved to ${to.value}.`, '/groups/move', { client, group: to.value })))) : null);
}

const seen = (unix_s) => (unix_s ? when(unix_s) : '–');

// Gives the client of a row a name in the configuration, or takes that back.
function nameButton(c, look) {
  if (c.name_from === 'clients') return action(_`Forget name`, () => change(look, _`${c.client_name} is forgotten.`, '/config/unset', { path: `clients[${c.client_name}]` }), { ask: _`Forget the name ${c.client_name}?` });
  return action(_`Name`, () => {
    const name = prompt(_`Name of ${c.address}:`, c.client_name)?.trim();
    return name && change(look, _`${c.address} is ${name}.`, '/config/set', { path: `clients[${name}].${c.mac ? 'macs' : 'addresses'}`, yaml: JSON.stringify([c.mac || c.address]), new: 1 });
  });
}

function clientsShow(day, look) {
  const link = (c) => h('a', { href: `#/client/${encodeURIComponent(c.address)}` }, c.client_name || c.address);
  return table(_`Clients of the last 24 hours: ${number(day.client_count)}`, [named(_`Client`, link), named(_`Address`, (c) => c.address), { title: _`MAC address`, tight: true, of: (c) => c.mac || '–' },
    figure(_`Queries`, (c) => number(c.queries)), figure(_`Blocked`, (c) => percent(c.blocked, c.queries)), figure(_`Did not exist`, (c) => percent(c.missing, c.queries)),
    { title: _`First seen`, tight: true, of: (c) => seen(c.first_unix_s) }, { title: _`Last seen`, tight: true, of: (c) => seen(c.last_unix_s) },
    ...(mayAdmin() ? [{ title: _`Actions`, of: (c) => ofPrimary('clients', nameButton(c, look)) }] : [])], day.clients, undefined, { key: 'clients' });
}

// What the query store has of its day. Gives what draws the tables again.
function dayShow(box, day, filter, { column }, group, signal) {
  const hand = { column: (of) => column((i) => ({ ...of(i), group })) };
  const hours = h('div'), tables = h('div', { class: 'columns wide' });
  const draw = () => fill(tables, one(_`Asked most`, 'names', day.names, filter, hand), one(_`Blocked most`, 'blocked', day.blocked, filter, hand), one(_`Lists that blocked`, 'lists', day.lists),
    one(_`Names that do not exist`, 'nxdomain', day.nxdomain, filter, hand));
  box.append(h('p', { class: 'soft' }, coverage(day)), h('h2', {}, _`Last 24 hours`), hours, tables);
  draw();
  hoursShow(hours, day.hours, DAY_S, signal);
  return draw;
}

// Of the hours of its day, those since midnight, or those that the search came to. An hour begins by UTC, so this may lie
// within one, which is left out.
function todayOf({ complete, covered_s: covered, hours }) {
  const fromMs = Math.max(midnight(), complete ? 0 : nowMs() - 1000 * covered);
  const from = Math.ceil(fromMs / 3.6e6) * 3600, sum = (key) => hours.filter((x) => x.unix_s >= from).reduce((n, x) => n + x[key], 0);
  if (1000 * from > nowMs()) return '–';
  return _`${share({ queries: sum('queries'), blocked: sum('blocked') })} since ${clock(from)}`;
}

export async function show(box, signal, encoded) {
  const argument = decodeURIComponent(encoded), filter = { client: argument };
  const who = h('input', { required: true, maxLength: 80, value: argument, placeholder: _`address or name` });
  const result = h('div'), load = loads(result, signal);
  box.append(h('h1', {}, argument ? _`Client ${argument}` : _`Clients`), takenNote('client', ...(argument ? ['group_members', 'entries'] : ['clients'])),
    h('form', { onsubmit: (e) => {
      e.preventDefault();
      if (argument && who.value.trim() === argument) look().catch(complain); // the place is this one already
      else location.hash = `#/client/${encodeURIComponent(who.value.trim())}`;
    } }, field(_`Client`, who), h('button', { type: 'submit', class: 'main' }, _`Show its day`)), result);
  const lookAll = () => load(async (mine) => {
    const { overrides, version } = await overridesGet(), day = await get('/clients', { seconds: DAY_S, limit: 100 }, { signal: mine });
    lookAll.seen = version;
    fill(result, overridesShow(overrides.map((o) => (o.unset || o.of_file) && itemOf('clients', o.path)).filter((path) => path), lookAll),
      clientsShow(day, lookAll), h('p', { class: 'soft' }, day.client_count > day.clients.length && _`The table has the ${number(day.clients.length)} clients that asked most. `, coverage(day)));
  });
  const look = () => load(async (mine) => {
    const failures = [];
    // Each part stands without the others.
    const part = (path, params, without) => get(path, params, { signal: mine }).catch((e) => {
      if (mine.aborted) throw e;
      failures.push(e.message);
      return without;
    });
    const version = mayAdmin() && (await part('/config/overrides', {}, {})).version; // what is asked next is not older
    const [found, day, { groups }] = await Promise.all([part('/log/search', { ...filter, limit: 50 }, { rows: [] }),
      part('/log/top', { ...filter, seconds: DAY_S, limit: 10 }, null), part('/groups', {}, { groups: [] })]);
    const latest = found.rows[0], it = day?.clients.items[0], address = it?.text || latest?.client || argument;
    const why = await part('/why', { name: latest?.qname ?? 'example.com', client: address }, {}); // for its group, by the configuration
    // A MAC address or an interface part comes before any address: another group needs just that.
    const member = ['mac', 'iid'].includes(why.client?.found_by) ? why.client.by : address;
    const group = groups.find((g) => g.group === why.client?.group_number), about = h('div'), dayBox = h('div'), latestBox = h('div');
    const { open, hand } = detailsIn(about, mine, () => draw());
    let dayDraw = () => {};
    const draw = () => {
      dayDraw();
      fill(latestBox, table(_`The latest queries`, columns(open, hand, found.rows), found.rows, found.complete === false ? _`No query of this client so far: the search ended after its time.` : _`No query of this client is in the query store.`));
    };
    await hand.look().catch((e) => {
      if (mine.aborted) throw e;
      failures.push(e.message);
    });
    draw();
    look.seen = version;
    fill(result, found.unknown_client ? h('p', { class: 'warn' }, found.unknown_client) : null, ...[...new Set(failures)].map((f) => h('p', { class: 'bad' }, f)),
      tiles([[_`Name`, it?.client_name || latest?.client_name || '–'], [_`Address`, address], [_`MAC address`, it?.mac || '–'], [_`Group`, group?.name ?? '–'], [_`Queries in 24 hours`, day ? number(day.names.queries) : '–'],
        [_`Blocked`, day ? percent(day.blocked.queries, day.names.queries) : '–'], [_`Did not exist`, day ? percent(day.nxdomain.queries, day.names.queries) : '–'], [_`Today`, day ? todayOf(day) : '–'],
        [_`First seen in 24 hours`, seen(it?.first_unix_s)], [_`Last seen`, seen(it?.last_unix_s ?? latest?.time_us / 1e6)]]),
      dayBox, group && groupShow(member, group, groups, look),
      h('h2', {}, _`The latest queries`), h('p', {}, h('a', { href: `#/queries/${new URLSearchParams(filter)}` }, _`Search and follow its queries`)), about, latestBox);
    if (day) dayDraw = dayShow(dayBox, day, filter, hand, group?.group ? group.name : '', mine);
  });
  await (argument ? look() : lookAll());
}
