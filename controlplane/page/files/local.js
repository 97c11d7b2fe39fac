// SPDX-License-Identifier: BSD-3-Clause
// Names that weir answers itself.
import { h, fill, named, table, figure, field, form, choice, action, number } from './dom.js';
import { change, get, mayAdmin } from './api.js';

const TYPES = ['A', 'AAAA', 'CNAME', 'TXT', 'MX', 'SRV', 'PTR', 'CAA', 'HTTPS'];

// Those of the configuration's files are removed there.
const remove = (r, look) => action('Remove', () => change(look, `${r.name} is removed.`, '/local/remove', { name: r.name, type: r.type, value: r.value }), { ask: `Remove ${r.type} ${r.value} of ${r.name}?` });

export async function show(box, signal) {
  const result = h('div');
  const look = async () => {
    const { records, left_out: leftOut } = await get('/local');
    if (signal.aborted) return;
    fill(result, table('Local records', [named('Name', (r) => r.name), { title: 'Type', of: (r) => r.type }, named('Value', (r) => r.value),
      figure('TTL', (r) => `${r.ttl_s} s`), { title: 'Group', of: (r) => r.group || 'everyone' },
      ...(mayAdmin() ? [{ title: 'Actions', of: (r) => r.removable && remove(r, look) }] : [])], records, 'There is no local record.'),
    leftOut ? h('p', { class: 'soft' }, `${number(leftOut)} more records are not shown.`) : null);
  };
  const name = h('input', { required: true, maxLength: 255, placeholder: 'printer.home.arpa' }), value = h('input', { required: true, maxLength: 1024, placeholder: '192.0.2.7' }), type = choice(TYPES, 'A');
  box.append(h('h1', {}, 'Local names'), result, mayAdmin() ? form([field('Name', name), field('Type', type), field('Value', value)], 'Add',
    () => change(look, `${name.value} is added.`, '/local/add', { name: name.value, type: type.value, value: value.value })) : '');
  await look();
}
