// @ts-check
// One conversation: its messages, the line to write on, and beside it a thread or the members.

import { attaching } from '../chat/attachments.js';
import { composer } from '../chat/composer.js';
import { dayElement, messageElement } from '../chat/message.js';
import { sealedBadge } from '../chat/sealing.js';
import { membersPanel, threadPanel } from '../chat/side.js';
import { rowsOf, typingText } from '../chat/view.js';
import { h, keyed, replace, setAria, setText } from '../dom.js';
import { busy, emptyNote, iconButton, notice, waitingNote } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../chat/types.js').Message} Message */

/** Pixels from the end at which somebody still follows what is written, and from the beginning at which older is read. */
const nearEnd = 80;
const nearBeginning = 200;

/** @param {App} app @param {{ name: 'chat', id: string }} route @returns {import('../app.js').Screen} */
export function chatScreen(app, { id }) {
  /** @type {Message | null} */
  let replyingTo = null;
  /** @type {Message | null} */
  let editing = null;
  /** @type {{ element: any, heading: any, close: () => void } | null} */
  let side = null;
  /** Whether new messages move the view along. */
  let isAtEnd = true;
  const conversation = () => app.store.get().chat?.conversations.find((one) => one.id === id);
  const timeline = () => app.store.get().chat?.timelines[id];

  const heading = h('h1', { tabindex: '-1' }, text('chats.untitled'));
  const sealed = h('span', { hidden: true }, sealedBadge());
  const call = iconButton('call', text('chat.call'), {});
  call.addEventListener('click', () => busy(call, startCall));
  const members = iconButton('people', text('chat.members'), { on: { click: () => toggleMembers() } });
  const older = h('button', { class: 'button', type: 'button', hidden: true, on: { click: () => void loadOlder() } }, text('chat.older'));
  const place = h('div', {}, waitingNote('app.loading'));
  const rows = h('div', { class: 'chat__rows' });
  const log = h('div', { class: 'chat__log', role: 'log', tabindex: '0', aria: { live: 'polite', label: text('chat.log') }, on: { scroll: scrolled } }, older, place, rows);
  const typing = h('p', { class: 'chat__typing', role: 'status' });
  const files = attaching(app, id);
  const line = composer({
    id: 'chat-line', label: text('chat.write'), tools: files.button, hasMore: () => editing === null && !files.isEmpty,
    onFiles: (pasted) => { if (mayAttach()) files.add(pasted); }, onSend, onCancel: stopEditing,
    onTyping: (is) => (is ? app.chat?.typing(id) : app.chat?.stopTyping(id)),
  });
  const readOnly = h('p', { class: 'notice', hidden: true }, text('chat.readOnly'));
  const beside = h('div', { class: 'chat__beside', hidden: true });
  const element = h('div', { class: 'chat' },
    h('div', { class: 'chat__main' },
      h('div', { class: 'bar chat__head' }, h('div', { class: 'chat__title' }, heading, sealed), h('div', { class: 'row__tools' }, call, members)),
      log, typing, files.list, files.input, line.element, readOnly), beside);
  element.addEventListener('dragover', (event) => { if (mayAttach()) event.preventDefault(); });
  element.addEventListener('drop', (event) => {
    if (!mayAttach() || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    files.add(event.dataTransfer.files);
  });
  /** What is sealed has no files yet: the server would see them. */
  const mayAttach = () => doing.may('attach_files') && !(conversation()?.isSealed ?? false);

  /** @type {import('../chat/message.js').Doing} */
  const doing = {
    may: (permission) => conversation()?.permissions.includes(permission) ?? false,
    reply(message) {
      stopEditing();
      replyingTo = message;
      line.setContext(text('chat.replying', { name: app.directory.nameOf(message.authorId) }));
      line.input.focus();
    },
    edit: (message) => beginEditing(message, message.text ?? ''),
    openThread: (message) => openSide(threadPanel(app, message, doing, closeSide)),
  };

  /** @param {Message} message @param {string} words */
  function beginEditing(message, words) {
    [replyingTo, editing] = [null, message];
    line.input.value = words;
    line.setContext(text('chat.editing'));
    line.input.focus();
  }

  /** What was there to be edited is no message to be sent. */
  function stopEditing() {
    if (editing !== null) line.input.value = '';
    [replyingTo, editing] = [null, null];
  }

  /** What could not be stored is not lost: it comes back to the line, for the message as it is now. @param {Message} message @param {string} words */
  async function edit(message, words) {
    const problem = await app.chat?.edit(message, words);
    if (!problem) return;
    app.announce.show(problemText(problem), 'error');
    const present = timeline()?.messages.find((one) => one.id === message.id);
    if (element.isConnected && line.input.value === '' && present !== undefined && !present.isDeleted) beginEditing(present, words);
  }

  /** @param {string} words */
  function onSend(words) {
    if (editing !== null) {
      void edit(editing, words);
      editing = null;
      return true;
    }
    const attached = files.files;
    if (attached === null) return text('chat.files.notYet');
    const isTaken = app.chat?.send(id, words === '' ? attached.map(({ name }) => name).join(', ') : words, { replyTo: replyingTo?.id ?? null, files: attached }) ?? false;
    if (!isTaken) return false;
    [replyingTo, isAtEnd] = [null, true];
    files.clear();
    return isTaken;
  }

  async function startCall() {
    const one = conversation();
    if (one === undefined || app.chat === null) return;
    // Somebody else is called, so that it rings; a channel's call is entered, and stands open.
    if (one.other !== null) return app.navigate({ name: 'ready', people: [one.other.id], kind: 'audio' });
    const answer = await app.chat.rest.joinVoice(id);
    if (!answer.ok) return app.announce.show(problemText(answer.problem), 'error');
    const { startsMuted } = app.store.get().preferences;
    app.enterCall({ id: answer.value.id, kind: answer.value.type, audio: !startsMuted, video: false });
  }

  /** @param {{ element: any, heading: any, close: () => void }} next */
  function openSide(next) {
    side?.close();
    side = next;
    replace(beside, next.element);
    beside.hidden = false;
    next.heading.focus();
  }

  function closeSide() {
    side?.close();
    side = null;
    replace(beside);
    beside.hidden = true;
    line.input.focus();
  }

  function toggleMembers() {
    const one = conversation();
    if (one !== undefined) openSide(membersPanel(app, one, closeSide));
  }

  function scrolled() {
    isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;
    if (log.scrollTop < nearBeginning) void loadOlder();
    look();
  }

  async function loadOlder() {
    // What comes above is history and not news: it is not read aloud.
    setAria(log, { busy: true });
    const [height, top] = [log.scrollHeight, log.scrollTop];
    const count = timeline()?.messages.length ?? 0;
    await app.chat?.loadOlder(id);
    // The change is told in the next turn, and drawn in it.
    await Promise.resolve();
    draw();
    if ((timeline()?.messages.length ?? 0) > count && !isAtEnd) log.scrollTop = top + (log.scrollHeight - height);
    setAria(log, { busy: null });
  }

  /** What is in sight is read. */
  function look() { if (isAtEnd && !document.hidden) app.chat?.markRead(id); }

  function draw() {
    const { chat } = app.store.get();
    const [one, shown] = [conversation(), timeline()];
    if (chat === null) return;
    if (one !== undefined) setText(heading, one.title === '' ? text('chats.untitled') : one.title);
    sealed.hidden = !(one?.isSealed ?? false);
    const canWrite = one !== undefined && !one.isArchived && doing.may('send_messages');
    line.element.hidden = !canWrite;
    files.button.hidden = !mayAttach();
    readOnly.hidden = canWrite || one === undefined;
    call.hidden = !doing.may('join_voice');
    setText(typing, typingText(chat.typing[id] ?? [], app.directory.nameOf));
    older.hidden = !(shown?.hasMore ?? false);
    if (shown === undefined) return;
    replaceOnce(shown.phase === 'failed' && shown.problem !== null ? `failed ${shown.problem.code}` : shown.phase === 'loading' && shown.messages.length === 0 ? 'loading' : shown.messages.length === 0 ? 'empty' : '');
    keyed(rows, rowsOf(shown.messages, chat.reads[id] ?? {}, app.eyes), (row) => row.key, (row) =>
      /** @type {any} */ (row.kind === 'day' ? dayElement(row.words) : messageElement(app, doing, row)));
    if (isAtEnd) log.scrollTop = log.scrollHeight;
    look();
  }

  let noted = 'loading';
  /** @param {string} note */
  function replaceOnce(note) {
    if (note === noted) return;
    noted = note;
    const problem = timeline()?.problem;
    replace(place, note === '' ? null : note === 'loading' ? waitingNote('app.loading') : note === 'empty' ? emptyNote('chat', 'chat.none.title', 'chat.none.text')
      : notice('error', problem ? problemText(problem) : '', h('button', { class: 'button', type: 'button', on: { click: () => void app.chat?.show(id) } }, text('app.retry'))));
  }

  const unwatch = [app.store.watch((state) => state.chat, draw), app.store.watch((state) => state.names, draw)];
  document.addEventListener('visibilitychange', look);
  void app.chat?.show(id);
  return {
    title: conversation()?.title ?? text('chats.title'), element,
    close() {
      for (const end of unwatch) end();
      document.removeEventListener('visibilitychange', look);
      side?.close();
      files.close();
      app.chat?.stopTyping(id);
    },
  };
}
