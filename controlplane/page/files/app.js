// SPDX-License-Identifier: BSD-3-Clause
// Which view is shown: #/NAME or #/NAME/ARGUMENT, which the view decodes. A view is loaded when it is first needed, gets an
// element to fill and a signal that ends it.
import { h, say, field, choice } from './dom.js';
import { backOff, logIn, logOut, whenLoggedOut, whoAmI } from './api.js';
import { blockingFollow, blockingShow } from './pause.js';
import { fleetLook, isInFleet } from './taken.js';
import { _, pieces, choose, LANGUAGES } from './words.js';

const VIEWS = [['now', _`Now`], ['queries', _`Queries`], ['top', _`Top`], ['client', _`Clients`], ['lists', _`Lists`], ['groups', _`Groups`], ['local', _`Local names`], ['settings', _`Settings`], ['devices', _`Set up devices`],
  ['cache', _`Cache`], ['config', _`Configuration`], ['fleet', _`Fleet`], ['box', _`This box`], ['memory', _`Memory`], ['path', _`Packet path`]];
const INSIDE = ['memory', 'path']; // what is not of every day

let leave = null;

function place() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/');
  const known = VIEWS.some(([v]) => v === name);
  return { name: known ? name : 'now', argument: rest.join('/') };
}

function navShow(current) {
  const links = (isInside) => VIEWS.filter(([name]) => INSIDE.includes(name) === isInside && (name !== 'fleet' || isInFleet())).map(([name, title]) =>
    h('li', {}, h('a', { href: `#/${name}`, 'aria-current': name === current ? 'page' : null }, title)));
  document.getElementById('nav').replaceChildren(...links(false),
    h('li', {}, h('details', { open: INSIDE.includes(current) }, h('summary', {}, _`Inside`), h('ul', {}, links(true)))));
}

async function show() {
  leave?.abort();
  leave = new AbortController();
  const { signal } = leave;
  const { name, argument } = place();
  const wasInFleet = isInFleet();
  navShow(name);
  if (name !== 'now') blockingFollow(signal); // Now shows what it asks for itself
  const main = document.getElementById('main');
  const box = h('div');
  main.replaceChildren(box);
  document.title = `${VIEWS.find(([v]) => v === name)[1]} · weir`;
  try {
    const [view] = await Promise.all([import(`./${name}.js`), fleetLook(signal).catch(() => {})]); // a view says what fails for itself
    if (signal.aborted) return;
    if (isInFleet() !== wasInFleet) navShow(name);
    await view.show(box, signal, argument);
  } catch (e) {
    if (e.name !== 'AbortError' && !signal.aborted && e.status !== 401) box.append(h('p', { class: 'bad', role: 'alert' }, e.message));
  }
}

function loginShow() {
  leave?.abort();
  leave = null;
  blockingShow(null);
  document.getElementById('nav').replaceChildren();
  document.getElementById('leave').hidden = true;
  document.title = `${_`Log in`} · weir`;
  const user = h('input', { name: 'user', autocomplete: 'username', required: true, maxLength: 64 });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true, maxLength: 256 });
  const wrong = h('p', { class: 'bad', role: 'alert' });
  const button = h('button', { type: 'submit', class: 'main' }, _`Log in`);
  const form = h('form', { onsubmit: async (e) => {
    e.preventDefault();
    button.disabled = true;
    wrong.textContent = '';
    try {
      await logIn(user.value, password.value);
      begin();
    } catch (x) {
      wrong.textContent = x.message;
      password.value = '';
      password.focus();
    } finally {
      button.disabled = false;
    }
  } }, h('label', {}, _`User`, user), h('label', {}, _`Password`, password), button);
  document.getElementById('main').replaceChildren(h('div', { class: 'login' }, h('h1', {}, _`Log in to weir`), form, wrong,
    h('p', { class: 'soft' }, pieces`The user and the password are those that an administrator made on the box itself: ${h('code', {}, 'sudo weirctl password set NAME --role admin')}. With ${h('code', {}, '--role read')} a user looks, with ${h('code', {}, '--role operate')} it also pauses, allows and blocks.`)));
  user.focus();
}

// Who is logged in; null: nobody is. weir may be starting: until it answers, the page says so and asks again.
async function userWait() {
  for (let tries = 1, said = ''; ; tries++) {
    try {
      return await whoAmI();
    } catch (e) {
      if (e.status === 401) return null;
      if (said !== e.message) document.getElementById('main').replaceChildren(h('div', { role: 'alert' }, h('p', { class: 'bad' }, e.message), h('p', { class: 'soft' }, _`The page asks again by itself.`)));
      said = e.message;
    }
    await backOff(tries);
  }
}

async function begin() {
  const me = await userWait();
  if (!me) {
    loginShow();
    return;
  }
  const button = document.getElementById('leave');
  button.hidden = false;
  button.textContent = _`Log out ${me.user}`;
  button.title = _`Role: ${me.role}`;
  await show();
}

const NO_SESSION = 409; // of POST /session/end
document.getElementById('leave').addEventListener('click', async () => {
  leave?.abort(); // the session's streams end with it
  try {
    await logOut();
    loginShow();
  } catch (e) {
    if (e.status === 401) return; // it had ended, and the login is shown
    if (e.status === NO_SESSION) { // who is known by a certificate may log in as another user
      loginShow();
      return;
    }
    await show();
    say(_`You may still be logged in: ${e.message}`);
  }
});
// The texts of index.html, and the choice of the language.
const skip = document.querySelector('.skip');
skip.textContent = _`Skip to the contents`;
document.querySelector('nav').ariaLabel = _`Views`;
document.querySelector('footer').append(field(_`Language`, choice(LANGUAGES, document.documentElement.lang, { onchange: (e) => choose(e.target.value) })));
// Its target is no view.
skip.addEventListener('click', (e) => {
  e.preventDefault();
  document.getElementById('main').focus();
});
window.addEventListener('hashchange', () => {
  say('');
  if (leave) show().then(() => {
    scrollTo(0, 0); // the header stays in sight
    document.getElementById('main').focus({ preventScroll: true });
  });
});
whenLoggedOut(loginShow);
begin();
