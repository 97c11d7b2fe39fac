// SPDX-License-Identifier: BSD-3-Clause
// Boxes with one configuration. A primary shows the boxes that take its own, those that differ first, and how a version goes out;
// a secondary shows its primary.
import { h, row, fill, named, table, figure, action, facts, mark, number, SECONDS, span, when } from './dom.js';
import { conflict, events, every, get, mayAdmin, nowMs, post } from './api.js';
import { barred, fleetLook, linkTo, primaryName, sectionWords } from './taken.js';
import { _, count, pieces } from './words.js';

const UNSETTLED_MS = 2000, MINUTE_MS = 60000, APART_MS = 2000;
const CLOCK_MS = 1000; // a clock that is off by more is shown

const seen = (ms) => when((nowMs() - ms) / 1000, SECONDS);
const isClockOff = (b) => Math.abs(b.clock_ms) > CLOCK_MS;
// A box that has no version to come yet waits, and does not differ.
const waits = (b, rollout) => !b.current && b.result === 'held' && rollout?.state === 'rolling' && b.wave === 0;

function stateOf(b, rollout) {
  if (b.away) return ['bad', _`away`];
  if (b.result === 'refused') return ['bad', _`refused the version`];
  if (b.result === 'taken_back') return ['bad', _`took the version back`];
  if (b.current) return ['good', _`up to date`];
  if (b.result === 'pending') return ['warn', _`its health is watched`];
  return waits(b, rollout) ? ['soft', _`waits for its wave`] : ['warn', _`behind`];
}

// 0: it needs someone; 1: it differs; 2: it is as it should be.
function rankOf(b, rollout, software) {
  const [kind] = stateOf(b, rollout);
  if (kind === 'bad' || !b.ready) return 0;
  return kind === 'warn' || b.twin || isClockOff(b) || b.software !== software ? 1 : 2;
}

function boxesShow({ boxes, rollout }, software) {
  const rank = (b) => rankOf(b, rollout, software), differ = boxes.filter((b) => rank(b) < 2).length;
  const sorted = [...boxes].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  const some = (has, column) => (boxes.some(has) ? [column] : []);
  return [h('p', {}, differ ? mark('warn', _`${count(differ)} of ${number(boxes.length)} boxes differ: they come first.`) : mark('good', _`All boxes are as they should be.`)),
    table(_`Boxes that take the configuration of this one`, [
      named(_`Box`, (b) => h('div', {}, h('strong', {}, b.name), b.twin && h('div', { class: 'warn' }, _`one of two boxes with this name`))),
      { title: _`State`, of: (b) => mark(...stateOf(b, rollout)) }, { title: _`Address`, of: (b) => b.from }, figure(_`Version`, (b) => (b.version ? number(b.version) : '–')),
      ...(rollout?.waves > 1 ? [figure(_`Wave`, (b) => (b.wave ? number(b.wave) : '–'))] : []),
      { title: _`Last seen`, tight: true, of: (b) => seen(b.seen_ms) }, { title: _`Ready`, of: (b) => (b.ready ? _`yes` : mark('bad', _`no`)) },
      ...some(isClockOff, figure(_`Clock`, (b) => isClockOff(b) && h('span', { class: 'warn' }, `${b.clock_ms > 0 ? '+' : '−'}${span(Math.abs(b.clock_ms) / 1000)}`))),
      ...some((b) => b.software !== software, { title: 'weir', of: (b) => b.software !== software && h('span', { class: 'warn' }, b.software) }),
      ...some((b) => b.reason, named(_`Reason`, (b) => b.reason))], sorted, undefined, { key: 'boxes' })];
}

const because = (r) => [r.box, r.reason].filter((t) => t).join(': ');

// The one line of a roll-out.
function rolloutWords(r) {
  const far = _`wave ${r.wave} of ${r.waves}`;
  if (r.state === 'rolling' && r.waits_ms) return mark('warn', _`Version ${r.version} goes out since ${seen(r.since_ms)}, ${far}: no further box gets it for ${span(r.waits_ms / 1000)}. This box has started and waits for the others to ask, ${number(r.boxes)} so far.`);
  if (r.state === 'rolling') return mark('warn', _`Version ${r.version} goes out since ${seen(r.since_ms)}, ${far}: ${number(r.held)} of ${number(r.boxes)} boxes have it, ${number(r.released)} may have it.`);
  if (r.state === 'stopped') return mark('bad', because(r) ? _`Version ${r.version} is stopped since ${seen(r.since_ms)}, ${far}: ${because(r)}` : _`Version ${r.version} is stopped since ${seen(r.since_ms)}, ${far}.`);
  return r.state === 'taken_back' ? mark('bad', because(r) ? _`Version ${r.version} is taken back since ${seen(r.since_ms)}: ${because(r)}` : _`Version ${r.version} is taken back since ${seen(r.since_ms)}.`)
    : mark('good', _`Version ${r.version} is handed out to all boxes.`);
}

