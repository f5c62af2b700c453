// @ts-check
// What can be told of the client's files by reading them: words, colours, markup, and what the policy forbids.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { strings } from '../../web/strings.js';
import { PROBLEMS } from '../../web/call/problems.js';

const web = new URL('../../web/', import.meta.url);
const read = (/** @type {string} */ path) => readFileSync(new URL(path, web), 'utf8');
/** @type {(folder: string, ending: string) => string[]} */
const files = (folder, ending) => readdirSync(new URL(folder, web), { withFileTypes: true }).flatMap((entry) =>
  (entry.isDirectory() ? files(`${folder}${entry.name}/`, ending) : entry.name.endsWith(ending) ? [`${folder}${entry.name}`] : []));
const scripts = files('app/', '.js');
const sheets = files('style/', '.css');
/** Without comments, which may speak of anything. */
const code = (/** @type {string} */ source) => source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
const html = read('index.html');

// Words

test('every word that the screens ask for is there', () => {
  const missing = scripts.flatMap((path) => [...code(read(path)).matchAll(/\btext\('([^']+)'/g)]
    .map((match) => match[1]).filter((key) => !Object.hasOwn(strings, key)).map((key) => `${path}: ${key}`));
  assert.deepEqual(missing, []);
});

test('every word that is there is asked for', () => {
  const all = scripts.map((path) => code(read(path))).join('\n');
  // Keys that are put together: what stands before the place, in code.
  const made = [...all.matchAll(/`([a-z][\w.-]*\.)\$\{/g)].map((match) => match[1]);
  const unused = Object.keys(strings).filter((key) => !all.includes(`'${key}'`) && !made.some((start) => key.startsWith(start)));
  assert.deepEqual(unused, []);
});

test('no two words for one problem, none missing', () => {
  const told = Object.keys(strings).filter((key) => key.startsWith('problem.')).map((key) => key.slice('problem.'.length)).sort();
  assert.deepEqual(told, Object.keys(PROBLEMS).sort());
});

test('places in the words are well formed', () => {
  for (const [key, value] of Object.entries(strings)) {
    const left = value.replace(/\{[a-z]+(\|[^|{}]+\|[^|{}]+)?\}/gi, '');
    assert.ok(!/[{}|]/.test(left), `${key}: ${value}`);
    assert.ok(value.trim() === value && value !== '', key);
    assert.ok(!/\.\.\.|"/.test(value), `${key}: an ellipsis is one sign, quotes are typographic`);
  }
});

// Markup

const tags = [...html.matchAll(/<([a-z][a-z0-9]*)\b([^>]*)>/gi)].map(([, name, attributes]) => ({
  name, attributes: Object.fromEntries([...attributes.matchAll(/([a-z-]+)(?:="([^"]*)")?/gi)].map(([, key, value]) => [key, value ?? ''])),
}));

test('ids are unique, and the places that the scripts look for are there', () => {
  const ids = tags.map((tag) => tag.attributes.id).filter((id) => id !== undefined);
  assert.equal(new Set(ids).size, ids.length);
  const wanted = scripts.flatMap((path) => [...read(path).matchAll(/getElementById\('([^']+)'\)/g)].map((match) => match[1]));
  // `main` is each screen's own.
  for (const id of new Set(wanted)) assert.ok(id === 'main' || ids.includes(id), id);
});

test('nothing inline, nothing foreign', () => {
  for (const { name, attributes } of tags) {
    for (const [key, value] of Object.entries(attributes)) {
      assert.ok(!/^on|^style$/.test(key), `<${name} ${key}>`);
      if (['src', 'href', 'content'].includes(key)) assert.ok(!/^[a-z]+:|^\/\//i.test(value), value);
    }
    assert.notEqual(name, 'style');
  }
  for (const [, attributes, body] of html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)) {
    assert.match(attributes, /src="\//);
    assert.equal(body, '');
  }
});

test('what the page names is there', () => {
  for (const { attributes } of tags) {
    const path = attributes.src ?? attributes.href;
    if (path?.startsWith('/')) assert.ok(read(path.slice(1)).length > 0, path);
  }
});

test('every module is named at the beginning, so that a browser need not find them one behind the other', () => {
  /** @type {Set<string>} */
  const graph = new Set();
  const walk = (/** @type {string} */ path) => {
    if (graph.has(path)) return;
    graph.add(path);
    for (const [, from] of read(path).matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']+)'/gms)) {
      walk(new URL(from, `http://x/${path}`).pathname.slice(1));
    }
  };
  walk('app/main.js');
  graph.delete('app/main.js');
  const named = tags.filter((tag) => tag.attributes.rel === 'modulepreload').map((tag) => tag.attributes.href.slice(1));
  assert.deepEqual(named, [...graph].sort());
});

test('live regions stand in the page from the beginning, or nothing would be spoken', () => {
  const live = tags.filter((tag) => tag.attributes['aria-live'] !== undefined).map((tag) => [tag.attributes.id, tag.attributes['aria-live']]);
  assert.deepEqual(live, [['polite', 'polite'], ['assertive', 'assertive']]);
  assert.equal(tags[0].attributes.lang, 'en');
});

test('the icons that are asked for are drawn, and those that are drawn are asked for', () => {
  const drawn = [...read('icons/sprite.svg').matchAll(/<symbol id="([^"]+)"/g)].map((match) => match[1]);
  const all = scripts.map((path) => code(read(path))).join('\n');
  const missing = [...all.matchAll(/\b(?:icon|iconButton|emptyNote|badge)\('([^']+)'/g)].map((match) => match[1]).filter((name) => !drawn.includes(name));
  assert.deepEqual(missing, []);
  assert.deepEqual(drawn.filter((name) => !all.includes(`'${name}'`)), []);
});

// Scripts

test('no script does what the policy forbids, or parses HTML', () => {
  const forbidden = /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|new Function|setAttribute\('style'|setAttribute\('on|srcdoc|javascript:)/;
  for (const path of scripts) assert.doesNotMatch(code(read(path)), forbidden, path);
});

test('no script says anything to the console, where keys and names would stay', () => {
  for (const path of scripts) assert.doesNotMatch(code(read(path)), /\bconsole\./, path);
});

test('modules import what is there, by full name', () => {
  for (const path of scripts) {
    for (const [, from] of read(path).matchAll(/^(?:import|export) [^;]*?from '([^']+)';/gms)) {
      assert.match(from, /^\.\.?\/.*\.js$/, `${path}: ${from}`);
      assert.doesNotThrow(() => readFileSync(new URL(from, new URL(path, web))), `${path}: ${from}`);
    }
  }
});

test('files are short enough to be read', () => {
  for (const path of [...scripts, ...sheets]) {
    const lines = read(path).split('\n').length;
    assert.ok(lines <= (path.endsWith('.css') ? 600 : 400), `${path}: ${lines} lines`);
  }
});

// Classes

test('every class that a script gives is in a sheet, and the other way round', () => {
  const css = sheets.map((path) => code(read(path))).join('\n');
  const styled = new Set([...css.matchAll(/\.([a-z][a-z0-9_-]*)/g)].map((match) => match[1]).filter((name) => !/^\d/.test(name)));
  const all = scripts.map((path) => code(read(path))).join('\n') + html;
  const unused = [...styled].filter((name) => !new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(all) && !all.includes(`${name.split('--')[0]}--\${`));
  assert.deepEqual(unused, []);
  const given = [...all.matchAll(/class(?:Name)?(?:: |=)['"]([^'"$]+)['"]/g)].flatMap((match) => match[1].split(' '));
  assert.deepEqual([...new Set(given)].filter((name) => !styled.has(name)), []);
});

// Colours

const tokens = read('style/tokens.css');
/** @type {(name: string, theme: 0 | 1) => [number, number, number]} */
function colour(name, theme) {
  const value = new RegExp(`--${name}:\\s*([^;]+);`).exec(tokens)?.[1];
  assert.ok(value !== undefined, `--${name} is not there`);
  const both = /^light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)$/.exec(value);
  const hex = both === null ? value : both[theme + 1];
  assert.match(hex, /^#[0-9a-f]{6}$/, `--${name}: ${value}`);
  return /** @type {any} */ ([1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
}

/** WCAG 2.2, "relative luminance" and "contrast ratio". @param {[number, number, number]} a @param {[number, number, number]} b */
function contrast(a, b) {
  const luminance = (/** @type {[number, number, number]} */ rgb) => {
    const [r, g, blue] = rgb.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

test('the contrast of black and white is 21', () => {
  assert.equal(contrast([0, 0, 0], [255, 255, 255]), 21);
  assert.ok(Math.abs(contrast([118, 118, 118], [255, 255, 255]) - 4.54) < 0.01);
});

const grounds = ['ground', 'surface', 'surface-raised', 'surface-sunken', 'surface-hover'];
/** Text and what it stands on: 4.5 (WCAG 1.4.3). */
const texts = [
  ...['text', 'text-soft'].flatMap((name) => grounds.map((ground) => [name, ground])),
  ...['accent', 'danger', 'warning', 'good'].flatMap((name) => ['ground', 'surface', 'surface-raised'].map((ground) => [name, ground])),
  ['on-accent', 'accent-ground'], ['on-accent-hover', 'accent-ground-hover'], ['on-accent-soft', 'accent-soft'],
  ['on-danger', 'danger-ground'], ['on-danger', 'danger-ground-hover'], ['on-danger-soft', 'danger-soft'],
  ['on-warning-soft', 'warning-soft'], ['on-good-soft', 'good-soft'], ['text', 'accent-soft'],
  ...['stage', 'stage-tile', 'stage-panel', 'stage-control', 'stage-control-hover', 'stage-label'].map((ground) => ['stage-text', ground]),
  ...['stage', 'stage-panel'].map((ground) => ['stage-text-soft', ground]),
  ['stage-text', 'stage-danger-ground'], ['stage-text', 'danger-ground-hover'], ['stage-on-accent', 'stage-accent'],
];
/** Signs, outlines and rings: 3 (WCAG 1.4.11). */
const signs = [
  ...grounds.map((ground) => ['line-strong', ground]), ...grounds.map((ground) => ['focus', ground]),
  ['accent-ground', 'surface-sunken'], ['danger-ground', 'surface-sunken'],
  ['good', 'surface'], ['warning', 'surface'], ['danger', 'surface'],
  ...['stage-accent', 'stage-warning', 'stage-good', 'stage-bad'].map((name) => [name, 'stage-control']),
  ['stage-accent', 'stage'], ['stage-accent', 'stage-tile'], ['stage-warning', 'stage-label'], ['stage-control', 'stage-text'],
];

for (const [theme, name] of /** @type {const} */ ([[0, 'light'], [1, 'dark']])) {
  test(`text and signs can be read in the ${name} theme`, () => {
    const wrong = [...texts.map((pair) => [...pair, 4.5]), ...signs.map((pair) => [...pair, 3])].flatMap(([front, back, least]) => {
      const ratio = contrast(colour(String(front), theme), colour(String(back), theme));
      return ratio >= Number(least) ? [] : [`${front} on ${back}: ${ratio.toFixed(2)} of ${least}`];
    });
    assert.deepEqual(wrong, []);
  });
}

test('light-dark() is given two colours, for it takes nothing else', () => {
  const colours = /^(#[0-9a-f]{6}|rgb\([^()]*\)), (#[0-9a-f]{6}|rgb\([^()]*\))$/;
  const uses = [...code(tokens).matchAll(/light-dark\(((?:[^()]|\([^()]*\))*)\)/g)].map((match) => match[1]);
  assert.ok(uses.length > 20);
  assert.deepEqual(uses.filter((one) => !colours.test(one)), []);
});

test('colours, sizes and times come from the tokens', () => {
  for (const path of sheets.filter((one) => !one.endsWith('tokens.css'))) {
    const source = code(read(path)).replace(/rgb\(5 12 11 \/ 55%\)/g, '');
    assert.doesNotMatch(source, /#[0-9a-f]{3,8}\b|\brgb\(|\bhsl\(/i, `${path} has a colour of its own`);
    for (const [, name] of source.matchAll(/var\(--([a-z0-9-]+)/g)) {
      const isSet = tokens.includes(`--${name}:`) || /^(level|tile-)/.test(name);
      assert.ok(isSet, `${path}: --${name}`);
    }
  }
});
