// @ts-check
// What people see of sealing: whether a conversation is sealed, the number that two compare, the devices they have.

import { confirm, openDialog } from '../dialog.js';
import { dayAndTime } from '../format.js';
import { h, icon, replace } from '../dom.js';
import { busy, notice, toggle, waitingNote } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../chat/types.js').Conversation} Conversation */

/** Beside the name of a conversation whose messages are sealed. */
export const sealedBadge = () => h('span', { class: 'badge', title: text('seal.badge.tip') }, icon('lock'), text('seal.badge'));

/**
 * The switch of a conversation, and the safety number of two people.
 * @param {App} app @param {Conversation} conversation
 */
export function sealingSettings(app, conversation) {
  const sealer = app.chat?.sealer ?? null;
  const { other } = conversation;
  const mayChange = other !== null || conversation.permissions.includes('manage_channel');
  const part = toggle({
    label: text('seal.on'), hint: text(sealer === null ? 'seal.unsupported' : 'seal.on.hint'), isOn: conversation.isSealed,
    isDisabled: !mayChange || sealer === null,
    async onChange(on) {
      const answer = await app.chat?.rest.setSealed(conversation.id, on);
      if (answer?.ok) return app.chat?.learn({ ...conversation, ...(app.chat.state.conversations.find(({ id }) => id === conversation.id) ?? {}), isSealed: answer.value.isSealed });
      part.input.checked = !on;
      if (answer) app.announce.show(problemText(answer.problem), 'error');
    },
  });
  const compare = other === null || sealer === null ? null : h('button', { class: 'button', type: 'button' }, icon('shield'), text('seal.compare'));
  compare?.addEventListener('click', () => busy(compare, () => openSafety(app, /** @type {NonNullable<Conversation['other']>} */ (other))));
  return h('section', { class: 'stack stack--tight' }, part.element, compare);
}

/** @param {App} app @param {NonNullable<Conversation['other']>} other */
async function openSafety(app, other) {
  const sealer = app.chat?.sealer;
  const answer = await sealer?.safety(other.id);
  if (!sealer || !answer) return;
  if (!answer.ok) return app.announce.show(problemText(answer.problem), 'error');
  const { number, compared } = answer.value;
  const name = other.displayName;
  const state = compared === 'same' ? notice('good', text('seal.compared.same', { name }))
    : compared === 'changed' ? notice('warning', text('seal.compared.changed', { name })) : null;
  const same = h('button', { class: 'button button--primary', type: 'button' }, text('seal.compare.same'));
  const dialog = openDialog({
    title: text('seal.compare.title', { name }),
    content: [h('p', {}, text('seal.compare.how', { name })), h('p', { class: 'seal-number' }, number), state, compared === 'same' ? null : same],
  });
  same.addEventListener('click', () => busy(same, async () => {
    await sealer.setCompared(other.id, number);
    dialog.close();
    app.announce.show(text('seal.compare.done', { name }), 'good');
  }));
}

/** Somebody has another device than before. @param {App} app @param {import('../../seal/book.js').News} news */
export function tellNews(app, { userId, added, rebound }) {
  const isOwn = userId === app.self;
  const direct = app.chat?.state.conversations.find(({ other }) => other?.id === userId)?.other;
  const name = direct?.displayName ?? app.directory.nameOf(userId);
  if (rebound.length > 0) app.announce.show(text('seal.rebound', { name }), 'error');
  if (added.length > 0) app.announce.show(isOwn ? text('seal.added.own') : text('seal.added', { name }), isOwn ? 'error' : 'info');
}

/** In the settings: where one's sealed messages can be read. @param {App} app */
export function deviceList(app) {
  const place = h('div', {}, waitingNote('app.loading'));
  let isOpen = true;

  async function look() {
    const answer = await app.chat?.devices.own();
    if (!isOpen || answer === undefined) return;
    if (!answer.ok) return replace(place, notice('error', problemText(answer.problem)));
    const device = await app.chat?.sealer?.device();
    if (!isOpen) return;
    const here = device?.ok ? device.value.id : null;
    replace(place, answer.value.length === 0 ? h('p', {}, text('seal.devices.none'))
      : h('ul', { class: 'rows', role: 'list' }, answer.value.map((one) => row(one, one.id === here))));
  }

  /** @param {import('../../api/devices.js').OwnDeviceRow} one @param {boolean} isHere */
  function row(one, isHere) {
    const name = one.name === '' ? text('seal.devices.unnamed') : one.name;
    const remove = h('button', { class: 'button', type: 'button', aria: { label: text('seal.devices.remove', { name }) } }, text('security.removeShort'));
    remove.addEventListener('click', () => busy(remove, async () => {
      if (!await confirm({ title: text('seal.devices.remove', { name }), words: text(isHere ? 'seal.devices.remove.here' : 'seal.devices.remove.text'), action: text('security.removeShort') })) return;
      const answer = await app.chat?.devices.remove(one.id);
      if (answer && !answer.ok) return app.announce.show(problemText(answer.problem), 'error');
      if (isHere) await app.chat?.sealer?.forgetDevice();
      await look();
    }));
    return h('li', { class: 'row' }, h('div', { class: 'row__words' }, h('span', { class: 'row__name' }, isHere ? text('seal.devices.here', { name }) : name),
      h('span', { class: 'row__note' }, text('seal.devices.seen', { when: dayAndTime(one.seenAt, new Date(app.now())) }))), remove);
  }

  void look();
  return { element: h('div', { class: 'stack stack--tight' }, h('p', { class: 'field__hint' }, text('seal.devices.hint')), place), close() { isOpen = false; } };
}
