// SPDX-License-Identifier: BSD-3-Clause
// Groups of clients: who is in them, what goes for them, schedules, pauses.
import { h, fill, table, facts, field, choice, action, mark, number, moment, span, when, say, notes } from './dom.js';
import { get, post } from './api.js';
import { pause, resume, whenPaused } from './pause.js';

const everyone = (g) => g.group === 0;
const paused = (all) => all.pause_until_unix_s > Date.now() / 1000;
const days = (list) => ({ 7: 'daily', 5: list.includes('sat') || list.includes('sun') ? list.join(', ') : 'weekdays', 2: list.includes('sat') && list.includes('sun') ? 'weekends' : list.join(', ') }[list.length] ?? list.join(', '));
const does = (s) => [s.block_all ? 'blocks everything' : '', s.pause ? 'blocks nothing' : '', s.services.length ? `blocks ${s.services.join(', ')}` : '', s.lists.length ? `uses the lists ${s.lists.join(', ')}` : '',
  s.domains ? `blocks ${number(s.domains)} names` : ''].filter((t) => t).join('; ');

// A pause of the group, a schedule or a pause of everyone, in the order in which they decide. `all`: GET /blocklist.
function stateShow(g, all) {
  if (g.pause_left_s) return mark('warn', `Paused, ${span(g.pause_left_s)} left.`);
  if (!g.blocking) return mark('warn', 'Not blocking.');
  if (g.block_all && !(paused(all) && all.pause_lifts_block_all)) return mark('warn', 'Everything is blocked now.');
  if (paused(all)) return mark('warn', `Blocking is paused for everyone until ${when(all.pause_until_unix_s)}.`);
  return g.paused ? mark('warn', 'Paused by a schedule.') : mark('good', 'Blocking.');
}

function one(g, all) {
  const again = (group) => action('Block again', () => resume(group));
  const safe = Object.entries(g.safe_search ?? {}).filter(([, v]) => v).map(([k, v]) => `${k}: ${v}`).join(', ');
  return h('section', { 'aria-label': `Group ${g.name}` }, h('h2', {}, g.name),
    h('p', {}, stateShow(g, all)),
    facts([['Clients', everyone(g) ? 'all that are in no group' : [...g.clients, ...(g.client_names ?? []), ...(g.vlans ?? []).map((v) => `VLAN ${v}`)].join(', ') || 'none'],
      ['Lists', g.all_lists ? `all: ${g.lists.join(', ')}` : g.lists.join(', ') || 'none'], ['Own entries', `${number(g.allow)} allowed, ${number(g.deny)} blocked`],
      ['Blocked services', (g.services ?? []).join(', ')], ['Safe search', safe], ['Blocked names get', `${g.block.mode}, TTL ${g.block.ttl} s`],
      ['Next change', g.next_change_unix_s ? moment(g.next_change_unix_s) : '']]),
    g.schedules.length ? table(`Schedules of ${g.name}`, [{ title: 'Name', of: (s) => s.name }, { title: 'When', of: (s) => `${days(s.days)} ${s.from} to ${s.to}` },
      { title: 'Does', of: (s) => does(s) }, { title: 'Applies', of: (s) => (s.active ? mark('warn', `until ${moment(s.changes_unix_s)}`) : s.changes_unix_s ? `from ${moment(s.changes_unix_s)}` : 'no') }], g.schedules) : null,
    h('div', { class: 'row' }, g.pause_left_s ? again(g.name) : everyone(g) ? (paused(all) ? again() : null) : [5, 30, 120].map((m) => action(`Pause ${span(m * 60)}`, () => pause(m, g.name)))));
}

function move(groups, look) {
  const client = h('input', { required: true, maxLength: 80, size: 28, placeholder: 'address, prefix, MAC or name' });
  const group = choice(groups.filter((g) => !everyone(g)).map((g) => [g.name, g.name]), '');
  const send = (path, words, asks = false) => async () => {
    if (!client.reportValidity() || (asks && !confirm(`Take ${client.value} out of ${group.value}?`))) return '';
    const reply = await post(path, { client: client.value, group: group.value });
    await look();
    return `${client.value} ${words} ${group.value}.${notes(reply)}`;
  };
  return h('div', { class: 'row' }, field('Client', client), field('Group', group), action('Add', send('/groups/add', 'is in')), action('Move', send('/groups/move', 'is moved to')), action('Take out', send('/groups/remove', 'is no longer in', true)));
}

export async function show(box, signal) {
  const result = h('div');
  const look = async () => {
    const [{ groups }, all] = await Promise.all([get('/groups'), get('/blocklist')]);
    if (signal.aborted) return;
    fill(result, groups.length > 1 ? h('div', {}, h('h2', {}, 'Clients'), move(groups, look)) : h('p', { class: 'soft' }, 'There is no group yet: add ', h('code', {}, 'groups'), ' to the configuration.'),
      h('div', { class: 'columns wide' }, groups.map((g) => one(g, all))));
  };
  box.append(h('h1', {}, 'Groups and schedules'), result);
  whenPaused(signal, look);
  await look().catch((e) => { say(e.message); throw e; });
}
