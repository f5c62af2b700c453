// @ts-check
// A form: checked here first, sent once however often its button is pressed, and what failed stands above it.

import { h } from './dom.js';
import { checkForm } from './form-rules.js';
import { busy, field, notice } from './parts.js';

/** Shows what failed above the form; `notice` says it aloud. @param {any} place @param {string | null} words */
export function showProblem(place, words) {
  place.replaceChildren();
  if (words !== null) place.append(notice('error', words));
}

/**
 * @param {object} what
 * @param {{ name: string, part: ReturnType<typeof field>, rules: import('./form-rules.js').Rules }[]} what.fields
 * @param {any[]} [what.more]
 * @param {string} what.submit
 * @param {(values: Record<string, string>) => Promise<string | null>} what.onSubmit answers what failed
 * @param {boolean} [what.isNarrow] its button is as wide as its words
 */
export function form({ fields, more = [], submit, onSubmit, isNarrow = false }) {
  const place = h('div', {});
  const button = h('button', { class: `button button--primary${isNarrow ? '' : ' button--wide'}`, type: 'submit' }, submit);
  const react = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const values = Object.fromEntries(fields.map(({ name, part }) => [name, part.input.value]));
    const faults = checkForm(values, Object.fromEntries(fields.map(({ name, rules }) => [name, rules])));
    for (const { name, part } of fields) part.setError(faults[name] ?? null);
    const first = fields.find(({ name }) => faults[name] !== undefined);
    if (first !== undefined) {
      first.part.input.focus();
      return;
    }
    await busy(button, async () => showProblem(place, await onSubmit(values)));
  };
  return h('form', { class: 'form', noValidate: true, on: { submit: react } },
    place, fields.map(({ part }) => part.element), more, button);
}
