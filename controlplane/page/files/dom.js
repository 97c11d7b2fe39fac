// SPDX-License-Identifier: BSD-3-Clause
// Elements and texts. Every text from the API becomes a text node: no view makes elements of markup.
import { emptied, keeping, sending } from './keep.js';
import { _, locale } from './words.js';

export { table } from './table.js';

// What is there of these, which may be in arrays.
const given = (children) => children.flat(2).filter((c) => (c ?? false) !== false);

export function h(name, options = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else if (key === 'class') e.className = value;
    else if (key in e && key !== 'list' && key !== 'form') e[key] = value;
    else e.setAttribute(key, value === true ? '' : value);
  }
  e.append(...given(children));
  return e;
}

// Puts these in place of what is there; what is null is left out. The focus stays, what was typed and not sent, and what is
// scrolled aside.
export const fill = (e, ...children) => keeping(e, () => e.replaceChildren(...given(children)));

export const row = (...children) => h('div', { class: 'row' }, children);

export const text = (s) => document.createTextNode(String(s));

// Columns of numbers, and of names.
export const figure = (title, of) => ({ title, number: true, of });
export const named = (title, of) => ({ title, name: true, of });

export function tiles(list) {
  return h('dl', { class: 'tiles' }, list.map(([title, value, kind]) =>
    h('div', { class: 'tile' }, h('dt', {}, title), h('dd', { class: kind }, value instanceof Node ? value : text(value)))));
}

export function facts(list) {
  return h('dl', { class: 'facts' }, list.filter(([, v]) => v !== '' && v !== undefined && v !== null).map(([title, value]) =>
    [h('dt', {}, title), h('dd', {}, value instanceof Node ? value : text(value))]).flat());
}

export const mark = (kind, words) => h('span', { class: `mark ${kind}` }, words);

// Shows and reads out a message, until the next press, the next view, or for 8 s; '' takes it away. It lies at the end of the
// window away from what has the focus, and lets presses through.
export function say(words) {
  const box = document.getElementById('said'), at = document.activeElement.getBoundingClientRect();
  box.classList.toggle('above', document.activeElement !== document.body && at.height < innerHeight / 2 && at.top + at.bottom > innerHeight);
  box.textContent = words;
  clearTimeout(say.timer);
  if (words) say.timer = setTimeout(say, 8000, '');
}
document.addEventListener('click', () => say(''), { capture: true });

// Of an action that failed; not of one that ended with its view.
export function complain(e) {
  if (e.name !== 'AbortError') say(e.message);
}

// A button whose action may fail: what it says, or what went wrong, is shown and read out. It keeps the focus while it
// works. `ask`: the question before it does.
export function action(title, does, { ask, ...options } = {}) {
  const b = h('button', { type: 'button', ...options }, title);
  b.addEventListener('click', async () => {
    if (b.ariaDisabled || (ask && !confirm(ask))) return;
    b.ariaDisabled = 'true';
    try {
      const words = await sending(b.closest('form, .row'), does);
      if (words) say(words);
    } catch (e) {
      complain(e);
    } finally {
      b.ariaDisabled = null;
    }
  });
  return b;
}

// What else there is to say of a change, by its reply.
export const notes = (r) => (r.replaced_permanent && r.until_unix_s ? _` The entry before had no end; it does not come back when this one ends.` : '')
  + (r.needs_restart ? _` These need a restart: ${r.needs_restart}.` : '') + (r.warning ? _` Warning: ${r.warning}.` : '');

const KEPT_MS = 60000; // how long a browser may take to save

// Has the browser save a file.
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

export function field(title, input) {
  return h('label', {}, title, input);
}

// A button that sends the fields, and empties them when that has succeeded. `does` gives what to say.
export function form(fields, title, does) {
  return h('form', { onsubmit: async (e) => {
    e.preventDefault();
    try {
      say(await sending(e.target, does));
      emptied(e.target);
    } catch (x) { complain(x); }
  } }, fields, h('button', { type: 'submit' }, title));
}

// `list`: values, or pairs of a value and its title. A value that it lacks stands behind them, but for ''.
export function choice(list, value, options = {}) {
  list = list.map((o) => [o].flat());
  if (value && !list.some(([v]) => v === value)) list.push([value]);
  const s = h('select', options, list.map(([v, title = v]) => h('option', { value: v }, title)));
  if (list.some(([v]) => v === value)) s.value = value;
  return s;
}

// A table sorts by the number behind a text: that which the first of the functions below was given.
let figureOf;
function figured(n, words) {
  figureOf ??= n;
  return words;
}
export function figures(of) {
  figureOf = undefined;
  const what = of();
  return [what, figureOf];
}

const digits = [0, 1, 2].map((d) => new Intl.NumberFormat(locale(), { minimumFractionDigits: d, maximumFractionDigits: d }));
export const number = (n) => figured(n ?? 0, digits[0].format(Math.round(n ?? 0)));
const shortest = new Intl.NumberFormat(locale(), { maximumFractionDigits: 2 });
export function rate(n) {
  return figured(n, n >= 100 ? number(n) : (n >= 10 ? digits[1] : shortest).format(n));
}
export const percent = (part, all) => (all > 0 ? figured(part / all, `${digits[part && part < all / 100 ? 2 : 1].format(100 * part / all)} %`) : '–');
export function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  figured(n, '');
  for (n = n ?? 0; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${digits[i && n < 100 ? 1 : 0].format(n)} ${units[i]}`;
}
export function micros(us) {
  if (us < 10) return figured(us, us < 1 ? `${Math.round(us * 1000)} ns` : `${digits[1].format(us)} µs`);
  return figured(us, us < 1000 ? `${Math.round(us)} µs` : us < 1e6 ? `${digits[us < 1e4 ? 1 : 0].format(us / 1000)} ms` : `${digits[1].format(us / 1e6)} s`);
}
export function span(seconds) {
  const s = figured(seconds, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}
// All dates and times of the page: "30 Nov, 07:05", with the year where it is half a year away. `fine`: SECONDS, or less.
const YEAR_AFTER_MS = 182 * 86400000, TIME = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
export const SECONDS = { second: '2-digit' };
const ofDay = (at) => ({ day: 'numeric', month: 'short', year: Math.abs(at - Date.now()) > YEAR_AFTER_MS ? 'numeric' : undefined });
function dated(unix_s, parts) {
  const at = new Date(unix_s * 1000);
  return figured(unix_s, at.toLocaleString(locale(), parts(at)));
}
export const when = (unix_s, fine = {}) => (unix_s ? dated(unix_s, (at) => ({ ...ofDay(at), ...TIME, ...fine })) : figured(unix_s, _`never`));
export const date = (unix_s) => dated(unix_s, ofDay);
export const clock = (unix_s, fine = {}) => dated(unix_s, () => ({ ...TIME, ...fine }));

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE'];
export const rcode = (n) => (n === 16 ? 'BADVERS' : n === 23 ? 'BADCOOKIE' : RCODES[n] ?? `RCODE${n}`);
