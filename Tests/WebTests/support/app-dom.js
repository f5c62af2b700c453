// @ts-check
// As much of a document as the screens use, so that they can be run and looked at without a browser: elements,
// attributes, events, focus, simple selectors. What a browser draws is not here; nor is any layout.

class FakeNode extends EventTarget {
  parentNode = null;
  childNodes = [];

  get isConnected() {
    let node = this;
    while (node.parentNode !== null) node = node.parentNode;
    return node instanceof FakeElement && node.tagName === 'HTML';
  }

  get textContent() { return this.childNodes.map((node) => node.textContent).join(''); }
  set textContent(value) { this.replaceChildren(value === '' ? [] : String(value)); }
  get children() { return this.childNodes.filter((node) => node instanceof FakeElement); }
  get firstElementChild() { return this.children[0] ?? null; }
  get nextElementSibling() {
    const all = this.parentNode?.children ?? [];
    return all[all.indexOf(this) + 1] ?? null;
  }

  append(...nodes) { for (const node of nodes.flat()) this.insertBefore(node, null); }
  prepend(...nodes) {
    const first = this.childNodes[0] ?? null;
    for (const node of nodes) this.insertBefore(node, first);
  }
  insertBefore(node, before) {
    const real = node instanceof FakeNode ? node : new FakeText(String(node));
    if (real === before) return real;
    real.remove();
    const index = before === null ? this.childNodes.length : this.childNodes.indexOf(before);
    if (index < 0) throw new Error('insertBefore: not a child');
    this.childNodes.splice(index, 0, real);
    real.parentNode = this;
    return real;
  }
  replaceChildren(...nodes) {
    for (const node of [...this.childNodes]) node.remove();
    this.append(...nodes);
  }
  remove() {
    const siblings = this.parentNode?.childNodes;
    if (siblings) siblings.splice(siblings.indexOf(this), 1);
    this.parentNode = null;
  }

  // Node's EventTarget knows no tree: events that bubble are handed upwards here.
  dispatchEvent(event) {
    let node = this;
    Object.defineProperty(event, 'target', { value: this, configurable: true });
    let isGood = true;
    while (node !== null) {
      const copy = new Proxy(event, { get: (real, name) => (typeof real[name] === 'function' ? real[name].bind(real) : real[name]) });
      for (const react of node.reactions?.get(event.type) ?? []) react.call(node, copy);
      if (!event.bubbles) break;
      node = node.parentNode;
    }
    if (event.defaultPrevented) isGood = false;
    return isGood;
  }
  addEventListener(type, react) {
    this.reactions ??= new Map();
    if (!this.reactions.has(type)) this.reactions.set(type, new Set());
    this.reactions.get(type).add(react);
  }
  removeEventListener(type, react) { this.reactions?.get(type)?.delete(react); }
}

class FakeText extends FakeNode {
  constructor(data) {
    super();
    this.data = data;
  }
  get textContent() { return this.data; }
  set textContent(value) { this.data = value; }
}

const reflected = { className: 'class', id: 'id', htmlFor: 'for', title: 'title', href: 'href', name: 'name', placeholder: 'placeholder', autocomplete: 'autocomplete', role: 'role', inputMode: 'inputmode' };
const flags = ['hidden', 'disabled', 'checked', 'autofocus', 'autoplay', 'playsInline', 'noValidate', 'selected'];
/** Elements whose properties a script asks for by `in`. */
const only = { htmlFor: ['label'], value: ['input', 'select', 'option', 'textarea'], checked: ['input'], disabled: ['button', 'input', 'select', 'textarea'], href: ['a'], name: ['input'], type: ['button', 'input'], placeholder: ['input'], autocomplete: ['input', 'form'], muted: ['video', 'audio'], autoplay: ['video', 'audio'], playsInline: ['video'], noValidate: ['form'], selected: ['option'], inputMode: ['input'], srcObject: ['video', 'audio'], maxLength: ['input'], spellcheck: ['input'] };

export class FakeElement extends FakeNode {
  constructor(tag, namespace = null) {
    super();
    this.tagName = namespace === null ? tag.toUpperCase() : tag;
    this.localName = tag;
    this.attributes = new Map();
    this.dataset = new Proxy({}, {
      get: (_, key) => this.getAttribute(`data-${String(key)}`) ?? undefined,
      set: (_, key, value) => { this.setAttribute(`data-${String(key)}`, value); return true; },
    });
    const properties = new Map();
    this.style = { setProperty: (name, value) => properties.set(name, value), getPropertyValue: (name) => properties.get(name) ?? '' };
    this.classList = {
      contains: (name) => (this.getAttribute('class') ?? '').split(' ').includes(name),
      toggle: (name, on) => {
        const names = new Set(this.className.split(' ').filter((word) => word !== ''));
        if (on ?? !names.has(name)) names.add(name);
        else names.delete(name);
        this.className = [...names].join(' ');
      },
    };
    if (namespace === null) this.reflect(tag);
  }

