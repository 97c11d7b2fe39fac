// SPDX-License-Identifier: BSD-3-Clause
// Queries as they come, and those of before; one of them explained, allowed, blocked or traced.
import { h, row, fill, named, table, figure, field, choice, action, say, facts, micros, number, rcode, complain, clock, when, SECONDS } from './dom.js';
import { get, lines, loads, mayOperate, nowMs } from './api.js';
import { flush } from './cache.js';
import { csvButton } from './csv.js';
import { byHand, wideAsk } from './hand.js';
import { ofPrimary, takenNote } from './taken.js';
import { _, count } from './words.js';

const ROWS = 200, ROWS_MAX = 2000, DRAW_MS = 500;
const VERDICTS = [['', _`any`], ['blocked', _`blocked`], ['hit', _`from the cache`], ['hit_stale', _`from the cache, stale`], ['miss', _`asked on`], ['local', _`local`]];
const SINCES = [['', _`any time`], ['900', _`15 minutes ago`], ['3600', _`an hour ago`], ['86400', _`a day ago`]];
export const LASTS = [['', _`for good`], ['600', _`for 10 minutes`], ['7200', _`for 2 hours`], ['86400', _`for a day`]];

// With the date if it is not today.
function time(us) {
  const isToday = new Date(us / 1000).toDateString() === new Date(nowMs()).toDateString();
  return (isToday ? clock : when)(us / 1e6, { ...SECONDS, fractionalSecondDigits: 1 });
}
// What blocked it. Only a schedule that blocks everything leaves no list in the record.
const by = (q) => q.list || (q.verdict !== 'blocked' ? '' : q.client_group ? _`schedule of ${q.client_group}` : _`schedule`);
const client = (q) => (q.client_name ? `${q.client_name} (${q.client})` : q.client);

// Where the log samples, or could not keep up, a row stands for several queries.
export function columns(open, hand, rows) {
  return [
    { title: _`Time`, tight: true, of: (q) => h('time', { dateTime: new Date(q.time_us / 1000).toISOString() }, time(q.time_us)) },
    named(_`Name`, (q) => h('button', { type: 'button', class: 'plain', onclick: () => open(q) }, q.qname)),
    { title: _`Verdict`, short: true, of: (q) => h('span', { class: q.blocked ? 'warn' : q.rcode === 2 ? 'bad' : undefined }, q.verdict + (by(q) && ` (${by(q)})`)) },
    { title: _`Type`, of: (q) => q.qtype },
    { title: _`Client`, of: (q) => h('a', { href: `#/client/${encodeURIComponent(q.client)}` }, client(q)) },
    { title: _`Answer`, of: (q) => (q.answered ? rcode(q.rcode) : _`none`) },
    figure(_`Took`, (q) => micros(q.total_us)), ...(rows.some((q) => q.weight > 1) ? [figure(_`Stands for`, (q) => number(q.weight))] : []), ...hand.column((q) => ({ name: q.qname, client: q.client, group: q.client_group, blocked: q.blocked }))];
}

// Gives what opens a query's details in `place`, in place of those before, and the buttons of the rows (hand.js). `draw`
// shows the rows again.
export function detailsIn(place, signal, draw = () => {}) {
  const load = loads(place, signal);
  let shown = null;
  const close = () => load(async () => { shown = null; fill(place); });
  const open = (q) => {
    shown = q;
    const again = () => Promise.all([open(q), look()]);
    return load((mine) => details(place, mine, { close, again, add: (entry) => hand.add(again, entry) }, q)).catch(complain);
  };
  const hand = byHand(signal, (name) => Promise.all([look(), shown?.qname === name && open(shown)]));
  const look = () => hand.look().then(draw);
  return { open, hand };
}

// What is known of one name, and what can be done about it; `again` shows what came of that, and `add` adds an entry.
async function details(place, signal, { close, again, add }, { qname: asked, client: forClient, qtype: type }) {
  const why = await get('/why', { name: asked, client: forClient, type }, { signal }).catch((e) => {
    if (signal.aborted) throw e;
    return { headline: e.message, steps: [] };
  });
  const name = why.name ?? asked; // as entries have it
  const lasts = choice(LASTS, '');
  const reason = h('input', { maxLength: 120 });
  const group = why.client?.group && why.client.group !== 'everyone' ? why.client.group : '';
  const only = choice([['', _`everyone`], ...(group ? [[group, _`group ${group}`]] : [])], '');
  const isSure = (ask) => !ask || confirm(ask);
  const entry = (verdict) => () => isSure(wideAsk(name, verdict, only.value)) && add({ name, verdict, group: only.value, lasts: [lasts.value, lasts.selectedOptions[0].text], why: reason.value });
  const trace = h('pre', { hidden: true, tabIndex: 0, 'aria-label': _`Trace` });
  const aside = h('section', { class: 'about', 'aria-label': _`About ${name}` }, h('h2', {}, name), h('p', {}, why.headline ?? ''),
    facts((why.steps ?? []).map((s) => [s.decides ? _`${s.step} (decides)` : s.step, s.text])),
    row(mayOperate() && [field(_`How long`, lasts), field(_`For whom`, only), field(_`Why (for the record)`, reason),
      ofPrimary('entries', action(_`Allow`, entry('allow'))), ofPrimary('entries', action(_`Block`, entry('deny'))),
      action(_`Forget cached answers`, async () => { const words = await flush(name, { name }); await again(); return words; }),
      action(_`Trace for 30 s`, async () => {
        trace.hidden = false;
        trace.textContent = `${_`Waiting for a query …`}\n`;
        await lines('/watch', { name, seconds: 30 }, signal, (l) => { if (!l.begin) trace.textContent += traceText(l); })
          .catch((e) => { if (!signal.aborted) trace.textContent += `${e.message}\n`; });
      })],
      h('button', { type: 'button', onclick: close }, _`Close`)), trace);
  fill(place, aside);
  aside.scrollIntoView({ block: 'nearest' });
}

