// SPDX-License-Identifier: BSD-3-Clause
// Versions of the configuration: which one is in force, what differs, apply and way back.
import { h, row, fill, named, table, figure, action, facts, mark, notes, SECONDS, when } from './dom.js';
import { conflict, every, get, mayAdmin, post, turns } from './api.js';
import { barred, takenWhy } from './taken.js';
import { _ } from './words.js';

function diffShow(words) {
  return h('pre', { tabIndex: 0, 'aria-label': _`Differences` }, words.split('\n').map((l) =>
    h('span', { class: l.startsWith('+') ? 'add' : l.startsWith('-') ? 'gone' : undefined }, `${l}\n`)));
}

// Which keys a change changes, and when, by its reply.
const keys = (r) => [[_`In force at once`, r.live], [_`In force after a restart of weir-controlplane`, r.restart_controlplane],
  [_`In force after a restart of weir-dataplane`, r.restart_dataplane]].filter(([, names]) => names).map(([how, names]) => ` ${how}: ${names}.`).join('');

// Do `to` and `now` have different versions of the primary, as far as the history says? A secondary refuses the way to such a
// version.
function syncDiffers(versions, to, now) {
  const isSync = (v) => v.who === 'sync', of = (number) => versions.find((v) => v.number === number);
  const taken = (v) => (!v || isSync(v) ? v : taken(v.before < v.number && of(v.before)));
  const there = taken(of(to)), here = taken(of(now));
  return there ? there !== here : !!here && versions.some((v) => isSync(v) && v.before === to);
}

const SETTLING_MS = 2000;
const isOpen = (v) => v.result === 'pending'; // its health is watched
const colours = { applied: 'good', taken_back: 'bad', fallen: 'bad', pending: 'warn' };

export async function show(box, signal) {
  const state = h('div'), history = h('div'), about = h('div'), turn = turns(signal);
  const showText = (title, node) => { fill(about, h('section', { class: 'about', 'aria-label': title }, h('h2', {}, title), node, h('button', { type: 'button', onclick: () => fill(about) }, _`Close`))); about.scrollIntoView({ block: 'nearest' }); };
  const diff = async (from, to, title) => {
    const d = await get('/config/diff', { from, to });
    showText(title, h('div', {}, d.diff ? diffShow(d.diff) : h('p', {}, _`No difference.`), keys(d) ? h('p', {}, keys(d)) : null));
  };
  let isSettling = false;
  // `seen`: the version in force that the page shows. Where there is another one by now, weir refuses the way back and the
  // page shows that one.
  const backTo = async (number, seen) => {
    const reply = await post('/config/rollback', { version: number, if_version: seen || '' }).catch(conflict(() => look()));
    fill(about); // a difference from what was in force
    await look();
    return _`Version ${number} is in force again.` + keys(reply) + notes({ warning: reply.warning });
  };
  // The way back: at the version in force to the one before, at the others to themselves.
  const back = (v, now, versions) => {
    const isNow = v.number === now, to = isNow ? v.before : v.number;
    if (!to) return null;
    return barred(isNow ? action(_`Undo this change`, () => backTo(to, now), { ask: _`Undo "${v.what}"? Version ${to} is in force again then.` })
      : action(_`Go back to it`, () => backTo(to, now), { ask: _`Put version ${to} in force?` }), syncDiffers(versions, to, now) ? takenWhy() : '');
  };
  const look = async () => {
    const isToDraw = turn(), hist = await get('/config/history');
    if (!isToDraw()) return;
    const now = hist.version;
    isSettling = hist.versions.some(isOpen);
    fill(state,
      facts([[_`In force`, now ? _`version ${now}` : _`the file, without a history`]]),
      hist.differs ? h('p', {}, mark('warn', _`The file on disk differs from what is in force.`)) : h('p', {}, mark('good', _`The file on disk is what is in force.`)),
      hist.disk_error ? h('pre', { tabIndex: 0 }, hist.disk_error) : null,
      mayAdmin() && row(action(_`Show differences`, () => diff(now, '', _`From the version in force to the file`)),
        action(_`Apply the file`, async () => { const r = await post('/config/apply', { if_version: now || '' }).catch(conflict(look)); fill(about); await look(); return _`Applied. Its health is watched for 10 seconds.` + keys(r) + notes({ warning: r.warning }); }, { class: 'main' })));
    fill(history, table(_`The last versions`, [figure(_`Version`, (v) => (v.number === now ? h('strong', {}, _`${v.number} (in force)`) : v.number)),
      { title: _`When`, tight: true, of: (v) => when(v.unix_s, SECONDS) },
      { title: _`Result`, short: true, of: (v) => h('span', { class: colours[v.result] }, v.result.replace('_', ' ') + (v.reason ? `: ${v.reason}` : '')) },
      { title: _`Who`, of: (v) => v.who }, named(_`What`, (v) => v.what), named(_`Why`, (v) => v.why ?? ''),
      ...(mayAdmin() ? [{ title: _`Actions`, of: (v) => row(action(_`Show`, async () => { const t = await get('/config/show', { version: v.number }); showText(_`Version ${v.number}`, h('pre', { tabIndex: 0 }, t.text ?? t.files.map((f) => `# ${f.path}\n${f.text}`).join('\n'))); }),
        v.before ? action(_`What changed`, () => diff(v.before, v.number, _`What version ${v.number} changed`)) : null,
        back(v, now, hist.versions)) }] : [])], hist.versions, _`There is no version yet.`));
  };
  box.append(h('h1', {}, _`Configuration`), state, about, h('h2', {}, _`History`), history);
  every(SETTLING_MS, signal, async () => { if (isSettling) await look(); });
  await look();
}
