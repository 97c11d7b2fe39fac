// SPDX-License-Identifier: BSD-3-Clause
// Upstream servers: chosen, tested before weir asks them, and set for everyone, a group or a zone; what weir asks now.
import { h, row, table, figure, field, choice, action, mark, number, micros } from './dom.js';
import { change, mayAdmin, mayOperate, post } from './api.js';
import { ofPrimary } from './taken.js';
import { _ } from './words.js';

const testWords = (r) => ['udp', 'tcp', 'tls', 'https'].filter((t) => r[t]).map((t) =>
  `${t.toUpperCase()}: ${r[t].answered ? _`${r[t].rcode} in ${micros(r[t].took_us)}` : _`no reply` + (r[t].why ? ` (${r[t].why})` : '')}`).join('; ');
const test = async (name) => `${name}: ${testWords(await post('/upstream/test', { server: name }))}.`;

// One after the other, as weir tests one at a time.
async function testNew(list) {
  const words = [];
  for (const server of list) {
    const r = await post('/upstreams/test', { server }).catch((e) => e);
    const more = [r.signed && _`DNSSEC records`, r.ad && _`validated (AD)`].filter((w) => w).map((w) => `; ${w}`).join('');
    words.push(`${server}: ${r instanceof Error ? r.message : testWords(r) + more}.`);
  }
  return words.join(' ');
}

// A server of a file counts as absent then.
const remove = (s, look) => ofPrimary('upstreams', action(_`Remove`, () => (s.removable ? change(look, _`${s.server} is removed.`, '/upstreams/remove', { server: s.server })
  : change(look, _`${s.server} is removed.`, '/config/unset', { path: `upstreams.servers[${s.server}]` })), { ask: _`Remove the server ${s.name}?` }));

const COLUMNS = [figure(_`Median`, (u) => (u.p50_us ? micros(u.p50_us) : '–')), figure(_`Share`, (u) => `${u.share_percent} %`), figure(_`Timeouts`, (u) => number(u.timeouts))];
const server = { title: _`Server`, name: true, of: (u) => h('div', {}, h('strong', {}, u.name), h('div', { class: 'soft' }, _`over ${{ tls: 'TLS', https: 'HTTPS' }[u.via] ?? _`UDP and TCP`}`)) };
const state = { title: _`State`, of: (u) => mark(u.state === 'up' ? 'good' : 'bad', u.state) };
const actions = (own) => (mayOperate() ? [{ title: _`Actions`, of: (u) => row(action(_`Test`, () => test(u.name)), own(u)) }] : []);

export function serversShow(known, look) {
  const own = new Map(known.servers.map((s) => [s.name, s]));
  return table(_`Upstream servers of everyone`, [server, state, ...actions((u) => own.has(u.name) && remove(own.get(u.name), look)), ...COLUMNS],
    known.upstreams.filter((u) => u.set === 'everyone'), _`weir asks no upstream server.`);
}

// The key with the servers of "group kids", "zone corp.example" or "group kids, zone corp.example", and that of the whole.
function pathOf(set) {
  const [, group, zone] = /^(?:group (.*?))?(?:(?:^|, )zone (.*))?$/.exec(set) ?? [];
  const start = group ? `groups[${group}].` : '', whole = zone ? `${start}forward_zones[${zone}]` : `${start}upstreams`;
  return group || zone ? { servers: zone ? `${whole}.servers` : whole, whole } : null;
}

// Servers of groups and zones; a set that two of them share stands once, at the first of them.
export function othersShow(known, look) {
  const others = known.upstreams.filter((u) => u.set !== 'everyone' && !/, safe search$/.test(u.set));
  const first = new Map([...others].reverse().map((u) => [u.set, u])); // a button for all servers of a set
  const back = ({ set }) => ofPrimary(pathOf(set).whole, action(_`Remove all`, () => change(look, _`${set} has no servers of its own any more.`, '/config/unset', { path: pathOf(set).whole }), { ask: _`Remove the servers of ${set}?` }));
  return others.length > 0 && table(_`Upstream servers of groups and zones`, [{ title: _`For`, of: (u) => u.set }, server, state, ...actions((u) => mayAdmin() && first.get(u.set) === u && pathOf(u.set) && back(u)), ...COLUMNS], others);
}

