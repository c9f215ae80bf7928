// What the page uses of IndexedDB, in memory, for the tests without a browser. Its data stay when the page's modules are loaded again.

/** A database of a browser: `stores` are its data. */
export function browserDatabase() {
  const stores = { jobs: new Map(), settings: new Map() };
  const database = {
    stores,
    /** Every write fails, as on a full disk. */
    full: false,
    /** The connections, to close them as a browser does. */
    connections: /** @type {{ closed: boolean, onclose?: () => void }[]} */ ([]),
    /** Is called when a transaction has read its data, before the page has them. */
    afterRead: () => undefined,
    open() {
      const request = {};
      const connection = {
        closed: false,
        close: () => (connection.closed = true),
        transaction: (name, mode) => transaction(database, connection, stores[name], mode),
      };
      database.connections.push(connection);
      setImmediate(() => {
        request.result = connection;
        request.onsuccess();
      });
      return request;
    },
  };
  return database;
}

function transaction(database, connection, store, mode) {
  if (connection.closed) throw new DOMException("The connection is closed.", "InvalidStateError");
  const acts = [];
  const request = (act) => {
    const made = {};
    acts.push(() => (made.result = act()));
    return made;
  };
  const running = {
    objectStore: () => ({
      getAll: () => request(() => structuredClone([...store.values()])),
      get: (key) => request(() => structuredClone(store.get(key))),
      put: (value, key = value.id) => {
        const copy = structuredClone(value);
        return request(() => store.set(key, copy));
      },
      delete: (key) => request(() => store.delete(key)),
    }),
  };
  setImmediate(() => {
    if (mode === "readwrite" && database.full) {
      running.error = new DOMException("There is no space.", "QuotaExceededError");
      running.onabort();
      return;
    }
    for (const act of acts) act();
    if (mode === "readonly") database.afterRead();
    running.oncomplete();
  });
  return running;
}
