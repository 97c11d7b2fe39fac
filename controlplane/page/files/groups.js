// SPDX-License-Identifier: BSD-3-Clause
// Groups of clients: who is in them, what goes for them, schedules, pauses, and what changes them.
import { h, row, fill, table, facts, field, form, choice, action, mark, notes, number, span, text, when, say } from './dom.js';
import { change, get, mayAdmin, mayOperate, saw, send, turns } from './api.js';
import { addEntry, entriesShow } from './lists.js';
import { itemOf, overridesGet, overridesShow } from './override.js';
import { pauseButtons, resume, whenPaused } from './pause.js';
import { ofPrimary, takenNote } from './taken.js';
import { GROUPS_MOST, ofGroup, today } from './today.js';
import { cellsOf, dayName, DAYS, isWhole, schedulesOf, weekGrid } from './week.js';
import { _, count } from './words.js';

const opened = new Set(), painting = new Set(); // the groups whose controls are unfolded, and whose weeks
const painted = new Map(); // of a group: the half hours that are painted and not set
const NAME_MAX = 23; // bytes of a schedule's name
const NOTHING = { block_all: false, pause: false, services: [] }; // in place of what a schedule did before

const everyone = (g) => g.group === 0;
const paused = (all) => all.pause_left_s > 0;
const days = (list) => ({ [DAYS.join()]: _`daily`, 'mon,tue,wed,thu,fri': _`weekdays`, 'sat,sun': _`weekends` }[list.join()] ?? list.map(dayName).join(', '));
const does = (s) => [s.block_all ? _`blocks everything` : '', s.pause ? _`blocks nothing` : '', s.services.length ? _`blocks ${s.services.join(', ')}` : '', s.lists.length ? _`uses the lists ${s.lists.join(', ')}` : '',
  s.domains ? _`blocks ${count(s.domains)} names` : ''].filter((t) => t).join('; ');

// A pause of the group, a schedule or a pause of everyone, in the order in which they decide. `all`: GET /blocklist.
function stateShow(g, all) {
  if (g.pause_left_s) return mark('warn', _`Paused, ${span(g.pause_left_s)} left.`);
  if (!g.blocking) return mark('warn', _`Not blocking.`);
  if (g.block_all && !(paused(all) && all.pause_lifts_block_all)) return mark('warn', _`Everything is blocked now.`);
  if (paused(all)) return mark('warn', _`Blocking is paused for everyone until ${when(all.pause_until_unix_s)}.`);
  return g.paused ? mark('warn', _`Paused by a schedule.`) : mark('good', _`Blocking.`);
}

// The path of its keys, and the text that sets some of them.
const at = (g) => (everyone(g) ? 'blocking' : `groups[${g.name}]`);
const keysText = (g, keys) => JSON.stringify(everyone(g) ? { blocking: keys } : { groups: [{ name: g.name, ...keys }] });
const listText = (input) => JSON.stringify(input.value.split(',').map((t) => t.trim()).filter((t) => t));
const clientsInput = (value = '') => h('input', { required: true, size: 28, value, placeholder: _`addresses, MACs, names, host:NAME, by commas` });

// The keys of a group that stand in place of a file's. A group that is in no file has none.
function overridden(g, overrides) {
  const start = `${at(g)}.`;
  return overrides.some((o) => o.path === `${start}clients` && !o.of_file) ? []
    : overrides.filter((o) => o.path.startsWith(start)).map((o) => start + /^\w*/.exec(o.path.slice(start.length))[0]);
}

// The controls of what a schedule does, and the keys that they set.
function effect(services) {
  const some = choice(services, '', { multiple: true, size: 6 }), someField = field(_`Services`, some);
  const what = choice([['block_all', _`block everything`], ['services', _`block services`], ['pause', _`block nothing`]], 'block_all', { onchange: () => { someField.hidden = what.value !== 'services'; } });
  const zone = h('input', { size: 14, maxLength: 64, list: 'zones', placeholder: _`that of the box` });
  someField.hidden = true;
  return { what, some, zone, fields: [field(_`Time zone`, zone), field(_`What`, what), someField],
    keys: () => ({ ...(zone.value && { time_zone: zone.value.trim() }), [what.value]: what.value === 'services' ? [...some.selectedOptions].map((o) => o.value) : true }) };
}

