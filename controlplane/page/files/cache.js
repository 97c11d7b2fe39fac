// SPDX-License-Identifier: BSD-3-Clause
// What the cache has of a name, and what forgets it.
import { h, fill, named, table, figure, tiles, field, action, number, bytes, percent, span, complain } from './dom.js';
import { get, mayOperate, post } from './api.js';

// Flushes by `params`. Says what went of `what`, and what did not.
export async function flush(what, params) {
  const r = await post('/cache/flush', params), removed = r.l0_removed + r.l1_removed;
  return [`${what}: ${removed === 1 ? '1 cached answer is' : `${number(removed)} cached answers are`} removed.`,
    { away: 'Redis is unreachable: its answers stay, and other boxes were not told.', partly: 'The search of Redis was not finished: flush again.' }[r.l1],
    r.resolvers_hung ? `${number(r.resolvers_hung)} resolvers hang: their part is flushed when they are back.` : '',
    r.recursion_failed ? 'The caches of recursion are not emptied: see the log of the control plane.' : ''].filter((s) => s).join(' ');
}

const left = (ms) => (ms > 0 ? span(ms / 1000) : 'expired');

export async function show(box, signal) {
  const name = h('input', { required: true, maxLength: 255, placeholder: 'example.com' }), type = h('input', { maxLength: 10, placeholder: 'any', size: 6 });
  const result = h('div'), state = h('div'), all = h('input', { type: 'checkbox' });
  const look = async () => {
    const s = await get('/cache/stats');
    if (signal.aborted) return;
    fill(state, tiles([['Answers', number(s.l0.entries)], ['In use', percent(s.l0.units_used, s.l0.units_total)], ['Size', bytes(s.l0.bytes)],
      ['Evicted for space', number(s.l0.evicted_space)], ['Expired', number(s.l0.expired_swept)], ['Redis', s.redis.state]]));
  };
  const search = async () => {
    const found = await get('/cache', { name: name.value.trim(), type: type.value.trim() });
    fill(result, table(`Cached answers of ${name.value}`, [{ title: 'Tier', of: (e) => e.tier }, { title: 'Type', of: (e) => e.type }, { title: 'Answer', of: (e) => e.rcode },
      named('Records', (e) => e.records.map((r) => (typeof r === 'string' ? r : [r.name, r.ttl, r.type, r.data ?? r.text].filter((x) => x !== undefined).join(' '))).join('; ') || '–'),
      figure('Age', (e) => span(e.age_ms / 1000)), figure('Fresh for', (e) => left(e.soft_left_ms)),
      figure('Kept for', (e) => left(e.hard_left_ms)), figure('Hits a minute', (e) => number(e.hits_per_minute))], found.entries, 'Nothing is cached of this name.'));
  };
  const forget = async (what, params) => {
    const words = await flush(what, params);
    fill(result); // what it shows may be gone
    await look();
    return words;
  };
  box.append(h('h1', {}, 'Cache'), state, h('h2', {}, 'Look up'),
    h('form', { onsubmit: (e) => { e.preventDefault(); search().catch(complain); } }, field('Name', name), field('Type', type), h('button', { type: 'submit', class: 'main' }, 'Look up'),
      ...(mayOperate() ? [action('Flush', async () => {
        if (!name.reportValidity()) return '';
        return forget(name.value.trim(), { name: name.value.trim(), below: all.checked ? 1 : 0 });
      }), field('and all names below it', all)] : [])), result);
  if (mayOperate()) {
    box.append(h('h2', {}, 'Everything'), h('p', {}, 'Without cached answers each name is asked again; answers take longer for a while.'),
      action('Flush the whole cache', () => forget('Everything', { all: 1 }), { ask: 'Forget all cached answers?' }));
  }
  await look();
}
