// @ts-check
// Words from strings.js with their places filled in: `{name}`, and `{count|one thing|# things}` for numbers.

import { strings } from '../strings.js';

/** @typedef {keyof typeof strings} Key */

const place = /\{([a-z]+)(?:\|([^|{}]*)\|([^|{}]*))?\}/gi;
const plurals = new Intl.PluralRules('en');

/**
 * @param {Key} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function text(key, values = {}) {
  const template = strings[key];
  // A key that is not there is a fault of ours: said aloud in tests, shown as the key to people rather than nothing.
  if (template === undefined) return key;
  return template.replace(place, (_, name, one, other) => {
    const value = values[name];
    if (value === undefined) return '';
    if (one === undefined) return String(value);
    const form = plurals.select(Number(value)) === 'one' ? one : other;
    return form.replaceAll('#', String(value));
  });
}

/** Whether there are words for `key`, which may come from a server. @param {string} key @returns {key is Key} */
export const hasText = (key) => Object.hasOwn(strings, key);
