// The page: one line that watches and can be cut, and one that reads the log to see whether anything is missing.
"use strict";

const WATCH = `subscription ($after: String) {
  allocationStatusChanged(after: $after) { cursor occurredAt orderNumber before after cause }
}`;
const LOG = `query ($after: String) {
  events(filter: {types: ["AllocationStatusChanged"]}, after: $after, first: 100) {
    edges { cursor } pageInfo { hasNextPage endCursor }
  }
}`;
const ORDERS = `{ orders(first: 50, filter: {statuses: [FINALIZED]}) { nodes { id allocationStatus } } }`;
const ALLOCATE = `mutation ($input: AllocateOrdersInput!) { allocateOrders(input: $input) { __typename } }`;
const DEALLOCATE = `mutation ($input: DeallocateOrdersInput!) { deallocateOrders(input: $input) { __typename } }`;
const COMPARE_MS = 1000;
const ROWS_MAX = 200;

const part = (id) => document.getElementById(id);
const titles = { online: "online", connecting: "connecting …", offline: "line is cut", refused: "refused" };
let current = { stop() {} };

class Watching {
  constructor(url, key) {
    this.state = "connecting";
    this.seen = [];
    this.logged = [];
    this.cuts = 0;
    this.line = new Dibs(url, key, (state, why) => this.hear(state, why));
    this.other = new Dibs(url, key, (state, why) => state === "refused" && this.hear(state, why));
  }

  async begin() {
    this.other.connect();
    this.start = (await this.other.ask("{ eventCursor }")).eventCursor;
    const after = () => ({ after: this.seen.at(-1) ?? this.start });
    this.line.follow(WATCH, after, (data) => this.take(data.allocationStatusChanged));
    this.line.connect();
    this.clock = setInterval(() => this.compare().catch((error) => this.hear("refused", error.message)), COMPARE_MS);
  }

  stop() {
    clearInterval(this.clock);
    this.hear = () => {};
    this.line.cut();
    this.other.cut();
  }

  cut() {
    this.cuts += 1;
    this.line.cut();
    this.show();
  }

  hear(state, why = "") {
    this.state = state;
    this.why = why;
    this.show();
  }

  take(change) {
    const late = this.logged.includes(change.cursor); // the log had it before it came
    this.seen.push(change.cursor);
    part("changes").prepend(row(change, late));
    while (part("changes").childElementCount > ROWS_MAX) part("changes").lastElementChild.remove();
    this.show();
  }

  /** Read what is new in the log. */
  async compare() {
    if (this.comparing) return;
    this.comparing = true;
    for (let more = true; more; ) {
      const { events } = await this.other.ask(LOG, { after: this.logged.at(-1) ?? this.start });
      this.logged.push(...events.edges.map(({ cursor }) => cursor));
      more = events.pageInfo.hasNextPage;
    }
    this.comparing = false;
    this.show();
  }

  async change() {
    const { nodes } = (await this.other.ask(ORDERS)).orders;
    const order = nodes[Math.floor(Math.random() * nodes.length)];
    if (!order) return;
    const holds = ["ALLOCATED", "PARTIALLY_ALLOCATED", "OVERALLOCATED"].includes(order.allocationStatus);
    const orders = holds ? [{ id: order.id }] : [{ order: { id: order.id } }];
    const idempotencyKey = Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");
    await this.other.ask(holds ? DEALLOCATE : ALLOCATE, { input: { orders, idempotencyKey } });
  }

  show() {
    const seen = new Set(this.seen);
    const missing = this.logged.filter((cursor) => !seen.has(cursor)).length;
    const twice = this.seen.length - seen.size;
    const inOrder = this.logged.filter((cursor) => seen.has(cursor));
    const numbers = {
      seen: this.seen.length,
      logged: Math.max(this.logged.length, this.seen.length),
      missing,
      twice,
      cuts: this.cuts,
    };
    for (const [name, value] of Object.entries(numbers)) part(name).textContent = value;
    const [is, verdict] = this.verdict(missing, twice, inOrder.every((cursor, at) => cursor === this.seen[at]));
    part("verdict").dataset.is = is;
    part("verdict").textContent = verdict;
    part("state").dataset.state = this.state;
    part("state").textContent = titles[this.state];
    part("cut").disabled = this.state !== "online";
    part("mend").disabled = this.state !== "offline";
    part("change").disabled = !this.start || this.state === "refused";
    document.querySelector(".list").hidden = !this.seen.length;
    part("nothing").hidden = Boolean(this.seen.length) || this.state === "refused";
  }

  verdict(missing, twice, inOrder) {
    if (this.state === "refused") return ["bad", `The server says no: ${this.why === "Forbidden" ? "it does not know this key." : this.why}`];
    if (twice || !inOrder) return ["bad", "What was seen is not what the log says."];
    if (missing && this.state === "online") return ["wait", "Catching up …"];
    if (missing) return ["wait", `The line is cut, and ${missing} in the log ${missing === 1 ? "waits" : "wait"} for it.`];
    return ["good", "Nothing is missing, nothing came twice: this is what the log says, in its order."];
  }
}

function row({ occurredAt, orderNumber, before, after, cause }, late) {
  const made = document.createElement("tr");
  made.className = late ? "late" : "";
  made.append(
    cell(new Date(occurredAt).toLocaleTimeString()),
    cell(orderNumber),
    cell([status(before), " → ", status(after)], "change"),
    cell(words(cause), "cause"),
    cell(late ? "caught up" : ""),
  );
  return made;
}

function cell(content, kind = "") {
  const made = document.createElement("td");
  made.className = kind;
  made.append(...[content].flat());
  return made;
}

function status(value) {
  const made = document.createElement("span");
  made.className = `status ${value ?? ""}`;
  made.textContent = value ? words(value) : "nothing open";
  return made;
}

function words(name) {
  return name.toLowerCase().replaceAll("_", " ");
}

part("connection").addEventListener("submit", (event) => {
  event.preventDefault();
  current.stop();
  part("changes").replaceChildren();
  part("bar").hidden = part("proof").hidden = false;
  const watching = new Watching(part("url").value.trim(), part("key").value.trim());
  current = watching;
  watching.show();
  watching.begin().catch((error) => watching.hear("refused", error.message));
});
part("cut").addEventListener("click", () => current.cut());
part("mend").addEventListener("click", () => current.line.connect());
part("change").addEventListener("click", () =>
  current.change().catch((error) => current.hear("refused", error.message)),
);
