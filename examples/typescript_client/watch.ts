// Watch allocation statuses over a line that breaks, and miss nothing: go on after the last cursor that was seen.
//
//   npm ci && npm run build
//   DIBS_KEY=dibs_… npm start -- --until 30
//
// It cuts its own line every few events. At the end it compares what it saw with the log.
import { parseArgs } from "node:util";
import { type Client, createClient } from "graphql-ws";
import WebSocket from "ws";

type Change = { cursor: string; orderNumber: string; before: string | null; after: string | null; cause: string };
type Page = { edges: { cursor: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };

const WATCH = `subscription ($after: String) {
  allocationStatusChanged(after: $after) { cursor orderNumber before after cause }
}`;
const LOG = `query ($after: String) {
  events(filter: {types: ["AllocationStatusChanged"]}, after: $after, first: 100) {
    edges { cursor } pageInfo { hasNextPage endCursor }
  }
}`;
const RETRY_MS = 500;
const EVENTS_BETWEEN_CUTS_MAX = 10;
const FORBIDDEN = 4403;

const { values: given } = parseArgs({
  options: {
    url: { type: "string", default: "ws://127.0.0.1:8000/graphql" },
    key: { type: "string", default: process.env["DIBS_KEY"] ?? "" },
    until: { type: "string", default: "Infinity" },
  },
});
const until = Number(given.until);

let socket: WebSocket | undefined;
let connections = 0;
const client = createClient({
  url: given.url,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${given.key}` },
  retryAttempts: Infinity,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, RETRY_MS)),
  // By itself the client does not try again where no connection comes about, and does where the key is refused.
  shouldRetry: (problem) => (problem as CloseEvent).code !== FORBIDDEN,
  on: {
    opened: (opened) => {
      socket = opened as WebSocket;
      connections += 1;
    },
    error: (problem) => console.log(`  no connection: ${(problem as ErrorEvent).message}`),
  },
});

async function ask<Data>(dibs: Client, query: string, variables?: Record<string, unknown>): Promise<Data> {
  for await (const { data, errors } of dibs.iterate<Data>({ query, variables })) {
    if (errors || !data) throw errors;
    return data;
  }
  throw new Error("no answer");
}

/** The cursors of every such event in the log, oldest first. */
async function log(start: string): Promise<string[]> {
  const found: string[] = [];
  let after: string | null = start;
  for (let more = true; more; ) {
    const { events }: { events: Page } = await ask(client, LOG, { after });
    found.push(...events.edges.map(({ cursor }) => cursor));
    after = events.pageInfo.endCursor;
    more = events.pageInfo.hasNextPage;
  }
  return found;
}

/** The cursors of the events that were seen, once there are enough. */
function watch(start: string): Promise<string[]> {
  const seen: string[] = [];
  // The client sends the same variables whenever it connects again, so `after` is read anew each time. It has to be
  // the last event that arrived: `client.iterate` would not do, since what waits in it would be told twice.
  const variables = {
    get after() {
      return seen.at(-1) ?? start;
    },
  };
  let nextCut = chance();
  function take({ cursor, orderNumber, before, after, cause }: Change): void {
    seen.push(cursor);
    console.log(`  ${orderNumber}  ${before} → ${after} (${cause})`);
    if (seen.length === nextCut) {
      nextCut += chance();
      console.log("  ✂ the line is cut");
      socket?.terminate();
    }
  }
  return new Promise((resolve, reject) => {
    const stop = client.subscribe<{ allocationStatusChanged: Change }>(
      { query: WATCH, variables },
      {
        next: ({ data, errors }) => {
          if (errors || !data) return reject(errors);
          if (seen.length < until) take(data.allocationStatusChanged);
          if (seen.length >= until) {
            stop();
            resolve(seen);
          }
        },
        error: reject,
        complete: () => resolve(seen),
      },
    );
  });
}

function chance(): number {
  return 1 + Math.floor(Math.random() * EVENTS_BETWEEN_CUTS_MAX);
}

try {
  const { eventCursor } = await ask<{ eventCursor: string }>(client, "{ eventCursor }");
  connections = 0;
  console.log(`watching from ${eventCursor}`);
  const seen = await watch(eventCursor);
  const over = connections;
  const logged = (await log(eventCursor)).slice(0, seen.length);
  const same = seen.join() === logged.join();
  console.log(
    `${seen.length} events over ${over} connections, ${logged.length} in the log:`,
    same ? "nothing missing, nothing twice." : "NOT THE SAME.",
  );
  process.exitCode = same ? 0 : 1;
} catch (problem) {
  const { code, reason, message } = problem as { code?: number; reason?: string; message?: string };
  console.error(`Dibs does not answer: ${message ?? (code ? `${code} ${reason}` : JSON.stringify(problem))}`);
  process.exitCode = 1;
} finally {
  await client.dispose();
}
