// SPDX-License-Identifier: BSD-3-Clause
// Settings: upstream servers, and the keys that people change most, by their values in force.
import { h, row, fill, table, facts, figure, field, form, choice, action, mark, number, micros, span, when, say } from './dom.js';
import { change, get, mayAdmin, mayOperate, post } from './api.js';
import { overridesGet, overridesShow } from './override.js';
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

const shown = (v, meaning) => (v.words.length ? meaning[v.value] ?? v.value : +(v.value / (meaning ?? 1)).toFixed(2));

// The addresses that a blocked name gets: only with that mode.
function addressesOf(mode, block) {
  const inputs = ['ipv4', 'ipv6'].map((key) => [key, h('input', { size: 16, maxLength: 45, value: block[key] ?? '' })]);
  const fields = inputs.map(([key, input]) => field(key === 'ipv4' ? _`IPv4 address` : _`IPv6 address`, input));
  const show = () => fields.forEach((f) => { f.hidden = mode.value !== 'address'; });
  mode.addEventListener('change', show);
  show();
  const gone = () => (mode.value === 'address' ? inputs.filter(([key, i]) => !i.value && block[key]).map(([key]) => key) : []);
  return { fields, gone, given: () => (mode.value === 'address' ? inputs.filter(([, i]) => i.value).map(([key, i]) => [key, i.value.trim()]) : []) };
}

function control([path, title, meaning], known, look) {
  const v = known.values.get(path), scale = v.words.length ? 1 : meaning ?? 1;
  const input = v.words.length ? choice(v.words.map((w) => [w, meaning[w] ?? w]), v.value)
    : h('input', { type: 'number', required: true, min: Math.floor(100 * v.min / scale) / 100, max: v.max / scale, step: scale > 1 ? 'any' : 1, value: +(v.value / scale).toFixed(2) });
  const more = path === 'blocking.mode' ? addressesOf(input, known.block) : { fields: [], gone: () => [], given: () => [] };
  return [form([field(title, input), more.fields], _`Set`, async () => {
    const value = v.words.length ? input.value : String(Math.round(input.value * scale));
    const words = `${title}: ${v.words.length ? input.selectedOptions[0].textContent : input.value}.`, given = more.given();
    for (const key of more.gone()) await post('/config/unset', { path: `blocking.${key}` });
    return given.length ? change(look, words, '/config/override', { yaml: JSON.stringify({ blocking: { mode: value, ...Object.fromEntries(given) } }) })
      : change(look, words, '/config/set', { path, yaml: value });
  }), known.waits.includes(path) && h('p', {}, mark('warn', _`In force after a restart of weir-controlplane.`))];
}

function keysShow(section, known, look) {
  const paths = new Set([...KEYS[section].map(([path]) => path), ...(section === _`Blocking` ? ['blocking.ipv4', 'blocking.ipv6'] : [])]);
  return [mayAdmin() ? KEYS[section].flatMap((k) => control(k, known, look)) : facts(KEYS[section].map(([path, title, meaning]) => [title, shown(known.values.get(path), meaning)])),
    overridesShow(known.overrides.map((o) => o.path).filter((p) => paths.has(p) || (section === _`Upstream servers` && /^upstreams\.servers\b/.test(p))), look)];
}

const testWords = (r) => ['udp', 'tcp', 'tls', 'https'].filter((t) => r[t]).map((t) =>
  `${t.toUpperCase()}: ${r[t].answered ? _`${r[t].rcode} in ${micros(r[t].took_us)}` : _`no reply` + (r[t].why ? ` (${r[t].why})` : '')}`).join('; ');
const test = async (name) => `${name}: ${testWords(await post('/upstream/test', { server: name }))}.`;

// A server of a file counts as absent then.
const remove = (s, look) => action(_`Remove`, () => (s.removable ? change(look, _`${s.server} is removed.`, '/upstreams/remove', { server: s.server })
  : change(look, _`${s.server} is removed.`, '/config/unset', { path: `upstreams.servers[${s.server}]` })), { ask: _`Remove the server ${s.name}?` });