function schedule(g, services, look) {
  const name = h('input', { required: true, maxLength: NAME_MAX, size: 10, value: 'bedtime' });
  const from = h('input', { type: 'time', required: true, value: '21:00' }), to = h('input', { type: 'time', required: true, value: '07:00' });
  const days = DAYS.map((d) => [d, h('input', { type: 'checkbox', checked: true })]), does = effect(services);
  return form([field(_`Schedule`, name), field(_`From`, from), field(_`To`, to), days.map(([d, box]) => field(dayName(d), box)), does.fields], _`Set schedule`, () => {
    if (days.every(([, box]) => !box.checked)) throw new Error(_`Choose a day.`);
    const one = { name: name.value, from: from.value, to: to.value, days: days.filter(([, box]) => box.checked).map(([d]) => d), ...does.keys() };
    return change(look, _`${one.name} is set.`, '/config/override', { yaml: keysText(g, { schedules: [one] }), replace: `${at(g)}.schedules[${one.name}]` });
  });
}

// The schedules of a painted week: NAME, and where there are more NAME~2 and so on. By hand a second one is called otherwise.
const PART = /~\d+$/;
const numbered = (name, i) => (i ? `${name}~${i + 1}` : name);
const family = (list, name) => list.filter((s) => s.name === name || (PART.test(s.name) && s.name.replace(PART, '') === name));
// Does it block everything, some services or nothing, and no more?
const isPlain = (s) => !s.family_time && !s.lists.length && !s.domains;

// A week that is painted in place of the times and days of a schedule. `show` paints those that there are.
function week(g, known, look) {
  const cells = painted.get(g.name) ?? cellsOf([]), does = effect(known.services), says = h('p', { class: 'soft', role: 'status' });
  const name = h('input', { required: true, maxLength: NAME_MAX - 3, size: 10, value: 'bedtime' });
  const own = g.own_schedules ? g.schedules : []; // others are those of everyone
  const tell = () => {
    says.textContent = cells.includes(true) ? schedulesOf(cells).map((s) => _`${days(s.days)} ${s.from} to ${s.to}`).join('; ') : _`Nothing is painted.`;
  };
  const changed = () => {
    painted.set(g.name, cells);
    tell();
  };
  const set = async () => {
    const rows = schedulesOf(cells).map((s, i) => ({ name: numbered(name.value, i), ...s, ...NOTHING, ...does.keys() }));
    if (!rows.length) throw new Error(_`Paint the hours first.`);
    const reply = await send(look, '/config/override', { yaml: keysText(g, { schedules: rows }), replace: `${at(g)}.schedules[${name.value}]` });
    // The first one has been replaced; of the others, keys that are not set stay.
    for (const s of family(own, name.value).filter((o) => o.name !== name.value)) {
      const next = rows.find((r) => r.name === s.name), path = `${at(g)}.schedules[${s.name}]`;
      if (!next) await send(look, '/config/unset', { path });
      else if (s.time_zone && !next.time_zone) await send(look, '/config/unset', { path: `${path}.time_zone` });
    }
    painted.delete(g.name);
    await look();
    return _`${name.value} is set.` + notes(reply);
  };
  const grid = h('div', { class: 'painted' });
  const draw = () => fill(grid, weekGrid(_`Week of ${g.name}`, cells, changed), says);
  const box = h('details', { open: painting.has(g.name), ontoggle: () => {
    if (box.open) painting.add(g.name);
    else painting.delete(g.name);
    if (box.open && !grid.firstChild) draw();
  } }, h('summary', {}, _`Paint a week for ${g.name}`),
  h('p', { class: 'soft' }, _`Paint by mouse or finger, or by the arrow keys and Space; with Shift an arrow key paints on. Paint again to clear. For exact minutes use the form above.`),
  form([field(_`Name of the schedule`, name), does.fields, grid], _`Set week`, set));
  const show = (s) => {
    const base = s.name.replace(PART, ''), of = own.some((o) => o.name === base) ? base : s.name, all = family(own, of);
    cells.splice(0, cells.length, ...cellsOf(all));
    name.value = of;
    does.zone.value = s.time_zone ?? '';
    does.what.value = s.block_all ? 'block_all' : s.pause ? 'pause' : 'services';
    for (const o of does.some.options) o.selected = s.services.includes(o.value);
    for (const input of [name, does.what, does.some, does.zone]) input.dispatchEvent(new Event('input', { bubbles: true }));
    does.what.dispatchEvent(new Event('change'));
    for (const d of [box, box.parentElement.closest('details')]) d.open = true;
    draw();
    changed();
    box.scrollIntoView({ block: 'nearest' });
    return isWhole(all) ? '' : _`The week has half hours: other minutes are rounded.`;
  };
  tell();
  if (box.open) draw();
  return { box, show };
}

