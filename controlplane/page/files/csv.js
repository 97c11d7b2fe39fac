// SPDX-License-Identifier: BSD-3-Clause
// A file of the rows of a table, as they are seen. A spreadsheet would run a text such as `=1+1`, and anyone may ask for a name that
// begins so: it gets an apostrophe.
import { action, save } from './dom.js';
import { _ } from './words.js';

const cell = (text) => `"${text.replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;

function valueOf(td) {
  const text = td.querySelector('time')?.dateTime ?? td.textContent;
  return td.className === 'number' && /^\d{1,3}(\D\d{3})*$/.test(text) ? text.replace(/\D/g, '') : text;
}

export function csvOf(table) {
  const kept = [...table.tHead.rows[0].cells].filter((th) => th.textContent !== _`Actions`);
  const rows = [...table.tBodies[0].rows].filter((r) => r.cells.length >= kept.length).map((r) => kept.map((th) => valueOf(r.cells[th.cellIndex])));
  return [kept.map((th) => th.textContent), ...rows].map((r) => `${r.map(cell).join()}\r\n`).join('');
}

// Saves the first table in `box` as the file weir-`name`.csv.
export const csvButton = (name, box) => action(_`Save as CSV`, () => {
  save(new Blob([csvOf(box.querySelector('table'))], { type: 'text/csv' }), `weir-${name}.csv`);
}, { 'aria-label': _`Save as CSV: ${name}` });
