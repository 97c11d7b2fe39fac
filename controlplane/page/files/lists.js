// SPDX-License-Identifier: BSD-3-Clause
// Lists: what they are, how they fared, what to do with them; and the operator's own entries.
import { h, row, fill, named, table, figure, field, form, choice, action, mark, number, when, bytes } from './dom.js';
import { change, conflict, every, get, mayAdmin, mayOperate, post, saw, turns } from './api.js';
import { pauseButtons, resume, whenPaused } from './pause.js';
import { LASTS } from './queries.js';
import { ofPrimary, takenNote } from './taken.js';
import { coverage } from './top.js';
import { _, count } from './words.js';

const LISTS = 100; // the most that the API gives
const LOADING_MS = 1000;

const fetchedNotes = (r) => (r.failing.length ? _`Not updated: ${r.failing.join('; ')}.` : _`The lists are up to date.`);
const kinds = (s) => _`${count(s.lists.length)} lists: ${s.kinds.map((k) => `${k.lists} ${k.kind}`).join(', ')}`; // as weirctl says it

export async function show(box, signal) {
  const state = h('div'), lists = h('div'), entries = h('div'), known = h('div'), note = h('p', { class: 'soft' }), turn = turns(signal);
  let loading = false, hits = () => '…', listsShow = () => {}; // queries that a list blocked in the last 24 hours; draws the newest state
  const look = async () => {
    const isToDraw = turn(), own = await get('/entries'), [status, defined] = await Promise.all([get('/blocklist'), get('/lists')]); // not older than that version
    if (!isToDraw()) return;
    saw(look, own.version);
    const byName = new Map(defined.lists.map((l) => [l.name, l]));
    const paused = status.pause_left_s > 0;
    fill(state,
      h('p', {}, paused ? mark('warn', _`Blocking is paused until ${when(status.pause_until_unix_s)}.`) : status.held ? mark('warn', _`Older names are held until "Fetch all now".`) : mark('good', _`${count(status.names)} names in force.`), ' ', _`From ${kinds(status)}.`),
      mayOperate() && row(
        action(_`Fetch all now`, async () => { const reply = await post('/blocklist/reload'); await look(); return fetchedNotes(reply); }),
        paused ? action(_`Block again`, () => resume())
          : pauseButtons(() => ''),
        status.has_previous ? backTo(status.previous_unix_s, look) : null));
    listsShow = () => fill(lists, table(_`Lists`, [
      named(_`List`, (l) => h('div', {}, h('strong', {}, l.name), h('div', { class: 'soft' }, byName.get(l.name)?.source || l.url || l.path || ''))),
      { title: _`Kind`, of: (l) => l.kind },
      { title: _`State`, of: (l) => stateShow(l, byName.get(l.name)?.enabled === false) },
      figure(_`Names`, (l) => number(l.names)), figure(_`Blocked in 24 h`, (l) => (l.allow ? '–' : hits(l))),
      { title: _`Last fetch`, tight: true, of: fetched }, figure(_`Rejected lines`, (l) => number(l.rejected)),
      figure(_`Size`, (l) => bytes(l.bytes)), ...(mayOperate() ? [{ title: _`Actions`, of: (l) => actions(byName.get(l.name), look) }] : [])], merged(status.lists, defined.lists)));
    listsShow();
    loading = status.building || status.lists.some(isLoading);
    fill(known, mayAdmin() && ofPrimary('blocking', knownShow(defined, look)));
    fill(entries, entriesShow(_`Allowed and blocked by hand`, own.entries, look));
  };
  box.append(h('h1', {}, _`Lists`), takenNote('lists', 'blocking', 'entries'), state, lists, note, known, mayAdmin() ? ofPrimary('blocking', addLists(look)) : '', h('h2', {}, _`By hand`), h('p', { class: 'soft' }, _`Entries of blocking.allow, blocking.deny and groups are in the configuration, and not in this table. What stands in a file of the configuration has no button that removes it.`), entries, mayOperate() ? addEntry(look) : '');
  get('/log/top', { seconds: 86400, limit: LISTS }, { signal }).then((t) => {
    const counts = new Map(t.lists.items.map((i) => [i.text, i.queries]));
    const rest = t.lists.items.length < LISTS ? number(0) : '–'; // of lists that the reply has no room for
    hits = (l) => (counts.has(l.name) ? number(counts.get(l.name)) : rest);
    note.textContent = coverage(t);
  }).catch((e) => {
    hits = () => '–';
    note.textContent = _`Blocked in 24 h is not known: ${e.message}.`;
  }).then(() => { if (!signal.aborted) listsShow(); });
  whenPaused(signal, look);
  every(LOADING_MS, signal, async () => { if (loading) await look(); });
  await look();
}

