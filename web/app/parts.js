// @ts-check
// Small things that several screens are made of.

import { initials } from './format.js';
import { h, icon, replace, uniqueId } from './dom.js';
import { text } from './text.js';

/** @typedef {import('./text.js').Key} Key */

/** @param {string} name @param {string} [more] */
export function face(name, more = '') {
  // The letters only repeat the name beside them.
  return h('span', { class: `face ${more}`.trim(), aria: { hidden: true } }, initials(name));
}

/**
 * A labelled field with a hint and a place for its error, all tied together for screen readers.
 * @param {object} what
 * @param {string} what.label
 * @param {string} [what.hint]
 * @param {Record<string, any>} what.input properties of the `<input>`
 */
export function field({ label, hint, input }) {
  const id = uniqueId('field');
  const error = h('p', { class: 'field__error', id: `${id}-error`, hidden: true });
  const note = hint === undefined ? null : h('p', { class: 'field__hint', id: `${id}-hint` }, hint);
  const describedBy = note === null ? `${id}-error` : `${id}-hint ${id}-error`;
  const control = h('input', { class: 'input', id, aria: { describedby: describedBy }, ...input });
  const element = h('div', { class: 'field' },
    h('label', { class: 'field__label', htmlFor: id }, label), control, note, error);
  return {
    element, input: control,
    /** @param {string | null} words */
    setError(words) {
      error.hidden = words === null;
      replace(error, words === null ? null : icon('warning'), words);
      if (words === null) control.removeAttribute('aria-invalid');
      else control.setAttribute('aria-invalid', 'true');
    },
  };
}

/**
 * @param {object} what
 * @param {string} what.label
 * @param {string} [what.hint]
 * @param {boolean} what.isOn
 * @param {boolean} [what.isDisabled]
 * @param {(on: boolean) => void} what.onChange
 */
export function toggle({ label, hint, isOn, isDisabled = false, onChange }) {
  const id = uniqueId('toggle');
  const input = h('input', {
    class: 'switch', type: 'checkbox', role: 'switch', id, checked: isOn, disabled: isDisabled,
    aria: { describedby: hint === undefined ? null : `${id}-hint` },
    on: { change: () => onChange(input.checked) },
  });
  const words = h('div', { class: 'setting__words' }, h('label', { htmlFor: id }, label),
    hint === undefined ? null : h('span', { class: 'field__hint', id: `${id}-hint` }, hint));
  return { element: h('div', { class: 'setting' }, words, input), input };
}

/**
 * One of a few.
 * @param {object} what
 * @param {string} what.label
 * @param {{ value: string, label: string }[]} what.options
 * @param {string} what.value
 * @param {(value: string) => void} what.onChange
 */
export function segments({ label, options, value, onChange }) {
  const name = uniqueId('segments');
  return h('fieldset', {}, h('legend', { class: 'field__label' }, label),
    h('div', { class: 'segments' }, options.map((option, index) => {
      const id = `${name}-${index}`;
      return h('div', { class: 'segments__option' },
        h('input', {
          class: 'segments__input', type: 'radio', name, id, value: option.value, checked: option.value === value,
          on: { change: () => onChange(option.value) },
        }),
        h('label', { class: 'segments__label', htmlFor: id }, option.label));
    })));
}

/**
 * A choice of devices, the system's own first.
 * @param {object} what
 * @param {string} what.label
 * @param {import('./devices.js').Device[]} what.devices
 * @param {string} what.value
 * @param {(id: string) => void} what.onChange
 */
export function deviceChoice({ label, devices, value, onChange }) {
  const id = uniqueId('device');
  const select = h('select', { class: 'input', id, on: { change: () => onChange(select.value) } });
  const element = h('div', { class: 'field' }, h('label', { class: 'field__label', htmlFor: id }, label), select);
  /** @param {import('./devices.js').Device[]} list @param {string} chosen */
  const update = (list, chosen) => {
    const options = [{ id: '', label: text('ready.systemDevice') }, ...list];
    replace(select, options.map((device) => h('option', { value: device.id, selected: device.id === chosen }, device.label)));
    element.hidden = list.length === 0;
  };
  update(devices, value);
  return { element, update };
}

/** @param {'info' | 'error' | 'warning' | 'good'} kind @param {string} words @param {...any} more */
export function notice(kind, words, ...more) {
  return h('div', { class: `notice${kind === 'info' ? '' : ` notice--${kind}`}`, role: kind === 'error' ? 'alert' : null },
    icon(kind === 'error' || kind === 'warning' ? 'warning' : 'info'),
    h('div', { class: 'notice__words' }, h('p', {}, words), more));
}

/** A button with a sign only; its name is for screen readers and the pointer's tip. @param {string} sign @param {string} label @param {Record<string, any>} [props] */
export function iconButton(sign, label, props = {}) {
  return h('button', { type: 'button', class: 'button button--quiet button--icon', title: label, ...props, aria: { label, ...props.aria } }, icon(sign));
}

/** What is shown where a list would be, and is empty. @param {string} sign @param {Key} title @param {Key} words */
export const emptyNote = (sign, title, words) =>
  h('div', { class: 'empty' }, icon(sign), h('h2', {}, text(title)), h('p', {}, text(words)));

/** @param {Key} key */
export const waitingNote = (key) =>
  h('p', { class: 'empty', role: 'status' }, h('span', { class: 'waiting', aria: { hidden: true } }), text(key));

/**
 * Runs an action and keeps its button from being pressed twice meanwhile.
 * @param {any} button
 * @param {() => Promise<void>} run
 */
export async function busy(button, run) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  button.disabled = true;
  try {
    await run();
  } finally {
    button.removeAttribute('aria-busy');
    button.disabled = false;
  }
}
