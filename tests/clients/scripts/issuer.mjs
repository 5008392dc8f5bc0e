// An OpenID Connect issuer for machines: whoever has the secret gets a token with the roles that are asked for.
// It says its address on standard output; a line on standard input makes it turn its key.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

const AUDIENCE = "dibs";
const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const address = `http://127.0.0.1:${server.address().port}`;
let number = 0;

async function turn() {
  number += 1;
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: `key-${number}`, use: "sig", alg: "ES256" };
  const provider = new Provider(address, {
    jwks: { keys: [key] },
    clients: ["alice", "bob"].map((client_id) => ({
      client_id,
      client_secret: "a secret of the tests",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: "client_secret_post",
      id_token_signed_response_alg: "ES256",
    })),
    scopes: ["pick", "look"],
    ttl: { ClientCredentials: 60 },
    extraTokenClaims: (_, token) => ({ roles: (token.scope ?? "").split(" ").filter(Boolean) }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: "pick look",
          audience: resource === "https://dibs.example" ? AUDIENCE : "another",
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
  });
  server.removeAllListeners("request");
  server.on("request", provider.callback());
  console.log(JSON.stringify({ address, key: key.kid }));
}

await turn();
createInterface({ input: process.stdin }).on("line", turn).on("close", () => process.exit(0));
