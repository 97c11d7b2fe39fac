// SPDX-License-Identifier: BSD-3-Clause
// What is so now: problems in words first, then rates, charts, upstream servers and memory.
import { h, fill, named, table, figure, tiles, field, mark, number, rate, percent, bytes, micros, complain } from './dom.js';
import { get, every, events, mayOperate, minutesOf } from './api.js';
import { chart } from './chart.js';
import { rates } from './live.js';
import { blockingShow, pausesDiffer } from './pause.js';
import { today } from './today.js';
import { _ } from './words.js';

const KEPT = 150, LOOK_MS = 10000, APART_MS = 2000, MINUTE_MS = 60000;

// `ready`: GET /ready for a human; `status`: GET /status; `servers`: those of GET /upstreams.
export function problemsShow(ready, status, servers) {
  const clock = (r) => ({ ...r, text: status.clock.grace_left_ms ? _`The clock of this box is behind. For up to ${Math.ceil(status.clock.grace_left_ms / 1000)} s weir does not check dates of signatures and certificates.` : _`The clock of this box is behind, so signatures and certificates fail.`, advice: _`Set the clock, or let a time service set it.` });
  const pause = (r) => ({ ...r, advice: mayOperate() ? _`End it at the top of this page with ${r.about ? _`Block again for ${r.about}` : _`Block again`}, or wait.` : _`It ends by itself.` });
  const mended = { clock: status.clock && clock, blocking_paused: pause };
  const item = (r) => h('li', { class: r.blocks ? 'blocking' : undefined }, h('div', {}, r.text), r.advice ? h('div', { class: 'soft' }, r.advice) : null);
  const reasons = [...ready.reasons.filter((r) => r.blocks), ...ready.reasons.filter((r) => !r.blocks)];
  for (const u of servers.filter((s) => s.state === 'down')) reasons.push({ text: _`The upstream server ${u.name} is down.`, advice: servers.some((s) => s.set === u.set && s.state === 'up') ? _`weir asks the others meanwhile, and tries it again.` : _`weir serves what is in its cache, and tries the server again.` });
  if (status.config_version?.differs) reasons.push({ text: _`The file on disk differs from version ${status.config_version.version} in force.`, advice: _`See Configuration.` });
  return reasons.length ? h('ul', { class: 'problems' }, reasons.map((r) => item(mended[r.id]?.(r) ?? r))) : h('p', {}, mark('good', _`Everything works.`));
}

function upstreamsShow(list) {
  return table(_`Upstream servers`, [
    named(_`Server`, (u) => u.name), { title: _`Server set`, of: (u) => u.set },
    { title: _`State`, of: (u) => mark(u.state === 'up' ? 'good' : 'bad', u.state) },
    figure(_`Share`, (u) => `${u.share_percent} %`),
    figure(_`Median`, (u) => (u.p50_us ? micros(u.p50_us) : '–')),
    figure(_`99th percentile`, (u) => (u.p99_us ? micros(u.p99_us) : '–')),
    figure(_`Timeouts`, (u) => number(u.timeouts))], list, _`weir asks no upstream server.`);
}

// Explains what a client gets for a name, as Queries does.
function ask(signal) {
  const name = h('input', { required: true, maxLength: 255, placeholder: 'example.com', autocapitalize: 'none' }), who = h('input', { maxLength: 80, placeholder: _`address or name` }), about = h('div');
  let open = null;
  return [h('h2', {}, _`Ask about a name`), h('form', { onsubmit: (e) => {
    e.preventDefault();
    import('./queries.js').then(({ detailsIn }) => {
      open ??= detailsIn(about, signal).open;
      return open({ qname: name.value.trim(), client: who.value.trim() });
    }).catch(complain);
  } }, field(_`Name`, name), field(_`Client (optional)`, who), h('button', { type: 'submit' }, _`Ask`)), about];
}

