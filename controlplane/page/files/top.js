// SPDX-License-Identifier: BSD-3-Clause
// Who asks most, and for what: the last minutes from memory, longer spans from the query store.
import { h, fill, table, choice, field, number, percent, span } from './dom.js';
import { get } from './api.js';

const KINDS = [['names', 'Names'], ['blocked', 'Blocked names'], ['clients', 'Clients'], ['nxdomain', 'Names that do not exist'], ['slow', 'Slow names'], ['lists', 'Lists that blocked'], ['rules', 'Rules that blocked'], ['groups', 'Groups']];
const SPANS = [['', 'the last 30 minutes'], ['3600', 'the last hour'], ['86400', 'the last 24 hours'], ['2592000', 'the last 30 days']];

function one(title, kind, part) {
  const link = (i) => (kind === 'clients' ? h('a', { href: `#/client/${encodeURIComponent(i.text)}` }, i.client_name ? `${i.client_name} (${i.text})` : i.text)
    : kind === 'rules' ? `${i.text || 'by a pattern or the answer'} (${i.list})`
    : ['lists', 'groups'].includes(kind) ? i.text : h('a', { href: `#/queries/name=${encodeURIComponent(i.text)}` }, i.text));
  return h('div', {}, h('h2', {}, title), table(`${title}: ${number(part.queries)} queries`, [
    { title: title, name: true, of: link }, { title: 'Queries', number: true, of: (i) => number(i.queries) },
    { title: 'Share', number: true, of: (i) => percent(i.queries, part.queries) }], part.items));
}

export async function show(box, signal) {
  const over = choice(SPANS, ''), result = h('div'), note = h('p', { class: 'soft' });
  const look = async () => {
    result.setAttribute('aria-busy', 'true');
    const t = over.value ? await get('/log/top', { seconds: over.value, limit: 20 }) : await get('/top', { limit: 20 });
    if (signal.aborted) return;
    note.textContent = over.value ? (t.complete ? '' : `The search ended after its time: this is of ${span(t.covered_s)}.`)
      : `Counted in memory for ${span(t.for_ms / 1000)}; small counts may be too high.`;
    fill(result, h('div', { class: 'columns' }, KINDS.filter(([k]) => t[k]).map(([k, title]) => one(title, k, t[k]))));
    result.removeAttribute('aria-busy');
  };
  over.addEventListener('change', () => look().catch((e) => { note.textContent = e.message; }));
  box.append(h('h1', {}, 'Top'), h('div', { class: 'row' }, field('Over', over)), note, result);
  await look();
}
