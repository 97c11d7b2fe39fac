// SPDX-License-Identifier: BSD-3-Clause
// The packet path: what its stages cost, how frames end in them, cores, ports.
import { h, fill, named, table, figure, tiles, mark, number, rate, percent, micros } from './dom.js';
import { events } from './api.js';
import { rates } from './live.js';
import { _ } from './words.js';

// Where a frame ends with which verdict; those that are not here end in no stage of their own.
const ENDS = {
  net: ['to_kernel', 'arp_reply', 'ndp_reply', 'echo_reply', 'upstream_reply', 'upstream_reply_ring_full', 'drop_kernel_rate', 'drop_exception_full', 'drop_not_ours', 'drop_runt', 'drop_ip_header', 'drop_ip_csum',
    'drop_udp_header', 'drop_udp_csum', 'drop_source_port', 'drop_fragment', 'drop_source', 'drop_proxy', 'drop_mac', 'drop_vlan', 'drop_other_host', 'drop_chained'],
  policy: ['refused_denied', 'drop_denied', 'drop_limited', 'slip_limited', 'servfail_no_policy'],
  parse: ['formerr', 'notimp', 'badvers', 'refused', 'badcookie', 'cookie_only', 'any_minimal', 'identity', 'notify', 'drop_notify', 'drop_dns_short', 'drop_dns_response'],
  rules: ['blocked', 'local', 'drop_rule', 'servfail_no_rules'],
  lookup: ['hit', 'hit_stale', 'blocked_answer'],
  miss: ['miss', 'miss_duplicate', 'servfail_ring_full', 'servfail_fairness', 'drop_ring_full', 'servfail_no_control'],
};
const STAGE_OF = new Map(Object.entries(ENDS).flatMap(([stage, names]) => names.map((n) => [n, stage])));

// Few batches are timed, so their time is that since the start.
function stagesShow(d, before, each) {
  const ended = (name) => Object.entries(each).reduce((n, [v, c]) => n + (STAGE_OF.get(v) === name ? c : 0), 0);
  return table(_`Stages, in the order in which they run`, [{ title: _`Stage`, of: (s) => s.name },
    figure(_`Time for a batch`, (s) => (s.batches ? micros(s.ns / s.batches / 1000) : '–')),
    figure(_`Frames that end here, a second`, (s) => (before && ENDS[s.name] ? rate(ended(s.name)) : '–'))], d.stages ?? [], _`The data plane is down.`);
}

export async function show(box, signal) {
  const state = h('div'), stages = h('div'), ports = h('div'), verdicts = h('div');
  box.append(h('h1', {}, _`Packet path`), state, h('h2', {}, _`Stages`), stages, h('h2', {}, _`Ports`), ports, h('h2', {}, _`Verdicts`),
    h('p', { class: 'soft' }, _`Each frame that a port receives ends in one of these.`), verdicts);
  let last = null;
  events('/live', 'sample', signal, (s) => {
    const r = last && rates(last, s), d = s.dataplane, isThere = d.started_ms !== undefined;
    const before = r && isThere ? last.dataplane : null, seconds = r ? (s.monotonic_ms - last.monotonic_ms) / 1000 : 0, none = isThere ? '…' : '–';
    last = s;
    const counts = Object.entries(d.verdicts ?? {}).sort((a, b) => b[1] - a[1]);
    const each = before ? Object.fromEntries(counts.map(([n, c]) => [n, (c - (before.verdicts[n] ?? 0)) / seconds])) : {};
    fill(state, tiles([[_`Data plane`, mark(d.state === 'up' ? 'good' : 'bad', d.state)], [_`Workers`, isThere ? number(d.workers) : '–'], [_`Frames in a second`, before ? rate((d.rx_frames - before.rx_frames) / seconds) : none],
      [_`Frames out a second`, before ? rate((d.tx_frames - before.tx_frames) / seconds) : none], [_`Workers at work`, before ? percent(r.dataplane_busy, d.workers) : none],
      [_`Control plane, of a core`, r ? percent(r.controlplane_busy, 1) : '…']]));
    fill(stages, stagesShow(d, before, each));
    fill(ports, table(_`Ports`, [named(_`Port`, (p) => p.name), { title: _`Link`, of: (p) => mark(p.link_up ? 'good' : 'bad', p.link_up ? _`up` : _`down`) }, figure(_`Received`, (p) => number(p.received)),
      figure(_`Sent`, (p) => number(p.sent)), figure(_`Missed`, (p) => number(p.missed)), figure(_`Errors`, (p) => number(p.errors))], d.ports ?? [], _`The data plane is down.`));
    fill(verdicts, table(_`Frames by verdict`, [named(_`Verdict`, ([n]) => n), { title: _`Stage`, of: ([n]) => STAGE_OF.get(n) ?? '–' }, figure(_`Frames`, ([, c]) => number(c)),
      figure(_`A second`, ([n]) => (before ? rate(each[n]) : '…'))], counts));
  });
}
