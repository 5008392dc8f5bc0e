import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { onEnd, pipe, subscribe } from "wonka";
import { soon } from "../shop.mjs";

export function open({ address, key }) {
  const authorization = `Bearer ${key}`;
  const socket = createClient({
    url: address.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  const client = new Client({
    url: address,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization } },
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe(request, sink) }),
        }),
      }),
    ],
  });
  return { ...following(client), close: () => socket.dispose() };
}

/** What urql does over either transport. */
export function following(client) {
  return {
    async ask(document, variables) {
      const isMutation = document.startsWith("mutation");
      const operation = isMutation ? client.mutation(document, variables) : client.query(document, variables);
      const { data, error } = await operation.toPromise();
      if (error) throw error;
      return data;
    },
    /** The client tells when the line is gone; the application subscribes again, after the last cursor. */
    follow(document, { after, ...others }, told) {
      let cursor = after;
      let current;
      let stopped = false;
      async function again() {
        await soon();
        if (!stopped) begin();
      }
      function begin() {
        let ended = false;
        const end = () => {
          if (!ended) again();
          ended = true;
        };
        current = pipe(
          client.subscription(document, { ...others, after: cursor }),
          onEnd(end),
          subscribe(({ data, error }) => (error ? end() : (cursor = told(data)))),
        );
      }
      begin();
      return () => {
        stopped = true;
        current.unsubscribe();
      };
    },
  };
}
