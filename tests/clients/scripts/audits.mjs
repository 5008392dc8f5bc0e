// node audits.mjs: asks ADDRESS all that the audits of GraphQL over HTTP ask, and prints what came of each of them.
import { serverAudits } from "graphql-http";

const { ADDRESS: url, KEY: key } = process.env;

/** The audits know of no keys. */
const fetchFn = (address, init = {}) =>
  fetch(address, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });

const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason: reason ?? null });
}
console.log(JSON.stringify(results));
