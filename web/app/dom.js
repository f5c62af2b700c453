// @ts-check
// Elements from descriptions. Text is always text: nothing here, or anywhere in this client, parses HTML.

/** @typedef {import('./text.js').Key} Key */
/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * @typedef {object} Props
 * @property {string} [class]
 * @property {Record<string, string | number | boolean | null | undefined>} [data] `data-…`; null leaves it out
 * @property {Record<string, string | number | boolean | null | undefined>} [aria] `aria-…`; booleans become words
 * @property {Record<string, (event: any) => void>} [on]
 */

/**
 * Makes an element. Members that are not in `Props` are properties of the element where it has them (`value`,
 * `disabled`, `htmlFor`), attributes otherwise.
 * @param {string} tag
 * @param {Props & Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 * @returns {any} an HTMLElement; of which kind is known where it is made
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === 'class') element.className = value;
    else if (name === 'data') setData(element, value);
    else if (name === 'aria') setAria(element, value);
    else if (name === 'on') for (const [type, react] of Object.entries(value)) element.addEventListener(type, /** @type {any} */ (react));
    else if (name in element) /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {(Child | Child[])[]} children */
function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
}

/** @param {Element} element @param {Record<string, any>} values */
export function setData(element, values) {
  for (const [name, value] of Object.entries(values)) change(element, `data-${name}`, value);
}

/** @param {Element} element @param {Record<string, any>} values */
export function setAria(element, values) {
  for (const [name, value] of Object.entries(values)) change(element, `aria-${name}`, value);
}

/** Touches an attribute only when it changes: screen readers speak of each touch. @param {Element} element @param {string} name @param {any} value */
function change(element, name, value) {
  if (value === null || value === undefined) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, String(value));
  }
}

/** @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {Element} element @param {...(Child | Child[])} children */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** A custom property of one element; the policy allows this way, and no `style` attribute. @param {any} element @param {Record<string, string>} values */
export function setStyle(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
}

const namespace = 'http://www.w3.org/2000/svg';

/** A sign of icons/sprite.svg. It says nothing to a screen reader: what it stands beside does. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(namespace, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const use = document.createElementNS(namespace, 'use');
  use.setAttribute('href', `/icons/sprite.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Exchanges the sign of `icon()`. @param {Element} svg @param {string} name */
export function setIcon(svg, name) {
  const use = svg.firstElementChild;
  const address = `/icons/sprite.svg#${name}`;
  if (use !== null && use.getAttribute('href') !== address) use.setAttribute('href', address);
}

/**
 * Keeps the children of `parent` equal to `items`, reusing the element of each key, so that focus, scrolling and
 * pictures stay where they are.
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => { element: Element, update?: (item: T) => void, close?: () => void }} make
 */
export function keyed(parent, items, keyOf, make) {
  /** @type {Map<string, ReturnType<typeof make>>} */
  const known = keyedParts.get(parent) ?? new Map();
  keyedParts.set(parent, known);
  const wanted = new Set(items.map(keyOf));
  for (const [key, part] of known) {
    if (wanted.has(key)) continue;
    part.close?.();
    part.element.remove();
    known.delete(key);
  }
  /** @type {Element | null} */
  let previous = null;
  for (const item of items) {
    const key = keyOf(item);
    let part = known.get(key);
    if (part === undefined) {
      part = make(item);
      known.set(key, part);
    }
    part.update?.(item);
    const place = previous === null ? parent.firstElementChild : previous.nextElementSibling;
    // Only what stands in the wrong place is moved: moving a video element makes it load anew.
    if (place !== part.element) parent.insertBefore(part.element, place);
    previous = part.element;
  }
}

/** @type {WeakMap<Element, Map<string, any>>} */
const keyedParts = new WeakMap();

let counter = 0;

/** An id that no other element of the page has. @param {string} prefix */
export const uniqueId = (prefix) => `${prefix}-${(counter += 1)}`;
