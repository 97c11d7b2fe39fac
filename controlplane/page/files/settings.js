// SPDX-License-Identifier: BSD-3-Clause
// Settings: upstream servers, and the keys that people change most, by their values in force.
import { h, fill, table, facts, field, form, choice, mark, span, when, say } from './dom.js';
import { change, get, mayAdmin, saw, turns } from './api.js';
import { overridesGet, overridesShow } from './override.js';
import { chooser, othersShow, serversShow } from './servers.js';
import { ofPrimary, takenNote } from './taken.js';
import { _ } from './words.js';

// {section: [[path, title, what its words mean or the units in one of the control]]}
const KEYS = {
  [_`Upstream servers`]: [['upstreams.policy', _`weir asks first`, { failover: _`the first that is up`, latency: _`the quickest`, 'least-outstanding': _`the one with the fewest open queries`, 'round-robin': _`each in turn` }]],
  DNSSEC: [['dnssec.validate', _`Validate answers`, { true: _`yes`, false: _`no` }]],
  [_`Blocking`]: [['blocking.mode', _`A blocked name gets`, { nxdomain: 'NXDOMAIN', null: _`0.0.0.0 and ::`, nodata: _`no data`, refused: 'REFUSED', address: _`addresses of your own` }],
    ['blocking.ttl', _`TTL of that answer, in seconds`], ['local.relay_canary', _`iCloud Private Relay`, { true: _`Apple devices shall do without`, false: _`as each device wishes` }]],
  [_`Cache`]: [['cache.stale', _`Serve expired answers`, { 'on-failure': _`when the servers fail`, immediate: _`at once, and renew them` }],
    ['cache.stale_window', _`Keep expired answers, in seconds`], ['cache.min_ttl', _`Keep answers at least, in seconds`]],
  [_`Query log`]: [['query_log.enabled', _`Log queries`, { true: _`yes`, false: _`no` }], ['query_log.store.hours', _`Keep queries, in days`, 24],
    ['query_log.anonymize', _`The log has`, { none: _`addresses of clients`, truncate: _`networks of clients`, hash: _`codes in place of clients` }]],
};
const SOON_S = 14 * 86400; // a certificate that ends by then is marked

// Of a list of servers, or of a zone: the path at which all of it goes back to the file.
const listOf = (path, all) => (/^(?:groups\[.*?\]\.)?forward_zones\[.*?\](?=\.|$)|^groups\[.*?\]\.upstreams\b/.exec(path)?.[0]
  ?? (/^upstreams\.servers\b/.test(path) && (all.includes('upstreams.servers') ? 'upstreams.servers' : path)));
const shown = (v, meaning) => (v.words.length ? meaning[v.value] ?? v.value : +(v.value / (meaning ?? 1)).toFixed(2));

// The addresses that a blocked name gets: only with that mode. `params`: of the one change that sets the mode with them; null:
// the mode alone.
function addressesOf(mode, block) {
  const inputs = ['ipv4', 'ipv6'].map((key) => [key, h('input', { size: 16, maxLength: 45, value: block[key] ?? '' })]);
  const fields = inputs.map(([key, input]) => field(key === 'ipv4' ? _`IPv4 address` : _`IPv6 address`, input));
  const show = () => fields.forEach((f) => { f.hidden = mode.value !== 'address'; });
  mode.addEventListener('change', show);
  show();
  const params = () => {
    if (mode.value !== 'address') return null;
    const given = inputs.filter(([, i]) => i.value).map(([key, i]) => [key, i.value.trim()]), gone = inputs.find(([key, i]) => !i.value && block[key]);
    if (!given.length) throw new Error(_`Give an address.`);
    return { yaml: JSON.stringify({ blocking: { mode: mode.value, ...Object.fromEntries(given) } }), replace: gone && `blocking.${gone[0]}` };
  };
  return { fields, params };
}

