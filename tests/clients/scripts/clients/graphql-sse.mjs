import { createClient } from "graphql-sse";
import { soon } from "../shop.mjs";

export function open({ address, key }) {
  const client = createClient({
    url: address,
    headers: { authorization: `Bearer ${key}` },
    retryAttempts: Infinity,
    retry: soon,
  });
  return {
    async ask(query, variables) {
      for await (const answer of client.iterate({ query, variables })) return answer.data;
    },
    /** The client asks again by itself and sends the same variables: `after` is read anew each time. */
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
  throw error;
}
