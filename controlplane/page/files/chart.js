// SPDX-License-Identifier: BSD-3-Clause
// A line chart by uPlot, in the colours of the page, as wide as its box. `series`: [{title, colour, unit}].
import { h } from './dom.js';

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const two = (n) => String(n).padStart(2, '0');
// Ticks of less than a minute have seconds.
const clock = (t, isFine) => { const d = new Date(t * 1000); return `${two(d.getHours())}:${two(d.getMinutes())}${isFine ? `:${two(d.getSeconds())}` : ''}`; };

// `seconds`: the span that is shown, up to the newest value.
export function chart(title, series, signal, seconds, height = 220) {
  const box = h('div', { class: 'chart', role: 'img', 'aria-label': title });
  const axis = () => ({ stroke: () => colour('--soft'), grid: { stroke: () => colour('--line'), width: 1 }, ticks: { stroke: () => colour('--line') } });
  let plot = null, data = [[], ...series.map(() => [])];
  const draw = () => {
    const width = box.clientWidth - 16;
    if (width <= 0) return;
    if (plot) plot.setSize({ width, height });
    else {
      plot = new uPlot({ width, height, title: undefined, cursor: { drag: { setScale: false } },
        scales: { x: { range: () => { const end = data[0].at(-1) ?? Date.now() / 1000; return [end - seconds, end]; } }, y: { range: (u, low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
        axes: [{ ...axis(), values: (u, ticks) => ticks.map((t) => clock(t, ticks.length > 1 && ticks[1] - ticks[0] < 60)) }, { ...axis(), size: 64, values: (u, ticks) => ticks.map((t) => series[0].unit(t)) }],
        series: [{ label: 'Time', value: (u, v) => (v ? clock(v, true) : '–') }, ...series.map((s) => ({ label: s.title, stroke: () => colour(s.colour), width: 2, points: { show: false }, value: (u, v) => (v === null || v === undefined ? '–' : s.unit(v)) }))] }, data, box);
    }
  };
  const watch = new ResizeObserver(draw);
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const repaint = () => plot?.redraw();
  watch.observe(box);
  scheme.addEventListener('change', repaint);
  signal.addEventListener('abort', () => { watch.disconnect(); scheme.removeEventListener('change', repaint); plot?.destroy(); });
  return { box, set(next) { data = next; plot?.setData(data); } };
}
