// SPDX-License-Identifier: BSD-3-Clause
// The last check of the machine by `weirctl doctor --save`: what is wrong, what mends it, and a new check for who may ask.
import { action, fill, h, mark, named, number, row, span, table, when } from './dom.js';
import { get, mayOperate, post } from './api.js';
import { _, count, pieces } from './words.js';

const LOOK_MS = 2000, LOOKS = 60;
const VERDICTS = { wrong: ['bad', _`wrong`], warning: ['warn', _`warning`], unknown: ['soft', _`not checked`] };
const WORST = Object.keys(VERDICTS);

const copy = (f) => action(_`Copy`, async () => {
  await navigator.clipboard.writeText(f.do);
  return _`Copied.`;
}, { 'aria-label': _`Copy the command for ${f.check}` });

function findings(r) {
  const good = r.findings.filter((f) => f.verdict === 'ok');
  const rest = r.findings.filter((f) => f.verdict !== 'ok').sort((a, b) => WORST.indexOf(a.verdict) - WORST.indexOf(b.verdict));
  const check = { title: _`Check`, short: true, of: (f) => f.check }, found = named(_`Finding`, (f) => f.text);
  return [table(_`Findings`, [{ title: _`Verdict`, short: true, of: (f) => mark(...VERDICTS[f.verdict]) }, check, found, named(_`Command`, (f) => f.do && h('code', {}, f.do)),
    ...(mayOperate() ? [{ title: _`Actions`, of: (f) => f.do && row(copy(f)) }] : [])], rest, _`Nothing is wrong.`),
  good.length > 0 && h('details', {}, h('summary', {}, _`${number(r.ok)} in order`), table(_`In order`, [check, found], good)),
  r.left_out > 0 && h('p', { class: 'soft' }, _`${count(r.left_out)} findings are left out: weirctl doctor shows all.`)];
}

// `signal` ends a wait for a new check. Gives the section, and what fills it.
export function doctor(signal) {
  const about = h('div'), list = h('div');
  const look = async () => {
    const r = await get('/doctor', {}, { signal }).catch((e) => { if (e.name === 'AbortError') throw e; fill(about, h('p', { class: 'bad' }, e.message)); });
    if (!r) return;
    fill(about, h('p', {}, r.state === 'saved' ? _`Checked ${when(r.checked_unix_s)}, ${span(r.age_s)} ago.` : r.state === 'none' ? _`Not checked yet.` : h('span', { class: 'bad' }, r.why)),
      r.can_run ? mayOperate() && row(action(_`Check now`, run))
        : h('p', { class: 'soft' }, pieces`A command on the box checks the machine (cores, huge pages, ports, files): ${h('code', {}, 'sudo weirctl doctor --save')}`));
    fill(list, r.state === 'saved' && findings(r));
  };
  const run = async () => {
    const { requested_unix_s: asked } = await post('/doctor/run');
    for (let i = 0; i < LOOKS; i++) {
      await new Promise((done) => setTimeout(done, LOOK_MS));
      signal.throwIfAborted();
      const r = await get('/doctor', {}, { signal });
      if (r.state !== 'saved' || r.checked_unix_s < asked) continue;
      await look();
      return _`The machine is checked.`;
    }
    throw new Error(_`The check has not ended. On the box "systemctl status weir-doctor.path weir-doctor.service" says why.`);
  };
  return { look, box: h('section', { 'aria-label': _`Check of the machine` }, h('h2', {}, _`Check of the machine`), about, list) };
}
