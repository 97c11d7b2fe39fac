// SPDX-License-Identifier: BSD-3-Clause
// Pauses of blocking. The header of every view has them with a countdown, and the buttons that pause and resume.
import { h, fill, field, choice, action, mark, span, complain } from './dom.js';
import { get, post, every, mayOperate } from './api.js';
import { _, pieces } from './words.js';

const MINUTES = [5, 30, 120], MINUTE_MS = 60000, SECOND_MS = 1000;
const box = document.getElementById('blocking'), panel = document.getElementById('pause');
const state = h('div', { class: 'row' });
const toggle = h('button', { type: 'button', 'aria-controls': panel.id, 'aria-expanded': 'false', onclick: () => (panel.hidden ? open().catch(complain) : close()) }, _`Pause`);
let pauses = []; // those of now: {group, endMs, left, blocked}; the group '' is everyone

async function told(path, params) {
  const reply = await post(path, params);
  document.dispatchEvent(new Event('pauses'));
  return reply;
}
// What a pause for everyone does not lift. `groups`: those in a schedule that blocks everything.
const stays = (groups) => (groups?.length ? _` A schedule still blocks everything for ${groups.map((g) => (g === 'everyone' ? _`all that are in no group` : g)).join(', ')}.` : '');
// What failed of it all the same.
const failed = ({ note, unchanged }) => (note && !unchanged ? _` But ${note}.` : '');
async function pause(minutes, group = '') {
  const reply = await told('/blocklist/pause', { minutes, group });
  return _`Blocking is paused for ${group || _`everyone`} for ${span(60 * minutes)}.` + stays(reply.blocked_groups) + failed(reply);
}
export async function resume(group = '') {
  return _`Blocking goes on.` + failed(await told('/blocklist/resume', { group }));
}
// A button for each span; `whom` gives the group. `done` is called once it is paused.
export const pauseButtons = (whom, done = () => {}) => MINUTES.map((m) => action(_`Pause ${span(60 * m)}`, async () => {
  const words = await pause(m, whom());
  done();
  return words;
}));
// Calls `look` after each pause and resume of this page, and when a pause has ended.
export const whenPaused = (signal, look) => document.addEventListener('pauses', () => look().catch(complain), { signal });

const shut = (isShut) => {
  panel.hidden = isShut;
  toggle.ariaExpanded = String(!isShut);
};
function close() {
  shut(true);
  toggle.focus();
}
async function open() {
  const { groups } = await get('/groups');
  const whom = choice([['', _`everyone`], ...groups.filter((g) => g.group !== 0).map((g) => g.name)], '');
  fill(panel, field(_`Pause blocking for`, whom), ...pauseButtons(() => whom.value, close));
  shut(false);
  whom.focus();
}

// "04:59", or "01:30:00" from an hour on.
function leftText(endMs) {
  const s = Math.max(0, Math.round((endMs - Date.now()) / SECOND_MS));
  return [...(s < 3600 ? [] : [s / 3600]), s / 60 % 60, s % 60].map((n) => String(Math.floor(n)).padStart(2, '0')).join(':');
}

function pauseShow(p) {
  p.left = h('span', { role: 'timer' }, leftText(p.endMs));
  const words = mark('warn', [pieces`Paused for ${p.group || _`everyone`}, ${p.left} left.`, stays(p.blocked)]);
  return [words, mayOperate() && action(p.group ? _`Block again for ${p.group}` : _`Block again`, async () => {
    const said = await resume(p.group);
    toggle.focus();
    return said;
  })];
}

// `blocking`: that of /status; null: it is not known, or nobody is logged in.
export function blockingShow(blocking) {
  box.hidden = !blocking;
  toggle.hidden = !mayOperate();
  if (!blocking) shut(true);
  const { enabled, pause_left_s: left, paused_groups: groups, blocked_groups: blocked } = blocking ?? { paused_groups: [] };
  pauses = [...(left ? [{ group: '', pause_left_s: left, blocked }] : []), ...groups].map((p) => ({ ...p, endMs: Date.now() + SECOND_MS * p.pause_left_s }));
  fill(state, ...pauses.flatMap(pauseShow), pauses.length ? null : enabled ? mark('good', _`Blocking.`) : mark('warn', _`Not blocking.`));
}
// Whether /ready has other pauses than the header.
export const pausesDiffer = (ready) => ready.reasons.filter((r) => r.id === 'blocking_paused').length !== pauses.length;

const look = async (signal) => {
  try {
    blockingShow((await get('/status', {}, { signal })).blocking);
  } catch (e) {
    if (e.name !== 'AbortError') blockingShow(null);
  }
};
export function blockingFollow(signal) {
  every(MINUTE_MS, signal, () => look(signal));
  look(signal);
}

box.append(state, toggle);
document.addEventListener('pauses', () => look());
setInterval(() => {
  if (document.hidden) return; // the view looks when the page is seen again
  for (const p of pauses) p.left.textContent = leftText(p.endMs);
  if (!pauses.some((p) => p.endMs <= Date.now())) return;
  pauses = [];
  document.dispatchEvent(new Event('pauses'));
}, SECOND_MS);
