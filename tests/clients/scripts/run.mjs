// node run.mjs CLIENT SCENARIO: plays one scenario with one client, and prints what came of it as one JSON object.
import { openLine } from "./line.mjs";
import { CURSOR, PLACE, WATCH, growing, order, plainly } from "./shop.mjs";

const { ADDRESS: address, KEY: key, CHANNEL: channel } = process.env;
const [name, scenario] = process.argv.slice(2);
const shop = plainly({ address, key, channel });
const { open } = await import(`./clients/${name}.mjs`);

const scenarios = {
  /** A query, mutations, and a subscription that sees them. */
  async day() {
    const client = open({ address, key });
    const { eventCursor } = await client.ask(CURSOR);
    const seen = growing();
    const stop = client.follow(WATCH, { channel, after: eventCursor }, take(seen));
    const placed = [];
    for (let number = 0; number < 10; number += 1) {
      placed.push((await client.ask(PLACE, order(channel, `${number}`))).placeOrder.order.number);
    }
    await seen.reach(placed.length);
    stop();
    await client.close();
    return { cursor: eventCursor, placed, seen: seen.list };
  },

  /** The line is cut, also in the middle of changes, and things happen while it is down. */
  async cuts() {
    const line = await openLine(address);
    const start = await shop.cursor();
    const client = open({ address: line.address, key });
    const seen = growing();
    const stop = client.follow(WATCH, { channel, after: start }, take(seen));
    let number = 0;
    const place = async (count) => {
      for (const end = number + count; number < end; number += 1) await shop.place(`${number}`);
    };
    for (let round = 0; round < 3; round += 1) {
      await place(2);
      await seen.reach(number - 1); // the last one may be on its way
      line.down();
      await place(3);
      line.up();
      await place(2);
    }
    await seen.reach(number);
    stop();
    await client.close();
    line.down();
    line.close();
    return { placed: number, cut: line.cut, seen: seen.list, log: await shop.log(start) };
  },

  /** graphql-ws alone: a key that is none. */
  async wrongKey() {
    const { client } = open({ address, key: "nobody's" }, { retryAttempts: 0 });
    const close = await new Promise((resolve) =>
      client.subscribe({ query: CURSOR }, { next() {}, complete() {}, error: resolve }),
    );
    return { code: close.code, reason: close.reason };
  },

  /** graphql-ws alone: operations that are none, and one that is, on one socket. */
  async malformed() {
    let connected = 0;
    const { client, ask } = open({ address, key }, { lazy: false, on: { connected: () => (connected += 1) } });
    const fails = (query) =>
      new Promise((resolve) => client.subscribe({ query }, { next() {}, complete() {}, error: resolve }));
    const errors = [await fails("{ orders("), await fails("subscription { nothingLikeIt }")];
    const { eventCursor } = await ask(CURSOR);
    await client.dispose();
    return { errors: errors.map(([{ extensions }]) => extensions.code), cursor: eventCursor, connected };
  },
};

function take(seen) {
  return ({ orderChanged: { cursor, orderNumber, orderVersion } }) => {
    seen.add({ cursor, orderNumber, orderVersion });
    return cursor;
  };
}

console.log(JSON.stringify(await scenarios[scenario]()));
process.exit(0); // what a client keeps open for the next question is not waited for
