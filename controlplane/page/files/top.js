// SPDX-License-Identifier: BSD-3-Clause
// Who asks most, and for what: the last minutes from memory, longer spans from the query store.
import { h, row, fill, table, figure, field, action, number, percent, span, when } from './dom.js';
import { get, loads, nowMs } from './api.js';
import { chart } from './chart.js';
import { csvButton } from './csv.js';
import { byHand } from './hand.js';
import { takenNote } from './taken.js';
import { _, count } from './words.js';

const KINDS = [['names', _`Names`], ['blocked', _`Blocked names`], ['clients', _`Clients`], ['groups', _`Groups`], ['lists', _`Lists that blocked`],
  ['rules', _`Rules that blocked`], ['nxdomain', _`Names that do not exist`], ['slow', _`Slow names`]];
const SPANS = [['', _`the last 30 minutes`], ['3600', _`the last hour`], ['86400', _`the last 24 hours`], ['2592000', _`the last 30 days`], ['days', _`days, from and to`]];
const DAY_S = 86400, DAYS_MOST = 31; // of one reply


const toQueries = (filter, words) => h('a', { href: `#/queries/${new URLSearchParams(filter)}` }, words);

// Of a row of names: are its queries blocked, are none of them, or (undefined) some, or is that not known?
const isBlocked = (kind, i) => (kind === 'blocked' || (i.blocked > 0 && i.blocked >= i.queries) ? true : i.blocked === 0 ? false : undefined);

// What the store has of blocked queries is also said of clients and groups. `hand`: of hand.js, for tables of names.
export function one(title, kind, part, more = {}, hand = null) {
  const link = (i) => (kind === 'clients' ? h('a', { href: `#/client/${encodeURIComponent(i.text)}` }, i.client_name ? `${i.client_name} (${i.text})` : i.text)
    : kind === 'rules' ? `${i.text || _`by a pattern or the answer`} (${i.list})`
    : ['lists', 'groups'].includes(kind) ? i.text || _`everyone` : toQueries({ name: i.text, ...more }, i.text));
  const columns = [{ title: kind === 'lists' ? _`List` : kind === 'clients' ? _`Client` : kind === 'groups' ? _`Group` : kind === 'rules' ? _`Rule` : _`Name`, name: true, of: link },
    figure(_`Queries`, (i) => number(i.queries)), figure(_`Share`, (i) => percent(i.queries, part.queries))];
  if (['clients', 'groups'].includes(kind) && part.items.some((i) => i.blocked !== undefined)) columns.push(figure(_`Blocked`, (i) => percent(i.blocked, i.queries)));
  if (hand && ['names', 'blocked', 'nxdomain', 'slow'].includes(kind)) columns.push(...hand.column((i) => ({ name: i.text, client: more.client, blocked: isBlocked(kind, i) })));
  const box = h('section', {}, h('h2', {}, title), table(_`${title} of ${count(part.queries)} queries`, columns, part.items, undefined, { key: title }));
  box.append(row(csvButton(title.toLowerCase().replaceAll(' ', '-'), box)));
  return box;
}

// `hours` as two lines of a chart, `seconds` wide.
export function hoursShow(box, hours, seconds, signal) {
  const graph = chart(_`Queries an hour`, [{ title: _`queries`, colour: '--hit', unit: number }, { title: _`blocked`, colour: '--blocked', unit: number }], signal, seconds, 160);
  box.append(graph.box);
  graph.set([hours.map((x) => x.unix_s), hours.map((x) => x.queries), hours.map((x) => x.blocked)]);
}

export const coverage = (t) => [t.complete ? '' : _`The search ended after its time: this is of the last ${span(t.covered_s)}.`, t.left_out ? _`${count(t.left_out)} queries are in no table: there are too many names.` : '',
  t.unreadable_files ? _`${count(t.unreadable_files)} files of the query store cannot be read.` : ''].filter((s) => s).join(' ');

// Inputs of a first and a last day, by weir's clock where the browser is, and what they ask for.
function days() {
  const input = (ago) => h('input', { type: 'date', required: true, value: new Date(nowMs() - 1000 * DAY_S * ago).toLocaleDateString('sv') });
  const from = input(6), to = input(0);
  return { fields: [field(_`From`, from), field(_`To`, to)], params() {
    const begin = new Date(`${from.value}T00:00`), end = new Date(`${to.value}T00:00`);
    end.setDate(end.getDate() + 1);
    const untilMs = Math.min(end, nowMs()), seconds = Math.ceil((untilMs - begin) / 1000);
    if (!(seconds > 0)) throw new Error(_`The first day must not be after the last one, or after today.`);
    if (Math.round((end - begin) / 1000 / DAY_S) > DAYS_MOST) throw new Error(_`One look has ${DAYS_MOST} days at most.`);
    return { seconds, until: 1000 * untilMs };
  } };
}

export async function show(box, signal, argument) {
  const over = SPANS.some(([v]) => v === argument) ? argument : '', result = h('div'), note = h('p', { class: 'soft' }), load = loads(result, signal);
  const tables = h('div', { class: 'columns wide' }), chosen = days(), stored = h('p', { class: 'soft' });
  let t = {};
  const hand = byHand(signal, () => hand.look().then(draw));
  const draw = () => fill(tables, KINDS.filter(([k]) => t[k]).map(([k, title]) => one(title, k, t[k], {}, hand)));
  const look = () => load(async (mine) => {
    const params = over === 'days' ? chosen.params() : over && { seconds: over };
    [t] = await Promise.all([params ? get('/log/top', { ...params, limit: 20 }, { signal: mine }) : get('/top', { limit: 20 }, { signal: mine }), hand.look()]);
    note.textContent = params ? coverage(t) : _`Counted in memory for ${span(t.for_ms / 1000)}; small counts may be too high.`;
    draw();
    fill(result, tables);
    if (t.hours?.length > 2) {
      const day = h('div');
      result.prepend(day);
      hoursShow(day, t.hours, Number(params.seconds), mine);
    }
  });
  const spans = SPANS.map(([v, title]) => h('li', {}, h('a', { href: `#/top/${v}`, 'aria-current': v === over ? 'true' : null }, title)));
  box.append(h('h1', {}, _`Top`), takenNote('top', 'entries'), h('nav', { 'aria-label': _`Time span` }, h('ul', {}, spans)), over === 'days' ? row(chosen.fields, action(_`Show`, look)) : '', stored, note, result);
  get('/log/search', { oldest_first: 1, limit: 1 }, { signal }).then(({ rows }) => {
    if (rows.length) stored.textContent = _`The query store begins ${when(rows[0].time_us / 1e6)}.`;
  }).catch(() => {}); // a store that is off has no beginning
  await look();
}