// What only an admin may change.
function settings(g, { services, overrides }, paint, look) {
  const path = `${at(g)}.clients`, set = overrides.find((o) => o.path === path)?.value, who = clientsInput(set ? JSON.parse(set).join(', ') : '');
  const safe = Object.values(g.safe_search ?? {}).some((v) => v !== 'off');
  return [schedule(g, services, look), paint.box,
    // The reply about a group has addresses in place of a file's names, those that Add put there, and not all of a long list.
    set && form(field(_`Clients`, who), _`Set clients`, () => change(look, _`The clients of ${g.name} are set.`, '/config/set', { path, yaml: listText(who) })),
    row(
      action(safe ? _`Safe search off` : _`Safe search on`, () => change(look, safe ? _`Safe search is off for ${g.name}.` : _`Safe search is on for ${g.name}.`, '/config/override',
        { yaml: keysText(g, { safe_search: { all: !safe } }), replace: `${at(g)}.safe_search` })),
      !everyone(g) && action(_`Delete group`, () => change(look, _`${g.name} is deleted.`, '/config/unset', { path: at(g) }), { ask: _`Delete the group ${g.name}?` }))];
}

function controls(g, known, paint, look) {
  const blocked = g.services ?? [], service = choice(known.services.filter((s) => !blocked.includes(s)), '');
  const set = (verb, name, words) => change(look, words, `/services/${verb}`, { service: name, group: g.name });
  return h('details', { open: opened.has(g.name), ontoggle: (e) => (e.target.open ? opened.add(g.name) : opened.delete(g.name)) }, h('summary', {}, _`Change ${g.name}`),
    ofPrimary(at(g), row(field(_`Service`, service), action(_`Block service`, () => set('block', service.value, _`${service.value} is blocked for ${g.name}.`)), blocked.map((s) => action(_`Allow ${s}`, () => set('allow', s, _`${s} is no longer blocked for ${g.name}.`))))),
    mayAdmin() && settings(g, known, paint, look).map((e) => ofPrimary(at(g), e)),
    entriesShow(_`Entries of ${g.name}`, known.entries.filter((e) => e.group === (everyone(g) ? '' : g.name)), look), addEntry(look, g.name));
}

function schedules(g, known, paint, look) {
  const path = (s) => (s.family_time ? 'family_time' : `schedules[${s.name}]`);
  return table(_`Schedules of ${g.name}`, [{ title: _`Name`, of: (s) => s.name }, { title: _`When`, of: (s) => _`${days(s.days)} ${s.from} to ${s.to}` + (s.time_zone ? `, ${s.time_zone}` : '') },
    { title: _`Does`, of: (s) => does(s) }, { title: _`Applies`, of: (s) => (s.active ? mark('warn', _`until ${when(s.changes_unix_s)}`) : s.changes_unix_s ? _`from ${when(s.changes_unix_s)}` : _`no`) },
    ...(mayAdmin() && g.own_schedules ? [{ title: _`Actions`, of: (s) => ofPrimary(at(g), row(isPlain(s) && action(_`Paint`, () => paint.show(s)), action(_`Remove`, () => change(look, _`${s.name} is removed.`, '/config/unset', { path: `${at(g)}.${path(s)}` }), { ask: _`Remove the schedule ${s.name}?` }))) }] : [])], g.schedules);
}

// The query store may take its time.
function todayShow(g, day) {
  const words = text('…');
  day.then((t) => { words.data = ofGroup(t, g.name); }).catch(() => { words.data = _`not known`; });
  return words;
}

// The group's own servers, as far as no other group has the same, and for an admin the way to choose them.
function serversOf(g, upstreams) {
  const set = everyone(g) ? 'everyone' : `group ${g.name}`, words = upstreams.filter((u) => u.set === set).map((u) => u.name).join(', ');
  return mayAdmin() ? h('div', {}, words && `${words}. `, h('a', { href: `#/settings/${everyone(g) ? '' : encodeURIComponent(set)}` }, _`Choose servers of ${g.name}`)) : words;
}

// A client as its group has it, behind the name that weir knows for its MAC address.
const member = (g, client) => {
  const known = (g.member_names ?? []).find((m) => m.client === client);
  return known ? `${known.name} (${client})` : client;
};

