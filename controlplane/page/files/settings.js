// SPDX-License-Identifier: BSD-3-Clause
// Settings: upstream servers, and the keys that people change most, by their values in force.
import { h, row, fill, table, facts, figure, field, form, choice, action, mark, number, micros, span, when, say } from './dom.js';
import { change, get, mayAdmin, mayOperate, post } from './api.js';
import { overridesGet, overridesShow } from './override.js';

// {section: [[path, title, what its words mean or the units in one of the control]]}
const KEYS = {
  'Upstream servers': [['upstreams.policy', 'weir asks first', { failover: 'the first that is up', latency: 'the quickest', 'least-outstanding': 'the one with the fewest open queries', 'round-robin': 'each in turn' }]],
  DNSSEC: [['dnssec.validate', 'Validate answers', { true: 'yes', false: 'no' }]],
  Blocking: [['blocking.mode', 'A blocked name gets', { nxdomain: 'NXDOMAIN', null: '0.0.0.0 and ::', nodata: 'no data', refused: 'REFUSED', address: 'addresses of your own' }],
    ['blocking.ttl', 'TTL of that answer, in seconds'], ['local.relay_canary', 'iCloud Private Relay', { true: 'Apple devices shall do without', false: 'as each device wishes' }]],
  Cache: [['cache.stale', 'Serve expired answers', { 'on-failure': 'when the servers fail', immediate: 'at once, and renew them' }],
    ['cache.stale_window', 'Keep expired answers, in seconds'], ['cache.min_ttl', 'Keep answers at least, in seconds']],
  'Query log': [['query_log.enabled', 'Log queries', { true: 'yes', false: 'no' }], ['query_log.store.hours', 'Keep queries, in days', 24],
    ['query_log.anonymize', 'The log has', { none: 'addresses of clients', truncate: 'networks of clients', hash: 'codes in place of clients' }]],
};
const SOON_S = 14 * 86400; // a certificate that ends by then is marked

const shown = (v, meaning) => (v.words.length ? meaning[v.value] ?? v.value : +(v.value / (meaning ?? 1)).toFixed(2));

// The addresses that a blocked name gets: only with that mode.
function addressesOf(mode, block) {
  const inputs = ['ipv4', 'ipv6'].map((key) => [key, h('input', { size: 16, maxLength: 45, value: block[key] ?? '' })]);
  const fields = inputs.map(([key, input]) => field(key === 'ipv4' ? 'IPv4 address' : 'IPv6 address', input));
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
  return [form([field(title, input), more.fields], 'Set', async () => {
    const value = v.words.length ? input.value : String(Math.round(input.value * scale));
    const words = `${title}: ${v.words.length ? input.selectedOptions[0].textContent : input.value}.`, given = more.given();
    for (const key of more.gone()) await post('/config/unset', { path: `blocking.${key}` });
    return given.length ? change(look, words, '/config/override', { yaml: JSON.stringify({ blocking: { mode: value, ...Object.fromEntries(given) } }) })
      : change(look, words, '/config/set', { path, yaml: value });
  }), known.waits.includes(path) && h('p', {}, mark('warn', 'In force after a restart of weir-controlplane.'))];
}

function keysShow(section, known, look) {
  const paths = new Set([...KEYS[section].map(([path]) => path), ...(section === 'Blocking' ? ['blocking.ipv4', 'blocking.ipv6'] : [])]);
  return [mayAdmin() ? KEYS[section].flatMap((k) => control(k, known, look)) : facts(KEYS[section].map(([path, title, meaning]) => [title, shown(known.values.get(path), meaning)])),
    overridesShow(known.overrides.map((o) => o.path).filter((p) => paths.has(p) || (section === 'Upstream servers' && /^upstreams\.servers\b/.test(p))), look)];
}

const testWords = (r) => ['udp', 'tcp', 'tls', 'https'].filter((t) => r[t]).map((t) =>
  `${t.toUpperCase()}: ${r[t].answered ? `${r[t].rcode} in ${micros(r[t].took_us)}` : `no reply${r[t].why ? ` (${r[t].why})` : ''}`}`).join('; ');
