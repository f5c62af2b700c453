// @ts-check
// One message, and what can be done with it.

import { fileElements } from './attachments.js';
import { h, keyed, replace, setAria, setData, setText } from '../dom.js';
import { confirm, openDialog } from '../dialog.js';
import { face, iconButton } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';
import { partsOf } from './words.js';

/** @typedef {import('./view.js').MessageRow} MessageRow */
/** @typedef {import('../../chat/types.js').Message} Message */

/** What most people mean most of the time; a short list is quicker than a whole keyboard. */
const emoji = /** @type {const} */ ([['👍', 'emoji.yes'], ['👎', 'emoji.no'], ['❤️', 'emoji.heart'], ['😂', 'emoji.laugh'],
  ['🎉', 'emoji.party'], ['😮', 'emoji.wow'], ['😢', 'emoji.sad'], ['🙏', 'emoji.thanks'], ['👀', 'emoji.eyes'], ['✅', 'emoji.done']]);

/** What the tools of a message depend on. */
const permissions = ['send_messages', 'add_reactions', 'use_threads', 'manage_messages'];

/**
 * @typedef {object} Doing what the screen does for its messages
 * @property {(message: Message) => void} reply
 * @property {((message: Message) => void) | null} openThread null within a thread
 * @property {(message: Message) => void} edit
 * @property {(permission: string) => boolean} may
 */

/** @param {string} words @param {readonly string[]} [terms] */
export const wordNodes = (words, terms) => partsOf(words, terms).map((part) => {
  if (part.href !== null) return h('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer' }, part.text);
  return part.isFound ? h('mark', {}, part.text) : part.text;
});