// `known`: the replies that tell of all groups.
function one(g, known, look) {
  const { all } = known, paint = mayAdmin() && week(g, known, look), again = (group) => action(_`Block again`, () => resume(group));
  const safe = Object.entries(g.safe_search ?? {}).filter(([, v]) => v).map(([k, v]) => `${k}: ${v}`).join(', ');
  return h('section', { 'aria-label': _`Group ${g.name}` }, h('h2', {}, g.name),
    h('p', {}, stateShow(g, all)),
    facts([[_`Clients`, everyone(g) ? _`all that are in no group` : [...g.clients.map((c) => member(g, c)), ...(g.client_names ?? []), ...(g.vlans ?? []).map((v) => `VLAN ${v}`)].join(', ') || _`none`],
      [_`Today`, todayShow(g, known.day)], [_`Lists`, g.all_lists ? _`all: ${g.lists.join(', ')}` : g.lists.join(', ') || _`none`], [_`Own entries`, _`${number(g.allow)} allowed, ${number(g.deny)} blocked`],
      [_`Blocked services`, (g.services ?? []).join(', ')], [_`Safe search`, safe], [_`Blocked names get`, `${g.block.mode}, TTL ${g.block.ttl} s`],
      [_`Upstream servers`, serversOf(g, known.upstreams)], [_`Next change`, g.next_change_unix_s ? when(g.next_change_unix_s) : '']]),
    g.schedules.length ? schedules(g, known, paint, look) : null,
    overridesShow(overridden(g, known.overrides), look),
    mayOperate() && [row(g.pause_left_s ? again(g.name) : everyone(g) ? (paused(all) ? again() : null) : pauseButtons(() => g.name)),
      controls(g, known, paint, look)]);
}

function create(look) {
  const name = h('input', { required: true, maxLength: 31, size: 12 }), who = clientsInput();
  return form([field(_`New group: its name`, name), field(_`Its clients`, who)], _`Make group`,
    () => change(look, _`${name.value} is made.`, '/config/set', { path: `groups[${name.value}].clients`, yaml: listText(who), new: 1 }));
}

function move(groups, look) {
  const client = h('input', { required: true, maxLength: 80, size: 28, placeholder: _`address, prefix, MAC, name, host:NAME` });
  const group = choice(groups.filter((g) => !everyone(g)).map((g) => g.name), '');
  const does = (path, words, asks = false) => async () => {
    if (!client.reportValidity() || (asks && !confirm(_`Take ${client.value} out of ${group.value}?`))) return '';
    return change(look, words(client.value, group.value), path, { client: client.value, group: group.value });
  };
  return row(field(_`Client`, client), field(_`Group`, group), action(_`Add`, does('/groups/add', (c, g) => _`${c} is in ${g}.`)), action(_`Move`, does('/groups/move', (c, g) => _`${c} is moved to ${g}.`)), action(_`Take out`, does('/groups/remove', (c, g) => _`${c} is no longer in ${g}.`, true)));
}

export async function show(box, signal) {
  const result = h('div'), turn = turns(signal);
  const day = today(signal, GROUPS_MOST);
  day.catch(() => {}); // said in each group
  const services = mayOperate() ? (await get('/services', {}, { signal })).services.map((s) => s.name) : [];
  const look = async () => {
    const isToDraw = turn();
    const { overrides, version } = await overridesGet();
    const [{ groups }, all, { entries }, { upstreams }] = await Promise.all([get('/groups'), get('/blocklist'), get('/entries'), get('/upstreams')]);
    if (!isToDraw()) return;
    saw(look, version);
    const known = { groups, all, entries, overrides, services, day, upstreams };
    fill(result, mayAdmin() && groups.length > 1 && [h('h2', {}, _`Clients`), ofPrimary('group_members', move(groups, look))], mayAdmin() && ofPrimary('groups', create(look)),
      overridesShow(overrides.filter((o) => o.unset && itemOf('groups', o.path) === o.path).map((o) => o.path), look),
      h('div', { class: 'columns wide' }, groups.map((g) => one(g, known, look))));
  };
  const zones = Intl.supportedValuesOf?.('timeZone') ?? []; // the browser's, as proposals
  box.append(h('h1', {}, _`Groups and schedules`), takenNote('groups', 'groups', 'group_members', 'blocking', 'entries'), result, h('datalist', { id: 'zones' }, zones.map((value) => h('option', { value }))));
  whenPaused(signal, look);
  await look().catch((e) => { say(e.message); throw e; });
}
