// SPDX-License-Identifier: BSD-3-Clause
// What a user has typed or chosen in a form and not sent stays when the form is drawn again, and so does the focus.
const FIELDS = 'input:not(.tools *, [type=file]), select:not(.tools *), textarea';
const CONTROLS = 'a[href], button, input, select, textarea, [tabindex="0"]';
const changed = new WeakSet();
document.addEventListener('input', (e) => changed.add(e.target));

const called = (control) => control.tagName + (control.labels?.[0]?.firstChild.textContent ?? control.ariaLabel ?? control.textContent);

// A number of no other control where there is no column.
const columnOf = (control) => control.closest('td')?.cellIndex ?? NaN;

// Where a control stands: its section, table, and form, by the form's button.
const placeOf = (control) => [control.closest('section')?.ariaLabel, control.closest('.table')?.dataset.key,
  control.closest('form')?.querySelector('[type=submit]')?.textContent, called(control)].join('\n');

const unsent = (e) => [...e.querySelectorAll(FIELDS)].filter((f) => changed.has(f));

const valueOf = (f) => (f.type === 'checkbox' ? f.checked : f.multiple ? [...f.selectedOptions].map((o) => o.value) : f.value);

// A choice that the select no longer has stays all the same, for weir to refuse: its first one may be everyone.
function put(f, value) {
  if (f.tagName === 'SELECT' && !f.multiple && ![...f.options].some((o) => o.value === value)) f.append(new Option(value, value));
  if (f.type === 'checkbox') f.checked = value;
  else if (f.tagName !== 'SELECT') f.value = value;
  else for (const o of f.options) if (f.multiple || o.value === value) o.selected = [value].flat().includes(o.value);
  changed.add(f);
  if (f.tagName === 'SELECT') f.dispatchEvent(new Event('change')); // shows what goes with it
}

function headingFocus(e) {
  const before = [...document.querySelectorAll('main h1, main h2')].filter((x) => x.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING).at(-1);
  before?.setAttribute('tabindex', '-1');
  before?.focus({ preventScroll: true });
}

// What is known of the control with the focus while it is in the page: later it has no label.
const heldOf = (e, held) => ({ at: [...e.querySelectorAll(CONTROLS)].indexOf(held), called: called(held), column: columnOf(held), place: placeOf(held), isNamed: !!held.closest('form, thead, .tools'),
  caret: [held.selectionStart, held.selectionEnd] });

// The focus stays on the control of the same place if it is called the same, or stands in the same column, or on one called
// the same elsewhere in the same form or table; or else it goes to the heading before.
function focusBack(e, held) {
  const all = [...e.querySelectorAll(CONTROLS)], there = all[held.at];
  const same = there && (called(there) === held.called || columnOf(there) === held.column) ? there : held.isNamed && all.find((c) => placeOf(c) === held.place);
  if (!same) {
    headingFocus(e);
    return;
  }
  same.focus({ preventScroll: true });
  if (typeof held.caret[0] === 'number' && typeof same.selectionStart === 'number') same.setSelectionRange(...held.caret);
}

// Runs `draw`, which puts other elements in place of those below `e`.
export function keeping(e, draw) {
  const held = e.contains(document.activeElement) && heldOf(e, document.activeElement);
  const values = unsent(e).map((f) => [placeOf(f), valueOf(f)]), lefts = [...e.querySelectorAll('.scroll')].map((s) => s.scrollLeft);
  draw();
  e.querySelectorAll('.scroll').forEach((s, i) => { s.scrollLeft = lefts[i] ?? 0; });
  const fields = values.length ? [...e.querySelectorAll(FIELDS)] : [];
  for (const [place, value] of values) {
    const i = fields.findIndex((f) => placeOf(f) === place);
    if (i >= 0) put(fields.splice(i, 1)[0], value);
  }
  if (held && !e.contains(document.activeElement)) focusBack(e, held);
}

// Runs `does`, which sends the fields below `e`: they do not stay, unless it fails, or leaves them in sight.
export async function sending(e, does) {
  const fields = e ? unsent(e) : [];
  const again = () => fields.forEach((f) => changed.add(f));
  fields.forEach((f) => changed.delete(f));
  try {
    const words = await does();
    if (fields.every((f) => f.offsetParent)) again();
    return words;
  } catch (x) {
    again();
    await x.again?.(); // the view as it is by now
    throw x;
  }
}

// Empties a form that was sent.
export function emptied(form) {
  unsent(form).forEach((f) => changed.delete(f));
  form.reset();
}
