// A stock GraphQL server on Node: graphql-ws over ws, and a broadcast in memory. Numbers on its input: so many events.
import { createInterface } from "node:readline";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const template = JSON.parse(process.argv[2]);
const fields = Object.keys(template).map((name) => `${name}: String`).join(" ");
const schema = buildSchema(`type Event { ${fields} } type Query { none: String } type Subscription { allocationStatusChanged: Event! }`);
const subscribers = new Set();

async function* follow() {
  const queue = [];
  const subscriber = { queue, wake: () => {} };
  subscribers.add(subscriber);
  try {
    while (true) {
      if (!queue.length) await new Promise((wake) => (subscriber.wake = wake));
      while (queue.length) yield { allocationStatusChanged: queue.shift() };
    }
  } finally {
    subscribers.delete(subscriber);
  }
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/graphql", backlog: 2048 });
useServer({ schema, roots: { subscription: { allocationStatusChanged: follow } } }, server);
server.on("listening", () => console.log(server.address().port));

let last = 0;
const input = createInterface({ input: process.stdin });
input.on("line", (count) => {
  for (let number = Number(count); number > 0; number -= 1) {
    last += 1;
    const event = { ...template, cursor: String(last).padStart(template.cursor.length, "0") };
    for (const { queue, wake } of subscribers) {
      queue.push(event);
      wake();
    }
  }
});
input.on("close", () => process.exit(0));
