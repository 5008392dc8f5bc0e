import { getIntrospectionQuery, getOperationAST } from 'graphql';
import { createClient } from 'graphql-ws';

// What the protocol (4401, 4403) and servers that go by it close the socket with when they do not know the caller.
const REFUSED_CLOSE_CODES = [4401, 4403];

// GraphiQL's own introspection does not ask which inputs are @oneOf, so it could not warn about two lookups at once.
const INTROSPECTION = getIntrospectionQuery({ oneOf: true, inputValueDeprecation: true, schemaDescription: true });

/**
 * How GraphiQL talks to the server: queries and mutations as POST, subscriptions over graphql-transport-ws, both at the page's own address.
 * Failures come back as GraphQL errors rather than exceptions, so that they read like any other answer.
 * `onAnswer(refused)` is told after each answer whether the server refused the key.
 */
export function createFetcher(key, onAnswer) {
  const endpoint = location.origin + location.pathname;
  const authorization = key ? { authorization: `Bearer ${key}` } : {};
  const socket = createClient({
    url: endpoint.replace(/^http/, 'ws'),
    connectionParams: authorization,
    // A silent reconnection would leave a gap in what is watched.
    retryAttempts: 0,
  });

  const heard = (result) => {
    onAnswer(isRefusal(result));
    return result;
  };

  function subscribe(operation) {
    return {
      subscribe(observer) {
        const fail = (error) => {
          observer.next(heard(socketFailure(error)));
          observer.complete();
        };
        const unsubscribe = socket.subscribe(operation, {
          next: (result) => observer.next(heard(result)),
          error: fail,
          complete: () => observer.complete(),
        });
        return { unsubscribe };
      },
    };
  }

  return (operation, { documentAST, headers } = {}) => {
    if (!documentAST && operation.operationName === 'IntrospectionQuery') operation = { ...operation, query: INTROSPECTION };
    if (documentAST && getOperationAST(documentAST, operation.operationName)?.operation === 'subscription') return subscribe(operation);
    return post(endpoint, operation, { ...authorization, ...headers }).then(heard);
  };
}

async function post(endpoint, operation, headers) {
  let response;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json', ...headers },
      body: JSON.stringify(operation),
    });
  } catch {
    return failure('The server cannot be reached.');
  }
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return response.status === 401
      ? failure('The server refused the API key.', 'UNAUTHENTICATED')
      : failure(`The server answered ${response.status} ${response.statusText}: ${text.slice(0, 500)}`);
  }
}

function socketFailure(error) {
  if (Array.isArray(error)) return { errors: error };
  if (REFUSED_CLOSE_CODES.includes(error?.code)) return failure('The server refused the API key.', 'UNAUTHENTICATED');
  if (error?.code) return failure(`The server closed the connection (${error.code}${error.reason ? `: ${error.reason}` : ''}).`);
  return failure('The server cannot be reached.');
}

const failure = (message, code) => ({ errors: [{ message, ...(code && { extensions: { code } }) }] });

const isRefusal = (result) => result?.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED') ?? false;
