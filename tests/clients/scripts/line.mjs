// A line to the server that can be cut: whatever the client is, its connections break as a network breaks them.
import net from "node:net";

export async function openLine(address) {
  const far = new URL(address);
  const open = new Set();
  let up = true;
  let cut = 0;
  const server = net.createServer((near) => {
    near.on("error", () => near.destroy());
    if (!up) return near.destroy();
    const beyond = net.connect(Number(far.port), far.hostname);
    beyond.on("error", () => near.destroy());
    for (const [one, other] of [[near, beyond], [beyond, near]]) {
      one.pipe(other);
      one.on("close", () => other.destroy());
    }
    open.add(near);
    near.on("close", () => open.delete(near));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    address: `http://127.0.0.1:${server.address().port}${far.pathname}`,
    /** How many connections were cut. */
    get cut() {
      return cut;
    },
    down() {
      up = false;
      for (const one of open) {
        cut += 1;
        one.resetAndDestroy();
      }
    },
    up() {
      up = true;
    },
    close: () => server.close(),
  };
}
