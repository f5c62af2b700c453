// @ts-check
// What can be told of a form before the server is asked. The server decides; this only saves a round.

import { text } from './text.js';

/** @typedef {{ isRequired?: boolean, isEmail?: boolean, minimum?: number }} Rules */

/** Something, an @, something with a dot inside; more is for the mail server to know. */
const email = /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)*$/;

/**
 * @param {Record<string, string>} values
 * @param {Record<string, Rules>} rules
 * @returns {Record<string, string>} what is wrong, by field
 */
export function checkForm(values, rules) {
  /** @type {Record<string, string>} */
  const faults = {};
  for (const [name, rule] of Object.entries(rules)) {
    const value = values[name] ?? '';
    if (rule.isRequired && value.trim() === '') faults[name] = text('form.required');
    else if (rule.isEmail && value !== '' && !email.test(value.trim())) faults[name] = text('form.email');
    // Characters as people count them, not UTF-16 units.
    else if (rule.minimum !== undefined && [...value].length < rule.minimum) faults[name] = text('form.tooShort', { count: rule.minimum });
  }
  return faults;
}

/** Methods that are a code to type, in the order in which they are easiest. @param {readonly string[]} methods */
export function codeMethods(methods) {
  return ['totp', 'email', 'sms', 'recovery_code'].filter((method) => methods.includes(method));
}