/** @param {import('../app.js').App} app @param {Doing} doing @param {MessageRow} first */
export function messageElement(app, doing, first) {
  let row = first;
  const element = h('div', { class: 'message', role: 'article' });
  const tell = (/** @type {import('../../chat/types.js').CallProblem | null | undefined} */ problem) => {
    if (problem) app.announce.show(problemText(problem), 'error');
  };
  const react = async (/** @type {string} */ one) => tell(await app.chat?.toggleReaction(row.message, one));

  function pick() {
    const buttons = emoji.map(([sign, name]) => h('button', {
      class: 'button emoji', type: 'button', aria: { label: text(name) }, on: { click: () => { dialog.close(); void react(sign); } },
    }, sign));
    const dialog = openDialog({ title: text('chat.react'), content: [h('div', { class: 'emojis' }, buttons)] });
  }

  async function remove() {
    if (!await confirm({ title: text('chat.delete.sure'), words: text('chat.delete.text'), action: text('chat.delete') })) return;
    tell(await app.chat?.remove(row.message));
  }

  /** They outlive what they were drawn for: what they do is done to the message as it is then. */
  function tools() {
    const { message, isOwn } = row;
    if (message.isDeleted || message.pending !== null) return null;
    const [canSend, { openThread }] = [doing.may('send_messages'), doing];
    const name = (/** @type {import('../text.js').Key} */ key) => text(key, { name: row.author });
    return h('div', { class: 'message__tools' },
      doing.may('add_reactions') ? iconButton('smile', name('chat.reactTo'), { on: { click: pick } }) : null,
      canSend && openThread !== null ? iconButton('reply', name('chat.replyTo'), { on: { click: () => doing.reply(row.message) } }) : null,
      openThread !== null && doing.may('use_threads') && message.threadId === null
        ? iconButton('thread', name('chat.threadOf'), { on: { click: () => openThread(row.message) } }) : null,
      isOwn && canSend && message.text !== null ? iconButton('edit', text('chat.edit'), { on: { click: () => doing.edit(row.message) } }) : null,
      isOwn || doing.may('manage_messages') ? iconButton('delete', name('chat.deleteOf'), { on: { click: () => void remove() } }) : null);
  }

  function failed() {
    const { message } = row;
    if (message.pending !== 'failed') return null;
    return h('p', { class: 'message__failed' }, message.problem === null ? '' : problemText(message.problem), ' ',
      h('button', { class: 'button', type: 'button', on: { click: () => app.chat?.retry(row.message) } }, text('chat.again')),
      h('button', { class: 'button button--quiet', type: 'button', on: { click: () => app.chat?.discard(row.message) } }, text('chat.discard')));
  }

  function thread() {
    const { message } = row;
    const { openThread } = doing;
    if (openThread === null) return null;
    if (message.threadId !== null) return h('p', { class: 'message__note' }, text('chat.inThread'));
    if (message.replyCount === 0) return null;
    return h('button', { class: 'button button--quiet message__thread', type: 'button', on: { click: () => openThread(row.message) } }, text('chat.answers', { count: message.replyCount }));
  }

  const words = () => {
    const { message } = row;
    return [
      row.quote === null ? null : h('blockquote', { class: 'message__quote' }, row.quote.author === '' ? null : h('strong', {}, row.quote.author, ' '), row.quote.words),
      fileElements(app, message.files),
      row.note === '' ? h('p', { class: 'message__text' }, wordNodes(message.text ?? ''), message.isEdited ? h('span', { class: 'message__note' }, ' ', text('chat.edited')) : null)
        : h('p', { class: 'message__note' }, row.note),
    ];
  };
  const head = () => [h('span', { class: 'message__author' }, row.author), ' ',
    h('time', { class: 'message__time', datetime: row.message.createdAt, title: row.whole }, row.time)];
  const reactions = h('div', { class: 'message__reactions' });
  const places = { face: h('div', {}), head: h('p', { class: 'message__head' }), words: h('div', {}), sending: h('div', {}), thread: h('div', {}), readBy: h('div', {}), tools: h('div', {}) };
  element.append(places.face, h('div', { class: 'message__body' }, places.head, places.words, places.sending, reactions, places.thread, places.readBy), places.tools);

  /** What each place is drawn from, and what it then has. @type {[any, () => unknown, () => any][]} */
  const parts = [
    [places.face, () => [row.isContinued, row.author], () => (row.isContinued ? null : face(row.author))],
    [places.head, () => [row.author, row.time, row.whole], head],
    [places.words, () => [row.message.text, row.message.isEdited, row.note, row.quote, row.message.files], words],
    [places.sending, () => [row.message.pending, row.message.problem?.code], () => (row.message.pending === 'sending' ? h('p', { class: 'message__note' }, text('chat.sending')) : failed())],
    [places.thread, () => [row.message.threadId, row.message.replyCount], thread],
    [places.readBy, () => row.readBy, () => (row.readBy === '' ? null : h('p', { class: 'message__note' }, row.readBy))],
    [places.tools, () => [row.message.isDeleted, row.message.pending, row.message.text === null, row.message.threadId, row.author, row.isOwn, permissions.map(doing.may)], tools],
  ];
  /** @type {string[]} */
  const drawn = [];

  return {
    element,
    update(/** @type {MessageRow} */ next) {
      row = next;
      setData(element, { continued: row.isContinued, pending: row.message.pending, own: row.isOwn });
      places.head.classList.toggle('only-read', row.isContinued);
      // Only what is another is drawn anew: the focus stays where it is, and nothing is read aloud twice.
      parts.forEach(([place, from, make], index) => {
        const state = JSON.stringify(from());
        if (drawn[index] === state) return;
        drawn[index] = state;
        replace(place, make());
      });
      reactions.hidden = row.reactions.length === 0;
      keyed(reactions, row.reactions, (one) => one.emoji, reactionButton);
    },
  };

  /** @param {import('./view.js').ReactionLine} first */
  function reactionButton({ emoji: sign }) {
    const button = h('button', { class: 'reaction', type: 'button', on: { click: () => void react(sign) } });
    return {
      element: button,
      update(/** @type {import('./view.js').ReactionLine} */ one) {
        setText(button, `${sign} ${one.count}`);
        setAria(button, { pressed: one.isOwn, label: text('chat.reaction', { emoji: sign, names: one.names }) });
        button.disabled = !doing.may('add_reactions');
        button.title = one.names;
      },
    };
  }
}

/** @param {string} words */
export function dayElement(words) {
  const heading = h('h2', { class: 'day' });
  return { element: heading, update: () => setText(heading, words) };
}
