// SPDX-License-Identifier: BSD-3-Clause
// Groups of clients: who is in them, what goes for them, schedules, pauses, and what changes them.
import { h, row, fill, table, facts, field, form, choice, action, mark, number, moment, span, when, say } from './dom.js';
import { change, get, mayAdmin, mayOperate } from './api.js';
import { addEntry, entriesShow } from './lists.js';
import { overridesGet, overridesShow } from './override.js';
import { pause, resume, whenPaused } from './pause.js';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const opened = new Set(); // the groups whose controls are unfolded

const everyone = (g) => g.group === 0;
const paused = (all) => all.pause_until_unix_s > Date.now() / 1000;
const days = (list) => ({ [DAYS.join()]: 'daily', 'mon,tue,wed,thu,fri': 'weekdays', 'sat,sun': 'weekends' }[list.join()] ?? list.join(', '));
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

// The path of its keys, and the text that sets some of them.
const at = (g) => (everyone(g) ? 'blocking' : `groups[${g.name}]`);
const keysText = (g, keys) => JSON.stringify(everyone(g) ? { blocking: keys } : { groups: [{ name: g.name, ...keys }] });
const listText = (input) => JSON.stringify(input.value.split(',').map((t) => t.trim()).filter((t) => t));
const clientsInput = (value = '') => h('input', { required: true, size: 28, value, placeholder: 'addresses, MACs or names, by commas' });

// The keys of a group that stand in place of a file's. A group that is in no file has none.
function overridden(g, overrides) {
  const start = `${at(g)}.`;
  return overrides.some((o) => o.path === `${start}clients` && !o.of_file) ? []
    : overrides.filter((o) => o.path.startsWith(start)).map((o) => start + /^\w*/.exec(o.path.slice(start.length))[0]);
}

function schedule(g, services, look) {
  const name = h('input', { required: true, maxLength: 31, size: 10, value: 'bedtime' });
  const from = h('input', { type: 'time', required: true, value: '21:00' }), to = h('input', { type: 'time', required: true, value: '07:00' });
  const days = DAYS.map((d) => [d, h('input', { type: 'checkbox', checked: true })]);
  const zone = h('input', { size: 14, maxLength: 64, list: 'zones', placeholder: 'that of the box' });
  const some = choice(services, '', { multiple: true, size: 6 }), someField = field('Services', some);
  const what = choice([['block_all', 'block everything'], ['services', 'block services'], ['pause', 'block nothing']], 'block_all', { onchange: () => { someField.hidden = what.value !== 'services'; } });
  someField.hidden = true;
  return form([field('Schedule', name), field('From', from), field('To', to), field('Time zone', zone), days.map(([d, box]) => field(d, box)), field('What', what), someField], 'Set schedule', () => {
    if (days.every(([, box]) => !box.checked)) throw new Error('Choose a day.');
    const one = { name: name.value, from: from.value, to: to.value, ...(zone.value && { time_zone: zone.value.trim() }), days: days.filter(([, box]) => box.checked).map(([d]) => d),
      [what.value]: what.value === 'services' ? [...some.selectedOptions].map((o) => o.value) : true };
    return change(look, `${one.name} is set.`, '/config/override', { yaml: keysText(g, { schedules: [one] }), replace: `${at(g)}.schedules[${one.name}]` });
  });
}

// What only an admin may change.
function settings(g, { services, overrides }, look) {
  const path = `${at(g)}.clients`, set = overrides.find((o) => o.path === path)?.value, who = clientsInput(set ? JSON.parse(set).join(', ') : '');
  const safe = Object.values(g.safe_search ?? {}).some((v) => v !== 'off');
  return [schedule(g, services, look),
    // The reply about a group has addresses in place of a file's names, those that Add put there, and not all of a long list.
    set && form(field('Clients', who), 'Set clients', () => change(look, `The clients of ${g.name} are set.`, '/config/set', { path, yaml: listText(who) })),
    row(
      action(safe ? 'Safe search off' : 'Safe search on', () => change(look, `Safe search is ${safe ? 'off' : 'on'} for ${g.name}.`, '/config/override',
        { yaml: keysText(g, { safe_search: { all: !safe } }), replace: `${at(g)}.safe_search` })),
      !everyone(g) && action('Delete group', () => change(look, `${g.name} is deleted.`, '/config/unset', { path: at(g) }), { ask: `Delete the group ${g.name}?` }))];
}

function controls(g, known, look) {
  const blocked = g.services ?? [], service = choice(known.services.filter((s) => !blocked.includes(s)), '');
  const set = (verb, name, words) => change(look, `${name} is ${words} for ${g.name}.`, `/services/${verb}`, { service: name, group: g.name });
  return h('details', { open: opened.has(g.name), ontoggle: (e) => (e.target.open ? opened.add(g.name) : opened.delete(g.name)) }, h('summary', {}, `Change ${g.name}`),
    row(field('Service', service), action('Block service', () => set('block', service.value, 'blocked')), blocked.map((s) => action(`Allow ${s}`, () => set('allow', s, 'no longer blocked')))),
    mayAdmin() && settings(g, known, look),
    entriesShow(`Entries of ${g.name}`, known.entries.filter((e) => e.group === (everyone(g) ? '' : g.name)), look), addEntry(look, g.name));
}

