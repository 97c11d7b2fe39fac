// SPDX-License-Identifier: BSD-3-Clause
// Entries by hand: Allow and Block in the rows of a table, for everyone or for the group of the row's client.
import { row, action, h, when } from './dom.js';
import { change, get, mayOperate } from './api.js';
import { ofPrimary } from './taken.js';
import { _ } from './words.js';

// What to ask before an entry for the root, or a name right below it; '' for others.
export const wideAsk = (name, verdict, group) => (/[^.]\../.test(name) ? '' : verdict === 'allow' ? _`Allow ${name} and all names below it for ${group || _`everyone`}?` : _`Block ${name} and all names below it for ${group || _`everyone`}?`);

// What an entry that allows does not leave to the schedules of these clients. `group`: '' is everyone.
async function lifted(group, signal) {
  const { groups } = await get('/groups', {}, { signal });
  const beds = groups.filter((g) => (!group || g.name === group) && g.blocking)
    .map((g) => [g.name, g.schedules.filter((s) => s.block_all).map((s) => s.name).join(', ')]).filter(([, names]) => names);
  return beds.length ? _` It is open even while a schedule blocks everything: ${beds.map(([name, names]) => `${names} (${name})`).join('; ')}.` : '';
}

// What another entry would take away: the options of this one.
const optionsOf = (e) => [e.type && `${_`Query types`}: ${e.type}`, e.reply && `${_`Reply`}: ${e.reply}`, e.until_unix_s && _`until ${when(e.until_unix_s)}`, e.why].filter((t) => t).join(', ');

// `changed` shows what the buttons have changed; it calls `look` first.
export function byHand(signal, changed) {
  let entries = new Map(); // of names, with all below them
  let all = [], seen = ''; // those that an entry from here would replace, too, and the version of the configuration that has them
  // The nearest one of these groups decides; of two of the same name, the one that allows.
  const verdictOf = (name, ...groups) => {
    for (let rest = name; rest; rest = rest.slice(rest.indexOf('.') + 1 || rest.length)) {
      const found = (entries.get(rest) ?? []).filter((e) => groups.includes(e.group));
      if (found.length) return found.some((e) => e.verdict === 'allow') ? 'allow' : 'deny';
    }
    return '';
  };
  const look = async () => {
    if (!mayOperate()) return;
    const reply = await get('/entries', {}, { signal });
    entries = Map.groupBy(reply.entries.filter((e) => !e.type && !e.ended), (e) => e.name);
    all = reply.entries.filter((e) => e.removable && !e.ended);
    seen = reply.version;
  };
  // Adds an entry, and gives what to say of it. `lasts`: its seconds and what they are called; `about`: what to say after it. It
  // replaces the one that the user has seen, and no other.
  const add = async (again, { name, verdict, group = '', lasts: [seconds, time] = ['', _`for good`], why }, about = async () => '') => {
    if (!seen) await look();
    const whom = group || _`everyone`, before = all.find((e) => e.name === name && e.group === group), options = before && optionsOf(before);
    const is = options && [before.verdict === 'allow' ? _`allowed` : _`blocked`, options].join(', ');
    if (is && !confirm(_`${name} has an entry for ${whom}: ${is}. Replace it with all of this?`)) return '';
    const words = await change(again, verdict === 'allow' ? _`${name} is allowed for ${whom} ${time}.` : _`${name} is blocked for ${whom} ${time}.`, '/entries/add',
      { name, verdict, group, seconds, why, ...(before ? { if_version: seen || '' } : { new: 1 }) });
    return words + await about() + (verdict === 'allow' ? await lifted(group, signal) : '');
  };
  const button = (verdict, name, client, group) => {
    const isAllow = verdict === 'allow';
    const title = group ? (isAllow ? _`Allow for ${group}` : _`Block for ${group}`) : isAllow ? _`Allow` : _`Block`;
    // The button of the other verdict comes to this place: by the keyboard a second press would take the first one back.
    const again = () => {
      if (b === document.activeElement) b.closest('tr').querySelector('a, button').focus({ preventScroll: true });
      return changed(name);
    };
    const b = action(title, () => add(again, { name, verdict, group }, async () => {
      const why = await get('/why', { name, client }, { signal });
      return ` ${client ? _`What decides for ${client}: ${why.headline}.` : _`What decides: ${why.headline}.`}`;
    }), { 'aria-label': `${title} ${name}`, ask: wideAsk(name, verdict, group) });
    return ofPrimary('entries', b);
  };
  // An entry by hand, and a button for each verdict that does not count for the group already. `seen`: what a query got.
  const buttons = ({ name, client }, group, seen) => {
    const counts = verdictOf(name, '', group) || seen, own = verdictOf(name, group), whom = group || _`everyone`;
    const isBeaten = group && entries.get(name)?.some((e) => !e.group && e.verdict === 'allow'); // by that of everyone
    return [counts !== 'allow' && button('allow', name, client, group), counts !== 'deny' && !isBeaten && button('deny', name, client, group),
      own && h('span', { class: 'soft' }, own === 'allow' ? _`allowed by hand for ${whom}` : _`blocked by hand for ${whom}`)];
  };
  return {
    add,
    look,
    // The column of the buttons. `of` gives {name, client, group, blocked: true, false, or undefined where that is not clear}.
    column: (of) => (mayOperate() ? [{ title: _`Actions`, of: (r) => {
      const it = of(r), seen = { true: 'deny', false: 'allow' }[it.blocked];
      return row(buttons(it, '', seen), it.group && buttons(it, it.group, seen));
    } }] : []),
  };
}
