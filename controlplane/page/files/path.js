// SPDX-License-Identifier: BSD-3-Clause
// The packet path: verdicts of frames, cores, ports.
import { h, fill, table, tiles, number, rate, percent } from './dom.js';
import { events } from './api.js';
import { rates } from './live.js';

export async function show(box, signal) {
  const state = h('div'), ports = h('div'), verdicts = h('div');
  box.append(h('h1', {}, 'Packet path'), state, h('h2', {}, 'Ports'), ports, h('h2', {}, 'Verdicts'), h('p', { class: 'soft' }, 'Each frame that a port receives ends in one of these.'), verdicts);
  let last = null;
  events('/live', 'sample', signal, (s) => {
    const before = last, seconds = before ? (s.monotonic_ms - before.monotonic_ms) / 1000 : 0;
    const r = before && rates(before, s);
    last = s;
    const d = s.dataplane;
    fill(state, tiles([['Data plane', d.state], ['Workers', number(d.workers)], ['Frames in a second', r ? rate((d.rx_frames - before.dataplane.rx_frames) / seconds) : '…'],
      ['Frames out a second', r ? rate((d.tx_frames - before.dataplane.tx_frames) / seconds) : '…'], ['Workers at work', r && d.workers ? percent(r.dataplane_busy, d.workers) : '…'],
      ['Control plane, of a core', r ? percent(r.controlplane_busy, 1) : '…']]));
    fill(ports, table('Ports', [{ title: 'Port', name: true, of: (p) => p.name }, { title: 'Link', of: (p) => (p.link_up ? 'up' : 'down') }, { title: 'Received', number: true, of: (p) => number(p.received) },
      { title: 'Sent', number: true, of: (p) => number(p.sent) }, { title: 'Missed', number: true, of: (p) => number(p.missed) }, { title: 'Errors', number: true, of: (p) => number(p.errors) }], d.ports ?? []));
    const rows = Object.entries(d.verdicts ?? {}).sort((a, b) => b[1] - a[1]);
    fill(verdicts, table('Frames by verdict', [{ title: 'Verdict', name: true, of: ([n]) => n }, { title: 'Frames', number: true, of: ([, c]) => number(c) },
      { title: 'A second', number: true, of: ([n, c]) => (r ? rate((c - (before.dataplane.verdicts[n] ?? 0)) / seconds) : '…') }], rows));
  });
}
