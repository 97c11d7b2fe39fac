// SPDX-License-Identifier: BSD-3-Clause
// A line chart by uPlot, in the colours of the page, as wide as its box, under a title that names
// the unit. `series`: [{title, colour, unit}]. Drawn once it has data: drawing takes longer than all else of a first view.
import { clock, date, h, SECONDS } from './dom.js';
import { _ } from './words.js';

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Ticks of less than a minute have seconds; those of days are dates, and of more than one day the first of each has its date.
export function tickTexts(ticks) {
  const step = ticks[1] - ticks[0], dates = ticks.map((t) => date(t)), isOneDay = dates.every((d) => d === dates[0]);
  return step >= 86400 ? dates : ticks.map((t, i) => clock(t, step < 60 ? SECONDS : {}) + (isOneDay || dates[i] === dates[i - 1] ? '' : `\n${dates[i]}`));
}

// `seconds`: the span that is shown at most, up to the newest value.
export function chart(title, series, signal, seconds, height = 220) {
  const paper = h('div'), box = h('figure', { class: 'chart' }, h('figcaption', {}, title), paper);
  const axis = () => ({ stroke: () => colour('--soft'), grid: { stroke: () => colour('--line'), width: 1 }, ticks: { stroke: () => colour('--line') } });
  let plot = null, data = null;
  paper.style.minHeight = `${height}px`;
  const draw = () => {
    const width = paper.clientWidth;
    if (width <= 0 || !data) return;
    if (plot) plot.setSize({ width, height });
    else {
      plot = new uPlot({ width, height, cursor: { drag: { setScale: false } }, legend: { markers: { fill: (u, i) => colour(series[i - 1].colour) } },
        scales: { x: { range: () => { const end = data[0].at(-1) ?? Date.now() / 1000; return [Math.max(end - seconds, Math.min(data[0][0] ?? end, end - 60)), end]; } }, y: { range: (u, low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
        axes: [{ ...axis(), space: 75, values: (u, ticks) => tickTexts(ticks) }, { ...axis(), size: 74, values: (u, ticks) => ticks.map((t) => series[0].unit(t)) }],
        series: [{ label: _`Time`, value: (u, v) => (v ? `${seconds >= 86400 ? `${date(v)} ` : ''}${clock(v, seconds < 3600 ? SECONDS : {})}` : '–') }, ...series.map((s) => ({ label: s.title, stroke: () => colour(s.colour), width: 2, points: { show: false }, value: (u, v) => (v === null || v === undefined ? '–' : s.unit(v)) }))] }, data, paper);
    }
  };
  const watch = new ResizeObserver(draw);
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const repaint = () => { plot?.destroy(); plot = null; draw(); };
  watch.observe(paper);
  scheme.addEventListener('change', repaint);
  signal.addEventListener('abort', () => { watch.disconnect(); scheme.removeEventListener('change', repaint); plot?.destroy(); });
  return {
    box,
    set(next) {
      data = next;
      if (plot) plot.setData(data);
      else draw();
    },
  };
}
