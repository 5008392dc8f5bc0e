import { Client, fetchExchange } from "@urql/core";
import { following } from "./urql.mjs";

/** Everything over `fetch`: subscriptions come as Server-sent events. */
export function open({ address, key }) {
  const client = new Client({
    url: address,
    preferGetMethod: false,
    fetchSubscriptions: true,
    fetchOptions: { headers: { authorization: `Bearer ${key}` } },
    exchanges: [fetchExchange],
  });
  return { ...following(client), close() {} };
}
