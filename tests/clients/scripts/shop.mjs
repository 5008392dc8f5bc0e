// What the scenarios ask for, and a way to ask that is none of the clients that are tried.

export const PLACE = `mutation ($input: PlaceOrderInput!) {
  placeOrder(input: $input) { __typename ... on PlaceOrderSuccess { order { number } } ... on UserError { message } }
}`;
export const CURSOR = "query { eventCursor }";
export const WATCH = `subscription ($channel: String!, $after: String) {
  orderChanged(filter: {channels: [$channel]}, after: $after) { cursor orderNumber orderVersion }
}`;
const LOG = `query ($channel: String!, $after: String) {
  events(filter: {types: ["OrderChanged"], channels: [$channel]}, after: $after, first: 100) {
    nodes { ... on OrderChanged { cursor orderNumber orderVersion } }
    pageInfo { hasNextPage endCursor }
  }
}`;

export const order = (channel, number) => ({
  input: { channel, number, lines: [{ sku: "CHAIR", quantity: 1 }], idempotencyKey: `${channel}-${number}` },
});

export function plainly({ address, key, channel }) {
  const ask = async (query, variables) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const response = await fetch(address, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
  return {
    cursor: async () => (await ask(CURSOR)).eventCursor,
    place: async (number) => (await ask(PLACE, order(channel, number))).placeOrder.__typename,
    async log(after) {
      const found = [];
      for (let more = true; more; ) {
        const { nodes, pageInfo } = (await ask(LOG, { channel, after })).events;
        found.push(...nodes);
        [after, more] = [pageInfo.endCursor, pageInfo.hasNextPage];
      }
      return found;
    },
  };
}

/** A list that can be waited for. */
export function growing() {
  const list = [];
  let waiting = [];
  return {
    list,
    add(one) {
      list.push(one);
      waiting = waiting.filter(({ length, resolve }) => list.length < length || resolve());
    },
    reach: (length) =>
      new Promise((resolve) => (list.length >= length ? resolve() : waiting.push({ length, resolve }))),
  };
}

/** Before the next attempt to reach a server; a real client waits longer. */
export const soon = () => new Promise((resolve) => setTimeout(resolve, 20));