function serversShow(known, look) {
  const own = new Map(known.servers.map((s) => [s.name, s]));
  return table(_`Upstream servers of everyone`, [
    { title: _`Server`, name: true, of: (u) => h('div', {}, h('strong', {}, u.name), h('div', { class: 'soft' }, _`over ${{ tls: 'TLS', https: 'HTTPS' }[u.via] ?? _`UDP and TCP`}`)) },
    { title: _`State`, of: (u) => mark(u.state === 'up' ? 'good' : 'bad', u.state) },
    ...(mayOperate() ? [{ title: _`Actions`, of: (u) => row(action(_`Test`, () => test(u.name)), own.has(u.name) && remove(own.get(u.name), look)) }] : []),
    figure(_`Median`, (u) => (u.p50_us ? micros(u.p50_us) : '–')), figure(_`Share`, (u) => `${u.share_percent} %`), figure(_`Timeouts`, (u) => number(u.timeouts))],
  known.upstreams, _`weir asks no upstream server.`);
}

// One after the other, as each is a change of the configuration, and then a test of each.
async function add(title, list, look) {
  const refused = [];
  for (const server of list) await post('/upstreams/add', { server }).catch((e) => { refused.push(e); });
  if (refused.length === list.length) throw refused[0];
  const { servers } = await look();
  if (refused.length) throw refused[0];
  const words = [_`${title} is added.`]; // weir makes one test at a time
  for (const s of servers.filter((s) => list.includes(s.server))) words.push(await test(s.name).catch((e) => `${s.name}: ${e.message}.`));
  return words.join(' ');
}

// As upstreams.servers has it.
function serverText(kind, address, name, path) {
  const at = kind && /:.*:/.test(address) && !address.startsWith('[') ? `[${address}]` : address;
  return kind ? `${kind}://${name ? `${name}@` : ''}${at}${kind === 'https' ? path.replace(/^\/?/, '/') : ''}` : address;
}

function addServer(known, look) {
  const resolvers = known.resolvers.flatMap((r) => [[r.ipv4, ''], [r.ipv6, _`, by IPv6`]].map(([list, how]) => ({ title: _`${r.name} over TLS` + how, list })));
  const which = choice(resolvers.map((r, i) => [String(i), r.title]), '0');
  const kind = choice([['', _`UDP and TCP`], ['tls', 'TLS'], ['https', 'HTTPS']], ''), address = h('input', { required: true, maxLength: 200, placeholder: '192.0.2.53' });
  const name = h('input', { maxLength: 253, placeholder: 'dns.example' }), path = h('input', { maxLength: 200, value: '/dns-query' });
  const nameField = field(_`Name in its certificate`, name), pathField = field(_`Path`, path);
  const show = () => { nameField.hidden = !kind.value; pathField.hidden = kind.value !== 'https'; };
  kind.addEventListener('change', show);
  show();
  return [form(field(_`Public resolver`, which), _`Add resolver`, () => add(resolvers[which.value].title, resolvers[which.value].list, look)),
    form([field(_`Own server: over`, kind), field(_`Its address`, address), nameField, pathField], _`Add server`, () => {
      const server = serverText(kind.value, address.value.trim(), name.value.trim(), path.value.trim());
      return add(server, [server], look);
    })];
}

const certificatesShow = (access) => [table(_`Certificate of this page`, [{ title: _`Names`, name: true, of: (c) => c.names || '–' }, { title: _`Valid until`, of: (c) => when(c.until) },
  { title: _`Left`, of: (c) => mark(c.left_s > SOON_S ? 'good' : 'bad', c.left_s ? span(c.left_s) : _`expired`) }], access.certificates),
access.certificates_error && h('p', { class: 'bad' }, access.certificates_error)];

export async function show(box, signal) {
  const result = h('div');
  const look = async () => {
    const [{ upstreams }, { servers, known: resolvers }, { values }, { reload, access }, { groups }, overrides] = await Promise.all([get('/upstreams'),
      mayAdmin() ? get('/upstreams/servers') : { servers: [], known: [] }, get('/config/values'), get('/status'), get('/groups'), overridesGet()]);
    const known = { upstreams: upstreams.filter((u) => u.set === 'everyone'), servers, resolvers, overrides, values: new Map(values.map((v) => [v.path, v])),
      waits: reload.needs_restart.split(', '), block: groups[0].block };
    if (signal.aborted) return known;
    const [first, ...rest] = Object.keys(KEYS);
    fill(result, h('h2', {}, first), serversShow(known, look), mayAdmin() && addServer(known, look), keysShow(first, known, look),
      h('div', { class: 'columns' }, rest.map((s) => h('section', { 'aria-label': s }, h('h2', {}, s), keysShow(s, known, look)))),
      h('h2', {}, _`Certificate`), certificatesShow(access));
    return known;
  };
  box.append(h('h1', {}, _`Settings`), result);
  await look().catch((e) => { say(e.message); throw e; });
}