const test = async (name) => `${name}: ${testWords(await post('/upstream/test', { server: name }))}.`;

// A server of a file counts as absent then.
const remove = (s, look) => action('Remove', () => (s.removable ? change(look, `${s.server} is removed.`, '/upstreams/remove', { server: s.server })
  : change(look, `${s.server} is removed.`, '/config/unset', { path: `upstreams.servers[${s.server}]` })), { ask: `Remove the server ${s.name}?` });

function serversShow(known, look) {
  const own = new Map(known.servers.map((s) => [s.name, s]));
  return table('Upstream servers of everyone', [
    { title: 'Server', name: true, of: (u) => h('div', {}, h('strong', {}, u.name), h('div', { class: 'soft' }, `over ${{ tls: 'TLS', https: 'HTTPS' }[u.via] ?? 'UDP and TCP'}`)) },
    { title: 'State', of: (u) => mark(u.state === 'up' ? 'good' : 'bad', u.state) },
    ...(mayOperate() ? [{ title: 'Actions', of: (u) => row(action('Test', () => test(u.name)), own.has(u.name) && remove(own.get(u.name), look)) }] : []),
    figure('Median', (u) => (u.p50_us ? micros(u.p50_us) : '–')), figure('Share', (u) => `${u.share_percent} %`), figure('Timeouts', (u) => number(u.timeouts))],
  known.upstreams, 'weir asks no upstream server.');
}

// One after the other, as each is a change of the configuration, and then a test of each.
async function add(title, list, look) {
  let refused = null;
  for (const server of list) await post('/upstreams/add', { server }).catch((e) => { refused ??= e; });
  const { servers } = await look();
  if (refused) throw refused;
  const names = servers.filter((s) => list.includes(s.server)).map((s) => s.name);
  return [`${title} is added.`, ...(await Promise.all(names.map((n) => test(n).catch((e) => `${n}: ${e.message}.`))))].join(' ');
}

// As upstreams.servers has it.
function serverText(kind, address, name, path) {
  const at = kind && /:.*:/.test(address) && !address.startsWith('[') ? `[${address}]` : address;
  return kind ? `${kind}://${name ? `${name}@` : ''}${at}${kind === 'https' ? path.replace(/^\/?/, '/') : ''}` : address;
}

function addServer(known, look) {
  const resolvers = known.resolvers.flatMap((r) => [[r.ipv4, ''], [r.ipv6, ', by IPv6']].map(([list, how]) => ({ title: `${r.name} over TLS${how}`, list })));
  const which = choice(resolvers.map((r, i) => [String(i), r.title]), '0');
  const kind = choice([['', 'UDP and TCP'], ['tls', 'TLS'], ['https', 'HTTPS']], ''), address = h('input', { required: true, maxLength: 200, placeholder: '192.0.2.53' });
  const name = h('input', { maxLength: 253, placeholder: 'dns.example' }), path = h('input', { maxLength: 200, value: '/dns-query' });
  const nameField = field('Name in its certificate', name), pathField = field('Path', path);
  const show = () => { nameField.hidden = !kind.value; pathField.hidden = kind.value !== 'https'; };
  kind.addEventListener('change', show);
  show();
  return [form(field('Public resolver', which), 'Add resolver', () => add(resolvers[which.value].title, resolvers[which.value].list, look)),
    form([field('Own server: over', kind), field('Its address', address), nameField, pathField], 'Add server', () => {
      const server = serverText(kind.value, address.value.trim(), name.value.trim(), path.value.trim());
      return add(server, [server], look);
    })];
}

const certificatesShow = (access) => [table('Certificate of this page', [{ title: 'Names', name: true, of: (c) => c.names || '–' }, { title: 'Valid until', of: (c) => when(c.until) },
  { title: 'Left', of: (c) => mark(c.left_s > SOON_S ? 'good' : 'bad', c.left_s ? span(c.left_s) : 'expired') }], access.certificates),
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
      h('h2', {}, 'Certificate'), certificatesShow(access));
    return known;
  };
  box.append(h('h1', {}, 'Settings'), result);
  await look().catch((e) => { say(e.message); throw e; });
}