  reflect(tag) {
    const has = (name) => only[name] === undefined || only[name].includes(tag);
    for (const [name, attribute] of Object.entries(reflected)) {
      if (!has(name)) continue;
      Object.defineProperty(this, name, {
        get: () => this.getAttribute(attribute) ?? '', set: (value) => this.setAttribute(attribute, value), configurable: true,
      });
    }
    for (const name of flags) {
      if (!has(name)) continue;
      let value = false;
      Object.defineProperty(this, name, { get: () => value, set: (next) => { value = Boolean(next); }, configurable: true });
    }
    if (has('type')) this.type = tag === 'button' ? 'submit' : 'text';
    for (const name of ['muted', 'maxLength', 'spellcheck']) if (only[name].includes(tag)) this[name] = null;
    if (only.srcObject.includes(tag)) this.srcObject = null;
    if (has('value')) this.value = '';
    if (only.srcObject.includes(tag)) this.play = async () => {};
    if (tag === 'dialog') this.open = false;
    this.tabIndexValue = ['a', 'button', 'input', 'select', 'textarea'].includes(tag) ? 0 : -1;
  }

  get tabIndex() { return this.tabIndexValue; }
  set tabIndex(value) {
    this.tabIndexValue = value;
    this.setAttribute('tabindex', String(value));
  }

  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  hasAttribute(name) { return this.attributes.has(name); }
  removeAttribute(name) { this.attributes.delete(name); }
  toggleAttribute(name, on) {
    if (on) this.setAttribute(name, '');
    else this.removeAttribute(name);
  }

  focus() { this.ownerDocument.activeElement = this; }
  click() {
    if (this.disabled === true) return;
    if (this.localName === 'input' && this.type === 'checkbox') {
      this.checked = !this.checked;
      this.dispatchEvent(new Event('change', { bubbles: true }));
    }
    const isGood = this.dispatchEvent(new Event('click', { bubbles: true, cancelable: true }));
    if (isGood && this.localName === 'button' && this.type === 'submit') {
      this.closest('form')?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
    }
  }
  closest(selector) {
    let node = this;
    while (node instanceof FakeElement && !node.matches(selector)) node = node.parentNode;
    return node instanceof FakeElement ? node : null;
  }

  showModal() { this.open = true; }
  close() {
    if (!this.open) return;
    this.open = false;
    this.dispatchEvent(new Event('close'));
  }

  matches(selector) { return selector.split(',').some((one) => matchesOne(this, one.trim())); }
  querySelectorAll(selector) {
    const found = [];
    const walk = (node) => {
      for (const child of node.children) {
        if (child.matches(selector)) found.push(child);
        walk(child);
      }
    };
    walk(this);
    return found;
  }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
}

