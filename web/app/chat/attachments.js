// @ts-check
// Files on their way into a message, and files in messages.

import { h, icon, keyed, replace, setText } from '../dom.js';
import { fileSize } from '../format.js';
import { iconButton } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../chat/types.js').AttachedFile} AttachedFile */
/** @typedef {{ key: number, name: string, size: number, sent: number, file: AttachedFile | null, problem: string | null, stop: AbortController }} Upload */

/** The server's bound for one message (docs/chat/model.md). */
const filesMax = 20;
/** A picture is fetched when it comes into sight, and kept while the page shows this conversation. */
const shownPicture = /^image\/(png|jpeg|gif|webp)$/;

/**
 * What was chosen, dropped or pasted: uploaded at once, taken with the next message.
 * @param {App} app @param {string} conversationId
 */
export function attaching(app, conversationId) {
  /** @type {Upload[]} */
  let uploads = [];
  let count = 0;
  const list = h('ul', { class: 'uploads', role: 'list', aria: { label: text('chat.files.waiting') } });
  const input = h('input', { type: 'file', multiple: true, hidden: true, tabindex: '-1', aria: { hidden: true }, on: { change: () => { add(input.files ?? []); input.value = ''; } } });
  const button = iconButton('clip', text('chat.files.add'), { on: { click: () => input.click() } });

  /** @param {Iterable<File>} files */
  function add(files) {
    for (const file of files) {
      if (uploads.length >= filesMax) {
        app.announce.show(text('chat.files.tooMany', { count: filesMax }), 'error');
        break;
      }
      /** @type {Upload} */
      const upload = { key: (count += 1), name: file.name, size: file.size, sent: 0, file: null, problem: null, stop: new AbortController() };
      uploads = [...uploads, upload];
      void bring(file, upload);
    }
    draw();
  }

  /** @param {File} content @param {Upload} upload */
  async function bring(content, upload) {
    const answer = await app.chat?.files.upload(content, {
      name: upload.name, conversationId, signal: upload.stop.signal,
      progress(bytes) {
        upload.sent = bytes;
        draw();
      },
    });
    if (answer === undefined || upload.stop.signal.aborted) return;
    if (answer.ok) upload.file = { id: answer.value.id, name: answer.value.name, type: answer.value.type, size: answer.value.size };
    else upload.problem = problemText(answer.problem);
    draw();
  }

  /** @param {Upload} upload */
  function remove(upload) {
    upload.stop.abort();
    uploads = uploads.filter((one) => one !== upload);
    draw();
    button.focus();
  }

  function draw() {
    list.hidden = uploads.length === 0;
    keyed(list, uploads, (one) => String(one.key), (first) => {
      const [name, state] = [h('span', { class: 'row__name' }), h('span', { class: 'row__note' })];
      const bar = h('progress', { max: 1, aria: { label: first.name } });
      return {
        element: h('li', { class: 'row' }, icon('clip'), h('div', { class: 'row__words' }, name, state, bar),
          iconButton('close', text('chat.files.remove', { name: first.name }), { on: { click: () => remove(first) } })),
        update(/** @type {Upload} */ one) {
          setText(name, one.name);
          setText(state, one.problem ?? (one.file === null ? text('chat.files.sent', { sent: fileSize(one.sent), size: fileSize(one.size) }) : fileSize(one.size)));
          bar.value = one.size === 0 ? 0 : one.sent / one.size;
          bar.hidden = one.file !== null || one.problem !== null;
        },
      };
    });
  }

  draw();
  return {
    list, input, button, add,
    get isEmpty() { return uploads.length === 0; },
    /** What goes with the message; null while something is on its way or has failed. @returns {AttachedFile[] | null} */
    get files() {
      const files = uploads.map((one) => one.file).filter((one) => one !== null);
      return files.length === uploads.length ? files : null;
    },
    /** They are in a message now. */
    clear() {
      uploads = [];
      draw();
    },
    /** The page goes elsewhere. */
    close() { for (const one of uploads) if (one.file === null) one.stop.abort(); },
  };
}

/** The files of a message. @param {App} app @param {readonly AttachedFile[]} files */
export function fileElements(app, files) {
  if (files.length === 0) return null;
  return h('ul', { class: 'files', role: 'list', aria: { label: text('chat.files') } }, files.map((file) => h('li', { class: 'file' }, picture(app, file), download(app, file))));
}

/** @param {App} app @param {AttachedFile} file */
function picture(app, file) {
  if (!shownPicture.test(file.type) || file.id === '') return null;
  const place = h('div', { class: 'file__picture', hidden: true });
  void (async () => {
    const answer = await app.chat?.files.thumbnail(file.id);
    if (!answer?.ok) return;
    const url = URL.createObjectURL(answer.value);
    const image = h('img', { src: url, alt: file.name, on: { load: () => URL.revokeObjectURL(url) } });
    replace(place, image);
    place.hidden = false;
  })();
  return place;
}

/** @param {App} app @param {AttachedFile} file */
function download(app, file) {
  const words = [icon('clip'), h('span', { class: 'row__name' }, file.name), h('span', { class: 'row__note' }, fileSize(file.size))];
  if (file.id === '') return h('span', { class: 'file__name' }, words);
  const button = h('button', { class: 'button button--quiet file__name', type: 'button', aria: { label: text('chat.files.get', { name: file.name, size: fileSize(file.size) }) } }, words);
  button.addEventListener('click', async () => {
    button.setAttribute('aria-busy', 'true');
    const answer = await app.chat?.files.content(file.id);
    button.removeAttribute('aria-busy');
    if (answer === undefined) return;
    if (!answer.ok) return app.announce.show(problemText(answer.problem), 'error');
    // The browser asks for headers of ours by no link: it gets what we fetched, under the file's name.
    const url = URL.createObjectURL(answer.value);
    const link = h('a', { href: url, download: file.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  });
  return button;
}
