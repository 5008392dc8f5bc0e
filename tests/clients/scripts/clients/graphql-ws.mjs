import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { soon } from "../shop.mjs";

export function open({ address, key }, options = {}) {
  const client = createClient({
    url: address.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: Infinity,
    shouldRetry: () => true, // also where no connection comes about; by itself it retries only what was closed
    retryWait: soon,
    ...options,
  });
  return {
    client,
    async ask(query, variables) {
      for await (const answer of client.iterate({ query, variables })) return answer.data;
    },
    /** The client connects again by itself and sends the same variables: `after` is read anew each time. */
    follow(query, { after, ...others }, told) {
      let cursor = after;
      const variables = { ...others, get after() { return cursor; } };
      return client.subscribe(
        { query, variables },
        { next: ({ data }) => { cursor = told(data); }, error: fail, complete: () => {} },
      );
    },
    close: () => client.dispose(),
  };
}

function fail(error) {
  throw new Error(JSON.stringify(error));
}