function rolloutShow(r, look) {
  if (!r?.version) return null;
  const does = (title, path, params, words, ask) => action(title, async () => {
    await post(path, { ...params, if_version: r.version, if_state: r.state }).catch(conflict(look));
    await look();
    return words;
  }, { ask });
  const buttons = row(r.state === 'rolling' && does(_`Stop`, '/fleet/stop', {}, _`The roll-out is stopped.`, _`Stop the roll-out of version ${r.version}? Boxes that have it keep it; no other box gets it until you press Continue.`),
    r.state === 'stopped' && does(_`Continue`, '/fleet/apply', {}, _`The roll-out goes on.`, _`Go on with version ${r.version}? The next boxes get it.`),
    r.state === 'taken_back' && !r.goes_back && does(_`End the roll-out`, '/fleet/apply', {}, _`The roll-out has ended.`, _`End the roll-out of version ${r.version}? All boxes stay at version ${r.base_version}. If a file of this box still has the change, take it out there, or the next weirctl config apply brings it back.`),
    ['rolling', 'stopped'].includes(r.state) && does(_`Take back`, '/fleet/stop', { back: 1 }, _`Version ${r.version} is taken back.`, _`Take version ${r.version} back? This box and those that have it go back to version ${r.base_version}.`));
  return h('section', { 'aria-label': _`Roll-out` }, h('h2', {}, _`Roll-out`), h('p', {}, rolloutWords(r)), buttons.firstChild && (mayAdmin() ? buttons : barred(buttons, _`Only a user with the role admin may do this.`)));
}

// As weirctl fleet promote does it.
const promote = (fleet, look) => action(_`Make this box the primary`, async () => {
  const { box, epoch } = await post('/fleet/promote', { why: _`Make this box the primary` });
  await look();
  return _`${box} is a primary with epoch ${epoch}. Point sync.primary of the other boxes at it.`;
}, { ask: fleet.secondary ? _`Make this box the primary? It keeps the configuration that it has, and takes no more of ${primaryName(fleet.secondary)}. The other boxes follow it once sync.primary of each of them names it.`
  : _`Make this box the primary? It gets the highest epoch, so boxes may follow it and not ${fleet.primary.rival}.` });
const promoteShow = (fleet, look) => row(mayAdmin() ? promote(fleet, look) : barred(promote(fleet, look), _`Only a user with the role admin may do this.`));

function primaryShow(fleet, software, look) {
  const p = fleet.primary;
  return [h('p', {}, _`A primary: other boxes take its configuration.`),
    p.rival ? h('ul', { class: 'problems' }, h('li', { class: 'blocking' }, h('div', {}, _`There are two primaries: ${p.rival} has epoch ${p.rival_epoch}, this box has epoch ${fleet.epoch}. Boxes that follow ${p.rival} get nothing here.`),
      h('div', { class: 'soft' }, _`Point sync.primary of this box at it, or make this box the primary again.`), promoteShow(fleet, look))) : null,
    p.why ? h('p', {}, mark('warn', _`The version in force is not handed out: ${p.why}`)) : null,
    facts([[_`Box`, fleet.box], [_`Epoch`, fleet.epoch], [_`Hands out`, p.version ? _`version ${p.version}` : _`nothing`], [_`Not stored`, fleet.store_why]]),
    rolloutShow(p.rollout, look), h('h2', {}, _`Boxes`), p.boxes.length ? boxesShow(p, software) : h('p', { class: 'soft' }, _`No box has asked this one since its start, or in seven days.`)];
}

const RESULTS = { none: ['soft', _`none so far`], held: ['good', _`in force, in good health`], pending: ['warn', _`its health is watched`], refused: ['bad', _`refused`], taken_back: ['bad', _`taken back`] };

function secondaryShow(fleet, look) {
  const s = fleet.secondary, name = primaryName(s);
  return [h('p', {}, pieces`A secondary: it takes its configuration from ${linkTo(s, 'fleet', name)}.`),
    s.why ? h('ul', { class: 'problems' }, h('li', {}, h('div', {}, _`No good reply of ${name} since ${seen(s.silent_ms)}: ${s.why}`), h('div', { class: 'soft' }, _`This box keeps what it has, and asks again by itself.`))) : null,
    facts([[_`Box`, fleet.box], [_`Epoch`, fleet.epoch], [_`Primary`, `${name}, ${s.url}`], [_`Last reply`, when(s.good_unix_s, SECONDS)], [_`Version`, s.version || '–'],
      [_`Result`, mark(...(RESULTS[s.result] ?? ['warn', s.result]))], [_`Reason`, s.reason], [_`Taken from there`, sectionWords()], [_`Not stored`, fleet.store_why]]),
    h('h2', {}, _`If the primary is lost`), h('p', {}, _`This box answers without it. Make it the primary only if the other one does not come back, or is to follow this one.`), promoteShow(fleet, look)];
}

// Does anything change soon by itself? A stopped roll-out gives no box a version.
function isUnsettled({ primary, secondary }) {
  if (secondary) return secondary.result === 'pending';
  const state = primary.rollout?.state, open = state === 'stopped' ? ['pending'] : ['none', 'pending', 'held'];
  return state === 'rolling' || primary.boxes.some((b) => !b.away && !b.current && open.includes(b.result));
}

export async function show(box, signal) {
  const result = h('div'), { version } = await get('/status', {}, { signal });
  let unsettled = false, lookedMs = 0, newest;
  const look = async () => {
    lookedMs = Date.now();
    const fleet = await fleetLook(signal);
    if (signal.aborted) return;
    unsettled = isUnsettled(fleet);
    fill(result, fleet.secondary ? secondaryShow(fleet, look) : primaryShow(fleet, version, look));
  };
  box.append(h('h1', {}, _`Fleet`), result);
  await look();
  every(UNSETTLED_MS, signal, async () => { if (unsettled || Date.now() - lookedMs >= MINUTE_MS) await look(); });
  // A version that comes, or fails, is an event; pages look at it at different moments.
  events('/live', 'sample', signal, (s) => {
    if (newest !== undefined && newest !== s.newest_event) setTimeout(() => { if (!signal.aborted) look().catch(() => {}); }, APART_MS * Math.random());
    newest = s.newest_event;
  });
}