/** `tag`, `.class`, `#id`, `[name]`, `[name="value"]`, in any mix, without combinators. */
function matchesOne(element, selector) {
  const parts = selector.match(/^[a-z0-9-]+|[.#][\w-]+|\[[^\]]+\]/gi) ?? [];
  if (parts.join('') !== selector) throw new Error(`a selector that this document does not know: ${selector}`);
  return parts.every((part) => {
    if (part.startsWith('.')) return element.classList.contains(part.slice(1));
    if (part.startsWith('#')) return element.getAttribute('id') === part.slice(1);
    if (!part.startsWith('[')) return element.localName === part.toLowerCase();
    const [name, value] = part.slice(1, -1).split('=');
    if (name === 'open') return element.open === true;
    return value === undefined ? element.hasAttribute(name) : element.getAttribute(name) === value.replaceAll('"', '');
  });
}

/** A document with the places of index.html, as globals. @returns {{ document: any, restore: () => void }} */
export function installDocument() {
  const html = new FakeElement('html');
  const document = html;
  const body = new FakeElement('body');
  const create = (tag, namespace = null) => {
    const element = new FakeElement(tag, namespace);
    element.ownerDocument = document;
    return element;
  };
  Object.assign(document, {
    documentElement: html, body, activeElement: body, title: '', hidden: false,
    createElement: (tag) => create(tag), createElementNS: (namespace, tag) => create(tag, namespace),
    getElementById: (id) => html.querySelectorAll(`#${id}`)[0] ?? null,
  });
  html.ownerDocument = document;
  html.append(body);
  for (const [tag, id] of [['a', 'skip'], ['div', 'app'], ['div', 'toasts'], ['div', 'polite'], ['div', 'assertive']]) {
    const element = create(tag);
    element.id = id;
    if (tag === 'a') element.append('Skip to the content');
    body.append(element);
  }
  const world = new EventTarget();
  const before = new Map();
  // Timers of a screen must not keep the tests from ending.
  const loose = (make) => (...words) => make(...words).unref();
  const globals = {
    setTimeout: loose(setTimeout), setInterval: loose(setInterval),
    document, location: fakeLocation(world), history: null, scrollTo: () => {},
    addEventListener: world.addEventListener.bind(world), dispatchEvent: world.dispatchEvent.bind(world),
    // A window of one size.
    ResizeObserver: class {
      constructor(react) { this.react = react; }
      observe() { this.react([{ contentRect: { width: 1200, height: 700 } }]); }
      disconnect() {}
    },
    MediaStream: class { constructor(tracks = []) { this.tracks = tracks; } getAudioTracks() { return this.tracks; } getTracks() { return this.tracks; } },
  };
  globals.history = {
    replaceState: (_, __, hash) => { globals.location.setQuietly(hash); },
    pushState: (_, __, hash) => { globals.location.setQuietly(hash); },
  };
  for (const [name, value] of Object.entries(globals)) {
    before.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return {
    document,
    restore() {
      for (const [name, descriptor] of before) {
        if (descriptor === undefined) delete globalThis[name];
        else Object.defineProperty(globalThis, name, descriptor);
      }
    },
  };
}

function fakeLocation(world) {
  let hash = '';
  return {
    get hash() { return hash; },
    set hash(value) {
      const next = value.startsWith('#') ? value : `#${value}`;
      if (next === hash) return;
      hash = next;
      world.dispatchEvent(new Event('hashchange'));
    },
    setQuietly(value) { hash = value; },
    get href() { return `https://chat.example.org/${hash}`; },
    protocol: 'https:', host: 'chat.example.org',
  };
}

// What every screen must be, whatever it shows.

/** The words that a screen reader gives to an element. @param {any} element @param {any} document */
export function nameOf(element, document) {
  const labelledBy = element.getAttribute('aria-labelledby');
  if (labelledBy !== null) return document.getElementById(labelledBy)?.textContent ?? '';
  const label = element.getAttribute('aria-label');
  if (label !== null) return label;
  const id = element.getAttribute('id');
  if (['input', 'select', 'textarea'].includes(element.localName)) {
    return id === null ? '' : document.querySelector(`label[for="${id}"]`)?.textContent ?? '';
  }
  return spoken(element);
}

/** Text that is not hidden from screen readers. @param {any} element */
function spoken(element) {
  return element.childNodes.map((node) => {
    if (!(node instanceof FakeElement)) return node.textContent;
    return node.getAttribute('aria-hidden') === 'true' || node.hidden ? '' : spoken(node);
  }).join('');
}

/** @param {any} document @returns {string[]} what is wrong */
export function faultsOf(document) {
  const faults = [];
  const ids = new Set();
  for (const element of document.querySelectorAll('[id]')) {
    const id = element.getAttribute('id');
    if (ids.has(id)) faults.push(`two elements have the id ${id}`);
    ids.add(id);
  }
  for (const element of document.querySelectorAll('button, a, input, select, textarea, dialog, nav, aside')) {
    if (element.hidden) continue;
    if (nameOf(element, document).trim() === '') faults.push(`<${element.localName} class="${element.getAttribute('class')}"> has no name`);
  }
  for (const element of document.querySelectorAll('button')) {
    if (!['button', 'submit'].includes(element.type)) faults.push('a button of no type');
    if (element.type === 'submit' && element.closest('form') === null) faults.push(`a button that submits nothing: ${element.textContent}`);
  }
  for (const name of ['aria-labelledby', 'aria-describedby', 'for']) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      for (const id of element.getAttribute(name).split(' ')) {
        if (document.getElementById(id) === null) faults.push(`${name} names ${id}, which is not there`);
      }
    }
  }
  const mains = document.querySelectorAll('main');
  if (mains.length !== 1) faults.push(`${mains.length} main landmarks`);
  const headings = document.querySelectorAll('h1');
  if (headings.length !== 1) faults.push(`${headings.length} headings of the first rank`);
  return faults;
}
