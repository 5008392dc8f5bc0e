import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { soon } from "../shop.mjs";

globalThis.WebSocket ??= WebSocket; // the link compares with the browser's, which Node has only from 22 on

export function open({ address, key }) {
  const authorization = `Bearer ${key}`;
  const socket = createClient({
    url: address.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === "subscription",
      new GraphQLWsLink(socket),
      new HttpLink({ uri: address, headers: { authorization } }),
    ),
  });
  return {
    async ask(document, variables) {
      const isMutation = document.startsWith("mutation");
      const { data } = isMutation
        ? await client.mutate({ mutation: gql(document), variables })
        : await client.query({ query: gql(document), variables, fetchPolicy: "network-only" });
      return data;
    },
    /** The client tells when the line is gone; the application subscribes again, after the last cursor. */
    follow(document, { after, ...others }, told) {
      let cursor = after;
      let current;
      let stopped = false;
      const again = async () => {
        await soon();
        if (!stopped) subscribe();
      };
      function subscribe() {
        current = client.subscribe({ query: gql(document), variables: { ...others, after: cursor } }).subscribe({
          next: ({ data, error }) => { if (!error) cursor = told(data); },
          error: again,
          complete: again,
        });
      }
      subscribe();
      return () => {
        stopped = true;
        current.unsubscribe();
      };
    },
    close() {
      client.stop();
      return socket.dispose();
    },
  };
}
