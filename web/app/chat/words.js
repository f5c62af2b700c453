// @ts-check
// What people wrote, in parts that are safe to show: plain text, links that lead where they say, and words that were
// searched for. Pure; nothing here makes elements.

/** @typedef {{ text: string, href: string | null, isFound: boolean }} Part */

/** Addresses as they are written: with their scheme, for anything shorter may be no address at all. */
const address = /\bhttps?:\/\/[^\s<>"'`]{1,2000}/gi;

/**
 * @param {string} words
 * @param {readonly string[]} [terms] to be marked, as the server found them
 * @returns {Part[]}
 */
export function partsOf(words, terms = []) {
  /** @type {Part[]} */
  const parts = [];
  let at = 0;
  for (const match of words.matchAll(address)) {
    const found = trimmed(match[0]);
    if (hrefOf(found) === null) continue;
    parts.push(...marked(words.slice(at, match.index), terms));
    parts.push({ text: found, href: hrefOf(found), isFound: false });
    at = match.index + found.length;
  }
  parts.push(...marked(words.slice(at), terms));
  return parts;
}

/** Signs of the sentence around it are no part of an address; a bracket is, if it was opened there. @param {string} found */
function trimmed(found) {
  let end = found.length;
  for (;;) {
    const last = found[end - 1];
    const isOpen = last === ')' && found.slice(0, end).split('(').length < found.slice(0, end).split(')').length;
    if (!'.,;:!?…'.includes(last) && !isOpen) return found.slice(0, end);
    end -= 1;
  }
}

/** Only http and https, and never with a name before an @, which looks like another host. @param {string} text @returns {string | null} */
function hrefOf(text) {
  try {
    const url = new URL(text);
    return ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.password === '' ? url.href : null;
  } catch {
    return null;
  }
}

/** @param {string} words @param {readonly string[]} terms @returns {Part[]} */
function marked(words, terms) {
  if (words === '') return [];
  const known = terms.filter((term) => term !== '').map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  if (known.length === 0) return [{ text: words, href: null, isFound: false }];
  return words.split(new RegExp(`(${known.join('|')})`, 'giu')).flatMap((text, index) =>
    (text === '' ? [] : [{ text, href: null, isFound: index % 2 === 1 }]));
}