export async function show(box, signal) {
  const problems = h('div'), now = h('div'), totals = h('div'), upstreams = h('div'), version = h('p', { class: 'soft' });
  const graph = chart(_`Queries a second over the last five minutes`, [
    { title: _`from the cache`, colour: '--hit', unit: rate }, { title: _`blocked`, colour: '--blocked', unit: rate },
    { title: _`asked on`, colour: '--miss', unit: rate }, { title: _`failed`, colour: '--failed', unit: rate }], signal, 2 * KEPT);
  const day = chart(_`Queries a second over the last day`, [{ title: _`queries`, colour: '--hit', unit: rate }], signal, 86400, 140);
  box.append(h('h1', {}, _`Now`), problems, ...ask(signal), h('h2', {}, _`Queries`), now, graph.box, h('h2', {}, _`Today`), totals, h('h2', {}, _`Last 24 hours`), day.box, h('h2', {}, _`Upstream servers`), upstreams, version);

  const old = (words) => h('ul', { class: 'problems' }, h('li', { class: 'blocking' }, `${words} ${_`What is below is old.`}`));
  let wrong = null, found = null, status = {}; // what is said of the stream, and of the rest
  let lookedMs = 0, seen; // when, and the newest event then; undefined: the first look has not ended, null: look again
  const problemsFill = () => fill(problems, wrong, found);
  const failed = (e) => {
    if (signal.aborted || e.name === 'AbortError') return;
    seen = null;
    found = old(e.status > 0 ? _`The control plane refuses: ${e.message}.` : _`The control plane does not answer.`);
    problemsFill();
  };
  const look = async () => {
    lookedMs = Date.now();
    // One after the other: a page then holds two connections, this one and that of the samples.
    const ready = await get('/ready', { for: 'human' }, { signal }), up = await get('/upstreams', {}, { signal });
    found = problemsShow(ready, status, up.upstreams);
    problemsFill();
    fill(upstreams, upstreamsShow(up.upstreams));
    if (pausesDiffer(ready)) await lookStatus();
  };
  const minutes = minutesOf(signal);
  const lookStatus = async () => {
    status = await get('/status', {}, { signal });
    blockingShow(status.blocking);
    version.textContent = `weir ${status.version}${status.updates?.available ? _`; version ${status.updates.version} is there` : ''}`;
  };
  const lookDay = async () => day.set(perMinute(await minutes()));
  const lookToday = async () => {
    const t = await today(signal).catch((e) => ({ words: e.message }));
    if (signal.aborted) return;
    fill(totals, !t.words && tiles([[_`Queries today`, number(t.queries)], [_`Blocked today`, number(t.blocked)], [_`Share of these`, percent(t.blocked, t.queries)]]),
      h('p', { class: 'soft' }, t.words ?? _`By the query store, ${t.span}.`));
  };
  let last = null;
  const series = [[], [], [], [], []];
  // The reply of /status is the largest: the page gets it again only while it shows its note.
  const lookAgain = async () => {
    if (status.config_version?.differs) await lookStatus();
    await look();
  };
  // All pages see an event in the same sample: each waits a moment of its own.
  const lookSoon = (event) => {
    if (seen === undefined) seen = event;
    if (event === seen || Date.now() - lookedMs < LOOK_MS) return;
    seen = event;
    lookedMs = Date.now();
    setTimeout(() => { if (!signal.aborted) lookAgain().catch(failed); }, APART_MS * Math.random());
  };
  events('/live', 'sample', signal, (s) => {
    lookSoon(s.newest_event);
    const r = last && rates(last, s);
    const up = s.dataplane.state === 'up';
    last = s;
    if (wrong) {
      wrong = null;
      problemsFill();
    }
    if (r) {
      [s.unix_ms / 1000, r.hit + r.local, r.blocked, r.miss, r.failed].forEach((v, i) => {
        series[i].push(v);
        if (series[i].length > KEPT) series[i].shift();
      });
      graph.set(series);
    }
    const of = (value) => (r ? value(r) : '–'); // a rate needs two samples
    fill(now, tiles([
      [_`Queries a second`, of((x) => rate(x.queries))], [_`From the cache`, of((x) => percent(x.hit + x.local, x.queries))],
      [_`Blocked`, of((x) => percent(x.blocked, x.queries))], [_`Failed`, of((x) => percent(x.failed, x.queries)), r?.failed > 0 ? 'bad' : undefined],
      [_`Cached answer, median`, r?.hit_ns ? micros(r.hit_ns.p50 / 1000) : '–'], [_`99th percentile`, r?.hit_ns ? micros(r.hit_ns.p99 / 1000) : '–'],
      [_`Answers in the cache`, number(s.controlplane.l0_entries)],
      [_`Memory, data plane`, s.dataplane.rss ? bytes(s.dataplane.rss) : '–'], [_`Memory, control plane`, bytes(s.controlplane.rss)],
      [_`Data plane`, mark(up ? 'good' : 'bad', s.dataplane.state)]]));
  }, () => {
    wrong = old(_`The stream of samples has broken; the page opens it again.`);
    problemsFill();
  });
  every(MINUTE_MS, signal, () => lookStatus().then(look).then(lookDay).then(lookToday).catch(failed));
  await lookStatus().catch(() => {}); // what is wrong is said by the next look
  await look().catch(failed);
  seen ??= null; // without a sample an event may have come since
  await lookDay().catch(() => {});
  await lookToday();
}

// Queries a second from a counter each minute, the oldest first; null where a life of the process began.
function perMinute(minutes) {
  const t = [], q = [];
  for (let i = 1; i < minutes.length; i++) {
    const a = minutes[i - 1], b = minutes[i], s = b.unix_s - a.unix_s;
    t.push(b.unix_s);
    q.push(s > 0 && s < 600 && a.life === b.life ? (b.queries - a.queries) / s : null);
  }
  return [t, q];
}
