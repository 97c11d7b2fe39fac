// SPDX-License-Identifier: BSD-3-Clause
// The control API, as weirctl uses it. The session is a cookie that scripts cannot read; a change
// needs the token of the session besides.

import { notes, say } from './dom.js';
import { _ } from './words.js';

const BASE = '/v1', AGAIN_MS = 5000;
const BUSY_MS = 1000, BUSY_MOST_MS = 8000, BUSY_TRIES = 6, CLOCK_MS = 2000;
const CONFLICT = 409;
let csrf = ''; // of the session; GET /user tells it again
let role = '', user = ''; // for whom the page is drawn

export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

let onLoggedOut = () => {};
export const whenLoggedOut = (f) => { onLoggedOut = f; };

const query = (params) => {
  const p = new URLSearchParams(Object.entries(params ?? {}).filter(([, v]) => v !== undefined && v !== null && v !== '')).toString();
  return p ? `?${p}` : '';
};

let aheadMs = 0; // weir's clock, of that of the browser
// The time by weir's clock, which times of the API are of.
export const nowMs = () => Date.now() + aheadMs;

// A reply has the second in which weir sent it.
function clockTake(reply) {
  const off = Date.parse(reply.headers.get('date')) - Date.now();
  if (!Number.isNaN(off)) aheadMs = Math.abs(off) > CLOCK_MS ? off : 0;
}

async function asked(method, path, params, options) {
  const headers = { ...(options.headers ?? {}) };
  if (method === 'POST') headers['X-Weir-CSRF'] = csrf;
  try {
    const reply = await fetch(BASE + path + query(params), { method, headers, body: options.body, signal: options.signal, credentials: 'same-origin', cache: 'no-store' });
    clockTake(reply);
    return reply;
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Refused(0, _`weir does not answer. Is the control plane up, and this machine on its network?`);
  }
}

const drawn = (ms) => ms * (1 + Math.random()); // or all tabs of a browser come again at the same time

function passed(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('The view was left.', 'AbortError'));
    }, { once: true });
  });
}

// Passes the time before the next try, the longer the more there were; `told`: how long a reply asks for, in milliseconds.
export const backOff = (tries, told = 0, signal) => passed(drawn(Math.max(told, Math.min(BUSY_MS * 2 ** (tries - 1), BUSY_MOST_MS))), signal);

// A browser that opens its tabs again asks more often than one address may. Such a request has done nothing, and its reply
// says when to come again; a longer time than BUSY_MOST_MS is left to the user.
async function answered(method, path, params, options) {
  for (let tries = 1; ; tries++) {
    const reply = await asked(method, path, params, options);
    const told = 1000 * (reply.headers.get('Retry-After') ?? NaN);
    if ((reply.status !== 429 && reply.status !== 503) || !(told <= BUSY_MOST_MS) || tries === BUSY_TRIES) return reply;
    if (tries > 1) say(_`weir takes no more requests of this browser for a moment; the page asks again by itself.`);
    await backOff(tries, told, options.signal);
  }
}

// Takes the token of the session that another tab of this browser has begun since. False: it is the one that was sent.
async function csrfTakes(sent) {
  const me = await get('/user');
  if (me.user !== user || me.role !== role) throw new Refused(403, _`This browser is now logged in as ${me.user} (${me.role}). Load the page again.`);
  csrf = me.csrf ?? '';
  return csrf !== sent;
}

async function fetched(method, path, params, options = {}) {
  const sent = csrf;
  let reply = await answered(method, path, params, options);
  if (reply.status === 403 && method === 'POST' && path !== '/session' && await csrfTakes(sent)) reply = await answered(method, path, params, options);
  if (reply.ok || (path === '/ready' && reply.status === 503)) return reply;
  let words = `${reply.status} ${reply.statusText}`;
  try {
    words = (await reply.json()).error ?? words;
  } catch { /* no JSON */ }
  if (reply.status === 401 && path !== '/session') onLoggedOut();
  throw new Refused(reply.status, words);
}

export const get = async (path, params, options) => (await fetched('GET', path, params, options)).json();
export const post = async (path, params, options) => (await fetched('POST', path, params, options)).json();

export async function logIn(name, password) {
  const reply = await post('/session', {}, { body: new URLSearchParams({ user: name, password }) });
  csrf = reply.csrf ?? '';
  return reply;
}
export async function logOut() {
  await post('/session/end');
  csrf = '';
}
// Who is logged in, {user, role}.
export async function whoAmI() {
  const reply = await get('/user');
  csrf = reply.csrf ?? '';
  ({ role, user } = reply);
  return reply;
}
// A view shows a user who only looks no button that weir would refuse.
export const mayOperate = () => role !== 'read';
export const mayAdmin = () => role === 'admin';

