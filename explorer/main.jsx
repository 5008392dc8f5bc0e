import { useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';

import { createFetcher } from './fetcher.js';
import { keyFromAddress, storedKey, storeKey } from './key.js';
import orders from './examples/orders.graphql';
import allocate from './examples/allocate.graphql';
import watch from './examples/watch.graphql';
import './explorer.css';

const EXAMPLES = [orders, allocate, watch].map((query) => ({ query }));

// Apart from any other GraphiQL that was served at the same address, such as localhost.
const PREFIX = 'dibs-explorer:';
const STORAGE = {
  getItem: (name) => localStorage.getItem(PREFIX + name),
  setItem: (name, value) => localStorage.setItem(PREFIX + name, value),
  removeItem: (name) => localStorage.removeItem(PREFIX + name),
  clear: () => ours().forEach((name) => localStorage.removeItem(name)),
  get length() {
    return ours().length;
  },
};
const ours = () => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));

function Explorer() {
  const [key, setKey] = useState(() => keyFromAddress() ?? storedKey());
  const [refused, setRefused] = useState(false);
  const fetcher = useMemo(() => createFetcher(key, setRefused), [key]);

  const useKey = (next) => {
    storeKey(next);
    setRefused(false);
    setKey(next);
  };

  useEffect(() => {
    const follow = () => {
      const next = keyFromAddress();
      if (next) useKey(next);
    };
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);

  return (
    <>
      <header className="bar">
        <h1>Dibs explorer</h1>
        <KeyForm key={key} current={key} onUse={useKey} />
      </header>
      <Notice hasKey={Boolean(key)} refused={refused} />
      <main>
        <GraphiQL
          fetcher={fetcher}
          // Without a key the server would only refuse to describe itself.
          schema={key ? undefined : null}
          defaultTabs={EXAMPLES}
          storage={STORAGE}
          shouldPersistHeaders={false}
        >
          <GraphiQL.Logo>{' '}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

function KeyForm({ current, onUse }) {
  const [draft, setDraft] = useState(current);
  const submit = (event) => {
    event.preventDefault();
    onUse(draft.trim());
  };
  return (
    <form onSubmit={submit} autoComplete="off">
      <label htmlFor="key">API key</label>
      <input id="key" type="password" autoComplete="off" spellCheck={false} placeholder="Paste a key" value={draft} onChange={(event) => setDraft(event.target.value)} />
      <button type="submit" disabled={draft.trim() === current}>Use</button>
      <button type="button" disabled={!current} onClick={() => onUse('')}>Forget</button>
    </form>
  );
}

function Notice({ hasKey, refused }) {
  if (!hasKey) return <p role="status" className="notice">No API key is set. Paste one above: without it the server refuses every operation.</p>;
  if (refused) return <p role="alert" className="notice refused">The server refused this API key (UNAUTHENTICATED). Paste another one above.</p>;
  return null;
}

createRoot(document.getElementById('explorer')).render(<Explorer />);
