/** What graphql-ws and graphql-sse, which look the same from outside, do for a test. */
export function over(client, fail) {
  return {
    async ask(query, variables) {
      for await (const answer of client.iterate({ query, variables })) return answer.data;
    },
    /** The client comes back by itself and sends the same variables: `after` is read anew each time. */
    follow(query, { after, ...others }, told) {
      let cursor = after;
      const variables = { ...others, get after() { return cursor; } };
      return client.subscribe(
        { query, variables },
        { next: ({ data }) => { cursor = told(data); }, error: fail, complete: () => {} },
      );
    },
    close: () => client.dispose(),
  };
}