// For a change that weir refuses because of another one since: what sends the form shows the view again, and keeps what is typed.
export const conflict = (look) => (e) => {
  if (e.status === CONFLICT) e.again = look;
  throw e;
};

// Notes the version that a view shows from now on. A look that began before a change of the view's own may end after it.
export function saw(look, version) {
  if (!(look.seen > version)) look.seen = version;
}

const REPLACES = /^\/config\/|\/(remove|move|allow)$/; // others add, or name all that they change

async function sendSeen(look, path, params) {
  const seen = REPLACES.test(path) && !params.new ? { if_version: look.seen || '' } : {};
  const reply = await post(path, { ...seen, ...params }).catch(conflict(look));
  const isNext = reply.version === look.seen + 1; // nothing came between
  if (reply.version && (seen.if_version || isNext)) look.seen = reply.version;
  return reply;
}

// Makes a change, after the view's changes before it. `look.seen`: the version of the configuration that the view shows; weir
// refuses to replace or remove what may be another by now.
export function send(look, path, params) {
  const next = () => sendSeen(look, path, params);
  look.sent = (look.sent ?? Promise.resolve()).then(next, next);
  return look.sent;
}

// Makes a change, looks again, and gives what to say of it. `note`: that there was nothing to change.
export async function change(look, words, path, params) {
  const reply = await send(look, path, params);
  await look();
  return ((reply.unchanged && reply.note) || words) + notes(reply);
}

// A line of JSON at a time, until the view is left. Ends with an error, or quietly by `signal`.
export async function lines(path, params, signal, onLine) {
  const reply = await fetched('GET', path, params, { signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Refused(0, _`The stream ended.`);
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    for (const p of parts) if (p) onLine(JSON.parse(p));
  }
}

// Server-sent events of one name, again after a break, which `onBreak` is told of; none while the
// page is hidden.
export function events(path, name, signal, onEvent, onBreak = () => {}) {
  let source = null, later = 0;
  const open = () => {
    source?.close();
    source = null;
    clearTimeout(later);
    if (document.hidden || signal.aborted) return;
    source = new EventSource(BASE + path);
    source.addEventListener(name, (e) => onEvent(JSON.parse(e.data)));
    source.addEventListener('error', () => {
      onBreak();
      if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again
      later = setTimeout(open, drawn(AGAIN_MS));
      get('/user').catch(() => {}); // a session that has ended leads to the login
    });
  };
  document.addEventListener('visibilitychange', open, { signal });
  signal.addEventListener('abort', open);
  open();
}

// Gives the minutes of the last day, the oldest first; a call soon after another one asks only for what came since.
export function minutesOf(signal) {
  const DAY = 1440, FEW = 12, SOON_MS = 600000;
  let kept = [], at = -Infinity;
  return async () => {
    const isSoon = Date.now() - at < SOON_MS;
    const { minutes } = await get('/memory/history', { limit: isSoon ? FEW : DAY }, { signal });
    const after = isSoon ? kept.at(-1)?.unix_s ?? 0 : 0;
    at = Date.now();
    kept = [...(isSoon ? kept : []), ...minutes.reverse().filter((m) => m.unix_s > after)].slice(-DAY);
    return kept;
  };
}

// Runs one load at a time into `box`: a new one ends the one before, with its charts and streams. `load` gets the signal
// that ends it.
export function loads(box, signal) {
  let last = null;
  return async (load) => {
    last?.abort();
    const mine = new AbortController();
    last = mine;
    box.setAttribute('aria-busy', 'true');
    try {
      return await load(AbortSignal.any([signal, mine.signal]));
    } finally {
      if (last === mine) box.removeAttribute('aria-busy');
    }
  };
}

// Of a view's looks one may end after another that began later, and that knows more. Gives what begins a look, which gives what
// says whether the look is still to be drawn.
export function turns(signal) {
  let begun = 0, drawn = 0;
  return () => {
    const mine = ++begun;
    return () => {
      if (signal.aborted || mine < drawn) return false;
      drawn = mine;
      return true;
    };
  };
}

// Calls `look` every `ms` while the page is seen, and when it is seen again; never twice at a time.
export function every(ms, signal, look) {
  let busy = false;
  const again = () => {
    if (document.hidden || busy) return;
    busy = true;
    look().catch(() => {}).finally(() => { busy = false; });
  };
  const timer = setInterval(again, ms);
  document.addEventListener('visibilitychange', again, { signal });
  signal.addEventListener('abort', () => clearInterval(timer));
}
