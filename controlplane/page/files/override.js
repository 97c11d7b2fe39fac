// SPDX-License-Identifier: BSD-3-Clause
// Keys of the configuration that count in place of what its files say.
import { h, row, action } from './dom.js';
import { change, get, mayAdmin, mayOperate } from './api.js';
import { ofPrimary } from './taken.js';
import { _ } from './words.js';

// With the version of the configuration that has them. What else a view shows is to be asked after it: it is not older.
export const overridesGet = async () => (mayAdmin() ? get('/config/overrides') : { overrides: [], version: mayOperate() && (await get('/entries')).version });

// Each of the paths, once, with a button that takes the change back.
export function overridesShow(paths, look) {
  const back = (path) => {
    const name = /^(?:.*\.)?(\w+)(?:\[(.*)\])?$/.exec(path).slice(1).findLast((part) => part); // an item's name, or the last key
    return ofPrimary(path, action(_`${name} as the file says`, () => change(look, _`${name}: what the file says counts again.`, '/config/clear', { path })));
  };
  return !!paths.length && row(h('span', { class: 'warn' }, _`Changed here, not in the file:`), [...new Set(paths)].map(back));
}

// The start of a path that names an item of the list; undefined: it names none. As weir reads it, the name ends at a bracket
// that a dot or the end follows.
export const itemOf = (list, path) => (path.startsWith(`${list}[`) ? /^.*?\](?=\.|$)/.exec(path)?.[0] : undefined);
