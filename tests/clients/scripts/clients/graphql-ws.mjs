import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { over } from "../iterating.mjs";
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
  return { client, ...over(client, fail) };
}

function fail(error) {
  throw new Error(JSON.stringify(error));
}
