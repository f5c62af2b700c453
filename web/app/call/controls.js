// @ts-check
// The row of buttons below the stage.

import { h, icon, setAria, setData, setIcon, setText } from '../dom.js';
import { text } from '../text.js';
import { controlsOf } from './view.js';

const order = /** @type {const} */ (['mute', 'camera', 'share', 'hand', 'hold', 'layout', 'people', 'details', 'devices']);

/** @param {Record<typeof order[number] | 'help' | 'leave', () => unknown>} actions */
export function createControls(actions) {
  const parts = order.map((name) => {
    const sign = icon('info');
    const word = h('span', { class: 'control__word' });
    const element = h('button', { class: 'control', type: 'button', on: { click: () => void actions[name]() } }, sign, word);
    return { name, element, sign, word };
  });
  const help = h('button', { class: 'control', type: 'button', on: { click: () => void actions.help() } }, icon('keyboard'), h('span', { class: 'control__word' }, text('control.keys')));
  const leave = h('button', { class: 'control control--leave', type: 'button', on: { click: () => void actions.leave() } }, icon('leave'), h('span', { class: 'control__word' }, text('control.leave')));
  const element = h('div', { class: 'controls', role: 'group', aria: { label: text('call.controls') } }, parts.map((part) => part.element), help, leave);
  return {
    element,
    /** @param {import('../../call/types.js').CallState} state @param {Parameters<typeof controlsOf>[1]} page */
    update(state, page) {
      const views = controlsOf(state, page);
      for (const { name, element: button, sign, word } of parts) {
        const view = views[name];
        setIcon(sign, view.icon);
        setText(word, view.word);
        button.title = view.word;
        // A button whose words change with its state is not also "pressed": that would say it twice, and wrongly.
        // Not `disabled` either: the focus would be lost, and nobody would hear why.
        setAria(button, { pressed: view.isPressed, disabled: view.isDisabled ? true : null });
        setData(button, { off: view.isOff });
      }
    },
  };
}
