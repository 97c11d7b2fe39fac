// SPDX-License-Identifier: BSD-3-Clause
// Tables: sorted by a heading, filtered where there are many rows. Both stay over a redraw, until the view is left.
import { choice, field, figures, h, number, text } from './dom.js';
import { _, locale } from './words.js';

const FEW = 8; // rows that are seen at a glance
const kept = new Map(); // what the user chose of a table, by its key: {column, down, words}
window.addEventListener('hashchange', () => kept.clear());

const collator = new Intl.Collator(locale(), { numeric: true, sensitivity: 'base' });
const isNone = (key) => key === '' || key === '–';

// What is not known comes last, whichever way.
function compare(a, b, down) {
  if (isNone(a) || isNone(b)) return isNone(a) - isNone(b);
  const order = typeof a !== typeof b ? (typeof a === 'number' ? -1 : 1) : typeof a === 'number' ? a - b : collator.compare(a, b);
  return down ? -order : order;
}

const isActions = (c) => c.title === _`Actions`;
const classOf = (c) => (c.number ? 'number' : c.name ? 'name' : c.tight ? 'tight' : c.short ? 'short' : undefined);

// A row, by what it is sorted in each column (a number or a text), and what it is found by.
function rowOf(columns, row) {
  const made = columns.map((c) => {
    const [what, value] = figures(() => c.of(row));
    const td = h('td', { role: 'cell', 'data-title': c.title, 'data-verdict': c.title === _`Verdict`, class: classOf(c) }, what instanceof Node ? what : text(what || what === 0 ? what : ''));
    const words = td.querySelector('time')?.dateTime ?? td.textContent, figure = value ?? (c.number ? parseFloat(words) : NaN);
    return { td, words, key: c.name || !Number.isFinite(figure) ? words : figure };
  });
  return { tr: h('tr', { role: 'row' }, made.map((m) => m.td)), keys: made.map((m) => m.key),
    words: made.filter((m, i) => !isActions(columns[i])).map((m) => m.words).join('\n').toLowerCase() };
}

// The rows that have each of the words, in the order that was chosen.
function seenOf(rows, columns, state) {
  const words = state.words.toLowerCase().split(/\s+/), at = columns.findIndex((c) => c.title === state.column);
  const seen = rows.filter((r) => words.every((w) => r.words.includes(w)));
  return at < 0 ? seen : seen.sort((a, b) => compare(a.keys[at], b.keys[at], state.down));
}

// Cards have no headings: in a narrow window a select takes their place.
function tools(caption, columns, state, arrange) {
  const find = h('input', { type: 'search', maxLength: 100, value: state.words, 'aria-label': _`Filter: ${caption}`, oninput: () => { state.words = find.value; arrange(); } });
  const by = choice([['', _`as it comes`], ...columns.filter((c) => !isActions(c)).map((c) => c.title)], state.column, { onchange: () => { state.column = by.value; arrange(); } });
  return h('div', { class: 'row tools' }, field(_`Filter`, find), h('div', { class: 'row narrow' }, field(_`Sort by`, by),
    h('button', { type: 'button', onclick: () => { state.down = !state.down; arrange(); } }, _`Other way round`)));
}

// columns: [{title, number, name, tight, short, of: row => text, node or nothing}]. In a narrow window page.css makes a card
// of each row, and a table of blocks loses the roles that its elements have: they are written down. `sorts`: may the user
// choose the order? `key`: of what the user chooses, where a redraw may change the caption; of each table of a view another one.
export function table(caption, columns, rows, empty = _`Nothing here.`, { sorts = true, key = caption } = {}) {
  const state = kept.get(key) ?? { column: '', down: false, words: '' };
  const drawn = rows.map((row) => rowOf(columns, row)), body = h('tbody', { role: 'rowgroup' }), count = h('span', { class: 'soft', role: 'status' });
  const has = sorts && rows.length > 1, filters = sorts && (rows.length > FEW || state.words !== '');
  kept.set(key, state);
  // As it comes, and again as it comes at the third press. Of numbers the largest is sought.
  const order = (c, i) => {
    const first = drawn.some((r) => typeof r.keys[i] === 'number'), isThis = state.column === c.title;
    if (isThis && state.down !== first) state.column = '';
    else [state.column, state.down] = [c.title, isThis ? !first : first];
    arrange();
  };
  const heads = columns.map((c, i) => h('th', { role: 'columnheader', scope: 'col', class: c.number ? 'number' : undefined },
    has && !isActions(c) ? h('button', { type: 'button', onclick: () => order(c, i) }, c.title) : c.title));
  const arrange = () => {
    const seen = seenOf(drawn, columns, state);
    heads.forEach((th, i) => { th.ariaSort = columns[i].title !== state.column ? null : state.down ? 'descending' : 'ascending'; });
    body.replaceChildren(...(seen.length ? seen.map((r) => r.tr)
      : [h('tr', { role: 'row' }, h('td', { role: 'cell', colSpan: columns.length, class: 'soft' }, rows.length ? _`No row has this text.` : empty))]));
    count.textContent = state.words ? _`${number(seen.length)} of ${number(rows.length)} rows` : '';
  };
  arrange();
  const bar = filters && tools(caption, columns, state, arrange);
  if (bar) bar.append(count);
  return h('div', { class: 'table', 'data-key': key }, bar, h('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': caption },
    h('table', { role: 'table' }, h('caption', {}, caption), h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, heads)), body)));
}
