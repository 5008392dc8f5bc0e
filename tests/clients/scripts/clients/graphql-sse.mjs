import { createClient } from "graphql-sse";
import { over } from "../iterating.mjs";
import { soon } from "../shop.mjs";

export function open({ address, key }) {
  const client = createClient({
    url: address,
    headers: { authorization: `Bearer ${key}` },
    retryAttempts: Infinity,
    retry: soon,
  });
  return over(client, fail);
}

function fail(error) {
  throw error;
}
