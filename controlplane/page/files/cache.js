// SPDX-License-Identifier: BSD-3-Clause
// What the cache has of a name, and what forgets it.
import { h, fill, named, table, figure, tiles, field, action, number, bytes, percent, span, complain } from './dom.js';
import { get, mayOperate, post } from './api.js';
import { _, count } from './words.js';

// Flushes by `params`. Says what went of `what`, and what did not.
export async function flush(what, params) {
  const r = await post('/cache/flush', params), removed = r.l0_removed + r.l1_removed;
  return [_`${what}: ${count(removed)} cached answers are removed.`,
    { away: _`Redis is unreachable: its answers stay, and other boxes were not told.`, partly: _`The search of Redis was not finished: flush again.` }[r.l1],
    r.resolvers_hung ? _`${count(r.resolvers_hung)} resolvers hang: their part is flushed when they are back.` : '',
    r.recursion_failed ? _`The caches of recursion are not emptied: see the log of the control plane.` : ''].filter((s) => s).join(' ');
}

const left = (ms) => (ms > 0 ? span(ms / 1000) : _`expired`);

export async function show(box, signal) {
  const name = h('input', { required: true, maxLength: 255, placeholder: 'example.com', autocapitalize: 'none' }), type = h('input', { maxLength: 10, placeholder: _`any`, size: 6 });
  const result = h('div'), state = h('div'), all = h('input', { type: 'checkbox' });
  const look = async () => {
    const s = await get('/cache/stats');
    if (signal.aborted) return;
    fill(state, tiles([[_`Answers`, number(s.l0.entries)], [_`In use`, percent(s.l0.units_used, s.l0.units_total)], [_`Size`, bytes(s.l0.bytes)],
      [_`Evicted for space`, number(s.l0.evicted_space)], [_`Expired`, number(s.l0.expired_swept)], ['Redis', s.redis.state]]));
  };
  const search = async () => {
    const found = await get('/cache', { name: name.value.trim(), type: type.value.trim() });
    fill(result, table(_`Cached answers of ${name.value}`, [{ title: _`Tier`, of: (e) => e.tier }, { title: _`Type`, of: (e) => e.type }, { title: _`Answer`, of: (e) => e.rcode },
      named(_`Records`, (e) => e.records.map((r) => (typeof r === 'string' ? r : [r.name, r.ttl, r.type, r.data ?? r.text].filter((x) => x !== undefined).join(' '))).join('; ') || '–'),
      figure(_`Age`, (e) => span(e.age_ms / 1000)), figure(_`Fresh for`, (e) => left(e.soft_left_ms)),
      figure(_`Kept for`, (e) => left(e.hard_left_ms)), figure(_`Hits a minute`, (e) => number(e.hits_per_minute))], found.entries, _`Nothing is cached of this name.`));
  };
  const forget = async (what, params) => {
    const words = await flush(what, params);
    fill(result); // what it shows may be gone
    await look();
    return words;
  };
  box.append(h('h1', {}, _`Cache`), state, h('h2', {}, _`Look up`),
    h('form', { onsubmit: (e) => { e.preventDefault(); search().catch(complain); } }, field(_`Name`, name), field(_`Type`, type), h('button', { type: 'submit', class: 'main' }, _`Look up`),
      ...(mayOperate() ? [action(_`Flush`, async () => {
        if (!name.reportValidity()) return '';
        return forget(name.value.trim(), { name: name.value.trim(), below: all.checked ? 1 : 0 });
      }), field(_`and all names below it`, all)] : [])), result);
  if (mayOperate()) {
    box.append(h('h2', {}, _`Everything`), h('p', {}, _`Without cached answers each name is asked again; answers take longer for a while.`),
      action(_`Flush the whole cache`, () => forget(_`Everything`, { all: 1 }), { ask: _`Forget all cached answers?` }));
  }
  await look();
}
