// SPDX-License-Identifier: BSD-3-Clause
// Allow and Block in the rows of a table: entries by hand, for everyone and for good.
import { row, action, h } from './dom.js';
import { change, get, mayOperate } from './api.js';
import { _ } from './words.js';

const isWide = (name) => !/[^.]\../.test(name); // the root, or a name right below it

// `changed` shows what the buttons have changed; it calls `look` first.
export function byHand(signal, changed) {
  let verdicts = new Map(); // of names, with all below them
  const verdictOf = (name) => {
    for (let rest = name; rest; rest = rest.slice(rest.indexOf('.') + 1 || rest.length)) if (verdicts.has(rest)) return verdicts.get(rest);
    return '';
  };
  const button = (title, verdict, name, client) => action(title, async () => {
    const words = await change(() => changed(name), verdict === 'allow' ? _`${name} is allowed for everyone for good.` : _`${name} is blocked for everyone for good.`, '/entries/add', { name, verdict });
    const why = await get('/why', { name, client }, { signal });
    return `${words} ${client ? _`What decides for ${client}: ${why.headline}.` : _`What decides: ${why.headline}.`}`;
  }, { 'aria-label': `${title} ${name}`, ask: isWide(name) && (verdict === 'allow' ? _`Allow ${name} and all names below it for everyone?` : _`Block ${name} and all names below it for everyone?`) });
  return {
    async look() {
      if (!mayOperate()) return;
      const own = (await get('/entries', {}, { signal })).entries.filter((e) => !e.group && !e.type && !e.ended);
      verdicts = new Map(['deny', 'allow'].flatMap((v) => own.filter((e) => e.verdict === v).map((e) => [e.name, v])));
    },
    // The column of the buttons. `of` gives {name, client, blocked: true, false, or undefined where that is not clear}, or nothing.
    column: (of) => (mayOperate() ? [{ title: _`Actions`, of: (r) => {
      const { name, client, blocked } = of(r), verdict = verdictOf(name) || { true: 'deny', false: 'allow' }[blocked];
      return row(verdict !== 'allow' && button(_`Allow`, 'allow', name, client), verdict !== 'deny' && button(_`Block`, 'deny', name, client),
        verdictOf(name) && h('span', { class: 'soft' }, verdict === 'allow' ? _`allowed by hand` : _`blocked by hand`));
    } }] : []),
  };
}
