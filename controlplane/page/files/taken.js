// SPDX-License-Identifier: BSD-3-Clause
// The part of this box in a fleet, and what of its configuration it takes from its primary: those controls say so in place
// of a change that weir would refuse.
import { h, say } from './dom.js';
import { get } from './api.js';
import { _, pieces } from './words.js';

// What a section of the configuration is on the page.
const WORDS = { blocking: _`lists and blocking`, upstreams: _`upstream servers`, dnssec: 'DNSSEC', ipv6: 'IPv6', clients: _`names of clients`, local: _`local names`, forward_zones: _`servers of zones`,
  groups: _`groups`, entries: _`entries by hand`, group_members: _`members of groups` };

let fleet = {}; // GET /fleet

export async function fleetLook(signal) {
  fleet = await get('/fleet', {}, { signal });
  return fleet;
}
// Do other boxes have the configuration of this one, or it theirs?
export const isInFleet = () => !!(fleet.secondary || fleet.primary?.rival || fleet.primary?.boxes.length);

export const primaryName = ({ primary, url }) => primary || url.replace('https://', '');
const sections = () => fleet.secondary?.sections.split(', ').filter((s) => s) ?? [];
export const sectionWords = (names = sections()) => names.map((s) => WORDS[s] ?? s).join(', ');
// `view`: its name and argument there. The page of another box is no part of this one.
export const linkTo = (secondary, view, words) => h('a', { href: `${secondary.url.replace(/\/$/, '')}/#/${view}`, rel: 'noopener' }, words);

// The note of a view about those of its sections that are taken.
export function takenNote(view, ...names) {
  const taken = sections().filter((s) => names.includes(s));
  if (!taken.length) return '';
  const name = primaryName(fleet.secondary);
  return h('p', { class: 'taken' }, pieces`This box takes ${sectionWords(taken)} from ${name}: change them ${linkTo(fleet.secondary, view, _`there`)}.`);
}

const CONTROLS = 'button:not(th *, .tools *), input:not(.tools *), select:not(.tools *), textarea';
const reasons = new WeakMap(); // why a control does nothing

document.addEventListener('click', (e) => {
  const why = reasons.get(e.target.closest?.('button'));
  if (!why) return;
  e.preventDefault();
  e.stopImmediatePropagation();
  say(why);
}, { capture: true });

// Lets the controls of `e` do nothing but say why; '': lets them work again. What sorts and filters a table works on.
export function barred(e, why) {
  if (!e) return e;
  for (const c of [...(e.matches(CONTROLS) ? [e] : []), ...e.querySelectorAll(CONTROLS)]) {
    if (!why && !reasons.get(c)) continue;
    reasons.set(c, why);
    c.title = why;
    if (c.tagName === 'BUTTON') c.ariaDisabled = why ? 'true' : null;
    else c.disabled = !!why;
  }
  return e;
}

// Why a change of what is taken is refused; '': nothing is taken.
export const takenWhy = () => (sections().length ? _`This box takes this from ${primaryName(fleet.secondary)}: change it there.` : '');

// The same for controls that change this section, or the path of a key in it.
export const ofPrimary = (path, e) => barred(e, sections().includes(/^\w*/.exec(path)[0]) ? takenWhy() : '');