// The image of before, and that of now in its place as the one to go back to.
function backTo(unix_s, look) {
  const time = when(unix_s);
  return action(_`Back to the names of ${time}`, async () => {
    await post('/blocklist/rollback', { if_previous: unix_s }).catch(conflict(look));
    await look();
    return _`The names of ${time} are in force, until "Fetch all now".`;
  }, { ask: _`Put the names in force that weir made of the lists and of the entries by hand at ${time}? They stay until you press "Fetch all now": until then weir fetches no list, and lists and entries that you change do not count. No list and no entry is removed.` });
}

// Has weir still to ask for the list for the first time, or is it about to? A copy of before counts.
const isLoading = (l) => l.url && !l.last_try_unix_s && !l.last_good_unix_s && !!l.next_try_unix_s;

function stateShow(l, isOff) {
  if (isOff) return mark('warn', _`off`);
  if (isLoading(l)) return mark('warn', _`loads …`);
  return l.failing ? mark('bad', l.fetch_error || l.error || _`failing`) : mark('good', _`in force`);
}

// The service lists what it loaded; a list that is off is only in the configuration.
function merged(loaded, defined) {
  const names = new Set(loaded.map((l) => l.name));
  return [...loaded, ...defined.filter((l) => !names.has(l.name)).map((l) => ({ ...l, kind: l.allow ? 'allow' : 'block', names: 0, rejected: 0, bytes: 0 }))];
}

function fetched(l) {
  if (!l.url) return l.path ? _`a file` : '–';
  const last = when(l.last_good_unix_s ?? 0); // first: by it the table sorts
  const next = l.next_try_unix_s ? h('div', { class: 'soft' }, _`next: ${when(l.next_try_unix_s)}`) : null;
  return h('div', {}, last, next);
}

function actions(defined, look) {
  if (!defined) return '';
  const does = (title, path, words, ask) => action(title, () => change(look, words, path, { name: defined.name }), { ask });
  return ofPrimary('blocking', row(
    defined.switchable && (defined.enabled ? does(_`Turn off`, '/lists/disable', _`${defined.name} is off.`) : does(_`Use`, '/lists/enable', _`${defined.name} is used again.`)),
    mayAdmin() && defined.removable && does(_`Remove`, '/lists/remove', _`${defined.name} is removed.`, _`Remove the list ${defined.name}?`)));
}

// Known lists that are not among those of the configuration.
function knownShow({ lists, known }, look) {
  const rest = known.filter((k) => !lists.some((l) => l.name === k.name || l.source === k.url));
  return !!rest.length && row(h('span', { class: 'soft' }, _`Known lists:`), rest.map((k) =>
    action(_`Add ${k.name}`, () => change(look, _`${k.name} is added.`, '/lists/add', { name: k.name, place: k.url }), { title: k.url })));
}