function schedules(g, known, look) {
  const isOwn = everyone(g) || JSON.stringify(g.schedules) !== JSON.stringify(known.groups[0].schedules);
  const path = (s) => (s.name === 'family time' ? 'family_time' : `schedules[${s.name}]`);
  return table(`Schedules of ${g.name}`, [{ title: 'Name', of: (s) => s.name }, { title: 'When', of: (s) => `${days(s.days)} ${s.from} to ${s.to}${s.time_zone ? `, ${s.time_zone}` : ''}` },
    { title: 'Does', of: (s) => does(s) }, { title: 'Applies', of: (s) => (s.active ? mark('warn', `until ${moment(s.changes_unix_s)}`) : s.changes_unix_s ? `from ${moment(s.changes_unix_s)}` : 'no') },
    ...(mayAdmin() && isOwn ? [{ title: 'Actions', of: (s) => action('Remove', () => change(look, `${s.name} is removed.`, '/config/unset', { path: `${at(g)}.${path(s)}` }), { ask: `Remove the schedule ${s.name}?` }) }] : [])], g.schedules);
}

// `known`: the replies that tell of all groups.
function one(g, known, look) {
  const { all } = known, again = (group) => action('Block again', () => resume(group));
  const safe = Object.entries(g.safe_search ?? {}).filter(([, v]) => v).map(([k, v]) => `${k}: ${v}`).join(', ');
  return h('section', { 'aria-label': `Group ${g.name}` }, h('h2', {}, g.name),
    h('p', {}, stateShow(g, all)),
    facts([['Clients', everyone(g) ? 'all that are in no group' : [...g.clients, ...(g.client_names ?? []), ...(g.vlans ?? []).map((v) => `VLAN ${v}`)].join(', ') || 'none'],
      ['Lists', g.all_lists ? `all: ${g.lists.join(', ')}` : g.lists.join(', ') || 'none'], ['Own entries', `${number(g.allow)} allowed, ${number(g.deny)} blocked`],
      ['Blocked services', (g.services ?? []).join(', ')], ['Safe search', safe], ['Blocked names get', `${g.block.mode}, TTL ${g.block.ttl} s`],
      ['Next change', g.next_change_unix_s ? moment(g.next_change_unix_s) : '']]),
    g.schedules.length ? schedules(g, known, look) : null,
    overridesShow(overridden(g, known.overrides), look),
    mayOperate() && [row(g.pause_left_s ? again(g.name) : everyone(g) ? (paused(all) ? again() : null) : [5, 30, 120].map((m) => action(`Pause ${span(m * 60)}`, () => pause(m, g.name)))),
      controls(g, known, look)]);
}

function create(look) {
  const name = h('input', { required: true, maxLength: 31, size: 12 }), who = clientsInput();
  return form([field('New group: its name', name), field('Its clients', who)], 'Make group',
    () => change(look, `${name.value} is made.`, '/config/set', { path: `groups[${name.value}].clients`, yaml: listText(who), new: 1 }));
}

function move(groups, look) {
  const client = h('input', { required: true, maxLength: 80, size: 28, placeholder: 'address, prefix, MAC or name' });
  const group = choice(groups.filter((g) => !everyone(g)).map((g) => g.name), '');
  const send = (path, words, asks = false) => async () => {
    if (!client.reportValidity() || (asks && !confirm(`Take ${client.value} out of ${group.value}?`))) return '';
    return change(look, `${client.value} ${words} ${group.value}.`, path, { client: client.value, group: group.value });
  };
  return row(field('Client', client), field('Group', group), action('Add', send('/groups/add', 'is in')), action('Move', send('/groups/move', 'is moved to')), action('Take out', send('/groups/remove', 'is no longer in', true)));
}

export async function show(box, signal) {
  const result = h('div');
  const services = mayOperate() ? (await get('/services', {}, { signal })).services.map((s) => s.name) : [];
  const look = async () => {
    const [{ groups }, all, { entries }, overrides] = await Promise.all([get('/groups'), get('/blocklist'), get('/entries'), overridesGet()]);
    if (signal.aborted) return;
    const known = { groups, all, entries, overrides, services };
    fill(result, mayAdmin() && groups.length > 1 && [h('h2', {}, 'Clients'), move(groups, look)], mayAdmin() && create(look),
      overridesShow(overrides.filter((o) => o.unset && /^groups\[[^\]]*\]$/.test(o.path)).map((o) => o.path), look),
      h('div', { class: 'columns wide' }, groups.map((g) => one(g, known, look))));
  };
  const zones = Intl.supportedValuesOf?.('timeZone') ?? []; // the browser's, as proposals
  box.append(h('h1', {}, 'Groups and schedules'), result, h('datalist', { id: 'zones' }, zones.map((value) => h('option', { value }))));
  whenPaused(signal, look);
  await look().catch((e) => { say(e.message); throw e; });
}