function control([path, title, meaning], known, look) {
  const v = known.values.get(path), scale = v.words.length ? 1 : meaning ?? 1;
  const input = v.words.length ? choice(v.words.map((w) => [w, meaning[w] ?? w]), v.value)
    : h('input', { type: 'number', required: true, min: Math.floor(100 * v.min / scale) / 100, max: v.max / scale, step: scale > 1 ? 'any' : 1, value: +(v.value / scale).toFixed(2) });
  const more = path === 'blocking.mode' ? addressesOf(input, known.block) : { fields: [], params: () => null };
  return [ofPrimary(path, form([field(title, input), more.fields], _`Set`, async () => {
    const value = v.words.length ? input.value : String(Math.round(input.value * scale));
    const words = `${title}: ${v.words.length ? input.selectedOptions[0].textContent : input.value}.`, params = more.params();
    return params ? change(look, words, '/config/override', params) : change(look, words, '/config/set', { path, yaml: value });
  })), known.waits.includes(path) && h('p', {}, mark('warn', _`In force after a restart of weir-controlplane.`))];
}

// The keys with their values in force, for other views. `values`: GET /config/values; `reload`: of GET /status.
export function settingsShow(keys, { values, reload, overrides }, look) {
  const known = { values: new Map(values.map((v) => [v.path, v])), waits: reload.needs_restart.split(', ') };
  return keysOf(keys, known, overrides.map((o) => o.path).filter((p) => keys.some(([path]) => path === p)), look);
}

// `changed`: the paths that do not count as a file says.
const keysOf = (keys, known, changed, look) => [mayAdmin() ? keys.flatMap((k) => control(k, known, look))
  : facts(keys.map(([path, title, meaning]) => [title, shown(known.values.get(path), meaning)])), overridesShow(changed, look)];

function keysShow(section, known, look) {
  const paths = new Set([...KEYS[section].map(([path]) => path), ...(section === _`Blocking` ? ['blocking.ipv4', 'blocking.ipv6'] : [])]);
  const changed = known.overrides.filter((o) => o.of_file || o.unset || !/^(groups|forward_zones)\[/.test(o.path)).map((o) => o.path);
  return keysOf(KEYS[section], known, changed.map((p) => (paths.has(p) ? p : section === _`Upstream servers` && listOf(p, changed))).filter((p) => p), look);
}

const certificatesShow = (access) => [table(_`Certificate of this page`, [{ title: _`Names`, name: true, of: (c) => c.names || '–' }, { title: _`Valid until`, of: (c) => when(c.until) },
  { title: _`Left`, of: (c) => mark(c.left_s > SOON_S ? 'good' : 'bad', c.left_s ? span(c.left_s) : _`expired`) }], access.certificates),
access.certificates_error && h('p', { class: 'bad' }, access.certificates_error)];

// `argument`: the set of servers that are to be chosen, "group kids".
export async function show(box, signal, argument = '') {
  const result = h('div'), set = decodeURIComponent(argument), turn = turns(signal);
  const look = async () => {
    const isToDraw = turn(), { overrides, version } = await overridesGet();
    const [{ upstreams }, { servers, known: resolvers }, { values }, { reload, access }, { groups }] = await Promise.all([get('/upstreams'),
      mayAdmin() ? get('/upstreams/servers') : { servers: [], known: [] }, get('/config/values'), get('/status'), get('/groups')]);
    const known = { upstreams, servers, groups: groups.slice(1).map((g) => g.name), resolvers, overrides, values: new Map(values.map((v) => [v.path, v])),
      waits: reload.needs_restart.split(', '), block: groups[0].block };
    if (!isToDraw()) return known;
    saw(look, version);
    const [first, ...rest] = Object.keys(KEYS);
    fill(result, h('h2', {}, first), serversShow(known, look), mayAdmin() && chooser(known, look, set), othersShow(known, look), keysShow(first, known, look),
      h('div', { class: 'columns' }, rest.map((s) => h('section', { 'aria-label': s }, h('h2', {}, s), keysShow(s, known, look)))),
      h('h2', {}, _`Certificate`), certificatesShow(access));
    return known;
  };
  box.append(h('h1', {}, _`Settings`), takenNote('settings', 'upstreams', 'forward_zones', 'groups', 'dnssec', 'blocking', 'local'), result);
  await look().catch((e) => { say(e.message); throw e; });
  if (set) box.querySelector('[data-for]')?.scrollIntoView({ block: 'nearest' });
}