// "[NAME] URL" or "[NAME] /PATH"; a URL may lack its https://. Without a name, a list is called by the last part of its
// place, or by its host, as weir does it.
function placeOf(line) {
  const [, name, given] = /^(?:(.*?)\s+)??(\S+:\/\/.*|\/.*|[^\s/]+\.[^\s/]+\/\S*)$/.exec(line) ?? [];
  const place = given && (/^(\/|\w+:\/\/)/.test(given) ? given : `https://${given}`);
  if (!place) throw new Error(_`${line}: is neither a URL nor the path of a file.`);
  return { name: name || place.replace(/[?#].*/, '').replace(/\/+$/, '').split('/').at(-1), place };
}

// The lines of what cannot be added stay.
function addLists(look) {
  const places = h('textarea', { required: true, rows: 3, cols: 60, placeholder: 'https://…' });
  const kind = choice([['0', _`block`], ['1', _`allow`]], '0');
  return form([field(_`New lists: a URL or path a line, with a name before it if you like`, places), field(_`Kind`, kind)], _`Add lists`, async () => {
    const failed = [], added = [];
    for (const line of places.value.split('\n').map((l) => l.trim()).filter((l) => l)) {
      try {
        const { name, place } = placeOf(line);
        await post('/lists/add', { name, place, allow: kind.value });
        added.push(name);
      } catch (e) { failed.push({ line, words: e.message }); }
    }
    await look();
    places.value = failed.map((f) => f.line).join('\n');
    const words = added.length ? _`${count(added.length, added.join(', '))} are added.` : '';
    if (failed.length) throw new Error([words, ...failed.map((f) => f.words)].join(' '));
    return words;
  });
}

const types = (e) => (e.type.startsWith('~') ? _`all but ${e.type.replaceAll('~', '')}` : e.type);

export const entriesShow = (caption, entries, look) => table(caption, [
  named(_`Name`, (e) => (e.invert ? _`all but ${e.name}` : e.name)), { title: _`Verdict`, of: (e) => (e.verdict === 'allow' ? _`allowed` : _`blocked`) }, { title: _`For`, of: (e) => e.group || _`everyone` },
  ...(entries.some((e) => e.type) ? [{ title: _`Query types`, of: (e) => (e.type ? types(e) : _`all`) }] : []), ...(entries.some((e) => e.reply) ? [{ title: _`Reply`, of: (e) => e.reply }] : []),
  { title: _`Until`, of: (e) => (e.until_unix_s ? when(e.until_unix_s) : _`for good`) }, named(_`Why`, (e) => e.why ?? ''),
  { title: _`Actions`, of: (e) => mayOperate() && e.removable && ofPrimary('entries', action(_`Remove`, () => change(look, _`${e.name} is removed.`, '/entries/remove', { name: e.name, verdict: e.verdict, group: e.group }),
    { ask: e.verdict === 'allow' ? _`Remove ${e.name} from what is allowed?` : _`Remove ${e.name} from what is blocked?` })) }],
entries, _`No entry by this page or by weirctl.`);

const REPLIES = [['', _`as for other names`], ['nxdomain', 'NXDOMAIN'], ['nodata', _`no data`], ['null', _`0.0.0.0 and ::`], ['refused', 'REFUSED'], ['servfail', 'SERVFAIL'], ['drop', _`no answer at all`]];

export function addEntry(look, group) {
  const name = h('input', { required: true, maxLength: 1026, placeholder: 'example.com', autocapitalize: 'none' }), why = h('input', { maxLength: 120 });
  const verdict = choice([['allow', _`allow`], ['deny', _`block`]], 'allow'), lasts = choice(LASTS, '');
  const type = h('input', { maxLength: 80, size: 12, placeholder: 'A,AAAA' }), reply = choice(REPLIES, ''), invert = h('input', { type: 'checkbox' });
  const replyField = field(_`A blocked name gets`, reply);
  const shown = () => { replyField.hidden = verdict.value !== 'deny'; };
  verdict.addEventListener('change', shown);
  shown();
  return ofPrimary('entries', form([field(_`Name, and all below it`, name), field(_`Verdict`, verdict), field(_`How long`, lasts), field(_`Why`, why),
    h('details', {}, h('summary', {}, _`More`), row(field(_`Only for the query types`, type), replyField, field(_`All names but those of the /pattern/`, invert)),
      h('p', { class: 'soft' }, _`Query types with commas between. ~A means all but A. In place of a name there may be a regular expression between slashes.`))], _`Add`,
  () => change(look, _`${name.value}: done.`, '/entries/add', { name: name.value, verdict: verdict.value, seconds: lasts.value, group, why: why.value,
    type: type.value.replaceAll(' ', ''), reply: verdict.value === 'deny' ? reply.value : '', invert: invert.checked ? 1 : '' })));
}
