// GraphQL over a WebSocket (the protocol graphql-transport-ws) in one file, for pages that have no build step.
//
//   const dibs = new Dibs("ws://127.0.0.1:8000/graphql", key, (state, why) => …);
//   dibs.connect();
//   const { eventCursor } = await dibs.ask("{ eventCursor }");
//   let after = eventCursor;
//   dibs.follow(document, () => ({ after }), (data) => { after = data.allocationStatusChanged.cursor; });
//
// Whatever has not ended is sent again on every new connection: a question as it was, since each change carries its
// idempotency key; what is followed with variables that are read anew, so that it goes on after the last cursor.
"use strict";

class Dibs {
  static RETRY_MS = 500;

  #url;
  #key;
  #tell;
  #socket = null;
  #acknowledged = false;
  #operations = new Map();
  #last = 0;
  #retry;

  /** `tell(state, why)` hears of "connecting", "online", "offline" and "refused". */
  constructor(url, key, tell = () => {}) {
    this.#url = url;
    this.#key = key;
    this.#tell = tell;
  }

  connect() {
    if (this.#socket) return;
    this.#tell("connecting");
    const socket = new WebSocket(this.#url, "graphql-transport-ws");
    socket.onopen = () => this.#send({ type: "connection_init", payload: { authorization: `Bearer ${this.#key}` } });
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = (closed) => this.#closed(closed);
    this.#socket = socket;
  }

  /** Break the line without a word: what was asked stays open, and what still arrives is not heard. */
  cut() {
    const socket = this.#socket;
    this.#forget();
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    this.#tell("offline");
  }

  /** The data that answers a query or a mutation. */
  ask(query, variables = {}) {
    return new Promise((resolve, reject) => {
      const next = ({ data, errors }) => (errors ? reject(said(errors)) : resolve(data));
      this.#begin({ query, variables: () => variables, next, fail: (errors) => reject(said(errors)) });
    });
  }

  /** Hear of every event of a subscription; ends with what is returned here, or with an error. */
  follow(query, variables, take, fail = (error) => this.#tell("refused", error.message)) {
    const next = ({ data, errors }) => (errors ? fail(said(errors)) : take(data));
    const id = this.#begin({ query, variables, next, fail: (errors) => fail(said(errors)) });
    return () => {
      if (this.#operations.delete(id) && this.#acknowledged) this.#send({ type: "complete", id });
    };
  }

  #begin(operation) {
    const id = String((this.#last += 1));
    this.#operations.set(id, operation);
    if (this.#acknowledged) this.#subscribe(id);
    return id;
  }

  #subscribe(id) {
    const { query, variables } = this.#operations.get(id);
    this.#send({ type: "subscribe", id, payload: { query, variables: variables() } });
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #receive({ type, id, payload }) {
    const operation = this.#operations.get(id);
    if (type === "connection_ack") {
      this.#acknowledged = true;
      this.#tell("online");
      for (const open of this.#operations.keys()) this.#subscribe(open);
    } else if (type === "ping") {
      this.#send({ type: "pong" });
    } else if (type === "next") {
      operation?.next(payload);
    } else if (type === "complete") {
      this.#operations.delete(id);
    } else if (type === "error" && payload[0].extensions?.code === "TOO_SLOW") {
      this.#subscribe(id); // the page did not keep up: it goes on after what it has
    } else if (type === "error") {
      this.#operations.delete(id);
      operation?.fail(payload);
    }
  }

  #closed({ code, reason }) {
    this.#forget();
    if (code >= 4400 && code < 4500) {
      this.#tell("refused", reason || String(code)); // the next connection would be closed too
    } else {
      this.#tell("connecting");
      this.#retry = setTimeout(() => this.connect(), Dibs.RETRY_MS);
    }
  }

  #forget() {
    clearTimeout(this.#retry);
    this.#socket = null;
    this.#acknowledged = false;
  }
}

function said(errors) {
  return new Error(errors.map(({ message }) => message).join(" "));
}