// One traced query, a line for each step, as `weirctl watch` prints it.
function traceText(t) {
  const list = (o) => Object.entries(o).filter(([k]) => !['at_us', 'step'].includes(k)).map(([k, v]) => `${k} ${v}`).join(', ');
  const out = [[time(t.time_us), t.client, t.qname, t.qtype, t.verdict, t.outcome ?? t.rcode, t.transport].filter((x) => x).join(' ')];
  if (t.stage_ns) out.push(`  ${Object.entries(t.stage_ns).map(([k, ns]) => `${k} ${micros(ns / 1000)}`).join(', ')}`);
  return `${[...out, ...(t.events ?? []).map((e) => `  +${micros(e.at_us)} ${e.step} ${list(e)}`)].join('\n')}\n`;
}

// What a table with older queries than it has room for says.
const endShow = (rows) => _`The table has room for ${number(rows.length)} queries: those from ${time(rows.at(-1).time_us)} on.`;

export async function show(box, signal, argument) {
  const given = new URLSearchParams(argument);
  const { groups } = await get('/groups', {}, { signal });
  const name = h('input', { value: given.get('name') ?? '', placeholder: 'example.com', maxLength: 255, autocapitalize: 'none' });
  const who = h('input', { value: given.get('client') ?? '', placeholder: _`address or name`, maxLength: 80 });
  const verdict = choice(VERDICTS, given.get('verdict') ?? ''), since = choice(SINCES, '');
  const group = choice([['', _`any`], ...groups.map((g) => g.name)], '');
  const about = h('div'), result = h('div'), more = h('div'), load = loads(result, signal);
  const { open, hand } = detailsIn(about, signal, () => draw());
  const filter = () => ({ name: name.value.trim(), client: who.value.trim(), verdict: verdict.value });
  let following = false, rows = [], dirty = false, none = ''; // what is said where there is no row
  const draw = () => {
    fill(result, table(following ? _`Queries as they come; the table waits while the focus or the pointer is in it` : _`The latest queries`, columns(open, hand, rows), rows, following ? _`Waiting for a query …` : none, { sorts: false }));
    if (following) fill(more, rows.length >= ROWS && h('p', { class: 'soft' }, endShow(rows)));
  };
  const stop = () => { following = dirty = false; follow.textContent = _`Follow`; };
  const search = (filters, after) => load(async (mine) => {
    stop();
    const [found] = await Promise.all([get('/log/search', { ...filters, after, limit: ROWS }, { signal: mine }), hand.look()]);
    if (found.unknown_client) say(found.unknown_client);
    rows = after ? [...rows, ...found.rows] : found.rows;
    none = found.complete ? _`No such query.` : _`No such query so far: the search ended after its time. Older queries goes on with it.`;
    draw();
    fill(more, found.complete ? null : rows.length >= ROWS_MAX ? h('p', { class: 'soft' }, endShow(rows), _` For older ones, search for a name, a client or a verdict.`) : action(_`Older queries`, () => search(filters, found.after)));
  });
  const searchNew = () => search({ ...filter(), since: since.value ? (nowMs() - 1000 * since.value) * 1000 : undefined });
  const follow = action(_`Follow`, () => load(async (mine) => {
    if (following) { stop(); draw(); return; }
    following = true;
    rows = [];
    follow.textContent = _`Stop`;
    draw();
    lines('/log/tail', { ...filter(), group: group.value }, mine, (q) => {
      if (q.missed) { say(_`${count(q.missed)} queries were too many to show.`); return; }
      rows.unshift(q);
      rows.length = Math.min(rows.length, ROWS);
      dirty = true;
    }).catch((e) => { if (!mine.aborted) { say(e.message); stop(); draw(); } });
  }));
  const timer = setInterval(() => { if (dirty && !document.hidden && !result.matches(':hover, :focus-within')) { dirty = false; draw(); } }, DRAW_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
  box.append(h('h1', {}, _`Queries`), takenNote('queries', 'entries'),
    h('form', { onsubmit: (e) => { e.preventDefault(); searchNew().catch(complain); } },
      field(_`Name, and all below it`, name), field(_`Client`, who), field(_`Verdict`, verdict), field(_`Since`, since), h('button', { type: 'submit', class: 'main' }, _`Search`),
      field(_`Group (to follow)`, group), follow),
    about, result, row(more, csvButton('queries', result)));
  await searchNew();
}
