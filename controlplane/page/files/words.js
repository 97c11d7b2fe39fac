// SPDX-License-Identifier: BSD-3-Clause
// The language of the page, and its texts. A text is marked where it stands: _`${name} is removed.` is looked up as
// "{1} is removed.", which is the English text. What comes from the API is no such text.

// [code, its own name, what its dates and numbers follow]. Each but English is a file that has each text: see de.js.
export const LANGUAGES = [['en', 'English', 'en-GB'], ['de', 'Deutsch', 'de-DE']];

// Texts of which English has another form for one.
const ENGLISH = {
  '{1}: {2} cached answers are removed.': { one: '{1}: {2} cached answer is removed.' },
  '{1} resolvers hang: their part is flushed when they are back.': { one: '{1} resolver hangs: its part is flushed when it is back.' },
  'The backup is saved, with *** for {1} secrets. Before a restore, unpack it, write them in, and pack it again.': { one: 'The backup is saved, with *** for {1} secret. Before a restore, unpack it, write it in, and pack it again.' },
  'The backup has *** for {1} secrets: unpack it, write them in, and pack it again.': { one: 'The backup has *** for {1} secret: unpack it, write it in, and pack it again.' },
  '{1} are added.': { one: '{1} is added.' },
  '{1} more records are not shown.': { one: '{1} more record is not shown.' },
  '{1} queries, {2} blocked ({3})': { one: '{1} query, {2} blocked ({3})' },
  '{1} of {2} queries': { one: '{1} of {2} query' },
  '{1} findings are left out: weirctl doctor shows all.': { one: '{1} finding is left out: weirctl doctor shows all.' },
  'blocks {1} names': { one: 'blocks {1} name' },
  '{1} of {2} boxes differ: they come first.': { one: '{1} of {2} boxes differs: it comes first.' },
  '{1} names in force.': { one: '{1} name in force.' },
  '{1} queries were too many to show.': { one: '{1} query was too many to show.' },
  '{1} queries are in no table: there are too many names.': { one: '{1} query is in no table: there are too many names.' },
  '{1} files of the query store cannot be read.': { one: '{1} file of the query store cannot be read.' },
};
const KEY = 'language'; // in the browser's storage

let texts = ENGLISH, language, plural, whole;

function use(code, table) {
  language = LANGUAGES.find(([c]) => c === code);
  texts = table;
  plural = new Intl.PluralRules(language[2]);
  whole = new Intl.NumberFormat(language[2]);
  document.documentElement.lang = code;
}

function chosen() {
  let kept = null;
  try { kept = localStorage.getItem(KEY); } catch { /* no storage: as the browser says */ }
  return [kept, ...navigator.languages].map((l) => l?.split('-')[0]).find((l) => LANGUAGES.some(([c]) => c === l)) ?? 'en';
}

// Loads the texts. Other modules come after it, as their constants are texts.
export async function load() {
  const code = chosen();
  use('en', ENGLISH);
  if (code !== 'en') use(code, (await import(`./${code}.js`)).default);
}

export const locale = () => language[2];

// Keeps the language for the next time, and begins with it.
export function choose(code) {
  try { localStorage.setItem(KEY, code); } catch { /* no storage: the browser's language stays */ }
  location.reload();
}

// A number that a sentence counts, or the text of so many things: the first one in it chooses the form.
export const count = (n, text = whole.format(n)) => ({ n, toString: () => text });

function lookUp(strings, values) {
  const key = strings.reduce((all, s, i) => `${all}{${i}}${s}`), found = texts[key] ?? key, n = values.find((v) => v?.n !== undefined)?.n ?? 0;
  return typeof found === 'string' ? found : found[plural.select(n)] ?? found.other ?? key;
}

export const _ = (strings, ...values) => lookUp(strings, values).replace(/\{(\d+)\}/g, (all, i) => String(values[i - 1]));

// The same with elements among its values: an array of texts and elements.
export const pieces = (strings, ...values) => lookUp(strings, values).split(/\{(\d+)\}/).map((s, i) => (i % 2 ? values[s - 1] : s));
