// SPDX-License-Identifier: BSD-3-Clause
// Names that weir answers itself.
import { h, fill, table, field, choice, action, say, complain, notes, number } from './dom.js';
import { get, post } from './api.js';

const TYPES = ['A', 'AAAA', 'CNAME', 'TXT', 'MX', 'SRV', 'PTR', 'CAA', 'HTTPS'].map((t) => [t, t]);

// Those of the configuration's files are removed there.
const remove = (r, look) => action('Remove', async () => {
  const reply = await post('/local/remove', { name: r.name, type: r.type, value: r.value });
  await look();
  return `${r.name} is removed.${notes(reply)}`;
}, { ask: `Remove ${r.type} ${r.value} of ${r.name}?` });

export async function show(box, signal) {
  const result = h('div');
  const look = async () => {
    const { records, left_out: leftOut } = await get('/local');
    if (signal.aborted) return;
    fill(result, table('Local records', [{ title: 'Name', name: true, of: (r) => r.name }, { title: 'Type', of: (r) => r.type }, { title: 'Value', name: true, of: (r) => r.value },
      { title: 'TTL', number: true, of: (r) => `${r.ttl_s} s` }, { title: 'Group', of: (r) => r.group || 'everyone' },
      { title: 'Actions', of: (r) => r.removable && remove(r, look) }], records, 'There is no local record.'),
    leftOut ? h('p', { class: 'soft' }, `${number(leftOut)} more records are not shown.`) : null);
  };
  const name = h('input', { required: true, maxLength: 255, placeholder: 'printer.home.arpa' }), value = h('input', { required: true, maxLength: 1024, placeholder: '192.0.2.7' }), type = choice(TYPES, 'A');
  box.append(h('h1', {}, 'Local names'), result, h('form', { onsubmit: async (e) => {
    e.preventDefault();
    try {
      const reply = await post('/local/add', { name: name.value, type: type.value, value: value.value });
      say(`${name.value} is added.${notes(reply)}`);
      e.target.reset();
      await look();
    } catch (x) { complain(x); }
  } }, field('Name', name), field('Type', type), field('Value', value), h('button', { type: 'submit' }, 'Add')));
  await look();
}
