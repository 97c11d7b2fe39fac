// SPDX-License-Identifier: BSD-3-Clause
// Names that weir answers itself.
import { h, fill, named, table, figure, field, form, choice, action } from './dom.js';
import { change, get, mayAdmin, saw, turns } from './api.js';
import { overridesGet } from './override.js';
import { settingsShow } from './settings.js';
import { ofPrimary, takenNote } from './taken.js';
import { _, count } from './words.js';

// What is no record here, by the values of keys.
const KEYS = [['local.missing_types', _`Other types of a local name`, { nodata: _`answer that there is no such record`, forward: _`ask the upstream servers` }],
  ['local.single_labels', _`A name without a dot that is not local`, { forward: _`ask the upstream servers`, home: _`answer that it does not exist`, complete: _`look it up with the domain of the house behind it` }]];
const TYPES = ['A', 'AAAA', 'CNAME', 'TXT', 'MX', 'SRV', 'PTR', 'CAA', 'HTTPS'];

// Those of the configuration's files are removed there.
const remove = (r, look) => ofPrimary('local', action(_`Remove`, () => change(look, _`${r.name} is removed.`, '/local/remove', { name: r.name, type: r.type, value: r.value }), { ask: _`Remove ${r.type} ${r.value} of ${r.name}?` }));

export async function show(box, signal) {
  const result = h('div'), other = h('section', { 'aria-label': _`Other questions` }), turn = turns(signal);
  const look = async () => {
    const isToDraw = turn(), { overrides, version } = await overridesGet();
    const [{ records, left_out: leftOut }, { values }, { reload }] = await Promise.all([get('/local'), get('/config/values'), get('/status')]);
    if (!isToDraw()) return;
    saw(look, version);
    fill(result, table(_`Local records`, [named(_`Name`, (r) => r.name), { title: _`Type`, of: (r) => r.type }, named(_`Value`, (r) => r.value),
      figure('TTL', (r) => `${r.ttl_s} s`), { title: _`Group`, of: (r) => r.group || _`everyone` },
      ...(mayAdmin() ? [{ title: _`Actions`, of: (r) => r.removable && remove(r, look) }] : [])], records, _`There is no local record.`),
    leftOut ? h('p', { class: 'soft' }, _`${count(leftOut)} more records are not shown.`) : null);
    fill(other, h('h2', {}, _`Other questions`), settingsShow(KEYS, { values, reload, overrides }, look));
  };
  const name = h('input', { required: true, maxLength: 255, placeholder: 'printer.home.arpa', autocapitalize: 'none' }), value = h('input', { required: true, maxLength: 1024, placeholder: '192.0.2.7' }), type = choice(TYPES, 'A');
  box.append(h('h1', {}, _`Local names`), takenNote('local', 'local'), result, mayAdmin() ? ofPrimary('local', form([field(_`Name`, name), field(_`Type`, type), field(_`Value`, value)], _`Add`,
    () => change(look, _`${name.value} is added.`, '/local/add', { name: name.value, type: type.value, value: value.value }))) : '', other);
  await look();
}
