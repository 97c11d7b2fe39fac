// SPDX-License-Identifier: BSD-3-Clause
// A backup of the configuration in force, as `weirctl restore` reads it: a tar archive of weir-backup, config/ and state/.
import { save } from './dom.js';
import { get } from './api.js';
import { _, count } from './words.js';

const BLOCK = 512, NAME_MAX = 100, PREFIX_MAX = 155;
const MANAGED = '/config/managed.yaml'; // in the state directory: what the page and weirctl have changed
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

// `files`: those of GET /config/show, the main file first.
function archive(files) {
  if (/(^|[\s[,"'])\//.test((INCLUDE.exec(files[0].text)?.[1] ?? '').replace(/#.*/g, ''))) throw new Error(_`${files[0].path} includes files by an absolute path, which a restore refuses: name them relative to it.`);
  const cut = files[0].path.lastIndexOf('/') + 1, folder = files[0].path.slice(0, cut), folders = new Set(), parts = [member('weir-backup', `weir-backup 1\n${files[0].path.slice(cut)}\n`)];
  files.forEach((f, i) => {
    const isManaged = i > 0 && i === files.length - 1 && f.path.endsWith(MANAGED);
    if (!isManaged && (!f.path.startsWith(folder) || f.path.slice(cut).split('/').includes('..'))) throw new Error(_`${f.path} is not below ${folder}: a restore could not put it back. Move it there.`);
    const path = isManaged ? `state${MANAGED}` : `config/${f.path.slice(cut)}`;
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
