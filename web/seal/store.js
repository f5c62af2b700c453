// @ts-check
/**
 * Where a device's key pair and what is known of others' devices are kept. A private key is a `CryptoKey` that nobody
 * can read out; IndexedDB stores it as such. Entries are never changed by halves: a name has one value.
 *
 * @module
 */

/**
 * @typedef {object} KeyStore
 * @property {(name: string) => Promise<any>} get undefined where there is nothing
 * @property {(name: string, value: any) => Promise<void>} put
 * @property {(name: string, value: any) => Promise<any>} add what is there afterwards: the first of two windows wins
 * @property {(name: string) => Promise<void>} remove
 */

const DATABASE = 'plexichat-keys';
const TABLE = 'entries';

/** For tests, and for pages that want no traces. @returns {KeyStore} */
export function memoryKeyStore() {
  /** @type {Map<string, any>} */
  const entries = new Map();
  return {
    get: async (name) => entries.get(name),
    put: async (name, value) => void entries.set(name, value),
    async add(name, value) {
      if (!entries.has(name)) entries.set(name, value);
      return entries.get(name);
    },
    remove: async (name) => void entries.delete(name),
  };
}

/** @param {IDBFactory} factory @returns {KeyStore} whose promises reject where the browser keeps nothing */
export function browserKeyStore(factory) {
  /** @type {Promise<IDBDatabase>|null} */
  let opening = null;
  const opened = () => (opening ??= new Promise((resolve, reject) => {
    const request = factory.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }));

  /** @template T @param {IDBTransactionMode} mode @param {(table: IDBObjectStore) => IDBRequest<T>} act @returns {Promise<T>} after it is durable */
  const run = async (mode, act) => {
    const database = await opened();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(TABLE, mode);
      const request = act(transaction.objectStore(TABLE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
      transaction.onerror = () => reject(transaction.error ?? request.error);
    });
  };
  const get = (/** @type {string} */ name) => run('readonly', (table) => table.get(name));
  return {
    get,
    put: async (name, value) => void (await run('readwrite', (table) => table.put(value, name))),
    async add(name, value) {
      try {
        await run('readwrite', (table) => table.add(value, name));
      } catch (error) {
        if (/** @type {any} */ (error)?.name !== 'ConstraintError') throw error;
      }
      return get(name);
    },
    remove: async (name) => void (await run('readwrite', (table) => table.delete(name))),
  };
}
