// SPDX-License-Identifier: BSD-3-Clause
// A backup of the configuration in force, as `weirctl restore` reads it: a tar archive of weir-backup, config/ and state/.
// And the way back of its managed part.
import { h, action, fill, named, notes, number, save, table } from './dom.js';
import { get, post } from './api.js';
import { _, count } from './words.js';

const BLOCK = 512, NAME_MAX = 100, PREFIX_MAX = 155;
const FILE_MAX = 32 << 20, PART_BYTES = 60000, NAMES_SHOWN = 8, CONFLICT = 409;
const MANAGED = '/config/managed.yaml'; // in the state directory: what the page and weirctl have changed
const SHARED = '/config/shared.yaml'; // there too, on a secondary of a fleet: what its primary shares
const MASK = /(?<!\*)\*{3}(?!\*)/g; // in place of a secret
const INCLUDE = /^include\s*:(.*(?:\n[ \t-].*)*)/m; // the key's value, over its lines
const bytesOf = (s) => new TextEncoder().encode(s);
const octal = (n, digits) => n.toString(8).padStart(digits, '0');

// The fields `prefix` and `name`, of at most so many bytes.
function split(path) {
  const fits = (at) => bytesOf(path.slice(0, Math.max(at, 0))).length <= PREFIX_MAX && bytesOf(path.slice(at + 1)).length <= NAME_MAX;
  const at = [-1, ...[...path.matchAll(/\//g)].map((m) => m.index)].find(fits);
  if (at === undefined) throw new Error(_`${path}: the name is too long for a backup.`);
  return [path.slice(0, Math.max(at, 0)), path.slice(at + 1)];
}

// A member and its bytes, in whole blocks. Owner and modes are those of the package.
function member(path, text, isFolder = false) {
  const [prefix, name] = split(path), body = bytesOf(text), all = new Uint8Array(BLOCK * (1 + Math.ceil(body.length / BLOCK)));
  const put = (at, s) => all.set(bytesOf(s), at);
  put(0, name);
  put(100, octal(isFolder ? 0o750 : 0o640, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(body.length, 11));
  put(136, octal(Math.floor(Date.now() / 1000), 11));
  put(148, ' '.repeat(8));
  put(156, isFolder ? '5' : '0');
  put(257, 'ustar\0' + '00');
  put(265, 'root');
  put(297, 'weir');
  put(345, prefix);
  put(148, `${octal(all.subarray(0, BLOCK).reduce((sum, b) => sum + b, 0), 6)}\0`);
  all.set(body, BLOCK);
  return all;
}

// `files`: those of GET /config/show, the main file first, the shared and the managed part last.
function archive(files) {
  if (/(^|[\s[,"'])\//.test((INCLUDE.exec(files[0].text)?.[1] ?? '').replace(/#.*/g, ''))) throw new Error(_`${files[0].path} includes files by an absolute path, which a restore refuses: name them relative to it.`);
  const cut = files[0].path.lastIndexOf('/') + 1, folder = files[0].path.slice(0, cut), folders = new Set(), state = files.at(-1).path.replace(/\/config\/(managed|shared)\.yaml$/, '');
  const parts = [member('weir-backup', `weir-backup 1\n${files[0].path.slice(cut)}\n`)];
  files.forEach((f, i) => {
    const part = i > 0 && [SHARED, MANAGED].find((p) => f.path === state + p);
    if (!part && (!f.path.startsWith(folder) || f.path.slice(cut).split('/').includes('..'))) throw new Error(_`${f.path} is not below ${folder}: a restore could not put it back. Move it there.`);
    const path = part ? `state${part}` : `config/${f.path.slice(cut)}`;
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const above = path.slice(0, at);
      if (!folders.has(above)) parts.push(member(above, '', true));
      folders.add(above);
    }
    parts.push(member(path, f.text));
  });
  return new Blob([...parts, new Uint8Array(2 * BLOCK)], { type: 'application/x-tar' });
}

// Has the browser save the backup. Gives what to say.
export async function download() {
  const { files, number } = await get('/config/show'), masked = files.reduce((sum, f) => sum + (f.text.match(MASK) ?? []).length, 0);
  save(archive(files), `weir-${new Date().toISOString().slice(0, 10)}${number ? `-version-${number}` : ''}.tar`);
  return masked ? _`The backup is saved, with *** for ${count(masked)} secrets. Before a restore, unpack it, write them in, and pack it again.` : _`The backup is saved.`;
}

// The managed part that a backup has.
function managedOf(all) {
  const text = (at, length) => new TextDecoder().decode(all.subarray(at, at + length)), field = (at, length) => text(at, length).replace(/\0.*/s, '');
  if (field(0, NAME_MAX) !== 'weir-backup') throw new Error(_`This file is no backup of weir.`);
  for (let at = 0; all[at];) {
    const size = parseInt(field(at + 124, 12), 8), next = at + BLOCK * (1 + Math.ceil(size / BLOCK));
    if (!(next <= all.length)) throw new Error(_`The backup is damaged.`);
    if ([field(at + 345, PREFIX_MAX), field(at, NAME_MAX)].filter((part) => part).join('/') === `state${MANAGED}`) return text(at + BLOCK, size);
    at = next;
  }
  throw new Error(_`This backup has no managed.yaml, so the page cannot restore it. On the box "sudo weirctl restore" puts its files back.`);
}

const SUBJECTS = { entries: _`Allowed and blocked names`, group_members: _`Clients added to groups`, unset: _`Taken out of the files`, 'blocking.lists': _`Lists`, 'blocking.disabled_lists': _`Lists turned off`,
  'local.records': _`Local names`, 'upstreams.servers': _`Upstream servers`, 'overrides.groups': _`Groups`, 'overrides.clients': _`Names of clients` };

// What a managed part has in the form that weir prints: the name in each line, by the line, of each subject.
function itemsOf(managed) {
  const found = new Map(), way = [];
  for (const line of managed.split('\n')) {
    const [, indent, isItem, key, rest] = /^( *)(- )?(?:(\w+):)?(.*)/.exec(line);
    if (!isItem && !key) continue;
    way.length = indent.length / 2;
    if (isItem || rest) {
      const subject = way.join('.'), name = isItem ? (/\b(?:name|client|address): "((?:[^"\\]|\\.)*)"/.exec(rest) ?? /"(.*)"/.exec(rest))?.[1] ?? rest : key;
      found.set(subject, (found.get(subject) ?? new Map()).set(line, name));
    }
    if (!isItem) way.push(key);
  }
  return found;
}

// A row for each subject that differs: in its lines, or in their order alone (`moved`).
function differences(now, then) {
  const only = (a, b) => [...a ?? []].filter(([line]) => !b?.has(line)).map(([, name]) => name);
  return [...new Set([...now.keys(), ...then.keys()])].map((subject) => {
    const comes = only(then.get(subject), now.get(subject)), goes = only(now.get(subject), then.get(subject));
    const keys = (m) => [...m.get(subject)?.keys() ?? []].join('\n'), moved = !comes.length && !goes.length && keys(then) !== keys(now);
    return { subject, moved, changes: comes.filter((n) => goes.includes(n)), comes: comes.filter((n) => !goes.includes(n)), goes: goes.filter((n) => !comes.includes(n)) };
  }).filter((d) => d.moved || d.changes.length + d.comes.length + d.goes.length);
}

const some = (names) => names.length > 0 && `${number(names.length)}: ${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ', …' : ''}`;

// A body of a request has 64 KiB at most. `version`: the one that the user has seen the changes of; 0: it has no number.
async function send(text, version) {
  const all = bytesOf(text), of = all.length > PART_BYTES ? all.length : '';
  let reply = {};
  for (let at = 0; at < all.length; at += PART_BYTES) reply = await post('/config/restore', { at: at || '', of, id: reply.id, version: at ? '' : version || '' }, { body: all.subarray(at, at + PART_BYTES), headers: { 'Content-Type': 'application/yaml' } });
  return reply;
}

// Shows in `box` what a restore of the file changes, and the button for it.
export async function chosen(file, box) {
  fill(box);
  if (file.size > FILE_MAX) throw new Error(_`The page restores no file of more than 32 MiB: use weirctl restore on the box.`);
  const then = managedOf(new Uint8Array(await file.arrayBuffer())), { files, number: version } = await get('/config/show');
  const now = files.length > 1 && files.at(-1).path.endsWith(MANAGED) ? files.at(-1).text : '';
  const rows = differences(itemsOf(now), itemsOf(then)), masked = then.match(MASK)?.length;
  const restore = async () => {
    const reply = await send(then, version).catch(async (e) => {
      if (e.status === CONFLICT) await chosen(file, box); // what it changes by now
      throw e;
    });
    fill(box);
    return _`${file.name} is restored as one version.` + notes(reply);
  };
  fill(box, table(_`What ${file.name} changes`, [named(_`Subject`, (d) => SUBJECTS[d.subject] ?? d.subject.replace(/^overrides\./, '')), { title: _`Comes back`, of: (d) => some(d.comes) },
    { title: _`Goes`, of: (d) => some(d.goes) }, { title: _`Changes`, of: (d) => (d.moved ? _`the order` : some(d.changes)) }], rows, _`Nothing: all of it is in force.`),
  masked ? h('p', { class: 'warn' }, _`The backup has *** for ${count(masked)} secrets: unpack it, write them in, and pack it again.`) : rows.length > 0 && action(_`Restore`, restore, { class: 'main' }));
}
