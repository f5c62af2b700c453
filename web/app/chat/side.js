// @ts-check
// What stands beside a conversation: a thread, or its members with the invitation.

import { h, icon, keyed, replace, setText } from '../dom.js';
import { busy, face, iconButton, notice, waitingNote } from '../parts.js';
import { problemText } from '../problems.js';
import { formatRoute } from '../router.js';
import { text } from '../text.js';
import { composer } from './composer.js';
import { messageElement } from './message.js';
import { sealingSettings } from './sealing.js';
import { messageRow } from './view.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../chat/types.js').Message} Message */
/** @typedef {import('../../chat/types.js').Conversation} Conversation */

/** An invitation for a team, for a week: a link that leaks does not stay open for ever. */
const invitation = { maxUses: 25, hours: 24 * 7 };

/** @param {string} title @param {() => void} onClose @param {...any} content */
function panel(title, onClose, ...content) {
  const heading = h('h2', { tabindex: '-1' }, title);
  const element = h('aside', { class: 'chat__side', aria: { label: title } },
    h('div', { class: 'bar' }, heading, iconButton('close', text('chat.closePanel'), { on: { click: onClose } })), content);
  return { element, heading };
}

/** @param {App} app @param {Message} root @param {import('./message.js').Doing} doing @param {() => void} onClose */
export function threadPanel(app, root, doing, onClose) {
  const { conversationId } = root;
  /** Answers of the server, and what has come since. @type {Message[]} */
  let read = [];
  let isOpen = true;
  const log = h('div', { class: 'chat__log', role: 'log', tabindex: '0', aria: { live: 'polite', label: text('chat.thread') } });
  const place = h('div', {}, waitingNote('app.loading'));
  const line = composer({
    id: 'thread-line', label: text('chat.answer'), onTyping: () => {},
    onSend: (words) => app.chat?.send(conversationId, words, { threadId: root.id }) ?? false,
  });
  const inner = panel(text('chat.thread'), onClose, place, log, doing.may('send_messages') ? line.element : null);
  const within = { ...doing, openThread: null };

  async function load() {
    /** @type {Message[]} */
    const all = [];
    for (let page = 1, hasMore = true; hasMore && app.chat !== null; page += 1) {
      const answer = await app.chat.rest.thread(root.id, page);
      if (!isOpen) return;
      if (!answer.ok) return replace(place, notice('error', problemText(answer.problem)));
      all.push(...answer.value.items);
      hasMore = answer.value.hasMore;
    }
    read = all;
    replace(place);
    draw();
  }

  function draw() {
    const timeline = app.chat?.state.timelines[conversationId]?.messages ?? [];
    const live = new Map(timeline.map((message) => [message.id, message]));
    const known = new Set(read.map((message) => message.id));
    const answers = [...read.map((message) => live.get(message.id) ?? message), ...timeline.filter((message) => message.threadId === root.id && !known.has(message.id))];
    const eyes = app.eyes;
    keyed(log, [live.get(root.id) ?? root, ...answers].map((message) => messageRow(message, false, live, '', eyes)), (row) => row.key, (row) => messageElement(app, within, row));
  }

  const unwatch = app.store.watch((state) => state.chat, draw);
  void load();
  return { ...inner, close() { isOpen = false; unwatch(); } };
}

/** @param {App} app @param {Conversation} conversation @param {() => void} onClose */
export function membersPanel(app, conversation, onClose) {
  let isOpen = true;
  const list = h('ul', { class: 'rows', role: 'list', aria: { label: text('chat.members') } });
  const status = h('p', { role: 'status' });
  const place = h('div', {}, waitingNote('app.loading'));
  const link = h('input', { class: 'input', id: 'invite-link', readonly: true });
  const linkPlace = h('div', { class: 'field', hidden: true }, h('label', { class: 'field__label', htmlFor: 'invite-link' }, text('chat.invite.link')), link);
  const invite = h('button', { class: 'button', type: 'button' }, icon('link'), text('chat.invite'));
  invite.addEventListener('click', () => busy(invite, async () => {
    const answer = await app.chat?.rest.invite(conversation.id, invitation);
    if (!isOpen || answer === undefined) return;
    if (!answer.ok) return app.announce.show(problemText(answer.problem), 'error');
    link.value = `${location.href.replace(/#.*$/, '')}${formatRoute({ name: 'join', code: answer.value.code })}`;
    linkPlace.hidden = false;
    setText(status, text('chat.invite.made', { count: invitation.maxUses }));
    link.focus();
  }));
  const leave = h('button', { class: 'button button--danger', type: 'button' }, text('chat.leave'));
  leave.addEventListener('click', () => busy(leave, async () => {
    const answer = await app.chat?.rest.removeMember(conversation.id, app.self ?? '');
    if (answer === undefined) return;
    if (!answer.ok) return app.announce.show(problemText(answer.problem), 'error');
    app.chat?.forget(conversation.id);
    app.navigate({ name: 'chats' });
  }));
  const isGroup = conversation.type !== 'direct';
  const inner = panel(text('chat.members'), onClose, sealingSettings(app, conversation), place, list,
    isGroup && conversation.permissions.includes('invite_members') ? [invite, status, linkPlace] : null, isGroup ? leave : null);

  async function load() {
    for (let page = 1, hasMore = true; hasMore; page += 1) {
      const answer = await app.chat?.rest.members(conversation.id, page);
      if (!isOpen || answer === undefined) return;
      if (!answer.ok) return replace(place, notice('error', problemText(answer.problem)));
      replace(place);
      for (const one of answer.value.items) {
        list.append(h('li', { class: 'row' }, face(one.displayName), h('span', { class: 'row__words row__name' }, one.displayName),
          one.role === 'member' ? null : h('span', { class: 'badge' }, one.role)));
      }
      hasMore = answer.value.hasMore;
    }
  }
  void load();
  return { ...inner, close() { isOpen = false; } };
}