// One after the other, as each is a change of the configuration, and then a test of each.
async function add(title, list, look) {
  const refused = [];
  for (const one of list) await post('/upstreams/add', { server: one }).catch((e) => { refused.push(e); });
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

// A known server, which is written with TLS, over another transport.
function overText(kind, text) {
  const [, name, address] = /^tls:\/\/(.*)@(.*)$/.exec(text);
  return serverText(kind, address.replace(/^\[(.*)\]$/, '$1'), name, '/dns-query');
}

// Resolver and transport are chosen, tested, and then set: the controls stay together, as none of them is sent alone.
// `set`: whom it is for at first, "group kids".
export function chooser(known, look, set = '') {
  const resolvers = known.resolvers.flatMap((r) => [[r.ipv4, ''], [r.ipv6, _`, by IPv6`]].map(([list, how]) => ({ title: r.name + how, list })));
  const which = choice([...resolvers.map((r, i) => [String(i), r.title]), ['own', _`own server`]], '0');
  const kind = choice([['tls', 'TLS'], ['https', 'HTTPS'], ['', _`UDP and TCP`]], 'tls');
  const address = h('input', { maxLength: 400, placeholder: '192.0.2.53' }), name = h('input', { maxLength: 253, placeholder: 'dns.example' }), path = h('input', { maxLength: 200, value: '/dns-query' });
  const whom = choice([['', _`everyone`], ...known.groups.map((g) => [`group ${g}`, _`group ${g}`]), ['zone', _`a zone`]], set), zone = h('input', { maxLength: 253, placeholder: 'corp.example' });
  const own = [field(_`Its address`, address), field(_`Name in its certificate`, name), field(_`Path`, path)], zoneField = field(_`Zone`, zone);
  const list = () => {
    if (which.value !== 'own') return resolvers[which.value].list.map((s) => overText(kind.value, s));
    const all = address.value.split(',').map((a) => a.trim()).filter((a) => a);
    if (!all.length) throw new Error(_`Give the server's address.`);
    return all.map((a) => serverText(kind.value, a, name.value.trim(), path.value.trim()));
  };
  const title = () => (which.value === 'own' ? list().join(', ') : _`${which.selectedOptions[0].textContent} over ${kind.selectedOptions[0].textContent}`);
  const only = () => {
    const whose = whom.value === 'zone' ? `zone ${zone.value.trim()}` : whom.value;
    if (whose === 'zone ') throw new Error(_`Give the zone's name.`);
    return change(look, whose ? _`${whose}: weir asks only ${title()}.` : _`weir asks only ${title()}.`, '/config/set', { path: whose ? pathOf(whose).servers : 'upstreams.servers', yaml: JSON.stringify(list().map((s) => (whose.startsWith('zone') ? s : { address: s }))) });
  };
  const result = h('p', { class: 'soft' }), more = ofPrimary('upstreams', action(_`Add`, () => add(title(), list(), look))), use = action(_`Use only these`, () => only());
  const show = () => {
    own.forEach((f, i) => { f.hidden = which.value !== 'own' || (i > 0 && !kind.value) || (i > 1 && kind.value !== 'https'); });
    zoneField.hidden = whom.value !== 'zone';
    more.hidden = whom.value !== '';
    ofPrimary({ '': 'upstreams', zone: 'forward_zones' }[whom.value] ?? 'groups', use);
    result.textContent = '';
  };
  for (const c of [which, kind, whom]) c.addEventListener('change', show);
  show();
  return h('section', { 'aria-label': _`Choose servers`, 'data-for': set }, row(field(_`Resolver`, which), field(_`Over`, kind), own, field(_`For`, whom), zoneField,
    action(_`Test`, async () => (result.textContent = await testNew(list()))), more, use), result);
}
