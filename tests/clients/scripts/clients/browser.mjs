import { readFileSync } from "node:fs";
import vm from "node:vm";
import WebSocket from "ws";

/** In a browser an error that nobody listens to is none: `close` follows it. */
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.on("error", () => {});
  }
};

/** The protocol of the example page, which is a script and no module, so that a page can be opened from a disk. */
const Dibs = vm.runInThisContext(`${readFileSync(process.env.DIBS_JS, "utf8")}\nDibs`);

export function open({ address, key }) {
  const dibs = new Dibs(address.replace("http", "ws"), key);
  dibs.connect();
  return {
    ask: (query, variables) => dibs.ask(query, variables),
    follow(query, { after, ...others }, told) {
      let cursor = after;
      return dibs.follow(query, () => ({ ...others, after: cursor }), (data) => { cursor = told(data); });
    },
    close: () => dibs.cut(),
  };
}
